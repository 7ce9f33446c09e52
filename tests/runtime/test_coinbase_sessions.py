"""Both feeds of Coinbase behind `--venue`, over real sockets: a lost book comes back, a tape equals its frames."""

from __future__ import annotations

import itertools
import json

import pytest
from aiohttp import WSMsgType, web

from streamtrader.config import load_settings
from streamtrader.events import BookState, Kind
from streamtrader.runtime.importing import import_captures
from streamtrader.runtime.record_files import RecordOptions
from streamtrader.runtime.recording import record_market
from tests.runtime.test_capture_imports import events_of, states_of
from tests.venues import coinbase_exchange_frames as older
from tests.venues import coinbase_frames as newer

PRODUCT = {
    "product_id": "BTC-USD", "product_type": "SPOT", "base_currency_id": "BTC", "quote_currency_id": "USD",
    "base_increment": "0.00000001", "quote_increment": "0.01", "price_increment": "0.01", "quote_min_size": "1",
}  # fmt: skip
OLDER_PRODUCT = {
    "id": "SKL-USD", "base_currency": "SKL", "quote_currency": "USD", "base_increment": "0.1",
    "quote_increment": "0.0001", "min_market_funds": "1",
}  # fmt: skip


async def advanced(said: dict, numbers: itertools.count, times: int) -> list[bytes]:
    """A book for each subscription to one; the first loses a message behind it."""
    if said["type"] != "subscribe" or said["channel"] != "level2":
        return [newer.message("subscriptions", next(numbers))]
    snapshot = newer.book(next(numbers), "snapshot", newer.BIDS, newer.ASKS)
    if times == 1:
        next(numbers)
    return [snapshot, *(newer.book(next(numbers), "update", [("100.10", f"{size}.0")]) for size in range(1, 4))]


async def exchange(said: dict, numbers: itertools.count, times: int) -> list[bytes]:
    """The same in the older protocol, whose first book is made to cross itself."""
    if said["type"] != "subscribe" or said["channels"] != ["level2_batch"]:
        return [older.subscribed("level2_batch")]
    price = "0.7950" if times == 1 else "0.7901"
    return [older.snapshot(), *(older.changes(("buy", price, f"{size}.0")) for size in range(1, 4))]


FEEDS = {
    "coinbase": ("BTC-USD", advanced, "/api/v3/brokerage/market/products", {"products": [PRODUCT]}),
    "coinbase-exchange": ("SKL-USD", exchange, "/products/SKL-USD", OLDER_PRODUCT),
}


@pytest.fixture
async def settings_of(request, tmp_path):
    name = request.param
    symbol, answer, path, rules = FEEDS[name]

    async def stream(request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(timeout=1.0)
        await websocket.prepare(request)
        numbers, times = itertools.count(), 0
        async for heard in websocket:
            if heard.type is WSMsgType.TEXT:
                said = json.loads(heard.data)
                times += said["type"] == "subscribe" and "level2" in heard.data
                for frame in await answer(said, numbers, times):
                    await websocket.send_bytes(frame)
        return websocket

    async def told(_request: web.Request) -> web.Response:
        return web.json_response(rules)

    application = web.Application()
    application.add_routes([web.get("/", stream), web.get(path, told)])
    runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"127.0.0.1:{runner.addresses[0][1]}"
    given = [f"venue.websocket_url=ws://{address}", f"venue.rest_url=http://{address}", f"exchange.symbols={symbol}"]
    ours = [f"venue.name={name}", f"run.root={tmp_path}/runs"]
    yield load_settings(overrides=[*given, *ours], directory=tmp_path)
    await runner.cleanup()


@pytest.mark.parametrize("settings_of", FEEDS, indirect=True)
async def test_a_lost_book_comes_back_and_the_tape_equals_its_own_frames(settings_of, tmp_path):
    out = tmp_path / "live.tape"

    told = await record_market(settings_of, RecordOptions(out, is_raw=True, max_events=16))

    (raw,) = tmp_path.glob("*.raw.zst")
    imported = import_captures([raw], tmp_path / "again.tape")
    live, again = events_of(out), events_of(tmp_path / "again.tape")
    assert live.tobytes() == again[: len(live)].tobytes()
    assert (told["gaps"], imported.gaps, imported.faults, imported.rejected) == (1, 1, 0, 0)
    gap, syncing, ready = BookState.GAP, BookState.SYNCING, BookState.LIVE
    assert states_of(live, 0)[:5] == [syncing, ready, gap, syncing, ready]
    assert (live["kind"] == Kind.BOOK_CLEAR).sum() == 2
