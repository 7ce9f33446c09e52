"""No engine at all: the EMA cross with its fees as one Numba loop over an array of prices.

    loop  one call plays everything: the floor of the work itself
    call  one compiled call from Python for each tick: the price of that boundary

Between `loop` and an engine lies what events, book, orders, risk rules and a venue cost. Needs numba.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numba
import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks.results import emit, seconds_of
from streamtrader.bench.data import FAST_SPAN, FEE_RATE, ORDER_SIZE, SLOW_SPAN, fingerprint, make_ticks

FAST_WEIGHT, SLOW_WEIGHT = 2.0 / (FAST_SPAN + 1), 2.0 / (SLOW_SPAN + 1)


@njit
def play_all(prices: NDArray[np.float64]) -> tuple[int, float, float]:
    """Orders, cash, fees."""
    fast = slow = prices[0]
    cash = fees = 0.0
    orders = count = 0
    is_long = False
    for price in prices:
        count += 1
        fast += FAST_WEIGHT * (price - fast)
        slow += SLOW_WEIGHT * (price - slow)
        if count < SLOW_SPAN or (fast > slow) == is_long:
            continue
        is_long = fast > slow
        orders += 1
        cash -= price * (ORDER_SIZE if is_long else -ORDER_SIZE)
        fees += price * ORDER_SIZE * FEE_RATE
    return orders, cash, fees


@njit
def play_one(state: NDArray[np.float64], price: float) -> int:
    """One tick: 1 buys, -1 sells. The state is: ticks seen, fast, slow, long or not."""
    state[0] += 1.0
    if state[0] == 1.0:
        state[1] = state[2] = price
    state[1] += FAST_WEIGHT * (price - state[1])
    state[2] += SLOW_WEIGHT * (price - state[2])
    is_long = 1.0 if state[1] > state[2] else 0.0
    if state[0] < SLOW_SPAN or is_long == state[3]:
        return 0
    state[3] = is_long
    return 1 if is_long else -1


def play_by_calls(prices: list[float]) -> tuple[int, float, float]:
    state = np.zeros(4)
    orders, cash, fees = 0, 0.0, 0.0
    for price in prices:
        if signal := play_one(state, price):
            orders += 1
            cash -= signal * ORDER_SIZE * price
            fees += ORDER_SIZE * price * FEE_RATE
    return orders, cash, fees


def main() -> None:
    started_cpu_s = time.process_time()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=("loop", "call"), default="loop")
    parser.add_argument("--count", type=int, default=2_000_000, help="ticks")
    parser.add_argument("--passes", type=int, default=9, help="the median of these is reported")
    options = parser.parse_args()
    ticks = make_ticks(options.count)
    prices = ticks.price_cents / 100.0
    numbers = prices.tolist()
    play = (lambda: play_all(prices)) if options.mode == "loop" else (lambda: play_by_calls(numbers))
    compile_s, _ = seconds_of(lambda: (play_all(prices[:100]), play_one(np.zeros(4), 1.0)))
    passes = [seconds_of(play) for _ in range(options.passes)]
    run_s = statistics.median(seconds for seconds, _ in passes)
    emit(
        {
            "bench": "replay", "who": "bare_numba", "version": numba.__version__, "mode": options.mode,
            "data": fingerprint(ticks), "seen": options.count, "fills": passes[0][1][0],
            "rows_per_s": round(options.count / run_s), "ticks_per_s": round(options.count / run_s),
            "run_s": round(run_s, 5), "compile_s": round(compile_s, 3), "start_cpu_s": round(started_cpu_s, 3),
        }
    )  # fmt: skip


if __name__ == "__main__":
    main()
