"""OKX: recorded books prove themselves by checksum, today's by sequence, and what breaks stays with its own symbol."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest

from streamtrader.errors import ConfigError
from streamtrader.events import MORE, BookState, Kind
from streamtrader.runtime.importing import import_captures
from streamtrader.venues.okx import LISTING, Okx, markets
from streamtrader.venues.okx.proof import signed_crc32
from streamtrader.venues.venue import Venue
from tests.venues import okx_frames as okx
from tests.venues.rebuilding import Rebuilt, rows_of
from tests.venues.streamed import NOW_NS, cryptofeed_frames, instruments_of, is_sane, ring_of, rows, states, venue_of

CAPTURE = "wire/okx/cryptofeed_OKX.jsonl.zst"
SYMBOLS = ("BTC-USD-220527", "UNI-USD-SWAP", "BTC-USDT")
SECOND = 1_000_000_000


def played(frames: list[bytes], *symbols: str) -> tuple:
    """An adapter that has read the frames, and its ring."""
    venue = venue_of("okx", *(symbols or (okx.SPOT, "ETH-USDT")))
    ring = ring_of(venue)
    for frame in frames:
        venue.decode(frame, NOW_NS, ring)
    return venue, ring


def asked(venue: Venue, now_ns: int = NOW_NS) -> list[tuple[str, list]]:
    """What the adapter wants to be sent."""
    messages = [json.loads(message) for message in venue.outgoing(now_ns)]
    return [(each["op"], [tuple(arg.values()) for arg in each["args"]]) for each in messages]


def test_every_checksum_of_the_capture_is_proved_and_no_book_ever_crosses(shared_data):
    venue = venue_of("okx", *SYMBOLS)
    ring = ring_of(venue)
    rebuilt = Rebuilt(ring)

    for clock, frame in cryptofeed_frames(shared_data / CAPTURE):
        venue.decode(frame, clock, ring)
        rebuilt.take()

    counters = venue.counters
    assert (counters.frames, counters.checksums_verified, counters.checksums_failed) == (410, 290, 0)
    assert (counters.rejected, counters.unknown, counters.errors, counters.faults) == (0, 0, 0, 0)
    assert [states(ring, index) for index in range(3)] == [[BookState.SYNCING, BookState.LIVE]] * 3
    assert (rebuilt.crossed, rebuilt.depth_most) == (0, 400)
    is_sane(ring, 0, venue)


def test_an_import_of_the_capture_knows_the_rules_of_its_instruments(shared_data, tmp_path):
    result = import_captures([shared_data / CAPTURE], tmp_path / "okx.tape")

    assert result.checksums == {"verified": 290, "failed": 0}
    assert (result.frames, result.unknown, result.rejected, result.gaps, result.resyncs) == (410, 0, 0, 0, 0)
    assert {each.symbol: (each.kind, str(each.price_tick), str(each.size_lot)) for each in result.instruments} == {
        "BTC-USD-220527": ("future", "0.1", "1"),
        "UNI-USD-SWAP": ("perpetual", "0.001", "1"),
        "BTC-USDT": ("spot", "0.1", "1E-8"),
    }


def test_every_recorded_message_of_the_venue_decodes_or_counts_as_unknown(shared_data):
    paths = sorted((shared_data / "wire/okx/nautilus").glob("ws_*.json"))
    venue, ring = played([path.read_bytes() for path in paths], "BTC-USDT", "BTC-USD", "BTC-USDT-SWAP")

    counters = venue.counters
    assert (counters.frames, counters.faults) == (len(paths), 0)
    assert (counters.trades, counters.quotes, counters.statuses) == (1, 1, 1)
    is_sane(ring, 0, venue)


def test_a_flipped_digit_in_the_capture_makes_its_own_symbol_start_again_and_no_other(shared_data):
    frames = [frame for _, frame in cryptofeed_frames(shared_data / CAPTURE)]
    _, whole = played(frames, *SYMBOLS)
    at = next(number for number, frame in enumerate(frames) if b'"update"' in frame and b"UNI-USD" in frame)
    flipped = re.sub(
        rb'("bids":\[\["[\d.]+","\d*)(\d)"', lambda found: found[1] + b'%d"' % (9 - int(found[2])), frames[at]
    )

    venue, ring = played([*frames[:at], flipped, *frames[at + 1 :]], *SYMBOLS)

    assert [rows_of(ring, index) for index in (0, 2)] == [rows_of(whole, index) for index in (0, 2)]
    assert states(ring, 1) == [BookState.SYNCING, BookState.LIVE, BookState.GAP, BookState.SYNCING]
    assert (venue.counters.checksums_failed, venue.counters.gaps, venue.counters.resyncs) == (1, 1, 1)
    assert asked(venue) == [("unsubscribe", [("books", "UNI-USD-SWAP")]), ("subscribe", [("books", "UNI-USD-SWAP")])]


@pytest.mark.parametrize(("bids", "asks"), [(30, 30), (1, 3), (3, 1), (0, 2), (26, 25)])
def test_the_checksum_runs_down_both_sides_as_far_as_they_go(bids, asks):
    bid_levels = [(f"{100 - index}", f"{index}.5") for index in range(bids)]
    ask_levels = [(f"{101 + index}", f"0.{index}") for index in range(asks)]
    marks = [[f"{price}:{size}".encode() for price, size in side[:25]] for side in (bid_levels, ask_levels)]

    assert signed_crc32(*marks) == okx.crc_of(bid_levels, ask_levels)


def test_a_snapshot_without_a_checksum_is_taken_where_it_is_numbered():
    _, ring = played([okx.snapshot()])

    assert rows(ring, 2) == [
        (Kind.BOOK_CLEAR, 0, 0.0, 0.0, MORE),
        (Kind.BOOK, 0, 100.1, 1.5, MORE),
        (Kind.BOOK, 0, 100.0, 0.02, MORE),
        (Kind.BOOK, 1, 100.2, 3.0, MORE),
        (Kind.BOOK, 1, 100.4, 0.1, MORE),
        (Kind.LINK, 0, BookState.LIVE, 0.0, 0),
    ]
    assert ring.events[2]["venue_ns"] == NOW_NS


def test_a_hole_in_the_sequence_makes_its_own_symbol_start_again_and_no_other():
    venue, ring = played([okx.snapshot(), okx.snapshot(symbol="ETH-USDT")])
    at = ring.written

    venue.decode(okx.update(11, 12, [("100", "9")], symbol="ETH-USDT"), NOW_NS, ring)
    venue.decode(okx.update(10, 12, [("100", "9")]), NOW_NS, ring)

    assert (states(ring, 0, at), states(ring, 1, at)) == ([], [BookState.GAP, BookState.SYNCING])
    assert [row[:4] for row in rows(ring, at) if row[0] == Kind.BOOK] == [(Kind.BOOK, 0, 100.0, 9.0)]
    assert asked(venue) == [("unsubscribe", [("books", "ETH-USDT")]), ("subscribe", [("books", "ETH-USDT")])]


def test_the_venues_own_reset_and_its_sign_of_life_are_no_holes():
    venue, ring = played([okx.snapshot(10), okx.update(10, 10), okx.update(10, 3), okx.update(3, 5, [("99", "1")])])

    assert venue.book_state(0) == BookState.LIVE
    assert (venue.counters.gaps, venue.counters.repeated) == (0, 0)
    assert rows(ring)[-1] == (Kind.BOOK, 0, 99.0, 1.0, 0)


def test_a_repeated_update_is_taken_once():
    venue, ring = played([okx.snapshot(10), okx.update(10, 12, [("99", "1")]), okx.update(10, 12, [("99", "1")])])

    assert (venue.counters.repeated, venue.counters.gaps) == (1, 0)
    assert [row[2] for row in rows(ring)].count(99.0) == 1


@pytest.mark.parametrize(
    "frame",
    [
        okx.update(10, 12, [("-100", "1")]),
        okx.update(10, 12, [("100", "1e12")]),
        okx.book("update", [("100", "9")], [], checksum=0),
        okx.book("update", [("100", "9")], [], checksum=5, prevSeqId=10, seqId=12),
        okx.book("snapshot", okx.BIDS, okx.ASKS, checksum=0),
        okx.book("snapshot", [("100", "0")], [], checksum=0, seqId=12),
    ],
)
def test_a_message_that_cannot_be_true_or_that_nothing_proves_loses_its_book(frame):
    venue, ring = played([okx.snapshot()])
    at = ring.written

    venue.decode(frame, NOW_NS, ring)

    assert venue.counters.rejected == 1
    assert states(ring, 0, at) == [BookState.GAP, BookState.SYNCING]
    assert len(rows(ring, at)) == 2


def test_a_book_that_began_with_checksums_goes_on_without_them_after_a_new_snapshot():
    venue, ring = played([okx.checked_snapshot(), okx.checked_update()])
    assert venue.counters.checksums_verified == 2

    venue.decode(okx.update(10, 12), NOW_NS, ring)
    assert venue.book_state(0) == BookState.SYNCING

    venue.decode(okx.snapshot(), NOW_NS, ring)
    venue.decode(okx.update(10, 12), NOW_NS, ring)
    assert (venue.book_state(0), venue.counters.rejected) == (BookState.LIVE, 1)


def test_a_notice_of_a_service_upgrade_asks_for_a_new_connection():
    venue, ring = played([okx.event("subscribe")])
    assert not venue.wants_rotation

    venue.decode(okx.event("notice", code="64008", msg="will soon be closed"), NOW_NS, ring)
    assert venue.wants_rotation

    venue.connected(NOW_NS, ring)
    assert not venue.wants_rotation


def test_an_error_is_counted_and_kept():
    venue, _ = played([okx.event("error", code="60018", msg="Wrong URL or channel")])

    assert (venue.counters.errors, venue.counters.last_error) == (1, "60018 Wrong URL or channel")


def test_pings_and_pongs_are_plain_texts():
    venue, _ = played([b"pong", b"ping"])

    assert (venue.counters.notices, venue.counters.rejected) == (2, 0)
    assert venue.outgoing(NOW_NS) == [b"pong"]
    assert venue.ping.message == b"ping"
    assert venue.ping.every_s < 30  # then the venue cuts


def test_subscriptions_are_batched_and_kinds_are_subscribed_to_once():
    swaps = instruments_of("okx", [f"C{number}-USDT-SWAP" for number in range(60)], "perpetual")
    venue = LISTING.make(swaps, "perpetual")

    args = [json.loads(message)["args"] for message in venue.subscribe(venue.routes[0])]

    assert [len(part) for part in args] == [100, 100, 100, 2]
    kinds = [arg for part in args for arg in part if "instId" not in arg]
    assert kinds == [{"channel": "status"}, {"channel": "liquidation-orders", "instType": "SWAP"}]
    assert venue.routes[0].path == "/ws/v5/public"


def test_candles_come_from_their_own_address():
    instruments = instruments_of("okx", [okx.SPOT])
    alone = Okx(instruments, channels=[markets.CANDLE], candle_interval="1Dutc")

    assert alone.routes[0].path == "/ws/v5/business"
    assert b'"candle1Dutc"' in alone.subscribe(alone.routes[0])[0]
    both = Okx(instruments, channels=[markets.CANDLE, markets.BOOK])
    assert both.routes == (("/ws/v5/public", (markets.BOOK,)), ("/ws/v5/business", (markets.CANDLE,)))
    asked_for = [json.loads(said)["args"] for route in both.routes for said in both.subscribe(route)]
    assert [arg["channel"] for args in asked_for for arg in args] == [markets.BOOK, "candle1m"]
    with pytest.raises(ConfigError, match="candles of"):
        Okx(instruments, candle_interval="7m")


def test_many_lost_books_are_asked_for_in_two_requests():
    symbols = [f"C{number}-USDT" for number in range(30)]
    venue, ring = played([okx.snapshot(symbol=symbol) for symbol in symbols], *symbols)
    for symbol in symbols:
        venue.decode(okx.update(11, 12, symbol=symbol), NOW_NS, ring)

    assert [(op, len(args)) for op, args in asked(venue)] == [("unsubscribe", 30), ("subscribe", 30)]


def test_instruments_come_from_the_venues_own_rules(shared_data):
    body = json.dumps(
        {"code": "0", "msg": "", **json.loads((shared_data / "wire/okx/nautilus/ws_instruments.json").read_text())}
    )

    (swap,) = LISTING.instruments_of(body.encode(), "perpetual", [okx.SWAP])

    assert (swap.base, swap.quote, swap.kind) == ("BTC", "USDT", "perpetual")
    assert (swap.price_tick, swap.size_lot, swap.contract_size) == (Decimal("0.1"), Decimal("0.01"), Decimal("0.01"))
    assert (
        LISTING.instruments_path("perpetual", [okx.SWAP])
        == "/api/v5/public/instruments?instType=SWAP&instId=BTC-USDT-SWAP"
    )
    with pytest.raises(ConfigError, match="does not list NO-SUCH"):
        LISTING.instruments_of(body.encode(), "perpetual", ["NO-SUCH"])
