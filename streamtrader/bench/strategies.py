"""The strategies that our side of the benchmarks plays, where no built-in one does."""

from __future__ import annotations

from streamtrader.events import Level, Trade
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
