"""What is said to a venue, over real sockets: paced, resubscribed by symbol, answered when it falls silent."""

from __future__ import annotations

import asyncio
import json
import time

from aiohttp import WSMsgType, web

from streamtrader.events import BookState, Kind
from streamtrader.kernel.ring import Ring
from streamtrader.venues.connection import Connection
from streamtrader.venues.kraken import Kraken
from streamtrader.venues.venue import Endpoints, Limits, Ping
from tests.venues.servers import QUICK
from tests.venues.streamed import instruments_of, states
from tests.venues.test_kraken import ASKS, BIDS, BTC_STEPS, book, crc_of

GOOD = crc_of(ASKS, BIDS)
FAST = Limits(messages_per_s=1000.0)


class KrakenServer:
    """Answers subscriptions to books with a snapshot, and does what `after` says once all are answered."""

    def __init__(self, after):
        self.after = after
        self.heard: list[tuple[float, dict]] = []
        self.snapshots = 0
        self.opened = 0

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(timeout=1.0)
        await websocket.prepare(request)
        self.opened += 1
        async for message in websocket:
            if message.type is not WSMsgType.TEXT:
                continue
            asked = json.loads(message.data)
            self.heard.append((time.monotonic(), asked))
            if asked["method"] == "subscribe" and asked["params"]["channel"] == "book":
                for symbol in asked["params"]["symbol"]:
                    self.snapshots += 1
                    await websocket.send_bytes(book("snapshot", BIDS, ASKS, GOOD, symbol))
            await self.after(websocket, self)
        return websocket

    async def run(self, venue_of, condition) -> tuple[Kraken, Ring, Connection]:
        application = web.Application()
        application.add_routes([web.get("/v2", self.stream)])
        runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            address = f"127.0.0.1:{runner.addresses[0][1]}"
            venue, ring = venue_of([Endpoints(f"ws://{address}", f"http://{address}")]), Ring(1 << 14)
            connection = Connection(venue, ring, lambda: None, settings=QUICK)
            async with asyncio.timeout(10), asyncio.TaskGroup() as group:
                running = group.create_task(connection.run())
                while not condition(venue, ring):
                    await asyncio.sleep(0.005)
                running.cancel()
            return venue, ring, connection
        finally:
            await runner.cleanup()


def kraken(*symbols, channels=("book",), limits=FAST):
    def make(endpoints):
        listed = instruments_of("kraken", symbols, steps=BTC_STEPS)
        return Kraken(listed, channels=channels, endpoints=endpoints, limits=limits, depth=10)

    return make


async def nothing(websocket, server):
    pass


async def test_a_failed_checksum_brings_one_symbol_back_over_the_wire_and_no_other():
    async def break_one(websocket, server):
        if len(server.heard) == 1:
            await websocket.send_bytes(book("update", [("100.0", "9.00000000")], [], GOOD, "ETH/USD"))

    server = KrakenServer(break_one)
    venue, ring, _ = await server.run(kraken("BTC/USD", "ETH/USD"), lambda venue, _: venue.counters.snapshots == 3)

    live, synced = BookState.LIVE, BookState.SYNCING
    assert states(ring, 0)[:2] == [synced, live]
    assert states(ring, 1)[:5] == [synced, live, BookState.GAP, synced, live]
    assert [(asked["method"], asked["params"]["symbol"]) for _, asked in server.heard] == [
        ("subscribe", ["BTC/USD", "ETH/USD"]),
        ("unsubscribe", ["ETH/USD"]),
        ("subscribe", ["ETH/USD"]),
    ]
    assert venue.counters.checksums_failed == 1


async def test_messages_keep_to_half_of_the_published_rate():
    server = KrakenServer(nothing)

    await server.run(
        kraken(
            "BTC/USD", channels=("book", "trade", "ticker", "ohlc", "instrument"), limits=Limits(messages_per_s=40.0)
        ),
        lambda *_: len(server.heard) == 5,
    )

    assert server.heard[-1][0] - server.heard[0][0] >= 4 * 0.05 - 0.02


async def test_a_link_is_replaced_before_the_messages_of_its_hour_are_used_up():
    async def ask_again(websocket, server):
        venues[0].messages += venues[0].resubscription(0, "book")

    server, venues = KrakenServer(ask_again), []
    make = kraken("BTC/USD", limits=Limits(messages_per_s=200.0, messages_per_hour=20))

    def remembered(endpoints):
        venues.append(make(endpoints))
        return venues[0]

    _, _, connection = await server.run(remembered, lambda *_: server.opened == 2)

    assert connection.counters.rotations == 1
    assert 10 < len(server.heard) < 20


async def test_a_link_is_pinged_as_often_as_its_venue_says():
    class Impatient(Kraken):
        ping = Ping(b'{"method":"ping"}', 0.1)

    server = KrakenServer(nothing)
    make = kraken("BTC/USD")

    def impatient(endpoints):
        return Impatient(make(endpoints).instruments, channels=("book",), endpoints=endpoints, limits=FAST, depth=10)

    await server.run(impatient, lambda *_: len(server.heard) == 4)

    said = [asked["method"] for _, asked in server.heard]
    assert said == ["subscribe", "ping", "ping", "ping"]
    assert server.heard[3][0] - server.heard[1][0] >= 2 * 0.1 - 0.02


async def test_frames_in_binary_are_read_like_those_in_text():
    async def trade(websocket, server):
        await websocket.send_bytes(
            b'{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":1.5,"qty":2.0,'
            b'"trade_id":7,"timestamp":"2023-09-25T07:49:37.708706Z"}]}'
        )

    _, ring, _ = await KrakenServer(trade).run(
        kraken("BTC/USD", channels=("trade",)), lambda venue, _: venue.counters.trades == 1
    )

    assert (ring.events["kind"] == Kind.TRADE).sum() == 1
