"""Tables with named columns in, tables out."""

from __future__ import annotations

import gzip
from dataclasses import replace

import numpy as np
import pytest

from streamtrader.errors import MarketFileError
from streamtrader.events import BUY, SELL, BookState, Kind
from streamtrader.runtime.datasets import export_dataset
from streamtrader.storage.tape import TapeWriter
from tests.kernel.play import BTC, ETH, START_NS, Script
from tests.storage.importers.files import book_of, imported, written

CLOCKS = {
    "seconds": ("1700000000", 10**9), "milliseconds": ("1700000000000", 10**6), "microseconds": ("1700000000000000", 10**3),
    "nanoseconds": ("1700000000000000000", 1),
}  # fmt: skip


@pytest.mark.parametrize("unit", CLOCKS)
def test_epoch_numbers_of_every_unit_are_told_by_their_size(tmp_path, unit):
    text, _ = CLOCKS[unit]
    path = written(tmp_path / "ltcusdt.csv", "Timestamp,Price,Amount", f"{text},65.5,2")

    result, events = imported(tmp_path, path)

    assert events[["received_ns", "a", "b"]].tolist() == [(1_700_000_000 * 10**9, 65.5, 2.0)]
    assert (result.format, result.instruments[0].symbol) == ("csv", "LTCUSDT")


TIMES = {
    "2023-11-14T22:13:20Z": 0, "2023-11-14 22:13:20.000000001": 1, "2023-11-14 22:13:20.5+00:00": 500_000_000,
    "2023-11-14T22:13:20.123456789Z": 123_456_789,
}  # fmt: skip


@pytest.mark.parametrize("text", TIMES)
def test_texts_are_read_as_utc(tmp_path, text):
    _, events = imported(
        tmp_path, written(tmp_path / "a.csv", "datetime;px;qty", f"{text};1,5".replace(",", ".") + ";2")
    )

    assert events["received_ns"].tolist() == [1_700_000_000 * 10**9 + TIMES[text]]


def test_the_cheapest_coins_and_the_dearest_prices_are_imported_in_steps_that_can_count_them(tmp_path):
    path = written(
        tmp_path / "trades.csv", "symbol,time,price,size",
        "SHIB-USD,1700000000,0.00001234,589123456789", "BTC-IDR,1700000001,1690001000,0.00012345",
        "NOISE-USD,1700000002,0.5,5890000000000.123456789", "JOKE-USD,1700000003,999999999999.00000001,1",
    )  # fmt: skip

    result, events = imported(tmp_path, path)

    steps = {each.base: (str(each.price_tick), str(each.size_lot)) for each in result.instruments}
    assert events["b"].tolist() == [589_123_456_789.0, 0.00012345, 5_890_000_000_000.123456789, 1.0]
    assert (steps["SHIB"], steps["BTC"]) == (("1E-8", "1"), ("1", "1E-8"))
    assert (steps["NOISE"], steps["JOKE"]) == (("0.1", "0.00001"), ("0.000001", "1"))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [("1700000000,1e12,1", "price is '1e12', which is no price"), ("1700000000,1,1e15", "size is '1e15', which is no size")],
)
def test_what_nobody_means_is_refused_with_its_place(tmp_path, line, complaint):
    with pytest.raises(MarketFileError, match=f"x.csv:2: {complaint}"):
        imported(tmp_path, written(tmp_path / "x.csv", "time,price,size", line))


def test_trades_with_sides_ids_symbols_and_two_clocks(tmp_path):
    path = written(
        tmp_path / "trades.csv", "symbol,venue_ns,received_ns,trade_id,side,price,size",
        f"BTC-USD,{START_NS},{START_NS + 5},11,buy,100.5,1", f"ETH-USD,{START_NS},{START_NS + 6},12,SELL,10,2",
        f"BTC-USD,{START_NS + 1},{START_NS + 7},13,s,100.25,3",
    )  # fmt: skip

    result, events = imported(tmp_path, path)
    only, _ = imported(tmp_path, path, symbols=["ETH-USD"])

    assert [(each.symbol, each.base, str(each.price_tick)) for each in result.instruments] == [
        ("BTC-USD", "BTC", "0.01"), ("ETH-USD", "ETH", "1"),
    ]  # fmt: skip
    assert events[["id", "side", "instrument", "venue_ns"]].tolist() == [
        (11, BUY, 0, START_NS), (12, SELL, 1, START_NS), (13, SELL, 0, START_NS + 1),
    ]  # fmt: skip
    assert [each.symbol for each in only.instruments] == ["ETH-USD"]


def test_quotes_without_sizes_take_one_and_say_so(tmp_path, shared_data):
    result, events = imported(tmp_path, shared_data / "ticks/fx/usdjpy-ticks.csv")

    assert result.events == {"quote": 1000}
    assert result.notes == {"quote_sizes": "not in the files: 1"}
    assert events[["a", "b", "c", "d"]][0].tolist() == (86.655, 1.0, 86.728, 1.0)
    assert str(result.instruments[0].price_tick) == "0.001"


@pytest.mark.parametrize(
    ("name", "count", "step_s"),
    [
        ("crypto/bitstamp_btcusd_day_2015.csv", 365, 86_400),
        ("crypto/bitstamp_btcusd_min_2020_01_01.csv", 1440, 60),
        ("crypto/btc-perp-20211231-20220201_1m.csv.gz", 45_031, 60),
        ("equity/yahoofinance-SPY-20200901-20210113.csv", 92, 86_400),
        ("fx/gbpusd-m1-bid-2012.csv.gz", 30_117, 60),
    ],
)
def test_candles_end_a_step_behind_their_start(tmp_path, shared_data, name, count, step_s):
    result, events = imported(tmp_path, shared_data / "candles" / name)

    assert result.events == {"candle": count}
    assert (events["received_ns"] - events["venue_ns"] == step_s * 10**9).all()
    assert np.all(events["b"] >= events["c"])


def everything(path):
    """A tape with two instruments and every kind that has a table."""
    script = Script().at(0).book([(100, 5), (99.5, 1)], [(100.5, 2)]).at(1).trade(100.5, 0.25, BUY, id=3)
    script.at(1).message([(0, 99, 7), (0, 99.5, 0)], id=4).at(2).add(
        Kind.QUOTE, 10.0, 1.0, 11.0, 2.5, id=9, instrument=1
    )
    script.at(60_000).add(Kind.MARK, 100.0, 99.0, 0.0001).add(Kind.CANDLE, 10.0, 12.0, 9.5, 11.0, instrument=1)
    script.at(120_000).add(Kind.CANDLE, 11.0, 12.0, 9.5, 11.5, instrument=1).at(120_001).trade(
        0.1 + 0.2, 1e-8, SELL, id=5
    )
    events = script.events()
    is_candle = events["kind"] == Kind.CANDLE
    events["venue_ns"][is_candle] -= 60 * 10**9
    events["id"][is_candle] = np.array([3.5, 0.1 + 0.2]).view(np.int64)
    with TapeWriter.create(path, [BTC, ETH], {}) as writer:
        writer.append(events)
    return events


def test_a_tape_goes_out_as_a_table_for_each_kind_and_comes_back(tmp_path):
    events = everything(tmp_path / "in.tape")

    told = export_dataset(tmp_path / "in.tape", tmp_path / "out.csv", wanted_format="csv")
    result, back = imported(tmp_path, *(tmp_path / name for name in told.files))

    assert sorted(told.files) == ["out.candles.csv", "out.levels.csv", "out.quotes.csv", "out.trades.csv"]
    assert told.events == {"trades": 2, "quotes": 1, "levels": 5, "candles": 2}
    assert told.left_out == {"mark": 1}
    words = ["received_ns", "a", "b", "c", "d", "id", "side"]
    for kind in (Kind.TRADE, Kind.QUOTE, Kind.BOOK, Kind.CANDLE):
        assert back[back["kind"] == kind][words].tolist() == events[events["kind"] == kind][words].tolist()
    assert book_of(back) == book_of(events)
    assert {each.symbol for each in result.instruments} == {"BTCUSDT", "ETHUSDT"}
    assert back[back["kind"] == Kind.LINK]["a"].tolist() == [BookState.SYNCING, BookState.LIVE]


def test_an_export_of_one_kind_is_one_file_and_never_overwrites(tmp_path):
    everything(tmp_path / "in.tape")

    told = export_dataset(tmp_path / "in.tape", tmp_path / "e.csv", wanted_format="csv", symbols=["ETHUSDT"])
    assert sorted(told.files) == ["e.candles.csv", "e.quotes.csv"]
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    with pytest.raises(MarketFileError, match=r"e\.(candles|quotes)\.csv exists already"):
        export_dataset(tmp_path / "in.tape", tmp_path / "e.csv", wanted_format="csv", symbols=["ETHUSDT"])

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_one_symbol_of_two_markets_goes_out_under_two_names(tmp_path):
    perpetual = replace(BTC, kind="perpetual")
    script = Script().at(0).trade(100.5, 0.25, BUY, id=3).add(Kind.TRADE, 200.5, 1.0, id=4, instrument=1)
    with TapeWriter.create(tmp_path / "in.tape", [BTC, perpetual], {}) as writer:
        writer.append(script.events())

    told = export_dataset(tmp_path / "in.tape", tmp_path / "both.csv", wanted_format="csv")
    export_dataset(tmp_path / "in.tape", tmp_path / "one.csv", wanted_format="csv", symbols=["test-perpetual:btcusdt"])

    assert told.events == {"trades": 2}
    rows = [line.split(",") for line in (tmp_path / "both.csv").read_text().splitlines()[1:]]
    assert [(row[2], row[5]) for row in rows] == [("test:BTCUSDT", "100.5"), ("test-perpetual:BTCUSDT", "200.5")]
    assert (tmp_path / "one.csv").read_text().splitlines()[1].split(",")[2:6] == ["BTCUSDT", "4", "buy", "200.5"]
    for format_ in ("csv", "hftbacktest"):
        with pytest.raises(MarketFileError, match="several of BTCUSDT: say test:BTCUSDT or test-perpetual:BTCUSDT"):
            export_dataset(tmp_path / "in.tape", tmp_path / "x", wanted_format=format_, symbols=["BTCUSDT"])


def test_a_size_whose_exponent_has_no_end_is_nothing(tmp_path):
    _, events = imported(tmp_path, written(tmp_path / "a.csv", "time,price,size", f"{START_NS},1,1e-99999999999999999999"))

    assert events["b"].tolist() == [0.0]


ROW = f"{START_NS},100,1"
BAD_FILES = {
    "no columns of a market": (("x,y,z", ROW), "bad.csv:1: no columns of trades, quotes, levels or candles: x, y, z."),
    "no size": (("time,price", f"{START_NS},100"), "For trades it lacks size (size, qty, quantity"),
    "no ask": (("time,bid", f"{START_NS},100"), "For quotes it lacks ask (ask, ask_price"),
    "a time of no unit": (("time,price,size", "17000,100,1"), "bad.csv:2: time is '17000', of no known unit"),
    "a time of no form": (("time,price,size", "11/5/2019 9:30,100,1"), "bad.csv:2: time is '11/5/2019 9:30', no time in UTC"),
    "a day that is none": (("time,price,size", "2019-02-30 09:30:00,100,1"), "time is '2019-02-30 09:30:00', which is no date"),
    "another zone": (("time,price,size", "2019-02-20T09:30:00+02:00,1,1"), "no time in UTC"),
    "NaN": (("time,price,size", ROW, f"{START_NS},NaN,1"), "bad.csv:3: price is 'NaN', which is no number"),
    "nothing": (("time,price,size", ROW, f"{START_NS},,1"), "bad.csv:3: price is '', which is no number"),
    "a row too short": (("time,price,size", ROW, f"{START_NS},5"), "bad.csv:3: 2 columns, where there should be 3 (time, price, size)"),
    "a time that runs back": (("time,price,size", ROW, f"{START_NS - 61 * 10**9},1,1"), "bad.csv:3: time is '1699999939000000000', 61 s before"),
    "one candle": (("time,open,high,low,close", f"{START_NS},1,1,1,1"), "one candle does not tell how long it is"),
    "a candle between": (
        ("time,open,high,low,close", *(f"{START_NS + at * 10**9},1,1,1,1" for at in (0, 60, 120, 180, 270))),
        "bad.csv:6: time is '1700000270000000000', between two candles of 60 s",
    ),
    "a time before tapes": (
        ("time,price,size", "1969-12-31 23:59:59,1,1"),
        "bad.csv:2: time is '1969-12-31 23:59:59', not of the years 1970 to 2099",
    ),
    "a time that would come back as 2184": (("time,price,size", "1600-01-01,1,1"), "time is '1600-01-01', not of the years"),
    "one late time among others": (
        ("time,price,size", "2024-01-01T00:00:00Z,1,1", "2999-01-01,1,1"), "bad.csv:3: time is '2999-01-01', not of the years",
    ),
    "two columns of one name": (("time,price,price,size", f"{START_NS},1,2,1"), "bad.csv:1: two columns are called price"),
    "no symbol in a row": (
        ("time,price,size,symbol", f"{ROW},A", f"{ROW},"), "bad.csv:3: symbol is '', which is no symbol",
    ),
    "no symbol in any row": (("time,price,size,symbol", f"{ROW},"), "bad.csv:2: symbol is '', which is no symbol"),
    "no rows": (("time,price,size",), "not one usable event in the files (0 rows)"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_bad_table_is_refused_by_line_and_column(tmp_path, what):
    lines, message = BAD_FILES[what]
    path = written(tmp_path / "bad.csv", *lines)

    with pytest.raises(MarketFileError) as refused:
        imported(tmp_path, path, wanted_format="csv")

    assert message in str(refused.value)
    assert [path] == list(tmp_path.iterdir())


def test_a_symbol_that_no_row_has_is_told_with_those_there_are(tmp_path):
    path = written(tmp_path / "bad.csv", "time,price,size,symbol", f"{ROW},AAA", f"{ROW},BBB")

    with pytest.raises(MarketFileError, match="nothing of CCC in the files; there is: AAA, BBB"):
        imported(tmp_path, path, symbols=["CCC"])


def test_a_compressed_table_that_breaks_off_is_refused(tmp_path):
    path = tmp_path / "trades.csv.gz"
    rows = "".join(f"{START_NS + at},100,{at}\n" for at in range(50_000))
    path.write_bytes(gzip.compress(("time,price,size\n" + rows).encode())[:-1000])

    with pytest.raises(MarketFileError, match=r"trades.csv.gz is damaged or cut off"):
        imported(tmp_path, path)

    assert [path] == list(tmp_path.iterdir())


def test_a_little_disorder_is_counted_and_time_stands_still_for_it(tmp_path):
    path = written(tmp_path / "a.csv", "time,price,size", *(f"{START_NS + at},100,1" for at in (0, 9, 5, 12)))

    result, events = imported(tmp_path, path)

    assert result.disordered == 1
    assert (events["received_ns"] - START_NS).tolist() == [0, 9, 9, 12]
    assert (events["venue_ns"] - START_NS).tolist() == [0, 9, 5, 12]
