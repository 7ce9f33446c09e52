"""A session begins with the first venue that serves it, says so, and never moves afterwards."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from streamtrader.config import load_settings
from streamtrader.errors import ConfigError, VenueError, VenueRestricted
from streamtrader.instruments import Instrument
from streamtrader.runtime.failover import settled, told_of, translated
from streamtrader.runtime.setup import endpoints_of
from streamtrader.venues.venue import Endpoints


def kraken_pairs(*names):
    result = {
        name: {
            "altname": name.replace("/", ""), "wsname": name, "base": name.partition("/")[0], "quote": name.partition("/")[2],
            "pair_decimals": 1, "lot_decimals": 8, "tick_size": "0.1", "ordermin": "0.0001", "costmin": "0.5",
            "status": "online", "aclass_base": "currency", "cost_decimals": 5, "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]],
        }
        for name in names
    }  # fmt: skip
    return {"error": [], "result": result}


BINANCE_RULES = {
    "symbols": [
        {
            "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
                {"filterType": "LOT_SIZE", "stepSize": "0.00001"},
            ],
        }
    ]
}  # fmt: skip


@asynccontextmanager
async def venue(*, rules, status=200, stream_status=101):
    """A server that tells its rules at every path, and opens a stream or refuses it."""
    asked = []

    async def answer(request):
        asked.append(request.path_qs)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            if stream_status != 101:
                return web.Response(status=stream_status)
            websocket = web.WebSocketResponse()
            await websocket.prepare(request)
            async for _ in websocket:
                pass
            return websocket
        return web.Response(status=status, body=json.dumps(rules), content_type="application/json")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host = f"127.0.0.1:{runner.addresses[0][1]}"
        yield Endpoints(f"ws://{host}", f"http://{host}"), asked
    finally:
        await runner.cleanup()


def settings_of(tmp_path, *overrides):
    given = ("venue.name=binance", "venue.fallback=kraken", "exchange.symbols=BTCUSDT", "venue.fallback_after_s=0")
    return load_settings(overrides=(*given, *overrides), directory=tmp_path)


def reach_of(**addresses):
    return lambda _settings, name: (addresses[name],)


NOWHERE = Endpoints("ws://127.0.0.1:9", "http://127.0.0.1:9")


async def test_a_venue_that_serves_is_kept(tmp_path):
    async with venue(rules=BINANCE_RULES) as (binance, _):
        settings = settings_of(tmp_path)
        found, moves = await settled(settings, reach=reach_of(binance=binance, kraken=NOWHERE))

    assert (found, moves) == (settings, ())


@pytest.mark.parametrize(("status", "stream_status"), [(451, 101), (200, 451), (503, 101), (200, 403)])
async def test_a_venue_that_refuses_at_the_start_is_left_for_the_next_one_and_that_is_told(
    tmp_path, status, stream_status
):
    async with (
        venue(rules=BINANCE_RULES, status=status, stream_status=stream_status) as (binance, _),
        venue(rules=kraken_pairs("ETH/USDT", "BTC/USDT", "BTC/USD")) as (kraken, _),
    ):
        with capture_logs() as logs:
            found, moves = await settled(settings_of(tmp_path), reach=reach_of(binance=binance, kraken=kraken))

    assert found.venue.name == "kraken"
    assert found.exchange.symbols == ("BTC/USDT",)
    assert {symbol for strategy in found.strategies for symbol in strategy.instruments} >= {"BTC/USDT"}
    assert [move.venue for move in moves] == ["binance"]
    assert "instead of binance: " in told_of(moves)
    (line,) = logs
    assert (line["log_level"], line["venue"], line["next"]) == ("warning", "binance", "kraken")


async def test_a_venue_that_is_out_of_reach_is_tried_for_the_stated_time(tmp_path):
    async with venue(rules=kraken_pairs("BTC/USDT")) as (kraken, _):
        found, moves = await settled(settings_of(tmp_path), reach=reach_of(binance=NOWHERE, kraken=kraken))

    assert found.venue.name == "kraken"
    assert "no answer" in moves[0].why


async def test_without_a_fallback_nothing_is_tried_and_nothing_moves(tmp_path):
    settings = settings_of(tmp_path, "venue.fallback=")

    assert await settled(settings, reach=reach_of()) == (settings, ())


async def test_when_no_venue_serves_the_last_one_says_why(tmp_path):
    async with venue(rules={}, status=451) as (binance, _), venue(rules={}, status=451) as (kraken, _):
        with pytest.raises(VenueRestricted, match="kraken does not serve"):
            await settled(settings_of(tmp_path), reach=reach_of(binance=binance, kraken=kraken))


async def test_a_mistake_in_the_settings_is_no_reason_to_move(tmp_path):
    async with venue(rules={"symbols": []}) as (binance, _):
        with pytest.raises(ConfigError):
            await settled(settings_of(tmp_path), reach=reach_of(binance=binance, kraken=NOWHERE))


async def test_a_fallback_that_cannot_be_hedged_is_none_for_a_hedged_session(tmp_path):
    async with (
        venue(rules={}, status=451) as (binance, _),
        venue(rules=kraken_pairs("BTC/USDT")) as (kraken, _),
    ):
        with pytest.raises(VenueError, match="cannot be hedged"):
            await settled(
                settings_of(tmp_path, "venue.connections=2"), reach=reach_of(binance=binance, kraken=kraken)
            )


def listed(symbol):
    base, _, quote = symbol.partition("/")
    return Instrument("kraken", symbol, base, quote, Decimal("0.1"), Decimal("0.001"))


def test_a_symbol_is_translated_by_base_and_quote_and_never_to_another_quote():
    there = [listed("BTC/USD"), listed("BTC/USDT"), listed("ETH/USDT")]

    assert [each.symbol for each in translated(["ETHUSDT", "BTCUSDT"], "binance", there)] == ["ETH/USDT", "BTC/USDT"]
    with pytest.raises(VenueError, match="no market in SOL against USDT"):
        translated(["SOLUSDT"], "binance", there)


def test_addresses_of_the_settings_are_those_of_the_venue_that_they_name(tmp_path):
    settings = settings_of(tmp_path, "venue.websocket_url=ws://127.0.0.1:9", "venue.rest_url=http://127.0.0.1:9")

    assert endpoints_of(settings, "binance") == (NOWHERE,)
    assert endpoints_of(settings, "kraken") != (NOWHERE,)


@pytest.mark.parametrize("wrong", ["venue.fallback=nowhere", "venue.fallback=ccxt", "venue.connections=3"])
def test_a_wrong_setting_is_told(tmp_path, wrong):
    with pytest.raises(ConfigError, match=wrong.partition("=")[0].replace(".", r"\.")):
        settings_of(tmp_path, wrong)
