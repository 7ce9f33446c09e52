"""A tape's books built again, all messages of a chunk at once, and held against the venue's own best quotes.

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

Floats = np.ndarray[Any, np.dtype[np.float64]]
MATCHING = (TradingStatus.TRADING, TradingStatus.UNKNOWN)
KEPT = 1 << 17  # quotes before the first whole book, and books before the first quote


@dataclass(slots=True)
class Agreement:
    """How often the rebuilt book and the venue's own best quote say the same."""

    compared: int = 0
    equal: int = 0


@dataclass(frozen=True, slots=True)
class Bests:
    """Bid price and size, ask price and size at some rows; NaN where a side is empty. `update` is the newest id."""

    row: Numbers
    update: Numbers
    words: Floats  # 4 by number of rows

    def __getitem__(self, part: slice) -> Bests:
        return Bests(self.row[part], self.update[part], self.words[:, part])

    @staticmethod
    def joined(first: Bests, second: Bests) -> Bests:
        return Bests(
            np.concatenate((first.row, second.row)),
            np.concatenate((first.update, second.update)),
            np.concatenate((first.words, second.words), axis=1),
        )


class BookCheck:
    """The book of one instrument. Before its first LINK it is taken for live: a data set may have none.

    While the venue says that it does not match orders (an auction, a halt) a book may cross.
    """

    def __init__(self) -> None:
        self.messages = 0
        self.agreement = Agreement()
        self._levels: tuple[Numbers, Floats, Floats] = (np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
        self._has_links = False
        self._is_live = True
        self._is_open = True
        self._snapshot = self._update = -1
        self._waiting = Bests(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((4, 0)))
        self._quotes = Chunk.of(np.zeros(0, EVENT), 0)

    def take_quotes(self, quotes: Chunk) -> None:
        """Quotes of a chunk, before its book rows."""
        self._quotes = Chunk.joined(self._quotes, quotes[quotes.id > 0])

    def take(self, rows: Chunk, findings: Findings) -> None:
        """BOOK, BOOK_CLEAR, LINK and STATUS rows of a chunk, in order."""
        is_open = _before(rows.kind == Kind.STATUS, np.isin(rows.a, MATCHING), self._is_open)
        self._is_open = bool(is_open[-1])
        at, update = self._points(rows)
        bests = self._bests(rows, at, update)
        is_crossed = (bests.words[0] >= bests.words[2]) & is_open[at]
        findings.mark("book_crossed", is_crossed, rows[np.maximum(at - 1, 0)])
        self.messages += len(at)
        self._waiting = Bests.joined(self._waiting, bests)
        self._compare(findings, is_end=False)

    def _points(self, rows: Chunk) -> tuple[Numbers, Numbers]:
        """After how many rows the book is whole, and the update it is whole up to.

        Behind a snapshot follow the messages that waited for it, all in one run of MORE: there a new update id says
        that the message before is whole.
        """
        count = len(rows)
        is_book, is_clear, is_link = (rows.kind == kind for kind in (Kind.BOOK, Kind.BOOK_CLEAR, Kind.LINK))
        is_linked = np.logical_or.accumulate(is_link) | self._has_links
        self._has_links = bool(is_linked[-1])
        is_live = _before(is_link | (is_clear & is_linked), is_link & (rows.a == BookState.LIVE), self._is_live)
        update = _before(is_book | is_clear, rows.id, self._update)
        snapshot = _before(is_clear, rows.id, self._snapshot)
        has_more = (rows.flags & MORE) != 0
        is_next = is_book & has_more & ~is_live[:-1] & (rows.id != update[:-1])
        is_next &= (update[:-1] > snapshot[:-1]) & (snapshot[:-1] >= 0)
        is_end = is_book & ~has_more & is_live[:-1]
        is_end |= is_link & (rows.a == BookState.LIVE) & (snapshot[1:] >= 0)
        found = np.flatnonzero(is_next | is_end)
        at = found + is_end[found]
        self._is_live, self._update, self._snapshot = bool(is_live[count]), int(update[count]), int(snapshot[count])
        return at, update[at]

    def _bests(self, rows: Chunk, at: Numbers, update: Numbers) -> Bests:
        """The best levels after the first `at` rows, for each of these."""
        sides, prices, sizes = self._levels
        is_book = rows.kind == Kind.BOOK
        kept, count = len(sides), len(rows)
        side = np.concatenate((sides, rows.side[is_book]))
        price, size = np.concatenate((prices, rows.a[is_book])), np.concatenate((sizes, rows.b[is_book]))
        start = np.concatenate((np.zeros(kept, np.int64), np.flatnonzero(is_book) + 1))
        stop = _stops(side, price, start, np.flatnonzero(rows.kind == Kind.BOOK_CLEAR) + 1, count)
        earlier = np.append(0, np.cumsum(np.bincount(at, minlength=count + 1)))  # how many of `at` are less
        first, last = earlier[start], earlier[stop]
        is_level = (size > 0.0) & np.isfinite(price)
        words = np.full((4, len(at)), np.nan)
        for number in (0, 1):
            own = np.flatnonzero(is_level & (first < last) & ((side == BID) == (number == 0)))
            own = own[np.argsort(price[own] if number == 0 else -price[own])]
            best = _highest(first[own], last[own], len(at))
            is_some = best >= 0
            words[2 * number, is_some] = price[own[best[is_some]]]
            words[2 * number + 1, is_some] = size[own[best[is_some]]]
        is_left = is_level & (stop > count)
        self._levels = side[is_left].astype(np.int64), price[is_left], size[is_left]
        return Bests(at, update, words)

    def _compare(self, findings: Findings, *, is_end: bool) -> None:
        """What the quotes seen so far can decide."""
        quotes, waiting = self._quotes, self._waiting
        if not len(quotes) or not len(waiting.row):
            self._quotes, self._waiting = quotes[-KEPT:], waiting[-KEPT:]
            return
        newest = np.maximum.accumulate(quotes.id)
        update = np.maximum.accumulate(waiting.update)
        ready = len(update) if is_end else int(np.searchsorted(update, newest[-1], side="left"))
        ahead = np.searchsorted(newest, update[:ready], side="right")
        has_quote = ahead > 0
        quote = ahead[has_quote] - 1
        words = np.stack([getattr(quotes, name)[quote] for name in "abcd"])
        is_equal = (words == waiting.words[:, :ready][:, has_quote]).all(axis=0)
        self.agreement.compared += len(quote)
        self.agreement.equal += int(np.count_nonzero(is_equal))
        findings.mark("book_disagrees", ~is_equal, quotes[quote])
        self._waiting = waiting[ready:]
        self._quotes = quotes[max(int(ahead[-1]) - 1, 0) if ready else 0 :]

    def conclude(self, findings: Findings) -> None:
        self._compare(findings, is_end=True)


def _before(is_set: Mask, values: np.ndarray[Any, Any], initial: Any) -> np.ndarray[Any, Any]:
    """The value in force before each row and, last, after all: that of the newest row that sets one."""
    held = np.concatenate((np.array([initial], values.dtype), values))
    at = np.concatenate(([0], np.where(is_set, np.arange(1, len(values) + 1), 0)))
    found: np.ndarray[Any, Any] = held[np.maximum.accumulate(at)]
    return found


def _stops(side: Numbers, price: Floats, start: Numbers, clears: Numbers, count: int) -> Numbers:
    """Where each level ends: at the next row of its price, at the next end of the book, or never (`count` + 1)."""
    key = price.view(np.uint64) << np.uint64(1) | side.astype(
        np.uint64
    )  # of prices above 0 the bits order as they do
    order = np.argsort(key, kind="stable")
    same = np.diff(key[order]) == 0
    stop = np.full(len(start), count + 1, np.int64)
    stop[order[:-1][same]] = start[order[1:][same]]
    if len(clears):
        following = np.append(clears, count + 1)[np.searchsorted(clears, start, side="right")]
        stop = np.minimum(stop, following)
    return stop


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
