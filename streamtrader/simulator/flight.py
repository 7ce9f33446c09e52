"""Messages on their way to the venue or back, in order of arrival.

Bounded; when it is full `push` says -1, and whoever sends has a stated answer: the seat refuses the order, the
venue gives no more liquidity. Places for the ends of orders are kept free, so no report is ever lost.
"""

from __future__ import annotations

import numpy as np

from streamtrader.kernel.candles import FAR_NS
from streamtrader.kernel.orders import ORDER_SLOTS
from streamtrader.kernel.record import Record

# Requests need two places an order and reports four; one size for both is one type, compiled once.
FLIGHT_SLOTS = 4 * ORDER_SLOTS
WORDS = 8
KIND, ORDER, TICKS, LOTS, REMAINING, CODE, DISPLAY, EXPIRES = range(WORDS)


class Flight(Record):
    """A circular buffer sorted by `due_ns`; equal times keep the order of sending."""

    def __init__(self, slots: int = FLIGHT_SLOTS) -> None:
        self.first = 0
        self.count = 0
        self.due_ns = np.zeros(slots, np.int64)
        self.words = np.zeros((slots, WORDS), np.int64)
        self.numbers = np.zeros((slots, 2))  # of a trigger: where it fires, how far it trails

    def first_ns(self) -> int:
        return self.due_ns[self.first] if self.count > 0 else FAR_NS

    def free(self) -> int:
        return len(self.due_ns) - self.count

    def push(
        self, due_ns: int, kind: int, order: int, ticks: int, lots: int, remaining: int, code: int
    ) -> int:
        """Put a message in its place and say where that is; -1 when there is no room. Words not given are 0."""
        if self.count == len(self.due_ns):
            return -1
        mask = len(self.due_ns) - 1
        at = self.first + self.count
        while at > self.first and self.due_ns[(at - 1) & mask] > due_ns:
            self.due_ns[at & mask] = self.due_ns[(at - 1) & mask]
            for word in range(WORDS):
                self.words[at & mask, word] = self.words[(at - 1) & mask, word]
            self.numbers[at & mask, 0] = self.numbers[(at - 1) & mask, 0]
            self.numbers[at & mask, 1] = self.numbers[(at - 1) & mask, 1]
            at -= 1
        at &= mask
        self.due_ns[at] = due_ns
        self.words[at, KIND] = kind
        self.words[at, ORDER] = order
        self.words[at, TICKS] = ticks
        self.words[at, LOTS] = lots
        self.words[at, REMAINING] = remaining
        self.words[at, CODE] = code
        self.words[at, DISPLAY] = 0
        self.words[at, EXPIRES] = 0
        self.numbers[at, 0] = 0.0
        self.numbers[at, 1] = 0.0
        self.count += 1
        return at

    def drop_first(self) -> None:
        self.first = (self.first + 1) & (len(self.due_ns) - 1)
        self.count -= 1
