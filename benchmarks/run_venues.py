"""Decoding of every venue's recorded frames, ours and theirs in turns: medians and ratios.

`python -m benchmarks.run_venues [--rounds 3] [--venue okx]` prints one line of JSON, and a table on stderr. The rivals'
environments are made first where they are missing. A ratio is taken within each round, then the median over rounds.
"""

from __future__ import annotations

import argparse
import statistics
import sys

from benchmarks.peers.environments import ensure
from benchmarks.results import Result, busy_share, emit, run_script
from benchmarks.venue_frames import DEPTH, TICKER, TRADE, WORDS

RIVALS = ("ccxt", "cryptofeed")


def commands(venue: str) -> dict[str, list[str]]:
    ours = [sys.executable, "-m", "benchmarks.decode_venues", "--venue", venue]
    theirs = {name: [str(ensure(name)), "-m", f"benchmarks.peers.decode_{name}", "--venue", venue] for name in RIVALS}
    return {"streamtrader": ours, "msgspec": [*ours, "--bare"], **theirs}


def measure(venue: str, rounds: int) -> Result:
    found: dict[str, list[Result]] = {}
    for _ in range(rounds):
        for name, command in commands(venue).items():
            found.setdefault(name, []).append(run_script(command))
    result: Result = {}
    for kind in (TRADE, DEPTH, TICKER):
        ours = [each["us"].get(kind) for each in found["streamtrader"]]
        if None in ours:
            continue
        row: Result = {"frames": ours[0]["frames"]}
        for name, each in found.items():
            theirs = [one.get("us", {}).get(kind) for one in each]
            if None in theirs:
                row[name] = None
                continue
            row[name] = statistics.median(one["median_us"] for one in theirs)
            if name != "streamtrader":
                ratios = (one["median_us"] / own["median_us"] for one, own in zip(theirs, ours, strict=True))
                row[f"{name}_ratio"] = round(statistics.median(ratios), 2)
        result[kind] = row
    failures = {name: each[0]["failed"] for name, each in found.items() if "failed" in each[0]}
    return result | ({"failed": failures} if failures else {})


def show(venue: str, result: Result) -> None:
    names = ("streamtrader", "msgspec", *RIVALS)
    for kind, row in result.items():
        if kind != "failed":
            cells = (f"{row[name]:9.2f}" if row[name] is not None else f"{'-':>9}" for name in names)
            sys.stderr.write(f"{venue:18} {kind:7} {row['frames']:6} {' '.join(cells)}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--venue", choices=list(WORDS), action="append")
    options = parser.parse_args()
    sys.stderr.write(f"{'us a frame':18} {'':7} {'frames':>6} streamtr.   msgspec      ccxt cryptofeed\n")
    results = {}
    for venue in options.venue or list(WORDS):
        results[venue] = measure(venue, options.rounds)
        show(venue, results[venue])
    emit({"bench": "venues", "rounds": options.rounds, "busy": busy_share(), "us": results})


if __name__ == "__main__":
    main()
