"""Which messages grow old while they wait: best quotes alone, and what of them is read all the same."""

from __future__ import annotations

import pytest

from streamtrader.venues.venue import Ageing
from tests.venues import alpaca_frames as alpaca
from tests.venues import bybit_frames as bybit
from tests.venues import coinbase_exchange_frames as exchange
from tests.venues import coinbase_frames as coinbase
from tests.venues import frames as binance
from tests.venues import okx_frames as okx
from tests.venues.seeds import SEEDS
from tests.venues.streamed import NOW_NS, ring_of, venue_of

KRAKEN = b'{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":1.0,"bid_qty":1,"ask":2.0,"ask_qty":1}]}'
SYMBOLS = {
    "binance": "BTCUSDT", "kraken": "BTC/USD", "coinbase": "BTC-USD", "coinbase-exchange": "SKL-USD", "okx": okx.SPOT,
    "bybit": bybit.BTC, "alpaca": "AAPL",
}  # fmt: skip


def ticker(sequence, *symbols):
    prices = {"best_bid": "1", "best_bid_quantity": "1", "best_ask": "2", "best_ask_quantity": "1"}
    return coinbase.message("ticker", sequence, {"tickers": [{"product_id": symbol, **prices} for symbol in symbols]})


@pytest.mark.parametrize(
    ("name", "frame", "stream"),
    [
        ("binance", binance.spot_quote(5), "btcusdt@bookTicker"),
        ("kraken", KRAKEN, "BTC/USD"),
        ("kraken", KRAKEN[:-1], None),
        ("coinbase", ticker(1, "BTC-USD"), "BTC-USD"),
        ("coinbase", ticker(1, "BTC-USD", "ETH-USD"), None),
        ("coinbase", coinbase.trades(1, coinbase.trade("7")), None),
        ("coinbase-exchange", exchange.ticker("1", "2"), "SKL-USD"),
        ("coinbase-exchange", exchange.match(7), None),
        ("okx", okx.best(), "bbo-tbt:BTC-USDT"),
        ("okx", okx.trade(), None),
        ("bybit", bybit.best("snapshot", 8), "orderbook.1.BTCUSDT"),
        ("bybit", bybit.best("delta", 8), None),
        ("alpaca", alpaca.text(alpaca.quote()), "AAPL"),
        ("alpaca", alpaca.binary(alpaca.quote("SPY"), alpaca.quote(), alpaca.quote()), "AAPL SPY"),
        ("alpaca", alpaca.text(alpaca.quote(), alpaca.trade()), None),
        ("alpaca", b"[", None),
    ],
)  # fmt: skip
def test_a_message_of_nothing_but_quotes_grows_old_by_its_stream(name, frame, stream):
    ageing = venue_of(name, SYMBOLS[name]).ageing(frame)

    assert (ageing and ageing.stream) == stream


@pytest.mark.parametrize("name", SYMBOLS)
def test_no_message_that_brings_anything_but_quotes_grows_old(name):
    for seeds in SEEDS[name]:
        venue = venue_of(name, *seeds.symbols, **({"kind": seeds.kind} if seeds.kind else {}), steps=seeds.steps)
        ring = ring_of(venue)
        for frame in seeds.frames:
            is_quote = venue.ageing(frame) is not None
            before = venue.counters.events()
            venue.decode(frame, NOW_NS, ring)
            told = {kind for kind, count in venue.counters.events().items() if count > before[kind]}
            assert not is_quote or told <= {"quote"}


def test_the_number_of_an_old_quote_counts_all_the_same():
    venue = venue_of("coinbase", "BTC-USD")
    ring = ring_of(venue)
    for frame in (coinbase.book(0, "snapshot", coinbase.BIDS, coinbase.ASKS), ticker(1, "BTC-USD")):
        venue.decode(frame, NOW_NS, ring)
    old = venue.ageing(ticker(2, "BTC-USD"))
    assert isinstance(old, Ageing)

    for frame in (old.rest, ticker(3, "BTC-USD")):
        venue.decode(frame, NOW_NS, ring)

    assert (venue.counters.quotes, venue.counters.gaps, venue.counters.rejected) == (2, 0, 0)
