"""Coinbase Exchange: the recorded books never cross, and its witnesses find what the feed does not number."""

from __future__ import annotations

import gzip
import json

import pytest

from streamtrader.events import BookState, Kind
from streamtrader.venues.coinbase_exchange import CoinbaseExchange
from tests.venues.coinbase_exchange_frames import (
    CAPTURE,
    LOST,
    SYMBOLS,
    played,
    recorded,
)
from tests.venues.streamed import NOW_NS, instruments_of, is_sane, ring_of, states, venue_of

# What the venue really said.


def test_every_message_of_the_capture_decodes_and_no_book_is_ever_in_doubt(shared_data):
    venue, ring = played(shared_data)

    counters = venue.counters
    assert (counters.frames, counters.snapshots, counters.trades) == (9_946, 10, 97)
    assert (counters.rejected, counters.unknown, counters.errors, counters.faults) == (0, 0, 0, 0)
    assert (counters.gaps, counters.resyncs, counters.repeated) == (0, 0, 0)
    assert all(states(ring, index) == [BookState.SYNCING, BookState.LIVE] for index in range(10))
    is_sane(ring, 0, venue)


@pytest.mark.slow
def test_the_books_of_the_tape_are_those_of_the_capture_and_never_cross(shared_data):
    venue = venue_of("coinbase-exchange", *SYMBOLS)
    ring = ring_of(venue)
    plain: dict[str, dict[str, dict[float, float]]] = {}
    written: list[tuple[dict, dict]] = [({}, {}) for _ in SYMBOLS]
    at, updates = ring.written, 0

    for clock, frame in recorded(shared_data):
        venue.decode(frame, clock, ring)
        told = json.loads(frame)
        if told["type"] == "snapshot":
            sides = {"buy": told["bids"], "sell": told["asks"]}
            plain[told["product_id"]] = {
                side: {float(price): float(size) for price, size in levels} for side, levels in sides.items()
            }
        elif told["type"] == "l2update":
            updates += 1
            for side, price, size in told["changes"]:
                plain[told["product_id"]][side][float(price)] = float(size)
        for event in ring.events[at : ring.written]:
            if event["kind"] == Kind.BOOK:
                written[event["instrument"]][event["side"]][float(event["a"])] = float(event["b"])
        at = ring.written
        if told["type"] == "l2update":
            bids, asks = written[venue.index[told["product_id"]]]
            assert max(p for p, size in bids.items() if size) < min(p for p, size in asks.items() if size)

    assert updates == 9_719
    for symbol, (bids, asks) in zip(SYMBOLS, written, strict=True):
        assert (bids, asks) == (plain[symbol]["buy"], plain[symbol]["sell"])


def test_our_subscriptions_are_those_of_the_recorded_client(shared_data):
    lines = gzip.decompress((shared_data / CAPTURE).read_bytes()).splitlines()
    said = [json.loads(line.partition(b": ")[2]) for line in lines if b" <- " in line[:80]]
    venue = CoinbaseExchange(
        instruments_of("coinbase-exchange", said[0]["product_ids"]), channels=("level2", "ticker", "matches")
    )

    assert [json.loads(each) for each in venue.subscribe(venue.routes[0])] == said


def test_the_recorded_makers_stood_in_the_book_on_the_side_that_is_told(shared_data):
    """So `side` is the maker's: a maker who sells never does so at the best bid or below it."""
    sides: dict[str, dict[str, set[float]]] = {}
    for _, frame in recorded(shared_data):
        told = json.loads(frame)
        if told["type"] == "snapshot":
            levels = {"buy": told["bids"], "sell": told["asks"]}
            sides[told["product_id"]] = {side: {float(price) for price, _ in levels[side]} for side in levels}
        elif told["type"] == "l2update":
            for side, price, size in told["changes"]:
                book = sides[told["product_id"]][side]
                (book.add if float(size) else book.discard)(float(price))
        elif told["type"] == "match":
            book = sides[told["product_id"]]
            is_at_bid, is_at_ask = (
                float(told["price"]) <= max(book["buy"]), float(told["price"]) >= min(book["sell"]),
            )  # fmt: skip
            assert not (is_at_bid if told["side"] == "sell" else is_at_ask)


def without_an_insertion(frames):
    """Drop the frame that sets a level which is removed later on; its product is SKL-USD."""
    told = [json.loads(frame) for _, frame in frames]
    news = {}
    for number, each in enumerate(told):
        if each["type"] == "l2update" and each["product_id"] == "SKL-USD":
            ((_, price, size),) = each["changes"]
            if float(size):
                news.setdefault(price, number)
            elif price in news:
                listed = next(one for one in told if one["type"] == "snapshot" and one["product_id"] == "SKL-USD")
                if price not in {level[0] for level in (*listed["bids"], *listed["asks"])}:
                    return [*frames[: news[price]], *frames[news[price] + 1 :]]
    raise AssertionError("no such level")


def test_a_dropped_frame_is_found_when_its_level_goes_and_costs_one_book_alone(shared_data):
    venue, ring = played(shared_data, without_an_insertion)

    assert venue.counters.gaps == 1
    assert states(ring, 9) == [BookState.SYNCING, BookState.LIVE, *LOST]
    assert all(states(ring, index) == [BookState.SYNCING, BookState.LIVE] for index in range(9))
    asked = [json.loads(said) for said in venue.outgoing(NOW_NS)]
    assert [(each["type"], each["product_ids"]) for each in asked] == [
        ("unsubscribe", ["SKL-USD"]), ("subscribe", ["SKL-USD"]),
    ]  # fmt: skip


def with_a_flipped_digit(frames):
    """A bid of DASH-BTC becomes ten times as high."""
    number = next(n for n, (_, frame) in enumerate(frames) if b'"DASH-BTC","changes":[["buy","0.00' in frame)
    clock, frame = frames[number]
    frames[number] = clock, frame.replace(b'["buy","0.00', b'["buy","0.10')
    return frames


def test_a_flipped_digit_of_a_price_costs_one_book_alone(shared_data):
    venue, ring = played(shared_data, with_a_flipped_digit)

    assert venue.counters.gaps == 1
    assert states(ring, 7) == [BookState.SYNCING, BookState.LIVE, *LOST]
    assert sum(len(states(ring, index)) for index in range(10)) == 22
