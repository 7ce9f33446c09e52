"""NautilusTrader: its low-level BacktestEngine with a Python strategy.

    trade    EMA(12)/EMA(26) cross with its own compiled averages, market orders, a fee of 0.1 %
    noorder  the same without the orders: dispatch and averages only
    empty    `on_trade_tick` does nothing but count: what calling Python on each tick costs
    book     one L2 delta a row; the strategy reads best bid and ask after each

A tick is one trade here: the engine trades against trade ticks by itself, so the two rows of the touch are left out
in its favour. Loading the data is not counted either. Needs nautilus_trader.
"""

from __future__ import annotations

import argparse
import time
from decimal import Decimal
from typing import Any

import nautilus_trader
import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import BookOrder, OrderBookDelta, TradeTick
from nautilus_trader.model.enums import (
    AccountType,
    AggressorSide,
    BookAction,
    BookType,
    OmsType,
    OrderSide,
)
from nautilus_trader.model.identifiers import TraderId, Venue
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

from benchmarks.results import emit, seconds_of
from streamtrader.bench.data import FAST_SPAN, ORDER_SIZE, SLOW_SPAN, Rows, Ticks, fingerprint, make_rows, make_ticks

VENUE = Venue("BINANCE")


class Empty(Strategy):  # type: ignore[misc] - its base is compiled and untyped
    """Counts trades."""

    def __init__(self, instrument: Any) -> None:
        super().__init__(StrategyConfig())
        self.traded = instrument
        self.seen = 0
        self.signals = 0

    def on_start(self) -> None:
        self.subscribe_trade_ticks(self.traded.id)

    def on_trade_tick(self, tick: Any) -> None:
        self.seen += 1


class Cross(Empty):
    """Long while the fast average is above the slow one."""

    def __init__(self, instrument: Any, *, is_ordering: bool) -> None:
        super().__init__(instrument)
        self.is_ordering = is_ordering
        self.fast = ExponentialMovingAverage(FAST_SPAN)
        self.slow = ExponentialMovingAverage(SLOW_SPAN)
        self.order_size = instrument.make_qty(Decimal(str(ORDER_SIZE)))
        self.is_long = False

    def on_trade_tick(self, tick: Any) -> None:
        self.seen += 1
        price = tick.price.as_double()
        self.fast.update_raw(price)
        self.slow.update_raw(price)
        if self.seen < SLOW_SPAN:
            return
        is_long = self.fast.value > self.slow.value
        if is_long != self.is_long:
            self.is_long = is_long
            self.signals += 1
            if self.is_ordering:
                side = OrderSide.BUY if is_long else OrderSide.SELL
                self.submit_order(self.order_factory.market(self.traded.id, side, self.order_size))


class ReadBook(Empty):
    """Reads the best prices after each change of the book."""

    def on_start(self) -> None:
        self.subscribe_order_book_deltas(self.traded.id, book_type=BookType.L2_MBP)

    def on_order_book_deltas(self, deltas: Any) -> None:
        self.seen += 1
        book = self.cache.order_book(self.traded.id)
        if book.best_bid_price() is not None and book.best_ask_price() is not None:
            self.signals += 1


def engine_of(instrument: Any, *, is_book: bool) -> BacktestEngine:
    logging = LoggingConfig(bypass_logging=True)
    engine = BacktestEngine(BacktestEngineConfig(trader_id=TraderId("BENCH-001"), logging=logging))
    engine.add_venue(
        venue=VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.CASH,
        base_currency=None,
        starting_balances=[Money(10_000_000, USDT), Money(1000, BTC)],
        **({"book_type": BookType.L2_MBP} if is_book else {"trade_execution": True}),
    )
    engine.add_instrument(instrument)
    return engine


def trades_of(ticks: Ticks, instrument: Any) -> list[Any]:
    aggressor = np.where(ticks.is_buy == 1, AggressorSide.BUYER, AggressorSide.SELLER).astype(np.uint8)
    ns = ticks.ns.astype(np.uint64)
    return TradeTick.from_raw_arrays_to_list(
        instrument.id, 2, 6, ticks.price_cents / 100.0, ticks.size_thousandths / 1000.0, aggressor,
        [str(index) for index in range(len(ns))], ns, ns,
    )  # fmt: skip


def deltas_of(rows: Rows, instrument: Any) -> list[Any]:
    return [
        OrderBookDelta(
            instrument.id,
            BookAction.UPDATE if size else BookAction.DELETE,
            BookOrder(
                OrderSide.BUY if is_bid else OrderSide.SELL, Price(cents / 100, 2), Quantity(size / 1000, 6), cents
            ),
            0,
            0,
            ns,
            ns,
        )
        for ns, is_bid, cents, size in zip(*(column.tolist() for column in rows), strict=True)
    ]


def main() -> None:
    started_cpu_s = time.process_time()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=("trade", "noorder", "empty", "book"), default="trade")
    parser.add_argument("--count", type=int, default=200_000, help="ticks, or rows with --mode book")
    options = parser.parse_args()
    is_book = options.mode == "book"
    instrument = TestInstrumentProvider.btcusdt_binance()
    engine = engine_of(instrument, is_book=is_book)
    source = make_rows(options.count) if is_book else make_ticks(options.count)
    data = deltas_of(source, instrument) if isinstance(source, Rows) else trades_of(source, instrument)
    engine.add_data(data)
    match options.mode:
        case "empty":
            strategy = Empty(instrument)
        case "book":
            strategy = ReadBook(instrument)
        case _:
            strategy = Cross(instrument, is_ordering=options.mode == "trade")
    engine.add_strategy(strategy)
    run_s, _ = seconds_of(engine.run)
    emit(
        {
            "bench": "replay", "who": "nautilus", "version": nautilus_trader.__version__, "mode": options.mode,
            "data": fingerprint(source), "seen": strategy.seen, "signals": strategy.signals,
            "fills": sum(1 for order in engine.cache.orders() if order.is_closed),
            "rows_per_s": round(options.count / run_s), "ticks_per_s": None if is_book else round(options.count / run_s),
            "run_s": round(run_s, 3), "start_cpu_s": round(started_cpu_s, 3),
        }
    )  # fmt: skip


if __name__ == "__main__":
    main()
