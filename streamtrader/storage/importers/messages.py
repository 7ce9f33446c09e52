"""Rows of a book as the messages that they were: kept together, begun by a mark where a snapshot begins, ended.

Files hold rows, and cut into pieces they would be read differently at the seams. So rows of one moment are first
brought together, then the messages are made. What is not a row of the tape yet (`SNAPSHOT`) is noted in `flags`.

The state of a book from a file: SYNCING from its first row until a snapshot came, LIVE after it. A book without any
snapshot is never LIVE, and no strategy may decide on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from streamtrader.events import MORE, BookState, Kind
from streamtrader.storage.importers import rows
from streamtrader.storage.importers.digits import Flags, Floats, Integers
from streamtrader.storage.importers.markets import Found, Intake
from streamtrader.storage.importers.merging import in_order, whole_moments
from streamtrader.storage.importers.rows import Events

SNAPSHOT = 1 << 15  # in `flags`, until the messages are made


def book_messages(parts: Iterable[Events], found: Mapping[int, Found], intake: Intake) -> Iterator[Events]:
    """Messages of one moment and one instrument each; `found` by index. Rows of a snapshot carry `SNAPSHOT`."""
    for events in whole_moments(parts):
        indices = np.unique(events["instrument"]).tolist()
        if len(indices) == 1:
            yield _messages(events, found[indices[0]], intake)
        else:
            own = [_messages(events[events["instrument"] == index], found[index], intake) for index in indices]
            yield in_order(own)


def _messages(events: Events, found: Found, intake: Intake) -> Events:
    is_snapshot = events["flags"] & SNAPSHOT != 0
    follows = np.zeros(len(events), bool)  # rows that belong to the message of the row before
    follows[1:] = (events["received_ns"][1:] == events["received_ns"][:-1]) & (is_snapshot[1:] == is_snapshot[:-1])
    begins = is_snapshot & ~np.append(found.in_snapshot, is_snapshot[:-1])
    found.in_snapshot = bool(is_snapshot[-1])
    events["flags"] = np.where(np.append(follows[1:], False), MORE, 0)
    if found.has_book and not begins.any():
        return events
    return _with_marks(events, begins, follows, found, intake)


def _with_marks(events: Events, begins: Flags, follows: Flags, found: Found, intake: Intake) -> Events:
    """Put SYNCING before the first row of all, and around each snapshot that it is one."""
    marks: list[tuple[int, Events]] = []
    if not found.has_book:
        found.has_book = True
        marks.append((0, rows.linked(found, int(events["received_ns"][0]), BookState.SYNCING)))
    for start in np.flatnonzero(begins).tolist():
        ends = np.flatnonzero(~follows[start + 1 :])
        stop = start + 1 + int(ends[0]) if len(ends) else len(events)
        clocks = int(events["venue_ns"][start]), int(events["received_ns"][start])
        update = int(events["id"][stop - 1])
        marks.append((start, rows.forgotten(found, *clocks, update)))
        marks.append((stop, rows.linked(found, clocks[1], BookState.LIVE, update)))
        events["flags"][stop - 1] = MORE
        intake.snapshots += 1
    parts, done = [], 0
    for at, mark in marks:
        parts += [events[done:at], mark]
        done = at
    return np.concatenate([*parts, events[done:]])


class TopLevels:
    """The changes from each picture of the best levels to the next: what else a level-by-level feed would have sent.

    A level that fell out of the picture is removed: how much still stands there is not known.
    """

    def __init__(self) -> None:
        self._last: list[tuple[Floats, Floats] | None] = [None, None]

    def changes(self, side: int, prices: Floats, sizes: Floats) -> tuple[Integers, Floats, Floats]:
        """Row, price and size of each change, by row; arrays of (rows, levels), NaN or size 0 where there is none."""
        last = self._last[side]
        self._last[side] = prices[-1:], sizes[-1:]
        if last is None:
            last = np.full((1, prices.shape[1]), np.nan), np.zeros((1, prices.shape[1]))
        prices, sizes = np.concatenate((last[0], prices)), np.concatenate((last[1], sizes))
        row = np.repeat(np.arange(len(prices)), prices.shape[1])
        price, size = prices.reshape(-1), sizes.reshape(-1)
        is_level = (price > 0.0) & (size > 0.0)
        row, price, size = row[is_level], price[is_level], size[is_level]
        order = np.lexsort((row, price))
        row, price, size = row[order], price[order], size[order]
        goes_on = np.zeros(len(row), bool)  # the row before had this price too
        goes_on[1:] = (price[1:] == price[:-1]) & (row[1:] == row[:-1] + 1)
        is_equal = np.zeros(len(row), bool)
        is_equal[1:] = goes_on[1:] & (size[1:] == size[:-1])
        is_set = ~is_equal & (row > 0)
        is_gone = ~np.append(goes_on[1:], False) & (row + 1 < len(prices))
        changed = np.concatenate((row[is_gone] + 1, row[is_set])) - 1
        at = np.argsort(changed, kind="stable")
        all_prices = np.concatenate((price[is_gone], price[is_set]))
        all_sizes = np.concatenate((np.zeros(int(is_gone.sum())), size[is_set]))
        return changed[at], all_prices[at], all_sizes[at]


def as_pictures(found: Found, row: Integers, events: Events, intake: Intake) -> Events:
    """Changes from picture to picture as messages, one for each `row`; the first picture of all is a snapshot."""
    is_last = np.append(row[1:] != row[:-1], True)[: len(row)]
    events["flags"] = np.where(is_last, 0, MORE)
    if found.has_book or not len(events):
        return events
    found.has_book = True
    intake.snapshots += 1
    stop = int(is_last.argmax()) + 1
    events["flags"][:stop] = MORE
    clocks = int(events["venue_ns"][0]), int(events["received_ns"][0])
    before = rows.linked(found, clocks[1], BookState.SYNCING), rows.forgotten(found, *clocks)
    return np.concatenate((*before, events[:stop], rows.linked(found, clocks[1], BookState.LIVE), events[stop:]))


def in_snapshot(own: Events) -> Flags:
    """Rows of messages that begin with a clear."""
    begins = np.append(True, own["flags"][:-1] & MORE == 0)
    message = np.cumsum(begins) - 1
    cleared = np.zeros(message[-1] + 1, bool) if len(message) else np.zeros(0, bool)
    cleared[message[own["kind"] == Kind.BOOK_CLEAR]] = True
    own_message: Flags = cleared[message]
    return own_message
