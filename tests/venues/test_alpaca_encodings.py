"""Alpaca in JSON and in msgpack: the same messages are the same rows, whatever is wrong with them."""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.errors import BadMessage, ConfigError
from streamtrader.venues.alpaca import LISTING, Alpaca
from streamtrader.venues.alpaca.messages import nanoseconds_at
from tests.venues import alpaca_frames as made
from tests.venues.mutator import mutated
from tests.venues.streamed import NOW_NS, instruments_of, ring_of, venue_of

SECOND = 1_000_000_000
TRADED = ("AAPL", "BTC/USD")


def events_of(frames, symbols=TRADED):
    """The bytes of all that is written of some frames, and all counters: the words of errors are each encoding's own."""
    venue = venue_of("alpaca", *symbols)
    ring = ring_of(venue)
    for frame in frames:
        venue.decode(frame, NOW_NS, ring)
    return ring.events[: ring.written].tobytes(), asdict(venue.counters) | {"last_error": ""}


def test_the_recorded_messages_say_the_same_as_msgpack(shared_data):
    frames = (shared_data / "wire/alpaca/stream_messages.jsonl").read_bytes().splitlines()
    symbols = ("AAPL", "SPIP", "BTC/USD", "STRR", "DJT")

    as_text, as_binary = (
        events_of([made.binary(*json.loads(frame)) if is_binary else frame for frame in frames], symbols)
        for is_binary in (False, True)
    )

    assert as_text == as_binary


@pytest.mark.parametrize("arrays", [made.STOCK_ARRAYS, made.CRYPTO_ARRAYS], ids=["stocks", "crypto"])
def test_both_encodings_of_the_same_messages_are_the_same_rows(arrays):
    as_text = events_of([made.text(*array) for array in arrays])
    as_binary = events_of([made.binary(*array) for array in arrays])

    assert as_text == as_binary
    assert as_text[1]["rejected"] == as_text[1]["unknown"] == 0


@pytest.mark.parametrize("arrays", [made.STOCK_ARRAYS, made.CRYPTO_ARRAYS], ids=["stocks", "crypto"])
@given(changes=st.integers(0, 2**64))
def test_whatever_json_a_mutation_makes_msgpack_says_the_same(arrays, changes):
    """A frame that is still JSON, and that msgpack can hold, is read alike whatever is wrong with it."""
    random = Random(changes)
    as_text, as_binary = [], []
    for array in arrays:
        try:
            document = json.loads(mutated(made.text(*array), random))
            as_binary.append(msgspec.msgpack.encode(document))
            as_text.append(json.dumps(document, allow_nan=False).encode())
        except (ValueError, RecursionError, OverflowError):
            del as_binary[len(as_text) :]  # no JSON any more, or nothing that both can hold

    one, other = events_of(as_text), events_of(as_binary)

    assert one == other
    assert one[1]["faults"] == 0


@pytest.mark.parametrize(
    ("clock", "size"),
    [
        ("2026-03-04T15:16:17Z", 4),
        (made.LATER, 8),
        ("2200-01-01T00:00:00.000000001Z", 8),
        ("2250-06-01T00:00:00Z", 8),
    ],
)
def test_timestamps_of_every_length_keep_their_nanoseconds(clock, size):
    timestamp = made.timestamp(clock)

    assert len(timestamp.data) == size
    assert nanoseconds_at(timestamp) == nanoseconds_at(clock) == made.nanoseconds(clock)
    long = msgspec.msgpack.Ext(-1, struct.pack(">Iq", *divmod(made.nanoseconds(clock), SECOND)[::-1]))
    assert nanoseconds_at(long) == made.nanoseconds(clock)


@pytest.mark.parametrize(
    "timestamp",
    [
        (5, b"\0\0\0\1"),
        (-1, b""),
        (-1, b"\0" * 5),
        (-1, b"\xff" * 8),
        (-1, b"\xff" * 12),
        (-1, b"\0" * 4 + b"\xff" * 8),
    ],
)
def test_what_is_no_timestamp_is_refused(timestamp):
    with pytest.raises(BadMessage):
        nanoseconds_at(msgspec.msgpack.Ext(*timestamp))


@pytest.mark.parametrize("make", [made.text, made.binary], ids=["json", "msgpack"])
def test_a_first_pass_sees_prices_and_sizes_as_the_venue_wrote_them(make):
    frame = make(made.trade(price=178.005), made.quote(), made.book([(0.0000001, 1.5)], []))

    seen = list(LISTING.sightings(frame))

    assert [(each.symbol, each.is_book) for each in seen] == [("AAPL", False), ("AAPL", True), ("BTC/USD", True)]
    assert seen[0].levels == [("178.005", "100")]
    assert float(seen[2].levels[0][0]) == 1e-7


def test_an_encoding_that_the_venue_has_not_is_refused():
    with pytest.raises(ConfigError, match="json or msgpack"):
        Alpaca(instruments_of("alpaca", ["AAPL"]), encoding="xml")
