"""Splits, dividends and changes of ticker, known no earlier than they happened."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime

import numpy as np
import pytest

from streamtrader.errors import ConfigError, MarketFileError
from tests.storage.importers.files import imported, written, zipped

WORDS = "abcd"


@pytest.fixture
def equity(shared_data):
    return shared_data / "candles/equity"


def daily(equity, ticker):
    actions = equity / "corporate_actions"
    return [equity / f"daily_{ticker}.zip", actions / f"factor_files_{ticker}.csv"]


def day_of(events):
    return [datetime.fromtimestamp(ns / 1e9, UTC).strftime("%Y%m%d") for ns in events["venue_ns"].tolist()]


def factors_of(path, day):
    """The slow twin: the first row that is not before the day."""
    rows = [line.split(",") for line in path.read_text().splitlines()]
    row = next(row for row in rows if row[0] >= day)
    return float(row[1]), float(row[2])


@pytest.mark.parametrize("ticker", ["aapl", "ibm", "spy", "qqq"])
def test_returns_are_those_of_leans_own_adjusted_prices(tmp_path, equity, ticker):
    """LEAN scales to the last day, we to the first: quotients of two days are the same."""
    files = daily(equity, ticker)
    _, raw = imported(tmp_path, files[0])
    _, adjusted = imported(tmp_path, *files, adjust="all")

    days = day_of(raw)
    backward = np.array([np.prod(factors_of(files[1], day)) for day in days])
    for word in WORDS:
        expected = raw[word] * backward
        assert adjusted[word] / adjusted[word][0] == pytest.approx(expected / expected[0], abs=2e-4)
    assert np.array_equal(raw["venue_ns"], adjusted["venue_ns"])
    assert adjusted[["a", "b", "c", "d"]][0] == raw[["a", "b", "c", "d"]][0]


def test_a_split_of_seven_for_one_leaves_no_step_in_prices_and_keeps_the_traded_value(tmp_path, equity):
    files = daily(equity, "aapl")
    _, raw = imported(tmp_path, files[0])
    _, adjusted = imported(tmp_path, *files, adjust="splits")

    days = day_of(raw)
    before, after = days.index("20140606"), days.index("20140609")
    assert raw["d"][before] / raw["a"][after] == pytest.approx(6.96, abs=0.01)
    assert adjusted["d"][before] / adjusted["a"][after] == pytest.approx(0.995, abs=0.001)
    traded = [events["d"] * events["id"].view(np.float64) for events in (raw, adjusted)]
    assert traded[0] == pytest.approx(traded[1], rel=1e-4)


def test_dividends_move_prices_and_not_sizes(tmp_path, equity):
    files = daily(equity, "spy")
    _, raw = imported(tmp_path, files[0])
    _, adjusted = imported(tmp_path, *files, adjust="all")
    _, splits_only = imported(tmp_path, *files, adjust="splits")

    assert np.array_equal(raw["id"], adjusted["id"])
    assert splits_only.tobytes() == raw.tobytes()
    assert adjusted["d"][-1] / raw["d"][-1] == pytest.approx(1 / 0.6566606, rel=1e-4)


def test_an_import_that_ends_earlier_has_the_same_prices(tmp_path, equity):
    """What point-in-time means: nothing that happens later may change what was."""
    files = daily(equity, "aapl")
    with zipfile.ZipFile(files[0]) as archive:
        lines = archive.read("aapl.csv").decode().splitlines()
    (tmp_path / "equity").mkdir()
    early = zipped(tmp_path / "equity/early.zip", "aapl.csv", *(line for line in lines if line < "20101201"))
    # What a vendor would have sent at the time: the events until then, scaled to what held after the last of them.
    rows = [line.split(",") for line in files[1].read_text().splitlines()]
    past = [row for row in rows if row[0] < "20101201"]
    price_then, split_then = (float(word) for word in rows[len(past)][1:3])
    known = [f"{row[0]},{float(row[1]) / price_then!r},{float(row[2]) / split_then!r},{row[3]}" for row in past]
    as_known_then = written(tmp_path / "equity/factor_files_aapl.csv", *known, "20501231,1,1,0")

    _, whole = imported(tmp_path, *files, adjust="all")
    _, then = imported(tmp_path, early, as_known_then, adjust="all")

    assert len(then) > 3_000
    assert np.array_equal(whole["venue_ns"][: len(then)], then["venue_ns"])
    for word in WORDS:
        assert whole[word][: len(then)] == pytest.approx(then[word], abs=2e-4)


def test_factor_files_are_found_in_leans_own_folders(tmp_path):
    minute = tmp_path / "equity/usa/minute/abc"
    minute.mkdir(parents=True)
    for name in ("factor_files", "map_files"):
        (tmp_path / "equity/usa" / name).mkdir()
    written(tmp_path / "equity/usa/factor_files/abc.csv", "20140606,1,0.5,80", "20501231,1,1,0")
    written(tmp_path / "equity/usa/map_files/abc.csv", "20000101,abc,Q", "20501231,abc,Q")
    files = [
        zipped(
            minute / "20140606_trade.zip", "20140606_abc_minute_trade.csv", "34200000,800000,800000,800000,800000,10"
        ),
        zipped(
            minute / "20140609_trade.zip", "20140609_abc_minute_trade.csv", "34200000,400000,400000,400000,400000,20"
        ),
    ]

    result, events = imported(tmp_path, *files, adjust="splits")

    assert events["a"].tolist() == [80.0, 80.0]
    assert events["id"].view(np.float64).tolist() == [10.0, 10.0]
    assert result.notes["adjusted"] == "splits, forward from the first day"


def test_a_file_of_an_old_ticker_belongs_to_todays(tmp_path, equity):
    maps = equity / "corporate_actions/map_files_qqq.csv"
    (tmp_path / "equity").mkdir()
    old = zipped(
        tmp_path / "equity/a.zip", "20060103_qqqq_minute_trade.csv", "34200000,400000,400000,400000,400000,1"
    )
    new = zipped(tmp_path / "equity/b.zip", "20120103_qqq_minute_trade.csv", "34200000,500000,500000,500000,500000,1")
    wrong = zipped(
        tmp_path / "equity/c.zip", "20060104_qqq_minute_trade.csv", "34200000,400000,400000,400000,400000,1"
    )

    result, events = imported(tmp_path, old, new, maps)

    assert [instrument.symbol for instrument in result.instruments] == ["QQQ"]
    assert events["a"].tolist() == [40.0, 50.0]
    with pytest.raises(MarketFileError, match=r"qqq on 20060104: it was qqqq then"):
        imported(tmp_path, wrong, maps)


def test_days_before_any_usable_factor_are_refused(tmp_path):
    (tmp_path / "equity").mkdir()
    zip_ = zipped(
        tmp_path / "equity/a.zip", "20060103_abc_minute_trade.csv", "34200000,400000,400000,400000,400000,1"
    )
    factors = written(tmp_path / "factor_files_abc.csv", "20070101,1,inf,1", "20501231,1,1,0")

    with pytest.raises(MarketFileError, match=r"no usable factor for 20060103"):
        imported(tmp_path, zip_, factors, adjust="all")


def test_an_adjustment_without_factors_or_for_another_format_is_refused(tmp_path):
    (tmp_path / "equity").mkdir()
    zip_ = zipped(
        tmp_path / "equity/a.zip", "20060103_abc_minute_trade.csv", "34200000,400000,400000,400000,400000,1"
    )
    table = written(tmp_path / "trades.csv", "time,price,size", "1700000000,5,1")

    with pytest.raises(MarketFileError, match="no factor file for ABC"):
        imported(tmp_path, zip_, adjust="all")
    with pytest.raises(ConfigError, match="LEAN's equities only"):
        imported(tmp_path, table, adjust="all")
    with pytest.raises(ConfigError, match="none, splits, all"):
        imported(tmp_path, zip_, adjust="backward")


def test_a_factor_file_out_of_order_or_with_words_is_refused(tmp_path):
    (tmp_path / "equity").mkdir()
    zip_ = zipped(
        tmp_path / "equity/a.zip", "20060103_abc_minute_trade.csv", "34200000,400000,400000,400000,400000,1"
    )
    backward = written(tmp_path / "factor_files_abc.csv", "20070101,1,1,1", "20050101,1,1,0")
    words = written(tmp_path / "factor_files_abd.csv", "20070101,1,one,1")
    other = written(tmp_path / "factor_files_abe.csv", "20070101,1", "20080101,1")

    with pytest.raises(MarketFileError, match=r"factor_files_abc.csv:2: date is '20050101', before"):
        imported(tmp_path, zip_, backward, adjust="all")
    with pytest.raises(MarketFileError, match=r"factor_files_abd.csv:1: split factor is 'one'"):
        imported(tmp_path, zip_, words, wanted_format="lean", adjust="all")
    with pytest.raises(MarketFileError, match=r"neither a zip of LEAN nor a factor file"):
        imported(tmp_path, zip_, other, wanted_format="lean", adjust="all")
