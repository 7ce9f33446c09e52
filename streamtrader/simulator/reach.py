"""Which of the market's rows can concern the orders that rest at the venue: most cannot, and are not shown to them."""

from __future__ import annotations

from streamtrader.events import BID, BUY, SELL, Event, Kind
from streamtrader.kernel.record import Record
from streamtrader.simulator.resting import Resting

FAR_TICKS = 1 << 62  # beyond every price


class Reach(Record):
    """The lowest and the highest limit of each side; no price lies between those of a side without orders."""

    def __init__(self) -> None:
        self.bid_low = FAR_TICKS
        self.bid_high = -FAR_TICKS
        self.ask_low = FAR_TICKS
        self.ask_high = -FAR_TICKS

    def clear(self) -> None:
        self.bid_low = self.ask_low = FAR_TICKS
        self.bid_high = self.ask_high = -FAR_TICKS

    def take_all(self) -> None:
        """Every row matters."""
        self.bid_low = self.ask_low = -FAR_TICKS
        self.bid_high = self.ask_high = FAR_TICKS

    def add(self, order: Resting) -> None:
        if order.side == BUY:
            self.bid_low = min(self.bid_low, order.ticks)
            self.bid_high = max(self.bid_high, order.ticks)
        else:
            self.ask_low = min(self.ask_low, order.ticks)
            self.ask_high = max(self.ask_high, order.ticks)

    def holds(self, event: Event, ticks: int) -> bool:
        """Whether an event at a price may move orders up in their queue, or fill them.

        A level concerns the orders of its own side at its price, and those of the other side that reach it; a trade
        those at its price and beyond it.
        """
        if event.kind == Kind.BOOK:
            if event.side == BID:
                return self.bid_low <= ticks <= self.bid_high or ticks >= self.ask_low
            return self.ask_low <= ticks <= self.ask_high or ticks <= self.bid_high
        if event.kind == Kind.TRADE:
            return ticks <= self.bid_high if event.side == SELL else ticks >= self.ask_low
        return True
