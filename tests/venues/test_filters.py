"""The filters that venues publish, as recorded answers have them, and what is missing is no demand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from streamtrader.errors import BadMessage
from streamtrader.instruments import NO_FILTERS, Filters
from streamtrader.venues.binance.markets import SPOT, USDM, instruments_of
from streamtrader.venues.bybit.markets import instruments_of as bybit_instruments_of
from streamtrader.venues.coinbase.markets import instruments_of as coinbase_instruments_of
from streamtrader.venues.kraken.markets import instruments_of as kraken_instruments_of
from streamtrader.venues.okx.markets import instruments_of as okx_instruments_of
from tests.venues import frames

STEPS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001"},
    {"filterType": "MARKET_LOT_SIZE", "minQty": "0.0001", "maxQty": "71.5", "stepSize": "0"},
]


def binance(market, *more):
    entry = {"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT", "filters": [*STEPS, *more]}
    (instrument,) = instruments_of(frames.compact({"symbols": [entry]}), market, ["BTCUSDT"])
    return instrument.filters


def test_binance_spot_bounds_prices_by_side():
    filters = binance(
        SPOT,
        {
            "filterType": "PERCENT_PRICE_BY_SIDE", "avgPriceMins": 5, "bidMultiplierUp": "5", "bidMultiplierDown": "0.2",
            "askMultiplierUp": "6", "askMultiplierDown": "0.3",
        },
        {"filterType": "NOTIONAL", "minNotional": "5.0", "maxNotional": "9000000.0", "applyMaxToMarket": False},
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        {"filterType": "ICEBERG_PARTS", "limit": 10},
        {"filterType": "MAX_POSITION", "maxPosition": "10.00000000"},
    )  # fmt: skip

    assert filters == Filters(
        Decimal("0.00001"), Decimal(9000), Decimal("71.5"), Decimal("0.01"), Decimal(1_000_000),
        Decimal(5), Decimal("0.2"), Decimal(6), Decimal("0.3"), 5, Decimal(9_000_000), 200,
        minimum_market_size=Decimal("0.0001"), maximum_position=Decimal(10), maximum_waiting_orders=5, maximum_parts=10,
    )  # fmt: skip


def test_binance_futures_bound_each_side_from_one_end_by_the_mark():
    filters = binance(
        USDM,
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.05", "multiplierDown": "0.95", "multiplierDecimal": "4"},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
    )

    assert (filters.bid_up, filters.ask_down, filters.is_by_mark) == (Decimal("1.05"), Decimal("0.95"), True)
    assert (filters.ask_up, filters.bid_down, filters.average_minutes) == (0, 0, 0)
    assert (filters.maximum_orders, filters.maximum_waiting_orders) == (200, 10)


def test_filters_that_nothing_can_pass_are_a_bad_message():
    with pytest.raises(BadMessage, match="minimum_price"):
        binance(SPOT, {"filterType": "PRICE_FILTER", "minPrice": "5", "maxPrice": "4", "tickSize": "0.01"})


def test_coinbase_publishes_smallest_and_largest_sizes_and_values(shared_data):
    body = (shared_data / "wire/coinbase/nautilus/http_products.json").read_bytes()

    (instrument,) = coinbase_instruments_of(body, "spot", ["BTC-USD"])

    assert instrument.filters == Filters(
        Decimal("0.00000001"), Decimal(3400), maximum_notional=Decimal(150_000_000)
    )


def test_kraken_publishes_a_smallest_size():
    pair = {"wsname": "XBT/USD", "pair_decimals": 1, "lot_decimals": 8, "ordermin": "0.00005", "costmin": "0.5"}
    body = frames.compact({"error": [], "result": {"XXBTZUSD": pair}})

    (instrument,) = kraken_instruments_of(body, ["BTC/USD"])

    assert instrument.filters == Filters(minimum_size=Decimal("0.00005"))


@pytest.mark.parametrize(("kind", "most_at_market"), [("SPOT", 0), ("SWAP", Decimal(120))])
def test_okx_counts_contracts_and_an_amount_of_money_is_no_size(kind, most_at_market):
    rule = {
        "instId": "BTC-USDT-SWAP" if kind == "SWAP" else "BTC-USDT", "instType": kind, "tickSz": "0.1", "lotSz": "1",
        "minSz": "1", "maxLmtSz": "1000", "maxMktSz": "12000", "ctType": "linear" if kind == "SWAP" else "",
        "ctVal": "0.01" if kind == "SWAP" else "",
    }  # fmt: skip
    (instrument,) = okx_instruments_of(frames.compact({"code": "0", "data": [rule]}), [rule["instId"]])
    scale = instrument.contract_size

    assert instrument.filters == Filters(1 * scale, 1000 * scale, Decimal(most_at_market))


def test_bybit_publishes_sizes_prices_and_values():
    rule = {
        "symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT",
        "priceFilter": {"tickSize": "0.1", "minPrice": "0.1", "maxPrice": "1999999.8"},
        "lotSizeFilter": {"qtyStep": "0.001", "minOrderQty": "0.001", "maxOrderQty": "1190", "maxMktOrderQty": "500"},
        "contractType": "LinearPerpetual",
    }  # fmt: skip
    (instrument,) = bybit_instruments_of(frames.compact({"retCode": 0, "result": {"list": [rule]}}), ["BTCUSDT"])

    assert instrument.filters == Filters(
        Decimal("0.001"), Decimal(1190), Decimal(500), Decimal("0.1"), Decimal("1999999.8")
    )


def test_an_answer_without_filters_demands_nothing():
    rule = {
        "symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "priceFilter": {"tickSize": "0.1"},
        "lotSizeFilter": {"basePrecision": "0.001"},
    }  # fmt: skip
    (instrument,) = bybit_instruments_of(frames.compact({"retCode": 0, "result": {"list": [rule]}}), ["BTCUSDT"])

    assert instrument.filters == NO_FILTERS
