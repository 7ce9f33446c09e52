"""The dumps of data.binance.vision: checksums first, milliseconds and microseconds, depth in sequence."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from streamtrader.errors import MarketFileError
from streamtrader.events import BUY, SELL, BookState, Kind
from streamtrader.storage.importers import table
from tests.storage.importers.files import book_of, imported, written, zipped

MS, US = 1_735_689_600_000, 1_735_689_600_000_000
DEPTH = "symbol,timestamp,first_update_id,last_update_id,side,update_type,price,qty,pu"


def with_checksum(path, digest=None):
    digest = digest or hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".CHECKSUM").write_text(f"{digest}  {path.name}\n")
    return path


def spot_trades(path, *times):
    rows = [f"{at},{100 + at}.50000000,0.25000000,25.0,{time},{at % 2 == 0},True" for at, time in enumerate(times)]
    return zipped(path, path.stem + ".csv", *rows)


@pytest.mark.parametrize(("start", "unit_ns"), [(MS, 1_000_000), (US, 1_000)], ids=["ms", "us"])
def test_spot_trades_of_both_units_become_trades(tmp_path, start, unit_ns):
    path = with_checksum(spot_trades(tmp_path / "BTCUSDT-trades-2025-01-01.zip", start, start + 1, start + 5))

    result, events = imported(tmp_path, path)

    assert result.checksums == {"verified": 1, "failed": 0, "missing": 0}
    assert events["venue_ns"].tolist() == [(start + step) * unit_ns for step in (0, 1, 5)]
    assert events[["a", "b", "id", "side"]].tolist() == [
        (100.5, 0.25, 0, SELL),
        (101.5, 0.25, 1, BUY),
        (102.5, 0.25, 2, SELL),
    ]
    (instrument,) = result.instruments
    assert (instrument.kind, instrument.base, str(instrument.price_tick), str(instrument.size_lot)) == (
        "spot",
        "BTC",
        "0.1",
        "0.01",
    )
    assert instrument.taker_fee_bps == 10.0


def test_trades_and_aggregates_of_futures_begin_with_the_names_of_their_columns(tmp_path):
    trades = zipped(
        tmp_path / "ETHUSDT-trades-2024-03-01.zip", "ETHUSDT-trades-2024-03-01.csv",
        "id,price,qty,quote_qty,time,is_buyer_maker", f"9,3000.01,0.5,1500.005,{MS},true",
    )  # fmt: skip
    aggregates = zipped(
        tmp_path / "BTCUSDT-aggTrades-2024-03-01.zip", "BTCUSDT-aggTrades-2024-03-01.csv",
        "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
        f"77,60000.1,0.003,1,4,{MS + 1},false",
    )  # fmt: skip

    result, events = imported(tmp_path, trades, aggregates)

    assert [(each.symbol, each.kind) for each in result.instruments] == [
        ("ETHUSDT", "perpetual"),
        ("BTCUSDT", "perpetual"),
    ]
    assert events[["id", "side", "a"]].tolist() == [(9, SELL, 3000.01), (77, BUY, 60000.1)]
    assert result.checksums["missing"] == 2


def test_candles_are_known_when_they_close_and_months_continue_each_other(tmp_path):
    def month(name, start):
        rest = "1.0,7,0.5,0.5,0"
        row = f"{start},10.0,12.0,9.0,11.0,3.5,{start + 59_999},{rest}"
        return zipped(
            tmp_path / name,
            name.replace("zip", "csv"),
            row,
            row.replace(str(start), str(start + 60_000), 1).replace(str(start + 59_999), str(start + 119_999)),
        )

    second, first = month("BTCUSDT-1m-2024-02.zip", MS + 120_000), month("BTCUSDT-1m-2024-01.zip", MS)

    _, events = imported(tmp_path, second, first)

    assert ((events["venue_ns"] // 1_000_000 - MS) // 60_000).tolist() == [0, 1, 2, 3]
    assert (events["received_ns"] - events["venue_ns"] == 60_000_000_000).all()
    assert events[["a", "b", "c", "d"]][0].tolist() == (10.0, 12.0, 9.0, 11.0)
    assert events["id"].view(np.float64)[0] == 3.5


def test_best_quotes_have_two_clocks(tmp_path):
    path = zipped(
        tmp_path / "BTCUSDT-bookTicker-2024-03-01.zip", "x.csv",
        "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time",
        f"5,100.1,2,100.2,3,{MS},{MS + 4}",
    )  # fmt: skip

    _, events = imported(tmp_path, path)

    assert events[["venue_ns", "received_ns", "a", "b", "c", "d", "id"]].tolist() == [
        (MS * 1_000_000, (MS + 4) * 1_000_000, 100.1, 2.0, 100.2, 3.0, 5)
    ]


def depth_row(at, update, side, price, size, previous, *, first=None, kind="set"):
    return f"BTCUSDT,{MS + at},{first or update},{update},{side},{kind},{price},{size},{previous}"


def depth_files(folder, updates, snapshots=()):
    snap = written(folder / "BTCUSDT_T_DEPTH_20240301_depth_snap.csv", DEPTH, *snapshots)
    update = written(folder / "BTCUSDT_T_DEPTH_20240301_depth_update.csv", DEPTH, *updates)
    return [snap, update] if snapshots else [update]


SNAPSHOT = [depth_row(0, 100, "b", 50, 1, -1, kind="snap"), depth_row(0, 100, "a", 51, 2, -1, kind="snap")]


def test_updates_follow_a_snapshot_by_their_previous_update(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "PIECE_BYTES", 100)
    updates = [
        depth_row(1, 90, "b", 49, 9, 80), depth_row(2, 105, "b", 50, 0, 90), depth_row(2, 105, "b", 49.5, 3, 90),
        depth_row(3, 110, "a", 51, 5, 105),
    ]  # fmt: skip

    result, events = imported(tmp_path, *depth_files(tmp_path, updates, SNAPSHOT))

    assert (result.gaps, result.snapshots, result.left_out) == (0, 1, {"older than the snapshot": 1})
    assert events[events["kind"] == Kind.LINK]["a"].tolist() == [BookState.SYNCING, BookState.LIVE]
    assert events[["kind", "id", "flags"]][-3:].tolist() == [(3, 105, 1), (3, 105, 0), (3, 110, 0)]
    assert book_of(events) == ({49.5: 3.0}, {51.0: 5.0})


def test_a_missing_update_is_a_gap_until_the_next_snapshot(tmp_path):
    updates = [
        depth_row(2, 105, "b", 50, 7, 100), depth_row(3, 120, "b", 49, 1, 110), depth_row(4, 121, "b", 48, 1, 120),
        depth_row(9, 131, "a", 61, 4, 130),
    ]  # fmt: skip
    later = [depth_row(8, 130, "b", 60, 1, -1, kind="snap"), depth_row(8, 130, "a", 61, 2, -1, kind="snap")]

    result, events = imported(tmp_path, *depth_files(tmp_path, updates, [*SNAPSHOT, *later]))

    assert (result.gaps, result.resyncs, result.left_out) == (1, 1, {"behind a gap": 2})
    states = [BookState.SYNCING, BookState.LIVE, BookState.GAP, BookState.SYNCING, BookState.LIVE]
    assert events[events["kind"] == Kind.LINK]["a"].tolist() == states
    assert book_of(events) == ({60.0: 1.0}, {61.0: 4.0})


def test_updates_alone_are_kept_and_the_book_is_never_live(tmp_path):
    result, events = imported(tmp_path, *depth_files(tmp_path, [depth_row(2, 105, "b", 50, 7, 100)]))

    assert (result.books_not_live, events["kind"].tolist()) == (["BTCUSDT"], [Kind.LINK, Kind.BOOK])


def test_recorded_depth_that_does_not_meet_its_snapshot_is_a_gap(tmp_path, shared_data):
    folder = shared_data / "ticks/binance"

    result, events = imported(tmp_path, folder / "btcusdt-depth-snap.csv", folder / "btcusdt-depth-update.csv")

    assert (result.snapshots, result.gaps, result.left_out) == (1, 1, {"behind a gap": 100})
    assert result.books_not_live == ["BTCUSDT"]
    assert result.events == {"book": 100, "book_clear": 1, "link": 4}
    assert len(book_of(events)[0]) == 100


def test_a_wrong_checksum_is_refused_before_anything_is_read(tmp_path):
    path = with_checksum(spot_trades(tmp_path / "BTCUSDT-trades-2025-01-01.zip", US), "0" * 64)

    with pytest.raises(MarketFileError, match=r"BTCUSDT-trades-2025-01-01.zip does not carry its checksum"):
        imported(tmp_path, path)

    assert not list(tmp_path.glob("*.tape*"))


def test_a_checksum_file_without_a_checksum_is_refused(tmp_path):
    path = with_checksum(spot_trades(tmp_path / "BTCUSDT-trades-2025-01-01.zip", US), "not found")

    with pytest.raises(MarketFileError, match="holds no SHA-256 checksum"):
        imported(tmp_path, path)


BAD_ROWS = {
    "seconds": (
        "trades",
        f"1,100,1,100,{MS // 1000},True,True",
        "time is '1735689600', in s; this format has ms or us",
    ),
    "no unit": ("trades", "1,100,1,100,17356896,True,True", "of no known unit"),
    "NaN": ("trades", f"1,NaN,1,100,{MS},True,True", "price is 'NaN', which is no number"),
    "another word": ("trades", f"1,100,1,100,{MS},maybe,True", "is_buyer_maker is 'maybe', not one of true, false"),
    "columns": ("trades", f"1,100,1,100,{MS}", "5 columns; trades of Binance's dumps have id, price"),
    "names": ("aggTrades", "a,b,c,d,e,f,g", "a, b, c, d, e, f, g; aggTrades of Binance's dumps have agg_trade_id"),
    "a candle": ("1m", f"{MS},10,9,8,11,1,{MS + 59999},1,1,1,1,0", "high is '9', a high or low"),
    "depth by per cent": ("bookDepth", "2024-01-01 00:00:00,-5,1,2", "bookDepth of Binance's dumps is not imported"),
}


@pytest.mark.parametrize("what", BAD_ROWS)
def test_a_bad_file_is_refused_in_words(tmp_path, what):
    kind, row, message = BAD_ROWS[what]
    path = zipped(tmp_path / f"BTCUSDT-{kind}-2024-01-01.zip", "x.csv", row)

    with pytest.raises(MarketFileError) as refused:
        imported(tmp_path, path)

    assert message in str(refused.value)
    assert [path] == list(tmp_path.iterdir())
