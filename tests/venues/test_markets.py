"""What the venue publishes about its instruments, and how its streams are named."""

from __future__ import annotations

import gzip
import io
import json
from decimal import Decimal

import pytest
import zstandard

from streamtrader.errors import BadMessage, ConfigError
from streamtrader.venues.binance import LISTING, MARKET_DATA_ONLY, SPOT, USDM, Binance, instruments_of
from tests.venues import frames


def exchange_info(**changes):
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001000"},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True},
    ]
    entry = {"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT", "filters": filters} | changes
    return frames.compact({"timezone": "UTC", "symbols": [entry]})


def test_ticks_lots_and_the_smallest_notional_are_read_exactly():
    (instrument,) = instruments_of(exchange_info(), SPOT, ["BTCUSDT"])

    assert (instrument.price_tick, instrument.size_lot) == (Decimal("0.01"), Decimal("0.00001"))
    assert instrument.minimum_notional == Decimal(5)
    assert (instrument.base, instrument.quote, instrument.kind) == ("BTC", "USDT", "spot")


def test_a_symbol_that_is_not_listed_is_named():
    with pytest.raises(ConfigError, match="DOGEUSDT"):
        instruments_of(exchange_info(), SPOT, ["BTCUSDT", "DOGEUSDT"])


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"{}", exchange_info(filters=[]), exchange_info(filters=7),
     exchange_info(filters=[{"filterType": "PRICE_FILTER", "tickSize": "0"}, {"filterType": "LOT_SIZE", "stepSize": "1"}]),
     exchange_info(filters=[{"filterType": "PRICE_FILTER", "tickSize": "x"}, {"filterType": "LOT_SIZE", "stepSize": "1"}])],
)  # fmt: skip
def test_filters_that_cannot_be_read_are_a_bad_message(body):
    with pytest.raises(BadMessage):
        instruments_of(body, SPOT, ["BTCUSDT"])


def test_recorded_filters_of_futures_are_read(shared_data):
    packed = (shared_data / "wire" / "binance" / "cryptofeed_BINANCE_FUTURES.jsonl.zst").read_bytes()
    lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(packed), "utf-8")
    answers = (json.loads(line) for line in lines)
    body = next(answer["data"] for answer in answers if "exchangeInfo" in answer.get("url", "")).encode()

    sushi, akro = instruments_of(body, USDM, ["SUSHIUSDT", "AKROUSDT"])

    assert (sushi.price_tick, sushi.size_lot, sushi.kind) == (Decimal("0.0010"), Decimal(1), "perpetual")
    assert akro.price_tick == Decimal("0.00001")


def test_few_streams_are_named_in_the_path():
    venue = Binance([frames.instrument()], is_stamped=True)

    assert venue.routes[0].path == "/stream?streams=btcusdt@trade/btcusdt@bookTicker/btcusdt@depth@100ms&stamp=ns"
    assert venue.subscribe(venue.routes[0]) == []


def test_more_streams_than_a_connection_carries_are_refused():
    with pytest.raises(ConfigError, match="1024"):
        Binance([frames.instrument(f"COIN{number}USDT") for number in range(400)])


def test_market_data_only_addresses_come_first():
    assert SPOT.endpoints[0] == MARKET_DATA_ONLY
    assert MARKET_DATA_ONLY.stream == "wss://data-stream.binance.vision"
    assert len(SPOT.endpoints) > 1


@pytest.mark.parametrize(
    ("channels", "path"),
    [(("trade", "bookTicker", "depth@100ms"), "public"), (("depth20@100ms",), "public"),
     (("aggTrade", "kline_1m", "markPrice@1s", "forceOrder"), "market")],
)  # fmt: skip
def test_usdm_serves_books_and_the_rest_at_different_paths(channels, path):
    venue = Binance([frames.instrument(market=USDM)], USDM, channels=channels)

    streams = "/".join(f"btcusdt@{channel}" for channel in channels)
    assert venue.routes == ((f"/{path}/stream?streams={streams}", channels),)


def test_usdm_channels_of_two_paths_take_two_routes_books_first():
    channels = ("aggTrade", "trade", "markPrice@1s", "depth@100ms")

    usdm, spot = (Binance([frames.instrument(market=market)], market, channels=channels) for market in (USDM, SPOT))

    assert [route.channels for route in usdm.routes] == [("trade", "depth@100ms"), ("aggTrade", "markPrice@1s")]
    assert [route.channels for route in spot.routes] == [channels]


def test_a_channel_that_a_market_lacks_is_refused():
    with pytest.raises(ConfigError, match="serves no rumours"):
        Binance([frames.instrument(market=USDM)], USDM, channels=("trade", "rumours"))


def test_limits_are_those_that_each_market_publishes():
    spot, usdm = Binance([frames.instrument()]), Binance([frames.instrument(market=USDM)], USDM)

    assert (spot.limits.messages_per_s, usdm.limits.messages_per_s) == (5.0, 10.0)
    assert (spot.limits.weight_per_minute, usdm.limits.weight_per_minute) == (3_000, 1_200)
    assert spot.limits.silence_s > 20.0  # the server pings so often
    assert usdm.limits.silence_s > 2 * USDM.beat_every_s > 0.0


@pytest.mark.parametrize(
    ("contract", "kind"),
    [("PERPETUAL", "perpetual"), ("TRADIFI_PERPETUAL", "perpetual"), ("PERPETUAL DELIVERING", "perpetual"),
     ("CURRENT_QUARTER", "future"), ("NEXT_QUARTER DELIVERING", "future"), ("", "perpetual")],
)  # fmt: skip
def test_a_contract_that_is_delivered_is_no_perpetual(contract, kind):
    (instrument,) = instruments_of(exchange_info(contractType=contract), USDM, ["BTCUSDT"])

    assert instrument.kind == kind
    assert LISTING.market(kind) is USDM


@pytest.mark.parametrize(("path", "market"), [("/api/v3", SPOT), ("/fapi/v1", USDM)])
def test_every_recorded_rule_and_snapshot_is_read(shared_data, path, market):
    packed = (shared_data / "wire" / "binance" / "gocryptotrader_http_recorded.json.gz").read_bytes()
    routes = json.loads(gzip.decompress(packed))["routes"]
    bodies = [frames.compact(answer["data"]) for answer in routes[f"{path}/depth"]["GET"]]
    body = frames.compact(routes[f"{path}/exchangeInfo"]["GET"][0]["data"])

    instruments = instruments_of(body, market, [])
    assert len(instruments) == 25
    assert all(instrument.kind == market.kind for instrument in instruments)
    for answer in bodies:
        venue, ring = frames.adapter(market=market)
        frames.go_live(venue, ring, 0, answer)
        assert venue.book_state(0) == frames.BookState.LIVE


def test_without_depth_an_instrument_is_live_at_once():
    from streamtrader.kernel.ring import Ring

    venue, ring = Binance([frames.instrument()], channels=("trade",)), Ring(64)

    venue.connected(5, ring)

    assert frames.states(ring) == [frames.BookState.LIVE]
    assert venue.requests() == []
