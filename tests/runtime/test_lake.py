"""Recorded markets through a lake and back by the commands that people use; two query engines agree with the tape."""

from __future__ import annotations

import duckdb
import numpy as np
import polars
import pytest

from streamtrader.cli.lake import utc_ns
from streamtrader.events import Kind
from streamtrader.storage.tape import Tape
from tests.cli.commands import called, events_of

MIDNIGHT_NS = 1_723_161_600_000_000_000


@pytest.fixture(scope="module")
def lake(recorded, tmp_path_factory):
    """Spot and futures of the same minutes in one lake."""
    root = tmp_path_factory.mktemp("lake")
    for name in ("spot", "usdm"):
        called("data", "export", recorded(name), "--format", "lake", "--out", root / "lake", "--json")
    return root / "lake"


@pytest.mark.parametrize("name", ["spot", "usdm"])
@pytest.mark.slow
def test_a_recorded_market_comes_back_to_the_last_byte(recorded, tmp_path, name):
    tape = recorded(name)

    report = called("data", "export", tape, "--out", tmp_path / "lake", "--json").document
    again = called("data", "export", tape, "--out", tmp_path / "lake", "--json").document
    found = called(
        "data", "import", tmp_path / "lake", "--format", "lake", "--out", tmp_path / "y.tape", "--json"
    ).document

    assert Tape.open(tmp_path / "y.tape").events_sha256() == Tape.open(tape).events_sha256()
    assert Tape.open(tmp_path / "y.tape").instruments == Tape.open(tape).instruments
    assert sum(found["events"].values()) == report["events"] == Tape.open(tape).event_count
    assert (again["files_written"], again["files_kept"]) == (0, report["files_written"])


def test_a_market_of_several_comes_alone(lake, recorded, tmp_path):
    called(
        "data",
        "import",
        lake,
        "--format",
        "lake",
        "--out",
        tmp_path / "y.tape",
        "--venue",
        "binance-perpetual",
        "--json",
    )

    found, whole = Tape.open(tmp_path / "y.tape"), Tape.open(recorded("usdm"))
    assert found.instruments == whole.instruments
    assert found.events_sha256() == whole.events_sha256()


def test_a_time_of_both_markets_is_the_two_merged_by_clock(lake, recorded, tmp_path):
    called("data", "import", lake, "--format", "lake", "--out", tmp_path / "y.tape", "--symbol", "BTCUSDT",
           "--from", "2024-08-08T23:59", "--to", "2024-08-09", "--json")  # fmt: skip

    found = events_of(tmp_path / "y.tape")
    assert (np.diff(found["received_ns"]) >= 0).all()
    assert [each.kind for each in Tape.open(tmp_path / "y.tape").instruments] == ["spot", "perpetual"]
    for index, name in enumerate(("spot", "usdm")):
        whole = events_of(recorded(name))
        own = whole[(whole["received_ns"] >= MIDNIGHT_NS - 60 * 10**9) & (whole["received_ns"] < MIDNIGHT_NS)]
        own["instrument"] = index
        assert found[found["instrument"] == index].tobytes() == own.tobytes()


def test_duckdb_and_polars_find_the_volume_of_each_minute_that_is_on_the_tape(lake, recorded):
    events = events_of(recorded("spot"))
    trades = events[events["kind"] == Kind.TRADE]
    minutes, at = np.unique(trades["venue_ns"] // (60 * 10**9), return_inverse=True)
    expected = dict(zip(minutes.tolist(), np.bincount(at, trades["b"]).tolist(), strict=True))
    files = f"{lake}/venue=binance/channel=trade/**/*.parquet"

    by_duckdb = duckdb.sql(
        f"SELECT epoch_ns(venue_at) // 60000000000, sum(size) FROM read_parquet('{files}', hive_partitioning = true) "
        "WHERE symbol = 'BTCUSDT' GROUP BY 1"
    ).fetchall()
    by_polars = (
        polars.scan_parquet(files, hive_partitioning=True)
        .group_by(polars.col("venue_at").dt.epoch("ns") // 60_000_000_000)
        .agg(polars.col("size").sum())
        .collect()
    )

    assert dict(by_duckdb) == pytest.approx(expected, rel=1e-12)
    assert dict(by_polars.iter_rows()) == pytest.approx(expected, rel=1e-12)


def test_a_lake_takes_a_fifth_of_the_tape_at_most(recorded, tmp_path):
    tape = recorded("usdm")

    report = called("data", "export", tape, "--out", tmp_path / "lake", "--json").document

    assert report["bytes_written"] < tape.stat().st_size / 5


@pytest.mark.parametrize("text, at_ns", [
    ("2024-08-09", MIDNIGHT_NS),
    ("2024-08-09T00:00:00.000000001Z", MIDNIGHT_NS + 1),
    ("2024-08-09 12:30", MIDNIGHT_NS + 45_000 * 10**9),
])  # fmt: skip
def test_times_are_given_as_people_write_them(text, at_ns):
    assert utc_ns(text) == at_ns


@pytest.mark.parametrize("text", ["yesterday", "2024-13-01", "2024-08-09T12:00+02:00", "1723161600", "2024-8-9"])
def test_a_time_that_is_none_is_told(lake, tmp_path, text):
    refused = called("data", "import", lake, "--format", "lake", "--out", tmp_path / "y.tape", "--from", text, code=2)

    assert "is no time" in refused.err
    assert not (tmp_path / "y.tape").exists()


@pytest.mark.slow
def test_people_get_a_report_of_a_check(recorded):
    told = called("data", "check", recorded("spot")).out

    assert "6,491 of 6,493 equal" in told
    assert "warning: negative_latency" in told and "2024-08-08T23:54" in told
    assert "no faults, 2 kinds of warning" in told
