"""What durable storage costs: commits and rows a second by synchronous mode, size of the group, and driver.

WAL throughout. FULL forces each commit to the disk before it is done, NORMAL only at checkpoints. `sqlite3` is called
straight, `aiosqlite` goes through its thread, which is what the writer task uses. Figures depend on the disk under
`--folder` far more than on anything else here.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiosqlite

from benchmarks.results import emit

GROUPS = (1, 10, 100, 1000)
SCHEMA = (
    "CREATE TABLE fills (trade_id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, price TEXT NOT NULL,"
    " size TEXT NOT NULL, fee TEXT NOT NULL, received_ns INTEGER NOT NULL) STRICT"
)
INSERT = "INSERT INTO fills VALUES (?, ?, ?, ?, ?, ?)"
Row = tuple[int, int, str, str, str, int]


def rows_from(first: int, count: int) -> list[Row]:
    return [(first + at, first + at, "61837.63", "0.02000", "1.2367526", 10**18 + at) for at in range(count)]


def setup(synchronous: str) -> str:
    return f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; {SCHEMA};"


def by_sqlite3(path: Path, synchronous: str, group: int, seconds: float) -> list[float]:
    """The time of each commit, with the inserts that it ends."""
    database = sqlite3.connect(path)
    database.executescript(setup(synchronous))
    commits: list[float] = []
    until = time.perf_counter() + seconds
    while (started := time.perf_counter()) < until:
        database.executemany(INSERT, rows_from(len(commits) * group, group))
        database.commit()
        commits.append(time.perf_counter() - started)
    database.close()
    return commits


async def by_aiosqlite(path: Path, synchronous: str, group: int, seconds: float) -> list[float]:
    async with aiosqlite.connect(path) as database:
        await database.executescript(setup(synchronous))
        commits: list[float] = []
        until = time.perf_counter() + seconds
        while (started := time.perf_counter()) < until:
            await database.executemany(INSERT, rows_from(len(commits) * group, group))
            await database.commit()
            commits.append(time.perf_counter() - started)
        return commits


def summary(commits: list[float], group: int) -> dict[str, float]:
    ordered = sorted(commits)
    rate = len(commits) / sum(commits)
    return {
        "commits_per_s": round(rate),
        "rows_per_s": round(rate * group),
        "p50_ms": round(statistics.median(ordered) * 1e3, 3),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1e3, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where the databases are made; the platform's own by default")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each cell")
    options = parser.parse_args()
    table: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for synchronous in ("FULL", "NORMAL"):
            for group in GROUPS:
                cell, where = f"{synchronous} {group}", Path(folder) / f"{synchronous}_{group}"
                straight = by_sqlite3(where.with_suffix(".one"), synchronous, group, options.seconds)
                table[f"sqlite3 {cell}"] = summary(straight, group)
                threaded = by_aiosqlite(where.with_suffix(".two"), synchronous, group, options.seconds)
                table[f"aiosqlite {cell}"] = summary(asyncio.run(threaded), group)
    for name, row in table.items():
        sys.stderr.write(f"{name:<24} {'  '.join(f'{key} {value:g}' for key, value in row.items())}\n")
    emit({"bench": "micro_sqlite", "sqlite": sqlite3.sqlite_version, "cells": table})


if __name__ == "__main__":
    main()
