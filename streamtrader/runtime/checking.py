"""What a tape is worth: everything that a replay should know of before it trusts it, chunk by chunk.

`checking_findings` lists what is looked for; the `checking_*` beside it look. Memory is that of a chunk, whatever the
tape's length, but for the ids of trades that do not count one by one (16 bytes each).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from streamtrader.errors import TapeCorrupt
from streamtrader.events import EVENT_BYTES, Kind
from streamtrader.instruments import Most, names_of
from streamtrader.runtime.checking_books import Agreement, BooksCheck
from streamtrader.runtime.checking_clocks import MARKET, LatencyCheck, ReceivedCheck, StreamCheck
from streamtrader.runtime.checking_findings import FAULT, Chunk, Events, Finding, Findings
from streamtrader.runtime.checking_groups import Groups, streams
from streamtrader.runtime.checking_ids import CandleRepetitionCheck, QuoteRepetitionCheck, TradeIdCheck
from streamtrader.runtime.checking_prices import OutlierCheck
from streamtrader.runtime.checking_values import LinkCheck, check_candles, check_quotes, check_values
from streamtrader.storage.recording import recorded_files, recording_faults
from streamtrader.storage.tape import Tape

CHUNK_EVENTS = 1 << 17
BOOK_KINDS = (Kind.BOOK, Kind.BOOK_CLEAR, Kind.LINK, Kind.STATUS)
PRICED = (Kind.TRADE, Kind.QUOTE)


@dataclass(slots=True)
class CheckResult:
    """The quality of one tape: what is in it, what was found, and the counts that most want to know."""

    tape: str = ""
    events: dict[str, int] = field(default_factory=dict)
    instruments: list[str] = field(default_factory=list)
    first_ns: int = 0
    last_ns: int = 0
    book_messages: int = 0
    gaps: int = 0
    crossed: int = 0
    trades: int = 0
    trade_id_gaps: int = 0
    trade_ids_missing: int = 0
    trade_ids_repeated: int = 0
    quotes_repeated: int = 0  # the same update again
    out_of_order: int = 0  # received earlier than the event before
    not_a_number: int = 0
    clock_skew_ms: float = 0.0  # median of received minus venue
    clock_drift_ppm: float = 0.0  # of the venue whose clock drifts most
    longest_silence_ms: float = 0.0
    best_quote_agreement: Agreement = field(default_factory=Agreement)
    findings: list[Finding] = field(default_factory=list)

    @property
    def faults(self) -> int:
        return sum(finding.severity == FAULT for finding in self.findings)

    @property
    def is_clean(self) -> bool:
        """No fault; warnings are for people."""
        return self.faults == 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {
            "is_clean": self.is_clean,
            "faults": self.faults,
            "warnings": len(self.findings) - self.faults,
        }


def check_tape(path: Path | str) -> CheckResult:
    """Check a tape's own sums first, then its content. A tape that is damaged is an error (`TapeCorrupt`).

    The folder of a recording is one tape; its segments must carry the sums of its manifest.
    """
    faults = recording_faults(path) if Path(path).is_dir() else []
    if faults:
        raise TapeCorrupt(f"{path}: {'; '.join(faults)}. Restore them from a copy.")
    tapes = [Tape.open(file) for file in recorded_files(path)]
    for tape in tapes:
        tape.verify()
    instruments = tapes[0].instruments  # a recording has one list of them
    venues, most = [each.venue for each in instruments], [each.most for each in instruments]
    check = TapeCheck(venues, names_of(instruments), most)
    for tape in tapes:
        for events in _chunks_of(tape):
            check.take(events)
    torn_bytes = sum(tape.torn_bytes for tape in tapes)
    if torn_bytes:
        last = tapes[-1]
        check.findings.add("torn_tail", 1, event=sum(tape.event_count for tape in tapes), at_ns=last.last_received_ns)
        check.findings.explain("torn_tail", f"{torn_bytes:,} bytes")
    result = check.conclude()
    result.tape = str(path)
    return result


def check_events(batches: Iterable[Events], venues: Sequence[str] = (), symbols: Sequence[str] = ()) -> CheckResult:
    """The same over any batches of whole messages, in order; instruments are named where their names are given."""
    check = TapeCheck(venues, symbols)
    for events in batches:
        check.take(events)
    return check.conclude()


def _chunks_of(tape: Tape) -> Iterator[Events]:
    """Blocks joined to about a million events: a live session's blocks have a few events each."""
    slots, ends = tape.slots, np.append(tape.starts[1:], len(tape.slots))
    start = 0
    while start < len(slots):
        block = int(np.searchsorted(ends, start + CHUNK_EVENTS))
        stop = int(ends[min(block, len(ends) - 1)])
        part = slots[start:stop]
        rows = part.view(f"V{EVENT_BYTES}").take(np.flatnonzero(part["kind"]))  # whole rows: field by field takes long
        yield rows.view(part.dtype)
        start = stop


class _Instrument:
    """What is remembered of one instrument from chunk to chunk."""

    def __init__(self, index: int) -> None:
        self.trade_ids = TradeIdCheck(index)
        self.candles = CandleRepetitionCheck()
        self.prices = {int(kind): OutlierCheck() for kind in PRICED}


class TapeCheck:
    """Takes the events of a tape in order, then says what it found."""

    def __init__(
        self, venues: Sequence[str] = (), symbols: Sequence[str] = (), most: Sequence[Most] = ()
    ) -> None:
        self.findings = Findings()
        self._most = most
        self._symbols = list(symbols)
        self._names = sorted(set(venues)) or [""]
        self._venue_of = np.array([self._names.index(venue) for venue in venues] or [0], np.int64)
        self._latencies = [LatencyCheck(name if len(self._names) > 1 else "") for name in self._names]
        self._received, self._streams, self._links = ReceivedCheck(), StreamCheck(), LinkCheck()
        self._books, self._quotes = BooksCheck(), QuoteRepetitionCheck()
        self._instruments: dict[int, _Instrument] = {}
        self._counts = np.zeros(256, np.int64)
        self._taken = 0

    def take(self, events: Events) -> None:
        if not len(events):
            return
        chunk = Chunk.of(events, self._taken)
        self._taken += len(events)
        self._counts += np.bincount(chunk.kind, minlength=256)
        check_values(chunk, self.findings, self._most)
        self._received.take(chunk, self.findings)
        venue = self._venue_of[np.minimum(chunk.instrument, len(self._venue_of) - 1)]
        for number, latency in enumerate(self._latencies):
            latency.take(chunk, venue == number, self.findings)
        self._take_streams(*streams(chunk[chunk.is_of(MARKET)]))
        quotes, candles = chunk[chunk.kind == Kind.QUOTE], chunk[chunk.kind == Kind.CANDLE]
        if len(quotes):
            check_quotes(quotes, self.findings)
            self._quotes.take(quotes, self.findings)
            self._books.take_quotes(quotes)
        if len(candles):
            check_candles(candles, self.findings)
        books = chunk[chunk.is_of(BOOK_KINDS)]
        if len(books):
            self._links.take(books, self.findings)
            self._books.take(books, self.findings)

    def _known(self, index: int) -> _Instrument:
        if index not in self._instruments:
            self._instruments[index] = _Instrument(index)
        return self._instruments[index]

    def _take_streams(self, rows: Chunk, groups: Groups) -> None:
        """Rows of the market by instrument and kind."""
        if not len(rows):
            return
        self._streams.take(rows, groups, self.findings)
        kinds, owners = rows.kind[groups.starts].tolist(), rows.instrument[groups.starts].tolist()
        for kind, owner, start, stop in zip(kinds, owners, groups.starts.tolist(), groups.stops.tolist(), strict=True):
            if kind == Kind.CANDLE:
                self._known(owner).candles.take(rows[start:stop], self.findings)
            elif kind in PRICED:
                self._known(owner).prices[kind].take(rows[start:stop], self.findings)
                if kind == Kind.TRADE:
                    self._known(owner).trade_ids.take(rows[start:stop], self.findings)

    def conclude(self) -> CheckResult:
        findings, result = self.findings, CheckResult(instruments=self._symbols)
        for own in self._instruments.values():
            own.candles.conclude(findings)
            result.trade_ids_missing += own.trade_ids.conclude(findings)
        self._books.conclude(findings)
        result.book_messages, result.best_quote_agreement = self._books.messages, self._books.agreement
        self._streams.conclude(findings)
        self._links.conclude(findings)
        for latency in self._latencies:
            latency.conclude(findings)
        findings.explain("trade_id_gap", f"{result.trade_ids_missing:,} ids in all")
        result.events = {kind.name.lower(): int(self._counts[kind]) for kind in Kind if self._counts[kind]}
        result.trades = result.events.get("trade", 0)
        result.first_ns, result.last_ns = self._received.first_ns, self._received.last_ns
        result.longest_silence_ms = self._received.longest_silence_ns / 1e6
        result.clock_skew_ms = next((each.skew_ns for each in self._latencies if each.skew_ns), 0.0) / 1e6
        result.clock_drift_ppm = max((each.drift_ppm for each in self._latencies), key=abs)
        result.gaps, result.crossed = findings.count("book_gap"), findings.count("book_crossed")
        result.trade_id_gaps, result.trade_ids_repeated = (
            findings.count("trade_id_gap"),
            findings.count("trade_repeated"),
        )
        result.quotes_repeated, result.not_a_number = findings.count("quote_repeated"), findings.count("not_a_number")
        result.out_of_order = findings.count("received_disorder")
        result.findings = findings.listed(self._symbols)
        return result
