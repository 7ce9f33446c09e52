"""Fetching snapshots: one at a time a symbol, with patience, and nothing of a bad answer believed."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from aiohttp import web

from streamtrader.events import BookState, Kind
from tests.venues import frames
from tests.venues.servers import QUICK, Client, serving, snapshot_of_ten, stay

pytestmark = pytest.mark.filterwarnings("error")


async def quiet(websocket, request):
    await stay(websocket)


def is_live(client):
    return lambda: client.venue.book_state(0) == BookState.LIVE


BAD = {
    "a page": (200, "text/html", b"<html>", "web page"),
    "no JSON": (200, "application/json", b"<html>", ""),
    "a price of NaN": (200, "application/json", frames.snapshot(10, (("NaN", "1"),)), ""),
    "a firewall": (403, "text/html", b"<html>", "firewall"),
    "another country": (451, "application/json", b"{}", "country"),
    "an error": (500, "application/json", b'{"code":-1000}', "status 500"),
    "too much": (200, "application/json", b" " * 200_000, "more than"),
}


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_answer_is_a_named_error_and_asked_again(what):
    status, kind, body, words = BAD[what]

    async def answer(request):
        if len(server.snapshot_paths) == 1:
            return web.Response(status=status, body=body, content_type=kind)
        return await snapshot_of_ten(request)

    async with serving(quiet, answer) as server:
        client = Client(server.url, settings=dataclasses.replace(QUICK, body_bytes_most=100_000))
        await client.run_until(is_live(client))

    assert len(server.snapshot_paths) == 2
    assert words in client.connection._fetcher.last_error
    assert client.venue.counters.snapshots_failed == 1


async def test_the_wait_that_the_venue_asks_for_is_kept():
    async def answer(request):
        return web.Response(status=429, headers={"Retry-After": "60"})

    async with serving(quiet, answer) as server:
        client = Client(server.url)
        with pytest.raises(TimeoutError):
            await client.run(0.5)

    assert len(server.snapshot_paths) == 1


async def test_an_answer_that_never_comes_ends_at_its_limit_and_is_asked_again():
    async def answer(request):
        if len(server.snapshot_paths) == 1:
            await asyncio.sleep(10)
        return await snapshot_of_ten(request)

    async with serving(quiet, answer) as server:
        client = Client(server.url, settings=dataclasses.replace(QUICK, rest_timeout_s=0.1))
        await client.run_until(is_live(client))

    assert len(server.snapshot_paths) == 2


async def test_one_request_a_symbol_is_under_way_whatever_happens_meanwhile():
    under_way = []

    async def script(websocket, request):
        for update in range(1, 40, 2):  # every one a gap
            await websocket.send_bytes(frames.spot_depth(update * 10, update * 10))
            await asyncio.sleep(0.01)
        await stay(websocket)

    async def answer(request):
        under_way.append(1)
        most.append(len(under_way))
        await asyncio.sleep(0.1)
        under_way.pop()
        body = frames.snapshot(1_000)
        return web.Response(body=body, content_type="application/json")

    most: list[int] = []
    async with serving(script, answer) as server:
        client = Client(server.url)
        await client.run_until(is_live(client))

    assert set(most) == {1}


async def test_the_answer_is_applied_before_its_connection_is_closed():
    order = []

    async def answer(request):
        response = web.StreamResponse()
        body = frames.snapshot(10)
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body)
        try:
            await asyncio.sleep(5)
        finally:
            order.append(client.ids(Kind.BOOK))
        return response

    async with serving(quiet, answer) as server:
        client = Client(server.url)
        await client.run_until(lambda: bool(order))

    assert order == [[10, 10]]


async def test_a_snapshot_waits_for_room_in_the_ring():
    levels = tuple((f"{price}.5", "1.0") for price in range(1, 150))

    async def answer(request):
        return web.Response(body=frames.snapshot(10, levels), content_type="application/json")

    async def script(websocket, request):
        for identity in range(200):
            await websocket.send_bytes(frames.spot_trade(identity))
        await stay(websocket)

    async with serving(script, answer) as server:
        client = Client(server.url, slots=256)
        client.is_held = True
        asyncio.get_running_loop().call_later(0.2, setattr, client, "is_held", False)
        await client.run_until(lambda: len(client.ids(Kind.BOOK)) == 150)

    assert client.ids(Kind.TRADE) == list(range(200))
    assert client.venue.counters.snapshots_failed == 0


async def test_a_stamped_market_must_stamp_its_snapshots():
    async def answer(request):
        if len(server.snapshot_paths) == 1:
            return web.Response(body=frames.snapshot(10), content_type="application/json")
        return await snapshot_of_ten(request)

    async with serving(quiet, answer) as server:
        client = Client(server.url, is_stamped=True)
        await client.run_until(is_live(client))

    assert client.venue.counters.snapshots_failed == 1
    assert {event[3] for event in client.kept} == {1000}
