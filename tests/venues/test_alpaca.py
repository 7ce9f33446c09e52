"""Alpaca: every recorded message decodes, both encodings say the same, and each row says what its rule says."""

from __future__ import annotations

import json

import pytest

from streamtrader.events import MORE, BookState, Kind, TradingStatus
from streamtrader.venues.alpaca import Alpaca
from tests.venues import alpaca_frames as made
from tests.venues.streamed import NOW_NS, instruments_of, is_sane, ring_of, rows, states, venue_of

SECOND = 1_000_000_000
TRADED = ("AAPL", "BTC/USD")


def told(*messages, symbols=TRADED):
    """The rows of one array of messages behind those of the connection, the counters, and the ring."""
    venue = venue_of("alpaca", *symbols)
    ring = ring_of(venue)
    at = ring.written
    venue.decode(made.text(*messages), NOW_NS, ring)
    return rows(ring, at), venue.counters, ring.events[at : ring.written]


def test_every_recorded_message_of_the_venue_decodes_or_counts_as_unknown(shared_data):
    frames = (shared_data / "wire/alpaca/stream_messages.jsonl").read_bytes().splitlines()
    venue = venue_of("alpaca", "AAPL", "SPIP", "BTC/USD", "STRR", "DJT")
    ring = ring_of(venue)

    for frame in frames:
        at = ring.written
        venue.decode(frame, NOW_NS, ring)
        is_sane(ring, at, venue)

    counters = venue.counters
    assert counters.frames == len(frames) == 7
    assert (counters.rejected, counters.errors, counters.faults) == (0, 0, 0)
    assert (counters.unknown, counters.last_error) == (1, "a message of type 'n'")  # news
    assert (counters.candles, counters.trades, counters.quotes) == (1, 1, 1)
    assert (counters.statuses, counters.corrections) == (1, 1)
    assert counters.notices == 1  # a change of an order book that was never sent whole


def test_a_trade_keeps_its_exchange_and_its_clock_to_the_nanosecond():
    written, _, events = told(made.trade(price=100.5, size=3, x="V", i=7))

    assert [row[:4] for row in written] == [(Kind.TRADE, 0, 100.5, 3.0)]
    assert (events[0]["venue_ns"], events[0]["received_ns"], events[0]["id"]) == (made.CLOCK_NS, NOW_NS, 7)
    assert (events[0]["c"], events[0]["d"]) == (0.0, ord("V"))


def test_the_taker_of_a_stock_is_inferred_from_the_last_different_price_that_counted():
    prices = [(100.0, "@"), (100.1, "@"), (100.1, "@"), (99.0, "I"), (100.1, "@"), (100.0, "@"), (100.0, "@")]

    written, _, _ = told(*(made.trade(price=price, c=[code]) for price, code in prices))

    assert [row[1] for row in written] == [0, 0, 0, 1, 0, 1, 1]  # the odd lot is below, and moves nothing


def test_the_taker_of_a_crypto_trade_is_told():
    written, _, events = told(made.coin_trade("S"), made.coin_trade("B"), made.coin_trade("-", p=40.0))

    assert [row[1] for row in written] == [1, 0, 1]
    assert events[0]["id"] == 3447222699101865076


@pytest.mark.parametrize(
    ("conditions", "tape", "word"),
    [
        (["@"], "C", 0.0), ([" "], "A", 0.0), (["@", "T"], "C", 0.0), (["@", "F", "X"], "C", 0.0), ([" ", "O"], "B", 0.0),
        (["@", "I"], "C", 1.0), ([" ", "B"], "A", 1.0), (["@", "B"], "C", 0.0), (["@", "W"], "C", 1.0), (["@", "4"], "C", 1.0),
        ([" ", "P"], "B", 1.0), ([" ", "7"], "A", 1.0), (["@", "Z"], "C", 1.0), (["@", "?"], "C", 1.0), ([], "", 0.0),
    ],
)  # fmt: skip
def test_only_trades_whose_price_counts_say_so(conditions, tape, word):
    _, counters, events = told(made.trade(c=conditions, z=tape))

    assert [event["c"] for event in events] == [word]
    assert counters.trades == 1


@pytest.mark.parametrize("code", ["M", "Q", "9"])
def test_an_official_price_is_told_and_not_traded(code):
    written, counters, _ = told(made.trade(c=["@", code]))

    assert written == []
    assert (counters.notices, counters.rejected) == (1, 0)


def test_quoted_sizes_are_shares_before_and_after_the_tape_changed_to_them():
    written, _, events = told(
        made.quote(t="2025-10-31T19:59:59Z", bs=2, **{"as": 4}), made.quote(bs=200, **{"as": 400})
    )

    quotes = events[events["kind"] == Kind.QUOTE]
    assert quotes["b"].tolist() == [200.0, 200.0]
    assert quotes["d"].tolist() == [400.0, 400.0]
    assert [row[0] for row in written] == [Kind.QUOTE, Kind.LINK, Kind.QUOTE]


def test_sizes_of_crypto_are_never_lots():
    _, _, events = told(made.quote("BTC/USD", t="2024-03-12T10:29:43.111588173Z", bs=2.5))

    assert events[0]["b"] == 2.5


def test_a_stock_is_live_with_its_first_quote_and_stale_while_a_side_is_missing():
    venue = venue_of("alpaca", "AAPL")
    ring = ring_of(venue)

    for message in (made.trade(), made.quote(), made.quote(), made.quote(ask=0.0, **{"as": 0}), made.quote()):
        venue.decode(made.text(message), NOW_NS, ring)

    assert states(ring) == [BookState.SYNCING, BookState.LIVE, BookState.STALE, BookState.LIVE]
    assert (venue.counters.quotes, venue.counters.notices) == (3, 1)


def test_a_book_begins_with_the_message_that_holds_all_of_it():
    venue = venue_of("alpaca", "BTC/USD")
    ring = ring_of(venue)
    at = ring.written

    venue.decode(made.text(made.book([(1.0, 1.0)], [])), NOW_NS, ring)
    assert ring.written == at

    venue.decode(made.text(made.book([*made.BOOK[0], (70000.0, 0.0)], made.BOOK[1], is_whole=True)), NOW_NS, ring)
    venue.decode(made.text(made.book([(71849.4, 0.0)], [(71939.7, 0.5)])), NOW_NS, ring)

    assert rows(ring, at) == [
        (Kind.BOOK_CLEAR, 0, 0.0, 0.0, MORE),
        (Kind.BOOK, 0, 71859.53, 0.27994, MORE),
        (Kind.BOOK, 0, 71849.4, 0.553986, MORE),
        (Kind.BOOK, 1, 71939.7, 0.83953, MORE),
        (Kind.BOOK, 1, 71940.4, 0.28025, MORE),
        (Kind.LINK, 0, BookState.LIVE, 0.0, 0),
        (Kind.BOOK, 0, 71849.4, 0.0, MORE),
        (Kind.BOOK, 1, 71939.7, 0.5, 0),
    ]


@pytest.mark.parametrize("make", [made.text, made.binary], ids=["json", "msgpack"])
def test_a_book_message_that_cannot_be_true_loses_that_book_and_nothing_else_of_its_array(make):
    venue = Alpaca(instruments_of("alpaca", ["BTC/USD", "ETH/USD"]))
    ring = ring_of(venue)
    for symbol in ("BTC/USD", "ETH/USD"):
        venue.decode(make(made.book(*made.BOOK, is_whole=True) | {"S": symbol}), NOW_NS, ring)
    at = ring.written

    wrong = made.book([(-1.0, 1.0)], []) | {"S": "ETH/USD"}
    venue.decode(make(made.coin_trade(), wrong, made.book([(71000.0, 2.0)], [])), NOW_NS, ring)

    assert [row[:4] for row in rows(ring, at) if row[0] != Kind.LINK] == [
        (Kind.TRADE, 1, 47.299, 29.205707815),
        (Kind.BOOK, 0, 71000.0, 2.0),
    ]
    assert states(ring, 1, at) == [BookState.GAP, BookState.SYNCING]
    assert states(ring, 0, at) == []
    assert (venue.counters.rejected, venue.counters.unknown) == (1, 0)


@pytest.mark.parametrize("make", [made.text, made.binary], ids=["json", "msgpack"])
def test_a_frame_that_breaks_off_loses_the_books_that_it_names(make):
    venue = Alpaca(instruments_of("alpaca", ["BTC/USD", "ETH/USD"]))
    ring = ring_of(venue)
    for symbol in ("BTC/USD", "ETH/USD"):
        venue.decode(make(made.book(*made.BOOK, is_whole=True) | {"S": symbol}), NOW_NS, ring)
    at = ring.written

    venue.decode(make(made.book([(71000.0, 2.0)], []))[:-3], NOW_NS, ring)

    assert states(ring, 0, at) == [BookState.GAP, BookState.SYNCING]
    assert states(ring, 1, at) == []
    assert venue.counters.rejected == 1


def test_an_unknown_message_leaves_the_others_of_its_array_alone():
    written, counters, _ = told(
        {"T": "n", "id": 1, "symbols": ["AAPL"]}, made.trade(), made.trade("MSFT"), made.trade(p=-1)
    )

    assert [row[0] for row in written] == [Kind.TRADE]
    assert (counters.unknown, counters.rejected) == (2, 1)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("H", TradingStatus.HALTED), ("P", TradingStatus.HALTED), ("2", TradingStatus.HALTED), ("Q", TradingStatus.AUCTION),
        ("T", TradingStatus.TRADING), ("3", TradingStatus.TRADING), ("#", TradingStatus.UNKNOWN),
    ],
)  # fmt: skip
def test_halts_and_resumptions_are_statuses(code, expected):
    written, counters, events = told(made.status(code))

    assert [row[:3] for row in written] == [(Kind.STATUS, 0, expected)]
    assert (events[0]["venue_ns"], counters.statuses) == (made.CLOCK_NS, 1)


@pytest.mark.parametrize("code", "56789ACDEF")
def test_an_indication_is_no_change_of_the_status(code):
    written, counters, _ = told(made.status(code))

    assert (written, counters.notices) == ([], 1)


def test_bands_and_imbalances_are_understood_and_no_rows():
    written, counters, _ = told(made.band(), made.imbalance())

    assert (written, counters.notices) == ([], 2)


def test_a_correction_names_the_wrong_trade_and_what_it_should_have_been():
    written, counters, events = told(made.correction())

    assert [row[:4] for row in written] == [(Kind.CORRECTION, 0, 39.1809, 440000.0)]
    assert (events[0]["id"], events[0]["c"], events[0]["d"]) == (52983525033527, 52983525034326.0, ord("M"))
    assert counters.corrections == 1


def test_a_cancelled_trade_is_one_of_size_zero():
    written, _, events = told(made.cancel())

    assert [row[:4] for row in written] == [(Kind.CORRECTION, 0, 105.31, 0.0)]
    assert events[0]["id"] == 465


def test_minutes_are_candles_late_ones_are_counted_and_the_day_is_never_over():
    written, counters, events = told(
        made.bar(), made.bar("u", c=389.0), made.bar("d"), made.bar(start=made.NEXT_MINUTE), made.bar()
    )

    assert [row[0] for row in written] == [Kind.CANDLE, Kind.CANDLE]
    assert events["venue_ns"].tolist() == [made.nanoseconds(made.MINUTE), made.nanoseconds(made.NEXT_MINUTE)]
    assert [events[0][word] for word in "abcd"] == [388.985, 389.13, 388.975, 389.12]
    assert events[0]["id"].view("f8") == 49378.0
    assert (counters.candles, counters.candles_late, counters.notices) == (2, 2, 1)
    assert counters.candles_missing == 0  # a minute without a trade has no bar


def test_a_minute_of_crypto_that_never_came_is_counted():
    _, counters, _ = told(made.bar(symbol="BTC/USD"), made.bar(symbol="BTC/USD", start="2026-03-04T15:20:00Z"))

    assert (counters.candles, counters.candles_missing) == (2, 3)


@pytest.mark.parametrize(
    "message",
    [
        made.trade(p=0), made.trade(s=-1), made.trade(p=1e13), made.trade(i=-1), made.trade(t=""), made.trade(c=["@"] * 17),
        made.quote(bid=-1.0), made.quote(t="yesterday"), made.bar(h=1.0), made.bar(v=-1), made.correction(cs=0), made.cancel(p=0),
        made.band(u=-1), made.imbalance(p=-1), made.book([(0.0, 1.0)], [], is_whole=True), made.trade(p="NaN"), made.trade(p=None),
    ],
)  # fmt: skip
def test_values_that_cannot_be_true_are_refused(message):
    written, counters, _ = told(message)

    assert [row for row in written if row[0] != Kind.LINK] == []
    assert (counters.rejected, counters.unknown, counters.faults) == (1, 0, 0)


def test_a_silent_book_of_crypto_is_asked_for_again_and_a_quiet_stock_is_not():
    coin, stock = Alpaca(instruments_of("alpaca", ["BTC/USD"])), Alpaca(instruments_of("alpaca", ["AAPL"]))
    for venue, message in ((coin, made.book(*made.BOOK, is_whole=True)), (stock, made.quote())):
        ring = ring_of(venue)
        venue.decode(made.text(made.CONNECTED), NOW_NS, ring)
        venue.decode(made.text(made.AUTHENTICATED), NOW_NS, ring)
        venue.outgoing(NOW_NS)
        venue.decode(made.text(message), NOW_NS, ring)
        for second in range(1, 200):
            venue.decode(made.text(made.SUBSCRIBED), NOW_NS + second * SECOND, ring)

    assert coin.book_state(0) == BookState.STALE
    assert stock.book_state(0) == BookState.LIVE
    asked = [json.loads(message) for message in coin.outgoing(NOW_NS + 200 * SECOND)]
    assert asked[:2] == [
        {"action": "unsubscribe", "orderbooks": ["BTC/USD"]},
        {"action": "subscribe", "orderbooks": ["BTC/USD"]},
    ]
