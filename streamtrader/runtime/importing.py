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
from streamtrader.events import BookState, Kind
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.runtime.survey import Survey
from streamtrader.storage.captures import CaptureLine, CaptureReader
from streamtrader.storage.tape import TapeWriter
from streamtrader.venues.binance import Binance
from streamtrader.venues.binance.scan import Scanner
from streamtrader.venues.venue import SnapshotRequest

RING_SLOTS = 1 << 19
DRAIN_ROWS = 1 << 16
ERRORS_KEPT = 20

Events = np.ndarray[Any, np.dtype[Any]]
Sink = Callable[[Events], object]


@dataclass(slots=True)
class ImportResult:
    """What an import found; `errors` are the first few, as `file:line: what is wrong`."""

    instruments: tuple[Instrument, ...] = ()
    files: list[str] = field(default_factory=list)
    lines: int = 0
    frames: int = 0
    events: dict[str, int] = field(default_factory=dict)
    unknown: int = 0
    rejected: int = 0  # lines and frames that could not be used
    errors: list[str] = field(default_factory=list)
    gaps: int = 0
    resyncs: int = 0
    repeated: int = 0
    disordered: int = 0  # lines with an earlier clock than the one before; they take its clock
    snapshots: int = 0
    snapshots_unused: int = 0  # nothing waited for them
    trades: int = 0
    trade_id_gaps: int = 0
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
    """Feeds captures to an adapter and what comes of them to a sink, in whole messages."""

    def __init__(self, survey: Survey, instruments: Sequence[Instrument], scanner: Scanner | None) -> None:
        self.paths = survey.paths
        self.venue = Binance(instruments, survey.market, scanner=scanner)
        self.ring = Ring(RING_SLOTS)
        self.result = ImportResult(instruments=tuple(instruments), files=[path.name for path in self.paths])
        self.on_drain: Callable[[int], None] = lambda _lines: None
        self._waiting: list[SnapshotRequest] = []
        self._trade_ids: dict[int, int] = {}
        self._counts = np.zeros(256, np.int64)

    def play(self, sink: Sink) -> ImportResult:
        ring, result = self.ring, self.result
        for path in self.paths:
            reader = CaptureReader(path)
            for line in reader:
                result.lines += 1
                if line.problem:
                    result.note(path, line.number, line.problem)
                else:
                    self._take(path, line)
                if ring.written - ring.taped > DRAIN_ROWS:
                    self._drain(sink)
            result.is_torn = result.is_torn or reader.is_torn
        self._drain(sink)
        self._conclude()
        return result

    def _take(self, path: Path, line: CaptureLine) -> None:
        venue, ring, result = self.venue, self.ring, self.result
        if not result.first_ns:
            result.first_ns = result.last_ns = line.received_ns
            venue.connected(line.received_ns, ring)
        result.disordered += line.received_ns < result.last_ns
        result.last_ns = max(result.last_ns, line.received_ns)
        before = venue.counters.rejected + venue.counters.snapshots_failed
        if b'"lastUpdateId"' in line.text[:64] and b'"stream"' not in line.text[:64]:
            self._take_snapshot(line)
        else:
            venue.decode(line.text, result.last_ns, ring)
        if venue.counters.rejected + venue.counters.snapshots_failed != before:
            result.note(path, line.number, venue.counters.last_error)

    def _take_snapshot(self, line: CaptureLine) -> None:
        """An inline snapshot does not say its symbol: it is the one that is waited for."""
        self._waiting += self.venue.requests()
        if len(self._waiting) == 1:
            self.venue.respond(self._waiting.pop(), 200, line.text, self.result.last_ns, self.ring)
        else:
            self.result.snapshots_unused += 1

    def _drain(self, sink: Sink) -> None:
        ring = self.ring
        for events in ring.slices(ring.taped, ring.written):
            self._count(events)
            sink(events)
        ring.played = ring.taped = ring.written
        self.on_drain(self.result.lines)

    def _count(self, events: Events) -> None:
        self._counts += np.bincount(events["kind"], minlength=256)
        trades = events[events["kind"] == Kind.TRADE]
        for instrument in np.unique(trades["instrument"]).tolist():
            ids = trades["id"][trades["instrument"] == instrument]
            steps = np.diff(ids, prepend=self._trade_ids.get(instrument, int(ids[0]) - 1))
            self._trade_ids[instrument] = int(ids[-1])
            self.result.trade_id_gaps += int(np.count_nonzero(steps > 1))
            self.result.trade_ids_repeated += int(np.count_nonzero(steps < 1))

    def _conclude(self) -> None:
        result, counters = self.result, self.venue.counters
        result.events = {kind.name.lower(): int(self._counts[kind]) for kind in Kind if self._counts[kind]}
        result.trades = result.events.get("trade", 0)
        result.frames, result.unknown = counters.frames, counters.unknown
        result.gaps, result.resyncs, result.repeated = counters.gaps, counters.resyncs, counters.repeated
        result.snapshots = counters.snapshots
        result.books_not_live = [
            instrument.symbol
            for index, instrument in enumerate(self.venue.instruments)
            if self.venue.book_state(index) != BookState.LIVE
        ]


def import_captures(
    paths: Sequence[Path | str],
    tape_path: Path | str,
    *,
    steps: Mapping[str, tuple[Decimal, Decimal]] | None = None,
    scanner: Scanner | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> ImportResult:
    """Write one tape from captures that continue each other; `steps` gives tick and lot by symbol where known.

    `on_progress` gets (lines played, all lines) now and then.
    """
    tape_path = Path(tape_path)
    if tape_path.exists():
        raise MarketFileError(f"{tape_path} exists already; an import never overwrites. Choose another name.")
    survey = Survey(paths)
    instruments = survey.instruments(steps or {})
    player = CapturePlayer(survey, instruments, scanner)
    if on_progress is not None:
        player.on_drain = lambda lines: on_progress(lines, survey.line_count)
    partial = tape_path.with_name(tape_path.name + ".partial")
    partial.unlink(missing_ok=True)  # of an import that was killed
    metadata = {"source": "binance-raw", "market": survey.market.name, "files": player.result.files}
    try:
        with TapeWriter.create(partial, instruments, metadata) as writer:
            result = player.play(writer.append)
        if result.trades + result.events.get("quote", 0) + result.events.get("book", 0) == 0:
            raise MarketFileError(f"{', '.join(result.files)}: not one usable event in it")
        partial.rename(tape_path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    return result
