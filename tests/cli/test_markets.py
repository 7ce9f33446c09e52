"""Recorded markets, whole and with a line missing: imported, checked, traded."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrader.events import Kind
from tests.cli.commands import called, events_of, lines_of, packed, paper, parity, rows_of, trade_ids


@pytest.mark.slow
def test_an_imported_market_checks_clean_and_rebuilds_the_venues_own_quotes(captures, tmp_path):
    files, tape = ("spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz"), tmp_path / "x.tape"

    imported = called("data", "import", *(captures / file for file in files), "--format", "binance-raw",
                      "--out", tape, "--json").document  # fmt: skip
    checked = called("data", "check", tape, "--json").document

    assert (imported["gaps"], imported["rejected"], imported["trades"]) == (0, 0, 19_904)
    assert (checked["gaps"], checked["crossed"], checked["trades"], checked["is_clean"]) == (0, 0, 19_904, True)
    assert checked["best_quote_agreement"] == {"compared": 6_493, "equal": 6_491}


@pytest.fixture(scope="module")
def gapped(short, tmp_path_factory):
    """The short market without one of its depth lines."""
    lines = lines_of(short)
    depth = [at for at, line in enumerate(lines) if b"@depth" in line]
    del lines[depth[len(depth) // 2]]
    return packed(tmp_path_factory.mktemp("gapped") / "gapped.gz", lines)


def test_a_missing_depth_line_is_exactly_one_gap(gapped, tmp_path):
    called("data", "import", gapped, "--out", tmp_path / "x.tape", "--json")

    checked = called("data", "check", tmp_path / "x.tape", "--json", code=1).document

    assert (checked["gaps"], checked["trade_id_gaps"], checked["crossed"], checked["is_clean"]) == (1, 0, 0, False)


@pytest.mark.slow
def test_a_gap_takes_the_book_out_of_live_a_snapshot_brings_it_back_and_no_trade_is_lost(gapped, short, tmp_path):
    outcome = paper(gapped, tmp_path)
    run = tmp_path / outcome.run

    assert (outcome.document["gaps"], outcome.document["resyncs"]) == (1, 1)
    states = [row["state"] for row in rows_of(run, "SELECT state FROM feed_events ORDER BY sequence")]
    assert states == ["live", "gap", "syncing", "live", "stale"]  # the last when the market ended
    ids = trade_ids(run / "session.tape")
    assert len(ids) == sum(b"@trade" in line for line in lines_of(short))
    assert (np.diff(ids) == 1).all()
    events = events_of(run / "session.tape")
    assert np.count_nonzero(events["kind"] == Kind.BOOK_CLEAR) == 2
    assert parity(run)["difference_count"] == 0


def test_lists_tell_what_is_in_each_tape_and_what_is_none(short_tape, tmp_path):
    (tmp_path / "x.tape").write_bytes(b"hello")

    rows = called("data", "ls", short_tape, tmp_path, "--json").document["tapes"]

    assert rows[0]["instruments"] == ["BTCUSDT"]
    assert rows[0]["events"] == len(events_of(short_tape))
    assert "not a tape" in rows[1]["error"]
    assert "x.tape" in called("data", "ls", tmp_path).out
