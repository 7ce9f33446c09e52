"""Partial depth: the best 5, 10 or 20 levels of each side, whole in every message.

Each message stands for itself, so there is no sequence to lose and no snapshot to fetch, but nothing proves it
either. Only what changed since the last one reaches the ring: a book that is cleared ten times a second would
forget where orders stand in its queues.
"""

from __future__ import annotations

from streamtrader.errors import BadMessage
from streamtrader.events import BookState
from streamtrader.kernel.ring import Ring
from streamtrader.venues.streamed_book import Levels, StreamedBook
from streamtrader.venues.venue import Counters

LEVELS_MOST = 20
ROWS_MOST = 2 * LEVELS_MOST  # levels of the last message that have gone from the next one

Side = dict[float, float]


class PartialBook:
    """The top of one symbol's book. `is_live` at once where nobody asked for it: a capture may hold none."""

    __slots__ = ("asks", "bids", "book", "has_levels")

    def __init__(self, instrument: int, counters: Counters) -> None:
        self.book = StreamedBook(instrument, counters)
        self.bids: Side = {}
        self.asks: Side = {}
        self.has_levels = False

    def connect(self, received_ns: int, ring: Ring, *, is_live: bool) -> None:
        self.has_levels = False
        if is_live:
            self.book.become(BookState.LIVE, received_ns, ring)
        else:
            self.book.connect(received_ns, ring)

    def take(self, update: int, venue_ns: int, received_ns: int, bids: Levels, asks: Levels, ring: Ring) -> None:
        """Write what a checked message changes; one from the past is ignored, unless the venue counts anew."""
        if max(len(bids), len(asks)) > LEVELS_MOST:
            raise BadMessage(f"partial depth of more than {LEVELS_MOST} levels")
        book = self.book
        new_bids, new_asks = _side_of(bids), _side_of(asks)
        if self.has_levels and book.state is BookState.LIVE:
            after = book.last if update > book.last else update - 1
            if book.follows(after, update, received_ns, ring):
                changes = _changes(self.bids, new_bids), _changes(self.asks, new_asks)
                book.delta(update, venue_ns, received_ns, *changes, ring)
                self.bids, self.asks = new_bids, new_asks
            if book.state is BookState.LIVE:
                return
        book.snapshot(update, venue_ns, received_ns, list(new_bids.items()), list(new_asks.items()), ring)
        self.bids, self.asks, self.has_levels = new_bids, new_asks, True


def _side_of(levels: Levels) -> Side:
    return {price: size for price, size in levels if size > 0.0}


def _changes(old: Side, new: Side) -> list[tuple[float, float]]:
    """Levels that have gone, with size 0, then those that are new or have another size."""
    gone = [(price, 0.0) for price in old if price not in new]
    return gone + [(price, size) for price, size in new.items() if old.get(price) != size]
