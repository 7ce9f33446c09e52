"""Two links over real sockets: hedged for a whole session, or for the moment of a rotation. Nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random

import pytest
from aiohttp import web

from streamtrader.errors import ConfigError
from streamtrader.events import BookState, Kind
from streamtrader.kernel.ring import Ring
from streamtrader.venues.connection import Connection
from streamtrader.venues.venue import Limits
from tests.venues import frames
from tests.venues.servers import QUICK, Client, end_market, reset, serving, stay
from tests.venues.streamed import venue_of

SYNCING, LIVE, STALE = int(BookState.SYNCING), int(BookState.LIVE), int(BookState.STALE)
HEDGED = dataclasses.replace(QUICK, connections=2)
WHOLE = [SYNCING, LIVE, STALE]
pytestmark = pytest.mark.filterwarnings("error")


class Market:
    """One numbered market for all listeners; each hears it with a lag of its own, none misses anything while it lives."""

    def __init__(self, count, *, seed=1):
        self.random = random.Random(seed)
        self.count = count
        self.published = []
        self.news = asyncio.Condition()
        self.sockets = []
        self.is_over = False

    async def play(self):
        for number in range(1, self.count + 1):
            await asyncio.sleep(0.001)
            async with self.news:
                self.published += [
                    frames.spot_trade(number),
                    frames.spot_quote(20 + 3 * number),
                    frames.spot_depth(10 + number, 10 + number),
                ]
                self.news.notify_all()
        async with self.news:
            self.is_over = True
            self.news.notify_all()

    async def script(self, websocket, request):
        """From the moment of the subscription on."""
        self.sockets.append(request)
        at, lag_s = len(self.published), self.random.uniform(0.0, 0.004)
        while True:
            async with self.news:
                await self.news.wait_for(lambda at=at: len(self.published) > at or self.is_over)
                until = len(self.published)
            await asyncio.sleep(lag_s)
            for frame in self.published[at:until]:
                await websocket.send_bytes(frame)
            at = until
            if self.is_over and at == len(self.published):
                await asyncio.sleep(0.05)
                return await end_market(websocket)

    async def answer(self, request):
        """A snapshot of the book as it is now."""
        return web.Response(body=frames.snapshot(10 + len(self.published) // 3), content_type="application/json")


async def session(market, *, settings=HEDGED, opener=None, meanwhile=None, **options):
    options |= {"opener": opener} if opener is not None else {}
    async with serving(market.script, market.answer) as server:
        client = Client(server.url, settings=settings, **options)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            running = group.create_task(client.connection.run())
            while client.states()[-1:] != [LIVE]:
                await asyncio.sleep(0.005)
            if settings.connections == 2:
                while client.connection.counters.links_open < 2:
                    await asyncio.sleep(0.005)
            tasks = [group.create_task(market.play())]
            if meanwhile is not None:
                tasks.append(group.create_task(meanwhile(client)))
            await running
            for task in tasks:
                task.cancel()
    return client


def assert_whole(client, count):
    assert client.ids(Kind.TRADE) == list(range(1, count + 1))
    assert client.ids(Kind.QUOTE) == [20 + 3 * number for number in range(1, count + 1)]
    assert [number for number in client.ids(Kind.BOOK) if number > 10] == list(range(11, 11 + count))
    assert client.states() == WHOLE
    assert client.venue.counters.gaps == 0


async def test_two_links_bring_one_market(opener):
    client = await session(Market(200), opener=opener)

    assert_whole(client, 200)
    assert client.connection.counters.duplicates == 600
    assert client.connection.counters.connects == 2


async def test_a_link_that_dies_takes_nothing_with_it(opener):
    market = Market(600)

    async def kill(client):
        for _ in range(4):
            await asyncio.sleep(0.1)
            while client.connection.counters.links_open < 2 or not client.connection.intake.can_go_on_alone(
                max(client.connection.intake.links)
            ):
                await asyncio.sleep(0.002)
            await asyncio.sleep(0.05)  # both have said something of every stream
            alive = [request for request in market.sockets if request.transport is not None]
            with contextlib.suppress(AssertionError):
                reset(market.random.choice(alive[-2:]))

    client = await session(market, opener=opener, meanwhile=kill)

    assert_whole(client, 600)
    assert client.connection.counters.disconnects >= 4


async def test_a_link_is_replaced_without_a_gap(opener):
    limits = Limits(rotate_after_s=0.25, messages_per_s=100.0)

    client = await session(Market(800), settings=QUICK, opener=opener, limits=limits)

    assert_whole(client, 800)
    assert client.connection.counters.rotations >= 2
    assert client.connection.counters.links_open == 0


async def test_both_links_of_a_hedge_are_replaced_without_a_gap():
    client = await session(Market(800), limits=Limits(rotate_after_s=0.25, messages_per_s=100.0))

    assert_whole(client, 800)
    assert client.connection.counters.rotations >= 4


async def test_an_announced_end_of_one_link_replaces_that_one_alone():
    market = Market(400)
    script = market.script

    async def announcing(websocket, request):
        async def announce():
            await asyncio.sleep(0.1)
            await websocket.send_bytes(b'{"event":{"e":"serverShutdown","E":1700000000000}}')

        is_first = not market.sockets
        async with asyncio.TaskGroup() as group:
            if is_first:
                group.create_task(announce())
            await script(websocket, request)

    market.script = announcing

    client = await session(market)

    assert_whole(client, 400)
    assert client.connection.counters.rotations == 1
    assert client.connection.counters.connects == 3


async def test_a_link_that_hangs_is_left_behind_and_the_other_goes_on():
    market = Market(300)
    script = market.script

    async def hanging(websocket, request):
        if market.sockets:
            await script(websocket, request)
        else:
            market.sockets.append(request)
            await stay(websocket)

    market.script = hanging
    settings = dataclasses.replace(HEDGED, silence_s=0.15)

    client = await session(market, settings=settings)

    assert_whole(client, 300)
    assert client.connection.counters.silences >= 1


async def test_the_ring_may_be_full_while_two_links_bring_the_market():
    market = Market(300)

    async def hold(client):
        for _ in range(5):
            client.is_held = True
            while not (client.connection.is_paused or market.is_over):
                await asyncio.sleep(0.002)
            client.is_held = False
            client.play()
            client.connection.resume()
            await asyncio.sleep(0.02)

    client = await session(market, slots=64, meanwhile=hold)

    assert client.ids(Kind.TRADE) == list(range(1, 301))
    assert [number for number in client.ids(Kind.BOOK) if number > 10] == list(range(11, 311))
    assert client.states() == WHOLE
    counters = client.connection.counters
    assert counters.pauses > 0
    assert len(client.ids(Kind.QUOTE)) + counters.conflated == 300


@pytest.mark.parametrize("name", ["kraken", "coinbase", "coinbase-exchange", "alpaca"])
def test_a_venue_without_common_numbers_refuses_two_connections(name):
    symbol = "AAPL" if name == "alpaca" else "BTC-USD" if name.startswith("coinbase") else "BTC/USD"

    with pytest.raises(ConfigError, match=r"venue\.connections.*set it to 1"):
        Connection(venue_of(name, symbol), Ring(64), lambda: None, settings=HEDGED)
