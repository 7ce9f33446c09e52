"""Raw captures of a venue become a tape, through the very adapter that live sessions use.

The capture's clock is the receive time. Snapshots that lie inline answer what the adapter asks for, at their place
in the capture. The tape is written aside and renamed at the end: there is a whole one or none.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from streamtrader.errors import MarketFileError
from streamtrader.events import Kind
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.runtime.capture_session import CaptureSession
from streamtrader.runtime.checking_findings import Chunk, Findings
from streamtrader.runtime.checking_ids import TradeIdCheck
from streamtrader.runtime.survey import Survey
from streamtrader.storage.captures import CaptureLine, CaptureReader, Role
from streamtrader.storage.files import begin_aside, place_whole, refused
from streamtrader.storage.raw_lines import (
    ANSWER,
    BASE64,
    CONNECTED,
    DISCONNECTED,
    LEFT,
    LINK,
    LOST,
    RENEWED,
    Note,
    note_of,
)
from streamtrader.storage.tape import TapeWriter
from streamtrader.venues.listing import Scanner

RING_SLOTS = 1 << 19
DRAIN_ROWS = 1 << 16
ERRORS_KEPT = 20
AUTO = "auto"
SUMMED = (
    "frames", "unknown", "gaps", "resyncs", "repeated", "snapshots", "notices", "silences", "candles_missing",
    "candles_late", "faults",
)  # fmt: skip

Events = np.ndarray[Any, np.dtype[Any]]
Sink = Callable[[Events], object]


@dataclass(slots=True)
class ImportResult:
    """What an import found; `errors` are the first few, as `file:line: what is wrong`."""

    instruments: tuple[Instrument, ...] = ()
    files: list[str] = field(default_factory=list)
    format: str = ""
    venues: list[str] = field(default_factory=list)
    lines: int = 0
    frames: int = 0
    events: dict[str, int] = field(default_factory=dict)
    unknown: int = 0
    rejected: int = 0  # lines and frames that could not be used
    errors: list[str] = field(default_factory=list)
    venue_errors: int = 0  # that the venue told of
    gaps: int = 0
    resyncs: int = 0
    checksums: dict[str, int] = field(default_factory=lambda: {"verified": 0, "failed": 0})
    notices: int = 0  # heartbeats, acknowledgements and the like
    silences: int = 0
    candles_missing: int = 0  # intervals that the venue never told of
    candles_late: int = 0  # told again, or after a later one
    faults: int = 0  # mistakes of an adapter: report them
    repeated: int = 0
    disordered: int = 0  # lines with an earlier clock than the one before; they take its clock
    snapshots: int = 0
    snapshots_unused: int = 0  # nothing waited for them
    answers_unused: int = 0  # REST answers that no book waited for
    frames_lost: int = 0  # that a recorder could not keep up with, as it says itself
    trades: int = 0
    trade_id_gaps: int = 0  # where the venue's ids count one by one, as `data check` has it
    trade_ids_repeated: int = 0
    books_not_live: list[str] = field(default_factory=list)  # at the end: no snapshot ever fitted
    first_ns: int = 0
    last_ns: int = 0
    is_torn: bool = False

    def note(self, path: Path, line: int, problem: str) -> None:
        self.rejected += 1
        if len(self.errors) < ERRORS_KEPT:
            self.errors.append(f"{path.name}:{line}: {problem}")


class CapturePlayer:
    """Feeds captures to the adapters of their venues and what comes of them to a sink, in whole messages."""

    def __init__(self, survey: Survey, instruments: Sequence[Instrument], scanner: Scanner | None) -> None:
        self.paths = survey.paths
        self.ring = Ring(RING_SLOTS)
        self.result = ImportResult(instruments=tuple(instruments), files=[path.name for path in self.paths])
        self.result.format = survey.format
        self.result.venues = sorted({instrument.venue for instrument in instruments})
        self.on_drain: Callable[[int], None] = lambda _lines: None
        with_books = {key for stream in survey.streams.values() if stream.has_books for key in stream.identities()}
        self._sessions = {
            name: CaptureSession(
                stream, instruments, self.ring, scanner=scanner,
                speaks_of_books=stream.has_books or not with_books.issuperset(stream.identities()),
            )
            for name, stream in survey.streams.items()
        }  # fmt: skip
        self._answer: Note | None = None  # the note of an answer whose body is the next line
        self._is_noted = False  # a recording of ours tells when links began and ended
        self._trade_ids: dict[int, TradeIdCheck] = {}
        self._findings = Findings()
        self._counts = np.zeros(256, np.int64)

    def play(self, sink: Sink) -> ImportResult:
        ring, result = self.ring, self.result
        for path in self.paths:
            reader = CaptureReader(path)
            for line in reader:
                result.lines += 1
                if line.problem:
                    result.note(path, line.number, line.problem)
                elif line.role is not Role.ASIDE:
                    self._take(path, line)
                if ring.written - ring.taped > DRAIN_ROWS:
                    self._drain(sink)
            result.is_torn = result.is_torn or reader.is_torn
        self._drain(sink)
        self._conclude()
        return result

    def _take(self, path: Path, line: CaptureLine) -> None:
        result = self.result
        if line.role is Role.FRAME:
            result.first_ns = result.first_ns or line.received_ns
        result.disordered += line.received_ns < result.last_ns
        result.last_ns = max(result.last_ns, line.received_ns)
        if line.role is Role.HTTP:
            self._take_answer(line)
            return
        session = self._sessions.get(line.connection)
        if session is None:
            result.frames += 1  # of a connection on which nothing is known
            result.unknown += 1
            return
        counters = session.counters
        before = counters.rejected + counters.snapshots_failed
        try:
            self._play_line(session, line, note_of(line.text))
        except MarketFileError as error:
            result.note(path, line.number, str(error))
        counters = session.counters
        if counters.rejected + counters.snapshots_failed != before:
            result.note(path, line.number, counters.last_error)

    def _play_line(self, session: CaptureSession, line: CaptureLine, note: Note | None) -> None:
        now_ns, text = self.result.last_ns, line.text
        if line.role is Role.CONNECT:
            session.connect(now_ns)
            return
        self._is_noted = self._is_noted or note is not None
        if not session.is_linked and not self._is_noted:
            session.connect(now_ns)
        if note is not None and note.kind == BASE64:
            text, note = note.content(), None
        if note is not None:
            self._take_note(session, note)
        elif self._answer is not None:
            asked, self._answer = self._answer, None
            session.respond_to_note(asked, text)
        elif not self._is_noted and b'"lastUpdateId"' in text[:64] and b'"stream"' not in text[:64]:
            self.result.snapshots_unused += not session.respond_to_only(text, now_ns)
        else:
            session.decode(text, now_ns)

    def _take_note(self, session: CaptureSession, note: Note) -> None:
        """Make the call that the session made at this place, with the clock that it had."""
        if note.kind == CONNECTED:
            session.connect(note.received_ns)
        elif note.kind == DISCONNECTED:
            self.result.books_not_live = session.books_not_live()
            session.disconnect(note.received_ns)
        elif note.kind == LINK:
            session.turn_to(note.link)
        elif note.kind == LEFT:
            session.leave(note.link, note.heir, note.received_ns)
        elif note.kind == ANSWER and note.has_body:
            self._answer = note
        elif note.kind == ANSWER:
            session.respond_to_note(note, b"")
        elif note.kind == RENEWED:
            session.renew(note)
        elif note.kind == LOST:
            self.result.frames_lost += note.frames

    def _take_answer(self, line: CaptureLine) -> None:
        """A REST answer goes to whoever waits for it; rules of instruments were read by the survey."""
        for session in self._sessions.values():
            if session.is_linked and session.respond_to_url(line.url, line.text, self.result.last_ns):
                return
        self.result.answers_unused += 1

    def _drain(self, sink: Sink) -> None:
        ring = self.ring
        for events in ring.slices(ring.taped, ring.written):
            self._count(events)
            sink(events)
        ring.played = ring.taped = ring.written
        self.on_drain(self.result.lines)

    def _count(self, events: Events) -> None:
        trades = Chunk.of(events, int(self._counts.sum()))[events["kind"] == Kind.TRADE]
        self._counts += np.bincount(events["kind"], minlength=256)
        for instrument in np.unique(trades.instrument).tolist():
            check = self._trade_ids.setdefault(instrument, TradeIdCheck(instrument))
            check.take(trades[trades.instrument == instrument], self._findings)

    def _conclude(self) -> None:
        result = self.result
        result.events = {kind.name.lower(): int(self._counts[kind]) for kind in Kind if self._counts[kind]}
        result.trades = result.events.get("trade", 0)
        for check in self._trade_ids.values():
            check.conclude(self._findings)
        result.trade_id_gaps = self._findings.count("trade_id_gap")
        result.trade_ids_repeated = self._findings.count("trade_repeated")
        for session in self._sessions.values():
            counters = session.counters
            for name in SUMMED:
                setattr(result, name, getattr(result, name) + getattr(counters, name))
            result.venue_errors += counters.errors
            result.checksums["verified"] += counters.checksums_verified
            result.checksums["failed"] += counters.checksums_failed
        linked = [session for session in self._sessions.values() if session.is_linked]
        if linked:
            result.books_not_live = [symbol for session in linked for symbol in session.books_not_live()]


def import_captures(
    paths: Sequence[Path | str],
    tape_path: Path | str,
    *,
    steps: Mapping[str, tuple[Decimal, Decimal]] | None = None,
    scanner: Scanner | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    venue: str = "",
    wanted_format: str = AUTO,
) -> ImportResult:
    """Write one tape from captures that continue each other; `steps` gives tick and lot by symbol where known.

    Format and venue are told by what is in the files; `venue` names it where they do not tell. Another format than
    a wanted one is refused.

    `on_progress` gets (lines played, all lines) now and then.
    """
    tape_path = Path(tape_path)
    (partial,) = begin_aside(tape_path, "partial")
    survey = Survey(paths, venue)
    if wanted_format not in (AUTO, survey.format):
        raise MarketFileError(
            f"{', '.join(path.name for path in survey.paths)}: {survey.format}, not {wanted_format}"
        )
    instruments = survey.instruments(steps or {})
    player = CapturePlayer(survey, instruments, scanner)
    if on_progress is not None:
        player.on_drain = lambda lines: on_progress(lines, survey.line_count)
    metadata = {"source": survey.format, "venues": player.result.venues, "files": player.result.files}
    try:
        with TapeWriter.create(partial, instruments, metadata) as writer:
            result = player.play(writer.append)
        if not result.events.keys() - {"link", "status", "book_clear"}:
            raise MarketFileError(f"{', '.join(result.files)}: not one usable event in it")
        place_whole(partial, tape_path)
    except OSError as error:
        raise refused(f"{tape_path} cannot be written", error, tape_path) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return result
