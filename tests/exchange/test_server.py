"""The server over real sockets: REST as the venue answers, streams, limits, several clients."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
import websockets

from streamtrader.exchange.captures import CaptureMarket
from streamtrader.exchange.synthetic import SyntheticMarket
from tests.exchange.support import FEEDS, capture_lines, frames_of, serving, take_part, unstamped, write_capture


@pytest.fixture
def spot(tmp_path):
    return CaptureMarket([write_capture(tmp_path / "spot", capture_lines(400))])


@pytest.fixture
def usdm(tmp_path):
    return CaptureMarket([write_capture(tmp_path / "usdm", capture_lines(40, kind="usdm", with_snapshot=False))])


async def test_exchange_info_carries_the_filters_of_the_venue(spot, usdm):
    async with serving(spot) as served:
        status, document = await served.venue("exchangeInfo", symbol="BTCUSDT")
    async with serving(usdm) as served:
        _, usdm_document = await served.venue("exchangeInfo")

    assert 200 == status
    (symbol,) = document["symbols"]
    filters = {each["filterType"]: each for each in symbol["filters"]}
    assert "0.10000000" == filters["PRICE_FILTER"]["tickSize"]
    assert "0.01000000" == filters["LOT_SIZE"]["stepSize"]
    assert "5.00000000" == filters["NOTIONAL"]["minNotional"]
    assert ("BTC", "USDT", "TRADING") == (symbol["baseAsset"], symbol["quoteAsset"], symbol["status"])
    filters = {each["filterType"]: each for each in usdm_document["symbols"][0]["filters"]}
    assert ("0.1", "100") == (filters["PRICE_FILTER"]["tickSize"], filters["MIN_NOTIONAL"]["notional"])


@pytest.mark.parametrize(
    ("name", "query", "code"),
    [
        ("depth", {}, -1102),
        ("depth", {"symbol": "NOPE"}, -1121),
        ("depth", {"symbol": "BTCUSDT", "limit": "-5"}, -1100),
        ("exchangeInfo", {"symbol": "btcusdt"}, -1121),
        ("exchangeInfo", {"symbols": '["BTCUSDT","NOPE"]'}, -1121),
        ("exchangeInfo", {"symbols": "BTCUSDT"}, -1100),
        ("exchangeInfo", {"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'}, -1128),
    ],
)
async def test_a_bad_request_is_refused_with_the_code_of_the_venue(spot, name, query, code):
    async with serving(spot) as served:
        status, document = await served.venue(name, **query)

    assert (400, code) == (status, document["code"])
    assert document["msg"]


async def test_usdm_takes_only_its_own_depth_limits_and_spot_paths_do_not_exist_there(usdm):
    async with serving(usdm) as served:
        status, document = await served.venue("depth", symbol="BTCUSDT", limit="7")
        url = f"http://127.0.0.1:{served.port}/api/v3/ping"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            spot_status = response.status

    assert (400, {"code": -4021, "msg": "7 is not valid depth limit."}) == (status, document)
    assert 404 == spot_status


async def test_time_ping_and_the_description_of_the_market(spot):
    async with serving(spot) as served:
        assert (200, {}) == await served.venue("ping")
        _, time_document = await served.venue("time")
        _, market, _ = await served.get("/embedded/market")
        await take_part(served)
        _, ended, _ = await served.get("/embedded/market")

    assert spot.start_ns // 1_000_000 - time_document["serverTime"] in (0, 1)
    assert ("spot", ["BTCUSDT"], "max", 400, 0, False) == tuple(
        market[key] for key in ("kind", "symbols", "speed", "frames_total", "frames_sent", "is_ended")
    )
    assert (400, True) == (ended["frames_sent"], ended["is_ended"])


async def test_without_a_stamp_frames_are_exactly_the_venues(spot, tmp_path):
    async with serving(spot) as served:
        session = await take_part(served, url=served.stream_url(is_stamped=False))

    assert frames_of(capture_lines(400)) == session.frames


async def test_a_raw_stream_carries_the_inner_object_alone(spot):
    async with serving(spot) as served:
        session = await take_part(served, url=f"ws://127.0.0.1:{served.port}/ws/btcusdt@trade", with_snapshots=False)

    texts = [text for text in frames_of(capture_lines(400)) if "@trade" in text]
    assert [json.loads(text)["data"] for text in texts] == session.messages()


async def test_two_clients_see_the_same_frames(spot):
    async with serving(spot) as served:
        taking_part = [asyncio.create_task(take_part(served, with_snapshots=False)) for _ in range(2)]
        while len(served.pump.audience.listeners) < 2:
            await asyncio.sleep(0.001)
        await served.venue("depth", symbol="BTCUSDT")
        first, second = await asyncio.gather(*taking_part)

    assert 400 == len(first.frames)
    assert first.frames == second.frames


async def test_a_slow_client_slows_the_market_and_loses_nothing(tmp_path):
    lines = capture_lines(3_000, with_snapshot=False)
    padding = "x" * 12_000  # more than sockets buffer
    lines = [line.replace('"e":"trade"', f'"e":"trade","pad":"{padding}"') for line in lines]
    async with serving(CaptureMarket([write_capture(tmp_path / "c", lines)])) as served:
        fast = asyncio.create_task(take_part(served))
        async with websockets.connect(served.stream_url(), compression=None, max_size=None, max_queue=1) as slow:
            await asyncio.sleep(0.3)
            sent_meanwhile = served.pump.frames_sent
            received = []
            with pytest.raises(websockets.ConnectionClosedOK):
                while True:
                    received.append(str(await slow.recv()))
        assert 3_000 == len((await fast).frames)

    assert sent_meanwhile < 3_000, "nobody may run ahead of the slow one"
    assert frames_of(lines) == [unstamped(frame) for frame in received]


async def test_streams_are_subscribed_listed_and_left_by_message(spot):
    async with serving(spot) as served, websockets.connect(f"ws://127.0.0.1:{served.port}/stream") as socket:

        async def ask(**request):
            await socket.send(json.dumps(request))
            while "id" not in (answer := json.loads(await socket.recv())):
                pass
            return answer

        subscribed = await ask(method="SUBSCRIBE", params=["btcusdt@trade", "btcusdt@depth"], id=1)
        listed = await ask(method="LIST_SUBSCRIPTIONS", id="two")
        left = await ask(method="UNSUBSCRIBE", params=["btcusdt@depth"], id=3)
        unknown = await ask(method="SHOUT", id=4)

    assert {"result": None, "id": 1} == subscribed
    assert {"result": ["btcusdt@trade", "btcusdt@depth"], "id": "two"} == listed
    assert {"result": None, "id": 3} == left
    assert 2 == unknown["error"]["code"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", 3),
        ("[]", 2),
        ('{"method":"SUBSCRIBE","params":[],"id":1}', 2),
        ('{"method":"SUBSCRIBE","params":[7],"id":1}', 2),
        ('{"method":"SUBSCRIBE","params":["a@b"],"id":1.5}', 2),
        ('{"id":1}', 2),
        ('{"method":"SET_PROPERTY","params":["colour",true],"id":1}', 0),
        ('{"method":"SET_PROPERTY","params":["combined",1],"id":1}', 1),
    ],
)
async def test_a_message_that_makes_no_sense_is_answered_with_an_error(spot, message, code):
    async with serving(spot) as served, websockets.connect(f"ws://127.0.0.1:{served.port}/stream") as socket:
        await socket.send(message)

        assert code == json.loads(await socket.recv())["error"]["code"]


async def test_a_sixth_message_in_a_second_ends_the_connection(spot):
    async with serving(spot) as served, websockets.connect(f"ws://127.0.0.1:{served.port}/ws") as socket:
        for number in range(6):
            await socket.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        answers = []
        with pytest.raises(websockets.ConnectionClosedError):
            while True:
                answers.append(await socket.recv())

    assert 5 == len(answers)
    assert (1008, "Too many requests") == (socket.close_code, socket.close_reason)


async def test_more_than_1024_streams_are_refused(spot):
    streams = [f"s{number}usdt@trade" for number in range(1_025)]
    async with serving(spot) as served, websockets.connect(f"ws://127.0.0.1:{served.port}/ws") as socket:
        await socket.send(json.dumps({"method": "SUBSCRIBE", "params": streams, "id": 1}))
        refused = json.loads(await socket.recv())
        await socket.send(json.dumps({"method": "SUBSCRIBE", "params": streams[:1_024], "id": 2}))
        accepted = json.loads(await socket.recv())

    assert 2 == refused["error"]["code"]
    assert {"result": None, "id": 2} == accepted


async def test_the_server_pings(spot):
    async with (
        serving(spot, ping_every_s=0.05) as served,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"ws://127.0.0.1:{served.port}/ws", autoping=False) as socket,
    ):
        message = await socket.receive(timeout=5)

    assert aiohttp.WSMsgType.PING == message.type
    assert bytes(message.data).isdigit()


async def test_the_market_waits_for_its_first_listener_and_for_the_snapshots_of_its_depth(spot):
    async with serving(spot) as served:
        await asyncio.sleep(0.05)
        nobody = served.pump.frames_sent
        async with websockets.connect(served.stream_url()) as socket:
            await asyncio.sleep(0.1)
            unasked = served.pump.frames_sent
            await served.venue("depth", symbol="BTCUSDT")
            await socket.recv()

    assert (0, 0) == (nobody, unasked)


async def test_the_market_stands_still_until_the_snapshots_connection_is_closed():
    async with (
        serving(SyntheticMarket(["BTCUSDT"], seed=1)) as served,
        websockets.connect(served.stream_url(), compression=None, close_timeout=0.05) as socket,
        aiohttp.ClientSession() as session,
    ):
        async with session.get(f"http://127.0.0.1:{served.port}/api/v3/depth?symbol=BTCUSDT") as response:
            await response.read()
        await asyncio.sleep(0.1)
        held = served.pump.frames_sent
        await session.close()
        first = json.loads(await socket.recv())

    assert 0 == held
    assert served.pump.market.start_ns < first["ns"]


async def test_at_max_speed_the_market_stops_when_nobody_listens_and_goes_on_for_the_next():
    async with serving(SyntheticMarket(["BTCUSDT"], seed=1)) as served:
        first = await take_part(served, frames=50)
        while served.pump.audience.is_present:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        stopped_at = served.pump.frames_sent
        await asyncio.sleep(0.1)
        assert stopped_at == served.pump.frames_sent
        second = await take_part(served, frames=50)

    assert max(first.stamps()) < min(second.stamps())


async def test_speed_paces_by_stamps(tmp_path):
    lines = capture_lines(200)  # 200 ms of market time
    async with serving(CaptureMarket([write_capture(tmp_path / "c", lines)]), speed=0.5) as served:
        started = asyncio.get_running_loop().time()
        session = await take_part(served)
        took_s = asyncio.get_running_loop().time() - started

    assert 200 == len(session.frames)
    assert took_s >= 0.39


async def test_only_what_was_subscribed_is_sent(spot):
    async with serving(spot) as served:
        session = await take_part(served, url=served.stream_url(feeds=FEEDS[:1]), with_snapshots=False)

    assert {"btcusdt@trade"} == {message["stream"] for message in session.messages()}
