"""The one socket loop: it runs any adapter over one websocket or several, and keeps them within the venue's limits.

This is what all links of a venue share: addresses, budgets, snapshots, the clock, and the `Intake` that what they bring
goes to. The links themselves are in `venues/lanes.py`: one lane a route of the venue, two where the connection is
hedged, and one more while a link is replaced.

Clock: `venues/clock.py`, read once a read. A stamped market brings its own clock with each frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp

from streamtrader.kernel.ring import Ring
from streamtrader.venues.addresses import Addresses
from streamtrader.venues.clock import SessionClock
from streamtrader.venues.intake import ROWS_A_BOOK, Intake
from streamtrader.venues.lanes import Lane
from streamtrader.venues.links import HandshakeRefused, Link, Opener
from streamtrader.venues.pacing import Backoff, Budget, retry_after_s, take_turn
from streamtrader.venues.picows_link import PicowsLink
from streamtrader.venues.settings import ConnectionSettings
from streamtrader.venues.snapshots import BAN_S, BANNED, PAUSE_S, TOO_MANY, WAIT_MOST_S, SnapshotFetcher
from streamtrader.venues.tallies import ConnectionCounters
from streamtrader.venues.venue import Venue

__all__ = ["Connection", "ConnectionCounters"]
CONNECTION_SHARE = 0.5  # of the venue's connections within its window: others may share the address


class Connection:
    """Runs one adapter until the market ends or `run` is cancelled.

    `on_events` is called synchronously after each read that may have brought events; `not_before_ns` is the newest
    event of an earlier session of the same tape.
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
        not_before_ns: int = 0,
    ) -> None:
        self.venue = venue
        self.ring = ring
        self.settings = settings or ConnectionSettings()
        self.settings.check(venue)
        self.opener = opener
        self.clock = SessionClock(not_before_ns)
        self.intake = Intake(venue, ring, on_events, self.settings, self.clock)
        self.addresses = Addresses(venue.name, venue.endpoints)
        self.ended: set[int] = set()  # lanes that have heard of the market's end
        limits = venue.limits
        self._budget = Budget(limits.connections * CONNECTION_SHARE, limits.connections_window_s)
        self._fetcher = SnapshotFetcher(
            venue, ring, self.settings, now_ns=self.intake.now_ns, on_events=self.intake.play
        )
        self._fetcher.is_delayed = lambda: self.intake.is_delayed
        self._seed = seed
        self._lanes: dict[Lane, asyncio.Task[None]] = {}
        self._lane_count = 0
        self._fetching: asyncio.Task[None] | None = None
        self._tasks: asyncio.TaskGroup
        self._session: aiohttp.ClientSession

    @property
    def counters(self) -> ConnectionCounters:
        counters = self.intake.counters
        counters.snapshots_requested, counters.snapshots_failed = self._fetcher.requested, self._fetcher.failed
        counters.clock_jumps, counters.clock_ahead_ns = self.clock.jumps, self.clock.ahead_ns
        return counters

    @property
    def is_paused(self) -> bool:
        return self.intake.is_paused

    def resume(self) -> None:
        """There may be room again."""
        self.intake.resume()

    def renew(self, instrument: int) -> bool:
        """Begin a book anew; see `Intake.renew`."""
        return self.intake.renew(instrument)

    def now_ns(self) -> int:
        """The clock of this session's events; see `Intake.now_ns`."""
        return self.intake.now_ns()

    async def run(self) -> None:
        """Keep the adapter connected. Returns when the market has ended.

        Raises `VenueRestricted` when no address of the venue ever served us, and all say that they never will. Later
        on that is waited out, with the state "restricted".
        """
        connector = aiohttp.TCPConnector(force_close=True, limit=8)
        timeout = aiohttp.ClientTimeout(total=self.settings.rest_timeout_s)
        # Nothing is asked for compressed, and nothing inflated: a bomb stays as small as it came.
        session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False, headers={"Accept-Encoding": "identity"}
        )
        try:
            async with session as self._session, asyncio.TaskGroup() as self._tasks:
                for route in range(len(self.venue.routes)):
                    for _ in range(self.settings.connections):
                        self.add_lane(route)
        except BaseExceptionGroup as group:
            raise _first_of(group) from group

    # What lanes call.

    def add_lane(self, route: int) -> Lane:
        self._lane_count += 1
        seed = None if self._seed is None else self._seed + self._lane_count
        lane = Lane(self, self._lane_count, route, seed)
        self._lanes[lane] = self._tasks.create_task(lane.run())
        self.intake.expect_links(route, len(self._lanes_of(route)))
        return lane

    def _lanes_of(self, route: int) -> list[Lane]:
        return [lane for lane in self._lanes if lane.route == route]

    def remove_lane(self, lane: Lane, *, is_final: bool) -> None:
        del self._lanes[lane]
        self.intake.expect_links(lane.route, len(self._lanes_of(lane.route)))
        if is_final:
            self.intake.counters.state = "ended"
            for other, task in self._lanes.items():
                if other.number not in self.ended:
                    task.cancel()

    async def wait_for_turn(self) -> None:
        """Within the venue's limit of connections, and with room for what a new link writes."""
        intake = self.intake
        await take_turn(self._budget, 1.0)
        rows = ROWS_A_BOOK * len(self.venue.instruments) + ROWS_A_BOOK
        while self.ring.free < rows:
            intake.play()
            intake.raise_failure()
            await asyncio.sleep(self.settings.watch_s)

    def open(self, lane: Lane, link: Link) -> None:
        counters = self.intake.counters
        counters.connects += 1
        self.addresses.serves()
        self.intake.open(lane.number, link, lane.route)
        if all(bundle.links for bundle in self.intake.bundles):
            counters.state = "open"
        if self._fetching is None and lane.route == 0:
            self._fetching = self._tasks.create_task(self._fetcher.run(self._session, self.addresses.current.rest))

    def close(self, lane: Lane, *, is_cancelled: bool) -> None:
        if is_cancelled:
            self.intake.abandon(lane.number)
        else:
            self.intake.counters.disconnects += 1
            self.intake.close(lane.number)
        if not self.intake.bundles[0].links and self._fetching is not None:
            self._fetching.cancel()
            self._fetching = None

    def tell(self, route: int, state: str) -> None:
        """What the connection is at, while a route has no link."""
        if not self.intake.bundles[route].links:
            self.intake.counters.state = state

    def wait_after(self, error: Exception, backoff: Backoff) -> float:
        """How long to wait after an attempt that brought no link; the next one goes to another address."""
        counters, addresses = self.intake.counters, self.addresses
        counters.connect_failures += 1
        counters.last_error = str(error) or type(error).__name__
        if addresses.fail(error.status if isinstance(error, HandshakeRefused) else 0):
            return 0.0
        if addresses.is_restricted:
            restriction = addresses.restriction()
            if not counters.connects:
                raise restriction from error
            counters.last_error = str(restriction)
        return backoff.next_s(least_s=_asked_wait_s(error))

    def outgoing(self, lane: Lane) -> list[bytes]:
        """What the adapter wants said now: to all links of its first route, since it knows of one."""
        for message in self.venue.outgoing(self.intake.now_ns()) if lane.route == 0 else ():
            for other in self._lanes_of(0):
                other.to_say.append(message)
        said, lane.to_say = lane.to_say, []
        return said


def _asked_wait_s(error: BaseException) -> float:
    if isinstance(error, HandshakeRefused) and error.status in (TOO_MANY, BANNED):
        return retry_after_s(error.retry_after, BAN_S if error.status == BANNED else PAUSE_S, WAIT_MOST_S)
    return 0.0


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error that ended all tasks; those of its own making come behind it."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
