"""Trade ids: which come twice, which come late, which never come. And candles and quotes that come twice.

Ids are judged by instrument. Those that count one by one (nine in ten are the next one) must have no holes, those
that rise (nine in ten are above all before) should not fall; of other ids (hashed texts, ids shared between markets) only
repetitions tell anything. An id of 0 is none.
"""

from __future__ import annotations

import numpy as np

from streamtrader.runtime.checking_findings import Chunk, Findings, Mask, Numbers
from streamtrader.runtime.checking_groups import grouped

JUMPS_KEPT = 10_000
USUAL = 0.9  # of the ids do what is taken for their rule


class IdRanges:
    """The ids seen so far, as ranges without a hole: one range for any number of ids that count one by one."""

    def __init__(self) -> None:
        self.starts: Numbers = np.zeros(0, np.int64)
        self.stops: Numbers = np.zeros(0, np.int64)  # the last id of each

    def add(self, ids: Numbers) -> Mask:
        """Which of the ids are repetitions, of ids before them or of each other."""
        is_rising = bool((np.diff(ids) > 0).all())
        if is_rising and (not len(self.stops) or ids[0] > self.stops[-1]):
            self._extend(ids)
            return np.zeros(len(ids), np.bool_)
        order = np.arange(len(ids)) if is_rising else np.argsort(ids, kind="stable")
        ordered = ids[order]
        is_again = np.diff(ordered, prepend=ordered[0] - 1) == 0
        is_again |= self._has(ordered)
        repeated = np.zeros(len(ids), np.bool_)
        repeated[order[is_again]] = True
        new = ordered[~is_again]
        if len(new):
            self._merge(*_ranges_of(new))
        return repeated

    def _extend(self, ids: Numbers) -> None:
        """As nearly always: all of them rise, and are above what was seen."""
        starts, stops = _ranges_of(ids)
        is_next = bool(len(self.stops) and starts[0] == self.stops[-1] + 1)
        self.stops = np.concatenate((self.stops[: len(self.stops) - is_next], stops))
        self.starts = np.concatenate((self.starts, starts[is_next:]))

    def _has(self, ids: Numbers) -> Mask:
        if not len(self.starts):
            return np.zeros(len(ids), np.bool_)
        at = np.searchsorted(self.starts, ids, side="right") - 1
        found: Mask = (at >= 0) & (ids <= self.stops[np.maximum(at, 0)])
        return found

    def _merge(self, starts: Numbers, stops: Numbers) -> None:
        """Add ranges that overlap none of those here; join those that touch."""
        starts, stops = np.concatenate((self.starts, starts)), np.concatenate((self.stops, stops))
        order = np.argsort(starts)
        starts, stops = starts[order], stops[order]
        is_apart = starts[1:] != stops[:-1] + 1
        self.starts = starts[np.append(True, is_apart)]
        self.stops = stops[np.append(is_apart, True)]


def _ranges_of(ids: Numbers) -> tuple[Numbers, Numbers]:
    """The first and the last of each run without a hole, of ids that rise."""
    edges = np.flatnonzero(np.diff(ids) > 1)
    return ids[np.append(0, edges + 1)], ids[np.append(edges, len(ids) - 1)]


class TradeIdCheck:
    """The trade ids of one instrument."""

    def __init__(self, instrument: int) -> None:
        self.instrument = instrument
        self.ranges = IdRanges()
        self._ids = self._next = self._risen = self._late = 0
        self._first_late = (-1, 0)  # number and time of the trade
        self._highest: int | None = None
        self._jumps: list[
            tuple[int, int, int]
        ] = []  # the highest id in front of a jump, number and time of the trade

    def take(self, trades: Chunk, findings: Findings) -> None:
        """Trades of this instrument, in order."""
        if not trades.id.all():
            trades = trades[trades.id != 0]
        if not len(trades):
            return
        ids = trades.id
        highest = np.maximum.accumulate(np.append(ids[0] - 1 if self._highest is None else self._highest, ids))
        before, self._highest = highest[:-1], int(highest[-1])
        self._ids += len(ids)
        self._next += int(np.count_nonzero(ids == before + 1))
        self._risen += int(np.count_nonzero(ids > before))
        for row in np.flatnonzero(ids > before + 1)[: JUMPS_KEPT - len(self._jumps)].tolist():
            self._jumps.append((int(before[row]), int(trades.number[row]), int(trades.received_ns[row])))
        repeated = self.ranges.add(ids)
        findings.mark("trade_repeated", repeated, trades)
        late = np.flatnonzero((ids < before) & ~repeated)
        if len(late) and not self._late:
            self._first_late = int(trades.number[late[0]]), int(trades.received_ns[late[0]])
        self._late += len(late)

    def conclude(self, findings: Findings) -> int:
        """The number of ids that are missing."""
        if self._risen >= USUAL * self._ids:
            event, at_ns = self._first_late
            findings.add("trade_late", self._late, event=event, at_ns=at_ns, instrument=self.instrument)
        if self._next < USUAL * self._ids:
            return 0
        starts, stops = self.ranges.starts, self.ranges.stops
        holes = len(starts) - 1
        if holes <= 0:
            return 0
        edges = set(stops[:-1].tolist())
        event, at_ns = next(((event, at_ns) for last, event, at_ns in self._jumps if last in edges), (-1, 0))
        findings.add("trade_id_gap", holes, event=event, at_ns=at_ns, instrument=self.instrument)
        return int((starts[1:] - stops[:-1] - 1).sum())


class QuoteRepetitionCheck:
    """Quotes with the update id of the one before them of their instrument."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}

    def take(self, quotes: Chunk, findings: Findings) -> None:
        quotes, groups = grouped(quotes, quotes.instrument)
        keys, firsts = groups.keys.tolist(), quotes.id[groups.starts].tolist()
        last = [self._last.get(key, first - 1) for key, first in zip(keys, firsts, strict=True)]
        is_again = groups.steps(quotes.id, np.array(last, np.int64)) == 0
        findings.mark("quote_repeated", is_again & (quotes.id != 0), quotes)
        self._last.update(zip(keys, quotes.id[groups.stops - 1].tolist(), strict=True))


class CandleRepetitionCheck:
    """Candles of one instrument that say again what the one before them said, and holes between them."""

    def __init__(self) -> None:
        self._last_candle: Chunk | None = None
        self._steps: list[tuple[Numbers, Chunk]] = []

    def take(self, rows: Chunk, findings: Findings) -> None:
        before = self._last_candle if self._last_candle is not None else rows[:1]
        is_again = np.ones(len(rows), np.bool_)
        for name in ("venue_ns", "a", "b", "c", "d", "id"):
            values = getattr(rows, name)
            is_again &= np.append(getattr(before, name)[-1:], values[:-1]) == values
        is_again[0] &= self._last_candle is not None
        findings.mark("candle_repeated", is_again, rows)
        steps = np.diff(rows.venue_ns, prepend=before.venue_ns[-1])
        rows = Chunk.joined(rows)
        self._steps.append((steps, rows))
        self._last_candle = rows[-1:]

    def conclude(self, findings: Findings) -> None:
        """Holes between candles, where one step is the usual one and the others are multiples of it."""
        if not self._steps:
            return
        steps = np.concatenate([steps for steps, _ in self._steps])
        lengths, counts = np.unique(steps[steps > 0], return_counts=True)
        if not len(lengths):
            return
        usual = int(lengths[np.argmax(counts)])
        for of_chunk, rows in self._steps:
            is_hole = (of_chunk > usual) & (of_chunk % usual == 0)
            findings.mark("candle_missing", is_hole, rows)
