"""The socket loop against real sockets: what it does when the other side, or our own engine, does not behave."""

from __future__ import annotations

import asyncio
import dataclasses
import socket

import pytest
from aiohttp import WSMsgType, web

from streamtrader.events import BookState, Kind
from streamtrader.venues.links import OPENERS
from streamtrader.venues.venue import Limits
from tests.venues import frames
from tests.venues.servers import QUICK, Client, end_market, reset, serving, stay

SYNCING, LIVE, STALE = int(BookState.SYNCING), int(BookState.LIVE), int(BookState.STALE)
pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(params=list(OPENERS))
def opener(request):
    return OPENERS[request.param]


async def three_trades(websocket, request):
    for identity in (1, 2, 3):
        await websocket.send_bytes(frames.spot_trade(identity))
    await asyncio.sleep(0.05)
    await end_market(websocket)


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
    assert client.connection.counters.reads < 20
    assert len({event[3] for event in client.kept if event[0] == Kind.TRADE}) < 20  # one clock a read


def raw_frame(payload: bytes, *, opcode: int = 1, is_last: bool = True) -> bytes:
    head = bytes([opcode | (0x80 if is_last else 0)])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    return head + b"\x7e" + len(payload).to_bytes(2, "big") + payload


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


async def test_a_reset_in_the_middle_of_a_frame_is_a_lost_link_and_nothing_else(opener):
    async def script(websocket, request):
        if server.open_count == 1:
            whole = raw_frame(frames.spot_trade(1)) + raw_frame(frames.spot_trade(2))
            request.transport.write(whole[:-20])
            await asyncio.sleep(0.1)
            reset(request)
        else:
            await three_trades(websocket, request)

    async with serving(script) as server:
        client = Client(server.url, opener=opener)
        await client.run()

    assert client.ids(Kind.TRADE) == [1, 1, 2, 3]
    assert STALE in client.states()
    assert client.connection.counters.connects == 2


async def test_silence_ends_a_link_although_the_socket_stays_open(opener):
    async def script(websocket, request):
        if server.open_count == 1:
            await stay(websocket)
        else:
            await three_trades(websocket, request)

    async with serving(script) as server:
        client = Client(server.url, opener=opener, settings=dataclasses.replace(QUICK, silence_s=0.1))
        await client.run()

    assert client.connection.counters.silences == 1
    assert client.ids(Kind.TRADE) == [1, 2, 3]


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


@pytest.mark.parametrize(
    ("status", "words"),
    [(200, "no websocket"), (403, "firewall"), (451, "country"), (502, "no websocket"), (429, "too many")],
)
async def test_a_web_page_instead_of_a_websocket_is_a_named_error_and_tried_again(opener, status, words):
    async def page(request):
        return web.Response(
            status=status, text="<html>no</html>", content_type="text/html", headers={"Retry-After": "0"}
        )

    async with serving(three_trades, refusal=page) as server:
        client = Client(server.url, opener=opener)
        await client.run_until(lambda: client.connection.counters.connect_failures >= 2)

    assert words in client.connection.counters.last_error
    assert client.connection.counters.connects == 0


async def test_the_wait_that_a_refusal_asks_for_is_kept(opener):
    async def refuse(request):
        return web.Response(status=429, headers={"Retry-After": "30"})

    async with serving(three_trades, refusal=refuse) as server:
        client = Client(server.url, opener=opener)
        with pytest.raises(TimeoutError):
            await client.run(0.5)

    assert server.open_count == 1


async def test_a_handshake_that_never_comes_ends_at_its_limit(opener):
    async def never(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        client = Client(
            f"127.0.0.1:{port}", opener=opener, settings=dataclasses.replace(QUICK, connect_timeout_s=0.1)
        )
        await client.run_until(lambda: client.connection.counters.connect_failures >= 2)

    assert client.connection.counters.connects == 0


async def test_nobody_listening_is_tried_again(opener):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = Client(f"127.0.0.1:{unused.getsockname()[1]}", opener=opener)
        await client.run_until(lambda: client.connection.counters.connect_failures >= 3)

    assert client.connection.counters.state in ("waiting", "connecting")


async def test_a_frame_beyond_the_limit_ends_the_link_and_is_never_kept(opener):
    async def script(websocket, request):
        if server.open_count == 1:
            await websocket.send_bytes(b"x" * 300_000)
            await stay(websocket)
        else:
            await three_trades(websocket, request)

    async with serving(script) as server:
        settings = dataclasses.replace(QUICK, frame_bytes_most=100_000)
        client = Client(server.url, opener=opener, settings=settings)
        await client.run()

    assert client.connection.counters.received_bytes < 1_000
    assert client.ids(Kind.TRADE) == [1, 2, 3]


async def test_a_server_that_accepts_and_drops_is_not_hammered(opener):
    async def drop(websocket, request):
        reset(request)

    async with serving(drop) as server:
        limits = Limits(connections=20, connections_window_s=60.0)
        client = Client(server.url, opener=opener, limits=limits)
        with pytest.raises(TimeoutError):
            await client.run(1.5)

    assert server.open_count == 10  # half of what the venue allows in its window


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


async def test_a_protocol_violation_ends_the_link(opener):
    async def script(websocket, request):
        if server.open_count == 1:
            request.transport.write(b"\xff\x7f" + (2**63).to_bytes(8, "big"))
            await asyncio.sleep(0.5)
            reset(request)
        else:
            await three_trades(websocket, request)

    async with serving(script) as server:
        client = Client(server.url, opener=opener)
        await client.run()

    assert client.ids(Kind.TRADE) == [1, 2, 3]


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


async def test_an_announced_shutdown_is_followed_by_a_new_link_at_once(opener):
    async def script(websocket, request):
        if server.open_count == 1:
            await websocket.send_bytes(b'{"event":{"e":"serverShutdown","E":1700000000000}}')
            await stay(websocket)
        else:
            await three_trades(websocket, request)

    async with serving(script) as server:
        client = Client(server.url, opener=opener)
        await client.run()

    assert client.connection.counters.rotations == 1
    assert client.ids(Kind.TRADE) == [1, 2, 3]


async def test_a_link_is_replaced_before_the_venue_ends_it(opener):
    async def script(websocket, request):
        if server.open_count < 3:
            await stay(websocket)
        else:
            await three_trades(websocket, request)

    async with serving(script) as server:
        client = Client(server.url, opener=opener, limits=Limits(rotate_after_s=0.1))
        await client.run()

    assert client.connection.counters.rotations == 2


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

        client.connection._on_events = breaks
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

    assert [*received[0], *received[1]] == venue._streams(venue.instruments)
