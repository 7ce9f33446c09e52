"""What a tape is worth: plays it through a book of plain dictionaries and holds that against the venue's quotes.

The book here is the slow twin of the kernel's: it shares no line with it. A depth message is whole when its last row
came; then the newest quote that is not newer than the book, by update id, must be its best bid and ask, in price and
in size. Quotes may come earlier or later than the depth that holds the same update, so the compare looks ahead.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from streamtrader.events import BID, MORE, BookState, Kind
from streamtrader.storage.tape import Tape

NUMBERED = (Kind.TRADE, Kind.QUOTE, Kind.BOOK)
Events = np.ndarray[Any, np.dtype[Any]]
Best = tuple[float, float, float, float]  # bid price and size, ask price and size; NaN where a side is empty


@dataclass(slots=True)
class Agreement:
    """How often the rebuilt book and the venue's own best quote say the same."""

    compared: int = 0
    equal: int = 0


@dataclass(slots=True)
class CheckResult:
    """The quality of one tape, in counts."""

    events: dict[str, int] = field(default_factory=dict)
    instruments: list[str] = field(default_factory=list)
    first_ns: int = 0
    last_ns: int = 0
    book_messages: int = 0
    gaps: int = 0
    crossed: int = 0
    trades: int = 0
    trade_id_gaps: int = 0
    trade_ids_repeated: int = 0
    quotes_repeated: int = 0  # the same update again
    out_of_order: int = 0  # received earlier than the event before
    not_a_number: int = 0
    clock_skew_ms: float = 0.0  # median of received minus venue
    longest_silence_ms: float = 0.0
    best_quote_agreement: Agreement = field(default_factory=Agreement)

    @property
    def is_clean(self) -> bool:
        """Nothing that a replay should know of before it trusts the tape."""
        return not (self.gaps or self.crossed or self.trade_id_gaps or self.out_of_order or self.not_a_number)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"is_clean": self.is_clean}


class PlainBook:
    """One L2 book in two dictionaries; heaps find the best price, and forget lazily."""

    def __init__(self) -> None:
        self.sizes: tuple[dict[float, float], dict[float, float]] = ({}, {})
        self.heaps: tuple[list[float], list[float]] = ([], [])
        self.is_live = False

    def clear(self) -> None:
        for side in (0, 1):
            self.sizes[side].clear()
            self.heaps[side].clear()

    def set_level(self, side: int, price: float, size: float) -> None:
        if size == 0.0:
            self.sizes[side].pop(price, None)
            return
        if price not in self.sizes[side]:
            heapq.heappush(self.heaps[side], -price if side == BID else price)
        self.sizes[side][price] = size

    def best(self) -> Best:
        bid, ask = self._best(0), self._best(1)
        return bid, self.sizes[0].get(bid, math.nan), ask, self.sizes[1].get(ask, math.nan)

    def _best(self, side: int) -> float:
        heap, sizes = self.heaps[side], self.sizes[side]
        while heap and abs(heap[0]) not in sizes:
            heapq.heappop(heap)
        return abs(heap[0]) if heap else math.nan


class _Feed:
    """The book of one instrument, its states after whole messages, and its quotes."""

    def __init__(self) -> None:
        self.book = PlainBook()
        self.snapshot = -1  # update of the last snapshot
        self.update = -1  # update of the last row
        self.states: list[tuple[int, Best]] = []
        self.quotes: list[Events] = []

    def play(self, events: Events, result: CheckResult) -> None:
        """Rows of BOOK, BOOK_CLEAR and LINK, in order.

        Behind a snapshot follow the messages that waited for it, all in one run of MORE: there a new update id
        says that the message before is whole.
        """
        fields = (events[name].tolist() for name in ("kind", "side", "flags", "a", "b", "id"))
        for kind, side, flags, price, size, update in zip(*fields, strict=True):
            if kind == Kind.BOOK:
                if flags & MORE and update != self.update > self.snapshot >= 0 and not self.book.is_live:
                    self._note(result)
                self.update = update
                self.book.set_level(side, price, size)
                if not flags & MORE and self.book.is_live:
                    self._note(result)
            elif kind == Kind.BOOK_CLEAR:
                self.book.clear()
                self.snapshot = self.update = update
                self.book.is_live = False
            else:
                self.book.is_live = price == BookState.LIVE
                result.gaps += price == BookState.GAP
                if self.book.is_live and self.snapshot >= 0:
                    self._note(result)

    def _note(self, result: CheckResult) -> None:
        best = self.book.best()
        result.book_messages += 1
        result.crossed += best[0] >= best[2]
        self.states.append((self.update, best))

    def compare(self, agreement: Agreement) -> None:
        if not self.quotes or not self.states:
            return
        quotes = np.concatenate(self.quotes)
        ids = quotes["id"].tolist()
        bests = list(zip(*(quotes[name].tolist() for name in "abcd"), strict=True))
        ahead = 0
        for update, best in self.states:
            while ahead < len(ids) and ids[ahead] <= update:
                ahead += 1
            if ahead:
                agreement.compared += 1
                agreement.equal += bests[ahead - 1] == best


def check_tape(path: Path | str) -> CheckResult:
    """Check a tape's own sums first, then its content."""
    tape = Tape.open(path)
    tape.verify()
    result = check_events(tape.events())
    result.instruments = [instrument.symbol for instrument in tape.instruments]
    return result


def check_events(batches: Iterable[Events]) -> CheckResult:
    """The same over any batches of events, in order."""
    result, feeds, trade_ids, skews = CheckResult(), dict[int, _Feed](), dict[int, int](), list[Events]()
    counts = np.zeros(256, np.int64)
    for events in batches:
        if not len(events):
            continue
        counts += np.bincount(events["kind"], minlength=256)
        _check_clocks(events, result, skews)
        numbered = events[np.isin(events["kind"], NUMBERED)]
        words = np.stack([numbered[name] for name in "abcd"])
        result.not_a_number += int(np.count_nonzero(~np.isfinite(words)))
        for instrument in np.unique(events["instrument"]).tolist():
            own = events[events["instrument"] == instrument]
            feed = feeds.setdefault(instrument, _Feed())
            feed.quotes.append(own[own["kind"] == Kind.QUOTE])
            feed.play(own[np.isin(own["kind"], (Kind.BOOK, Kind.BOOK_CLEAR, Kind.LINK))], result)
            _check_trades(own[own["kind"] == Kind.TRADE], instrument, trade_ids, result)
    for feed in feeds.values():
        feed.compare(result.best_quote_agreement)
        updates = [quotes["id"] for quotes in feed.quotes]
        result.quotes_repeated += int(np.count_nonzero(np.diff(np.concatenate(updates)) == 0)) if updates else 0
    result.events = {kind.name.lower(): int(counts[kind]) for kind in Kind if counts[kind]}
    result.trades = result.events.get("trade", 0)
    if skews:
        result.clock_skew_ms = float(np.median(np.concatenate(skews))) / 1e6
    return result


def _check_clocks(events: Events, result: CheckResult, skews: list[Events]) -> None:
    received = events["received_ns"]
    if not result.first_ns:
        result.first_ns = result.last_ns = int(received[0])
    steps = np.diff(received, prepend=result.last_ns)
    result.out_of_order += int(np.count_nonzero(steps < 0))
    result.longest_silence_ms = max(result.longest_silence_ms, float(steps.max()) / 1e6)
    result.last_ns = int(received[-1])
    dated = events[(events["venue_ns"] > 0) & (events["kind"] == Kind.TRADE)]
    skews.append(dated["received_ns"] - dated["venue_ns"])


def _check_trades(trades: Events, instrument: int, last: dict[int, int], result: CheckResult) -> None:
    if not len(trades):
        return
    steps = np.diff(trades["id"], prepend=last.get(instrument, int(trades["id"][0]) - 1))
    result.trade_id_gaps += int(np.count_nonzero(steps > 1))
    result.trade_ids_repeated += int(np.count_nonzero(steps < 1))
    last[instrument] = int(trades["id"][-1])
