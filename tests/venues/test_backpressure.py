"""A full ring: best quotes may grow old while they wait, a trade or a book message never does, and all is counted."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from streamtrader.events import BookState, Kind
from streamtrader.venues.picows_link import PicowsLink
from tests.venues import frames
from tests.venues.servers import QUICK, Client, end_market, raw_frame, serving, stay

COUNT = 300
AT_ONCE = PicowsLink.open  # a burst is one read; the other client hands over frame by frame


def burst(count=COUNT):
    made = []
    for number in range(1, count + 1):
        made += [
            frames.spot_quote(1_000 + number),
            frames.spot_trade(number),
            frames.spot_depth(10 + number, 10 + number),
        ]
    return made


async def held_session(opener, made, *, settings=QUICK, is_stamped=False, slots=128):
    """Everything arrives while the engine stands still; then it plays."""

    async def script(websocket, request):
        while client.states()[-1:] != [int(BookState.LIVE)]:
            await asyncio.sleep(0.005)
        client.is_held = True
        request.transport.write(b"".join(raw_frame(frame) for frame in made))
        while not client.connection.is_paused:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        client.is_held = False
        await asyncio.sleep(0.2)
        await end_market(websocket)

    async with serving(script) as server:
        client = Client(server.url, opener=opener, slots=slots, settings=settings, is_stamped=is_stamped)
        await client.run()
    return client


async def test_waiting_quotes_give_way_to_newer_ones_and_nothing_else_does():
    client = await held_session(AT_ONCE, burst())

    counters, quotes = client.connection.counters, client.ids(Kind.QUOTE)
    assert client.ids(Kind.TRADE) == list(range(1, COUNT + 1))
    assert [number for number in client.ids(Kind.BOOK) if number > 10] == list(range(11, 11 + COUNT))
    assert counters.conflated > 0
    assert len(quotes) + counters.conflated == COUNT
    assert quotes == sorted(quotes)
    assert quotes[-1] == 1_000 + COUNT  # the newest stays
    assert client.venue.counters.gaps == 0
    assert (counters.delayed > 0, counters.backlog_bytes, counters.oversized) == (True, 0, 0)


async def test_the_quotes_of_one_symbol_leave_those_of_another_alone():
    other = frames.spot_quote(5).replace(b"btcusdt@bookTicker", b"ethusdt@bookTicker").replace(b"BTC", b"ETH")
    client = await held_session(AT_ONCE, [*burst(60), other, *burst(1)], slots=64)

    assert client.venue.counters.unknown == 1  # it came to the adapter, which was not asked for it


async def test_what_a_stopped_socket_still_brings_has_a_limit_and_nothing_kept_is_lost():
    settings = dataclasses.replace(QUICK, backlog_bytes_most=2_000)

    async def script(websocket, request):
        if server.open_count == 1:
            client.is_held = True
            data = b"".join(raw_frame(frames.spot_trade(number)) for number in range(1, 401))
            request.transport.write(data)
            try:
                await stay(websocket)
            finally:
                client.is_held = False
        else:
            await end_market(websocket)

    async with serving(script) as server:
        client = Client(server.url, slots=64, settings=settings)
        await client.run()

    trades = client.ids(Kind.TRADE)
    assert trades == list(range(1, len(trades) + 1))
    assert client.connection.counters.overflows >= 1
    assert client.connection.counters.disconnects == 2


async def test_a_stamped_market_waits_for_us_so_no_quote_of_it_grows_old():
    stamped = [frames.stamped(frame, frames.NOW_NS + at) for at, frame in enumerate(burst())]
    async with asyncio.timeout(10):
        client = await stamped_session(stamped)

    assert client.ids(Kind.QUOTE) == list(range(1_001, 1_001 + COUNT))
    assert client.connection.counters.conflated == 0
    assert client.connection.counters.delayed > 0


async def stamped_session(made):
    async def script(websocket, request):
        client.is_held = True
        request.transport.write(b"".join(raw_frame(frame) for frame in made))
        while not client.connection.is_paused:
            await asyncio.sleep(0.005)
        client.is_held = False
        await asyncio.sleep(0.2)
        await end_market(websocket)

    async with serving(script) as server:
        client = Client(server.url, slots=128, is_stamped=True)
        await client.run()
    return client


@pytest.mark.parametrize("connections", [1, 2])
async def test_delays_are_counted_however_many_links_there_are(connections):
    settings = dataclasses.replace(QUICK, connections=connections)
    client = await held_session(AT_ONCE, burst(60), settings=settings, slots=64)

    assert client.ids(Kind.TRADE) == list(range(1, 61))
    assert client.connection.counters.delayed > 0
