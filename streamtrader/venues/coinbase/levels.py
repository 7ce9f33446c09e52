"""What the prices of a book prove about a feed that does not number its books: where it must have lost something.

A venue removes only levels that it has, and does not cross its own book. So the removal of an unknown level, or a
best bid at the best ask or above it, means that an earlier message was lost or came broken. Both find it late, and a
wrong size they never find: this is a witness, no proof.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

Rows = Sequence[tuple[float, float]]


class Levels:
    """The prices of both sides, the best one last: levels come and go there, and the end of a list is cheap.

    `is_crossed`: the venue itself said so in its snapshot, as in an auction; then nothing is concluded from it.
    """

    __slots__ = ("_asks", "_bids", "is_crossed")

    def __init__(self) -> None:
        self._bids: list[float] = []
        self._asks: list[float] = []  # negative
        self.is_crossed = False

    def begin(self, bids: Rows, asks: Rows) -> None:
        """Take a snapshot."""
        self._bids = sorted({price for price, _ in bids})
        self._asks = sorted({-price for price, _ in asks})
        self.is_crossed = bool(self._bids and self._asks) and self._bids[-1] >= -self._asks[-1]

    def hold(self, bids: Rows, asks: Rows, *, has_all: bool) -> bool:
        """Take changes; False where they cannot follow. `has_all`: the feed tells of every level that ever stood."""
        is_known = True
        held_bids = keys = self._bids
        for price, size in bids:
            at = bisect_left(keys, price)
            if at < len(keys) and keys[at] == price:
                if not size:
                    del keys[at]
            elif size:
                keys.insert(at, price)
            else:
                is_known = False
        keys = self._asks
        for price, size in asks:
            at = bisect_left(keys, -price)
            if at < len(keys) and keys[at] == -price:
                if not size:
                    del keys[at]
            elif size:
                keys.insert(at, -price)
            else:
                is_known = False
        if held_bids and keys and held_bids[-1] >= -keys[-1]:
            return self.is_crossed and (is_known or not has_all)
        self.is_crossed = False
        return is_known or not has_all

    def has_best(self, bid: float, ask: float) -> bool:
        """Whether the venue's own best prices are those of the book; an empty side says nothing."""
        bids, asks = self._bids, self._asks
        return not (bids and asks) or (bids[-1] == bid and asks[-1] == -ask)
