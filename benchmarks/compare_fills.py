"""Our fills against hftbacktest's, order by order, on the same rows with the same latency; every difference explained.

    python -m benchmarks.compare_fills TAPE.tape [--queue pessimistic|power|log] [--power 2] [--json]

It exports the tape, plays both (`benchmarks.fills`, `benchmarks.peers.fills_hftbacktest` in its own environment) and
exits 1 if a difference has no explanation. On some markets (USD-M BTCUSDT of 2024-08-08) hftbacktest 2.4.4 panics in its
exchange with partial fills; `--whole` compares with the one that knows none.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import HFT
from benchmarks.fills import SIZE, export, fills_of
from benchmarks.peers.environments import python_of
from streamtrader.events import Kind
from streamtrader.storage.tape import Tape
from streamtrader.units import NS_PER_S

DUST = 1e-9
THROUGH = "the trades beyond its price were smaller than the order: hftbacktest fills all of it, we no more than was traded"
MORE = "hftbacktest fills more than was traded: its estimate of the queue had gone below zero"


def theirs(tape: Tape, queue: str, power: float, *, is_whole: bool = False) -> dict[str, list[float]]:
    instrument = tape.instruments[0]
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.npz"
        export(tape, rows)
        command = [python_of(HFT), "-W", "ignore", "-m", "benchmarks.peers.fills_hftbacktest", rows]
        options = ["--tick", instrument.price_tick, "--lot", instrument.size_lot, "--queue", queue, "--power", power]
        options += ["--whole"] if is_whole else []
        run = subprocess.run(list(map(str, [*command, *options])), capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise SystemExit(f"hftbacktest ended with {run.returncode}: {run.stderr.strip()[:300]}")
    answer: dict[str, list[float]] = json.loads(run.stdout)
    return answer


def explained(key: str, ours: list[float], other: list[float], trades: np.ndarray[Any, Any]) -> str:
    """Why a fill differs; empty: nobody knows."""
    limit, filled, at_s = ours
    is_bid = key.endswith(" 0")
    around = trades[np.abs(trades["received_ns"] / NS_PER_S - at_s) < 1e-3]
    better = limit - around["a"] if is_bid else around["a"] - limit
    beyond, reached = around["b"][better > 0.0].sum(), around["b"][better >= 0.0].sum()
    if not filled < other[1] - DUST:
        return ""
    if reached < other[1] - DUST:
        return MORE
    return THROUGH if 0.0 < beyond < SIZE and abs(other[1] - SIZE) < DUST else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("tape", type=Path)
    parser.add_argument("--queue", choices=("pessimistic", "power", "log"), default="pessimistic", help="the model, of both")
    parser.add_argument("--power", type=float, default=2.0, help="of the model of that name")
    parser.add_argument("--whole", action="store_true", help="hftbacktest's exchange without partial fills")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tape = Tape.open(options.tape)
    ours = fills_of(tape, options.queue, options.power)
    other = theirs(tape, options.queue, options.power, is_whole=options.whole)
    trades = np.concatenate([events[events["kind"] == Kind.TRADE] for events in tape.events()])
    unlike = [key for key in ours if key not in other or abs(ours[key][1] - other[key][1]) > DUST]
    reasons = {key: explained(key, ours[key], other[key], trades) if key in other else "" for key in unlike}
    report = {
        "orders": len(ours), "theirs": len(other),
        "filled": sum(fill[1] > 0.0 for fill in ours.values()), "theirs_filled": sum(fill[1] > 0.0 for fill in other.values()),
        "equal": len(ours) - len(unlike), "differences": reasons, "unexplained": sum(not why for why in reasons.values()),
    }  # fmt: skip
    if options.json:
        print(json.dumps(report))
    else:
        print(f"{report['equal']} of {report['orders']} orders filled alike ({report['filled']} with a fill)")
        for key, why in reasons.items():
            print(f"  {key}: {ours[key][1]:g} here, {other[key][1]:g} there: {why or 'UNEXPLAINED'}")
    sys.exit(1 if report["unexplained"] or set(ours) != set(other) else 0)


if __name__ == "__main__":
    main()
