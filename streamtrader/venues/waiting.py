"""What was received and waits for room in the ring, in order: frames, and pings that are answered after them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from streamtrader.venues.tallies import ConnectionCounters
from streamtrader.venues.venue import Venue


@dataclass(slots=True, eq=False)
class Waiting:
    """A frame of a link, or its ping."""

    frame: bytes
    received_ns: int
    number: int
    is_ping: bool = False
    is_oversized: bool = False  # of more rows than the ring has slots
    rest: bytes = b""  # what is left of it when it has grown old


class WaitingFrames:
    """A best quote makes the one of its stream that still waits old. Nothing else is ever left out."""

    def __init__(self, venue: Venue, counters: ConnectionCounters) -> None:
        self._venue = venue
        self._counters = counters
        self._waiting: deque[Waiting] = deque()
        self._quotes: dict[tuple[int, str], Waiting] = {}  # the newest that waits, by link and stream

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def first(self) -> Waiting:
        return self._waiting[0]

    def put(self, waiting: Waiting) -> None:
        if not (waiting.is_ping or waiting.is_oversized or self._venue.is_stamped):
            self._conflate(waiting)
        self._waiting.append(waiting)
        self._counters.backlog_bytes += len(waiting.frame)

    def take(self) -> bytes:
        """The frame of the first one, which waits no more; empty where nothing is left of it."""
        waiting = self._waiting.popleft()
        frame, waiting.frame = waiting.frame, b""
        self._counters.backlog_bytes -= len(frame)
        if not self._waiting:
            self._quotes.clear()
        return frame

    def clear(self) -> None:
        self._waiting.clear()
        self._quotes.clear()
        self._counters.backlog_bytes = 0

    def _conflate(self, waiting: Waiting) -> None:
        ageing = self._venue.ageing(waiting.frame)
        if ageing is None:
            return
        key = waiting.number, ageing.stream
        older = self._quotes.get(key)
        if older is not None and older.frame:
            self._counters.conflated += 1
            self._counters.backlog_bytes += len(older.rest) - len(older.frame)
            older.frame = older.rest
        waiting.rest = ageing.rest
        self._quotes[key] = waiting
