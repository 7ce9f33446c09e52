"""Does a session's memory stand still? A paper run over many events, its resident size written down on the way.

Runs `streamtrader run --paper --speed max` in a process of its own, which is all that a user would start, and samples
what the system says that process holds. The market is a raw capture given with `--market`, repeated with its clocks
and ids moved on until it has enough events (each round begins with a gap and its snapshot), or the synthetic one. Prints one JSON line: events, the size at each tenth of the
way, and the growth from the second tenth to the last. Exit code 1 when that is more than `--growth-mib`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import zstandard

from benchmarks.results import ROOT, emit
from streamtrader.storage.captures import CaptureReader

SAMPLE_S = 0.5
ID_KEYS, CLOCK_KEYS = ("U", "u", "pu", "t", "lastUpdateId"), ("E", "T")
HOLE = 10_000  # updates that are missing between two rounds


def resident_mib(process: int) -> float:
    """What the system says; Linux only, as all of the soak is."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(process)


def rows_of(message: dict[str, Any]) -> int:
    data = message.get("data", message)
    return len(data["b"]) + len(data["a"]) if isinstance(data.get("b"), list) else 1


def moved(message: dict[str, Any], ids: int, clock_ms: int) -> bytes:
    """A message of a later round."""
    data = message.get("data", message)
    later = {key: data[key] + ids for key in ID_KEYS if isinstance(data.get(key), int)}
    later |= {key: data[key] + clock_ms for key in CLOCK_KEYS if isinstance(data.get(key), int)}
    data = data | later
    return orjson.dumps(message | {"data": data} if "data" in message else data)


def rounds_of(capture: Path, events: int) -> Iterator[bytes]:
    """Lines of a capture, round after round, until they are worth so many events."""
    lines = [(line.received_ns, orjson.loads(line.text)) for line in CaptureReader(capture) if not line.problem]
    span_ms = (lines[-1][0] - lines[0][0]) // 1_000_000 + 1_000
    ids = [message.get("data", message).get(key) for _, message in lines for key in ID_KEYS]
    known = [each for each in ids if isinstance(each, int)]
    step, count, turn = max(known) - min(known) + HOLE, 0, 0
    while count < events:
        for received_ns, message in lines:
            yield b"%d %b\n" % (received_ns + turn * span_ms * 1_000_000, moved(message, turn * step, turn * span_ms))
            count += rows_of(message)
        turn += 1


def repeated(capture: Path, events: int, place: Path) -> Path:
    """A capture long enough, written beside the run."""
    path = place / "market.zst"
    with path.open("wb") as out, zstandard.ZstdCompressor(level=1).stream_writer(out) as writer:
        for line in rounds_of(capture, events):
            writer.write(line)
    return path


def command_of(options: argparse.Namespace, place: Path) -> list[str]:
    command = [sys.executable, "-m", "streamtrader.cli.main", "run", "--paper", "--speed", "max", "--json"]
    command += ["--max-events", str(options.events)]
    if options.market:
        command += ["--market", str(repeated(Path(options.market), options.events, place))]
    return command


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=50_000_000)
    parser.add_argument("--market", default="", help="a capture or a tape; the synthetic market when left out")
    parser.add_argument("--growth-mib", type=float, default=8.0)
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="soak-"))
    samples: list[tuple[float, float]] = []
    try:
        command, out = command_of(options, place), place / "out.json"
        elsewhere = {"cwd": place, "env": os.environ | {"PYTHONPATH": str(ROOT)}}
        with out.open("wb") as told_to, subprocess.Popen(command, stdout=told_to, **elsewhere) as session:
            started_s = time.monotonic()
            while session.poll() is None:
                time.sleep(SAMPLE_S)
                try:
                    samples.append((time.monotonic() - started_s, resident_mib(session.pid)))
                except (ProcessLookupError, FileNotFoundError):
                    break
        told = json.loads(out.read_text())
        if session.returncode:
            raise SystemExit(f"the session ended with {session.returncode}: {told}")
    finally:
        shutil.rmtree(place, ignore_errors=True)
    sizes = [size for _, size in samples]
    tenths = [round(sizes[(len(sizes) - 1) * step // 10], 1) for step in range(1, 11)]
    growth = round(max(tenths[-3:]) - max(tenths[1:4]), 1)
    emit({"bench": "soak", "events": told["events"], "resident_at_tenths_mib": tenths, "growth_mib": growth,
          "seconds": round(samples[-1][0], 1)})  # fmt: skip
    return int(growth > options.growth_mib)


if __name__ == "__main__":
    sys.exit(main())
