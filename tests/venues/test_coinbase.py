"""Coinbase Advanced Trade: every recorded message decodes, a hole in the numbers concerns every book."""

from __future__ import annotations

import json

import pytest

from streamtrader.events import MORE, BookState, Kind
from streamtrader.venues.coinbase import Coinbase, markets
from tests.venues.coinbase_frames import (
    ASKS,
    BIDS,
    BUY,
    LOST,
    SECOND,
    SELL,
    TIME_NS,
    beat,
    book,
    conversation,
    counted,
    live_books,
    message,
    trade,
    trades,
)
from tests.venues.streamed import NOW_NS, instruments_of, is_sane, ring_of, rows, states, venue_of

# What the venue really said.


def test_every_recorded_message_of_the_venue_decodes_or_counts_as_unknown(shared_data):
    folder = shared_data / "wire/coinbase"
    spoken = [conversation(path)[1] for path in sorted(folder.glob("jkorf/*.txt"))]
    spoken += [[path.read_bytes()] for path in sorted(folder.glob("nautilus/ws_*.json"))]
    venue = venue_of("coinbase", "BTC-USD", "ETH-USDT")
    frames = 0

    for answers in spoken:
        ring = ring_of(venue)
        for frame in answers:
            venue.decode(frame, NOW_NS, ring)
            frames += 1
        is_sane(ring, 0, venue)

    counters = venue.counters
    assert counters.frames == frames == 28
    assert (counters.trades, counters.quotes, counters.snapshots, counters.statuses) == (4, 2, 1, 1)
    assert (counters.unknown, counters.repeated) == (4, 2)  # own orders twice, balances, a candle without any value
    assert (counters.rejected, counters.errors, counters.faults) == (0, 0, 0)


def test_our_subscriptions_are_those_of_the_recorded_clients_without_their_key(shared_data):
    for path in sorted((shared_data / "wire/coinbase/jkorf").glob("*.txt")):
        for asked in conversation(path)[0]:
            del asked["jwt"]
            if asked["channel"] in markets.ALL_CHANNELS:
                symbols = asked.get("product_ids", ["ETH-USDT"])
                venue = Coinbase(instruments_of("coinbase", symbols), channels=[asked["channel"]])

                assert [json.loads(said) for said in venue.subscribe(venue.routes[0])] == [asked]


def test_the_recorded_snapshot_and_update_become_a_book(shared_data):
    folder = shared_data / "wire/coinbase/nautilus"
    venue = venue_of("coinbase", "BTC-USD")
    ring = ring_of(venue)

    venue.decode((folder / "ws_l2_data_snapshot.json").read_bytes(), NOW_NS, ring)
    at = ring.written
    venue.decode((folder / "ws_l2_data_update.json").read_bytes(), NOW_NS, ring)

    assert states(ring) == [BookState.SYNCING, BookState.LIVE]
    assert rows(ring, at) == [(Kind.BOOK, BUY, 68900.0, 2.0, MORE), (Kind.BOOK, SELL, 68901.0, 0.0, 0)]
    assert ring.events[at]["venue_ns"] == TIME_NS


# Books and numbers.


def test_a_snapshot_becomes_one_message_that_ends_with_live():
    _, ring, _ = live_books()

    assert rows(ring, 1) == [
        (Kind.BOOK_CLEAR, 0, 0.0, 0.0, MORE),
        (Kind.BOOK, BUY, 100.1, 1.5, MORE),
        (Kind.BOOK, BUY, 100.0, 0.02, MORE),
        (Kind.BOOK, SELL, 100.2, 3.0, MORE),
        (Kind.BOOK, SELL, 100.4, 0.1, MORE),
        (Kind.LINK, 0, BookState.LIVE, 0.0, 0),
    ]


def test_a_dropped_frame_of_any_channel_makes_every_book_start_again():
    venue, ring, following = live_books("BTC-USD", "ETH-USD")
    at = ring.written

    venue.decode(trades(following + 1, trade("7")), NOW_NS, ring)

    assert states(ring, 0, at) == states(ring, 1, at) == LOST
    assert [row[0] for row in rows(ring, at)][-1] == Kind.TRADE  # the trade itself is as good as ever
    assert (venue.counters.gaps, venue.counters.resyncs) == (2, 2)


def test_all_lost_books_are_asked_for_in_two_messages():
    venue, ring, following = live_books("BTC-USD", "ETH-USD")
    venue.decode(beat(following + 1, 1), NOW_NS, ring)

    asked = [json.loads(said) for said in venue.outgoing(NOW_NS)]

    both = ["BTC-USD", "ETH-USD"]
    assert asked == [
        {"type": "unsubscribe", "channel": "level2", "product_ids": both},
        {"type": "subscribe", "channel": "level2", "product_ids": both},
    ]
    assert venue.outgoing(NOW_NS) == []


def test_after_a_hole_only_a_snapshot_makes_a_book_live_again():
    venue, ring, following = live_books()
    venue.decode(beat(following + 1, 1), NOW_NS, ring)
    at = ring.written

    venue.decode(book(following + 2, "update", [("100.10", "9.0")]), NOW_NS, ring)
    assert ring.written == at

    venue.decode(book(following + 3, "snapshot", BIDS, ASKS), NOW_NS, ring)
    venue.decode(book(following + 4, "update", [("100.10", "9.0")]), NOW_NS, ring)
    assert venue.book_state(0) == BookState.LIVE
    assert rows(ring, at)[-1] == (Kind.BOOK, BUY, 100.1, 9.0, 0)


def test_a_hole_is_told_even_by_a_message_that_nobody_understands():
    venue, ring, following = live_books()
    at = ring.written

    venue.decode(message("user", following + 1, {"type": "snapshot"}), NOW_NS, ring)

    assert states(ring, 0, at) == LOST
    assert counted(venue) == (0, 1, 0, 0)


def test_channels_that_nobody_here_knows_have_their_place_in_the_numbers():
    venue, ring, following = live_books()
    at = ring.written

    venue.decode(message("user", following, {"type": "snapshot"}), NOW_NS, ring)
    venue.decode(book(following + 1, "update", [("100.10", "9.0")]), NOW_NS, ring)

    assert rows(ring, at) == [(Kind.BOOK, BUY, 100.1, 9.0, 0)]


def test_the_same_message_twice_is_read_once():
    venue, ring, following = live_books()
    frame = book(following, "update", [("100.10", "9.0")])
    at = ring.written

    venue.decode(frame, NOW_NS, ring)
    venue.decode(frame, NOW_NS, ring)

    assert rows(ring, at) == [(Kind.BOOK, BUY, 100.1, 9.0, 0)]
    assert (venue.counters.repeated, venue.counters.gaps) == (1, 0)


def test_a_flipped_digit_of_a_number_costs_one_resync_and_no_more():
    venue, ring, following = live_books()
    at = ring.written

    venue.decode(beat(following + 900, 1), NOW_NS, ring)
    venue.decode(book(following + 1, "snapshot", BIDS, ASKS), NOW_NS, ring)
    venue.decode(book(following + 2, "update", [("100.10", "9.0")]), NOW_NS, ring)

    assert states(ring, 0, at) == [*LOST, BookState.LIVE]
    assert rows(ring, at)[-1] == (Kind.BOOK, BUY, 100.1, 9.0, 0)


@pytest.mark.parametrize("price", ["-100.10", "1x0.10", "NaN", "", "1e300"])
def test_a_frame_with_an_impossible_value_loses_its_own_book_alone(price):
    venue, ring, following = live_books("BTC-USD", "ETH-USD")
    at = ring.written

    venue.decode(book(following, "update", [(price, "1.0")], symbol="ETH-USD"), NOW_NS, ring)
    venue.decode(book(following + 1, "update", [("100.10", "9.0")]), NOW_NS, ring)

    assert states(ring, 1, at) == LOST
    assert states(ring, 0, at) == []
    assert rows(ring, at)[-1] == (Kind.BOOK, BUY, 100.1, 9.0, 0)
    assert counted(venue) == (1, 0, 0, 0)


def test_a_frame_that_is_no_json_loses_the_book_it_names_and_its_number_those_of_the_others():
    venue, ring, following = live_books("BTC-USD", "ETH-USD")
    at = ring.written

    venue.decode(book(following, "update", [("100.10", "9.0")], symbol="ETH-USD")[:-3], NOW_NS, ring)
    assert (states(ring, 0, at), states(ring, 1, at)) == ([], LOST)

    venue.decode(beat(following + 1, 1), NOW_NS, ring)
    assert states(ring, 0, at) == LOST


def test_a_bad_trade_is_no_reason_to_doubt_a_book():
    venue, ring, following = live_books()
    at = ring.written

    venue.decode(trades(following, trade("7", price="-1")), NOW_NS, ring)

    assert rows(ring, at) == []
    assert counted(venue) == (1, 0, 0, 0)


def test_a_book_that_crosses_itself_has_lost_something():
    venue, ring, following = live_books("BTC-USD", "ETH-USD")
    at = ring.written

    venue.decode(book(following, "update", [("900.10", "9.0")]), NOW_NS, ring)

    assert states(ring, 0, at) == LOST
    assert states(ring, 1, at) == []
    assert [row for row in rows(ring, at) if row[0] == Kind.BOOK] == []


def test_a_book_that_is_crossed_as_the_venue_sent_it_is_an_auction():
    venue, ring, following = live_books()
    venue.decode(book(following, "snapshot", [("101.0", "1")], ASKS), NOW_NS, ring)
    at = ring.written

    venue.decode(book(following + 1, "update", [("100.9", "1")]), NOW_NS, ring)
    assert states(ring, 0, at) == []

    venue.decode(book(following + 2, "update", [("101.0", "0"), ("100.9", "0"), ("100.1", "2")]), NOW_NS, ring)
    venue.decode(book(following + 3, "update", [("101.0", "1")]), NOW_NS, ring)
    assert states(ring, 0, at) == LOST


def test_levels_of_other_products_in_a_message_are_left_out():
    venue, ring, following = live_books()
    frame = json.loads(book(following, "update", [("100.10", "9.0")]))
    frame["events"].insert(0, frame["events"][0] | {"product_id": "DOGE-USD"})
    at = ring.written

    venue.decode(json.dumps(frame).encode(), NOW_NS, ring)
    venue.decode(book(following + 1, "update", [("1", "9.0")], symbol="DOGE-USD"), NOW_NS, ring)

    assert rows(ring, at) == [(Kind.BOOK, BUY, 100.1, 9.0, 0)]
    assert counted(venue) == (0, 1, 0, 0)


def test_a_silent_book_is_stale_although_the_heart_of_the_link_beats():
    venue, ring, following = live_books("BTC-USD", "ETH-USD")
    at = ring.written

    for second in range(70):
        now_ns = NOW_NS + second * SECOND
        venue.decode(beat(following + 2 * second, second), now_ns, ring)
        venue.decode(book(following + 2 * second + 1, "update", [("100.0", "1")], symbol="ETH-USD"), now_ns, ring)

    assert (states(ring, 0, at), states(ring, 1, at)) == ([BookState.STALE], [])


def test_a_heartbeat_counter_that_jumps_is_a_hole_behind_the_numbers():
    venue, ring, following = live_books()
    at = ring.written

    for sequence, counter in enumerate((10, 11, 13, 13, 14), following):
        venue.decode(beat(sequence, counter), NOW_NS, ring)
    assert states(ring, 0, at) == []

    venue.decode(beat(following + 5, 18), NOW_NS, ring)
    assert states(ring, 0, at) == LOST


def test_a_connection_without_books_counts_its_holes():
    venue = venue_of("coinbase", "BTC-USD", has_books=False)
    ring = ring_of(venue)

    venue.decode(trades(0, trade("7")), NOW_NS, ring)
    venue.decode(trades(2, trade("9")), NOW_NS, ring)

    assert states(ring) == [BookState.LIVE]
    assert (venue.counters.gaps, venue.counters.trades) == (1, 2)


def test_a_ring_without_room_for_the_loss_of_all_books_ends_the_link():
    venue, ring, _ = live_books("BTC-USD", "ETH-USD")
    ring.written = len(ring.events) - 3  # three slots are free

    venue.lose_books(range(2), NOW_NS, ring)

    assert ring.free == 1
    assert venue.wants_rotation
    assert {venue.book_state(0), venue.book_state(1)} == {BookState.SYNCING}
