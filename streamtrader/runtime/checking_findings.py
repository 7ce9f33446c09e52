"""What can be wrong with a tape, how bad it is, and where it was first seen.

A fault makes a tape a wrong witness: a replay of it decides on things that never were, or misses some that were. A
warning is what real markets and real clocks also do; somebody should look before they trust the tape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamtrader.events import Kind

FAULT, WARNING = "fault", "warning"
Events = np.ndarray[Any, np.dtype[Any]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]

CHECKS: dict[str, tuple[str, str]] = {
    "not_a_number": (FAULT, "a word is NaN or infinite"),
    "impossible_value": (FAULT, "a price not above 0, a negative size, more than anybody can mean or ticks and lots can count, or no time"),
    "candle_inconsistent": (FAULT, "its low above its high, or its open or close outside of them"),
    "received_disorder": (FAULT, "received before the event in front of it"),
    "book_gap": (FAULT, "the sequence of a book broke"),
    "book_crossed": (FAULT, "the book rebuilt from depth has its bid at or above its ask while it is live"),
    "quote_crossed": (FAULT, "a quote with its bid above its ask"),
    "trade_repeated": (FAULT, "the id of an earlier trade again"),
    "trade_id_gap": (FAULT, "ids are left out where ids otherwise count one by one"),
    "candle_repeated": (FAULT, "the same candle again"),
    "trade_late": (WARNING, "a trade with a lower id than one before it"),
    "venue_disorder": (WARNING, "the venue's clock goes back within one kind of one instrument"),
    "negative_latency": (WARNING, "received before the venue sent it: the two clocks disagree"),
    "clock_drift": (WARNING, "the two clocks run apart"),
    "silence": (WARNING, "nothing for longer than 10 s and than 100 times the stream's usual interval"),
    "book_stale": (WARNING, "a book went stale and there is more of it later"),
    "book_not_live": (WARNING, "a book was not live at the end"),
    "book_disagrees": (WARNING, "the rebuilt book differs from the venue's best quote of the same update"),
    "quote_locked": (WARNING, "a quote with its bid at its ask"),
    "quote_repeated": (WARNING, "a quote with the update id of the one before it"),
    "price_outlier": (WARNING, "a price far from the 50 before and after it"),
    "candle_missing": (WARNING, "a hole between two candles of an instrument"),
    "unknown_kind": (WARNING, "a kind of event that this version does not know"),
    "torn_tail": (WARNING, "the tape ends with an unfinished block, which is not read"),
}


@dataclass(slots=True)
class Finding:
    """How often something was seen, and first where; `event` is the number on the tape, -1 where there is none."""

    check: str
    severity: str
    count: int
    event: int
    at_ns: int
    instrument: str
    meaning: str
    detail: str = ""


class Findings:
    """Collects what is found, by check."""

    def __init__(self) -> None:
        self._found: dict[str, Finding] = {}
        self._instruments: dict[str, int] = {}

    def add(self, check: str, count: int, *, event: int = -1, at_ns: int = 0, instrument: int = -1) -> None:
        """The place counts where it is earlier than the one known."""
        if count <= 0:
            return
        severity, meaning = CHECKS[check]
        found = self._found.setdefault(check, Finding(check, severity, 0, event, at_ns, "", meaning))
        if found.count == 0 or 0 <= event < found.event:
            found.event, found.at_ns = event, at_ns
            self._instruments[check] = instrument
        found.count += count

    def explain(self, check: str, detail: str) -> None:
        """Say more about what was found, if it was."""
        if check in self._found:
            self._found[check].detail = detail

    def mark(self, check: str, is_found: Mask, chunk: Chunk) -> None:
        """Every row of a chunk that is so."""
        count = int(np.count_nonzero(is_found))
        if count:
            found = np.flatnonzero(is_found)
            row = int(found[np.argmin(chunk.number[found])])  # rows may be sorted by instrument
            self.add(
                check, count, event=int(chunk.number[row]), at_ns=int(chunk.received_ns[row]),
                instrument=int(chunk.instrument[row]),
            )  # fmt: skip

    def count(self, check: str) -> int:
        return self._found[check].count if check in self._found else 0

    def listed(self, symbols: list[str]) -> list[Finding]:
        """Faults first, each group in the order of `CHECKS`."""
        for check, found in self._found.items():
            instrument = self._instruments[check]
            found.instrument = symbols[instrument] if 0 <= instrument < len(symbols) else ""
        order = list(CHECKS)
        return sorted(self._found.values(), key=lambda each: (each.severity != FAULT, order.index(each.check)))


class Chunk:
    """Some events, field by field: a column by itself is read eight times as fast as out of 64-byte rows.

    Rows of a chunk are a chunk; a column of theirs is gathered when it is first looked at.
    """

    COLUMNS = ("number", "venue_ns", "received_ns", "a", "b", "c", "d", "id", "instrument", "kind", "side", "flags")
    number: Numbers  # of each event on the tape
    venue_ns: Numbers
    received_ns: Numbers
    a: np.ndarray[Any, np.dtype[np.float64]]
    b: np.ndarray[Any, np.dtype[np.float64]]
    c: np.ndarray[Any, np.dtype[np.float64]]
    d: np.ndarray[Any, np.dtype[np.float64]]
    id: Numbers
    instrument: np.ndarray[Any, np.dtype[np.uint32]]
    kind: np.ndarray[Any, np.dtype[np.uint8]]
    side: np.ndarray[Any, np.dtype[np.uint8]]
    flags: np.ndarray[Any, np.dtype[np.uint16]]

    def __init__(self, size: int, column: Callable[[str], np.ndarray[Any, Any]]) -> None:
        self._size = size
        self._column = column

    @classmethod
    def of(cls, events: Events, first: int) -> Chunk:
        def column(name: str) -> np.ndarray[Any, Any]:
            if name == "number":
                return np.arange(first, first + len(events), dtype=np.int64)
            return np.ascontiguousarray(events[name])

        return cls(len(events), column)

    @classmethod
    def joined(cls, *parts: Chunk, columns: Sequence[str] = COLUMNS) -> Chunk:
        """A chunk of its own, of some columns: what is remembered must not keep the chunk alive that it is from."""
        found = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
        return cls(sum(map(len, parts)), found.__getitem__)

    def __getattr__(self, name: str) -> np.ndarray[Any, Any]:
        if name not in self.COLUMNS:
            raise AttributeError(name)
        values = self._column(name)
        setattr(self, name, values)
        return values

    def __len__(self) -> int:
        return self._size

    def is_of(self, kinds: Sequence[Kind]) -> Mask:
        """Which rows are of one of these kinds."""
        is_one = np.zeros(256, np.bool_)
        is_one[list(kinds)] = True
        found: Mask = is_one[self.kind]
        return found

    def __getitem__(self, rows: slice | Mask | Numbers) -> Chunk:
        if isinstance(rows, slice):
            size = len(range(*rows.indices(self._size)))
        else:
            rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
            size = len(rows)
        return Chunk(size, lambda name: getattr(self, name)[rows])
