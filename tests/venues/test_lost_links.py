"""The socket loop when the other side does not behave: every link that ends is replaced, and none in a hurry."""

from __future__ import annotations

import asyncio
import dataclasses
import socket

import pytest
from aiohttp import web

from streamtrader.events import BookState, Kind
from streamtrader.venues.venue import Limits
from tests.venues import frames
from tests.venues.servers import QUICK, Client, mute, raw_frame, reset, serving, stay, three_trades

STALE = int(BookState.STALE)
pytestmark = pytest.mark.filterwarnings("error")


async def test_a_reset_in_the_middle_of_a_frame_is_a_lost_link_and_nothing_else(opener):
    async def script(websocket, request):
        if server.open_count == 1:
            whole = raw_frame(frames.spot_trade(1)) + raw_frame(frames.spot_trade(2))
            request.transport.write(whole[:-20])
            while not client.ids(Kind.TRADE):  # a reset takes back what was not read
                await asyncio.sleep(0.002)
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


@pytest.mark.parametrize(
    ("status", "words"),
    [(200, "no websocket"), (403, "firewall"), (502, "no websocket"), (429, "too many")],
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
    async with mute() as address:
        client = Client(address, opener=opener, settings=dataclasses.replace(QUICK, connect_timeout_s=0.1))
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
