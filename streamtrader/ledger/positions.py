"""Positions and what they cost: at the average, or first in, first out.

A fill that enlarges a position adds to its cost. One that reduces it releases a part of the cost; the difference to
what it brought is realized. One that crosses zero does both: it closes the old position at the old cost, and the rest
opens a new one at the price of the fill.

`AVERAGE` releases the share of the whole cost that belongs to the size that is closed. `FIFO` releases what the oldest
lots cost; its sums are products of prices and sizes, so that nothing is ever cut.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from streamtrader.ledger.facts import Fill, Pair
from streamtrader.ledger.money import ZERO, minus, negative, plus, quotient, share_of, times


class Method(enum.StrEnum):
    """Which of the units held are taken to be sold first."""

    AVERAGE = "average"
    FIFO = "fifo"


class Lot(NamedTuple):
    """An unsold part of one fill; `size` is above zero for short positions too."""

    size: Decimal
    price: Decimal
    at_ns: int


class Taken(NamedTuple):
    """What a fill did to a position, in quote currency: the change of its cost, and what was realized before fees."""

    cost: Decimal
    realized: Decimal


@dataclass(slots=True)
class Position:
    """`size` and `cost` are signed alike: a short position was paid for with a negative cost."""

    pair: Pair
    method: Method = Method.AVERAGE
    size: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    turnover: Decimal = ZERO
    fill_count: int = 0
    lots: deque[Lot] = field(default_factory=deque)  # oldest first; empty at average cost

    @property
    def average_price(self) -> Decimal | None:
        """What a unit cost, to 28 digits; None when flat."""
        return quotient(self.cost, self.size) if self.size else None

    def value(self, mark: Decimal) -> Decimal:
        return times(self.size, mark)

    def unrealized(self, mark: Decimal) -> Decimal:
        return minus(times(self.size, mark), self.cost)

    def take(self, fill: Fill) -> Taken:
        """Book a fill."""
        signed = fill.signed_size
        closed = ZERO
        if self.size and (self.size > 0) != (signed > 0):
            closed = min(fill.size, self.size.copy_abs())
        released = self._released(closed) if closed else ZERO
        brought = times(fill.price, closed if signed < 0 else negative(closed))
        opened_size = minus(fill.size, closed)
        opened = times(fill.price, opened_size if signed > 0 else negative(opened_size))
        if opened_size and self.method is Method.FIFO:
            self.lots.append(Lot(opened_size, fill.price, fill.at_ns))
        taken = Taken(cost=minus(opened, released), realized=minus(brought, released) if closed else ZERO)
        self.size = plus(self.size, signed)
        self.cost = plus(self.cost, taken.cost)
        self.realized = plus(self.realized, taken.realized)
        self.turnover = plus(self.turnover, times(fill.price, fill.size))
        self.fill_count += 1
        return taken

    def _released(self, closed: Decimal) -> Decimal:
        """The cost of a part of the position that is given up, signed like the whole cost."""
        if self.method is Method.AVERAGE:
            return share_of(self.cost, closed, self.size.copy_abs())
        released, left = ZERO, closed
        while left:
            lot = self.lots.popleft()
            part = min(left, lot.size)
            released = plus(released, times(lot.price, part))
            left = minus(left, part)
            if part < lot.size:
                self.lots.appendleft(lot._replace(size=minus(lot.size, part)))
        return released if self.size > 0 else negative(released)
