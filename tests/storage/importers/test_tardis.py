"""Tardis' files: trades, quotes, books in rows and in pictures, mark prices."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrader.errors import MarketFileError
from streamtrader.events import BUY, MORE, SELL, BookState, Kind
from streamtrader.storage.importers import table
from tests.storage.importers.files import best_of, book_of, imported, written

TRADES = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
LEVELS = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"
TICKER = (
    "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,predicted_funding_rate,"
    "open_interest,last_price,index_price,mark_price"
)
START_US = 1_640_995_200_000_000


def level(at_us, kind, side, price, size, symbol="BTCUSDT"):
    return f"binance-futures,{symbol},{START_US + at_us},{START_US + at_us + 500},{kind},{side},{price},{size}"


def trade(at_us, side, price, size, number="7", symbol="BTCUSDT"):
    return f"binance-futures,{symbol},{START_US + at_us},{START_US + at_us + 500},{number},{side},{price},{size}"


def test_every_file_becomes_a_tape(tmp_path, shared_data):
    found = {}
    for path in sorted((shared_data / "ticks/tardis").glob("*.csv")):
        result, events = imported(tmp_path, path)
        assert result.format == "tardis"
        assert np.all(np.diff(events["received_ns"]) >= 0)
        found[path.stem] = result.events

    assert found["bitmex_trades_XBTUSD"] == {"trade": 10}
    assert found["huobi-dm-swap_quotes_BTC-USD"] == {"quote": 10}
    assert found["derivative_ticker_1"] == {"mark": 2}
    assert found["deribit_incremental_book_L2_BTC-PERPETUAL"] == {"book": 15, "book_clear": 1, "link": 2}
    assert found["binance-futures_book_snapshot_5_BTCUSDT"] == {"book": 25, "book_clear": 1, "link": 2}


@pytest.mark.parametrize("depth", [5, 25])
def test_a_book_of_pictures_ends_in_its_last_picture(tmp_path, shared_data, depth):
    path = shared_data / f"ticks/tardis/binance-futures_book_snapshot_{depth}_BTCUSDT.csv"

    _, events = imported(tmp_path, path)

    header, *_, last = path.read_text().splitlines()
    row = dict(zip(header.split(","), last.split(","), strict=True))
    assert book_of(events) == tuple(
        {float(row[f"{side}[{at}].price"]): float(row[f"{side}[{at}].amount"]) for at in range(depth)}
        for side in ("bids", "asks")
    )
    links = events[events["kind"] == Kind.LINK]
    assert links["a"].tolist() == [BookState.SYNCING, BookState.LIVE]


def test_a_snapshot_in_the_middle_replaces_the_book_in_one_message(tmp_path):
    path = written(
        tmp_path / "incremental_book_L2.csv", LEVELS,
        level(0, "true", "bid", 100, 1), level(0, "true", "ask", 101, 2),
        level(10, "false", "bid", 99.5, 3), level(10, "false", "ask", 101, 0), level(20, "false", "ask", 102, 1),
        level(30, "true", "bid", 200, 1), level(30, "true", "ask", 201, 2), level(40, "false", "bid", 199, 4),
    )  # fmt: skip

    result, events = imported(tmp_path, path)

    assert (result.snapshots, result.resyncs, result.books_not_live) == (2, 1, [])
    assert events["kind"].tolist() == [9, 4, 3, 3, 9, 3, 3, 3, 4, 3, 3, 9, 3]
    assert events["flags"].tolist() == [0, MORE, MORE, MORE, 0, MORE, 0, 0, MORE, MORE, MORE, 0, 0]
    assert book_of(events) == ({200.0: 1.0, 199.0: 4.0}, {201.0: 2.0})


def test_a_book_without_a_snapshot_is_never_live(tmp_path):
    path = written(tmp_path / "book.csv", LEVELS, level(0, "false", "bid", 100, 1), level(9, "false", "ask", 101, 2))

    result, events = imported(tmp_path, path)

    assert result.books_not_live == ["BTCUSDT"]
    assert events[events["kind"] == Kind.LINK]["a"].tolist() == [BookState.SYNCING]


def test_messages_are_whole_wherever_the_file_is_cut(tmp_path, monkeypatch):
    rows = [
        level(0, "true", side, 100 + at * (1 if side == "ask" else -1) / 10, 1)
        for at in range(1, 9)
        for side in ("bid", "ask")
    ]
    rows += [level(1_000 + at // 5, "false", "bid", 90 - at / 10, 1 + at) for at in range(60)]
    path = written(tmp_path / "book.csv", LEVELS, *rows)
    _, whole = imported(tmp_path, path)

    for size in (200, 333, 1_000):
        monkeypatch.setattr(table, "PIECE_BYTES", size)
        _, cut = imported(tmp_path, path)
        assert cut.tobytes() == whole.tobytes()
    assert (whole["flags"][-60:] == np.tile([MORE] * 4 + [0], 12)).all()


def test_several_symbols_keep_their_own_books_and_one_may_be_chosen(tmp_path):
    path = written(
        tmp_path / "book.csv", LEVELS,
        level(0, "true", "bid", 100, 1), level(0, "true", "ask", 101, 2),
        level(5, "true", "bid", 10, 1, "ETHUSDT"), level(5, "true", "ask", 11, 2, "ETHUSDT"),
        level(9, "false", "bid", 100.5, 7), level(9, "false", "bid", 10.25, 8, "ETHUSDT"),
    )  # fmt: skip

    result, events = imported(tmp_path, path)
    only, _ = imported(tmp_path, path, symbols=["ethusdt"])

    assert [(each.symbol, str(each.price_tick)) for each in result.instruments] == [
        ("BTCUSDT", "0.1"),
        ("ETHUSDT", "0.01"),
    ]
    assert best_of(book_of(events[events["instrument"] == 0])) == (100.5, 7.0, 101.0, 2.0)
    assert best_of(book_of(events[events["instrument"] == 1])) == (10.25, 8.0, 11.0, 2.0)
    assert [each.symbol for each in only.instruments] == ["ETHUSDT"]


def test_trades_come_before_the_change_of_the_book_that_they_caused(tmp_path):
    book = written(tmp_path / "a.csv", LEVELS, level(0, "true", "bid", 100, 5), level(9, "false", "bid", 100, 4))
    trades = written(tmp_path / "b.csv", TRADES, trade(9, "sell", 100, 1))

    _, events = imported(tmp_path, book, trades)

    assert events["kind"].tolist() == [9, 4, 3, 9, 1, 3]


def test_ids_that_are_names_are_counted_instead_and_unknown_sides_inferred(tmp_path):
    path = written(
        tmp_path / "trades.csv", TRADES,
        trade(0, "unknown", 100, 1, "ccc3c1fa"), trade(1, "sell", 101, 1, "7"), trade(2, "unknown", 102, 1, "8"),
    )  # fmt: skip

    result, events = imported(tmp_path, path)

    assert events["id"].tolist() == [1, 2, 3]
    assert events["side"].tolist() == [BUY, SELL, BUY]
    assert result.notes == {"aggressor": "tick rule where unknown"}


def test_liquidations_are_told_from_trades_by_the_name_of_the_file(tmp_path):
    path = written(tmp_path / "binance-futures_liquidations_BTCUSDT.csv", TRADES, trade(0, "sell", 100, 3))

    result, events = imported(tmp_path, path)

    assert result.events == {"liquidation": 1}
    assert (events["a"][0], events["b"][0], events["side"][0]) == (100.0, 3.0, SELL)


def test_marks_carry_index_funding_and_its_next_time_and_empty_fields_their_last(tmp_path):
    shared = f"bitmex,XBTUSD,{START_US},{START_US + 5}"
    path = written(
        tmp_path / "ticker.csv", TICKER,
        f"{shared},{START_US + 99},-0.0001,,1000,9500.5,9500.0,9500.25", f"{shared},,,,,,,9501",
        f"{shared},,,,,9502,,",
    )  # fmt: skip

    result, events = imported(tmp_path, path)

    assert events[["a", "b", "c", "id"]].tolist() == [
        (9500.25, 9500.0, -0.0001, (START_US + 99) * 1_000),
        (9501.0, 0.0, -0.0001, 0),
    ]
    assert result.left_out == {"no mark price": 1}


BAD_FILES = {
    "milliseconds": (
        TRADES,
        trade(0, "buy", 1, 1).replace("640995200000", "640995200"),
        "in ms; this format has us or ns",
    ),
    "no unit at all": (TRADES, trade(0, "buy", 1, 1).replace("164099520000", "1640995200"), "of no known unit"),
    "NaN": (TRADES, trade(0, "buy", "nan", 1), "price is 'nan', which is no number"),
    "another side": (TRADES, trade(0, "up", 1, 1), "side is 'up', not one of buy, sell, unknown"),
    "an options chain": (
        "exchange,symbol,timestamp,local_timestamp,type,strike",
        "x,y,1,2,put,3",
        "no file of Tardis",
    ),
}


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_bad_file_is_refused_in_words(tmp_path, what):
    *lines, message = BAD_FILES[what]
    path = written(tmp_path / "bad.csv", *lines)

    with pytest.raises(MarketFileError) as refused:
        imported(tmp_path, path)

    assert message in str(refused.value)
    assert [path] == list(tmp_path.iterdir())


def test_rows_of_another_unit_are_refused_by_their_line(tmp_path):
    path = written(
        tmp_path / "mixed.csv",
        TRADES,
        trade(0, "buy", 1, 1),
        trade(0, "buy", 1, 1).replace(f",{START_US}", f",{START_US}000"),
    )

    with pytest.raises(MarketFileError, match=r"mixed.csv:3: timestamp is '\d+', while the rows before it are in us"):
        imported(tmp_path, path)


def test_two_kinds_of_book_at_once_are_refused(tmp_path, shared_data):
    folder = shared_data / "ticks/tardis"

    with pytest.raises(MarketFileError, match="two kinds of book"):
        imported(tmp_path, folder / "deltas_1.csv", folder / "binance-futures_book_snapshot_5_BTCUSDT.csv")
