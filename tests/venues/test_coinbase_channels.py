"""Coinbase Advanced Trade beside its books: trades, quotes, candles, statuses, errors, products."""

from __future__ import annotations

import json

import pytest

from streamtrader.errors import ConfigError
from streamtrader.events import BookState, Kind, TradingStatus
from streamtrader.venues.coinbase import LISTING, Coinbase, markets
from tests.venues.coinbase_frames import (
    ASKS,
    BIDS,
    BUY,
    SECOND,
    SELL,
    START,
    TIME_NS,
    beat,
    book,
    candle,
    conversation,
    counted,
    live_books,
    message,
    trade,
    trades,
)
from tests.venues.streamed import NOW_NS, instruments_of, ring_of, rows, states

# The other channels.


def test_the_aggressor_of_a_trade_is_the_other_side_than_the_makers():
    venue, ring, following = live_books()
    at = ring.written

    venue.decode(trades(following, trade("8", "SELL"), trade("7", "BUY")), NOW_NS, ring)

    assert rows(ring, at) == [(Kind.TRADE, SELL, 100.1, 0.3, 0), (Kind.TRADE, BUY, 100.1, 0.3, 0)]
    assert ring.events["id"][at : at + 2].tolist() == [7, 8]  # newest first on the wire, oldest first on the tape
    assert ring.events[at]["venue_ns"] == TIME_NS


def test_trades_from_before_the_subscription_are_no_trades_and_none_is_told_twice():
    venue, ring, following = live_books()
    at = ring.written

    venue.decode(trades(following, trade("8"), trade("7"), kind="snapshot"), NOW_NS, ring)
    venue.decode(trades(following + 1, trade("9"), trade("8")), NOW_NS, ring)
    venue.decode(trades(following + 2, trade("0b7c-4e", symbol="BTC-USD")), NOW_NS, ring)

    assert ring.events["id"][at : ring.written].tolist() == [9, 0]
    assert venue.counters.repeated == 1


def test_a_ticker_without_sizes_is_no_quote():
    venue, ring, following = live_books()
    best = {"best_bid": "100.10", "best_bid_quantity": "1.5", "best_ask": "100.20", "best_ask_quantity": "3.0"}
    ticker = {"type": "ticker", "product_id": "BTC-USD", "price": "100.1"}
    at = ring.written

    venue.decode(message("ticker_batch", following, {"type": "update", "tickers": [ticker]}), NOW_NS, ring)
    venue.decode(message("ticker", following + 1, {"type": "update", "tickers": [ticker | best]}), NOW_NS, ring)
    empty = ticker | best | {"best_bid": "0", "best_bid_quantity": "0"}
    venue.decode(message("ticker", following + 2, {"type": "update", "tickers": [empty]}), NOW_NS, ring)

    assert [row[0] for row in rows(ring, at)] == [Kind.QUOTE]
    assert [ring.events[at][word] for word in "abcd"] == [100.1, 1.5, 100.2, 3.0]


def closed_candles(ring, at: int) -> list[tuple[int, float]]:
    chosen = [event for event in ring.events[at : ring.written] if event["kind"] == Kind.CANDLE]
    return [(int(event["venue_ns"]) // SECOND, float(event["d"])) for event in chosen]


def test_a_candle_is_written_when_the_next_one_begins():
    venue, ring, following = live_books()
    history = [(START, "101"), (START - 300, "99"), (START - 600, "98")]
    at = ring.written

    frames = [candle(following, *history, kind="snapshot"), candle(following + 1, (START, "102"))]
    frames += [candle(following + 2, (START + 300, "103"), (START, "102.5")), candle(following + 3, (START, "100"))]
    for frame in frames:
        venue.decode(frame, NOW_NS, ring)

    assert closed_candles(ring, at) == [(START, 102.5)]
    assert ring.events[at]["id"].view("f8") == 12.5


def test_a_candle_of_which_updates_were_lost_is_not_told():
    venue, ring, following = live_books()
    venue.decode(candle(following, (START, "101")), NOW_NS, ring)
    at = ring.written

    venue.decode(candle(following + 2, (START + 300, "103")), NOW_NS, ring)  # a hole before it
    venue.decode(candle(following + 3, (START + 600, "104")), NOW_NS, ring)

    assert closed_candles(ring, at) == [(START + 300, 103.0)]


def test_candles_that_closed_while_the_link_was_down_are_told_from_the_history():
    venue, ring, following = live_books()
    venue.decode(candle(following, (START, "101")), NOW_NS, ring)
    venue.disconnected(NOW_NS, ring)
    venue.connected(NOW_NS, ring)
    at = ring.written

    venue.decode(candle(0, (START + 600, "103"), (START + 300, "102"), (START, "101"), kind="snapshot"), NOW_NS, ring)

    assert closed_candles(ring, at) == [(START, 101.0), (START + 300, 102.0)]


def test_a_status_is_told_when_it_changes_and_not_each_time():
    venue, ring, following = live_books()
    product = {"product_type": "SPOT", "id": "BTC-USD", "status": "online", "status_message": ""}
    told = [product, product, product | {"status": "delisted"}, product | {"id": "X-Y"}, product | {"status": "new"}]
    at = ring.written

    for sequence, each in enumerate(told, following):
        venue.decode(message("status", sequence, {"type": "snapshot", "products": [each]}), NOW_NS, ring)

    assert [row[2] for row in rows(ring, at)] == [
        TradingStatus.TRADING, TradingStatus.CLOSED, TradingStatus.UNKNOWN,
    ]  # fmt: skip


def test_what_the_venue_calls_an_error_counts_as_one_and_has_no_number():
    venue, ring, following = live_books()

    venue.decode(b'{"type":"error","message":"authentication failure"}', NOW_NS, ring)
    venue.decode(beat(following, 1), NOW_NS, ring)

    assert counted(venue) == (0, 0, 1, 0)
    assert venue.counters.last_error == "authentication failure"
    assert venue.book_state(0) == BookState.LIVE


# Products.


def test_a_product_against_usdc_comes_under_the_name_of_the_one_against_usd():
    venue = Coinbase(instruments_of("coinbase", ["BTC-USDC", "USDT-USDC"]))
    ring = ring_of(venue)

    venue.decode(book(0, "snapshot", BIDS, ASKS, "BTC-USD"), NOW_NS, ring)
    venue.decode(book(1, "snapshot", BIDS, ASKS, "USDT-USD"), NOW_NS, ring)

    assert states(ring, 0) == [BookState.SYNCING, BookState.LIVE]
    assert states(ring, 1) == [BookState.SYNCING]
    with pytest.raises(ConfigError, match="name one of them"):
        LISTING.make(instruments_of("coinbase", ["BTC-USD", "BTC-USDC"]), "spot")


def test_instruments_come_from_the_venues_own_rules(shared_data):
    folder = shared_data / "wire/coinbase/nautilus"
    (spot,) = LISTING.instruments_of((folder / "http_products.json").read_bytes(), "spot", ["BTC-USD"])
    futures = (folder / "http_products_future.json").read_bytes()
    perpetual, dated = LISTING.instruments_of(futures, "future", ["BIP-20DEC30-CDE", "BIT-24APR26-CDE"])

    assert (spot.base, spot.quote, str(spot.price_tick), str(spot.size_lot)) == ("BTC", "USD", "0.01", "1E-8")
    assert (spot.minimum_notional, spot.contract_size) == (1, 1)
    assert (perpetual.kind, dated.kind) == ("perpetual", "future")
    assert (perpetual.base, perpetual.price_tick) == ("BTC", 5)
    assert (str(perpetual.contract_size), str(perpetual.size_lot)) == ("0.01", "0.01")
    assert [each.symbol for each in LISTING.instruments_of(futures, "perpetual", [])] == ["BIP-20DEC30-CDE"]
    with pytest.raises(ConfigError, match="does not list NO-SUCH"):
        LISTING.instruments_of(futures, "future", ["NO-SUCH"])


def test_sizes_that_count_contracts_become_units_of_base(shared_data):
    body = (shared_data / "wire/coinbase/nautilus/http_products_future.json").read_bytes()
    venue = LISTING.make(LISTING.instruments_of(body, "perpetual", ["BIP-20DEC30-CDE"]), "perpetual")
    ring = ring_of(venue)
    at = ring.written

    venue.decode(book(0, "snapshot", [("68925", "300")], [("68930", "5")], "BIP-20DEC30-CDE"), NOW_NS, ring)
    venue.decode(trades(1, trade("7", symbol="BIP-20DEC30-CDE", size="12")), NOW_NS, ring)

    assert [row[3] for row in rows(ring, at) if row[0] in (Kind.BOOK, Kind.TRADE)] == [3.0, 0.05, 0.12]


def test_subscriptions_are_batched_and_begin_with_the_heart():
    symbols = [f"C{number}-USD" for number in range(150)]
    venue = LISTING.make(instruments_of("coinbase", symbols), "spot")

    asked = [json.loads(said) for said in venue.subscribe(venue.routes[0])]

    assert asked[0] == {"type": "subscribe", "channel": "heartbeats"}
    assert [(each["channel"], len(each["product_ids"])) for each in asked[1:]] == [
        (channel, count) for channel in ("level2", "market_trades", "ticker") for count in (100, 50)
    ]


def test_frames_tell_a_survey_what_they_hold(shared_data):
    folder = shared_data / "wire/coinbase"
    seen = {}
    for path in (*sorted(folder.glob("nautilus/ws_*.json")), *sorted(folder.glob("jkorf/*.txt"))):
        frames = [path.read_bytes()] if path.suffix == ".json" else conversation(path)[1]
        for frame in frames:
            try:
                for sighting in LISTING.sightings(frame):
                    seen[sighting.symbol] = seen.get(sighting.symbol, 0) + len(sighting.levels)
            except (KeyError, ValueError):
                continue

    assert set(seen) == {"BTC-USD", "BTC-USDT", "ETH-USDT"}
    assert LISTING.knows_url("wss://advanced-trade-ws.coinbase.com/") and not LISTING.knows_url(
        "wss://ws-feed.pro.coinbase.com"
    )
    assert markets.kind_of_symbol("BTC-PERP-INTX") == "perpetual"
