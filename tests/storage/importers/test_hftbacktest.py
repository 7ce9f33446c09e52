"""hftbacktest's files both ways: what goes out comes back, and their own package plays it to the same book."""

from __future__ import annotations

import json
import subprocess
import zipfile

import numpy as np
import pytest

from benchmarks.peers.environments import python_of
from streamtrader.errors import MarketFileError
from streamtrader.events import BUY, MORE, SELL, BookState, Kind
from streamtrader.runtime.datasets import export_dataset
from streamtrader.storage.importers import hftbacktest
from streamtrader.storage.importers.hftbacktest import (
    BEST,
    CLEAR,
    DEPTH,
    IS_BUY,
    IS_SELL,
    SEEN_BY_EXCHANGE,
    SEEN_LOCALLY,
    SNAPSHOT,
    TRADE,
)
from streamtrader.storage.tape import TapeWriter
from tests.kernel.play import BTC, ETH, MS, Script
from tests.storage.importers.files import best_of, book_of, events_of, imported, npz

BOTH = SEEN_BY_EXCHANGE | SEEN_LOCALLY


def lively(script, *, seed=1, count=400, instrument=0):
    """A book that moves and trades, with venue times that go back now and then."""
    generator = np.random.default_rng(seed)
    script.at(0).book(
        [(100 - at / 100, 5) for at in range(20)], [(100.01 + at / 100, 5) for at in range(20)], instrument=instrument
    )
    for step in range(1, count):
        script.at(step * 10)
        levels = []
        for _ in range(int(generator.integers(1, 5))):
            side, at = int(generator.integers(0, 2)), int(generator.integers(1, 15))
            size = float(generator.integers(0, 9)) if at > 1 else 5.0
            levels.append((side, 100 - at / 100 if side == 0 else 100.01 + at / 100, size))
        script.message({level[:2]: level for level in levels}.values(), instrument=instrument, id=step)
        if step % 3 == 0:
            script.trade(100 + step % 5 / 100, 1 + step % 7, step % 2, instrument=instrument, id=step)
    return script


def taped(path, script, instruments=(BTC,)):
    events = script.events()
    late = np.random.default_rng(5).integers(0, 30, len(events)) * MS
    events["flags"][np.flatnonzero(events["kind"] == Kind.LINK) - 1] = MORE  # as adapters write a snapshot
    message = np.cumsum(np.append(0, events["flags"][:-1] & MORE == 0))
    events["venue_ns"] = np.where(events["kind"] == Kind.LINK, 0, events["received_ns"] - late[message])
    with TapeWriter.create(path, instruments, {}) as writer:
        writer.append(events)
    return path, events


def exported(tmp_path, tape, name="out.npz", **more):
    result = export_dataset(tape, tmp_path / name, wanted_format="hftbacktest", **more)
    return result, np.load(tmp_path / name)["data"]


def test_a_tape_goes_out_and_comes_back(tmp_path):
    tape, events = taped(tmp_path / "in.tape", lively(Script()))

    told, data = exported(tmp_path, tape)
    result, back = imported(tmp_path, tmp_path / "out.npz", symbols=["BTCUSDT"])

    assert told.left_out == {"link": 1}
    assert told.split_rows > 0
    assert result.rows == len(data)
    for kind in (Kind.TRADE, Kind.BOOK, Kind.BOOK_CLEAR):
        assert back[back["kind"] == kind].tobytes() == events[events["kind"] == kind].tobytes()
    assert (back["kind"] == Kind.LINK).sum() == 2
    assert [each.symbol for each in result.instruments] == ["BTCUSDT"]


def test_both_clocks_of_an_export_run_forward_and_nothing_is_lost(tmp_path):
    tape, events = taped(tmp_path / "in.tape", lively(Script()))

    _, data = exported(tmp_path, tape)

    for seen, clock in ((SEEN_BY_EXCHANGE, "exch_ts"), (SEEN_LOCALLY, "local_ts")):
        own = data[data["ev"] & seen != 0]
        assert np.all(np.diff(own[clock]) >= 0)
        assert len(own) == np.isin(events["kind"], (Kind.TRADE, Kind.BOOK, Kind.BOOK_CLEAR)).sum()


def test_a_venue_clock_that_is_ahead_moves_all_local_times_and_says_so(tmp_path):
    script = Script().at(0).book([(100, 1)], [(101, 1)]).at(50).trade(100, 1, BUY)
    events = script.events()
    events["venue_ns"] += 20 * MS
    with TapeWriter.create(tmp_path / "in.tape", [BTC], {}) as writer:
        writer.append(events)

    told, data = exported(tmp_path, tmp_path / "in.tape")

    assert told.moved_local_ns == 20 * MS
    assert np.all(data["local_ts"] >= data["exch_ts"])


def test_quotes_go_out_as_best_prices_where_there_is_no_book(tmp_path):
    events = (
        Script().at(0).add(Kind.QUOTE, 100.0, 1.0, 101.0, 2.0).at(5).add(Kind.QUOTE, 100.5, 3.0, 101.0, 2.0).events()
    )
    with TapeWriter.create(tmp_path / "in.tape", [BTC], {}) as writer:
        writer.append(events)

    _, data = exported(tmp_path, tmp_path / "in.tape")
    _, back = imported(tmp_path, tmp_path / "out.npz")

    assert (data["ev"] & 0xFF).tolist() == [BEST] * 4
    assert back[["a", "b", "c", "d"]].tolist()[1::2] == events[["a", "b", "c", "d"]].tolist()


def test_one_instrument_goes_into_a_file_and_must_be_named(tmp_path):
    script = lively(lively(Script(), count=20), count=20, instrument=1)
    events = script.events()
    with TapeWriter.create(tmp_path / "in.tape", [BTC, ETH], {}) as writer:
        writer.append(events[np.argsort(events["received_ns"], kind="stable")])

    with pytest.raises(MarketFileError, match=r"BTCUSDT, ETHUSDT; hftbacktest's files hold one each"):
        exported(tmp_path, tmp_path / "in.tape")
    told, _ = exported(tmp_path, tmp_path / "in.tape", symbols=["ethusdt"])

    assert told.events["book_clear"] == 1
    with pytest.raises(MarketFileError, match="has no LTC"):
        exported(tmp_path, tmp_path / "in.tape", "b.npz", symbols=["LTC"])
    with pytest.raises(MarketFileError, match=r"out\.npz exists already"):
        exported(tmp_path, tmp_path / "in.tape", symbols=["ethusdt"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.tape", "out.npz"]


def test_a_clear_of_one_side_takes_its_levels_from_the_best_to_the_price(tmp_path):
    path = npz(
        tmp_path / "btcusdt_20240101.npz",
        (SNAPSHOT | IS_BUY, 0, 1, 100, 1), (SNAPSHOT | IS_BUY, 0, 1, 99, 2), (SNAPSHOT | IS_BUY, 0, 1, 95, 3),
        (SNAPSHOT | IS_SELL, 0, 1, 101, 4),
        (CLEAR | IS_BUY, 5, 6, 98, 0), (SNAPSHOT | IS_BUY, 5, 6, 98.5, 7), (DEPTH | IS_SELL, 7, 8, 101, 0),
        (DEPTH | IS_SELL, 7, 8, 102, 9),
    )  # fmt: skip

    result, events = imported(tmp_path, path)

    assert book_of(events) == ({98.5: 7.0, 95.0: 3.0}, {102.0: 9.0})
    assert [each.symbol for each in result.instruments] == ["BTCUSDT"]
    assert events[events["kind"] == Kind.LINK]["a"].tolist() == [BookState.SYNCING, BookState.LIVE, BookState.LIVE]
    assert events["flags"][-2:].tolist() == [MORE, 0]


def test_rows_of_the_exchanges_clock_alone_are_passed_over(tmp_path):
    path = npz(
        tmp_path / "x.npz",
        (TRADE | IS_BUY | SEEN_BY_EXCHANGE, 0, 9, 100, 1), (TRADE | IS_SELL | BOTH, 1, 5, 100, 2),
        (TRADE | IS_BUY | SEEN_LOCALLY, 0, 9, 100, 1),
    )  # fmt: skip

    result, events = imported(tmp_path, path)

    assert (result.rows, len(events)) == (3, 2)
    assert events[["side", "b"]].tolist() == [(SELL, 2.0), (BUY, 1.0)]


def test_the_tape_is_the_same_however_the_rows_are_cut(tmp_path, monkeypatch):
    tape, _ = taped(tmp_path / "in.tape", lively(Script()))
    exported(tmp_path, tape)
    _, whole = imported(tmp_path, tmp_path / "out.npz")

    monkeypatch.setattr(hftbacktest, "PIECE_ROWS", 7)
    _, cut = imported(tmp_path, tmp_path / "out.npz")

    assert cut.tobytes() == whole.tobytes()


BAD_ROWS = {
    "orders": ((10 | IS_BUY, 0, 1, 100, 1), "row 1 is of a market by order"),
    "another kind": ((77 | IS_BUY, 0, 1, 100, 1), "row 1 is of kind 77"),
    "NaN": ((TRADE | IS_BUY, 0, 1, float("nan"), 1), "row 1 is price nan"),
    "a negative size": ((TRADE | IS_BUY, 0, 1, 100, -1), "row 1 is price 100.0, size -1.0"),
    "an absurd price": ((DEPTH | IS_BUY, 0, 1, 1e300, 1), "row 1 is price 1e\\+300"),
    "no side": ((DEPTH, 0, 1, 100, 1), "row 1 is price 100.0, size 1.0, side 2"),
    "a clock that runs back": ((TRADE | IS_BUY, 0, -90_000, 100, 1), "row 1 is 90 s before"),
}


@pytest.mark.parametrize("what", BAD_ROWS)
def test_a_bad_row_is_refused_by_its_number(tmp_path, what):
    row, message = BAD_ROWS[what]
    path = npz(tmp_path / "bad.npz", (TRADE | IS_BUY, 0, 0, 100, 1), row)

    with pytest.raises(MarketFileError, match=message):
        imported(tmp_path, path)

    assert [path] == list(tmp_path.iterdir())


def test_other_arrays_and_files_cut_short_are_refused(tmp_path):
    other = tmp_path / "other.npz"
    np.savez(other, data=np.zeros((4, 6)))
    objects = tmp_path / "objects.npz"
    np.savez(objects, data=np.array([{}], object))
    torn = npz(tmp_path / "torn.npz", *[(TRADE | IS_BUY, 0, at, 100, 1) for at in range(100)])
    with zipfile.ZipFile(torn) as archive:
        content = archive.read("data.npy")
    with zipfile.ZipFile(torn, "w") as archive:
        archive.writestr("data.npy", content[:-640])

    for path in (other, objects):
        with pytest.raises(MarketFileError, match="not of hftbacktest 2's events"):
            imported(tmp_path, path)
    with pytest.raises(MarketFileError, match="breaks off, 10 rows before its end"):
        imported(tmp_path, torn)


PLAYER = """
import json, sys, numpy as np
from hftbacktest import BacktestAsset, HashMapMarketDepthBacktest
from hftbacktest.data.validation import validate_event_order
from hftbacktest.types import event_dtype
data = np.load(sys.argv[1])["data"]
assert data.dtype == event_dtype
validate_event_order(data)
asset = (BacktestAsset().data([sys.argv[1]]).linear_asset(1.0).constant_order_latency(1, 1)
    .risk_adverse_queue_model().no_partial_fill_exchange().trading_value_fee_model(0.0, 0.0)
    .tick_size(0.01).lot_size(0.001).last_trades_capacity(100000))
play = HashMapMarketDepthBacktest([asset])
while play.wait_next_feed(False, 10**13) == 2:
    pass
depth, trades = play.depth(0), play.last_trades(0)
print(json.dumps([depth.best_bid, depth.best_bid_qty, depth.best_ask, depth.best_ask_qty, len(trades),
    float(trades["qty"].sum())]))
"""


def test_hftbacktest_itself_plays_an_export_to_the_same_book(tmp_path):
    python = python_of("hftbacktest")
    if not python.is_file():
        pytest.skip("hftbacktest is not installed; `python -m benchmarks.peers.environments` does it")
    tape, events = taped(tmp_path / "in.tape", lively(Script()))
    exported(tmp_path, tape)

    said = subprocess.run(
        [python, "-c", PLAYER, str(tmp_path / "out.npz")], check=True, capture_output=True, text=True, timeout=240
    )

    *best, trades, traded = json.loads(said.stdout.splitlines()[-1])
    assert tuple(best) == pytest.approx(best_of(book_of(events)))
    own = events[events["kind"] == Kind.TRADE]
    assert (trades, traded) == (len(own), own["b"].sum())
    assert events_of(tape).tobytes() == events.tobytes()
