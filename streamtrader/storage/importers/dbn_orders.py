"""Databento's market-by-order records as messages of levels and trades, one message for each event of the venue.

A record with F_LAST ends an event. Only then does the book make sense, so an event whose end has not come yet waits.
A clear (action R) or a snapshot empties the book; what follows in the same event fills it, and it is LIVE.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from streamtrader.errors import MarketFileError
from streamtrader.events import ASK, BID, EVENT, MORE, BookState, Kind
from streamtrader.storage.importers import rows
from streamtrader.storage.importers.dbn_records import Records
from streamtrader.storage.importers.dbn_values import prices_of, trades_of
from streamtrader.storage.importers.digits import Flags, Integers
from streamtrader.storage.importers.markets import Found, Intake
from streamtrader.storage.importers.order_levels import ORDER, OrderLevels
from streamtrader.storage.importers.rows import Events

LAST, TOP_OF_BOOK, SNAPSHOT = 0x80, 0x40, 0x20
ADD, CANCEL, MODIFY, CLEAR, TRADE = b"A", b"C", b"M", b"R", b"T"
Part = tuple[Events, Integers, int]  # rows, the message of each, and their place in it
_FIRST, _LAST = -1, 1 << 30  # ranks within a message


class OrderBooks:
    """The books of all instruments of some files."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self._books: dict[int, _Book] = {}

    def take(self, found: Found, own: Records, name: str) -> Events:
        """The events that end in these records; they are all of one instrument."""
        book = self._books.setdefault(found.index, _Book(found, self.intake))
        return book.take(own, name)

    def end(self) -> None:
        """Nothing follows: count what was left over."""
        for book in self._books.values():
            if len(book.held):
                self.intake.left_out["an event without its end"] += len(book.held)
            if book.levels.unknown:
                self.intake.left_out["cancel of an unknown order"] += book.levels.unknown


class _Book:
    def __init__(self, found: Found, intake: Intake) -> None:
        self.found, self.intake = found, intake
        self.levels = OrderLevels()
        self.held: Records = np.zeros(0)  # an event that has not ended
        self._in_snapshot = False

    def take(self, own: Records, name: str) -> Events:
        own = np.concatenate((self.held, own)) if len(self.held) else own
        ends = np.flatnonzero(own["flags"] & LAST)
        stop = int(ends[-1]) + 1 if len(ends) else 0
        own, self.held = own[:stop], own[stop:].copy()
        if not stop:
            return np.zeros(0, EVENT)
        if np.any(own["flags"] & TOP_OF_BOOK):
            raise MarketFileError(f"{name}: best prices in place of orders (F_TOB) are not imported.")
        message = np.searchsorted(ends, np.arange(stop))  # which event each record is of
        parts = [*self._start(), self._trades(own, message, name), *self._changes(own, message, name)]
        return _ordered(parts, own["ts_event"][ends].astype(np.int64), own["ts_recv"][ends].astype(np.int64))

    def _start(self) -> Iterator[Part]:
        if not self.found.has_book:
            self.found.has_book = True
            yield rows.linked(self.found, 0, BookState.SYNCING), np.zeros(1, np.int64), _FIRST

    def _trades(self, own: Records, message: Integers, name: str) -> Part:
        is_trade = own["action"] == TRADE
        traded = own[is_trade]
        price = prices_of(self.found, traded["price"], name)
        return trades_of(self.found, traded, price, self.intake), message[is_trade], 0

    def _changes(self, own: Records, message: Integers, name: str) -> Iterator[Part]:
        """Levels, segment by segment: a segment begins where the book is emptied."""
        is_snapshot = own["flags"] & SNAPSHOT != 0
        begins = is_snapshot & ~np.append(self._in_snapshot, is_snapshot[:-1])
        self._in_snapshot = bool(is_snapshot[-1])
        resets = np.flatnonzero(begins | (own["action"] == CLEAR)).tolist()
        bounds = sorted({0, *resets, len(own)})
        for rank, start in enumerate(bounds[:-1], 1):
            if start in resets:
                self.levels.forget()
                self.intake.snapshots += 1
                at = message[start : start + 1]
                yield rows.forgotten(self.found, 0, 0), at, 2 * rank
                yield rows.linked(self.found, 0, BookState.LIVE), at, _LAST
            segment = slice(start, bounds[rank])
            yield self._levels(own[segment], message[segment], name, 2 * rank + 1)

    def _levels(self, own: Records, message: Integers, name: str, rank: int) -> Part:
        action = own["action"]
        is_cancel = action == CANCEL
        is_order: Flags = is_cancel | (action == ADD) | (action == MODIFY)
        orders = np.zeros(int(np.count_nonzero(is_order)), ORDER)
        for field in ("order_id", "price", "size"):
            orders[field] = own[field][is_order]
        orders["side"] = np.where(own["side"][is_order] == b"B", BID, ASK)
        changed = self.levels.apply(orders, is_cancel[is_order], message[is_order])
        price = prices_of(self.found, changed.price, name)
        size = changed.size.astype(np.float64)
        return rows.levels(self.found, (0, 0), changed.side, price, size, True), changed.message, rank


def _ordered(parts: list[Part], venue_ns: Integers, received_ns: Integers) -> Events:
    """All rows by message and rank; a message has one time, that of its end."""
    events = np.concatenate([part[0] for part in parts])
    message = np.concatenate([part[1] for part in parts])
    rank = np.concatenate([np.full(len(part[0]), part[2]) for part in parts])
    order = np.lexsort((rank, message))
    events, message = events[order], message[order]
    events["received_ns"] = received_ns[message]
    is_dated = np.isin(events["kind"], (Kind.BOOK, Kind.BOOK_CLEAR))  # a trade has its own time, a LINK has none
    events["venue_ns"][is_dated] = venue_ns[message[is_dated]]
    is_last = np.append(message[1:] != message[:-1], True)
    events["flags"] = np.where(is_dated & ~is_last, MORE, 0)
    return events
