"""Where Alpaca is reached, and what it says of its assets."""

from __future__ import annotations

import json

import pytest

from streamtrader.errors import ConfigError
from streamtrader.venues.alpaca import LISTING, Alpaca, markets
from tests.venues.streamed import instruments_of

SECOND = 1_000_000_000
TRADED = ("AAPL", "BTC/USD")


def test_stocks_and_crypto_have_their_own_streams():
    def path(*symbols, stream="wss://stream.data.alpaca.markets"):
        endpoints = (markets.Endpoints(stream, "https://api.alpaca.markets"),)
        return Alpaca(instruments_of("alpaca", symbols), endpoints=endpoints).routes[0].path

    assert path("AAPL", "MSFT") == "/v2/iex"
    assert path("BTC/USD") == "/v1beta3/crypto/us"
    assert path("AAPL", stream="wss://stream.data.alpaca.markets/v2/sip") == ""
    with pytest.raises(ConfigError, match="not both"):
        path("AAPL", "BTC/USD")


def test_instruments_of_stocks_are_shares_in_cents(shared_data):
    lines = (shared_data / "wire/alpaca/rest_trading.jsonl").read_text().splitlines()
    (body,) = [
        json.loads(line)["raw"].encode() for line in lines if json.loads(line)["test"] == "TestGetAssetFromJSON"
    ]

    (instrument,) = LISTING.instruments_of(body, "spot", ["APCA"])

    assert (instrument.base, instrument.quote, instrument.kind) == ("APCA", "USD", "spot")
    assert (str(instrument.price_tick), str(instrument.size_lot)) == ("0.01", "1")
    assert (instrument.maker_fee_bps, instrument.taker_fee_bps) == (0.0, 0.0)
    with pytest.raises(ConfigError, match="does not list MSFT"):
        LISTING.instruments_of(body, "spot", ["MSFT"])


def test_instruments_of_crypto_have_the_increments_of_the_venue():
    asset = {"class": "crypto", "symbol": "BTC/USD", "min_trade_increment": "0.0001", "price_increment": "1"}

    (instrument,) = LISTING.instruments_of(json.dumps([asset]).encode(), "spot", ["BTC/USD"])

    assert (str(instrument.price_tick), str(instrument.size_lot)) == ("1", "0.0001")
    assert (instrument.maker_fee_bps, instrument.taker_fee_bps) == (15.0, 25.0)


def test_lots_of_a_coin_that_is_worth_next_to_nothing_can_count_the_levels_of_its_book():
    finest = {"class": "crypto", "min_trade_increment": "0.000000001", "price_increment": "0.000000001"}
    smallest = {"SHIB/USD": "78740.157480314", "BTC/USD": "0.000013"}
    body = json.dumps([finest | {"symbol": symbol, "min_order_size": size} for symbol, size in smallest.items()])

    cheap, dear = LISTING.instruments_of(body.encode(), "spot", tuple(smallest))

    assert (str(cheap.size_lot), str(dear.size_lot)) == ("0.000001", "1E-9")
    assert cheap.most.size > 1e12


def test_a_refused_request_for_rules_is_told_in_the_words_of_the_venue():
    body = b'{"code":40410000,"message":"asset not found for NOSUCH"}'

    with pytest.raises(ConfigError, match="asset not found for NOSUCH"):
        LISTING.instruments_of(body, "spot", ["NOSUCH"])


@pytest.mark.parametrize(
    ("symbols", "path"),
    [
        (("AAPL",), "/v2/assets/AAPL"), (("BTC/USD",), "/v2/assets/BTC%2FUSD"),
        (("AAPL", "MSFT"), "/v2/assets?status=active&asset_class=us_equity"),
        (("BTC/USD", "ETH/USD"), "/v2/assets?status=active&asset_class=crypto"), ((), "/v2/assets?status=active"),
    ],
)  # fmt: skip
def test_rules_are_asked_for_one_symbol_or_for_a_whole_class(symbols, path):
    assert LISTING.instruments_path("spot", symbols) == path
