"""Binance's channels beside trades, quotes and depth: what becomes an event, and what does not."""

from __future__ import annotations

import json

import pytest

from streamtrader.errors import ConfigError
from streamtrader.events import MORE, BookState, Kind, Side
from streamtrader.kernel.ring import Ring
from streamtrader.venues.binance import SPOT, USDM, Binance
from tests.venues import frames
from tests.venues.frames import NOW_MS, NOW_NS, adapter, rows, states

MINUTE_MS = 60_000
START_MS = NOW_MS - NOW_MS % MINUTE_MS
BIDS = (("100.5", "1.0"), ("100.4", "2.0"))
ASKS = (("101.5", "2.0"), ("101.6", "1.0"))


@pytest.fixture(params=[True, False], ids=["scanner", "slow path"])
def is_fast(request):
    return request.param


def without_books(*channels, market=SPOT, is_fast=True):
    scanner = frames.compiled_scanner() if is_fast else None
    venue = Binance([frames.instrument(market=market)], market, scanner=scanner, channels=channels)
    ring = Ring(1 << 10)
    venue.connected(NOW_NS, ring)
    return venue, ring


def events_of(venue, ring, *messages):
    """The views of what the messages became."""
    start = ring.written
    for message in messages:
        venue.decode(message, NOW_NS, ring)
    return list(ring.events[start : ring.written])


# Aggregate trades.


def test_an_aggregate_trade_is_a_trade_with_the_aggregates_id(is_fast):
    venue, ring = adapter(market=USDM, is_fast=is_fast)

    (event,) = events_of(venue, ring, frames.usdm_aggregate(7, is_sold=True))

    assert (event.kind, event.side, event.id) == (Kind.TRADE, Side.SELL, 7)
    assert (event.trade.price, event.trade.size) == (100.5, 2.0)
    assert (event.venue_ns, event.received_ns) == ((NOW_MS - 1) * 1_000_000, NOW_NS)
    assert venue.counters.trades == 1


def test_where_single_trades_come_aggregates_tell_nothing_new(is_fast):
    venue, ring = adapter("BTCUSDT", "ETHUSDT", is_fast=is_fast)

    before = events_of(venue, ring, frames.spot_aggregate(1))
    after = events_of(venue, ring, frames.spot_trade(5), frames.spot_aggregate(2))
    other = events_of(venue, ring, frames.spot_aggregate(3, symbol="ETHUSDT"))

    assert [event.id for event in (*before, *after, *other)] == [1, 5, 3]
    assert (venue.counters.trades, venue.counters.notices, venue.counters.rejected) == (3, 1, 0)


@pytest.mark.parametrize("what", ["NA", "INSURANCE_FUND", "ADL"])
def test_what_moves_between_the_venues_own_accounts_is_no_trade(is_fast, what):
    venue, ring = adapter(market=USDM, is_fast=is_fast)
    frame = frames.usdm_trade(price="0", size="0").replace(b"MARKET", what.encode())

    assert events_of(venue, ring, frame) == []
    assert (venue.counters.notices, venue.counters.rejected) == (1, 0)


def test_a_trade_of_the_market_at_a_price_of_zero_is_refused():
    venue, ring = adapter(market=USDM)

    assert events_of(venue, ring, frames.usdm_trade(price="0")) == []
    assert venue.counters.rejected == 1


# Klines.


def test_only_a_closed_kline_becomes_a_candle():
    venue, ring = adapter(market=USDM)

    (event,) = events_of(
        venue, ring, frames.kline(START_MS, is_closed=False), frames.kline(START_MS, "100.75", is_closed=True)
    )

    candle = event.candle
    assert event.kind == Kind.CANDLE
    assert (candle.venue_ns, candle.received_ns) == (START_MS * 1_000_000, NOW_NS)
    assert (candle.open, candle.high, candle.low, candle.close) == (100.0, 101.0, 99.5, 100.75)
    assert candle.volume == 12.5
    assert (venue.counters.candles, venue.counters.notices) == (1, 1)


def test_klines_with_spaces_between_their_keys_are_read():
    """As USD-M has been sending them."""
    venue, ring = adapter(market=USDM)

    assert len(events_of(venue, ring, frames.kline(START_MS).replace(b',"', b', "'))) == 1


def test_candles_that_never_came_are_counted_by_the_next_one():
    venue, ring = adapter()

    events_of(venue, ring, frames.kline(START_MS), frames.kline(START_MS + MINUTE_MS))
    assert venue.counters.candles_missing == 0
    events_of(venue, ring, frames.kline(START_MS + 5 * MINUTE_MS))

    assert (venue.counters.candles, venue.counters.candles_missing) == (3, 3)


def test_a_candle_is_never_told_twice_nor_backwards():
    venue, ring = adapter()
    events_of(venue, ring, frames.kline(START_MS))

    late = events_of(venue, ring, frames.kline(START_MS), frames.kline(START_MS - MINUTE_MS))

    assert late == []
    assert (venue.counters.candles, venue.counters.candles_late) == (1, 2)


def test_candles_of_another_interval_are_unknown():
    venue, ring = without_books("kline_1m")

    assert events_of(venue, ring, frames.kline(START_MS, interval="1h")) == []
    assert venue.counters.unknown == 1


def test_one_connection_has_candles_of_one_interval():
    with pytest.raises(ConfigError, match="one interval"):
        without_books("kline_1m", "kline_1h")


@pytest.mark.parametrize(
    "changes",
    [{"h": "100.4"}, {"l": "100.1"}, {"o": "0"}, {"v": "-1"}, {"v": "NaN"}, {"T": START_MS}, {"t": -1}, {"s": "ETHUSDT"}],
)  # fmt: skip
def test_a_candle_that_cannot_be_true_is_refused(changes):
    venue, ring = adapter()
    if "s" in changes:
        frame = frames.kline(START_MS).replace(b'"s":"BTCUSDT","k"', b'"s":"ETHUSDT","k"')
    else:
        frame = frames.kline(START_MS, **changes)

    assert events_of(venue, ring, frame) == []
    assert venue.counters.rejected == 1


# Marks and liquidations.


def test_a_mark_brings_the_funding_rate_and_when_it_is_paid():
    venue, ring = without_books("markPrice@1s", market=USDM)

    (event,) = events_of(venue, ring, frames.mark("-0.00012500"))

    mark = event.mark
    assert event.kind == Kind.MARK
    assert (mark.price, mark.index_price) == (100.51234567, 100.49)
    assert (mark.funding_rate, mark.is_settled) == (-0.000125, 0.0)
    assert mark.next_funding_ns == (NOW_MS + 3_600_000) * 1_000_000
    assert (event.venue_ns, venue.counters.marks) == (NOW_MS * 1_000_000, 1)


def test_a_contract_that_is_delivered_has_no_funding():
    venue, ring = adapter(market=USDM)

    (event,) = events_of(venue, ring, frames.mark("", 0))

    assert (event.mark.funding_rate, event.mark.next_funding_ns) == (0.0, 0)


@pytest.mark.parametrize(
    "changes", [{"p": "0"}, {"p": "NaN"}, {"i": "-1"}, {"r": "1.5"}, {"r": "NaN"}, {"r": "x"}, {"T": -5}]
)
def test_a_mark_that_cannot_be_true_is_refused(changes):
    venue, ring = adapter(market=USDM)

    assert events_of(venue, ring, frames.mark(**changes)) == []
    assert venue.counters.rejected == 1


def test_a_liquidation_is_told_at_the_price_and_of_the_size_that_were_filled():
    venue, ring = without_books("forceOrder", market=USDM)

    sold, bought = events_of(venue, ring, frames.liquidation(), frames.liquidation("BUY", ap="0", z="0"))

    assert (sold.kind, sold.side, sold.venue_ns) == (Kind.LIQUIDATION, Side.SELL, (NOW_MS - 2) * 1_000_000)
    assert (sold.liquidation.price, sold.liquidation.size) == (99.5, 0.014)
    assert (bought.side, bought.liquidation.price, bought.liquidation.size) == (Side.BUY, 99.0, 0.02)
    assert venue.counters.liquidations == 2


@pytest.mark.parametrize(
    "changes", [{"S": "LONG"}, {"q": "0", "z": "0"}, {"p": "-1"}, {"ap": "1e13"}, {"s": "ETHUSDT"}]
)
def test_a_liquidation_that_cannot_be_true_is_refused(changes):
    venue, ring = adapter(market=USDM)

    assert events_of(venue, ring, frames.liquidation(**changes)) == []
    assert venue.counters.rejected == 1


# Partial depth.


@pytest.mark.parametrize("shape", [frames.spot_partial, frames.usdm_partial])
def test_partial_depth_makes_a_book_of_which_only_changes_are_told(is_fast, shape):
    venue, ring = without_books("depth5@100ms", is_fast=is_fast)
    assert states(ring) == [BookState.SYNCING]

    venue.decode(shape(12, BIDS, ASKS), NOW_NS, ring)
    assert [row[:3] for row in rows(ring, 1)] == [
        (Kind.BOOK_CLEAR, 0.0, 0.0),
        (Kind.BOOK, 100.5, 1.0),
        (Kind.BOOK, 100.4, 2.0),
        (Kind.BOOK, 101.5, 2.0),
        (Kind.BOOK, 101.6, 1.0),
        (Kind.LINK, float(BookState.LIVE), 0.0),
    ]
    start = ring.written
    venue.decode(shape(14, (("100.6", "3.0"), BIDS[0]), (("101.5", "9.0"), ASKS[1])), NOW_NS, ring)

    assert rows(ring, start) == [
        (Kind.BOOK, 100.4, 0.0, 14, MORE),
        (Kind.BOOK, 100.6, 3.0, 14, MORE),
        (Kind.BOOK, 101.5, 9.0, 14, 0),
    ]
    assert (venue.book_state(0), venue.requests()) == (BookState.LIVE, [])


def test_partial_depth_from_the_past_is_ignored_until_the_venue_counts_anew():
    venue, ring = without_books("depth5")
    events_of(venue, ring, frames.spot_partial(1_000, BIDS, ASKS))

    assert events_of(venue, ring, frames.spot_partial(1_000, BIDS, ASKS), frames.spot_partial(999, BIDS, ())) == []
    assert venue.counters.repeated == 2
    events_of(venue, ring, frames.spot_partial(3, BIDS, ASKS))

    assert states(ring)[1:] == [BookState.LIVE, BookState.GAP, BookState.SYNCING, BookState.LIVE]


def test_after_a_lost_link_partial_depth_begins_anew():
    venue, ring = without_books("depth5")
    events_of(venue, ring, frames.spot_partial(12, BIDS, ASKS))

    venue.disconnected(NOW_NS, ring)
    assert venue.book_state(0) == BookState.STALE
    venue.connected(NOW_NS, ring)
    events = events_of(venue, ring, frames.spot_partial(13, BIDS, ASKS))

    assert [event.kind for event in events] == [Kind.BOOK_CLEAR, *[Kind.BOOK] * 4, Kind.LINK]


def test_beside_the_whole_depth_partial_depth_changes_no_book():
    venue, ring = adapter(market=USDM)
    frames.go_live(venue, ring, 10)

    assert events_of(venue, ring, frames.usdm_partial(12, BIDS, ASKS)) == []
    assert (venue.counters.notices, venue.book_state(0)) == (1, BookState.LIVE)
    with pytest.raises(ConfigError, match="whole depth or one partial depth"):
        without_books("depth@100ms", "depth5")


@pytest.mark.parametrize(
    "frame",
    [
        frames.spot_partial(12, (("0", "1"),), ()),
        frames.spot_partial(12, (("1", "-1"),), ()),
        frames.spot_partial(12, [(str(100 + level), "1") for level in range(21)], ()),
        frames.spot_partial(-1, BIDS, ASKS),
        frames.spot_partial(12, BIDS, ASKS).replace(b'"asks"', b'"ask"'),
        frames.usdm_partial(12, BIDS, ASKS).replace(b'"BTCUSDT","ps"', b'"ETHUSDT","ps"'),
    ],
)
def test_partial_depth_that_cannot_be_true_is_refused(frame):
    venue, ring = without_books("depth20")

    assert events_of(venue, ring, frame) == []
    assert venue.counters.rejected == 1


# Faults of one book.


def test_an_update_that_cannot_be_read_makes_that_book_start_again_and_no_other(is_fast):
    venue, ring = adapter("BTCUSDT", "ETHUSDT", is_fast=is_fast)
    frames.go_live(venue, ring, 10)

    venue.decode(frames.spot_depth(11, 12, (("NaN", "1.0"),)), NOW_NS, ring)

    assert states(ring, 0)[2:] == [BookState.GAP, BookState.SYNCING]
    assert venue.book_state(1) == BookState.LIVE
    assert [request.symbol for request in venue.requests()] == ["BTCUSDT"]


def test_a_heartbeat_is_asked_for_where_pings_are_minutes_apart():
    usdm, _ = adapter(market=USDM)
    spot, _ = adapter()

    assert json.loads(usdm.ping.message)["method"] == "LIST_SUBSCRIPTIONS"
    assert 2 * usdm.ping.every_s < usdm.limits.silence_s
    assert spot.ping is None
    usdm.decode(b'{"result":["btcusdt@trade"],"id":1}', NOW_NS, Ring(8))
    assert (usdm.counters.notices, usdm.counters.unknown) == (1, 0)
