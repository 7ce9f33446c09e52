"""vectorbt: the EMA cross over the whole array of prices at once, `Portfolio.from_signals` with a fee of 0.1 %.

Not event driven: no book, no latency, no queue, one pass over closed arrays. It is what a user compares with, and the
bound that an engine with events is not expected to pass by much. Needs vectorbt.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
import vectorbt
from numpy.typing import NDArray

from benchmarks.results import emit, seconds_of
from streamtrader.bench.data import FAST_SPAN, FEE_RATE, ORDER_SIZE, SLOW_SPAN, fingerprint, make_ticks


def simulate(prices: NDArray[np.float64]) -> tuple[int, float]:
    """Averages, signals, portfolio: orders and final value."""
    close = pd.Series(prices)
    fast = vectorbt.MA.run(close, FAST_SPAN, ewm=True).ma
    slow = vectorbt.MA.run(close, SLOW_SPAN, ewm=True).ma
    is_long = fast > slow
    was_long = is_long.shift(1, fill_value=False)
    portfolio = vectorbt.Portfolio.from_signals(
        close, is_long & ~was_long, ~is_long & was_long, size=ORDER_SIZE, fees=FEE_RATE, init_cash=1e7, freq="1s"
    )
    return len(portfolio.orders.records), float(portfolio.final_value())


def main() -> None:
    started_cpu_s = time.process_time()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2_000_000, help="ticks")
    options = parser.parse_args()
    ticks = make_ticks(options.count)
    prices = ticks.price_cents / 100.0
    compile_s, _ = seconds_of(lambda: simulate(prices[:500]))
    run_s, (orders, _) = seconds_of(lambda: simulate(prices))
    emit(
        {
            "bench": "replay", "who": "vectorbt", "version": vectorbt.__version__, "mode": "trade",
            "data": fingerprint(ticks), "seen": options.count, "fills": orders,
            "rows_per_s": round(options.count / run_s), "ticks_per_s": round(options.count / run_s),
            "run_s": round(run_s, 3), "compile_s": round(compile_s, 3), "start_cpu_s": round(started_cpu_s, 3),
        }
    )  # fmt: skip


if __name__ == "__main__":
    main()
