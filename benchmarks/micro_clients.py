"""Which websocket client, which decoder: the matrix over loopback, in turns, each run in a process of its own.

    flood   CPU a message and messages a second, by library and decoder
    paced   latency at 10,000 trades a second, by library, and with a spinning loop

Every cell is the median of `--repeats` rounds. The rows are printed as a table on stderr, the cells as one JSON line.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from typing import Any, NamedTuple

from benchmarks.peers.live_client import LIBRARIES
from benchmarks.results import busy_share, emit, run_script
from streamtrader.bench.serving import serving

FLOOD_COUNTS = {"trade": 100_000, "book": 100_000, "depth10": 20_000, "depth20": 15_000}
DECODERS = ("none", "orjson", "msgspec_floats", "msgspec_ring", "scanner")
PACED = ("--mode", "paced", "--kind", "trade", "--count", "30000", "10000")


class Cell(NamedTuple):
    name: str
    arguments: tuple[str, ...]


def flood_cells(kinds: list[str]) -> list[Cell]:
    return [
        Cell(
            f"flood {kind} {library} {decoder}",
            ("--library", library, "--decoder", decoder, "--kind", kind, "--count", str(FLOOD_COUNTS[kind])),
        )
        for kind in kinds
        for library in LIBRARIES
        for decoder in DECODERS
        if not (decoder == "none" and kind != "trade")
    ]


def paced_cells() -> list[Cell]:
    plain = [Cell(f"paced trade {library} scanner", ("--library", library, *PACED)) for library in LIBRARIES]
    return [
        *plain,
        Cell("paced trade picows scanner asyncio", ("--loop", "asyncio", *PACED)),
        Cell("paced trade picows scanner spin", ("--spin", *PACED)),
    ]


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of every figure that all runs have, and the spread of the first one."""
    figures = ("cpu_us", "messages_per_s", "p50_us", "p99_us")
    found = {name: statistics.median(run[name] for run in runs) for name in figures if name in runs[0]}
    costs = [run["cpu_us"] for run in runs]
    return found | {"cpu_us_spread": round((max(costs) - min(costs)) / statistics.median(costs), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", choices=tuple(FLOOD_COUNTS), default=["trade", "depth10"])
    options = parser.parse_args()
    cells = [*flood_cells(options.kinds), *paced_cells()]
    runs: dict[str, list[dict[str, Any]]] = {cell.name: [] for cell in cells}
    busy = [busy_share()]
    with serving() as port:
        for _ in range(options.repeats):
            for cell in cells:
                command = [sys.executable, "-m", "benchmarks.peers.live_client", "--port", str(port), *cell.arguments]
                runs[cell.name].append(run_script(command, cpu=0))
            busy.append(busy_share())
    table = {name: summary(found) for name, found in runs.items()}
    for name, row in table.items():
        sys.stderr.write(f"{name:<40} {'  '.join(f'{key} {value:g}' for key, value in row.items())}\n")
    emit({"bench": "micro_clients", "repeats": options.repeats, "busy": busy, "cells": table})


if __name__ == "__main__":
    main()
