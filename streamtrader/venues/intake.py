"""Where frames become events: merged where several links bring them, in order, when there is room, and played at once.

Back-pressure: a frame is decoded only when its rows fit the ring. Otherwise the engine is asked to play, and if
that does not help the sockets are read no more: the venue's side of the line holds the flood. Frames that the last
reads still bring wait here, in order, and are decoded when `resume` finds room. A trade or a book message that waits is
never dropped. A best quote that waits is made old by the next one of its symbol: the newest stays, `conflated` counts
the others. (Not at a stamped market: its clock waits with us, so nothing grows old.) Whatever is dropped or delayed
is counted in `ConnectionCounters`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from streamtrader.kernel.ring import Ring
from streamtrader.venues.clock import SessionClock
from streamtrader.venues.links import Link
from streamtrader.venues.merging import Merger
from streamtrader.venues.settings import ConnectionSettings
from streamtrader.venues.venue import Venue

TOLD = (
    "connects", "connect_failures", "disconnects", "silences", "rotations", "delayed", "conflated", "oversized",
    "overflows", "duplicates", "misfits", "held", "forced", "clock_jumps", "clock_ahead_ns", "snapshots_failed",
)  # fmt: skip
ROWS_A_BOOK = 4  # LINK rows that the end of a link and a new one write for each book


@dataclass(slots=True)
class ConnectionCounters:
    """For metrics; only ever growing but `state`, `last_error`, `backlog_bytes`, `links_open` and `clock_ahead_ns`."""

    state: str = "closed"
    links_open: int = 0
    connects: int = 0
    connect_failures: int = 0
    disconnects: int = 0
    silences: int = 0
    rotations: int = 0
    received_bytes: int = 0
    delayed: int = 0  # frames that had to wait for room
    conflated: int = 0  # best quotes that were old before there was room for them
    pauses: int = 0
    oversized: int = 0  # frames with more rows than the whole ring: dropped, their book will show a gap
    overflows: int = 0  # links ended because more came after the pause than can be kept
    backlog_bytes: int = 0
    duplicates: int = 0  # messages of one link that another had brought before
    misfits: int = 0  # of those, book messages with other boundaries than the other link's
    held: int = 0  # messages that waited for what another link should bring before them
    forced: int = 0  # times that it did not come
    clock_jumps: int = 0
    clock_ahead_ns: int = 0  # of the wall clock, which jumped; see venues/clock.py
    snapshots_requested: int = 0
    snapshots_failed: int = 0
    last_error: str = ""

    def as_dict(self) -> dict[str, int]:
        """What was lost, delayed, repeated or replaced, for the document of a session."""
        return {name: getattr(self, name) for name in TOLD}


@dataclass(slots=True, eq=False)
class Waiting:
    """A frame that waits for room, or the ping of a link (`ping_of` its number); empty once it is conflated."""

    frame: bytes
    received_ns: int
    ping_of: int = -1


class Intake:
    """One for the life of a connection object. Links are known here by their numbers."""

    def __init__(
        self,
        venue: Venue,
        ring: Ring,
        on_events: Callable[[], None],
        settings: ConnectionSettings,
        clock: SessionClock,
    ) -> None:
        self.venue = venue
        self._is_stamped = venue.is_stamped
        self._decode_read = venue.decode_read
        self.ring = ring
        self.on_events = on_events
        self.settings = settings
        self.clock = clock
        self.counters = ConnectionCounters()
        self.links: dict[int, Link] = {}
        self.is_paused = False
        self.leaving: set[int] = set()  # links that the venue announced to end
        self.failure: BaseException | None = None
        self.loop_time: Callable[[], float] = lambda: 0.0
        self._merger: Merger | None = None
        self._is_merging = False
        self._alone_since_s = 0.0
        self._backlog: deque[Waiting] = deque()
        self._quotes: dict[str, Waiting] = {}  # the newest of each stream that waits
        self._is_playing = False
        self._received_ns = 0

    @property
    def is_delayed(self) -> bool:
        return bool(self._backlog)

    # Links.

    def open(self, number: int, link: Link) -> None:
        """A link stands. The adapter learns of the first alone: later ones change nothing of what it sees."""
        self.loop_time = asyncio.get_running_loop().time
        self.links[number] = link
        self.counters.links_open = len(self.links)
        if self._merger is not None:
            self._merger.open(number)
        if len(self.links) == 1:
            self.clock.set_anew()
            self.venue.connected(self.now_ns(), self.ring)
        elif self.is_paused:
            link.pause()
        self.play()

    def expect_links(self, count: int) -> None:
        """So many links there will be. Merging costs some microseconds a message, and is done where there are two; it
        begins before the second one opens, so that it is known how far the first has come, and ends only when the one
        that is left has come as far as the one that is gone.
        """
        self._alone_since_s = self.loop_time()
        self._is_merging = count > 1 and self.venue.can_merge
        if self._is_merging and self._merger is None:
            self._merger = Merger(self.venue.place_of)
            for number in self.links:
                self._merger.open(number)

    def close(self, number: int) -> None:
        """A link has ended. With the last one every book is stale."""
        if self.links.pop(number, None) is None:
            return
        self.counters.links_open = len(self.links)
        self.leaving.discard(number)
        if self._merger is not None:
            self._take_merged(self._merger.close(number))
        if not self.links:
            self._drop_backlog()
            self.venue.disconnected(self.now_ns(), self.ring)
        self.play()

    def abandon(self, number: int) -> None:
        """The session ends: nothing more is written."""
        self.links.pop(number, None)
        self.counters.links_open = len(self.links)
        self._drop_backlog()

    def is_holding(self, number: int) -> bool:
        return self._merger is not None and self._merger.is_holding(number)

    def release(self, *, is_final: bool = False) -> None:
        """Let go of what has waited for another link for too long; all of it at the end of the market."""
        merger, now_s = self._merger, self.loop_time()
        if merger is None:
            return
        self._take_merged(merger.due(now_s, -1.0 if is_final else self.settings.hold_s))
        self.play()
        if not self._is_merging and now_s - self._alone_since_s > self.settings.overlap_s and merger.is_level():
            self._merger = None

    # What comes in. This is the hot path.

    def take(self, number: int, frames: list[bytes]) -> None:
        """The frames of one read of a link."""
        if frames:
            ring = self.ring
            if not self._is_stamped:
                self._received_ns = self.clock.now_ns()
            count = len(frames)
            size = len(frames[0]) if count == 1 else sum(map(len, frames))
            self.counters.received_bytes += size
            if self._merger is not None:
                self._take_merged(self._merger.take(number, frames, self.loop_time()), number)
            elif not self._backlog and ring.has_room(size + ROWS_A_BOOK * count):
                self._decode_read(frames, self._received_ns, ring)  # a row takes several bytes: there is room
            else:
                for frame in frames:
                    self._take_one(frame)
        self.play()

    def _take_merged(self, frames: list[bytes], number: int = -1) -> None:
        if frames and not self.venue.is_stamped:
            self._received_ns = self.clock.now_ns()
        for frame in frames:
            self._take_one(frame)
        if self.venue.wants_rotation and number >= 0:
            self.venue.wants_rotation = False
            self.leaving.add(number)
        self._copy_counts()

    def _copy_counts(self) -> None:
        merger, counters = self._merger, self.counters
        if merger is not None:
            counters.duplicates += merger.duplicates
            counters.misfits += merger.misfits
            counters.held += merger.held
            counters.forced += merger.forced
            merger.duplicates = merger.misfits = merger.held = merger.forced = 0

    def _take_one(self, frame: bytes) -> None:
        if self._backlog or not self._has_room(frame):
            self._delay(Waiting(frame, self._received_ns))
        else:
            self.venue.decode(frame, self._received_ns, self.ring)

    def ping(self, number: int, payload: bytes) -> None:
        """It is answered after the frames before it: a venue may take the answer as proof that they were handled."""
        if self._backlog:
            self._delay(Waiting(payload, self._received_ns, number))
        elif number in self.links:
            self.links[number].pong(payload)

    # Room and order.

    def resume(self) -> None:
        """There may be room again: decode what waits, then read on."""
        if self._is_playing or not self.links:
            return
        if self._backlog:
            self._decode_backlog()
            self.play()
        if self.is_paused and not self._backlog:
            self.is_paused = False
            for link in self.links.values():
                link.resume()

    async def finish_backlog(self) -> None:
        """What was received before the end counts, however late there is room for it."""
        while self._backlog and self.failure is None:
            self._decode_backlog()
            self.play()
            await asyncio.sleep(0 if not self._backlog else self.settings.watch_s)

    def _has_room(self, frame: bytes) -> bool:
        """Make sure of room for a frame, by letting the engine play where need be."""
        needed = self.venue.rows_of_frame(frame)
        if self.ring.free < needed and not self._is_playing:
            self.play()
        return self.ring.free >= needed

    def _delay(self, waiting: Waiting) -> None:
        counters, frame = self.counters, waiting.frame
        if waiting.ping_of < 0:
            if self.venue.rows_of_frame(frame) > len(self.ring.events):
                counters.oversized += 1  # it would wait for ever; its book will show a gap
                return
            counters.delayed += 1
            self._conflate(waiting)
        self._backlog.append(waiting)
        counters.backlog_bytes += len(frame)
        if not self.is_paused:
            self.is_paused = True
            counters.pauses += 1
            for link in self.links.values():
                link.pause()
        if counters.backlog_bytes > self.settings.backlog_bytes_most and self.links:
            counters.overflows += 1
            counters.last_error = "more frames after the pause than can be kept"
            self._end_links()

    def _conflate(self, waiting: Waiting) -> None:
        """A quote makes the one of its stream that still waits old. Nothing else is ever left out."""
        place = None if self.venue.is_stamped else self.venue.place_of(waiting.frame)
        if place is None or not place.is_quote:
            return
        older = self._quotes.get(place.stream)
        if older is not None and older.frame:
            self.counters.conflated += 1
            self.counters.backlog_bytes -= len(older.frame)
            older.frame = b""
        self._quotes[place.stream] = waiting

    def _decode_backlog(self) -> None:
        backlog = self._backlog
        while backlog:
            waiting = backlog[0]
            frame, is_frame = waiting.frame, waiting.ping_of < 0
            if is_frame and frame and not self._has_room(frame):
                return
            backlog.popleft()
            waiting.frame = b""
            self.counters.backlog_bytes -= len(frame)
            if not is_frame:
                if waiting.ping_of in self.links:
                    self.links[waiting.ping_of].pong(frame)
            elif frame:
                self.venue.decode(frame, waiting.received_ns, self.ring)
        self._quotes.clear()

    def _drop_backlog(self) -> None:
        self._backlog.clear()
        self._quotes.clear()
        self.counters.backlog_bytes = 0
        self.is_paused = False

    def _end_links(self) -> None:
        for link in self.links.values():
            link.close(is_dead=True)

    # The engine and the clock.

    def play(self) -> None:
        """Hand over to the engine. Its failure ends the connection, not only the callback it happened in."""
        if self._is_playing or self.failure is not None:
            return
        self._is_playing = True
        try:
            self.on_events()
        except Exception as error:  # noqa: BLE001 - raised again from `Connection.run`
            self.failure = error
            self._end_links()
        finally:
            self._is_playing = False

    def raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure

    def now_ns(self) -> int:
        """Now, for events of our own. A stamped market's clock is that of its newest event, 0 before the first."""
        if not self.venue.is_stamped:
            self._received_ns = self.clock.now_ns()
            return self._received_ns
        ring = self.ring
        return int(ring.events[(ring.written - 1) & ring.mask]["received_ns"]) if ring.written else 0
