"""A book that the engine has lost the far levels of is begun anew: at once where that can be said, later where not."""

from __future__ import annotations

import asyncio
import json

import numpy as np

from streamtrader.events import BookState, Kind
from streamtrader.kernel.ring import Ring
from tests.venues import frames
from tests.venues.coinbase_frames import ASKS, BIDS, LOST, SECOND, book, live_books
from tests.venues.servers import Client, end_market, raw_frame, serving, stay
from tests.venues.streamed import NOW_NS, states, venue_of

A_SIDE = 40_000  # levels of Coinbase's largest books


def test_a_streamed_book_is_asked_for_alone_and_the_snapshot_makes_it_live():
    venue, ring, number = live_books("BTC-USD", "ETH-USD")
    start = ring.written

    venue.renew(1, NOW_NS + SECOND, ring)

    asked = [json.loads(said) for said in venue.outgoing(NOW_NS + SECOND)]
    assert [(said["type"], said["channel"], said["product_ids"]) for said in asked] == [
        ("unsubscribe", "level2", ["ETH-USD"]),
        ("subscribe", "level2", ["ETH-USD"]),
    ]
    venue.decode(book(number, "snapshot", BIDS, ASKS, "ETH-USD"), NOW_NS + 2 * SECOND, ring)
    assert states(ring, 1, start) == [*LOST, BookState.LIVE]
    assert states(ring, 0, start) == []


def test_the_whole_snapshot_of_a_thick_book_fits_and_is_told_level_by_level():
    venue, ring = venue_of("coinbase", "BTC-USD"), Ring(1 << 18)
    venue.connected(NOW_NS, ring)
    bids = [(f"{60_000 - step / 100:.2f}", "0.5") for step in range(A_SIDE)]
    asks = [(f"{60_001 + step / 100:.2f}", "0.5") for step in range(A_SIDE)]
    frame = book(0, "snapshot", bids, asks)

    assert len(frame) <= venue.limits.frame_bytes_most
    assert ring.has_room(venue.rows_of_frame(frame))
    venue.decode(frame, NOW_NS, ring)

    events = ring.events[: ring.written]
    told = events[events["kind"] == Kind.BOOK]
    assert venue.book_state(0) == BookState.LIVE
    assert np.array_equal(told["a"], [float(price) for price, _ in bids + asks])


async def test_a_book_is_not_begun_anew_before_the_frames_that_wait_nor_without_a_link():
    async def script(websocket, request):
        while client.states()[-1:] != [BookState.LIVE]:
            await asyncio.sleep(0.005)
        client.is_held = True
        large = frames.spot_depth(11, 11, [(f"{price}.5", "1.0") for price in range(1, 151)])
        filling = [frames.spot_trade(number) for number in range(200)]
        request.transport.write(b"".join(map(raw_frame, [*filling, large])))  # there is room, but not for the last
        is_over = asyncio.create_task(stay(websocket))
        while client.venue.book_state(0) == BookState.LIVE:
            await asyncio.sleep(0.005)
        await end_market(websocket)
        await is_over

    said = []
    async with serving(script) as server:
        client = Client(server.url, slots=256)
        said.append(client.connection.renew(0))
        async with asyncio.TaskGroup() as group:
            group.create_task(client.run())
            while not client.connection.is_paused:
                await asyncio.sleep(0.005)
            assert client.ring.has_room(20)
            said.append(client.connection.renew(0))
            client.go_on()
            said.append(client.connection.renew(0))

    assert said == [False, False, True]
    assert client.states()[:4] == [BookState.SYNCING, BookState.LIVE, *LOST]
