"""What is said to a venue: subscriptions first, then whatever its adapter asks for, within the limit of messages.

Half of what the venue allows is used, evenly spaced: a burst that one moment's limit would let pass is what bans
an address in the next one. Every message takes its turn, resubscriptions and pings too.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from streamtrader.errors import LinkLost
from streamtrader.venues.links import Link
from streamtrader.venues.venue import Venue

MESSAGE_SHARE = 0.5  # of the venue's messages a second


async def speak(
    venue: Venue, link: Link, outgoing: Callable[[], list[bytes]], every_s: float, on_subscribed: Callable[[], None]
) -> None:
    """Say it over one link until cancelled; `outgoing` is asked every `every_s` once the subscriptions are said."""
    clock = asyncio.get_running_loop().time
    space_s = 1.0 / (MESSAGE_SHARE * venue.limits.messages_per_s)
    messages = venue.subscribe(venue.instruments)
    with contextlib.suppress(LinkLost):  # the end of the link tells itself
        for message in messages:
            await link.send(message)
            await asyncio.sleep(space_s)
        on_subscribed()
        pinged_s = clock()
        while True:
            await asyncio.sleep(every_s)
            messages, ping = outgoing(), venue.ping
            if ping is not None and clock() - pinged_s >= ping.every_s:
                pinged_s = clock()
                messages.append(ping.message)
            for message in messages:
                await link.send(message)
                await asyncio.sleep(space_s)
