"""hftbacktest: an EMA cross on trades with market orders, or an L2 book read after each row.

    trade    EMA(12)/EMA(26) cross, market orders, a fee of 0.1 %
    latency  the same with 1 ms of latency each way
    noorder  the same without the orders: what feed, book and averages cost
    book     level changes only; best bid and ask read after each

A tick is three rows, because its venue fills market orders against a book: best bid, best ask, trade. (A level that
crosses pushes the opposite best away by itself here, so two rows move the touch.) `--depth hash|roi` is its choice of book.
Compilation happens on a short run before the measured one and is reported apart; `--cache` lets Numba keep the strategy
on disk, which leaves most of it. Needs hftbacktest.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import hftbacktest
import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    GTC,
    LOCAL_EVENT,
    MARKET,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
    ROIVectorMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit
from numpy.typing import NDArray

from benchmarks.results import emit, seconds_of
from streamtrader.bench.data import (
    FAST_SPAN,
    FEE_RATE,
    ORDER_SIZE,
    ROWS_PER_TICK,
    SLOW_SPAN,
    TOUCH_SIZE,
    Rows,
    Ticks,
    fingerprint,
    make_rows,
    make_ticks,
)

FOREVER_NS = 10_000_000_000_000
FEED = 2  # what `wait_next_feed` answers when there was one
SEEN_BY_BOTH = EXCH_EVENT | LOCAL_EVENT
FAST_WEIGHT, SLOW_WEIGHT = 2.0 / (FAST_SPAN + 1), 2.0 / (SLOW_SPAN + 1)


def cross(backtest: Any, is_ordering: bool) -> tuple[int, int]:
    """Play to the end: trades seen, signals."""
    fast = slow = 0.0
    count = signals = 0
    is_long = False
    while backtest.wait_next_feed(False, FOREVER_NS) == FEED:
        trades = backtest.last_trades(0)
        if len(trades) == 0:
            continue
        for index in range(len(trades)):
            price = trades[index].px
            count += 1
            if count == 1:
                fast = slow = price
            else:
                fast += FAST_WEIGHT * (price - fast)
                slow += SLOW_WEIGHT * (price - slow)
        backtest.clear_last_trades(0)
        if count < SLOW_SPAN or (fast > slow) == is_long:
            continue
        is_long = fast > slow
        signals += 1
        if is_ordering:
            depth = backtest.depth(0)
            if is_long:
                backtest.submit_buy_order(0, signals, depth.best_ask, ORDER_SIZE, GTC, MARKET, False)
            else:
                backtest.submit_sell_order(0, signals, depth.best_bid, ORDER_SIZE, GTC, MARKET, False)
            backtest.clear_inactive_orders(0)
    return count, signals


def read_book(backtest: Any) -> tuple[int, float]:
    """Play to the end: rows seen, and a sum so that no read is optimised away."""
    count, total = 0, 0.0
    while backtest.wait_next_feed(False, FOREVER_NS) == FEED:
        count += 1
        depth = backtest.depth(0)
        total += depth.best_bid + depth.best_ask
    return count, total


def tick_rows(ticks: Ticks) -> NDArray[Any]:
    rows = np.zeros(ROWS_PER_TICK * len(ticks.ns), event_dtype)
    for at, (kind, cents) in enumerate(((BUY_EVENT, ticks.price_cents - 1), (SELL_EVENT, ticks.price_cents))):
        rows["ev"][at::ROWS_PER_TICK] = DEPTH_EVENT | kind | SEEN_BY_BOTH
        rows["px"][at::ROWS_PER_TICK] = cents / 100.0
        rows["qty"][at::ROWS_PER_TICK] = TOUCH_SIZE
    aggressor = np.where(ticks.is_buy == 1, BUY_EVENT, SELL_EVENT).astype(np.uint64)
    rows["ev"][2::ROWS_PER_TICK] = aggressor | np.uint64(TRADE_EVENT | SEEN_BY_BOTH)
    rows["px"][2::ROWS_PER_TICK] = ticks.price_cents / 100.0
    rows["qty"][2::ROWS_PER_TICK] = ticks.size_thousandths / 1000.0
    rows["exch_ts"] = rows["local_ts"] = np.repeat(ticks.ns, ROWS_PER_TICK)
    return rows


def book_rows(source: Rows) -> NDArray[Any]:
    rows = np.zeros(len(source.ns), event_dtype)
    side = np.where(source.is_bid == 1, BUY_EVENT, SELL_EVENT).astype(np.uint64)
    rows["ev"] = side | np.uint64(DEPTH_EVENT | SEEN_BY_BOTH)
    rows["exch_ts"] = rows["local_ts"] = source.ns
    rows["px"] = source.price_cents / 100.0
    rows["qty"] = source.size_thousandths / 1000.0
    return rows


def backtest_of(rows: NDArray[Any], options: argparse.Namespace) -> Any:
    latency_ns = 1_000_000 if options.mode == "latency" else 0
    asset = (
        BacktestAsset()
        .data([rows])
        .linear_asset(1.0)
        .constant_order_latency(latency_ns, latency_ns)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(FEE_RATE, FEE_RATE)
        .tick_size(0.01)
        .lot_size(0.001)
        .last_trades_capacity(0 if options.mode == "book" else 1000)
    )
    if options.depth == "roi":
        return ROIVectorMarketDepthBacktest([asset.roi_lb(1000.0).roi_ub(100_000.0)])
    return HashMapMarketDepthBacktest([asset])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=("trade", "latency", "noorder", "book"), default="trade")
    parser.add_argument("--depth", choices=("hash", "roi"), default="roi")
    parser.add_argument("--count", type=int, default=2_000_000, help="ticks, or rows with --mode book")
    parser.add_argument("--cache", action="store_true", help="let Numba keep the compiled strategy on disk")
    return parser.parse_args()


def main() -> None:
    started_cpu_s = time.process_time()
    options = arguments()
    is_book = options.mode == "book"
    source = make_rows(options.count) if is_book else make_ticks(options.count)
    rows = book_rows(source) if isinstance(source, Rows) else tick_rows(source)
    function = njit(cache=options.cache)(read_book if is_book else cross)
    extra = () if is_book else (options.mode != "noorder",)

    short = backtest_of(rows[:300].copy(), options)
    compile_s, _ = seconds_of(lambda: function(short, *extra))
    short.close()
    backtest = backtest_of(rows, options)
    run_s, (seen, signals) = seconds_of(lambda: function(backtest, *extra))
    state = backtest.state_values(0)
    emit(
        {
            "bench": "replay", "who": "hftbacktest", "version": hftbacktest.__version__,
            "mode": options.mode, "depth": options.depth, "data": fingerprint(source), "seen": seen,
            "signals": 0 if is_book else signals, "fills": int(state.num_trades), "fees": round(float(state.fee), 4),
            "rows_per_s": round(len(rows) / run_s), "ticks_per_s": None if is_book else round(options.count / run_s),
            "run_s": round(run_s, 4), "compile_s": round(compile_s, 3), "start_cpu_s": round(started_cpu_s, 3),
        }
    )  # fmt: skip
    backtest.close()


if __name__ == "__main__":
    main()
