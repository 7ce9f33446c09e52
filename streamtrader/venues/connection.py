"""The one socket loop: it runs any adapter over a websocket, decodes where the bytes enter, and never loses order.

    open -> decode frames as they are read -> `on_events` once a read -> silence, end or rotation -> wait -> open

Back-pressure: a frame is decoded only when its rows fit the ring. Otherwise the engine is asked to play, and if
that does not help the socket is read no more: the venue's side of the line holds the flood. Frames that the last
read still brings wait here, in order, and are decoded when `resume` finds room. Nothing is dropped for being late.

Clock: the wall clock is read here, once a read, and never runs backwards for the engine. A stamped market brings
its own clock with each frame; then this module does not read one at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from streamtrader.errors import LinkLost
from streamtrader.kernel.ring import Ring
from streamtrader.venues.links import Ending, HandshakeRefused, Link, Opener, PicowsLink
from streamtrader.venues.pacing import Backoff, Budget, retry_after_s
from streamtrader.venues.settings import ConnectionSettings
from streamtrader.venues.snapshots import BAN_S, BANNED, PAUSE_S, TOO_MANY, WAIT_MOST_S, SnapshotFetcher
from streamtrader.venues.venue import Endpoints, Venue

FINAL = Ending(1000, "market ended")
ROWS_A_BOOK = 4  # LINK rows that the end of a link and a new one write for each book
CONNECTION_SHARE = 0.5  # of the venue's connections within its window: others may share the address


@dataclass(slots=True)
class ConnectionCounters:
    """For metrics; only ever growing but `state`, `last_error` and `backlog_bytes`."""

    state: str = "closed"
    connects: int = 0
    connect_failures: int = 0
    disconnects: int = 0
    silences: int = 0
    rotations: int = 0
    reads: int = 0
    received_bytes: int = 0
    delayed: int = 0  # frames that had to wait for room
    pauses: int = 0
    oversized: int = 0  # frames with more rows than the whole ring
    backlog_bytes: int = 0
    snapshots_requested: int = 0
    snapshots_failed: int = 0
    last_error: str = ""


class Connection:
    """Runs one adapter until the market ends or `run` is cancelled.

    `on_events` is called synchronously after each read that may have brought events.
    """

    def __init__(
        self,
        venue: Venue,
        ring: Ring,
        on_events: Callable[[], None],
        *,
        settings: ConnectionSettings | None = None,
        opener: Opener = PicowsLink.open,
        seed: int | None = None,
    ) -> None:
        self.venue = venue
        self.ring = ring
        self.settings = settings or ConnectionSettings()
        self._on_events = on_events
        self._opener = opener
        self._counters = ConnectionCounters()
        self._backoff = Backoff(self.settings.backoff_base_s, self.settings.backoff_cap_s, seed)
        limits = venue.limits
        self._connections = Budget(limits.connections * CONNECTION_SHARE, limits.connections_window_s)
        self._fetcher = SnapshotFetcher(venue, ring, self.settings, now_ns=self._clock_ns, on_events=self._play)
        self._fetcher.is_delayed = lambda: bool(self._backlog)
        self._link: Link | None = None
        self._backlog: deque[tuple[bytes, int, bool]] = deque()  # frame or ping, its clock, whether it is a ping
        self._is_paused = False
        self._is_playing = False
        self._failure: BaseException | None = None
        self._received_ns = 0
        self._loop_time: Callable[[], float] = lambda: 0.0
        self._alive_s = 0.0

    @property
    def counters(self) -> ConnectionCounters:
        counters = self._counters
        counters.snapshots_requested, counters.snapshots_failed = self._fetcher.requested, self._fetcher.failed
        return counters

    @property
    def is_paused(self) -> bool:
        return self._is_paused

    async def run(self) -> None:
        """Keep the adapter connected. Returns when the market has ended."""
        connector = aiohttp.TCPConnector(force_close=True, limit=8)
        timeout = aiohttp.ClientTimeout(total=self.settings.rest_timeout_s)
        attempt = 0
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            while True:
                endpoints = self.venue.endpoints[attempt % len(self.venue.endpoints)]
                wait_s = 0.0
                try:
                    ending = await self._one_link(session, endpoints)
                except (LinkLost, OSError, TimeoutError) as error:
                    attempt += 1
                    self._counters.connect_failures += 1
                    self._counters.last_error = str(error) or type(error).__name__
                    wait_s = self._backoff.next_s(least_s=_asked_wait_s(error))
                else:
                    if ending == FINAL:
                        self._counters.state = "ended"
                        return
                    if not self.venue.wants_rotation:
                        self._counters.last_error = f"closed with {ending.code} {ending.reason}".rstrip()
                        wait_s = self._backoff.next_s()
                self._counters.state = "waiting"
                await asyncio.sleep(wait_s)

    async def _one_link(self, session: aiohttp.ClientSession, endpoints: Endpoints) -> Ending:
        """From connecting to the end of the link; raises when there never was one."""
        loop = asyncio.get_running_loop()
        self._counters.state = "connecting"
        await self._wait_for_turn()
        try:
            async with asyncio.timeout(self.settings.connect_timeout_s):
                url = endpoints.stream + self.venue.stream_path()
                link = await self._opener(url, self, self.settings.frame_bytes_most)
            opened_s = loop.time()
            async with asyncio.TaskGroup() as duties:
                tasks = [
                    duties.create_task(self._fetcher.run(session, endpoints.rest)),
                    duties.create_task(self._watch(link)),
                    duties.create_task(self._subscribe(link)),
                ]
                try:
                    ending = await link.run()
                finally:
                    for task in tasks:
                        task.cancel()
            await self._finish_backlog()
        except asyncio.CancelledError:
            if self._link is not None:
                self._link.close(is_dead=True)
            raise
        finally:
            was_open, self._link = self._link is not None, None
            self._backlog.clear()
            self._counters.backlog_bytes = 0
            self._is_paused = False
        if was_open:
            self._lose()
        if loop.time() - opened_s >= self.settings.steady_s:
            self._backoff.reset()
        return ending

    async def _wait_for_turn(self) -> None:
        """Within the venue's limit of connections, and with room for what a new link writes."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._connections.wait_s(loop.time(), 1.0))
        self._connections.spend(loop.time(), 1.0)
        rows = ROWS_A_BOOK * len(self.venue.instruments) + ROWS_A_BOOK
        while self.ring.free < rows:
            self._play()
            self._raise_failure()
            await asyncio.sleep(self.settings.watch_s)

    def _lose(self) -> None:
        self._counters.disconnects += 1
        self.venue.disconnected(self._clock_ns(), self.ring)
        self._play()
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    # What the link calls.

    def on_open(self, link: Link) -> None:
        self._link = link
        self._counters.connects += 1
        self._counters.state = "open"
        self._loop_time = asyncio.get_running_loop().time
        self._alive_s = self._loop_time()
        self.venue.connected(self._clock_ns(), self.ring)
        self._play()

    def on_read(self, frames: list[bytes]) -> None:
        counters, ring, venue = self._counters, self.ring, self.venue
        counters.reads += 1
        self._alive_s = self._loop_time()
        if frames:
            if not venue.is_stamped:
                self._received_ns = max(time.time_ns(), self._received_ns)
            size = len(frames[0]) if len(frames) == 1 else sum(map(len, frames))
            counters.received_bytes += size
            if not self._backlog and ring.free > size + ROWS_A_BOOK * len(frames):
                venue.decode_read(frames, self._received_ns, ring)  # a row takes several bytes: there is room
            else:
                for frame in frames:
                    self._take(frame)
        self._play()

    def _take(self, frame: bytes) -> None:
        if self._backlog or not self._has_room(frame):
            self._delay(frame, is_ping=False)
        else:
            self.venue.decode(frame, self._received_ns, self.ring)

    def on_ping(self, payload: bytes) -> None:
        if self._backlog:
            self._delay(payload, is_ping=True)
        elif self._link is not None:
            self._link.pong(payload)

    # Room and order.

    def resume(self) -> None:
        """There may be room again: decode what waits, then read on."""
        if self._is_playing or self._link is None:
            return
        if self._backlog:
            self._decode_backlog()
            self._play()
        if self._is_paused and not self._backlog:
            self._is_paused = False
            self._alive_s = self._loop_time()
            self._link.resume()

    def _has_room(self, frame: bytes) -> bool:
        """Make sure of room for a frame, by letting the engine play where need be."""
        needed = self.venue.rows_of_frame(frame)
        if self.ring.free < needed and not self._is_playing:
            self._play()
        return self.ring.free >= needed

    def _delay(self, frame: bytes, *, is_ping: bool) -> None:
        if not is_ping and self.venue.rows_of_frame(frame) > len(self.ring.events):
            self._counters.oversized += 1  # it would wait for ever; its book will show a gap
            return
        self._backlog.append((frame, self._received_ns, is_ping))
        self._counters.backlog_bytes += len(frame)
        self._counters.delayed += not is_ping
        if self._link is not None and not self._is_paused:
            self._is_paused = True
            self._counters.pauses += 1
            self._link.pause()
        if self._counters.backlog_bytes > self.settings.backlog_bytes_most and self._link is not None:
            self._counters.last_error = "more frames after the pause than can be kept"
            self._link.close(is_dead=True)

    def _decode_backlog(self) -> None:
        while self._backlog:
            frame, received_ns, is_ping = self._backlog[0]
            if not is_ping and not self._has_room(frame):
                return
            self._backlog.popleft()
            self._counters.backlog_bytes -= len(frame)
            if not is_ping:
                self.venue.decode(frame, received_ns, self.ring)
            elif self._link is not None:
                self._link.pong(frame)

    async def _finish_backlog(self) -> None:
        """What was received before the end counts, however late there is room for it."""
        while self._backlog and self._failure is None:
            self._decode_backlog()
            self._play()
            await asyncio.sleep(0 if not self._backlog else self.settings.watch_s)

    def _play(self) -> None:
        """Hand over to the engine. Its failure ends the connection, not only the callback it happened in."""
        if self._is_playing or self._failure is not None:
            return
        self._is_playing = True
        try:
            self._on_events()
        except Exception as error:  # noqa: BLE001 - raised again from `run`
            self._failure = error
            if self._link is not None:
                self._link.close(is_dead=True)
        finally:
            self._is_playing = False

    def _clock_ns(self) -> int:
        """Now, for events of our own. A stamped market's clock is that of its newest event, 0 before the first."""
        if not self.venue.is_stamped:
            self._received_ns = max(time.time_ns(), self._received_ns)
            return self._received_ns
        ring = self.ring
        return int(ring.events[(ring.written - 1) & ring.mask]["received_ns"]) if ring.written else 0

    # Duties beside the link.

    async def _watch(self, link: Link) -> None:
        """End a silent or an old link; try for room while paused."""
        loop = asyncio.get_running_loop()
        silence_s = self.venue.limits.silence_s if self.settings.silence_s is None else self.settings.silence_s
        rotate_at_s = loop.time() + self.venue.limits.rotate_after_s
        while True:
            await asyncio.sleep(self.settings.watch_s)
            if self._is_paused:
                self.resume()
            elif loop.time() - self._alive_s > silence_s:
                self._counters.silences += 1
                link.close(is_dead=True)
                return
            if loop.time() >= rotate_at_s or self.venue.wants_rotation:
                self.venue.wants_rotation = True
                self._counters.rotations += 1
                link.close()
                await asyncio.sleep(self.settings.connect_timeout_s)
                link.close(is_dead=True)  # it was asked, and did not go
                return

    async def _subscribe(self, link: Link) -> None:
        with contextlib.suppress(LinkLost):  # the end of the link tells itself
            for message in self.venue.subscribe(self.venue.instruments):
                await link.send(message)
                await asyncio.sleep(2.0 / self.venue.limits.messages_per_s)


def _asked_wait_s(error: BaseException) -> float:
    if isinstance(error, HandshakeRefused) and error.status in (TOO_MANY, BANNED):
        return retry_after_s(error.retry_after, BAN_S if error.status == BANNED else PAUSE_S, WAIT_MOST_S)
    return 0.0
