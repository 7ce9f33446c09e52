"""Compressed, binary, oversized, or no JSON at all: refused and counted at every venue, and never an exception."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import zlib

import pytest
from aiohttp import web

from streamtrader.events import Kind
from streamtrader.venues.picows_link import PicowsLink
from streamtrader.venues.registry import VENUES, listing_of
from tests.venues import frames
from tests.venues.seeds import SEEDS
from tests.venues.servers import QUICK, Client, end_market, raw_frame, serving, stay, three_trades
from tests.venues.test_mutations import warm_venue

STRANGE = (
    b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>",
    b"\x00\x01\x02\x03\xff\xfe\xfd",
    gzip.compress(b'{"stream":"btcusdt@trade"}'),
    b"",
)


@pytest.mark.parametrize("frame", STRANGE, ids=["html", "binary", "gzip", "empty"])
@pytest.mark.parametrize("name", VENUES)
def test_what_is_no_message_is_counted_at_every_venue(name, frame):
    venue, ring = warm_venue(name, SEEDS[name][0], is_fast=False)
    written, before = ring.written, dataclasses.replace(venue.counters)

    venue.decode(frame, frames.NOW_NS * 2, ring)

    after = venue.counters
    assert after.frames == before.frames + 1
    assert after.rejected + after.unknown == before.rejected + before.unknown + 1
    assert after.faults == 0
    assert {int(kind) for kind in ring.events[written : ring.written]["kind"]} <= {int(Kind.LINK)}


async def test_a_compressed_frame_that_nobody_asked_for_is_not_inflated(opener):
    """One library ends the link at once, the other hands the frame over as it is: then it is no message."""

    async def script(websocket, request):
        if server.open_count == 1:
            assert "permessage-deflate" not in request.headers.get("Sec-WebSocket-Extensions", "")
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            packed = packer.compress(bytes(1 << 26)) + packer.flush(zlib.Z_SYNC_FLUSH)
            whole = raw_frame(packed[:60_000])
            request.transport.write(bytes([whole[0] | 0x40]) + whole[1:])  # RSV1: compressed
            await stay(websocket)
        else:
            await three_trades(websocket, request)

    async with serving(script) as server:
        client = Client(server.url, opener=opener, settings=dataclasses.replace(QUICK, silence_s=0.5))
        await client.run()

    assert client.ids(Kind.TRADE) == [1, 2, 3]
    assert client.connection.counters.received_bytes < 100_000
    assert client.venue.counters.rejected == (opener == PicowsLink.open)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_compressed_answer_is_refused_as_small_as_it_came(coding):
    bomb = gzip.compress(bytes(1 << 26)) if coding == "gzip" else zlib.compress(bytes(1 << 26))

    async def answer(request):
        assert request.headers["Accept-Encoding"] == "identity"
        if len(server.snapshot_paths) == 1:
            return web.Response(body=bomb, content_type="application/json", headers={"Content-Encoding": coding})
        return web.Response(body=frames.snapshot(10), content_type="application/json")

    async def script(websocket, request):
        while client.venue.counters.snapshots == 0:
            await asyncio.sleep(0.005)
        await end_market(websocket)

    async with serving(script, answer) as server:
        client = Client(server.url)
        await client.run()

    assert (client.venue.counters.snapshots, client.venue.counters.snapshots_failed) == (1, 1)


def test_a_frame_may_be_as_large_as_its_venue_says():
    limits = {name: listing_of(name).limits.frame_bytes_most for name in VENUES if name != "ccxt"}

    assert limits["coinbase"] == limits["coinbase-exchange"] == 16 << 20
    assert {most for name, most in limits.items() if not name.startswith("coinbase")} == {1 << 20}


async def test_the_limit_of_a_frame_is_that_of_the_venue_unless_it_is_set(opener):
    async def script(websocket, request):
        if server.open_count == 1:
            await websocket.send_bytes(b"x" * 40_000)
            await stay(websocket)
        else:
            await three_trades(websocket, request)

    async with serving(script) as server:
        limits = dataclasses.replace(listing_of("binance").limits, frame_bytes_most=20_000)
        client = Client(server.url, opener=opener, limits=limits)
        await client.run()

    assert client.connection.counters.connects == 2
    assert client.ids(Kind.TRADE) == [1, 2, 3]
