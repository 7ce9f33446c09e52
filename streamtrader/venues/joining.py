"""Pages of the past become one row after the other: twice told once, out of order sorted, holes asked for again.

A joiner takes pages in the order of their cursors. Where a page leaves a hole it answers None and has taken nothing:
the same page is asked for again, and after some tries taken as it is, with the hole noted. Its state is a few numbers
that go into the bookmark of a download.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamtrader.events import EVENT, Kind
from streamtrader.units import NS_PER_S
from streamtrader.venues.history import CANDLES, History, Query, Rows

LATE_NS = 300 * NS_PER_S  # a candle may be published that late
HOLES_TOLD = 100


class PageJoiner:
    """Trades whose ids count nothing, of a venue whose pages lead on without holes: all of them, in its order."""

    def __init__(self, query: Query, state: dict[str, Any] | None = None) -> None:
        self._query = query
        self._last_ns: int = (state or {}).get("last_ns", 0)
        self.is_done = False  # beyond the end of the query

    def take(self, rows: Rows, now_ns: int, *, may_have_holes: bool) -> Rows | None:
        """The rows that are wanted."""
        clocks = rows["venue_ns"]
        self.is_done = bool((clocks >= self._query.stop_ns).any())
        rows = rows[(clocks >= self._query.start_ns) & (clocks < self._query.stop_ns)]
        if len(rows):
            rows["received_ns"] = np.maximum.accumulate(np.maximum(rows["venue_ns"], self._last_ns))
            self._last_ns = int(rows["received_ns"][-1])
        return rows

    def finish(self, now_ns: int) -> Rows:
        """What is still to come at the end of all pages."""
        return np.zeros(0, EVENT)

    def state(self) -> dict[str, Any]:
        return {"last_ns": self._last_ns}

    def found(self) -> dict[str, Any]:
        """For the tape and the result: what is missing."""
        return {}


class TradeJoiner(PageJoiner):
    """Trades by their ids, which count without holes."""

    def __init__(self, query: Query, state: dict[str, Any] | None = None) -> None:
        super().__init__(query, state)
        self._last_id: int = (state or {}).get("last_id", -1)
        self.holes: list[list[int]] = (state or {}).get("holes", [])  # first and last id that is missing

    def take(self, rows: Rows, now_ns: int, *, may_have_holes: bool) -> Rows | None:
        """The rows that are new and wanted."""
        _, first_of_each = np.unique(rows["id"], return_index=True)
        rows = rows[first_of_each]
        rows = rows[rows["id"] > self._last_id]
        if not len(rows):
            return rows
        before = self._last_id if self._last_id >= 0 else int(rows["id"][0]) - 1
        missing = np.flatnonzero(np.diff(rows["id"], prepend=before) > 1)
        if len(missing) and not may_have_holes:
            return None
        ids = np.concatenate(([before], rows["id"]))
        self.holes += [[int(ids[at]) + 1, int(ids[at + 1]) - 1] for at in missing]
        self._last_id = int(rows["id"][-1])
        return super().take(rows, now_ns, may_have_holes=may_have_holes)

    def state(self) -> dict[str, Any]:
        return {"last_id": self._last_id, **super().state(), "holes": self.holes}

    def found(self) -> dict[str, Any]:
        told = [{"first_id": first, "last_id": last} for first, last in self.holes[:HOLES_TOLD]]
        return {"missing": sum(last - first + 1 for first, last in self.holes), "holes": told}


class CandleJoiner:
    """Closed candles of a fixed grid. An interval that the venue leaves out has one at the last close, of volume 0."""

    def __init__(self, query: Query, history: History, state: dict[str, Any] | None = None) -> None:
        self._query = query
        self._is_told_all = history.has_empty_candles
        interval_ns = query.interval_ns
        self._next_ns: int = (state or {}).get("next_ns", -(-query.start_ns // interval_ns) * interval_ns)
        self._last_close: float = (state or {}).get("last_close", 0.0)
        self.filled: int = (state or {}).get("filled", 0)
        self.missing_before: int = (state or {}).get("missing_before", 0)  # the venue does not go back so far
        self.is_done = self._next_ns + interval_ns > query.stop_ns

    def take(self, rows: Rows, now_ns: int, *, may_have_holes: bool) -> Rows | None:
        """The rows that are new, wanted and closed by the venue's clock, and those that fill what it left out.

        Without a clock (`now_ns` 0) the newest candle counts as open.
        """
        interval_ns = self._query.interval_ns
        _, first_of_each = np.unique(rows["venue_ns"], return_index=True)
        rows = rows[first_of_each]
        rows = rows[rows["venue_ns"] + interval_ns <= now_ns] if now_ns else rows[:-1]
        rows = rows[(rows["venue_ns"] >= self._next_ns) & (rows["venue_ns"] + interval_ns <= self._query.stop_ns)]
        if not len(rows):
            return rows
        first_ns, last_ns = int(rows["venue_ns"][0]), int(rows["venue_ns"][-1])
        begins = self._next_ns if self._last_close else first_ns
        has_holes = len(rows) < (last_ns - begins) // interval_ns + 1
        if has_holes and self._is_told_all and not may_have_holes:
            return None
        if not self._last_close:
            self.missing_before = (first_ns - self._next_ns) // interval_ns
        whole = self._filled(rows, begins, last_ns + interval_ns)
        self._go_on(whole)
        return whole

    def finish(self, now_ns: int) -> Rows:
        """Fill up to the end of the query where that lies so far back that nothing can be late any more."""
        interval_ns = self._query.interval_ns
        stop_ns = self._query.stop_ns // interval_ns * interval_ns
        if not self._last_close or stop_ns + LATE_NS > now_ns:
            return np.zeros(0, EVENT)
        whole = self._filled(np.zeros(0, EVENT), self._next_ns, stop_ns)
        self._go_on(whole)
        return whole

    def _filled(self, rows: Rows, start_ns: int, stop_ns: int) -> Rows:
        """Every interval of `[start_ns, stop_ns)`: its candle, or a flat one."""
        interval_ns = self._query.interval_ns
        starts = np.arange(start_ns, stop_ns, interval_ns, dtype=np.int64)
        at = np.searchsorted(rows["venue_ns"], starts, side="right") - 1  # the newest candle up to each start
        closes = np.concatenate(([self._last_close], rows["d"]))[at + 1]
        whole = np.zeros(len(starts), EVENT)
        whole["kind"], whole["venue_ns"], whole["received_ns"] = Kind.CANDLE, starts, starts + interval_ns
        for word in "abcd":
            whole[word] = closes
        own = np.searchsorted(starts, rows["venue_ns"])
        whole[own] = rows
        self.filled += len(starts) - len(rows)
        return whole

    def _go_on(self, whole: Rows) -> None:
        if len(whole):
            self._last_close = float(whole["d"][-1])
            self._next_ns = int(whole["received_ns"][-1])
            self.is_done = self._next_ns + self._query.interval_ns > self._query.stop_ns

    def state(self) -> dict[str, Any]:
        return {
            "next_ns": self._next_ns,
            "last_close": self._last_close,
            "filled": self.filled,
            "missing_before": self.missing_before,
        }

    def found(self) -> dict[str, Any]:
        return {"filled": self.filled, "missing_before": self.missing_before}


Joiner = PageJoiner | CandleJoiner


def joiner_for(query: Query, history: History, state: dict[str, Any] | None = None) -> Joiner:
    """The joiner of a query, where need be at the place that a bookmark tells."""
    if query.what == CANDLES:
        return CandleJoiner(query, history, state)
    return TradeJoiner(query, state) if history.has_counting_ids else PageJoiner(query, state)
