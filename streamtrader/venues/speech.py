"""What is said to a venue: subscriptions first, then whatever its adapter asks for, within the limit of messages.

Half of what the venue allows is used, evenly spaced: a burst that one moment's limit would let pass is what bans
an address in the next one. Every message takes its turn, resubscriptions and pings too.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence

from streamtrader.errors import LinkLost
from streamtrader.venues.links import Link
from streamtrader.venues.venue import Venue

MESSAGE_SHARE = 0.5  # of the venue's messages a second, and of those an hour
HOUR_S = 3_600.0


class Speaker:
    """Speaks over one link. `outgoing` is asked again and again once the subscriptions are said."""

    def __init__(
        self, venue: Venue, link: Link, outgoing: Callable[[], list[bytes]], on_subscribed: Callable[[], None]
    ) -> None:
        self._venue = venue
        self._link = link
        self._outgoing = outgoing
        self._on_subscribed = on_subscribed
        self._said_s: deque[float] = deque()
        self._clock = asyncio.get_running_loop().time

    async def run(self, subscriptions: Sequence[bytes], every_s: float) -> None:
        """Until cancelled, or until the link ends, which tells itself."""
        with contextlib.suppress(LinkLost):
            for message in subscriptions:
                await self._say(message)
            self._on_subscribed()
            pinged_s = self._clock()
            while True:
                await asyncio.sleep(every_s)
                for message in self._outgoing():
                    await self._say(message)
                ping = self._venue.ping
                if ping is not None and self._clock() - pinged_s >= ping.every_s:
                    pinged_s = self._clock()
                    await self._send(ping.message)

    @property
    def has_said_enough(self) -> bool:
        """Whether so much was said within an hour that another connection should go on."""
        most, said_s = self._venue.limits.messages_per_hour, self._said_s
        while said_s and said_s[0] < self._clock() - HOUR_S:
            said_s.popleft()
        return 0 < MESSAGE_SHARE * most < len(said_s)

    async def _say(self, message: bytes) -> None:
        self._said_s.append(self._clock())
        await self._send(message)

    async def _send(self, message: bytes) -> None:
        await self._link.send(message)
        await asyncio.sleep(1.0 / (MESSAGE_SHARE * self._venue.limits.messages_per_s))
