"""What a single event can have wrong with it: values that cannot be, quotes and candles at odds with themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamtrader.events import BookState, Kind
from streamtrader.instruments import Most
from streamtrader.runtime.checking_findings import Chunk, Findings, Mask
from streamtrader.runtime.checking_groups import Groups, grouped
from streamtrader.units import ABSURD_PRICE, ABSURD_SIZE, ABSURD_VOLUME

TRADED = (Kind.TRADE, Kind.LIQUIDATION)
COUNTED = (Kind.TRADE, Kind.QUOTE, Kind.BOOK)  # what becomes ticks and lots
RATE_MOST = 1.0  # a funding rate is a fraction of the position; the whole of it in one interval is no rate
_KNOWN = np.zeros(256, np.bool_)
_KNOWN[[int(kind) for kind in Kind]] = True


def check_values(chunk: Chunk, findings: Findings, most: Sequence[Most] = ()) -> None:
    """NaN and what cannot be, in every kind. `most` is what the ticks and lots of each instrument can count."""
    is_finite = np.isfinite(chunk.a) & np.isfinite(chunk.b) & np.isfinite(chunk.c) & np.isfinite(chunk.d)
    candles = chunk.kind == Kind.CANDLE
    if candles.any():
        is_finite &= ~candles | np.isfinite(chunk.id.view(np.float64))
    findings.mark("not_a_number", ~is_finite, chunk)
    findings.mark("unknown_kind", ~_KNOWN[chunk.kind], chunk)
    is_wrong = (chunk.received_ns <= 0) | (chunk.venue_ns < 0)
    traded, book = chunk.is_of(TRADED), chunk.kind == Kind.BOOK
    corrected, marked = chunk.kind == Kind.CORRECTION, chunk.kind == Kind.MARK
    is_no_price = ~_is_within(chunk.a, ABSURD_PRICE) | (chunk.a == 0.0)
    is_no_size = ~_is_within(chunk.b, ABSURD_SIZE)
    is_wrong |= (traded | book) & (is_no_price | is_no_size)
    is_wrong |= traded & (chunk.b == 0.0)
    is_wrong |= corrected & (is_no_size | ((chunk.b > 0.0) & is_no_price))
    if marked.any():
        is_no_index = ~_is_within(chunk.b, ABSURD_PRICE)
        is_wrong |= marked & (is_no_price | is_no_index | (np.abs(chunk.c) > RATE_MOST))
    if most:
        is_wrong |= _is_uncountable(chunk, most)
    findings.mark("impossible_value", is_wrong & is_finite, chunk)


def _is_uncountable(chunk: Chunk, most: Sequence[Most]) -> Mask:
    """Prices and sizes that would not fit the integers of the engine."""
    is_counted = chunk.is_of(COUNTED)
    is_quote = chunk.kind == Kind.QUOTE
    price = np.where(is_quote, np.fmax(chunk.a, chunk.c), chunk.a)
    size = np.where(is_quote, np.fmax(chunk.b, chunk.d), chunk.b)
    limits = np.array(most)
    if not np.any(is_counted & ((price > limits[:, 0].min()) | (size > limits[:, 1].min()))):
        return np.zeros(len(chunk), np.bool_)  # as nearly always
    own = limits[np.minimum(chunk.instrument, len(limits) - 1)]
    is_beyond: Mask = is_counted & ((price > own[:, 0]) | (size > own[:, 1]))
    return is_beyond


def check_quotes(quotes: Chunk, findings: Findings) -> None:
    """A side that is empty has neither price nor size."""
    is_wrong = np.zeros(len(quotes), np.bool_)
    is_whole = np.ones(len(quotes), np.bool_)
    for price, size in ((quotes.a, quotes.b), (quotes.c, quotes.d)):
        is_wrong |= np.isfinite(price) & np.isfinite(size) & ~(_is_within(price, ABSURD_PRICE) & _is_within(size, ABSURD_SIZE))
        is_wrong |= (price == 0.0) & (size > 0.0)
        is_whole &= (price > 0.0) & (size > 0.0)
    findings.mark("impossible_value", is_wrong, quotes)
    findings.mark("quote_crossed", is_whole & (quotes.a > quotes.c), quotes)
    findings.mark("quote_locked", is_whole & (quotes.a == quotes.c), quotes)


def check_candles(candles: Chunk, findings: Findings) -> None:
    volume = candles.id.view(np.float64)
    is_wrong = (volume < 0.0) | (volume > ABSURD_VOLUME)
    for price in (candles.a, candles.b, candles.c, candles.d):
        is_wrong |= np.isfinite(price) & (~_is_within(price, ABSURD_PRICE) | (price == 0.0))
    findings.mark("impossible_value", is_wrong, candles)
    low, high = candles.c, candles.b
    is_odd = low > high
    for price in (candles.a, candles.d):
        is_odd |= (price < low) | (price > high)
    findings.mark("candle_inconsistent", is_odd & ~is_wrong, candles)


class LinkCheck:
    """The states that the books of a tape went through."""

    def __init__(self) -> None:
        self._stale: dict[int, Chunk] = {}  # LINK rows that told of a stale book, until there is more of it
        self._last: dict[int, Chunk] = {}

    def take(self, rows: Chunk, findings: Findings) -> None:
        """BOOK, BOOK_CLEAR, LINK and STATUS rows of all instruments."""
        for instrument in self._stale.keys() & set(np.unique(rows.instrument).tolist()) if self._stale else ():
            findings.mark("book_stale", np.ones(1, np.bool_), self._stale.pop(instrument))
        if not (rows.kind == Kind.LINK).any():
            return
        rows, groups = grouped(rows, rows.instrument)
        is_link = rows.kind == Kind.LINK
        findings.mark("book_gap", is_link & (rows.a == BookState.GAP), rows)
        findings.mark("book_crossed", is_link & (rows.a == BookState.CROSSED), rows)
        is_stale = is_link & (rows.a == BookState.STALE)
        for row in (groups.stops - 1)[is_stale[groups.stops - 1]].tolist():  # the market ended, unless more comes
            self._stale[int(rows.instrument[row])] = Chunk.joined(rows[row : row + 1])
            is_stale[row] = False
        findings.mark("book_stale", is_stale, rows)
        links = rows[is_link]
        for row in (Groups(links.instrument.astype(np.int64)).stops - 1).tolist():
            self._last[int(links.instrument[row])] = Chunk.joined(links[row : row + 1])

    def conclude(self, findings: Findings) -> None:
        for links in self._last.values():
            is_open = np.isin(links.a, (BookState.SYNCING, BookState.GAP, BookState.CROSSED))
            findings.mark("book_not_live", is_open, links)


def _is_within(values: np.ndarray[tuple[int], np.dtype[np.float64]], most: float) -> Mask:
    return (values >= 0.0) & (values <= most)
