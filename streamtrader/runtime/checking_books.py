"""A tape's books built again, all messages of all instruments of a chunk at once, and held against the best quotes.

No line is shared with the kernel's book: a level is an interval of rows, from the one that sets it to the next one of
the same price or to the end of the book; the best bid at a row is the highest of the intervals around it. A depth
message is whole when its last row came; then the newest quote that is not newer than the book, by update id, must be
its best bid and ask, in price and in size. Quotes may come earlier or later than the depth that holds the same
update, so a comparison waits until a later quote is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from streamtrader.events import BID, EVENT, MORE, BookState, Kind, TradingStatus
from streamtrader.runtime.checking_findings import Chunk, Findings, Mask, Numbers
from streamtrader.runtime.checking_groups import Groups, grouped

Floats = np.ndarray[Any, np.dtype[np.float64]]
MATCHING = (TradingStatus.TRADING, TradingStatus.UNKNOWN)
KEPT = 1 << 17  # quotes of an instrument before its first whole book, and books before its first quote
QUOTED = ("number", "received_ns", "a", "b", "c", "d", "id", "instrument")
# What is known of each book between two chunks.
STATE = np.dtype([("has_links", "?"), ("is_live", "?"), ("is_open", "?"), ("snapshot", "i8"), ("update", "i8")])
UNTOLD = (False, True, True, -1, -1)


@dataclass(slots=True)
class Agreement:
    """How often the rebuilt book and the venue's own best quote say the same."""

    compared: int = 0
    equal: int = 0


@dataclass(frozen=True, slots=True)
class Levels:
    """What stands in the books between two chunks; `book` is the place of the instrument in `BooksCheck`."""

    book: Numbers
    side: Numbers
    price: Floats
    size: Floats

    def __getitem__(self, part: Mask) -> Levels:
        return Levels(self.book[part], self.side[part], self.price[part], self.size[part])

    @staticmethod
    def joined(*parts: Levels) -> Levels:
        names = Levels.__slots__
        return Levels(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True, slots=True)
class Bests:
    """Bid price and size, ask price and size at some rows; NaN where a side is empty. `update` is the newest id."""

    instrument: Numbers
    update: Numbers
    words: Floats  # 4 by number of rows

    def __getitem__(self, part: Mask | Numbers) -> Bests:
        return Bests(self.instrument[part], self.update[part], self.words[:, part])

    @staticmethod
    def joined(first: Bests, second: Bests) -> Bests:
        return Bests(
            np.concatenate((first.instrument, second.instrument)),
            np.concatenate((first.update, second.update)),
            np.concatenate((first.words, second.words), axis=1),
        )


class BooksCheck:
    """The books of a tape. Before its first LINK a book is taken for live: a data set may have none.

    While the venue says that it does not match orders (an auction, a halt) a book may cross.
    """

    def __init__(self) -> None:
        self.messages = 0
        self.agreement = Agreement()
        self._places: dict[int, int] = {}  # of each instrument in `_state`
        self._state = np.zeros(0, STATE)
        nothing = np.zeros(0, np.int64)
        self._levels = Levels(nothing, nothing, np.zeros(0), np.zeros(0))
        self._waiting = Bests(nothing, nothing, np.zeros((4, 0)))
        self._quotes = Chunk.of(np.zeros(0, EVENT), 0)

    def take_quotes(self, quotes: Chunk) -> None:
        """Quotes of a chunk, before its book rows."""
        self._quotes = Chunk.joined(self._quotes, quotes[quotes.id > 0], columns=QUOTED)

    def take(self, rows: Chunk, findings: Findings) -> None:
        """BOOK, BOOK_CLEAR, LINK and STATUS rows of a chunk, in order."""
        rows, groups = grouped(rows, rows.instrument)
        books = self._places_of(groups.keys)
        state = self._state[books]
        is_open = groups.held(rows.kind == Kind.STATUS, np.isin(rows.a, MATCHING), state["is_open"])
        state["is_open"] = is_open[groups.ends]
        row, at, update = _points(rows, groups, state)
        self._state[books] = state
        words = self._words(rows, groups, books, at)
        is_crossed = (words[0] >= words[2]) & is_open[at]
        findings.mark("book_crossed", is_crossed, rows[row])
        self.messages += len(at)
        bests = Bests(groups.keys[groups.of_row[row]], update, words)
        self._waiting = Bests.joined(self._waiting, bests)
        self._compare(findings, is_end=False)

    def _places_of(self, instruments: Numbers) -> Numbers:
        """Where their states are, those of new ones at the end."""
        known = self._places
        places = np.array([known.setdefault(each, len(known)) for each in instruments.tolist()], np.int64)
        if len(known) > len(self._state):
            more = np.full(len(known) - len(self._state), np.array(UNTOLD, STATE), STATE)
            self._state = np.concatenate((self._state, more))
        return places

    def _words(self, rows: Chunk, groups: Groups, books: Numbers, at: Numbers) -> Floats:
        """The best levels at the places `at`, which rise."""
        group_of_book = np.full(len(self._state), -1, np.int64)
        group_of_book[books] = np.arange(len(books))
        is_here = group_of_book[self._levels.book] >= 0
        kept, is_book = self._levels[is_here], rows.kind == Kind.BOOK
        group = np.concatenate((group_of_book[kept.book], groups.of_row[is_book]))
        side = np.concatenate((kept.side, rows.side[is_book]))
        price, size = np.concatenate((kept.price, rows.a[is_book])), np.concatenate((kept.size, rows.b[is_book]))
        start = np.concatenate((groups.heads[group[: len(kept.book)]], groups.after[is_book]))
        end = groups.ends[group] + 1
        order, stop = _stops(group, side, price, start, end, groups.after[rows.kind == Kind.BOOK_CLEAR])
        passed = np.bincount(at + 1, minlength=len(rows) + len(groups.keys) + 2).cumsum()  # of `at`, before each place
        first, last = passed[start], passed[stop]
        is_level = (size > 0.0) & np.isfinite(price)
        is_seen = is_level & (first < last)
        words = np.full((4, len(at)), np.nan)
        for number in (0, 1):
            own = order[(is_seen & ((side == BID) == (number == 0)))[order]]  # by price, within each book
            own = own if number == 0 else own[::-1]
            best = _highest(first[own], last[own], len(at))
            is_some = best >= 0
            words[2 * number, is_some] = price[own[best[is_some]]]
            words[2 * number + 1, is_some] = size[own[best[is_some]]]
        left = Levels(books[group], side.astype(np.int64), price, size)[is_level & (stop == end)]
        self._levels = Levels.joined(self._levels[~is_here], left)
        return words

    def _compare(self, findings: Findings, *, is_end: bool) -> None:
        """What the quotes seen so far can decide, each book by its own."""
        quotes, by_instrument = grouped(self._quotes, self._quotes.instrument)
        order = np.argsort(self._waiting.instrument, kind="stable")
        waiting = self._waiting[order]
        newest, update = _ranked(quotes.instrument, quotes.id, waiting.instrument, waiting.update)
        group = np.searchsorted(by_instrument.keys, waiting.instrument)
        has_quotes = np.isin(waiting.instrument, by_instrument.keys)
        group[~has_quotes] = 0
        is_ready = has_quotes.copy()
        if not is_end and len(quotes):
            is_ready &= update < newest[by_instrument.stops[group] - 1]
        ready, group = np.flatnonzero(is_ready), group[is_ready]
        ahead = np.searchsorted(newest, update[ready], side="right") - 1
        has_quote = ahead >= by_instrument.starts[group] if len(ready) else np.zeros(0, np.bool_)
        quote = ahead[has_quote]
        words = np.stack([getattr(quotes, name)[quote] for name in "abcd"])
        is_equal = (words == waiting.words[:, ready[has_quote]]).all(axis=0)
        self.agreement.compared += len(quote)
        self.agreement.equal += int(np.count_nonzero(is_equal))
        findings.mark("book_disagrees", ~is_equal, quotes[quote])
        done = by_instrument.starts.copy()
        np.maximum.at(done, group, ahead)  # the newest that was compared with may be so again
        quotes = quotes[np.arange(len(quotes)) >= done[by_instrument.of_row]]
        self._quotes = Chunk.joined(quotes[_newest(quotes.instrument)], columns=QUOTED)
        left = waiting[~is_ready]
        self._waiting = left[_newest(left.instrument)]

    def conclude(self, findings: Findings) -> None:
        self._compare(findings, is_end=True)


def _points(rows: Chunk, groups: Groups, state: np.ndarray[Any, Any]) -> tuple[Numbers, Numbers, Numbers]:
    """Where books are whole: the row behind which, its place, and the update that the book is whole up to.

    Behind a snapshot follow the messages that waited for it, all in one run of MORE: there a new update id says
    that the message before is whole. `state` is that of each group, and moves on.
    """
    before, after = groups.before, groups.after
    is_book, is_clear, is_link = (rows.kind == kind for kind in (Kind.BOOK, Kind.BOOK_CLEAR, Kind.LINK))
    has_links = groups.held(is_link, np.ones(len(rows), np.bool_), state["has_links"])
    is_set = is_link | (is_clear & has_links[after])
    is_live = groups.held(is_set, is_link & (rows.a == BookState.LIVE), state["is_live"])
    update = groups.held(is_book | is_clear, rows.id, state["update"])
    snapshot = groups.held(is_clear, rows.id, state["snapshot"])
    has_more = (rows.flags & MORE) != 0
    is_next = is_book & has_more & ~is_live[before] & (rows.id != update[before])
    is_next &= (update[before] > snapshot[before]) & (snapshot[before] >= 0)
    is_end = is_book & ~has_more & is_live[before]
    is_end |= is_link & (rows.a == BookState.LIVE) & (snapshot[after] >= 0)
    found = np.flatnonzero(is_next | is_end)
    at = before[found] + is_end[found]
    for name, held in (("has_links", has_links), ("is_live", is_live), ("update", update), ("snapshot", snapshot)):
        state[name] = held[groups.ends]
    row = np.maximum(found - ~is_end[found], groups.starts[groups.of_row[found]])
    return row, at, update[at]


def _stops(
    group: Numbers, side: Numbers, price: Floats, start: Numbers, end: Numbers, clears: Numbers
) -> tuple[Numbers, Numbers]:
    """The levels by book and price, and where each ends: at the next row of its price, of its book, or never (`end`)."""
    # Of prices above 0 the bits order as they do.
    key = price.view(np.uint64) << np.uint64(1) | side.astype(np.uint64)
    is_one = not len(group) or group[0] == group.max() == group.min()
    order = np.argsort(key, kind="stable") if is_one else np.lexsort((key, group))
    same = (np.diff(key[order]) == 0) & (np.diff(group[order]) == 0)
    stop = end.copy()
    stop[order[:-1][same]] = start[order[1:][same]]
    if len(clears):
        following = np.append(clears, np.iinfo(np.int64).max)[np.searchsorted(clears, start, side="right")]
        stop = np.minimum(stop, following)
    return order, stop


def _highest(first: Numbers, last: Numbers, count: int) -> Numbers:
    """For each of `count` places the highest number of the intervals [first, last) around it, -1 where there is none.

    A tree of maxima: each interval is noted at the fewest nodes that cover it, all intervals one layer at a time.
    """
    size = 1 << max(count - 1, 1).bit_length()
    tree = np.full(2 * size, -1, np.int64)
    number = np.arange(len(first), dtype=np.int64)
    low, high = first + size, last + size
    while len(number):
        odd = (low & 1) == 1
        np.maximum.at(tree, low[odd], number[odd])
        low = (low + odd) >> 1
        odd = (high & 1) == 1
        np.maximum.at(tree, high[odd] - 1, number[odd])
        high = high >> 1
        is_open = low < high
        number, low, high = number[is_open], low[is_open], high[is_open]
    for layer in range(1, size.bit_length()):
        nodes = slice(1 << layer, 2 << layer)
        np.maximum(tree[nodes], np.repeat(tree[1 << (layer - 1) : 1 << layer], 2), out=tree[nodes])
    return tree[size : size + count]


def _newest(instruments: np.ndarray[Any, Any]) -> Mask:
    """Which of grouped rows are among the last of their instrument."""
    groups = Groups(instruments)
    is_new: Mask = groups.stops[groups.of_row] - np.arange(len(instruments)) <= KEPT
    return is_new


def _ranked(
    quoted: np.ndarray[Any, Any], ids: Numbers, waiting: Numbers, updates: Numbers
) -> tuple[Numbers, Numbers]:
    """The newest id up to each quote and each book, as numbers that rise over all instruments; both are grouped."""
    known, rank = np.unique(np.concatenate((ids, updates)), return_inverse=True)
    _, owner = np.unique(np.concatenate((quoted.astype(np.int64), waiting)), return_inverse=True)
    key = owner * (len(known) + 1) + rank
    return np.maximum.accumulate(key[: len(ids)]), np.maximum.accumulate(key[len(ids) :])
