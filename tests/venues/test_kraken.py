"""Kraken: every recorded message decodes, every checksum is proved, and what breaks stays with its own symbol."""

from __future__ import annotations

import json
import zlib
from decimal import Decimal
from itertools import pairwise

import pytest

from streamtrader.errors import BadMessage, ConfigError
from streamtrader.events import MORE, BookState, Kind, TradingStatus
from streamtrader.venues.kraken import LISTING, Kraken, markets
from streamtrader.venues.kraken.messages import number_of
from tests.venues.streamed import NOW_NS, cbcap_frames, instruments_of, is_sane, ring_of, rows, states, venue_of

SECOND = 1_000_000_000
BTC_STEPS = (Decimal("0.1"), Decimal("0.00000001"))


def crc_of(asks, bids) -> int:
    """By the venue's own description, over texts."""
    sides = [(level[0], level[1]) for side in (asks, bids) for level in side[:10]]
    return zlib.crc32("".join(text.replace(".", "").lstrip("0") for level in sides for text in level).encode())


def text_of(levels) -> str:
    return ",".join(f'{{"price":{price},"qty":{size}}}' for price, size in levels)


def book(kind: str, bids, asks, checksum: int, symbol: str = "BTC/USD") -> bytes:
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":[{text_of(bids)}],'
        f'"asks":[{text_of(asks)}],"checksum":{checksum},"timestamp":"2026-08-02T03:35:51.660084Z"}}]}}'
    ).encode()


BIDS, ASKS = [("100.1", "1.50000000"), ("100.0", "0.02000000")], [("100.2", "3.00000000"), ("100.4", "0.10000000")]


def live_book(*symbols: str):
    """An adapter whose books are all LIVE with the same two levels a side, and its ring."""
    venue = Kraken(instruments_of("kraken", symbols or ("BTC/USD",), steps=BTC_STEPS), depth=10)
    ring = ring_of(venue)
    for symbol in symbols or ("BTC/USD",):
        venue.decode(book("snapshot", BIDS, ASKS, crc_of(ASKS, BIDS), symbol), NOW_NS, ring)
    return venue, ring


def test_every_checksum_of_the_capture_is_proved(shared_data):
    path = shared_data / "wire/kraken/crossbook_kraken_btcusd_sample.cbcap"
    venue = venue_of("kraken", "BTC/USD", steps=BTC_STEPS)
    ring = ring_of(venue)

    for clock, frame in cbcap_frames(path):
        venue.decode(frame, clock, ring)

    counters = venue.counters
    assert (counters.frames, counters.checksums_verified, counters.checksums_failed) == (2_104, 2_052, 0)
    assert (counters.rejected, counters.unknown, counters.errors, counters.faults) == (0, 0, 0, 0)
    assert states(ring) == [BookState.SYNCING, BookState.LIVE]
    is_sane(ring, 0, venue)


def test_a_capture_that_lost_its_trailing_zeros_is_proved_too(shared_data):
    document = json.loads((shared_data / "wire/kraken/sdk_orderbook-v2.json").read_text())
    venue = venue_of("kraken", "BTC/USD", steps=BTC_STEPS)
    ring = ring_of(venue)

    for message in (document["init"], *document["updates"]):
        venue.decode(json.dumps(message).encode(), NOW_NS, ring)

    assert (venue.counters.checksums_verified, venue.counters.checksums_failed) == (510, 0)


def test_the_book_of_the_tape_never_grows_beyond_its_depth(shared_data):
    path = shared_data / "wire/kraken/crossbook_kraken_btcusd_sample.cbcap"
    venue = venue_of("kraken", "BTC/USD", steps=BTC_STEPS)
    ring = ring_of(venue)
    sides: tuple[dict, dict] = ({}, {})
    at = 0

    for clock, frame in cbcap_frames(path):
        venue.decode(frame, clock, ring)
        for kind, side, price, size, _ in rows(ring, at):
            if kind == Kind.BOOK and size:
                sides[side][price] = size
            elif kind == Kind.BOOK:
                sides[side].pop(price, None)
        at = ring.written
        assert max(map(len, sides)) <= 25
        if sides[0] and sides[1]:
            assert max(sides[0]) < min(sides[1])


def test_every_recorded_message_of_the_venue_decodes_or_counts_as_unknown(shared_data):
    folder = shared_data / "wire/kraken"
    frames = [path.read_bytes() for path in sorted(folder.glob("nautilus/ws_*.json"))]
    for path in sorted(folder.glob("jkorf/*.txt")):
        frames += [text.encode() for text in ("\n" + path.read_text()).replace("\n>", "\n<").split("\n<")]
        frames += [text[2:].strip().encode() for text in path.read_text().split("\n=")[1:]]
    venue = venue_of("kraken", "BTC/USD", "ETH/USDT")
    ring = ring_of(venue)

    for frame in frames:
        at = ring.written
        venue.decode(frame, NOW_NS, ring)
        is_sane(ring, at, venue)

    assert venue.counters.frames == len(frames) > 50
    assert venue.counters.faults == 0
    assert venue.counters.trades == 3
    assert venue.counters.quotes == 2


def test_a_snapshot_becomes_one_message_that_ends_with_live():
    _, ring = live_book()

    assert rows(ring, 1) == [
        (Kind.BOOK_CLEAR, 0, 0.0, 0.0, MORE),
        (Kind.BOOK, 0, 100.1, 1.5, MORE),
        (Kind.BOOK, 0, 100.0, 0.02, MORE),
        (Kind.BOOK, 1, 100.2, 3.0, MORE),
        (Kind.BOOK, 1, 100.4, 0.1, MORE),
        (Kind.LINK, 0, BookState.LIVE, 0.0, 0),
    ]


def test_a_level_that_falls_out_of_the_depth_is_removed_on_the_tape():
    asks = [(f"{101 + index}.0", "1.00000000") for index in range(10)]
    venue = Kraken(instruments_of("kraken", ["BTC/USD"], steps=BTC_STEPS), depth=10)
    ring = ring_of(venue)
    venue.decode(book("snapshot", BIDS, asks, crc_of(asks, BIDS)), NOW_NS, ring)
    at = ring.written
    new = ("100.5", "2.00000000")

    venue.decode(book("update", [], [new], crc_of([new, *asks], BIDS)), NOW_NS, ring)

    assert rows(ring, at) == [(Kind.BOOK, 1, 100.5, 2.0, MORE), (Kind.BOOK, 1, 110.0, 0.0, 0)]


def test_a_flipped_digit_makes_its_own_symbol_start_again_and_no_other():
    venue, ring = live_book("BTC/USD", "ETH/USD")
    change = [("100.0", "9.00000000")]
    checksum = crc_of(ASKS, [BIDS[0], change[0]])
    frame = book("update", change, [], checksum, "ETH/USD").replace(b"9.0000", b"8.0000")
    at = ring.written

    venue.decode(frame, NOW_NS, ring)
    venue.decode(book("update", change, [], checksum, "BTC/USD"), NOW_NS, ring)

    assert states(ring, 1, at) == [BookState.GAP, BookState.SYNCING]
    assert states(ring, 0, at) == []
    assert [row[:4] for row in rows(ring, at) if row[0] == Kind.BOOK] == [(Kind.BOOK, 0, 100.0, 9.0)]
    assert (venue.counters.checksums_failed, venue.counters.gaps, venue.counters.resyncs) == (1, 1, 1)
    asked = [json.loads(message) for message in venue.outgoing(NOW_NS)]
    assert [(each["method"], each["params"]["symbol"]) for each in asked] == [
        ("unsubscribe", ["ETH/USD"]),
        ("subscribe", ["ETH/USD"]),
    ]
    assert {each["params"]["channel"] for each in asked} == {"book"}


def test_a_book_frame_with_an_impossible_value_loses_its_book_at_once():
    venue, ring = live_book("BTC/USD", "ETH/USD")
    at = ring.written

    venue.decode(book("update", [("-100.0", "1.0")], [], 1, "ETH/USD"), NOW_NS, ring)

    assert venue.counters.rejected == 1
    assert states(ring, 1, at) == [BookState.GAP, BookState.SYNCING]
    assert states(ring, 0, at) == []


def test_after_a_gap_only_a_snapshot_makes_the_book_live_again():
    venue, ring = live_book()
    venue.decode(book("update", [("100.0", "9.00000000")], [], 1), NOW_NS, ring)
    at = ring.written

    venue.decode(book("update", [("100.0", "9.00000000")], [], 1), NOW_NS, ring)
    assert ring.written == at

    venue.decode(book("snapshot", BIDS, ASKS, crc_of(ASKS, BIDS)), NOW_NS, ring)
    assert venue.book_state(0) == BookState.LIVE


def test_a_venue_that_cannot_be_understood_is_asked_later_and_later():
    venue, ring = live_book()
    now_ns, asked_ns = NOW_NS, []
    for _ in range(200):
        venue.decode(book("snapshot", BIDS, ASKS, 1), now_ns, ring)
        if venue.outgoing(now_ns):
            asked_ns.append(now_ns)
        ring.played = ring.taped = ring.written
        now_ns += SECOND

    waits_s = [(later - earlier) // SECOND for earlier, later in pairwise(asked_ns)]
    assert waits_s == sorted(waits_s)
    assert waits_s[-1] >= 60


def test_a_silent_book_is_stale_although_the_heart_of_the_link_beats():
    venue, ring = live_book("BTC/USD", "ETH/USD")
    quiet = book("update", [("100.0", "0.02000000")], [], crc_of(ASKS, BIDS), "ETH/USD")
    at = ring.written

    for second in range(1, 70):
        venue.decode(b'{"channel":"heartbeat"}', NOW_NS + second * SECOND, ring)
        venue.decode(quiet, NOW_NS + second * SECOND, ring)

    assert states(ring, 0, at) == [BookState.STALE]
    assert states(ring, 1, at) == []
    asked = [json.loads(message)["params"]["symbol"] for message in venue.outgoing(NOW_NS + 70 * SECOND)]
    assert asked == [["BTC/USD"], ["BTC/USD"]]


def test_a_snapshot_that_never_comes_is_asked_for_again_although_deltas_arrive():
    venue, ring = live_book()
    delta = book("update", [("100.0", "9.00000000")], [], 1)
    asked_s = []

    for second in range(150):
        venue.decode(delta, NOW_NS + second * SECOND, ring)
        if venue.outgoing(NOW_NS + second * SECOND):
            asked_s.append(second)

    assert asked_s[0] == 0
    assert len(asked_s) == 3
    assert states(ring)[-2:] == [BookState.GAP, BookState.SYNCING]


def test_trades_from_before_the_subscription_are_no_trades():
    venue, ring = live_book()
    trade = (
        '{"channel":"trade","type":"%s","data":[{"symbol":"BTC/USD","side":"sell","price":100.1,"qty":40.0,'
        '"ord_type":"market","trade_id":7,"timestamp":"2023-09-25T07:49:37.708706Z"}]}'
    )
    at = ring.written

    venue.decode((trade % "snapshot").encode(), NOW_NS, ring)
    venue.decode((trade % "update").encode(), NOW_NS, ring)

    assert rows(ring, at) == [(Kind.TRADE, 1, 100.1, 40.0, 0)]
    event = ring.events[at]
    assert (event["id"], event["venue_ns"]) == (7, 1_695_628_177_708_706_000)


def candle(begin: str, close: str) -> bytes:
    return (
        f'{{"channel":"ohlc","type":"update","data":[{{"symbol":"BTC/USD","interval":1,"interval_begin":"{begin}",'
        f'"open":100.0,"high":110.0,"low":90.0,"close":{close},"volume":12.5,"vwap":1.0,"trades":3}}]}}'
    ).encode()


def test_a_candle_is_written_when_the_next_one_begins():
    venue = venue_of("kraken", "BTC/USD")
    ring = ring_of(venue)
    at = ring.written
    for begin, close in (("16:25", "101.0"), ("16:25", "102.0"), ("16:26", "103.0"), ("16:25", "99.0")):
        venue.decode(candle(f"2023-10-04T{begin}:00.000000000Z", close), NOW_NS, ring)

    assert ring.written == at + 1
    event = ring.events[at]
    assert event["kind"] == Kind.CANDLE
    assert (event["venue_ns"], event["received_ns"]) == (1_696_436_700_000_000_000, NOW_NS)
    assert [event[word] for word in "abcd"] == [100.0, 110.0, 90.0, 102.0]
    assert event["id"].view("f8") == 12.5


def test_the_status_of_the_venue_is_told_for_every_instrument():
    venue = venue_of("kraken", "BTC/USD", "ETH/USD")
    ring = ring_of(venue)
    at = ring.written

    venue.decode(b'{"channel":"status","type":"update","data":[{"system":"cancel_only"}]}', NOW_NS, ring)

    assert [row[:3] for row in rows(ring, at)] == [(Kind.STATUS, 0, TradingStatus.HALTED)] * 2


def test_the_status_of_one_pair_is_told_for_it_alone():
    venue = venue_of("kraken", "BTC/USD", "ETH/USD")
    ring = ring_of(venue)
    at = ring.written
    pairs = '{"pairs":[{"symbol":"ETH/USD","status":"delisted"},{"symbol":"X/Y","status":"online"}]}'

    venue.decode(f'{{"channel":"instrument","type":"update","data":{pairs}}}'.encode(), NOW_NS, ring)

    assert [(row[0], row[2]) for row in rows(ring, at)] == [(Kind.STATUS, TradingStatus.CLOSED)]
    assert ring.events[at]["instrument"] == 1


def test_a_refused_subscription_counts_as_an_error():
    venue, ring = live_book()

    venue.decode(
        b'{"error":"Currency pair not supported X/Y","method":"subscribe","success":false,"symbol":"X/Y"}',
        NOW_NS, ring,
    )  # fmt: skip

    assert venue.counters.errors == 1
    assert "not supported" in venue.counters.last_error


def test_subscriptions_are_batched_and_say_the_depth():
    symbols = [f"C{number}/USD" for number in range(150)]
    venue = Kraken(instruments_of("kraken", symbols), channels=(markets.BOOK, markets.TRADE), depth=100)

    asked = [json.loads(message)["params"] for message in venue.subscribe(venue.routes[0])]

    assert [(each["channel"], len(each["symbol"])) for each in asked] == [
        ("book", 100), ("book", 50), ("trade", 100), ("trade", 50),
    ]  # fmt: skip
    assert asked[0]["depth"] == 100
    assert asked[2]["snapshot"] is False


def test_a_depth_that_the_venue_has_not_is_refused():
    with pytest.raises(ConfigError, match="levels"):
        Kraken(instruments_of("kraken", ["BTC/USD"]), depth=20)


def test_instruments_come_from_the_venues_own_rules(shared_data):
    body = (shared_data / "wire/kraken/nautilus/http_asset_pairs.json").read_bytes()

    (instrument,) = LISTING.instruments_of(body, "spot", ["BTC/USDT"])

    assert (instrument.base, instrument.quote) == ("BTC", "USDT")
    assert (instrument.price_tick, instrument.size_lot) == BTC_STEPS
    assert instrument.minimum_notional > 0
    with pytest.raises(ConfigError, match="does not list NO/SUCH"):
        LISTING.instruments_of(body, "spot", ["NO/SUCH"])


@pytest.mark.parametrize("text", ["1e5", "-1.0", "+1", "", ".", "NaN", "1.0.0", "0x10", "9" * 400, '"1"1'])
def test_what_is_no_plain_decimal_is_no_number_of_a_book(text):
    with pytest.raises((BadMessage, ValueError)):
        number_of(text.encode(), 8, 1e7)


@pytest.mark.parametrize(
    ("text", "digits"), [("63381.0", b"633810"), ("0.00100", b"100000"), ("0.0", b""), ("4", b"400000000")]
)
def test_digits_are_those_of_the_checksum(text, digits):
    assert number_of(text.encode(), 8 if text != "63381.0" else 1, 1e7)[1] == digits
