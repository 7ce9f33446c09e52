"""Binance's dumps of futures depth: snapshots and updates in files of their own, brought into sequence.

    file            rows                                           becomes
    depth_snap      all levels of one `last_update_id`             a snapshot
    depth_update    levels of the updates `pu` (excluded) to       a message of the book
                    `last_update_id`

An update follows if its `pu` is the last update before it. The first one behind a snapshot may begin before the
snapshot; older ones are thrown away. Anything else is a GAP: what comes then is left out until the next snapshot.
Before the first snapshot the book is SYNCING and its rows are of no use to anybody, but they are kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from streamtrader.errors import MarketFileError
from streamtrader.events import ASK, BID, MORE, BookState
from streamtrader.storage.importers import rows
from streamtrader.storage.importers.clocks import Order, epoch_ns
from streamtrader.storage.importers.digits import EXACT_BELOW, Integers
from streamtrader.storage.importers.markets import Found, Intake
from streamtrader.storage.importers.opening import opened
from streamtrader.storage.importers.rows import Events
from streamtrader.storage.importers.table import Table

_LEVEL = ("symbol", "timestamp", "first_update_id", "last_update_id", "side", "update_type", "price", "qty")
DEPTH = (*_LEVEL, "pu")
# Older files name a transaction in place of `pu`: that nothing is missing between updates cannot be proved from them.
DEPTH_UNPROVED = (*_LEVEL[:2], "trans_id", *_LEVEL[2:])
UNITS = ("ms", "us")
SNAPSHOT, UPDATE = 1, 0
UNPROVED = -2  # in place of the previous update


class DepthFile(NamedTuple):
    """`columns` where its first row does not name them."""

    path: Path
    columns: tuple[str, ...] | None


class _Message(NamedTuple):
    received_ns: int
    is_update: bool  # a snapshot of one time comes before updates of the same time
    last: int
    previous: int
    rows: Events


def depth_stream(found: Found, files: Sequence[DepthFile], intake: Intake) -> Iterator[Events]:
    """The book of one symbol, whole messages in order."""
    order, book = Order(), _Book(found, intake)
    snapshots, updates = (
        [file for file in files if ("snap" in file.path.name.lower()) == is_snapshot] for is_snapshot in (True, False)
    )
    waiting = [_messages(group, found, intake) for group in (snapshots, updates) if group]
    heads = [(head, stream) for stream in waiting if (head := next(stream, None)) is not None]
    parts: list[Events] = []
    count = 0
    while heads:
        at = min(range(len(heads)), key=lambda at: heads[at][0][:2])
        message, stream = heads[at]
        if message.received_ns < order.last_ns:
            raise MarketFileError(f"{files[0].path.name}: depth messages are not in the order of their times.")
        order.last_ns = message.received_ns
        parts += book.take(message)
        count += len(message.rows)
        if count > 65_536:
            yield np.concatenate(parts)
            parts, count = [], 0
        following = next(stream, None)
        heads = [*heads[:at], *([(following, stream)] if following is not None else []), *heads[at + 1 :]]
    if parts:
        yield np.concatenate(parts)


class _Book:
    """Where one book stands in its sequence."""

    def __init__(self, found: Found, intake: Intake) -> None:
        self.found, self.intake = found, intake
        self.state = 0
        self.last = 0
        self.is_first = False

    def take(self, message: _Message) -> list[Events]:
        """What a message becomes."""
        parts: list[Events] = []
        if self.state == 0:
            self.found.has_book = True
            parts.append(self._become(BookState.SYNCING, message))
        if not message.is_update:
            return [*parts, *self._snapshot(message)]
        if self.state == BookState.SYNCING and self.last == 0:
            return [*parts, message.rows]
        if self.is_first and message.last <= self.last:
            self.intake.left_out["older than the snapshot"] += len(message.rows)
            return parts
        follows = message.previous in (self.last, UNPROVED) or (self.is_first and message.previous < self.last)
        if self.state == BookState.LIVE and follows:
            self.last, self.is_first = message.last, False
            return [*parts, message.rows]
        if self.state == BookState.LIVE:
            self.intake.gaps += 1
            parts += [self._become(BookState.GAP, message), self._become(BookState.SYNCING, message)]
        self.intake.left_out["behind a gap"] += len(message.rows)
        return parts

    def _snapshot(self, message: _Message) -> list[Events]:
        if message.last < self.last:
            self.intake.left_out["snapshot older than the book"] += len(message.rows)
            return []
        self.intake.snapshots += 1
        self.last, self.is_first = message.last, True
        message.rows["flags"] = MORE
        clocks = int(message.rows["venue_ns"][0]), message.received_ns
        return [
            rows.forgotten(self.found, *clocks, message.last),
            message.rows,
            self._become(BookState.LIVE, message),
        ]

    def _become(self, state: BookState, message: _Message) -> Events:
        self.state = state
        return rows.linked(self.found, message.received_ns, state, self.last)


def _messages(files: Sequence[DepthFile], found: Found, intake: Intake) -> Iterator[_Message]:
    """The rows of each update, whole also where a piece of the file ends in it."""
    held: tuple[Events, Integers] | None = None
    for file in sorted(files, key=lambda file: file.path.name):
        with opened(file.path) as content:
            for table in intake.pieces(content, file.columns):
                events, previous = _levels(found, table, intake)
                if held is not None:
                    events, previous = np.concatenate((held[0], events)), np.concatenate((held[1], previous))
                edges = np.flatnonzero(np.diff(events["id"], prepend=-1)).tolist()
                yield from _cut(events, previous, edges)
                held = events[edges[-1] :], previous[edges[-1] :]
    if held is not None:
        yield from _cut(*held, [0, len(held[0])])


def _cut(events: Events, previous: Integers, edges: Sequence[int]) -> Iterator[_Message]:
    for start, stop in itertools.pairwise(edges):
        own = events[start:stop]
        own["received_ns"] = own["received_ns"].max()  # a message comes at one time
        own["flags"] = MORE
        own["flags"][-1] = 0
        is_update = bool(own["c"][0] == UPDATE)
        own["c"] = 0.0
        yield _Message(int(own["received_ns"][0]), is_update, int(own["id"][0]), int(previous[start]), own)


def _levels(found: Found, table: Table, intake: Intake) -> tuple[Events, Integers]:
    time_ns = epoch_ns(table, "timestamp", UNITS)
    price, size = table.prices("price"), table.sizes("qty")
    found.note(table, ("price",), ("qty",))
    side = table.codes("side", {"b": BID, "a": ASK})
    events = rows.levels(found, (time_ns, time_ns), side, price, size, True)
    events["id"] = table.integers("last_update_id")
    events["c"] = table.codes("update_type", {"snap": SNAPSHOT, "set": UPDATE, "delete": UPDATE})
    if "pu" in table:
        previous = table.numbers("pu")  # -1 in a snapshot
        is_bad = np.abs(previous) >= EXACT_BELOW
        if is_bad.any():
            raise table.refused(int(is_bad.argmax()), "pu", "no number of an update")
        return events, previous.astype(np.int64)
    intake.notes["sequence"] = "not proved: the files name no previous update"
    return events, np.full(len(table), UNPROVED)
