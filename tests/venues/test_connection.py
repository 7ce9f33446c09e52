"""The socket loop against real sockets: frames, pings, a full ring, and our own engine when it does not behave."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from aiohttp import WSMsgType, web

from streamtrader.events import BookState, Kind
from tests.venues import frames
from tests.venues.servers import QUICK, Client, end_market, raw_frame, serving, stay, three_trades

SYNCING, LIVE, STALE = int(BookState.SYNCING), int(BookState.LIVE), int(BookState.STALE)
pytestmark = pytest.mark.filterwarnings("error")


async def test_frames_reach_the_ring_in_order_until_the_market_ends(opener):
    async with serving(three_trades) as server:
        client = Client(server.url, opener=opener)

        await client.run()

    assert client.ids(Kind.TRADE) == [1, 2, 3]
    assert client.connection.counters.state == "ended"
    assert client.states()[0] == SYNCING
    assert client.states()[-1] == STALE


async def test_the_engine_is_called_once_a_read_and_not_once_a_frame():
    async def script(websocket, request):
        data = b"".join(raw_frame(frames.spot_trade(identity)) for identity in range(100))
        request.transport.write(data)
        await asyncio.sleep(0.05)
        await end_market(websocket)

    async with serving(script) as server:
        client = Client(server.url)
        await client.run()

    assert client.ids(Kind.TRADE) == list(range(100))
    assert len(client.turns) < 20
    assert len({event[3] for event in client.kept if event[0] == Kind.TRADE}) < 20  # one clock a read


async def test_a_book_is_live_after_its_snapshot(opener):
    async def script(websocket, request):
        await websocket.send_bytes(frames.spot_depth(9, 11))
        await asyncio.sleep(0.3)
        await websocket.send_bytes(frames.spot_depth(12, 13))
        await asyncio.sleep(0.05)
        await end_market(websocket)

    async with serving(script) as server:
        client = Client(server.url, opener=opener)
        await client.run()

    assert client.states() == [SYNCING, LIVE, STALE]
    assert client.ids(Kind.BOOK) == [10, 10, 11, 13]
    assert server.snapshot_paths == ["/api/v3/depth?symbol=BTCUSDT&limit=1000"]


async def test_pings_are_signs_of_life_and_are_answered(opener):
    pongs = []

    async def script(websocket, request):
        for number in range(10):
            await websocket.ping(str(number).encode())
            message = await websocket.receive()
            assert message.type is WSMsgType.PONG
            pongs.append(bytes(message.data))
            await asyncio.sleep(0.05)
        await end_market(websocket)

    async with serving(script) as server:
        client = Client(server.url, opener=opener, settings=dataclasses.replace(QUICK, silence_s=0.3))
        await client.run()

    assert pongs == [str(number).encode() for number in range(10)]
    assert client.connection.counters.silences == 0


async def test_frames_in_parts_and_binary_frames_are_messages_too():
    async def script(websocket, request):
        trade = frames.spot_trade(1)
        parts = (raw_frame(trade[:50], is_last=False), raw_frame(trade[50:], opcode=0))
        request.transport.write(parts[0] + raw_frame(b"hello", opcode=9) + parts[1])
        request.transport.write(raw_frame(frames.spot_trade(2), opcode=2))
        await asyncio.sleep(0.05)
        await end_market(websocket)

    async with serving(script) as server:
        client = Client(server.url)
        await client.run()

    assert client.ids(Kind.TRADE) == [1, 2]


async def test_without_room_frames_wait_in_order_and_none_is_lost(opener):
    count = 2_000

    async def script(websocket, request):
        for identity in range(count):
            await websocket.send_bytes(frames.spot_trade(identity))
        await asyncio.sleep(0.05)
        await end_market(websocket)

    async with serving(script) as server:
        client = Client(server.url, opener=opener, slots=256)
        client.is_held = True

        async def engine():
            while not client.connection.is_paused:
                await asyncio.sleep(0.002)
            for _ in range(3):  # stop and go
                await asyncio.sleep(0.02)
                client.is_held = False
                client.play()
                client.connection.resume()
                client.is_held = True
            client.is_held = False

        async with asyncio.TaskGroup() as group:
            group.create_task(client.run(20.0))
            group.create_task(engine())

    assert client.ids(Kind.TRADE) == list(range(count))
    assert client.connection.counters.delayed > 0
    assert client.connection.counters.pauses > 0
    assert client.connection.counters.backlog_bytes == 0


async def test_a_ping_is_answered_only_after_the_frames_before_it():
    events_at_pong = []

    async def script(websocket, request):
        data = b"".join(raw_frame(frames.spot_trade(identity)) for identity in range(400))
        request.transport.write(data + raw_frame(b"seen?", opcode=9))
        message = await websocket.receive()
        events_at_pong.append((message.type, client.venue.counters.trades))
        await end_market(websocket)

    async with serving(script) as server:
        client = Client(server.url, slots=256)
        client.is_held = True
        async with asyncio.TaskGroup() as group:
            group.create_task(client.run())
            while not client.connection.is_paused:
                await asyncio.sleep(0.002)
            assert events_at_pong == []
            client.is_held = False

    assert events_at_pong == [(WSMsgType.PONG, 400)]


async def test_a_frame_of_more_rows_than_the_ring_is_dropped_and_counted():
    levels = tuple((f"{price}.5", "1.0") for price in range(1, 2_000))

    async def script(websocket, request):
        await websocket.send_bytes(frames.spot_depth(11, 12, levels))
        await three_trades(websocket, request)

    async with serving(script) as server:
        client = Client(server.url, slots=256)
        await client.run()

    assert client.connection.counters.oversized == 1
    assert client.ids(Kind.TRADE) == [1, 2, 3]


async def test_a_stamped_market_brings_its_own_clock():
    async def script(websocket, request):
        assert request.query["stamp"] == "ns"
        while not server.snapshot_paths:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)
        first = 1_723_161_254_000_000_000
        await websocket.send_bytes(frames.stamped(frames.spot_depth(11, 12), first))
        await websocket.send_bytes(frames.stamped(frames.spot_trade(1), first + 5))
        await asyncio.sleep(0.05)
        await end_market(websocket)

    async def answer(request):
        headers = {"X-Market-Ns": "1723161253999999999"}
        return web.Response(body=frames.snapshot(10), content_type="application/json", headers=headers)

    async with serving(script, answer) as server:
        client = Client(server.url, is_stamped=True)
        await client.run()

    first = 1_723_161_254_000_000_000
    assert [event[3] for event in client.kept] == [first - 1] * 4 + [first, first + 5, first + 5]
    assert client.states() == [LIVE, STALE]  # nothing is told before the market's clock is known


async def test_a_failure_of_the_engine_ends_the_connection_with_that_failure(opener):
    class EngineBroke(Exception):
        pass

    async with serving(three_trades) as server:
        client = Client(server.url, opener=opener)
        play = client.play

        def breaks():
            play()
            if client.ids(Kind.TRADE):
                raise EngineBroke

        client.connection.intake.on_events = breaks
        with pytest.raises(EngineBroke):
            await client.run()


async def test_cancelling_leaves_no_task_and_no_open_link(opener):
    async def script(websocket, request):
        await websocket.send_bytes(frames.spot_trade(1))
        try:
            await stay(websocket)
        finally:
            closed.set()

    closed = asyncio.Event()
    async with serving(script) as server:
        before = len(asyncio.all_tasks())
        client = Client(server.url, opener=opener)
        await client.run_until(lambda: bool(client.ids(Kind.TRADE)))
        async with asyncio.timeout(2.0):
            await closed.wait()
        await asyncio.sleep(0.05)
        assert len(asyncio.all_tasks()) <= before


async def test_many_streams_are_subscribed_by_messages_within_the_limit():
    from streamtrader.kernel.ring import Ring
    from streamtrader.venues.binance import Binance
    from streamtrader.venues.connection import Connection
    from streamtrader.venues.venue import Endpoints

    received = []

    async def script(websocket, request):
        assert "streams" not in request.query
        received.append((await websocket.receive_json())["params"])
        received.append((await websocket.receive_json())["params"])
        await end_market(websocket)

    symbols = [f"COIN{number}USDT" for number in range(130)]
    async with serving(script) as server:
        venue = Binance(
            [frames.instrument(symbol) for symbol in symbols],
            endpoints=[Endpoints(f"ws://{server.url}", f"http://{server.url}")],
        )
        connection = Connection(venue, Ring(1 << 12), lambda: None, settings=QUICK)
        async with asyncio.timeout(5.0):
            await connection.run()

    assert [*received[0], *received[1]] == venue._streams(venue.channels)
