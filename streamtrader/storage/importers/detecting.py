"""Which data set a file is of, by its content and, where contents look alike, by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from streamtrader.errors import MarketFileError
from streamtrader.storage.importers.binance_dump import dump_streams, is_dump
from streamtrader.storage.importers.dbn import dbn_streams
from streamtrader.storage.importers.dbn_records import MAGIC as DBN_MAGIC
from streamtrader.storage.importers.hftbacktest import hftbacktest_streams
from streamtrader.storage.importers.lean import lean_streams
from streamtrader.storage.importers.lean_actions import is_action_file
from streamtrader.storage.importers.markets import Intake
from streamtrader.storage.importers.opening import first_bytes, members_of
from streamtrader.storage.importers.plain_csv import csv_streams
from streamtrader.storage.importers.rows import Events
from streamtrader.storage.importers.table import header_names
from streamtrader.storage.importers.tardis import is_tardis, tardis_streams

Importer = Callable[[Sequence[Path], Intake], list[Iterator[Events]]]
ARRAY_MAGIC = b"\x93NUMPY"
IMPORTERS: Mapping[str, Importer] = {
    "lean": lean_streams,
    "binance-dump": dump_streams,
    "tardis": tardis_streams,
    "dbn": dbn_streams,
    "hftbacktest": hftbacktest_streams,
    "csv": csv_streams,
}


def format_of(path: Path) -> str | None:
    """The name of an importer, or None for a file that is of no data set (a raw capture of a venue, say)."""
    if is_dump(path) or path.name.endswith(".CHECKSUM"):
        return "binance-dump"
    if members := members_of(path):
        return "hftbacktest" if any(name.endswith(".npy") for name in members) else "lean"
    try:
        start = first_bytes(path)
    except MarketFileError:
        return None
    if start.startswith((DBN_MAGIC, ARRAY_MAGIC)):
        return "dbn" if start.startswith(DBN_MAGIC) else "hftbacktest"
    return _format_of_text(path, start.split(b"\n", 1)[0])


def _format_of_text(path: Path, first: bytes) -> str | None:
    if first[:1].isdigit():
        return "lean" if is_action_file(path) else None
    is_table = any(mark in first for mark in (b",", b";", b"\t"))
    if not is_table or b"\0" in first or first.lstrip().startswith((b"{", b"[", b">")):
        return None
    return "tardis" if is_tardis(header_names(first)) else "csv"


def common_format(files: Sequence[Path]) -> str | None:
    """The one format that all the files are of; None where one is of none. Several at once are refused."""
    formats = {path: format_of(path) for path in files}
    if None in formats.values():
        return None
    kinds = sorted({name for name in formats.values() if name})
    if len(kinds) > 1:
        shown = ", ".join(f"{path.name}: {name}" for path, name in list(formats.items())[:4])
        raise MarketFileError(f"files of several data sets ({shown}); import each by itself.")
    return kinds[0] if kinds else None
