"""Other programs read the lake: DuckDB and Polars find the same rows, times and sums as NumPy does on the tape."""

from __future__ import annotations

import duckdb
import numpy as np
import polars
import pytest

from streamtrader.events import EVENT, BookState, Kind
from streamtrader.units import NS_PER_DAY

from .lakes import MARKETS, START_NS, exported, lively, tape_of

TRADES = "venue=*/channel=trade/**/*.parquet"


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A lake of some days, and the events in it."""
    folder = tmp_path_factory.mktemp("lake")
    events = lively(2_000)
    exported(tape_of(folder / "x.tape", events), folder / "lake")
    return folder / "lake", events


def expected_volumes(events) -> dict[tuple[str, str, str], tuple[int, float]]:
    trades = events[events["kind"] == Kind.TRADE]
    found: dict[tuple[str, str, str], tuple[int, float]] = {}
    for trade in trades:
        market = MARKETS[trade["instrument"]]
        venue = market.venue if market.kind == "spot" else f"{market.venue}-{market.kind}"
        date = str(np.datetime64(int(trade["received_ns"]), "ns").astype("M8[D]"))
        count, volume = found.get((venue, market.symbol, date), (0, 0.0))
        found[venue, market.symbol, date] = (count + 1, volume + float(trade["b"]))
    return found


def test_duckdb_sums_the_trades_by_venue_symbol_and_date(lake):
    root, events = lake

    rows = duckdb.sql(
        f"SELECT venue, symbol, date::VARCHAR, count(*), sum(size ORDER BY sequence) "
        f"FROM read_parquet('{root}/{TRADES}', hive_partitioning = true) GROUP BY ALL"
    ).fetchall()

    assert {tuple(row[:3]): tuple(row[3:]) for row in rows} == expected_volumes(events)


def test_polars_sums_the_trades_by_venue_symbol_and_date(lake):
    root, events = lake

    frame = (
        polars.scan_parquet(f"{root}/{TRADES}", hive_partitioning=True)
        .group_by("venue", "symbol", polars.col("date").cast(polars.String))
        .agg(polars.len().cast(polars.Int64), polars.col("size").sort_by("sequence").sum().alias("volume"))
        .collect()
    )

    assert {row[:3]: row[3:] for row in frame.rows()} == expected_volumes(events)


def test_both_read_the_same_nanoseconds_sides_and_numbers(lake):
    root, events = lake
    trades = events[events["kind"] == Kind.TRADE]
    columns = "sequence", "received_at", "venue_at", "side", "price", "id", "flags"

    frame = polars.read_parquet(f"{root}/{TRADES}", columns=list(columns)).sort("sequence")
    table = duckdb.sql(
        f"SELECT sequence, epoch_ns(received_at), epoch_ns(venue_at), side::VARCHAR, price, id, flags "
        f"FROM read_parquet('{root}/{TRADES}') ORDER BY sequence"
    ).fetchall()

    times = frame.with_columns(polars.col("received_at", "venue_at").cast(polars.Int64), polars.col("side").cast(str))
    assert times.rows() == table
    assert [row[0] for row in table] == np.flatnonzero(events["kind"] == Kind.TRADE).tolist()
    for at, name in enumerate(("received_ns", "venue_ns"), 1):
        assert [row[at] for row in table] == trades[name].tolist()
    assert [row[3] for row in table] == [("buy", "sell")[side] for side in trades["side"]]
    assert [row[4] for row in table] == trades["a"].tolist()


def test_a_state_has_a_name_and_what_is_not_told_is_null(tmp_path):
    events = np.zeros(4, EVENT)
    events["received_ns"] = START_NS + np.arange(4)
    events["kind"] = (Kind.LINK, Kind.MARK, Kind.STATUS, Kind.BOOK_CLEAR)
    events["a"] = (BookState.GAP, 100.5, 2.0, 0.0)
    exported(tape_of(tmp_path / "x.tape", events), tmp_path / "lake")

    def row(channel):
        return polars.read_parquet(f"{tmp_path}/lake/**/channel={channel}/**/*.parquet").row(0, named=True)

    assert row("link")["state"] == "gap"
    assert row("status")["status"] == "halted"
    mark = row("mark")
    assert (mark["price"], mark["index_price"], mark["next_funding_at"], mark["venue_at"]) == (
        100.5,
        None,
        None,
        None,
    )
    assert (row("book")["kind"], row("book")["side"]) == ("book_clear", None)
    assert all(row(name)["raw"] is None for name in ("link", "status", "mark", "book"))


def test_a_query_for_one_day_reads_that_day_alone(lake):
    root, _ = lake
    day = str(np.datetime64(START_NS + NS_PER_DAY, "ns").astype("M8[D]"))
    query = f"FROM read_parquet('{root}/{TRADES}', hive_partitioning = true, filename = true)"

    files = duckdb.sql(f"SELECT DISTINCT filename {query} WHERE date = DATE '{day}'").fetchall()

    assert files and all(f"date={day}" in name for (name,) in files)
