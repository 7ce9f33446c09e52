"""OKX: trades, quotes, candles, marks, funding, liquidations and statuses, each with what the venue means by it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from streamtrader.events import Kind, TradingStatus
from streamtrader.venues.okx import Okx, markets
from tests.venues import okx_frames as okx
from tests.venues.streamed import NOW_NS, instruments_of, ring_of, rows
from tests.venues.test_okx import SECOND, played


def test_contracts_become_units_of_the_base_currency():
    swap = replace(instruments_of("okx", [okx.SWAP], "perpetual")[0], contract_size=Decimal("0.01"))
    venue = Okx([swap], channels=markets.SWAP_CHANNELS)
    ring = ring_of(venue)

    for frame in (
        okx.snapshot(symbol=okx.SWAP),
        okx.trade(okx.SWAP, "7"),
        okx.best(symbol=okx.SWAP),
        okx.liquidation(okx.SWAP),
    ):
        venue.decode(frame, NOW_NS, ring)

    told = [(row[0], row[3]) for row in rows(ring) if row[0] in (Kind.BOOK, Kind.TRADE, Kind.LIQUIDATION)]
    assert told == [(3, 0.015), (3, 0.0002), (3, 0.03), (3, 0.001), (1, 0.07), (12, 0.13)]
    quote = ring.events[: ring.written][ring.events[: ring.written]["kind"] == Kind.QUOTE][0]
    assert (quote["b"], quote["d"]) == (0.02, 0.03)


def test_trades_carry_the_takers_side_and_the_venues_id():
    _, ring = played([okx.trade(side="sell")])

    event = ring.events[ring.written - 1]
    assert rows(ring)[-1] == (Kind.TRADE, 1, 100.1, 0.5, 0)
    assert (event["id"], event["venue_ns"], event["received_ns"]) == (130_639_474, NOW_NS, NOW_NS)


def test_only_the_quickest_channel_tells_the_best_quote():
    _, ring = played(
        [
            okx.ticker("99"),
            okx.best("books5", "99.5"),
            okx.ticker("98"),
            okx.best(bid="100.1"),
            okx.best("books5", "97"),
        ]
    )

    assert [row[2] for row in rows(ring) if row[0] == Kind.QUOTE] == [99.0, 99.5, 100.1]


def test_a_side_that_nobody_quotes_is_no_quote():
    empty = okx.data("bbo-tbt", [{"asks": [], "bids": [["100", "1", "0", "1"]], "ts": "1700000000000", "seqId": 1}])
    venue, ring = played([okx.ticker(""), empty])

    assert [row for row in rows(ring) if row[0] == Kind.QUOTE] == []
    assert (venue.counters.notices, venue.counters.rejected) == (2, 0)


def test_a_candle_is_written_once_and_only_when_it_is_closed():
    later = okx.NOW_MS + 60_000
    frames = [okx.candle(confirm="0"), okx.candle(), okx.candle(), okx.candle(later), okx.candle(channel="candle5m")]
    venue, ring = played(frames)

    events = [event for event in ring.events[: ring.written] if event["kind"] == Kind.CANDLE]
    assert [event["venue_ns"] for event in events] == [NOW_NS, NOW_NS + 60 * SECOND]
    assert [events[0][word] for word in "abcd"] == [100.0, 110.5, 90.0, 101.0]
    assert events[0]["id"].view("f8") == 12.5
    assert venue.counters.unknown == 1


def marks(ring) -> list[tuple]:
    chosen = [event for event in ring.events[: ring.written] if event["kind"] == Kind.MARK]
    return [(*(event[word].item() for word in "abcd"), event["id"].item()) for event in chosen]


def test_a_mark_carries_the_funding_rate_and_a_payment_is_told_once_it_is_settled():
    first, second = okx.NOW_MS, okx.NOW_MS + 28_800_000
    frames = [
        okx.funding(first), okx.mark(), okx.funding(second, "processing", "0.0003"), okx.funding(second, "settled", "0.0003"),
        okx.funding(second, "settled", "0.0004"),
    ]  # fmt: skip
    _, ring = played(frames, okx.SWAP)

    first_ns, second_ns = first * 1_000_000, second * 1_000_000
    assert marks(ring) == [
        (100.3, 0.0, 0.0002, 0.0, first_ns),
        (100.3, 0.0, 0.0003, 0.0, second_ns),
        (100.3, 0.0, 0.0001, 1.0, second_ns),
        (100.3, 0.0, 0.0003, 0.0, second_ns),
        (100.3, 0.0, 0.0004, 0.0, second_ns),
    ]


def test_of_all_liquidations_only_those_of_our_instruments_are_told():
    venue, ring = played([okx.liquidation("IOST-USDT-SWAP", okx.SWAP), okx.liquidation("IOST-USDT-SWAP")], okx.SWAP)

    assert rows(ring, 1) == [(Kind.LIQUIDATION, 1, 99.5, 13.0, 0)]
    assert (venue.counters.liquidations, venue.counters.notices) == (1, 1)


@pytest.mark.parametrize(
    ("frame", "status"),
    [
        (okx.maintenance("ongoing"), TradingStatus.HALTED),
        (okx.maintenance("pre_open"), TradingStatus.AUCTION),
        (okx.maintenance("completed"), TradingStatus.TRADING),
        (okx.maintenance("ongoing", "9"), TradingStatus.UNKNOWN),
        (okx.maintenance("scheduled"), None),
        (okx.maintenance("ongoing", "0"), None),
        (okx.maintenance("ongoing", environment="2"), None),
    ],
)
def test_a_maintenance_of_the_trading_service_is_told_for_every_instrument(frame, status):
    venue, ring = played([frame])

    told = [row[2] for row in rows(ring) if row[0] == Kind.STATUS]
    assert told == ([status] * 2 if status else [])
    assert venue.counters.notices == (not status)


def test_the_state_of_an_instrument_is_told_when_it_changes():
    _, ring = played(
        [okx.rules(BTC_USDT="live", X_Y="live"), okx.rules(BTC_USDT="live"), okx.rules(BTC_USDT="suspend")]
    )

    assert [row[2] for row in rows(ring) if row[0] == Kind.STATUS] == [TradingStatus.TRADING, TradingStatus.HALTED]
