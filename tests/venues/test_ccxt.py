"""What ccxt tells, as frames of ours, and what those become."""

from __future__ import annotations

import json
from decimal import Decimal
from types import SimpleNamespace

import pytest

from streamtrader.errors import ConfigError
from streamtrader.events import ASK, BID, BUY, MORE, SELL, BookState, Kind
from streamtrader.instruments import Instrument
from streamtrader.venues.ccxt import Ccxt
from streamtrader.venues.ccxt.conversion import BookDiff, TradeSieve, candles_frame, quote_frame, told_frame
from streamtrader.venues.ccxt.markets import instrument_of, moved_urls, narrowed
from streamtrader.venues.registry import is_choice, listing_of
from streamtrader.venues.venue import Endpoints
from tests.venues.ccxt_frames import START_MS, STEPS, SYMBOL, book, candle, ticker, trade
from tests.venues.streamed import NOW_NS, ring_of, rows, states, venue_of


@pytest.fixture
def venue():
    return venue_of("ccxt", SYMBOL, steps=STEPS)


def played(venue, *frames: bytes, received_ns: int = NOW_NS):
    ring = ring_of(venue)
    start = ring.written
    for frame in frames:
        venue.decode(frame, received_ns, ring)
    assert venue.counters.faults == 0, venue.counters.last_error
    return ring, rows(ring, start)


def test_a_book_is_told_whole_once_and_then_by_what_changed(venue):
    diff = BookDiff(SYMBOL)
    whole = diff.frame(book([[100.0, 1.0], [99.5, 2.0]], [[100.1, 1.0]]))
    changed = diff.frame(book([[100.0, 3.0]], [[100.1, 1.0], [100.2, 4.0]]))

    ring, told = played(venue, whole, changed)

    kinds = [Kind.BOOK_CLEAR, *[Kind.BOOK] * 3, Kind.LINK, *[Kind.BOOK] * 3]
    assert kinds == [row[0] for row in told]
    assert told[5:] == [
        (Kind.BOOK, BID, 99.5, 0.0, MORE), (Kind.BOOK, BID, 100.0, 3.0, MORE), (Kind.BOOK, ASK, 100.2, 4.0, 0),
    ]  # fmt: skip
    assert states(ring) == [BookState.SYNCING, BookState.LIVE]


def test_results_that_were_missed_are_all_in_the_next_difference():
    diff = BookDiff(SYMBOL)
    diff.frame(book([[100.0, 1.0], [99.0, 1.0]], []))

    frame = json.loads(diff.frame(book([[101.0, 2.0], [99.0, 1.0]], [])))

    assert frame["bids"] == [[100.0, 0.0], [101.0, 2.0]]


def test_a_book_that_did_not_change_is_still_alive(venue):
    diff = BookDiff(SYMBOL)
    frames = [diff.frame(book([[100.0, 1.0]], [])) for _ in range(2)]

    _, told = played(venue, *frames)

    assert len(told) == 3
    assert venue.heard["book"] == [NOW_NS]


def test_levels_beyond_the_depth_are_removed_and_come_back():
    diff = BookDiff(SYMBOL, depth=2)
    diff.frame(book([[3.0, 1.0], [2.0, 1.0], [1.0, 1.0]], []))

    pushed = json.loads(diff.frame(book([[4.0, 1.0], [3.0, 1.0], [2.0, 1.0], [1.0, 1.0]], [])))
    back = json.loads(diff.frame(book([[3.0, 1.0], [2.0, 1.0], [1.0, 1.0]], [])))

    assert pushed["bids"] == [[2.0, 0.0], [4.0, 1.0]]
    assert back["bids"] == [[4.0, 0.0], [2.0, 1.0]]


def test_orders_of_one_price_are_one_level():
    frame = json.loads(BookDiff(SYMBOL).frame(book([[100.0, 1.0, "a"], [100.0, 2.5, "b"]], [])))

    assert frame["bids"] == [[100.0, 3.5]]


def test_a_crossed_book_is_lost_and_asked_for_again(venue):
    diff = BookDiff(SYMBOL)
    frames = [diff.frame(book([[100.0, 1.0]], [[100.1, 1.0]])), diff.frame(book([[100.2, 1.0]], [[100.1, 1.0]]))]

    ring, _ = played(venue, *frames)

    assert states(ring)[-2:] == [BookState.GAP, BookState.SYNCING]
    assert venue.outgoing(NOW_NS) == [b'{"watch":"book","symbol":"BTC/USDT","timeframe":""}']
    assert json.loads(diff.frame(book([[100.0, 1.0]], [])))["is_snapshot"]


@pytest.mark.parametrize("price", [float("nan"), float("inf"), -1.0, 0.0, 2e12, None])
def test_an_impossible_price_refuses_the_whole_message_and_the_book(venue, price):
    diff = BookDiff(SYMBOL)
    frames = [diff.frame(book([[100.0, 1.0]], [])), diff.frame(book([[100.0, 2.0], [price, 1.0]], []))]

    ring, told = played(venue, *frames)

    assert venue.counters.rejected == 1
    assert [row[0] for row in told] == [Kind.BOOK_CLEAR, Kind.BOOK, Kind.LINK, Kind.LINK, Kind.LINK]
    assert states(ring)[-1] == BookState.SYNCING


def test_trades_pass_once_and_history_never(venue):
    sieve = TradeSieve(SYMBOL)
    frames = [
        sieve.frame([trade("1", time_ms=START_MS - 5000), trade("2"), trade("3", "sell")]),
        sieve.frame([trade("3"), trade("4"), trade("uuid-5"), trade(None), trade(None)]),
    ]

    ring, told = played(venue, *frames)

    assert [row[1] for row in told] == [BUY, SELL, BUY, BUY, BUY, BUY]
    assert [2, 3, 4, 0, 0, 0] == ring.events["id"][ring.written - 6 : ring.written].tolist()


@pytest.mark.parametrize("wrong", [{"side": None}, {"price": float("nan")}, {"amount": 0.0}, {"amount": None}])
def test_a_trade_that_cannot_be_true_refuses_its_message(venue, wrong):
    _, told = played(venue, TradeSieve(SYMBOL).frame([trade("1"), trade("2", **wrong)]))

    assert told == []
    assert venue.counters.rejected == 1


def test_a_result_as_long_as_ccxt_keeps_is_told_as_an_error(venue):
    _, told = played(venue, TradeSieve(SYMBOL).frame([trade()], is_overfull=True))

    assert len(told) == 1
    assert (venue.counters.errors, "may be lost" in venue.counters.last_error) == (1, True)


def test_a_quote_needs_both_sides_with_their_sizes(venue):
    frames = [quote_frame(SYMBOL, ticker()), quote_frame(SYMBOL, ticker(bidVolume=None, timestamp=None))]

    _, told = played(venue, *frames)

    assert told == [(Kind.QUOTE, 0, 100.0, 1.0, 0)]
    assert venue.counters.notices == 1


def test_a_candle_is_written_when_the_next_one_begins(venue):
    frames = [candles_frame(SYMBOL, [candle(0), candle(0, 1.7)]), candles_frame(SYMBOL, [candle(1), candle(0)])]

    ring, told = played(venue, *frames)

    assert [(Kind.CANDLE, 1.7)] == [(row[0], float(ring.events[ring.written - 1]["d"])) for row in told]
    assert venue.counters.candles_late == 1


def test_contracts_become_units_of_the_base():
    listed = Instrument("ccxt:gate", SYMBOL, "BTC", "USDT", *STEPS, kind="perpetual", contract_size=Decimal("0.0001"))
    venue = Ccxt([listed])

    _, told = played(venue, TradeSieve(SYMBOL).frame([trade(amount=5000)]), quote_frame(SYMBOL, ticker()))

    assert [row[3] for row in told] == [0.5, 0.0001]


def test_an_error_of_a_book_loses_that_book_alone():
    venue = venue_of("ccxt", SYMBOL, "ETH/USDT", steps=STEPS)
    frames = [BookDiff(symbol).frame(book([[100.0, 1.0]], [])) for symbol in (SYMBOL, "ETH/USDT")]

    played(venue, *frames, told_frame("ETH/USDT", "book", "LinkLost: gone"), told_frame(SYMBOL, "trade", "LinkLost"))

    assert [BookState.LIVE, BookState.SYNCING] == [venue.book_state(0), venue.book_state(1)]
    assert venue.counters.errors == 2


def test_an_error_that_stays_ends_the_session(venue):
    played(venue, told_frame(SYMBOL, "trade", "ConfigError: no such symbol", is_final=True))

    assert (venue.refusal, venue.wants_rotation) == ("ConfigError: no such symbol", True)


def test_a_symbol_that_was_not_asked_for_is_unknown(venue):
    played(venue, quote_frame("X/Y", ticker()))

    assert venue.counters.unknown == 1


@pytest.mark.parametrize("name", ["ccxt", "ccxt:", "ccxt:a b", "kucoin"])
def test_an_exchange_must_be_named(name):
    assert not is_choice(name)
    assert is_choice("ccxt:kucoin")
    assert listing_of("ccxt:kucoin").name == "ccxt:kucoin"


MARKET = {
    "symbol": "BTC/USDT:USDT", "base": "BTC", "quote": "USDT", "type": "swap", "inverse": False, "contractSize": 0.001,
    "precision": {"price": 0.1, "amount": 1.0}, "limits": {"cost": {"min": None}}, "maker": 0.0002, "taker": None,
}  # fmt: skip


def exchange(precision_mode: int = 4, **more: object) -> SimpleNamespace:
    return SimpleNamespace(precisionMode=precision_mode, market=lambda _symbol: MARKET | more)


def test_rules_of_a_market_become_those_of_an_instrument():
    instrument = instrument_of(exchange(), "BTCUSDTM", "perpetual", "ccxt:kucoin")

    assert (instrument.symbol, instrument.price_tick, instrument.size_lot) == (
        "BTCUSDTM", Decimal("0.1"), Decimal("0.0010"),
    )  # fmt: skip
    assert (instrument.maker_fee_bps, instrument.taker_fee_bps, instrument.contract_size) == (
        2.0, 10.0, Decimal("0.001"),
    )  # fmt: skip


@pytest.mark.parametrize(("mode", "precision", "tick"), [(2, 3, "0.001"), (3, 5, "1E-8"), (4, None, "1E-8")])
def test_every_way_to_say_how_fine_a_price_is_gives_a_tick(mode, precision, tick):
    market = exchange(mode, precision={"price": precision, "amount": precision})

    assert Decimal(tick) == instrument_of(market, "X", "perpetual", "ccxt:x").price_tick


@pytest.mark.parametrize("wrong", [{"type": "spot"}, {"inverse": True}])
def test_markets_of_another_kind_are_refused(wrong):
    with pytest.raises(ConfigError):
        instrument_of(exchange(**wrong), "BTC/USDT", "perpetual", "ccxt:x")


def test_addresses_move_with_their_paths():
    urls = {"ws": {"spot": "wss://stream.example:9443/ws"}, "rest": "https://api.{hostname}/v1?x=1", "none": None}

    moved = moved_urls(urls, Endpoints("ws://here:1", "http://here:2"))

    assert moved == {"ws": {"spot": "ws://here:1/ws"}, "rest": "http://here:2/v1?x=1", "none": None}


@pytest.mark.parametrize(
    ("types", "kind", "kept"),
    [
        (["spot", "linear", "inverse"], "spot", ["spot"]),
        (["spot", "linear", "inverse"], "perpetual", ["linear"]),
        ({"spot": True, "linear": True, "inverse": True}, "spot", {"spot": True, "linear": False, "inverse": False}),
        (["hip3"], "spot", ["hip3"]),
    ],
)
def test_only_markets_of_the_wanted_kind_are_asked_for(types, kind, kept):
    options = {"fetchMarkets": {"types": types, "more": 1}}

    narrowed(options, kind)

    assert options == {"fetchMarkets": {"types": kept, "more": 1}}
