"""What a run is doing, read from outside: nothing here disturbs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamtrader.errors import StorageError
from streamtrader.storage.reader import DatabaseReader
from streamtrader.storage.run_directory import RunDirectory
from streamtrader.storage.tape import Tape
from streamtrader.units import NS_PER_S


def status_of(path: Path | None, root: Path) -> dict[str, Any]:
    """The newest run below `root`, or the one given."""
    directory = RunDirectory.open(path) if path is not None else RunDirectory.latest(root)
    if directory is None:
        told = f"there is no run below {root}; `streamtrader run --paper` starts one"
        return {"run": None, "is_running": False, "message": told}
    manifest = directory.read_manifest()
    holder = directory.holder()
    document: dict[str, Any] = {
        "run": str(directory.path),
        "is_running": holder is not None,
        "process": holder,
        "ended": (manifest.get("ended") or {}).get("reason"),
    }
    if directory.tape.exists():
        tape = Tape.open(directory.tape)
        document["events"] = tape.event_count
        document["market_s"] = (tape.last_received_ns - tape.first_received_ns) / NS_PER_S
        document["tape_bytes"] = directory.tape.stat().st_size
    try:
        with DatabaseReader.open(directory.database) as reader:
            document["counts"] = reader.counts()
            document["positions"] = reader.positions()
            document["halts"] = reader.halts()
            seats = reader.seats()
            samples = [reader.equity_samples(seat["id"], limit=1) for seat in seats]
            document["equity"] = [sample[-1] for sample in samples if sample]
    except StorageError as error:
        document["database"] = str(error)
    return document
