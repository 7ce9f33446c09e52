"""Alpaca behind `--venue`: the feed and the encoding of the settings, over real sockets, onto a tape."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from aiohttp import WSMsgType, web

from streamtrader.config import load_settings
from streamtrader.errors import ConfigError
from streamtrader.events import Kind
from streamtrader.runtime.record_files import RecordOptions
from streamtrader.runtime.recording import record_market
from streamtrader.runtime.setup import open_feed
from streamtrader.runtime.warm_start import check_past
from streamtrader.storage.tape import Tape
from streamtrader.venues.alpaca.login import KEY_NAME, SECRET_NAME
from tests.venues import alpaca_frames as made


class Server:
    """Speaks the encoding that it is asked for, on every path; keeps the paths, and what was said on them."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.said: list[dict] = []

    async def asset(self, request: web.Request) -> web.Response:
        symbol = request.match_info["symbol"]
        kind = "crypto" if "/" in symbol else "us_equity"
        return web.json_response({"symbol": symbol, "class": kind})

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(timeout=1.0)
        await websocket.prepare(request)
        self.paths.append(request.path)
        is_binary = request.headers["Content-Type"].endswith("msgpack")
        read = msgspec.msgpack.decode if is_binary else json.loads

        async def send(*messages):
            if is_binary:
                await websocket.send_bytes(made.binary(*messages))
            else:
                await websocket.send_str(made.text(*messages).decode())

        await send(made.CONNECTED)
        async for message in websocket:
            assert message.type is (WSMsgType.BINARY if is_binary else WSMsgType.TEXT)
            self.said.append(read(message.data))
            if self.said[-1]["action"] == "auth":
                await send(made.AUTHENTICATED)
            elif "statuses" in self.said[-1]:  # the last that is asked for
                await send(made.SUBSCRIBED)
                await send(made.quote(), made.trade(), made.trade(c=["@", "I"]), made.trade())
        return websocket


@pytest.fixture
async def market(tmp_path, monkeypatch):
    """The server, and settings of a session there."""
    monkeypatch.setenv(KEY_NAME, "PKCANARY0123456789AB")
    monkeypatch.setenv(SECRET_NAME, "canarysecretCANARYSECRETcanarysecret1234")
    server, application = Server(), web.Application()
    paths = ("/v2/{feed}", "/v1beta1/{feed}", "/v1beta3/crypto/{feed}")
    application.add_routes([web.get("/v2/assets/{symbol}", server.asset), *(web.get(each, server.stream) for each in paths)])
    runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"127.0.0.1:{runner.addresses[0][1]}"

    def settings(*more: str, path: str = ""):
        urls = [f"venue.websocket_url=ws://{address}{path}", f"venue.rest_url=http://{address}"]
        ours = ["venue.name=alpaca", "exchange.symbols=AAPL", f"run.root={tmp_path}/runs"]
        return load_settings(overrides=[*urls, *ours, *more], directory=tmp_path)

    yield server, settings
    await runner.cleanup()


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ((), "/v2/iex"),
        (("venue.feed=sip",), "/v2/sip"),
        (("venue.feed=overnight", "venue.encoding=msgpack"), "/v1beta1/overnight"),
        (("venue.encoding=json",), "/v2/iex"),
    ],
)
async def test_a_session_listens_to_the_feed_and_speaks_the_encoding_of_its_settings(market, tmp_path, wanted, path):
    server, settings = market

    await record_market(settings(*wanted), RecordOptions(tmp_path / "x.tape", max_events=5))

    events = np.concatenate([np.asarray(events) for events in Tape.open(tmp_path / "x.tape").events()])
    assert server.paths == [path]
    assert [message["action"] for message in server.said[:3]] == ["auth", "subscribe", "subscribe"]
    trades = events[events["kind"] == Kind.TRADE]
    assert trades["c"][:2].tolist() == [0.0, 1.0]


async def test_crypto_has_feeds_of_its_own(market):
    _, settings = market

    async with open_feed(settings("venue.feed=us-1", "exchange.symbols=BTC/USD")) as feed:
        assert feed.adapter.routes[0].path == "/v1beta3/crypto/us-1"


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (("venue.feed=spi",), "venue.feed = 'spi': Alpaca has, for AAPL: iex, sip, delayed_sip, boats, overnight, test"),
        (("venue.feed=us",), "for AAPL: iex"),
        (("venue.feed=sip", "exchange.symbols=BTC/USD"), "for BTC/USD: us, us-1, eu-1"),
        (("exchange.symbols=BTC/USD,AAPL",), "stocks or crypto, not both: run a session for each"),
        (("venue.name=kraken", "venue.feed=sip"), "venue.feed = 'sip': Kraken has one feed: leave it empty"),
        (("venue.name=kraken", "venue.encoding=msgpack"), "venue.encoding = 'msgpack': Kraken speaks json"),
        (("venue.name=embedded", "venue.feed=sip"), "the embedded exchange has one feed, in JSON; leave them empty"),
    ],
)
async def test_a_feed_or_an_encoding_that_is_not_there_is_told_before_anybody_is_asked(market, wanted, said):
    server, settings = market

    with pytest.raises(ConfigError, match=said):
        async with open_feed(settings(*wanted)):
            pass

    assert server.paths == []


async def test_a_feed_is_named_once(market):
    _, settings = market

    async with open_feed(settings(path="/v2/sip")) as feed:
        assert feed.adapter.routes[0].path == ""
    with pytest.raises(ConfigError, match="both name a feed"):
        async with open_feed(settings("venue.feed=sip", path="/v2/sip")) as feed:
            _ = feed.adapter.routes


def test_an_encoding_that_nobody_speaks_is_a_mistake_of_the_settings(tmp_path):
    with pytest.raises(ConfigError, match=r"venue\.encoding"):
        load_settings(overrides=["venue.encoding=xml"], directory=tmp_path)


@pytest.mark.parametrize(("feed", "said"), [("us", "for AAPL: iex"), ("test", "the test feed has no past")])
def test_a_past_that_the_feed_has_not_is_told_first(tmp_path, feed, said):
    wanted = ["venue.name=alpaca", "exchange.symbols=AAPL", "candles.warmup=5", f"venue.feed={feed}"]

    with pytest.raises(ConfigError, match=rf"candles\.warmup: .*{said}"):
        check_past(load_settings(overrides=wanted, directory=tmp_path))
