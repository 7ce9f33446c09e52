"""The scanner and the slow path are two readers of one language: what both read, both read alike."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.events import EVENT
from streamtrader.kernel.ring import Ring
from streamtrader.venues.binance import SPOT, USDM, Binance, scan
from streamtrader.venues.books import PLACE_WORDS
from tests.venues import frames
from tests.venues.frames import adapter
from tests.venues.streamed import instruments_of

SHAPES = {
    "spot trade": (SPOT, frames.spot_trade()),
    "spot sale": (SPOT, frames.spot_trade(is_sold=True)),
    "usdm trade": (USDM, frames.usdm_trade()),
    "usdm sale": (USDM, frames.usdm_trade(is_sold=True)),
    "spot quote": (SPOT, frames.spot_quote()),
    "usdm quote": (USDM, frames.usdm_quote()),
    "usdm trade of today": (USDM, frames.of_today(frames.usdm_trade(is_sold=True))),
    "usdm quote of today": (USDM, frames.of_today(frames.usdm_quote())),
    "spot aggregate": (SPOT, frames.spot_aggregate()),
    "spot aggregate sale": (SPOT, frames.spot_aggregate(is_sold=True)),
    "usdm aggregate": (USDM, frames.usdm_aggregate(is_new=False)),
    "usdm aggregate of today": (USDM, frames.usdm_aggregate(is_sold=True)),
    "trailing zeros": (SPOT, frames.spot_trade(size="123456789.00000000")),
}


def scanned(frame: bytes, *, received_ns: int = 5, slots: int = 64) -> tuple[int, np.ndarray]:
    """What the uncompiled scanner answers, and the first rows that it wrote."""
    events, header = np.zeros(slots, EVENT), np.zeros(scan.HEADER_WORDS, np.int64)
    instruments = instruments_of("binance", ["ETHUSDT", "BTCUSDT"])
    table = scan.table_of(["ETHUSDT", "BTCUSDT"], [each.most for each in instruments])
    data = np.frombuffer(frame, np.uint8)
    with np.errstate(over="ignore"):
        code = scan.scan(data.astype(np.int64), len(frame), events, 0, slots, received_ns, table, header)
    return code, events


@pytest.mark.parametrize("shape", SHAPES)
def test_the_scanner_takes_each_shape_that_the_venue_sends(shape):
    market, frame = SHAPES[shape]
    fast, ring = adapter(market=market)
    slow, expected = adapter(market=market, is_fast=False)

    fast.decode(frame, 5, ring)
    slow.decode(frame, 5, expected)

    assert fast.counters.handed_over == 0
    assert slow.counters.handed_over == 1
    assert ring.written == expected.written == 2
    assert ring.events.tobytes() == expected.events.tobytes()


def test_uncompiled_the_scanner_does_the_same():
    for _, frame in SHAPES.values():
        compiled, ring = adapter("ETHUSDT", "BTCUSDT")
        start = ring.written
        compiled.decode(frame, 5, ring)
        code, events = scanned(frame)
        assert code == scan.COMMITTED
        assert events[0].tobytes() == ring.events[start].tobytes()


@pytest.mark.parametrize("side", ["b", "a"])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_depth_of_any_number_of_levels_is_scanned(side, count):
    levels = tuple((f"{100 + level}.5", f"{level}.25") for level in range(count))
    bids, asks = (levels, ()) if side == "b" else ((), levels)

    usdm = frames.usdm_depth(12, 15, 10, bids, asks)
    for frame in (frames.spot_depth(11, 15, bids, asks), usdm, frames.of_today(usdm)):
        code, events = scanned(frame)

        assert code == scan.DEPTH + count
        assert events["a"][:count].tolist() == [float(price) for price, _ in levels]
        assert events["b"][:count].tolist() == [float(size) for _, size in levels]
        assert events["flags"][:count].tolist() == [1] * (count - 1) + [0] * min(count, 1)
        assert events["side"][:count].tolist() == ["ba".index(side)] * count


TRADE, QUOTE, DEPTH = frames.spot_trade(), frames.spot_quote(), frames.spot_depth(11, 15, (("100.5", "1.0"),))
TODAY, AGGREGATE = frames.of_today(frames.usdm_quote()), frames.usdm_aggregate()
UNKNOWN = {
    "a pair that is not the symbol": TODAY.replace(b'"ps":"BTCUSDT"', b'"ps":"ETHUSDT"'),
    "a type that is no number": TODAY.replace(b'"st":1', b'"st":"1"'),
    "a key behind the type": TODAY.replace(b'"st":1', b'"st":1,"x":1'),
    "an aggregate without its first trade": AGGREGATE.replace(b'"f":5,', b""),
    "an aggregate with two ids": AGGREGATE.replace(b'"p":', b'"a":2,"p":'),
    "an aggregate of no size": AGGREGATE.replace(b'"q":"2.000"', b'"q":"0.000"'),
    "a normal size that is none": AGGREGATE.replace(b'"nq":"1.000"', b'"nq":"x"'),
    "partial depth": frames.spot_partial(1, (("1.5", "1.0"),), ()),
    "partial depth that looks like depth": frames.usdm_partial(1, (("1.5", "1.0"),), ()),
    "a kline": frames.kline(frames.NOW_MS),
    "another symbol": TRADE.replace(b"btcusdt", b"solusdt"),
    "a symbol that is not its stream's": TRADE.replace(b"BTCUSDT", b"ETHUSDT"),
    "an exponent": TRADE.replace(b"100.50", b"1e2"),
    "a sign": TRADE.replace(b"100.50", b"-100.50"),
    "a price of zero": TRADE.replace(b"100.50", b"0.00"),
    "an absurd price": TRADE.replace(b"100.50", b"20000000000.01"),
    "a size of zero": TRADE.replace(b"2.00000000", b"0.00000000"),
    "sixteen digits": TRADE.replace(b"100.50", b"1234567.890123456"),
    "a leading zero": TRADE.replace(b"100.50", b"0100.50"),
    "no digit before the point": TRADE.replace(b"100.50", b".50"),
    "no digit behind the point": TRADE.replace(b"100.50", b"100."),
    "two points": TRADE.replace(b"100.50", b"100.5.0"),
    "no digits": TRADE.replace(b"100.50", b""),
    "NaN": TRADE.replace(b"100.50", b"NaN"),
    "an id of 19 digits": TRADE.replace(b'"t":1', b'"t":1111111111111111111'),
    "a clock of 12 digits": TRADE.replace(str(frames.NOW_MS).encode(), b"123456789012"),
    "a clock beyond all": TRADE.replace(str(frames.NOW_MS - 1).encode(), b"9300000000000"),
    "another order of keys": TRADE.replace(b'"m":false,"M":true', b'"M":true,"m":false'),
    "a key more": TRADE.replace(b'"M":true', b'"M":true,"x":1'),
    "bytes left over": TRADE + b" ",
    "an end too early": TRADE[:-1],
    "a quote of no size": QUOTE.replace(b'"B":"1.5"', b'"B":"0"'),
    "a level without a size": DEPTH.replace(b'["100.5","1.0"]', b'["100.5"]'),
    "an absurd size": DEPTH.replace(b'"1.0"', b'"20000000000.5"'),
    "a list that does not end": DEPTH.replace(b"]]", b"]"),
    "last before first": frames.spot_depth(15, 11),
    "an opening only": b'{"stream":"btcusdt@depth@100ms"}}}}}}}}}}',
    "nothing": b"{}",
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_the_scanner_does_not_know_exactly_it_hands_over(what):
    code, _ = scanned(UNKNOWN[what])

    assert code == scan.HANDED_OVER


def test_rows_beyond_the_room_of_the_ring_are_never_written():
    frame = frames.spot_depth(11, 15, tuple((f"{price}.5", "1.0") for price in range(100, 110)))

    code, events = scanned(frame, slots=8)

    assert code == scan.HANDED_OVER
    assert np.count_nonzero(events["a"]) <= 8


def test_a_stamped_frame_brings_its_own_clock():
    stamp_ns = 1_723_161_254_087_896_568
    for _, frame in SHAPES.values():
        code, events = scanned(frames.stamped(frame, stamp_ns), received_ns=0)

        assert code == scan.COMMITTED
        assert int(events["received_ns"][0]) == stamp_ns


@pytest.mark.parametrize("stamp", ["123", "0723161254087896568", "172316125408789656x", "-72316125408789656"])
def test_a_stamp_of_another_form_is_handed_over(stamp):
    frame = frames.spot_trade()[:-1] + f',"ns":{stamp}}}'.encode()

    code, _ = scanned(frame, received_ns=0)

    assert code == scan.HANDED_OVER


def test_a_table_finds_every_symbol_and_no_other():
    symbols = [f"{letter}{number}USDT" for letter in "ABCDEFGHIJ" for number in range(100)]
    venue = Binance([frames.instrument(symbol) for symbol in symbols], scanner=None, channels=("trade",))
    table, events = scan.table_of(symbols), np.zeros(2, EVENT)
    header, places = np.zeros(scan.HEADER_WORDS, np.int64), np.zeros((len(symbols), PLACE_WORDS), np.int64)
    header[scan.JUDGE_AT] = 2**62

    for index, symbol in enumerate(symbols):
        frame = frames.spot_trade().replace(b"btcusdt", symbol.lower().encode()).replace(b"BTCUSDT", symbol.encode())
        header[scan.DONE] = header[scan.AT] = 0
        code = frames.compiled_scanner()(frame, np.zeros(0, np.int64), 1, events, 0, 2, 5, table, places, header)
        assert (code, int(events["instrument"][0])) == (scan.COMMITTED, index)

    assert len(venue.instruments) == len(symbols)


@pytest.mark.parametrize("name", frames.CAPTURES)
@pytest.mark.slow
def test_both_paths_write_the_same_bytes_for_every_frame_of_the_captures(shared_data, name):
    market, captures = frames.CAPTURES[name]
    written = []
    for is_fast in (True, False):
        venue = adapter(market=market, is_fast=is_fast)[0]
        ring = Ring(1 << 20)
        for received_ns, line in frames.capture_lines(shared_data, captures):
            if line.startswith(b'{"stream"'):
                venue.decode(line, received_ns, ring)
            else:
                frames.go_live(venue, ring, 0, line)
        assert venue.counters.handed_over == (0 if is_fast else venue.counters.frames)
        assert venue.counters.rejected == venue.counters.unknown == venue.counters.gaps == 0
        written.append(ring.events[: ring.written].tobytes())

    assert written[0] == written[1]


READS = [
    frames.spot_trade(1), frames.spot_depth(11, 15, (("100.5", "1.0"),)), b"", b"{not json", frames.spot_quote(),
    frames.spot_depth(16, 18, (), (("101.5", "2.0"), ("102.5", "0"))), frames.spot_trade(2).replace(b"100.50", b"NaN"),
    frames.spot_depth(17, 18, (("99.5", "1.0"),)), frames.spot_depth(19, 20), frames.spot_trade(3),
    frames.spot_depth(25, 26, (("98.5", "1.0"),)), frames.spot_trade(4),
]  # fmt: skip


@given(cuts=st.sets(st.integers(1, len(READS) - 1)), is_fast=st.booleans())
def test_however_a_flood_is_cut_into_reads_the_ring_holds_the_same(cuts, is_fast):
    expected = adapter(is_fast=False)
    actual = adapter(is_fast=is_fast)
    for venue, ring in (expected, actual):
        frames.go_live(venue, ring, 10)

    for frame in READS:
        expected[0].decode(frame, 7, expected[1])
    edges = [0, *sorted(cuts), len(READS)]
    for start, stop in itertools.pairwise(edges):
        actual[0].decode_read(READS[start:stop], 7, actual[1])

    assert actual[1].written == expected[1].written
    assert actual[1].events.tobytes() == expected[1].events.tobytes()
    counted, wanted = actual[0].counters, expected[0].counters
    assert (
        (counted.levels, counted.gaps, counted.repeated) == (wanted.levels, wanted.gaps, wanted.repeated) == (6, 1, 1)
    )
    assert (counted.frames, counted.rejected) == (wanted.frames, wanted.rejected) == (len(READS), 3)
