"""Coinbase Exchange, message by message: what its witnesses say of a book, of trades, of silence."""

from __future__ import annotations

import json

import pytest

from streamtrader.errors import ConfigError
from streamtrader.events import MORE, BookState, Kind, TradingStatus
from streamtrader.venues.coinbase_exchange import LISTING, CoinbaseExchange, markets
from tests.venues.coinbase_exchange_frames import (
    BUY,
    LOST,
    SECOND,
    SELL,
    changes,
    heartbeat,
    live_books,
    match,
    snapshot,
    subscribed,
    ticker,
)
from tests.venues.streamed import NOW_NS, instruments_of, ring_of, rows, states, venue_of

# Books.


def test_a_snapshot_and_its_changes_become_rows():
    venue, ring = live_books()
    at = ring.written

    venue.decode(changes(("buy", "0.7901", "0.0"), ("sell", "0.7905", "7.5")), NOW_NS, ring)

    assert rows(ring, 1)[:2] == [(Kind.BOOK_CLEAR, 0, 0.0, 0.0, MORE), (Kind.BOOK, BUY, 0.7901, 1548.0, MORE)]
    assert rows(ring, at) == [(Kind.BOOK, BUY, 0.7901, 0.0, MORE), (Kind.BOOK, SELL, 0.7905, 7.5, 0)]


def test_a_level_that_was_not_there_cannot_be_removed():
    venue, ring = live_books("SKL-USD", "SKL-GBP")
    at = ring.written

    venue.decode(changes(("buy", "0.7777", "0.0")), NOW_NS, ring)

    assert (states(ring, 0, at), states(ring, 1, at)) == (LOST, [])


def test_batches_may_remove_what_came_and_went_within_them():
    venue, ring = live_books(channel=markets.BOOK_BATCH)
    at = ring.written

    venue.decode(changes(("buy", "0.7777", "0.0")), NOW_NS, ring)
    assert states(ring, 0, at) == []

    venue.decode(changes(("buy", "0.7910", "1.0")), NOW_NS, ring)
    assert states(ring, 0, at) == LOST


def test_a_capture_says_itself_how_exact_its_books_are():
    venue = venue_of("coinbase-exchange", "SKL-USD")
    ring = ring_of(venue)
    venue.decode(snapshot(), NOW_NS, ring)
    venue.decode(changes(("buy", "0.7777", "0.0")), NOW_NS, ring)
    at = ring.written

    venue.decode(subscribed("matches"), NOW_NS, ring)
    venue.decode(subscribed("level2", "matches"), NOW_NS, ring)
    venue.decode(changes(("buy", "0.7778", "0.0")), NOW_NS, ring)

    assert states(ring, 0, at) == LOST


def test_two_tickers_in_a_row_that_disagree_with_a_book_outweigh_it():
    venue, ring = live_books()
    at = ring.written

    for bid in ("0.7000", "0.7901", "0.7000"):
        venue.decode(ticker(bid, "0.7910"), NOW_NS, ring)
    assert states(ring, 0, at) == []

    venue.decode(ticker("0.7000", "0.7910"), NOW_NS, ring)
    assert states(ring, 0, at) == LOST


def test_the_first_ticker_of_a_subscription_may_be_older_than_the_book():
    venue, ring = live_books()
    at = ring.written

    venue.decode(ticker("0.7000", "0.7800"), NOW_NS, ring)
    venue.decode(ticker("0.7901", "0.7910"), NOW_NS, ring)

    assert states(ring, 0, at) == []


def test_a_broken_frame_loses_the_book_it_names_or_all_where_it_names_none():
    venue, ring = live_books("SKL-USD", "SKL-GBP")
    at = ring.written

    venue.decode(changes(("buy", "0.7901", "1.0"), symbol="SKL-GBP")[:-9], NOW_NS, ring)
    assert (states(ring, 0, at), states(ring, 1, at)) == ([], LOST)

    venue.decode(b'{"type":"l2update","product_', NOW_NS, ring)
    assert states(ring, 0, at) == LOST
    assert venue.counters.rejected == 2


@pytest.mark.parametrize(
    "change", [("buy", "-0.79", "1"), ("buy", "0.79", "NaN"), ("bid", "0.79", "1"), ("sell", "0", "1")]
)
def test_a_change_that_cannot_be_loses_its_book(change):
    venue, ring = live_books("SKL-USD", "SKL-GBP")
    at = ring.written

    venue.decode(changes(change), NOW_NS, ring)

    assert (states(ring, 0, at), states(ring, 1, at)) == (LOST, [])
    assert venue.counters.rejected == 1


def test_after_a_loss_only_a_snapshot_makes_the_book_live_again():
    venue, ring = live_books()
    venue.decode(changes(("buy", "0.7777", "0.0")), NOW_NS, ring)
    at = ring.written

    venue.decode(changes(("buy", "0.7901", "5.0")), NOW_NS, ring)
    assert ring.written == at

    venue.decode(snapshot(), NOW_NS, ring)
    assert venue.book_state(0) == BookState.LIVE


# Heartbeats.


def test_a_heartbeat_that_has_not_moved_proves_that_a_silent_market_is_quiet():
    venue, ring = live_books("SKL-USD", "SKL-GBP")
    at = ring.written

    for second in range(150):
        venue.decode(heartbeat(177, 0), NOW_NS + second * SECOND, ring)

    assert (states(ring, 0, at), states(ring, 1, at)) == ([], [BookState.STALE])


def test_a_book_that_is_silent_while_its_market_moves_is_stale():
    venue, ring = live_books()
    at = ring.written

    for second in range(70):
        venue.decode(heartbeat(177 + second, 0), NOW_NS + second * SECOND, ring)

    assert states(ring, 0, at) == [BookState.STALE]


def test_a_trade_that_a_heartbeat_promised_must_come_before_the_next_one():
    venue, ring = live_books()
    venue.decode(match(7), NOW_NS, ring)

    venue.decode(heartbeat(1, 8), NOW_NS, ring)
    venue.decode(match(8), NOW_NS, ring)
    venue.decode(heartbeat(2, 9), NOW_NS, ring)
    assert (venue.counters.gaps, venue.outgoing(NOW_NS)) == (0, [])

    venue.decode(heartbeat(3, 9), NOW_NS, ring)
    asked = [json.loads(said) for said in venue.outgoing(NOW_NS)]
    assert venue.counters.gaps == 1
    assert [(each["type"], each["channels"]) for each in asked] == [
        ("unsubscribe", ["matches"]), ("subscribe", ["matches"]),
    ]  # fmt: skip


# Trades and quotes.


def test_the_aggressor_of_a_trade_is_the_other_side_than_the_makers():
    venue, ring = live_books()
    at = ring.written

    venue.decode(match(7, "sell"), NOW_NS, ring)
    venue.decode(match(8, "buy"), NOW_NS, ring)

    assert rows(ring, at) == [(Kind.TRADE, BUY, 0.791, 985.0, 0), (Kind.TRADE, SELL, 0.791, 985.0, 0)]
    assert ring.events[at]["venue_ns"] == 1_618_677_817_075_687_000


def test_trades_are_counted_from_the_last_one_before_the_subscription():
    venue, ring = live_books()
    at = ring.written

    venue.decode(match(7, kind="last_match"), NOW_NS, ring)
    for identity in (7, 8, 8, 11):
        venue.decode(match(identity), NOW_NS, ring)

    assert ring.events["id"][at : ring.written].tolist() == [8, 11]
    assert (venue.counters.repeated, venue.counters.gaps) == (2, 1)
    assert states(ring, 0, at) == []


def test_ids_that_begin_anew_are_believed_after_a_while():
    venue, ring = live_books()
    venue.decode(match(1_000_000), NOW_NS, ring)

    for identity in range(1, 200):
        venue.decode(match(identity), NOW_NS, ring)

    assert venue.counters.trades == 100


def test_a_ticker_is_a_quote_where_it_tells_the_sizes():
    venue, ring = live_books()
    at = ring.written

    venue.decode(ticker("0.7901", "0.7910"), NOW_NS, ring)
    venue.decode(ticker("0.7901", "0.7910", best_bid_size="1548.0", best_ask_size="985.1"), NOW_NS, ring)
    venue.decode(ticker("0.7901", "-0.7910", best_bid_size="1548.0", best_ask_size="985.1"), NOW_NS, ring)

    assert [row[0] for row in rows(ring, at)] == [Kind.QUOTE]
    assert [ring.events[at][word] for word in "abcd"] == [0.7901, 1548.0, 0.791, 985.1]
    assert venue.counters.rejected == 1


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"status": "online"}, TradingStatus.TRADING),
        ({"status": "online", "limit_only": True}, TradingStatus.TRADING),
        ({"status": "online", "cancel_only": True}, TradingStatus.HALTED),
        ({"status": "online", "trading_disabled": True}, TradingStatus.HALTED),
        ({"status": "online", "post_only": True}, TradingStatus.AUCTION),
        ({"status": "online", "auction_mode": True}, TradingStatus.AUCTION),
        ({"status": "offline"}, TradingStatus.HALTED),
        ({"status": "delisted"}, TradingStatus.CLOSED),
        ({"status": "internal"}, TradingStatus.UNKNOWN),
    ],
)
def test_a_status_says_whether_orders_are_matched(told, status):
    venue, ring = live_books()
    at = ring.written
    frame = json.dumps({"type": "status", "products": [{"id": "SKL-USD", "status_message": None} | told]}).encode()

    venue.decode(frame, NOW_NS, ring)
    venue.decode(frame, NOW_NS, ring)

    assert [row[:3] for row in rows(ring, at)] == [(Kind.STATUS, 0, status)]


def test_errors_and_strangers_are_counted():
    venue, ring = live_books()

    venue.decode(b'{"type":"error","message":"Failed to subscribe","reason":"level2 needs a key"}', NOW_NS, ring)
    venue.decode(b'{"type":"activate","product_id":"SKL-USD"}', NOW_NS, ring)
    venue.decode(match(7, product_id="X-Y"), NOW_NS, ring)

    assert (venue.counters.errors, venue.counters.unknown) == (1, 2)
    assert venue.book_state(0) == BookState.LIVE


# Products.


def test_instruments_come_from_the_venues_own_rules():
    product = {
        "id": "SKL-USD", "base_currency": "SKL", "quote_currency": "USD", "base_increment": "0.10000000",
        "quote_increment": "0.00010000", "min_market_funds": "1", "status": "online",
    }  # fmt: skip
    one, many = json.dumps(product).encode(), json.dumps([product | {"id": "X-Y"}, product]).encode()

    for body in (one, many):
        (instrument,) = LISTING.instruments_of(body, "spot", ["SKL-USD"])
        assert (str(instrument.price_tick), str(instrument.size_lot), instrument.quote) == ("0.0001", "0.1", "USD")
    assert [each.symbol for each in LISTING.instruments_of(many, "spot", [])] == ["X-Y", "SKL-USD"]
    assert (LISTING.instruments_path("spot", ["SKL-USD"]), LISTING.instruments_path("spot", [])) == (
        "/products/SKL-USD", "/products",
    )  # fmt: skip
    with pytest.raises(ConfigError, match="does not list NO-SUCH"):
        LISTING.instruments_of(many, "spot", ["NO-SUCH"])


def test_one_connection_has_one_of_the_two_book_channels():
    with pytest.raises(ConfigError, match="take one of them"):
        CoinbaseExchange(instruments_of("coinbase-exchange", ["SKL-USD"]), channels=markets.BOOKS)
