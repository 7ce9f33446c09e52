"""Two links of a venue that numbers nothing alike: each channel has one teller, and no trade is lost or told twice."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.events import BookState, Kind
from streamtrader.venues import relay
from streamtrader.venues.bundles import Bundle
from streamtrader.venues.coinbase import markets as coinbase_markets
from streamtrader.venues.relay import ALL, ECHO_NS, HOLD_NS, Relay, Told
from streamtrader.venues.tallies import ConnectionCounters
from streamtrader.venues.venue import Counters
from tests.venues import coinbase_exchange_frames as exchange
from tests.venues import coinbase_frames as coinbase
from tests.venues.streamed import NOW_NS, instruments_of, ring_of, states, venue_of
from tests.venues.test_kraken import ASKS, BIDS, BTC_STEPS, book, crc_of

LIVE, SYNCING, GAP = BookState.LIVE, BookState.SYNCING, BookState.GAP
GOOD = crc_of(ASKS, BIDS)


def told(number, received_ns=NOW_NS):
    return Told(number, 0, (1, received_ns), 1.0, 1.0)


def play(brought, choices, mortal=0):
    """Two links bring each their trades, in the order of `choices`; the `mortal` one ends with its last."""
    made, written = Relay(1, Counters()), []
    queues = {link: list(ids) for link, ids in enumerate(brought)}
    order = iter(choices)
    while queues[0] or queues[1]:
        wanted = next(order, 0)
        link = wanted if queues[wanted] else 1 - wanted
        made.turn_to(link)
        written += [each.id for each in made.trades(0, told(queues[link].pop(0)))]
        if link == mortal and not queues[mortal]:
            made.hand_on(mortal, 1 - mortal, NOW_NS)
            written += [each.id for each in made.released(0, NOW_NS, before=0 if mortal else ALL)]
    return written


@given(st.data(), st.integers(1, 40))
def test_every_trade_is_told_once_and_in_order_whatever_the_links_bring_when(data, count):
    end = data.draw(st.integers(1, count))
    start = data.draw(st.integers(1, end + 1))
    choices = data.draw(st.lists(st.sampled_from([0, 1]), max_size=100))

    written = play([range(1, end + 1), range(start, count + 1)], choices)

    assert sorted(written) == list(range(1, count + 1))
    assert all(before < after for before, after in pairwise(written))


@given(st.data(), st.integers(1, 40))
def test_a_link_that_began_too_late_leaves_its_hole_and_repeats_nothing(data, count):
    end, start = data.draw(st.integers(1, count)), data.draw(st.integers(1, count))
    choices = data.draw(st.lists(st.sampled_from([0, 1]), max_size=100))

    written = play([range(1, end + 1), range(start, count + 1)], choices)

    assert len(written) == len(set(written))
    assert set(written) == set(range(1, end + 1)) | set(range(start, count + 1))


@given(st.data(), st.integers(1, 40))
def test_when_the_newer_link_ends_the_older_one_still_tells_all_that_lies_before(data, count):
    start = data.draw(st.integers(1, count))
    end = data.draw(st.integers(start, count))
    choices = data.draw(st.lists(st.sampled_from([0, 1]), max_size=100))

    written = play([range(1, count + 1), range(start, end + 1)], choices, mortal=1)

    assert sorted(written) == list(range(1, count + 1))
    assert all(before < after for before, after in pairwise(written))


def test_a_later_trade_of_the_older_link_releases_those_before_it():
    made = Relay(1, Counters())
    list(made.trades(0, told(1)))
    made.turn_to(1)
    assert list(made.trades(0, told(3))) == []

    made.turn_to(0)
    assert [each.id for each in made.trades(0, told(5))] == [3, 5], "the second was told by nobody"


def test_a_trade_waits_no_longer_than_it_is_told_to():
    made = Relay(1, Counters())
    list(made.trades(0, told(1)))
    made.turn_to(1)

    assert list(made.trades(0, told(5))) == []
    assert list(made.trades(0, told(6, NOW_NS + HOLD_NS))) == []
    late_ns = NOW_NS + HOLD_NS + 1
    assert [each.id for each in made.trades(0, told(7, late_ns))] == [5, 6, 7]


def test_what_waits_has_a_limit(monkeypatch):
    monkeypatch.setattr(relay, "WAITING_MOST", 3)
    made = Relay(1, Counters())
    list(made.trades(0, told(1)))
    made.turn_to(1)

    released = [[each.id for each in made.trades(0, told(number))] for number in (5, 6, 7, 8)]

    assert released == [[], [], [], [5, 6, 7, 8]]


def test_the_relay_ends_some_time_after_the_older_link_has():
    made = Relay(1, Counters())
    list(made.trades(0, told(9)))
    made.turn_to(1)
    made.hand_on(0, 1, NOW_NS)
    assert list(made.trades(0, told(9))) == []  # an echo

    assert [each.id for each in made.trades(0, told(3, NOW_NS + ECHO_NS + 1))] == [3]  # the venue counts anew
    assert not made.is_on


def kraken(*symbols):
    venue = venue_of("kraken", *symbols, steps=BTC_STEPS)
    ring = ring_of(venue)
    for symbol in symbols:
        venue.decode(snapshot(symbol), NOW_NS, ring)
    return venue, ring


def snapshot(symbol="BTC/USD"):
    return book("snapshot", BIDS, ASKS, GOOD, symbol)


def change(size, symbol="BTC/USD"):
    asks = [(ASKS[0][0], size), *ASKS[1:]]
    return book("update", [], asks[:1], crc_of(asks, BIDS), symbol)


def test_a_snapshot_of_the_newer_link_takes_the_book_over_and_the_older_one_is_passed_over():
    venue, ring = kraken("BTC/USD")
    venue.decode(change("1.00000000"), NOW_NS, ring)

    venue.turn_to(1)
    venue.decode(change("2.00000000"), NOW_NS, ring)  # of a book whose snapshot has not come yet
    before = ring.written
    venue.decode(snapshot(), NOW_NS, ring)
    venue.turn_to(0)
    venue.decode(change("7.00000000"), NOW_NS, ring)
    venue.turn_to(1)
    venue.decode(change("4.00000000"), NOW_NS, ring)

    assert states(ring) == [SYNCING, LIVE, LIVE]
    sizes = ring.events["b"][before : ring.written].tolist()
    assert (7.0 in sizes, 4.0 in sizes) == (False, True)
    counters = venue.counters
    assert (counters.gaps, counters.checksums_failed, counters.repeated) == (0, 0, 2)


def test_a_book_that_only_the_ended_link_told_is_lost_and_asked_for_again_and_no_other():
    venue, ring = kraken("BTC/USD", "ETH/USD")
    venue.turn_to(1)
    venue.decode(snapshot("ETH/USD"), NOW_NS, ring)
    assert not venue.is_told_by(1)

    venue.left(0, 1, NOW_NS, ring)

    assert states(ring, 0)[-2:] == [GAP, SYNCING]
    assert states(ring, 1)[-1] == LIVE
    (_, asked) = venue.outgoing(NOW_NS)
    assert b'"BTC/USD"' in asked
    venue.turn_to(1)
    venue.decode(snapshot("BTC/USD"), NOW_NS, ring)
    assert venue.is_told_by(1)


def test_when_the_newer_link_ends_the_older_one_tells_its_books_again():
    venue, ring = kraken("BTC/USD")
    venue.turn_to(1)
    venue.decode(snapshot(), NOW_NS, ring)

    venue.left(1, 0, NOW_NS, ring)
    venue.turn_to(0)
    venue.decode(change("2.00000000"), NOW_NS, ring)  # what it stands on was told by nobody
    venue.decode(snapshot(), NOW_NS, ring)
    venue.decode(change("3.00000000"), NOW_NS, ring)

    assert states(ring) == [SYNCING, LIVE, LIVE, GAP, SYNCING, LIVE]
    assert venue.counters.checksums_failed == 0


def test_after_all_links_are_lost_it_begins_anew():
    venue, ring = kraken("BTC/USD")
    venue.turn_to(1)
    venue.decode(snapshot(), NOW_NS, ring)
    venue.disconnected(NOW_NS, ring)

    venue.connected(NOW_NS, ring)
    venue.decode(snapshot(), NOW_NS, ring)
    venue.decode(change("2.00000000"), NOW_NS, ring)

    assert states(ring)[-1] == LIVE
    assert venue.counters.repeated == 0


def test_a_state_of_the_market_is_told_by_the_newest_link_alone():
    venue, ring = kraken("BTC/USD")
    online = b'{"channel":"status","type":"update","data":[{"system":"online"}]}'
    venue.turn_to(1)
    venue.decode(online, NOW_NS, ring)
    venue.turn_to(0)
    venue.decode(online, NOW_NS, ring)

    assert venue.counters.statuses == 1


def test_a_link_that_is_opened_again_is_a_new_one():
    bundle = Bundle(venue_of("kraken", "BTC/USD"), ConnectionCounters())
    for number in (4, 5):
        bundle.open(number, None)
    bundle.close(5)
    bundle.open(6, None)

    assert bundle.turns == {4: 0, 5: 1, 6: 2}
    assert bundle.heir == 6
    for number in (4, 6):
        bundle.close(number)
    bundle.open(7, None)
    assert bundle.turns == {7: 0}, "the adapter begins anew"


def test_each_link_of_coinbase_has_numbers_of_its_own():
    venue = venue_of("coinbase", "BTC-USD", "ETH-USD")
    ring = ring_of(venue)
    for number, symbol in enumerate(("BTC-USD", "ETH-USD")):
        venue.decode(coinbase.book(number, "snapshot", coinbase.BIDS, coinbase.ASKS, symbol), NOW_NS, ring)
    venue.decode(coinbase.trades(2, coinbase.trade("70")), NOW_NS, ring)

    venue.turn_to(1)
    venue.decode(coinbase.book(0, "snapshot", coinbase.BIDS, coinbase.ASKS), NOW_NS, ring)
    venue.decode(coinbase.trades(1, coinbase.trade("71")), NOW_NS, ring)
    venue.turn_to(0)
    venue.decode(coinbase.trades(3, coinbase.trade("71")), NOW_NS, ring)
    assert venue.counters.gaps == 0

    venue.decode(coinbase.trades(9, coinbase.trade("72")), NOW_NS, ring)  # messages of the older link are missing
    assert states(ring, 0)[-1] == LIVE, "the other link tells this one"
    assert states(ring, 1)[-2:] == coinbase.LOST
    events = ring.events[: ring.written]
    assert events["id"][events["kind"] == Kind.TRADE].tolist() == [70, 71, 72]


def test_the_older_feed_of_coinbase_is_relayed_too():
    venue = exchange.CoinbaseExchange(instruments_of("coinbase-exchange", ["SKL-USD"]))
    ring = ring_of(venue)
    for frame in (exchange.snapshot(), exchange.match(5), exchange.heartbeat(10, 5)):
        venue.decode(frame, NOW_NS, ring)

    venue.turn_to(1)
    for frame in (exchange.match(5, kind="last_match"), exchange.snapshot(), exchange.match(6)):
        venue.decode(frame, NOW_NS, ring)
    venue.turn_to(0)
    for frame in (exchange.match(6), exchange.changes(("buy", "0.7901", "3.0")), exchange.heartbeat(11, 6)):
        venue.decode(frame, NOW_NS, ring)
    venue.left(0, 1, NOW_NS, ring)
    venue.turn_to(1)
    venue.decode(exchange.changes(("buy", "0.7901", "2.0")), NOW_NS, ring)

    events = ring.events[: ring.written]
    assert events["id"][events["kind"] == Kind.TRADE].tolist() == [5, 6]
    assert events["b"][events["kind"] == Kind.BOOK].tolist()[-1] == 2.0
    assert states(ring) == [SYNCING, LIVE, LIVE]
    assert venue.counters.gaps == 0


def test_a_heartbeat_of_one_link_promises_nothing_for_another():
    venue = exchange.CoinbaseExchange(instruments_of("coinbase-exchange", ["SKL-USD"]))
    ring = ring_of(venue)
    for frame in (exchange.match(5), exchange.match(6), exchange.heartbeat(11, 6)):
        venue.decode(frame, NOW_NS, ring)

    venue.turn_to(1)
    for frame in (exchange.match(5, kind="last_match"), exchange.heartbeat(10, 5), exchange.match(6)):
        venue.decode(frame, NOW_NS, ring)

    assert venue.counters.gaps == 0
    assert venue.outgoing(NOW_NS) == []


@pytest.mark.parametrize("channel", [coinbase_markets.TICKER, coinbase_markets.CANDLE])
def test_what_stands_by_itself_is_told_by_the_newest_link_that_tells_it(channel):
    made = Relay(2, Counters())
    assert not made.passes_over(channel, 0)
    made.turn_to(1)
    assert not made.passes_over(channel, 0)

    made.turn_to(0)
    assert made.passes_over(channel, 0)
    assert not made.passes_over(channel, 1)
