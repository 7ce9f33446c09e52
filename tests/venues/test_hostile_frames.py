"""Whatever bytes arrive: `decode` does not raise, and no price or size that cannot be true is ever written."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.events import MORE, Kind
from streamtrader.venues.binance import USDM
from tests.venues import frames
from tests.venues.frames import NOW_NS, adapter

SEEDS = [
    frames.spot_trade(),
    frames.usdm_trade(),
    frames.spot_quote(),
    frames.usdm_quote(),
    frames.spot_depth(11, 15, (("100.5", "1.0"), ("99.5", "0.0")), (("101.5", "2.0"),)),
    frames.usdm_depth(11, 15, 10, (("100.5", "1.0"),), (("101.5", "2.0"), ("102.5", "0.0"))),
    frames.of_today(frames.usdm_depth(11, 15, 10)),
    frames.spot_aggregate(),
    frames.usdm_aggregate(),
    frames.kline(frames.NOW_MS),
    frames.mark(),
    frames.liquidation(),
    frames.spot_partial(12, (("100.5", "1.0"),), (("101.5", "2.0"),)),
    frames.compact({"result": None, "id": 1}),
]
POISON: list[object] = [
    None, True, False, [], {}, "", "NaN", "nan", "Infinity", "-Infinity", "1e400", "-1", "0", "0.0", "-0.0", "1e308",
    "1e-400", -1, 0, 1.5, 1e308, 10**19, 10**4300, 10**10_000, -(10**30), "\ud800", "١٢٣", "0x10", "1_000", " 1", [[]],
    [["1"]], [["1", "2", "3"]], [["NaN", "1"]], [["1", "-1"]], [["0", "1"]], [["1e999", "1"]], [[[[]]]], "btcusdt",
]  # fmt: skip


def is_sane(venue, ring, start: int) -> None:
    """Every row from `start` on can be true and counted, and its message is whole."""
    price_most, size_most = venue.instruments[0].most
    events = ring.events[start : ring.written]
    if len(events):
        assert not events["flags"][-1] & MORE
    for kind, words in ((Kind.TRADE, "ab"), (Kind.QUOTE, "abcd"), (Kind.BOOK, "a")):
        chosen = events[events["kind"] == kind]
        for word in words:
            assert np.all((chosen[word] > 0) & (chosen[word] <= (price_most if word in "ac" else size_most)))
    sizes = events["b"][events["kind"] == Kind.BOOK]
    assert np.all((sizes >= 0) & (sizes <= size_most))


def feed(frame: bytes) -> None:
    """To adapters in every state, both paths."""
    for market in (frames.SPOT, USDM):
        rows = []
        for is_fast in (True, False):
            venue, ring = adapter(market=market, is_fast=is_fast)
            frames.go_live(venue, ring, 10)
            start = ring.written
            venue.decode(frame, NOW_NS, ring)
            is_sane(venue, ring, start)
            rows.append(ring.events[: ring.written].tobytes())
        assert rows[0] == rows[1]
    stamped, ring = adapter(is_stamped=True)
    stamped.decode(frame, NOW_NS, ring)
    is_sane(stamped, ring, 1)


@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4))
def test_flipped_bytes_never_raise_and_never_write_nonsense(seed, flips):
    frame = bytearray(seed)
    for at, value in flips:
        frame[at % len(frame)] = value

    feed(bytes(frame))


@given(st.sampled_from(SEEDS), st.integers(0, 400), st.binary(max_size=20))
def test_cut_frames_with_anything_behind_never_raise(seed, at, tail):
    feed(seed[: at % (len(seed) + 1)] + tail)


def paths(document: object, path: tuple = ()) -> list[tuple]:
    """Every place in a document that can hold another value."""
    children = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [path, *(place for key, child in children for place in paths(child, (*path, key)))]


def dumped(document: object) -> bytes:
    """As JSON, in which whole numbers may be longer than Python wants to print."""

    def text(value: object) -> str:
        if isinstance(value, dict):
            return "{" + ",".join(f"{json.dumps(key)}:{text(child)}" for key, child in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(text, value)) + "]"
        if type(value) is int and abs(value) >= 10**4000:
            return "1" + "0" * 10_000
        return json.dumps(value)

    return text(document).encode()


@given(st.sampled_from(SEEDS), st.integers(0, 1000), st.sampled_from(POISON), st.booleans())
def test_values_of_another_type_never_raise_and_never_write_nonsense(seed, place, poison, is_removed):
    document = json.loads(seed)
    path = paths(document)[1:][place % (len(paths(document)) - 1)]
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    if is_removed and isinstance(parent, dict):
        del parent[path[-1]]
    else:
        parent[path[-1]] = poison

    feed(dumped(document))


@given(st.binary(max_size=200))
def test_any_bytes_at_all_never_raise(frame):
    feed(frame)


DEEP = 100_000
HOSTILE = {
    "deep lists": b"[" * DEEP,
    "deep closed lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"data":' * DEEP + b"1" + b"}" * DEEP,
    "deep data": b'{"stream":"btcusdt@trade","data":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "a deep unknown key": frames.spot_trade().replace(b'"M":true', b'"M":' + b"[" * DEEP + b"]" * DEEP),
    "a number of 10,000 digits": frames.spot_trade().replace(b'"t":1', b'"t":' + b"1" * 10_000),
    "a price of 10,000 digits": frames.spot_trade(price="9" * 10_000),
    "an exponent beyond all": frames.spot_trade(price="1e999999999"),
    "a lone surrogate": frames.spot_trade().replace(b"BTCUSDT", rb"\ud800"),
    "invalid UTF-8": frames.spot_trade().replace(b"BTCUSDT", b"\xff\xfe"),
    "duplicate keys": frames.spot_trade().replace(b'"p":"100.50"', b'"p":"100.50","p":"-1"'),
    "a null byte": frames.spot_trade().replace(b"100.50", b"100\x0050"),
    "a page": b"<html><body>502 Bad Gateway</body></html>",
    "nothing": b"",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_frames_are_counted_and_write_nothing(what):
    venue, ring = adapter()
    written = ring.written

    venue.decode(HOSTILE[what], NOW_NS, ring)

    assert ring.written == written
    assert venue.counters.rejected + venue.counters.unknown == 1
    feed(HOSTILE[what])


def test_after_hostile_frames_good_ones_are_read_as_before():
    venue, ring = adapter()
    for frame in HOSTILE.values():
        venue.decode(frame, NOW_NS, ring)

    venue.decode(frames.spot_trade(42), NOW_NS, ring)

    assert frames.rows(ring)[-1][3] == 42
