"""Any venue of the registry behind `--venue`: its rules, its adapter, its frames over real sockets onto a tape."""

from __future__ import annotations

import json

import pytest
from aiohttp import WSMsgType, web

from streamtrader.config import load_settings
from streamtrader.errors import ConfigError, VenueError
from streamtrader.events import BookState, Kind
from streamtrader.runtime.importing import import_captures
from streamtrader.runtime.record_files import RecordOptions
from streamtrader.runtime.recording import record_market
from streamtrader.runtime.setup import open_feed
from streamtrader.venues.kraken import Kraken
from tests.runtime.test_capture_imports import GOOD, events_of, states_of
from tests.venues.test_kraken import ASKS, BIDS, book

RULES = {
    "error": [],
    "result": {
        "XXBTZUSD": {"wsname": "XBT/USD", "pair_decimals": 1, "lot_decimals": 8, "tick_size": "0.1", "costmin": "0.5",
                     "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]]},
    },
}  # fmt: skip


async def rules(request: web.Request) -> web.Response:
    return web.json_response(RULES)


async def stream(request: web.Request) -> web.WebSocketResponse:
    """A book that fails once and is asked for again."""
    websocket = web.WebSocketResponse(timeout=1.0)
    await websocket.prepare(request)
    asked = 0
    async for message in websocket:
        if message.type is not WSMsgType.TEXT:
            continue
        said = json.loads(message.data)
        if said["method"] == "subscribe" and said["params"]["channel"] == "book":
            asked += 1
            result = {"channel": "book", "depth": said["params"]["depth"], "symbol": "BTC/USD"}
            await websocket.send_json({"method": "subscribe", "result": result, "success": True})
            await websocket.send_bytes(book("snapshot", BIDS, ASKS, GOOD))
            wrong = 1 if asked == 1 else 0
            await websocket.send_bytes(book("update", [("100.0", "0.02000000")], [], GOOD + wrong))
    return websocket


@pytest.fixture
async def settings_of(tmp_path):
    application = web.Application()
    application.add_routes([web.get("/v2", stream), web.get("/0/public/AssetPairs", rules)])
    runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"127.0.0.1:{runner.addresses[0][1]}"

    def settings(*more: str):
        given = [
            f"venue.websocket_url=ws://{address}",
            f"venue.rest_url=http://{address}",
            "exchange.symbols=BTC/USD",
        ]
        ours = ["venue.name=kraken", f"run.root={tmp_path}/runs"]
        return load_settings(overrides=[*given, *ours, *more], directory=tmp_path)

    yield settings
    await runner.cleanup()


async def test_a_venue_brings_its_adapter_and_its_own_rules(settings_of):
    async with open_feed(settings_of()) as feed:
        assert isinstance(feed.adapter, Kraken)
        assert feed.label == "KRAKEN"
        (instrument,) = feed.instruments
        assert (str(instrument.price_tick), instrument.taker_fee_bps) == ("0.1", 40.0)


async def test_a_market_that_the_venue_has_not_is_refused(settings_of):
    with pytest.raises(ConfigError, match="Kraken has spot, no perpetual"):
        async with open_feed(settings_of("venue.kind=perpetual")):
            pass


async def test_a_symbol_that_the_venue_has_not_is_told(settings_of):
    with pytest.raises((ConfigError, VenueError), match="does not list ETH/USD"):
        async with open_feed(settings_of("exchange.symbols=ETH/USD")):
            pass


async def test_what_is_recorded_equals_what_is_imported_from_the_same_frames(settings_of, tmp_path):
    out = tmp_path / "live.tape"

    told = await record_market(settings_of(), RecordOptions(out, is_raw=True, max_events=16))

    (raw,) = tmp_path.glob("*.raw.zst")
    imported = import_captures([raw], tmp_path / "again.tape")
    live, again = events_of(out), events_of(tmp_path / "again.tape")
    assert live.tobytes() == again[: len(live)].tobytes()
    assert (told["gaps"], imported.gaps) == (1, 1)
    gap, syncing, ready = BookState.GAP, BookState.SYNCING, BookState.LIVE
    assert states_of(live, 0)[:5] == [syncing, ready, gap, syncing, ready]
    assert (live["kind"] == Kind.BOOK_CLEAR).sum() >= 2
