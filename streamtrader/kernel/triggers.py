"""What an order may wait for before it goes to work: a price. The engine and the simulated venue ask the same way.

    kind         a buyer's order fires when the watched price is     a seller's
    STOP         at or above `ticks`                                 at or below
    TAKE_PROFIT  at or below `ticks`                                 at or above
    TRAILING     as STOP; `ticks` follows the price at a distance    likewise
                 and never turns back

The distance of a TRAILING one is a number of ticks, or a multiple of the average true range of the market's candles
(Wilder 1978, 14 candles), so that it breathes with the market.
"""

from __future__ import annotations

import enum
import math

from streamtrader.events import ASK, BID, BUY
from streamtrader.kernel.market import Market
from streamtrader.kernel.record import Record, int64


class TriggerKind(enum.IntEnum):
    NONE = 0
    STOP = 1
    TAKE_PROFIT = 2
    TRAILING = 3


class Source(enum.IntEnum):
    """Which price is watched."""

    LAST = 0  # of the newest trade; what most venues take
    MIDDLE = 1
    MARK = 2  # what positions are valued at
    TOUCH = 3  # what the order would meet: the best bid for a seller, the best ask for a buyer


# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
NONE, STOP, TAKE_PROFIT, TRAILING = (int(kind) for kind in TriggerKind)
LAST, MIDDLE, MARK, TOUCH = (int(source) for source in Source)


def watched_ticks(market: Market, side: int, source: int) -> float:
    """The watched price in ticks, a fraction for a middle; nan while it is unknown."""
    if source == LAST:
        return market.last_price * market.ticks_per_unit if market.last_price > 0.0 else math.nan
    if source == TOUCH:
        ticks = market.book.top[ASK] if side == BUY else market.book.top[BID]
        return float(ticks) if ticks >= 0 else math.nan
    price = market.middle() if source == MIDDLE else market.mark_price()
    return price * market.ticks_per_unit if price > 0.0 else math.nan


class Trigger(Record):
    """`ticks` is 0 for a trailing one that has not seen a price yet."""

    def __init__(self) -> None:
        self.kind = 0
        self.source = 0
        self.ticks = 0.0
        self.trail_ticks = 0.0
        self.trail_ranges = 0.0  # instead: so many average ranges

    def clear(self) -> None:
        self.kind = 0
        self.source = 0
        self.ticks = 0.0
        self.trail_ticks = 0.0
        self.trail_ranges = 0.0

    def nearest_ticks(self) -> int:
        """The price as rows and venues have it, in whole ticks."""
        return int64(self.ticks + 0.5)

    def is_reached(self, market: Market, side: int) -> bool:
        """Look at the price, follow it, and say whether the order fires."""
        price = watched_ticks(market, side, self.source)
        if not price > 0.0:
            return False
        if self.kind == TRAILING:
            self.follow(price, side, market)
            if self.ticks <= 0.0:
                return False
        is_above = (side == BUY) == (self.kind != TAKE_PROFIT)
        # A thousandth of a tick is forgiven: a price in ticks is a product of floats.
        return price >= self.ticks - 1e-3 if is_above else price <= self.ticks + 1e-3

    def follow(self, price: float, side: int, market: Market) -> None:
        distance = self.trail_ticks
        if self.trail_ranges > 0.0:
            distance = self.trail_ranges * market.candle.average_range * market.ticks_per_unit
        if distance <= 0.0:
            return  # no candle has closed yet
        if side == BUY:
            level = price + distance
            if self.ticks <= 0.0 or level < self.ticks:
                self.ticks = level
        else:
            level = max(price - distance, 1.0)
            if level > self.ticks:
                self.ticks = level
