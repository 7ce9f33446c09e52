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
from collections.abc import Callable

from streamtrader.kernel.ring import Ring
from streamtrader.venues.bundles import Bundle
from streamtrader.venues.clock import SessionClock
from streamtrader.venues.links import Link
from streamtrader.venues.settings import ConnectionSettings
from streamtrader.venues.tallies import ConnectionCounters
from streamtrader.venues.venue import Overlap, Venue
from streamtrader.venues.waiting import Waiting, WaitingFrames

ROWS_A_BOOK = 4  # LINK rows that the end of a link and a new one write for each book


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
        self._is_relayed = venue.overlap is Overlap.RELAY
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
        self.bundles = [Bundle(venue, self.counters) for _ in venue.routes]
        self._bundle_of: dict[int, Bundle] = {}
        self._shared: dict[int, Bundle] = {}  # the bundles of those links that are not alone in theirs
        self._backlog = WaitingFrames(venue, self.counters)
        self._speaker = -1  # whose turn it is at a venue that is relayed
        self._is_playing = False
        self._received_ns = 0

    @property
    def is_delayed(self) -> bool:
        return bool(self._backlog)

    # Links.

    def open(self, number: int, link: Link, route: int) -> None:
        """A link stands. The adapter learns of the first of its first route: others change nothing of what it sees."""
        self.loop_time = asyncio.get_running_loop().time
        bundle = self._bundle_of[number] = self.bundles[route]
        self.links[number] = link
        self.counters.links_open = len(self.links)
        bundle.open(number, link)
        self._sort_links()
        if self.is_paused:
            link.pause()
        if len(self.links) == 1:
            self.clock.set_anew()
        if route == 0 and len(bundle.links) == 1:
            self._speaker = number
            self.venue.connected(self.now_ns(), self.ring)
        self.play()

    def expect_links(self, route: int, count: int) -> None:
        """So many links of a route there will be."""
        self.bundles[route].expect(count, self.loop_time())
        self._sort_links()

    def _sort_links(self) -> None:
        self._shared = {number: bundle for number, bundle in self._bundle_of.items() if bundle.is_shared}

    def close(self, number: int) -> None:
        """A link has ended. With the last one of the first route every book is stale."""
        if self.links.pop(number, None) is None:
            return
        self.counters.links_open = len(self.links)
        self.leaving.discard(number)
        bundle = self._bundle_of.pop(number)
        self._take_merged(bundle.close(number), number)
        self._sort_links()
        if not self.links:
            self._drop_backlog()
        if bundle.links and self._is_relayed:
            turns, heir = bundle.turns, bundle.heir
            self.venue.left(turns[number], turns[heir], self.now_ns(), self.ring)
        elif bundle is self.bundles[0] and not bundle.links:
            self.venue.disconnected(self.now_ns(), self.ring)
        self.play()

    def abandon(self, number: int) -> None:
        """The session ends: nothing more is written."""
        self.links.pop(number, None)
        self.counters.links_open = len(self.links)
        self._drop_backlog()

    def must_finish(self, number: int) -> bool:
        """Whether what waits has to be decoded before the end of a link, which changes what becomes of it."""
        return self._is_relayed or len(self._bundle_of[number].links) == 1

    def can_go_on_alone(self, number: int) -> bool:
        """Whether a link brings all that those beside it do."""
        bundle = self._bundle_of[number]
        is_told = not self._is_relayed or self.venue.is_told_by(bundle.turns[number])
        return is_told and not bundle.is_holding(number)

    def _turn_to(self, number: int) -> None:
        self._speaker = number
        self.venue.turn_to(self.bundles[0].turns[number])

    def release(self, *, is_final: bool = False) -> None:
        """Let go of what has waited for another link for too long; all of it at the end of the market."""
        if not self._shared:
            return
        now_s, settings = self.loop_time(), self.settings
        for number, bundle in self._shared.items():
            self._take_merged(bundle.due(now_s, -1.0 if is_final else settings.hold_s), number)
            bundle.settle(now_s, settings.overlap_s)
        self._sort_links()
        self.play()

    def renew(self, instrument: int) -> bool:
        """Begin a book anew that the engine has lost the far levels of; False where it cannot be said yet.

        There may be no link or no room, or frames wait whose clocks are older than now.
        """
        if not self.links or self._backlog or self.ring.free < ROWS_A_BOOK:
            return False
        self.venue.renew(instrument, self.now_ns(), self.ring)
        self.play()
        return True

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
            if self._is_relayed:
                size += self.venue.rows_held
                if number != self._speaker and not self._backlog:
                    self._turn_to(number)
            if number in self._shared:
                self._take_merged(self._shared[number].take(number, frames, self.loop_time()), number)
            elif not self._backlog and ring.has_room(size + ROWS_A_BOOK * count):
                self._decode_read(frames, self._received_ns, ring)  # a row takes several bytes: there is room
                if self.venue.wants_rotation:
                    self._note_leaving(number)
            else:
                for frame in frames:
                    self._take_one(frame, number)
        self.play()

    def _take_merged(self, frames: list[bytes], number: int) -> None:
        if frames and not self._is_stamped:
            self._received_ns = self.clock.now_ns()
        for frame in frames:
            self._take_one(frame, number)

    def _take_one(self, frame: bytes, number: int) -> None:
        if self._backlog or not self._has_room(self._rows_of(frame)):
            self._delay(Waiting(frame, self._received_ns, number))
        else:
            self._decode(frame, self._received_ns, number)

    def _decode(self, frame: bytes, received_ns: int, number: int) -> None:
        if self._is_relayed and number != self._speaker:
            self._turn_to(number)
        self.venue.decode(frame, received_ns, self.ring)
        if self.venue.wants_rotation:
            self._note_leaving(number)

    def _note_leaving(self, number: int) -> None:
        """The venue announced the end of the link that brought this."""
        self.venue.wants_rotation = False
        if number in self.links:
            self.leaving.add(number)

    def ping(self, number: int, payload: bytes) -> None:
        """It is answered after the frames before it: a venue may take the answer as proof that they were handled."""
        if self._backlog:
            self._delay(Waiting(payload, self._received_ns, number, is_ping=True))
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
        """What was received before the end counts, however late there is room for it, and for the end itself."""
        while (self._backlog or not self._has_room(self._rows_of_an_end)) and self.failure is None:
            self._decode_backlog()
            self.play()
            await asyncio.sleep(0 if not self._backlog else self.settings.watch_s)

    def _has_room(self, rows: int) -> bool:
        """Make sure of room, by letting the engine play where need be."""
        if not self.ring.has_room(rows) and not self._is_playing:
            self.play()
        return self.ring.has_room(rows)

    def _rows_of(self, frame: bytes) -> int:
        """With what waits at the adapter for such a frame. An empty ring has to do for them together."""
        rows = self.venue.rows_of_frame(frame)
        return min(rows + self.venue.rows_held, max(rows, len(self.ring.events))) if self._is_relayed else rows

    @property
    def _rows_of_an_end(self) -> int:
        """What the end of a link, or the loss of an oversized frame, can write."""
        rows = ROWS_A_BOOK * len(self.venue.instruments) + self.venue.rows_held
        return min(rows, len(self.ring.events))

    def _delay(self, waiting: Waiting) -> None:
        counters = self.counters
        if not waiting.is_ping:
            counters.delayed += 1
            waiting.is_oversized = self.venue.rows_of_frame(waiting.frame) > len(self.ring.events)
        self._backlog.put(waiting)
        if not self.is_paused:
            self.is_paused = True
            counters.pauses += 1
            for link in self.links.values():
                link.pause()
        if counters.backlog_bytes > self.settings.backlog_bytes_most and self.links:
            counters.overflows += 1
            counters.last_error = "more frames after the pause than can be kept"
            self._end_links()

    def _decode_backlog(self) -> None:
        backlog = self._backlog
        while backlog:
            waiting = backlog.first
            if waiting.frame and not waiting.is_ping:
                rows = self._rows_of_an_end if waiting.is_oversized else self._rows_of(waiting.frame)
                if not self._has_room(rows):
                    return
            frame, number = backlog.take(), waiting.number
            if waiting.is_ping:
                if number in self.links:
                    self.links[number].pong(frame)
            elif waiting.is_oversized:
                self._give_up(frame, waiting.received_ns, number)
            elif frame:
                self._decode(frame, waiting.received_ns, number)

    def _give_up(self, frame: bytes, received_ns: int, number: int) -> None:
        """It would wait for room for ever: what it says is lost, and the books that it names begin anew."""
        self.counters.oversized += 1
        if self._is_relayed and number != self._speaker:
            self._turn_to(number)
        clock_ns = self.now_ns() if self._is_stamped else received_ns
        for instrument in self.venue.books_in(frame):
            self.venue.renew(instrument, clock_ns, self.ring)

    def _drop_backlog(self) -> None:
        self._backlog.clear()
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
