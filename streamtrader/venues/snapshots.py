"""Fetches the snapshots that books wait for: few at a time, within the venue's weights, and with patience.

The answer is applied while its HTTP connection is still open, and the connection is closed right after: a market
that stands still while it serves a snapshot can so tell that it was taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp

from streamtrader.errors import BadMessage, LinkLost, VenueError
from streamtrader.kernel.ring import Ring
from streamtrader.venues.links import REFUSALS
from streamtrader.venues.pacing import Backoff, Budget, retry_after_s, take_turn
from streamtrader.venues.settings import ConnectionSettings
from streamtrader.venues.venue import SnapshotRequest, Venue

STAMP_HEADER = "X-Market-Ns"
POLL_S = 0.02
ROOM_POLL_S = 0.005
AT_ONCE = 8
BAN_S, PAUSE_S, WAIT_MOST_S = 120.0, 10.0, 3 * 86_400.0
OK, TOO_MANY, BANNED = 200, 429, 418


class SnapshotFetcher:
    """One for the life of a connection object; `run` lasts as long as one link."""

    def __init__(
        self,
        venue: Venue,
        ring: Ring,
        settings: ConnectionSettings,
        *,
        now_ns: Callable[[], int],
        on_events: Callable[[], None],
    ) -> None:
        self._venue = venue
        self._ring = ring
        self._settings = settings
        self._now_ns = now_ns
        self._on_events = on_events
        self._weights = Budget(venue.limits.weight_per_minute, 60.0)
        self._backoffs: dict[str, Backoff] = {}
        self._blocked_until_s = 0.0
        self.is_delayed: Callable[[], bool] = lambda: False  # frames from before the answer still wait
        self.requested = 0
        self.failed = 0
        self.last_error = ""

    async def run(self, session: aiohttp.ClientSession, rest_url: str) -> None:
        """Fetch what is wanted until cancelled."""
        at_once = asyncio.Semaphore(1 if self._venue.is_stamped else AT_ONCE)  # a stamped market is repeatable
        async with asyncio.TaskGroup() as fetches:
            while True:
                for request in self._venue.requests():
                    fetches.create_task(self._fetch(session, rest_url, request, at_once))
                await asyncio.sleep(POLL_S)

    async def _fetch(
        self, session: aiohttp.ClientSession, rest_url: str, request: SnapshotRequest, at_once: asyncio.Semaphore
    ) -> None:
        backoff = self._backoffs.setdefault(
            request.symbol, Backoff(self._settings.backoff_base_s, self._settings.backoff_cap_s)
        )
        if backoff.failures:
            await asyncio.sleep(backoff.next_s())
        else:
            backoff.failures = 1  # until it is known to have helped, the next one waits
        async with at_once:
            await take_turn(self._weights, request.weight, lambda: self._blocked_until_s)
            self.requested += 1
            try:
                async with asyncio.timeout(self._settings.rest_timeout_s):
                    await self._get(session, rest_url + request.path, request, backoff)
            except (VenueError, aiohttp.ClientError, OSError, TimeoutError) as error:
                self.failed += 1
                self.last_error = str(error) or type(error).__name__
                self._venue.respond(request, 0, b"", self._now_ns(), self._ring)

    async def _get(
        self, session: aiohttp.ClientSession, url: str, request: SnapshotRequest, backoff: Backoff
    ) -> None:
        async with session.get(url, allow_redirects=False) as response:
            self._check(response)
            body = await body_of(response, self._settings.body_bytes_most, "snapshot: ")
            received_ns = self._received_ns(response)
            while self.is_delayed() or self._ring.free < self._venue.rows_of_answer(request, body):
                self._on_events()
                await asyncio.sleep(ROOM_POLL_S)
            taken = self._venue.counters.snapshots
            self._venue.respond(request, response.status, body, received_ns, self._ring)
            if self._venue.counters.snapshots > taken:
                backoff.reset()
            self._on_events()

    def _check(self, response: aiohttp.ClientResponse) -> None:
        status = response.status
        if status in (TOO_MANY, BANNED):
            default_s = BAN_S if status == BANNED else PAUSE_S
            wait_s = retry_after_s(response.headers.get("Retry-After"), default_s, WAIT_MOST_S)
            self._blocked_until_s = asyncio.get_running_loop().time() + wait_s
        if status != OK:
            why = REFUSALS.get(status, "the venue refuses")
            raise LinkLost(f"snapshot: status {status}: {why}", status=status)
        if "html" in response.content_type:
            raise BadMessage("snapshot: a web page instead of JSON; something stands between us and the venue")

    def _received_ns(self, response: aiohttp.ClientResponse) -> int:
        if not self._venue.is_stamped:
            return self._now_ns()
        text = response.headers.get(STAMP_HEADER, "")
        if not (text.isdigit() and 0 < int(text) < 2**63):
            raise BadMessage("snapshot: a stamped market answered without its stamp")
        return int(text)


async def body_of(response: aiohttp.ClientResponse, bytes_most: int, told: str = "") -> bytes:
    """The body of an answer; BadMessage, which `told` begins, where there is more of it than we take."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > bytes_most:
            raise BadMessage(f"{told}an answer of more than {bytes_most} bytes")
    return bytes(body)
