"""Bybit: recorded update ids count without a hole, books never cross, and what breaks stays with its own symbol."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from streamtrader.errors import ConfigError
from streamtrader.events import MORE, BookState, Kind
from streamtrader.runtime.importing import import_captures
from streamtrader.venues.bybit import LISTING, Bybit, markets
from streamtrader.venues.bybit.messages import identity_of
from tests.venues import bybit_frames as bybit
from tests.venues.rebuilding import Rebuilt, rows_of
from tests.venues.streamed import NOW_NS, cryptofeed_frames, instruments_of, is_sane, ring_of, rows, states, venue_of

CAPTURE = "wire/bybit/cryptofeed_BYBIT.jsonl.zst"
LINEAR, SPOT = "BYBIT.ws.2", "BYBIT.ws.3"
CONNECTIONS = {
    LINEAR: ("perpetual", ("BTCUSDT", "ETHUSDT", "SOLUSDT", "DOGEUSDT"), 1_598),
    SPOT: ("spot", ("BTCUSDT", "ETHUSDT"), 550),
}
SECOND = 1_000_000_000


def played(frames: list[bytes], *symbols: str, kind: str = "spot") -> tuple:
    """An adapter that has read the frames, and its ring."""
    venue = venue_of("bybit", *(symbols or (bybit.BTC, "ETHUSDT")), kind=kind)
    ring = ring_of(venue)
    for frame in frames:
        venue.decode(frame, NOW_NS, ring)
    return venue, ring


def asked(venue, now_ns: int = NOW_NS) -> list[tuple[str, list[str]]]:
    """What the adapter wants to be sent."""
    messages = [json.loads(message) for message in venue.outgoing(now_ns)]
    return [(each["op"], each["args"]) for each in messages]


def quotes(ring) -> list[tuple]:
    chosen = [event for event in ring.events[: ring.written] if event["kind"] == Kind.QUOTE]
    return [tuple(event[word].item() for word in "abcd") for event in chosen]


@pytest.mark.parametrize("connection", CONNECTIONS)
@pytest.mark.slow
def test_the_update_ids_of_the_capture_have_no_hole_and_no_book_ever_crosses(shared_data, connection):
    kind, symbols, messages = CONNECTIONS[connection]
    venue = venue_of("bybit", *symbols, kind=kind)
    ring = ring_of(venue)
    rebuilt = Rebuilt(ring)
    count = 0

    for clock, frame in cryptofeed_frames(shared_data / CAPTURE, connection):
        venue.decode(frame, clock, ring)
        rebuilt.take()
        count += b'"orderbook.' in frame[:40]

    counters = venue.counters
    assert count == messages
    assert (counters.gaps, counters.resyncs, counters.repeated, counters.snapshots) == (0, 0, 0, len(symbols))
    assert (counters.rejected, counters.unknown, counters.errors, counters.faults) == (0, 0, 0, 0)
    assert (rebuilt.crossed, rebuilt.depth_most) == (0, 200)
    assert {venue.book_state(index) for index in range(len(symbols))} == {BookState.LIVE}
    is_sane(ring, 0, venue)


def test_an_import_of_the_capture_keeps_spot_and_contracts_of_one_name_apart(shared_data, tmp_path):
    result = import_captures([shared_data / CAPTURE], tmp_path / "bybit.tape")

    assert (result.frames, result.unknown, result.rejected, result.gaps, result.resyncs) == (3_227, 0, 0, 0, 0)
    assert result.books_not_live == []
    assert (result.snapshots, result.events["mark"], result.events["candle"]) == (6, 140, 6)
    rules = {(each.kind, each.symbol): (str(each.price_tick), str(each.size_lot)) for each in result.instruments}
    assert rules[("perpetual", "BTCUSDT")] == ("0.1", "0.001")
    assert rules[("spot", "BTCUSDT")] == ("0.1", "0.000001")
    assert len(rules) == 6


def test_every_recorded_message_of_the_venue_decodes_or_counts_as_unknown(shared_data):
    paths = sorted((shared_data / "wire/bybit/nautilus").glob("ws_*.json"))
    venue, ring = played([path.read_bytes() for path in paths], kind="perpetual")

    counters = venue.counters
    assert (counters.frames, counters.faults, counters.rejected) == (len(paths), 0, 0)
    assert (counters.quotes, counters.marks, counters.errors) == (1, 1, 2)
    is_sane(ring, 0, venue)


def test_a_flipped_digit_of_an_update_id_makes_its_own_symbol_start_again_and_no_other(shared_data):
    _, symbols, _ = CONNECTIONS[LINEAR]
    frames = [frame for _, frame in cryptofeed_frames(shared_data / CAPTURE, LINEAR)]
    _, whole = played(frames, *symbols, kind="perpetual")
    at = next(number for number, frame in enumerate(frames) if b'0.ETHUSDT","type":"delta"' in frame)
    update = json.loads(frames[at])["data"]["u"]
    flipped = frames[at].replace(b'"u":%d' % update, b'"u":%d' % (update + 100))

    venue, ring = played([*frames[:at], flipped, *frames[at + 1 :]], *symbols, kind="perpetual")

    assert [rows_of(ring, index) for index in (0, 2, 3)] == [rows_of(whole, index) for index in (0, 2, 3)]
    assert states(ring, 1) == [BookState.SYNCING, BookState.LIVE, BookState.GAP, BookState.SYNCING]
    assert (venue.counters.gaps, venue.counters.resyncs) == (1, 1)
    assert [op for op, _ in asked(venue)] == ["unsubscribe", "subscribe"]


def test_a_hole_loses_its_own_book_and_asks_for_it_alone():
    venue = Bybit(instruments_of("bybit", [bybit.BTC, "ETHUSDT"]))
    ring = ring_of(venue)
    for frame in (
        bybit.snapshot(),
        bybit.snapshot(symbol="ETHUSDT"),
        bybit.delta(12, symbol="ETHUSDT"),
        bybit.delta(11),
    ):
        venue.decode(frame, NOW_NS, ring)

    assert states(ring, 0) == [BookState.SYNCING, BookState.LIVE]
    assert states(ring, 1) == [BookState.SYNCING, BookState.LIVE, BookState.GAP, BookState.SYNCING]
    topics = ["orderbook.50.ETHUSDT"]
    assert asked(venue) == [("unsubscribe", topics), ("subscribe", topics)]


def test_after_a_hole_only_a_snapshot_makes_the_book_live_again():
    venue, ring = played([bybit.snapshot(10), bybit.delta(12), bybit.delta(13)])
    assert venue.book_state(0) == BookState.SYNCING

    venue.decode(bybit.snapshot(20), NOW_NS, ring)
    venue.decode(bybit.delta(21), NOW_NS, ring)

    assert venue.book_state(0) == BookState.LIVE
    assert rows(ring)[-1] == (Kind.BOOK, 0, 100.0, 9.0, 0)


@pytest.mark.parametrize("kind", ["snapshot", "delta"])
def test_an_update_id_of_1_is_a_new_snapshot_whatever_it_is_called(kind):
    venue, ring = played([bybit.snapshot(10), bybit.delta(11)])
    at = ring.written

    venue.decode(bybit.book(kind, 1, bybit.BIDS[:1], bybit.ASKS[:1]), NOW_NS, ring)
    venue.decode(bybit.delta(2), NOW_NS, ring)

    assert rows(ring, at) == [
        (Kind.BOOK_CLEAR, 0, 0.0, 0.0, MORE),
        (Kind.BOOK, 0, 100.1, 1.5, MORE),
        (Kind.BOOK, 1, 100.2, 3.0, MORE),
        (Kind.LINK, 0, BookState.LIVE, 0.0, 0),
        (Kind.BOOK, 0, 100.0, 9.0, 0),
    ]
    assert venue.counters.gaps == 0


def test_a_repeated_delta_is_taken_once():
    venue, ring = played([bybit.snapshot(10), bybit.delta(11), bybit.delta(11), bybit.delta(10)])

    assert (venue.counters.repeated, venue.counters.gaps, venue.book_state(0)) == (2, 0, BookState.LIVE)
    assert ring.events[ring.written - 1]["venue_ns"] == NOW_NS - 2_000_000


@pytest.mark.parametrize(
    "frame",
    [
        bybit.delta(11, [("-100", "1")]),
        bybit.delta(11, [("NaN", "1")]),
        bybit.delta(11, [("100", "1e12")]),
        bybit.delta(11)[:-20],
        bybit.delta(11).replace(b'"s":"BTCUSDT"', b'"s":"ETHUSDT"'),
        bybit.book("snapshot", 20, [("100", "0")]),
    ],
)
def test_a_book_frame_that_cannot_be_true_or_read_loses_the_book_of_its_topic(frame):
    venue, ring = played([bybit.snapshot(10), bybit.snapshot(10, "ETHUSDT")])
    at = ring.written

    venue.decode(frame, NOW_NS, ring)

    assert venue.counters.rejected == 1
    assert (states(ring, 0, at), states(ring, 1, at)) == ([BookState.GAP, BookState.SYNCING], [])


def test_a_capture_teaches_the_depth_and_a_second_one_is_unknown():
    venue, _ = played([bybit.snapshot(10, depth=200), bybit.snapshot(10), bybit.snapshot(11, depth=200)])

    assert (venue.counters.snapshots, venue.counters.unknown) == (2, 1)


def test_the_best_quote_is_put_together_from_a_snapshot_and_changes():
    frames = [
        bybit.best("delta", 4, [("100", "1")]),
        bybit.best("snapshot", 5, [("100.1", "1.5")], [("100.2", "3")]),
        bybit.best("delta", 6, [("100", "7"), ("100.1", "0")]),
        bybit.best("delta", 7, [], [("100.2", "0")]),
        bybit.best("delta", 8, [], [("100.3", "2")]),
    ]
    venue, ring = played(frames)

    assert quotes(ring) == [(100.1, 1.5, 100.2, 3.0), (100.0, 7.0, 100.2, 3.0), (100.0, 7.0, 100.3, 2.0)]
    assert (venue.counters.notices, venue.counters.rejected) == (2, 0)


@pytest.mark.parametrize(
    "frame",
    [bybit.best("delta", 8, [("100", "7")]), bybit.best("delta", 6, [("100", "-7")]), bybit.best("delta", 6)[:-9]],
)
def test_what_is_not_understood_of_the_best_quote_silences_it_until_a_snapshot(frame):
    whole = [bybit.best("snapshot", 5, [("100.1", "1.5")], [("100.2", "3")])]
    venue, ring = played([*whole, frame, bybit.best("delta", 9, [("100", "7")])])
    assert len(quotes(ring)) == 1

    venue.decode(whole[0], NOW_NS, ring)
    assert len(quotes(ring)) == 2


def test_a_ticker_is_put_together_and_tells_quotes_and_marks():
    frames = [
        bybit.ticker("delta", bid1Price="99"),
        bybit.linear_ticker(),
        bybit.ticker("delta", bid1Size="6.0"),
        bybit.ticker("delta", markPrice="100.13"),
        bybit.ticker("delta", fundingRate=""),
        bybit.ticker("delta", lastPrice="1"),
        bybit.ticker("delta", ask1Price="", ask1Size=""),
    ]
    venue, ring = played(frames, kind="perpetual")

    assert quotes(ring) == [(100.1, 5.9, 100.2, 10.0), (100.1, 6.0, 100.2, 10.0)]
    chosen = [event for event in ring.events[: ring.written] if event["kind"] == Kind.MARK]
    due_ns = NOW_NS + 60 * SECOND
    assert [(*(event[word].item() for word in "abcd"), event["id"].item()) for event in chosen] == [
        (100.12, 100.15, -0.0001, 0.0, due_ns),
        (100.13, 100.15, -0.0001, 0.0, due_ns),
        (100.13, 100.15, 0.0, 0.0, due_ns),
    ]
    assert venue.counters.notices == 3


def test_a_ticker_that_was_not_understood_is_asked_for_again():
    venue = LISTING.make(instruments_of("bybit", [bybit.BTC], "perpetual"), "perpetual")
    ring = ring_of(venue)
    for second, frame in enumerate([bybit.linear_ticker(), bybit.ticker("delta", markPrice="-1")]):
        venue.decode(frame, NOW_NS + second * SECOND, ring)
    for second in range(2, 70):
        venue.decode(bybit.ticker("delta", markPrice="100.2"), NOW_NS + second * SECOND, ring)

    assert venue.counters.marks == 1
    assert ("subscribe", ["tickers.BTCUSDT"]) in asked(venue, NOW_NS + 70 * SECOND)


def test_a_ticker_is_late_where_the_book_of_one_level_speaks():
    best = bybit.best("snapshot", 5, [("100.1", "1.5")], [("100.2", "3")])
    _, ring = played([bybit.linear_ticker(), best, bybit.ticker("delta", bid1Size="9")], kind="perpetual")

    assert len(quotes(ring)) == 2


def test_trades_carry_the_takers_side_and_an_id_of_the_venue():
    _, ring = played([bybit.trade("2290000001189048101", "Buy"), bybit.trade(side="Sell")])

    events = ring.events[ring.written - 2 : ring.written]
    assert events["side"].tolist() == [0, 1]
    assert events["id"].tolist() == [2_290_000_001_189_048_101, identity_of(bybit.UUID)]
    assert events["venue_ns"].tolist() == [NOW_NS - 1_000_000] * 2


@pytest.mark.parametrize(("frame", "side"), [(bybit.liquidation("Buy"), 1), (bybit.old_liquidation("Sell"), 0)])
def test_a_liquidation_tells_the_side_of_the_order_not_of_the_position(frame, side):
    _, ring = played([frame], kind="perpetual")

    assert rows(ring)[-1] == (Kind.LIQUIDATION, side, 99.5, 20.0, 0)


def test_a_candle_is_written_once_and_only_when_it_is_closed():
    frames = [bybit.candle(confirm=False), bybit.candle(), bybit.candle(), bybit.candle(interval="5")]
    venue, ring = played(frames)

    (event,) = [event for event in ring.events[: ring.written] if event["kind"] == Kind.CANDLE]
    assert [event[word] for word in "abcd"] == [100.0, 110.5, 90.0, 101.0]
    assert (event["venue_ns"], event["id"].view("f8")) == (NOW_NS, 12.5)
    assert venue.counters.unknown == 1


def test_answers_and_pongs_are_no_data_and_refusals_are_errors():
    frames = [bybit.answer(), bybit.answer("ping", "pong"), bybit.answer(told="Invalid topic", success=False)]
    venue, ring = played(frames)

    assert (venue.counters.notices, venue.counters.errors, venue.counters.last_error) == (2, 1, "Invalid topic")
    assert rows(ring, 2) == []
    assert venue.ping == (b'{"op":"ping"}', 20.0)


def test_subscriptions_hold_ten_topics_and_name_depth_and_interval():
    symbols = [f"C{number}USDT" for number in range(12)]
    venue = Bybit(
        instruments_of("bybit", symbols), channels=(markets.BOOK, markets.CANDLE), depth=200, candle_interval="D"
    )

    asked_for = [json.loads(message)["args"] for message in venue.subscribe(venue.routes[0])]

    assert [len(part) for part in asked_for] == [10, 10, 4]
    assert (asked_for[0][0], asked_for[-1][-1]) == ("orderbook.200.C0USDT", "kline.D.C11USDT")
    assert venue.routes[0].path == "/v5/public/spot"
    assert LISTING.make([], "perpetual").routes[0].path == "/v5/public/linear"
    with pytest.raises(ConfigError, match="levels"):
        Bybit([], depth=20)


@pytest.mark.parametrize(
    ("symbol", "pair"),
    [
        ("BTCUSDT", ("BTC", "USDT")),
        ("BTCPERP", ("BTC", "USDC")),
        ("BTC-27DEC24", ("BTC", "USDC")),
        ("ETHBTC", ("ETH", "BTC")),
    ],
)
def test_symbols_are_taken_apart(symbol, pair):
    assert LISTING.split(symbol) == pair


def test_instruments_come_from_the_venues_own_rules(shared_data):
    import zstandard

    path = shared_data / CAPTURE
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
        lines = [json.loads(line) for line in reader.read().splitlines()[:4]]
    bodies = {LISTING.kind_of(line["url"]): line["data"].encode() for line in lines if line["t"] == "http"}

    (swap,) = LISTING.instruments_of(bodies["perpetual"], "perpetual", ["BTCUSDT"])
    (pair,) = LISTING.instruments_of(bodies["spot"], "spot", ["BTCUSDT"])
    listed = LISTING.instruments_of(bodies["perpetual"], "perpetual", [])

    assert (swap.kind, swap.price_tick, swap.size_lot) == ("perpetual", Decimal("0.1"), Decimal("0.001"))
    assert (pair.kind, pair.size_lot, pair.minimum_notional) == ("spot", Decimal("0.000001"), 5)
    assert {each.kind for each in listed} == {"perpetual", "future"}
    with pytest.raises(ConfigError, match="does not list NOSUCH"):
        LISTING.instruments_of(bodies["spot"], "spot", ["NOSUCH"])
