"""The strategies that our side of the benchmarks plays, where no built-in one does."""

from __future__ import annotations

from streamtrader.events import ASK, BID, BUY, SELL, Level, Trade
from streamtrader.indicators import Ema
from streamtrader.kernel.broker import Broker
from streamtrader.strategies.strategy import PythonStrategy, Strategy


class ReadBest(Strategy):
    """Reads the best bid and ask after each row of the book; the sum keeps the reads from being optimised away."""

    def __init__(self) -> None:
        self.seen = 0
        self.total = 0.0

    def on_book(self, level: Level, broker: Broker) -> None:
        self.seen += 1
        total = broker.best_bid() + broker.best_ask()
        if total == total:  # a side is empty at the start: nan
            self.total += total


class CrossAndRest(Strategy):
    """As EmaCross, with two orders resting on each side all the time, put anew where they were filled or left behind."""

    def __init__(self, size: float, near_ticks: int = 2_000, step_ticks: int = 100, every: int = 256) -> None:
        self.fast = Ema(12)
        self.slow = Ema(26)
        self.size = size
        self.near_ticks = near_ticks
        self.step_ticks = step_ticks
        self.every = every
        self.seen = 0
        self.rested = 0

    def on_trade(self, trade: Trade, broker: Broker) -> None:
        self.seen += 1
        fast = self.fast.update(trade.price)
        slow = self.slow.update(trade.price)
        if self.slow.ready:
            broker.hold(self.size if fast > slow else 0.0)
        self.rested += min(4, broker.open_orders())
        if self.seen % self.every == 0:
            broker.cancel_all()
        elif self.seen % self.every == 1 and broker.spread_ticks() > 0:
            top = broker.market.book.top
            for at in range(2):
                away = self.near_ticks + at * self.step_ticks
                broker.quote(BUY, self.size, top[BID] - away)
                broker.quote(SELL, self.size, top[ASK] + away)


class CountTrades(PythonStrategy):
    """Plain Python on every trade, doing nothing but count."""

    def __init__(self) -> None:
        self.seen = 0

    def on_trade(self, trade: Trade, broker: Broker) -> None:
        self.seen += 1


class OrderOnEveryTrade(Strategy):
    """In and out, a market order on every trade: what an order costs."""

    def __init__(self, size: float) -> None:
        self.size = size
        self.is_in = False

    def on_trade(self, trade: Trade, broker: Broker) -> None:
        self.is_in = not self.is_in
        broker.hold(self.size if self.is_in else 0.0)
