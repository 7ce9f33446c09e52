"""Two links over real sockets: hedged for a whole session, or for the moment of a rotation. Nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import dataclasses
import random

import pytest
from aiohttp import web

from streamtrader.errors import ConfigError
from streamtrader.events import BookState, Kind
from streamtrader.kernel.ring import Ring
from streamtrader.venues import lanes
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

    def __init__(self, least, *, seed=1):
        self.random = random.Random(seed)
        self.least = least  # numbers; it goes on while it `is_needed`
        self.is_needed = False
        self.published = []
        self.news = asyncio.Condition()
        self.sockets = []
        self.is_over = False

    @property
    def count(self):
        return len(self.published) // 3

    async def play(self):
        while self.count < self.least or self.is_needed:
            number = self.count + 1
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
        return web.Response(body=frames.snapshot(10 + self.count), content_type="application/json")

    def finish(self):
        """Tell a little more."""
        self.least, self.is_needed = self.count + 50, False


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
            market.is_needed = meanwhile is not None
            tasks = [group.create_task(market.play())]
            if meanwhile is not None:
                tasks.append(group.create_task(meanwhile(client)))
            await running
            for task in tasks:
                task.cancel()
    return client


def counters_of(client):
    return client.connection.counters


async def until(condition):
    while not condition():
        await asyncio.sleep(0.002)


def both_tell_all(client):
    """Whether two links stand, and each has told messages of all kinds that the other told too, and holds none back."""
    feeds = client.connection.intake.bundles[0]._merger._feeds.values()
    return len(feeds) == 2 and all(len(feed.positions) == 3 and not feed.held for feed in feeds)


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
    market = Market(100)

    async def kill(client):
        for died in range(4):
            await until(lambda died=died: counters_of(client).disconnects == died and both_tell_all(client))
            reset(market.random.choice([request for request in market.sockets if request.transport is not None]))
        await until(lambda: counters_of(client).disconnects == 4 and both_tell_all(client))
        market.finish()

    client = await session(market, opener=opener, meanwhile=kill)

    assert_whole(client, market.count)
    assert counters_of(client).disconnects >= 4


@pytest.mark.parametrize("settings", [QUICK, HEDGED], ids=["one", "hedged"])
async def test_links_are_replaced_without_a_gap(settings, opener):
    limits, market = Limits(rotate_after_s=0.25, messages_per_s=100.0), Market(100)

    async def rotate(client):
        """Some links end in turn; then those that stand stay, and none is on its way when the market ends."""
        told, links = counters_of(client), settings.connections
        await until(lambda: told.disconnects >= 2 * links)
        client.venue.limits = dataclasses.replace(limits, rotate_after_s=1e9)
        await until(lambda: told.rotations == told.disconnects and told.links_open == links)
        market.finish()

    client = await session(market, settings=settings, opener=opener, limits=limits, meanwhile=rotate)

    assert_whole(client, market.count)
    assert counters_of(client).links_open == 0


async def test_an_announced_end_of_one_link_replaces_that_one_alone():
    market, is_heard = Market(100), asyncio.Event()
    script = market.script

    async def announcing(websocket, request):
        async def announce():
            await is_heard.wait()
            await websocket.send_bytes(b'{"event":{"e":"serverShutdown","E":1700000000000}}')

        is_first = not market.sockets
        async with asyncio.TaskGroup() as group:
            if is_first:
                group.create_task(announce())
            await script(websocket, request)

    async def announced(client):
        await until(lambda: both_tell_all(client))
        is_heard.set()
        await until(lambda: counters_of(client).disconnects == 1 and both_tell_all(client))
        market.finish()

    market.script = announcing

    client = await session(market, meanwhile=announced)

    assert_whole(client, market.count)
    assert counters_of(client).rotations == 1
    assert counters_of(client).connects == 3


async def test_a_link_that_hangs_is_left_behind_and_the_other_goes_on():
    market = Market(100)
    script = market.script

    async def hanging(websocket, request):
        if market.sockets:
            await script(websocket, request)
        else:
            market.sockets.append(request)
            await stay(websocket)

    async def left_behind(client):
        await until(lambda: counters_of(client).silences == 1 and both_tell_all(client))
        market.finish()

    market.script = hanging
    settings = dataclasses.replace(HEDGED, silence_s=1.0)

    client = await session(market, settings=settings, meanwhile=left_behind)

    assert_whole(client, market.count)


async def test_the_ring_may_be_full_while_two_links_bring_the_market():
    market = Market(300)

    async def hold(client):
        for _ in range(5):
            client.is_held = True
            await until(lambda: client.connection.is_paused)
            client.is_held = False
            client.play()
            client.connection.resume()
            await asyncio.sleep(0.02)
        market.finish()

    client = await session(market, slots=64, meanwhile=hold)

    assert client.ids(Kind.TRADE) == list(range(1, market.count + 1))
    assert [number for number in client.ids(Kind.BOOK) if number > 10] == list(range(11, 11 + market.count))
    assert client.states() == WHOLE
    counters = client.connection.counters
    assert counters.pauses > 0
    assert len(client.ids(Kind.QUOTE)) + counters.conflated == market.count


async def test_an_engine_that_stands_still_at_the_end_of_the_market_still_hears_all_of_it(monkeypatch):
    """One link has brought all and its end; the other's end cannot be heard, because nobody reads while there is no room."""
    monkeypatch.setattr(lanes, "FINAL_GRACE_S", 0.1)
    market = Market(40)
    market.published = [frame for number in range(1, 41) for frame in (frames.spot_trade(number), frames.spot_quote(20 + 3 * number))]
    has_begun = asyncio.Event()

    async def script(websocket, request):
        is_first = not market.sockets
        market.sockets.append(request)
        await has_begun.wait()
        for frame in market.published[: None if is_first else 20]:
            await websocket.send_bytes(frame)
        await asyncio.sleep(0.0 if is_first else 0.3)
        await end_market(websocket)

    async def stand_still(client):
        client.is_held = True
        has_begun.set()
        while not client.connection.counters.pauses:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.5)
        client.go_on()

    market.script, market.play = script, has_begun.wait

    client = await session(market, slots=64, meanwhile=stand_still)

    client.go_on()
    assert client.ids(Kind.TRADE) == list(range(1, 41))
    assert client.connection.counters.conflated + len(client.ids(Kind.QUOTE)) == 40


@pytest.mark.parametrize("name", ["kraken", "coinbase", "coinbase-exchange", "alpaca"])
def test_a_venue_without_common_numbers_refuses_two_connections(name):
    symbol = "AAPL" if name == "alpaca" else "BTC-USD" if name.startswith("coinbase") else "BTC/USD"

    with pytest.raises(ConfigError, match=r"venue\.connections.*set it to 1"):
        Connection(venue_of(name, symbol), Ring(64), lambda: None, settings=HEDGED)
