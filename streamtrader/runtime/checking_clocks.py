"""The two clocks of a tape: order, silence, latency, drift. Streams are told apart by instrument and kind.

Drift is that of the lower envelope of received minus venue time, because queues only ever add to a latency (Paxson,
"On calibrating measurements of packet transit times", 1998): the least latency of each of `ENVELOPE_PARTS` parts of
the tape, and of all pairs of those the median slope (Theil and Sen), which no single late part can turn. More than
`DRIFT_PPM` is more than a clock that follows NTP may drift (RFC 5905, PHI).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from streamtrader.events import Kind
from streamtrader.runtime.checking_findings import Chunk, Findings, Mask, Numbers
from streamtrader.runtime.checking_groups import KIND_BITS, Groups
from streamtrader.units import NS_PER_MS, NS_PER_S

SILENCE_LEAST_NS = 10 * NS_PER_S
SILENCE_INTERVALS = 100  # a Poisson stream of a million messages has one of 14 mean intervals
SILENCE_MESSAGES = 100  # fewer have no usual interval
ENVELOPE_PARTS = 32
DRIFT_LEAST_SPAN_S = 60
DRIFT_PPM = 15.0
DRIFT_LEAST_NS = 10 * NS_PER_MS  # over the whole tape: less may be the network's
LATENCIES_OF_CHUNK = 1 << 14  # kept for the median, evenly spaced
TIMED = (Kind.TRADE, Kind.QUOTE, Kind.BOOK, Kind.MARK, Kind.LIQUIDATION)  # dated by the venue when it sent them
MARKET = (*TIMED, Kind.CANDLE)


@dataclass(slots=True)
class _Stream:
    """One kind of one instrument."""

    first_ns: int
    last_ns: int
    last_venue_ns: int = 0
    messages: int = 1  # at different times
    gaps: list[tuple[int, int, int]] = field(default_factory=list)  # length, number and time of the event behind it


class StreamCheck:
    """Each stream's own clocks: the venue's must not go back, and the stream should not fall silent."""

    def __init__(self) -> None:
        self._streams: dict[int, _Stream] = {}  # by instrument and kind

    def take(self, rows: Chunk, groups: Groups, findings: Findings) -> None:
        """Rows by stream; the key of a group is that of its stream."""
        received = rows.received_ns
        known = [
            self._streams.get(key) or self._streams.setdefault(key, _Stream(first_ns, first_ns))
            for key, first_ns in zip(groups.keys.tolist(), received[groups.starts].tolist(), strict=True)
        ]
        steps = groups.steps(received, np.array([stream.last_ns for stream in known], np.int64))
        for row in np.flatnonzero(steps > SILENCE_LEAST_NS).tolist():
            known[groups.of_row[row]].gaps.append((int(steps[row]), int(rows.number[row]), int(received[row])))
        moves = np.add.reduceat(steps != 0, groups.starts, dtype=np.int64)
        last = received[groups.stops - 1]
        for stream, messages, last_ns in zip(known, moves.tolist(), last.tolist(), strict=True):
            stream.messages += messages
            stream.last_ns = last_ns
        self._take_venue_clocks(rows, groups, known, findings)

    def _take_venue_clocks(self, rows: Chunk, groups: Groups, known: list[_Stream], findings: Findings) -> None:
        dated = np.flatnonzero(rows.venue_ns > 0)
        if not len(dated):
            return
        rows, own = rows[dated], Groups(groups.of_row[dated])
        streams = [known[number] for number in own.keys.tolist()]
        last_ns = np.array([stream.last_venue_ns for stream in streams], np.int64)
        findings.mark("venue_disorder", own.steps(rows.venue_ns, last_ns) < 0, rows)
        for stream, venue_ns in zip(streams, rows.venue_ns[own.stops - 1].tolist(), strict=True):
            stream.last_venue_ns = venue_ns

    def conclude(self, findings: Findings) -> None:
        longest_ns = 0
        for key, stream in self._streams.items():
            if stream.messages < SILENCE_MESSAGES:
                continue
            limit_ns = SILENCE_INTERVALS * (stream.last_ns - stream.first_ns) / (stream.messages - 1)
            for length_ns, event, at_ns in stream.gaps:
                if length_ns > limit_ns:
                    findings.add("silence", 1, event=event, at_ns=at_ns, instrument=key >> KIND_BITS)
                    longest_ns = max(longest_ns, length_ns)
        findings.explain("silence", f"the longest of {longest_ns / NS_PER_S:,.0f} s")


class ReceivedCheck:
    """The received clock of the whole tape."""

    def __init__(self) -> None:
        self.first_ns = self.last_ns = 0
        self.longest_silence_ns = 0
        self._is_begun = False

    def take(self, chunk: Chunk, findings: Findings) -> None:
        received = chunk.received_ns
        if not self._is_begun:
            self._is_begun, self.first_ns, self.last_ns = True, int(received[0]), int(received[0])
        steps = np.diff(received, prepend=self.last_ns)
        findings.mark("received_disorder", steps < 0, chunk)
        self.longest_silence_ns = max(self.longest_silence_ns, int(steps.max()))
        self.last_ns = int(received[-1])


class LatencyCheck:
    """Received minus venue time of one venue: its sign, its middle, its drift."""

    def __init__(self, venue: str) -> None:
        self.venue = venue
        self.drift_ppm = 0.0
        self._trades: list[Numbers] = []
        self._others: list[Numbers] = []
        self._least: dict[int, int] = {}  # latency by second of the received clock

    @property
    def skew_ns(self) -> float:
        """The median over the trades, or over what else has a venue's clock; 0 where nothing has one."""
        kept = self._trades or self._others
        return float(np.median(np.concatenate(kept))) if kept else 0.0

    def take(self, chunk: Chunk, is_own: Mask, findings: Findings) -> None:
        """A chunk, and which of its rows are of this venue."""
        is_timed = is_own & chunk.is_of(TIMED) & (chunk.venue_ns > 0)
        if not is_timed.any():
            return
        latencies = chunk.received_ns - chunk.venue_ns
        findings.mark("negative_latency", is_timed & (latencies < 0), chunk)
        is_trade = chunk.kind[is_timed] == Kind.TRADE
        latencies, seconds = latencies[is_timed], chunk.received_ns[is_timed] // NS_PER_S
        for kept, own in ((self._trades, latencies[is_trade]), (self._others, latencies[~is_trade])):
            if len(own):
                kept.append(own[:: -(-len(own) // LATENCIES_OF_CHUNK)])
        starts = np.flatnonzero(np.diff(seconds, prepend=seconds[0] - 1))
        lowest = np.minimum.reduceat(latencies, starts)
        for second, least in zip(seconds[starts].tolist(), lowest.tolist(), strict=True):
            self._least[second] = min(least, self._least.get(second, least))

    def conclude(self, findings: Findings) -> None:
        if self.skew_ns < 0:
            text = f"{self.venue}: the median of received minus venue time is {self.skew_ns / NS_PER_MS:,.1f} ms"
            findings.explain("negative_latency", text.removeprefix(": "))
        seconds = np.array(sorted(self._least), np.int64)
        if len(seconds) < ENVELOPE_PARTS or seconds[-1] - seconds[0] < DRIFT_LEAST_SPAN_S:
            return
        self.drift_ppm = self._slope(seconds) / NS_PER_S * 1e6
        drifted_ns = abs(self.drift_ppm) / 1e6 * float(seconds[-1] - seconds[0]) * NS_PER_S
        if abs(self.drift_ppm) > DRIFT_PPM and drifted_ns > DRIFT_LEAST_NS:
            findings.add("clock_drift", 1)
            text = f"{self.venue}: {self.drift_ppm:+,.1f} ppm, {drifted_ns / NS_PER_MS:,.1f} ms in all"
            findings.explain("clock_drift", text.removeprefix(": "))

    def _slope(self, seconds: Numbers) -> float:
        """Of the lower envelope, in nanoseconds a second."""
        least = np.array([self._least[second] for second in seconds.tolist()], np.float64)
        parts = np.linspace(0, len(seconds), ENVELOPE_PARTS + 1).astype(np.int64).tolist()
        lowest = [start + int(np.argmin(least[start:stop])) for start, stop in pairwise(parts)]
        times, values = seconds[lowest].astype(np.float64), least[lowest]
        first, second = np.triu_indices(len(times), 1)
        return float(np.median((values[second] - values[first]) / (times[second] - times[first])))
