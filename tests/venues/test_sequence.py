"""Depth messages and snapshots: what reaches the ring, and which state the book says it is in."""

from __future__ import annotations

import json

import numpy as np
import pytest

from streamtrader.events import MORE, BookState, Kind
from streamtrader.venues import books
from streamtrader.venues.binance import USDM
from tests.venues import frames
from tests.venues.frames import NOW_NS, adapter, go_live, rows, snapshot, spot_depth, states, usdm_depth

SYNCING, LIVE, STALE, GAP = BookState.SYNCING, BookState.LIVE, BookState.STALE, BookState.GAP


@pytest.fixture(params=[True, False], ids=["scanner", "slow path"])
def is_fast(request):
    return request.param


def play(venue, ring, *messages):
    for message in messages:
        venue.decode(message, NOW_NS, ring)


def test_early_messages_wait_and_follow_the_snapshot_in_one_message(is_fast):
    venue, ring = adapter(is_fast=is_fast)

    play(venue, ring, spot_depth(1, 5), spot_depth(6, 12, (("98.00", "3.0"),)), spot_depth(13, 14))
    assert states(ring) == [SYNCING]
    go_live(venue, ring, 10)

    assert states(ring) == [SYNCING, LIVE]
    assert rows(ring, 1) == [
        (Kind.BOOK_CLEAR, 0.0, 0.0, 10, MORE),
        (Kind.BOOK, 99.0, 1.0, 10, MORE),
        (Kind.BOOK, 101.0, 1.0, 10, MORE),
        (Kind.BOOK, 98.0, 3.0, 12, MORE),
        (Kind.BOOK, 100.0, 1.0, 14, MORE),
        (Kind.LINK, float(LIVE), 0.0, 14, 0),
    ]


def test_what_waited_gets_the_clock_of_the_snapshot():
    venue, ring = adapter()

    venue.decode(spot_depth(6, 12), NOW_NS + 1, ring)
    venue.respond(venue.requests()[0], 200, snapshot(10), NOW_NS + 9, ring)

    assert set(ring.events["received_ns"][1 : ring.written].tolist()) == {NOW_NS + 9}


def test_a_message_that_continues_the_book_is_committed(is_fast):
    venue, ring = adapter(is_fast=is_fast)
    go_live(venue, ring, 10)
    start = ring.written

    play(venue, ring, spot_depth(9, 12), spot_depth(13, 20, (("97.00", "0.0"),), (("102.00", "4.0"),)))

    assert rows(ring, start) == [
        (Kind.BOOK, 100.0, 1.0, 12, 0),
        (Kind.BOOK, 97.0, 0.0, 20, MORE),
        (Kind.BOOK, 102.0, 4.0, 20, 0),
    ]


def test_a_message_without_levels_still_continues_the_book(is_fast):
    venue, ring = adapter(is_fast=is_fast)
    go_live(venue, ring, 10)

    play(venue, ring, spot_depth(11, 12, ()), spot_depth(13, 14, ()), spot_depth(15, 15))

    assert venue.counters.gaps == 0
    assert rows(ring)[-1] == (Kind.BOOK, 100.0, 1.0, 15, 0)


def test_a_gap_stops_that_symbol_alone_until_its_new_snapshot(is_fast):
    venue, ring = adapter("BTCUSDT", "ETHUSDT", is_fast=is_fast)
    go_live(venue, ring, 10)

    play(venue, ring, spot_depth(11, 12), spot_depth(11, 12, symbol="ETHUSDT"), spot_depth(14, 15))
    levels = venue.counters.levels
    play(venue, ring, spot_depth(13, 13, symbol="ETHUSDT"), spot_depth(16, 17))

    assert states(ring, 0) == [SYNCING, LIVE, GAP, SYNCING]
    assert states(ring, 1) == [SYNCING, LIVE]
    assert venue.counters.levels == levels + 1  # that of the other symbol

    requests = venue.requests()
    assert [request.symbol for request in requests] == ["BTCUSDT"]
    venue.respond(requests[0], 200, snapshot(15), NOW_NS, ring)
    assert states(ring, 0) == [SYNCING, LIVE, GAP, SYNCING, LIVE]
    assert rows(ring)[-2:] == [(Kind.BOOK, 100.0, 1.0, 17, MORE), (Kind.LINK, float(LIVE), 0.0, 17, 0)]
    assert (venue.counters.gaps, venue.counters.resyncs) == (1, 1)


def test_a_snapshot_older_than_what_waits_is_asked_for_again(is_fast):
    venue, ring = adapter(is_fast=is_fast)
    play(venue, ring, spot_depth(20, 22))

    go_live(venue, ring, 18)
    assert states(ring) == [SYNCING]
    assert venue.counters.snapshots_early == 1
    go_live(venue, ring, 19)

    assert states(ring) == [SYNCING, LIVE]


def test_one_request_a_symbol_is_under_way():
    venue, _ = adapter("BTCUSDT", "ETHUSDT")

    assert [request.symbol for request in venue.requests()] == ["BTCUSDT", "ETHUSDT"]
    assert venue.requests() == []


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b""), (0, b""), (200, b"<html>"), (200, snapshot(10).replace(b"99.00", b"NaN")), (200, b"{}")],
)
def test_a_snapshot_that_failed_is_wanted_again_and_writes_nothing(status, body):
    venue, ring = adapter()
    written = ring.written

    venue.respond(venue.requests()[0], status, body, NOW_NS, ring)

    assert ring.written == written
    assert venue.counters.snapshots_failed == 1
    assert len(venue.requests()) == 1


def test_repeated_and_old_messages_are_ignored_and_counted(is_fast):
    venue, ring = adapter(is_fast=is_fast)
    go_live(venue, ring, 100)
    messages = [spot_depth(101, 104), spot_depth(105, 107), spot_depth(108, 110)]
    play(venue, ring, *messages)
    written = ring.written

    play(venue, ring, *messages, *messages)

    assert ring.written == written
    assert (venue.counters.repeated, venue.counters.gaps) == (6, 0)
    play(venue, ring, spot_depth(111, 111))
    assert ring.written == written + 1


def test_a_count_that_begins_anew_is_a_gap_and_not_ignored_for_ever(is_fast):
    venue, ring = adapter(is_fast=is_fast)
    go_live(venue, ring, 1_000_000)

    play(venue, ring, spot_depth(1, 5), spot_depth(6, 9))
    go_live(venue, ring, 7)

    assert states(ring) == [SYNCING, LIVE, GAP, SYNCING, LIVE]
    assert rows(ring)[-1] == (Kind.LINK, float(LIVE), 0.0, 9, 0)


def test_a_long_run_from_the_past_is_taken_for_a_new_count():
    venue, ring = adapter()
    go_live(venue, ring, 1_000)

    for last in range(600, 600 + books.REPEATED_RUN + 1):
        play(venue, ring, spot_depth(last, last))

    assert states(ring)[-2:] == [GAP, SYNCING]


def test_usdm_messages_are_chained_by_their_previous_update(is_fast):
    venue, ring = adapter(market=USDM, is_fast=is_fast)
    play(venue, ring, usdm_depth(90, 95, 80), usdm_depth(97, 105, 95), usdm_depth(110, 115, 105))
    go_live(venue, ring, 100)
    play(venue, ring, usdm_depth(140, 150, 115))

    assert states(ring) == [SYNCING, LIVE]
    assert [row[3] for row in rows(ring) if row[0] == Kind.BOOK] == [100, 100, 105, 115, 150]

    play(venue, ring, usdm_depth(160, 170, 155))
    assert states(ring) == [SYNCING, LIVE, GAP, SYNCING]


def test_a_usdm_snapshot_between_two_messages_fits():
    venue, ring = adapter(market=USDM)
    play(venue, ring, usdm_depth(90, 95, 80), usdm_depth(110, 115, 95))

    go_live(venue, ring, 100)

    assert states(ring) == [SYNCING, LIVE]
    assert [row[3] for row in rows(ring) if row[0] == Kind.BOOK] == [100, 100, 115]


def test_a_hole_among_the_messages_that_wait_starts_them_anew(is_fast):
    venue, ring = adapter(is_fast=is_fast)

    play(venue, ring, spot_depth(1, 5), spot_depth(8, 9), spot_depth(10, 12))
    go_live(venue, ring, 4)
    assert states(ring) == [SYNCING]
    go_live(venue, ring, 7)

    assert rows(ring)[-1] == (Kind.LINK, float(LIVE), 0.0, 12, 0)
    assert venue.counters.gaps == 1


def test_too_many_early_messages_are_forgotten_and_counted(monkeypatch):
    monkeypatch.setattr(books, "MESSAGES_KEPT", 10)
    venue, ring = adapter()

    play(venue, ring, *[spot_depth(update, update) for update in range(1, 26)])
    go_live(venue, ring, 10)
    assert states(ring) == [SYNCING]
    go_live(venue, ring, 20)

    assert venue.counters.overflows == 2
    assert rows(ring)[-1] == (Kind.LINK, float(LIVE), 0.0, 25, 0)


def test_a_lost_link_makes_the_book_stale_and_the_next_one_starts_anew(is_fast):
    venue, ring = adapter(is_fast=is_fast)
    go_live(venue, ring, 10)

    venue.disconnected(NOW_NS + 1, ring)
    play(venue, ring, spot_depth(11, 11))
    venue.connected(NOW_NS + 2, ring)
    play(venue, ring, spot_depth(51, 51))
    go_live(venue, ring, 50)

    assert states(ring) == [SYNCING, LIVE, STALE, SYNCING, LIVE]
    clears = [row for row in rows(ring) if row[0] == Kind.BOOK_CLEAR]
    assert [clear[3] for clear in clears] == [10, 50]  # the old book is forgotten, not merged


def test_a_request_of_a_lost_link_is_forgotten_with_it():
    venue, ring = adapter()
    venue.requests()

    venue.disconnected(NOW_NS, ring)
    assert venue.requests() == []
    venue.connected(NOW_NS, ring)

    assert len(venue.requests()) == 1


def test_what_waits_survives_the_edge_of_the_ring(is_fast):
    venue, ring = adapter(is_fast=is_fast)
    ring.written = ring.played = ring.taped = len(ring.events) - 3
    levels = tuple((f"{price}.00", "1.0") for price in range(50, 60))

    play(venue, ring, spot_depth(11, 12, levels))
    go_live(venue, ring, 10)
    play(venue, ring, spot_depth(13, 14, levels))

    start = len(ring.events) - 3
    events = np.concatenate(ring.slices(start, ring.written))
    prices = events["a"][events["kind"] == Kind.BOOK].tolist()
    assert prices == [99.0, 101.0, *map(float, range(50, 60)), *map(float, range(50, 60))]


def test_without_room_a_message_is_refused_whole_and_counted(is_fast):
    venue, ring = adapter(is_fast=is_fast)
    go_live(venue, ring, 10)
    ring.written += len(ring.events) - ring.written - 2
    written = ring.written

    play(venue, ring, spot_depth(11, 12, tuple((f"{price}.00", "1.0") for price in range(50, 60))))

    assert ring.written == written
    assert venue.counters.rejected == 1


def test_trades_and_quotes_pass_whatever_the_book_does(is_fast):
    venue, ring = adapter(is_fast=is_fast)

    play(venue, ring, frames.spot_trade(7, is_sold=True), frames.spot_quote(9))

    trade, quote = ring.events[1], ring.events[2]
    assert (trade["kind"], trade["a"], trade["b"], trade["id"], trade["side"]) == (Kind.TRADE, 100.5, 2.0, 7, 1)
    assert trade["venue_ns"] == (frames.NOW_MS - 1) * 1_000_000
    assert [quote[name].item() for name in "abcd"] == [100.0, 1.5, 100.01, 2.5]
    assert (quote["kind"], quote["id"], quote["venue_ns"], quote["received_ns"]) == (Kind.QUOTE, 9, 0, NOW_NS)


def test_a_book_that_hears_nothing_while_others_do_is_stale_and_asked_for_anew(is_fast):
    venue, ring = adapter("BTCUSDT", "ETHUSDT", is_fast=is_fast)
    go_live(venue, ring, 10)
    minute = 60 * 10**9

    venue.decode(spot_depth(11, 12), NOW_NS + 1, ring)
    venue.decode(frames.spot_trade(1), NOW_NS + minute, ring)
    assert (states(ring, 0), states(ring, 1)) == ([SYNCING, LIVE], [SYNCING, LIVE])
    venue.decode(frames.spot_trade(2), NOW_NS + minute + 10**9, ring)

    assert states(ring, 0) == states(ring, 1) == [SYNCING, LIVE, STALE, SYNCING]
    assert venue.counters.silences == 2
    assert [request.symbol for request in venue.requests()] == ["BTCUSDT", "ETHUSDT"]
    asked = [json.loads(message) for message in venue.outgoing(0)]
    assert [each["method"] for each in asked] == ["UNSUBSCRIBE", "SUBSCRIBE"] * 2
    assert asked[0]["params"] == ["btcusdt@depth@100ms"]


def test_silence_is_judged_between_the_same_frames_however_they_are_read():
    messages = [frames.spot_trade(identity) for identity in range(1, 9)]
    ways = []
    for cuts in ((8,), (1,) * 8, (3, 5)):
        venue, ring = adapter()
        go_live(venue, ring, 10)
        at = 0
        for size in cuts:
            venue.decode_read(messages[at : at + size], NOW_NS + 90 * 10**9, ring)
            at += size
        ways.append(ring.events[: ring.written].tobytes())

    assert ways[0] == ways[1] == ways[2]
