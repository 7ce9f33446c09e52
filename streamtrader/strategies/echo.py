"""Orders that were placed once, placed again: each at its time, whatever the market says. Calibration asks it."""

from __future__ import annotations

import numpy as np

from streamtrader.events import Level, Quote, Trade
from streamtrader.kernel.broker import Broker
from streamtrader.strategies.strategy import Strategy

PLAN_SLOTS = 4_096
AT_NS, ORDER, SIDE, LOTS, TICKS, POST_ONLY, WORDS = range(7)  # of a line; LOTS 0 cancels
NEVER_NS = 1 << 62


class Echo(Strategy):
    """`plan` is lines in the order of their times; `ids[number]` is what the order became, 0 where it was refused.

    A line is followed at the first event of the market at or after its time, where the first strategy decided it.
    """

    def __init__(self, plan: np.ndarray | None = None) -> None:
        self.next = 0
        self.plan = np.full((PLAN_SLOTS, WORDS), NEVER_NS)
        if plan is not None:
            self.plan[: len(plan)] = plan
        self.ids = np.zeros(PLAN_SLOTS, np.int64)

    def follow(self, broker: Broker) -> None:
        while self.next < len(self.plan) and self.plan[self.next, AT_NS] <= broker.now_ns():
            line = self.plan[self.next]
            self.next += 1
            number = line[ORDER]
            if line[LOTS] > 0:
                self.ids[number] = broker.ask_lots(line[SIDE], line[LOTS], line[TICKS], line[POST_ONLY] != 0, False)
            elif self.ids[number] > 0:
                broker.cancel(self.ids[number])

    def on_trade(self, trade: Trade, broker: Broker) -> None:
        self.follow(broker)

    def on_quote(self, quote: Quote, broker: Broker) -> None:
        self.follow(broker)

    def on_book(self, level: Level, broker: Broker) -> None:
        self.follow(broker)
