"""A strategy that follows a small fixed script, so that a run can name it in its settings."""

from __future__ import annotations

import numpy as np

from streamtrader.strategies import Strategy


class BuyThenQuote(Strategy):
    """Buys 1.5 at the market at 100 ms, offers 1 at 100.04 at 200 ms and takes the rest back at 400 ms."""

    def __init__(self) -> None:
        self.start_ns = 0
        self.step = 0
        self.order = 0

    def on_book(self, level, broker):
        if self.start_ns == 0:
            self.start_ns = level.received_ns
        passed_ms = (level.received_ns - self.start_ns) // 1_000_000
        if self.step == 0 and passed_ms >= 100:
            broker.buy(1.5)
            self.step = 1
        elif self.step == 1 and passed_ms >= 200:
            self.order = broker.sell(1.0, 100.04, True)
            self.step = 2
        elif self.step == 2 and passed_ms >= 400:
            broker.cancel(self.order)
            self.step = 3


class Quiet(Strategy):
    """Asks for nothing."""

    def __init__(self) -> None:
        self.seen = 0

    def on_book(self, level, broker):
        self.seen += 1


class Distant(Strategy):
    """Offers once, where nobody buys."""

    def __init__(self) -> None:
        self.order = 0

    def on_book(self, level, broker):
        if self.order == 0 and broker.is_live():
            self.order = broker.sell(1.0, 100.3)


class Sweeper(Strategy):
    """Takes twice the size of every trade, buys and sells by turns."""

    def __init__(self) -> None:
        self.count = 0

    def on_trade(self, trade, broker):
        self.count += 1
        if self.count % 2 == 1:
            broker.buy(2.0 * trade.size)
        else:
            broker.sell(2.0 * trade.size)


class Quoter(Strategy):
    """Joins both touches every 400 ms with a twentieth, and takes each order back after three seconds."""

    def __init__(self) -> None:
        self.next_ns = 0
        self.at = 0
        self.ids = np.zeros(64, np.int64)
        self.times_ns = np.zeros(64, np.int64)

    def on_book(self, level, broker):
        now_ns = broker.now_ns()
        for slot in range(64):
            if self.ids[slot] > 0 and now_ns - self.times_ns[slot] > 3_000_000_000:
                broker.cancel(self.ids[slot])
                self.ids[slot] = 0
        if now_ns >= self.next_ns and broker.is_live():
            self.next_ns = now_ns + 400_000_000
            for side in range(2):
                ticks = broker.market.book.top[side]
                self.ids[self.at] = broker.quote(side, 0.05, ticks)
                self.times_ns[self.at] = now_ns
                self.at = (self.at + 1) % 64
