"""`tca` on a run, on a tape, and on what is neither."""

from __future__ import annotations

from decimal import Decimal

from tests.cli.commands import called
from tests.runtime.ended_runs import ended_run, settings_with, small_market, write_tape

STRATEGY = "tests.runtime.scripted:BuyThenQuote"
WIDE = ["--set", "risk.max_position.limit=1000", "--set", "risk.max_notional.limit_quote=1000000"]


def test_a_run_is_told_for_programs_and_for_people(tmp_path):
    run = ended_run(tmp_path, small_market(), settings_with(STRATEGY))

    document = called("tca", run, "--json", "--horizons", "0.1").document
    said = called("tca", run).out

    assert document["horizons_s"] == [0.1]
    assert [group["side"] for group in document["groups"]] == ["buy", "sell"]
    costs = {name: Decimal(cost["quote"]) for name, cost in document["totals"][0]["costs"].items()}
    assert costs.pop("total") == sum(costs.values()) == Decimal("0.1110291")
    assert "BuyThenQuote  BTCUSDT     buy" in said
    assert "after 60 s, bp" in said


def test_a_tape_is_replayed_with_the_settings_of_the_command_line(tmp_path):
    tape = write_tape(tmp_path / "market.tape", small_market())

    document = called("tca", tape, "--strategy", STRATEGY, *WIDE, "--json").document
    slow = called(
        "tca", tape, "--strategy", STRATEGY, *WIDE, "--set", "simulator.up_latency_ms=2", "--json"
    ).document

    assert document["totals"][0]["costs"]["delay"]["quote"] == "0.015"
    assert slow["totals"][0]["costs"]["delay"]["quote"] == "0", "the book moves after 5 ms"


def test_what_cannot_be_analysed_is_refused_with_the_reason(tmp_path):
    run = ended_run(tmp_path / "runs", small_market(), settings_with(STRATEGY))
    (tmp_path / "empty").mkdir()

    assert "above 0" in called("tca", run, "--horizons", "0", code=4).err
    assert "settings of its own" in called("tca", run, "--strategy", "EmaCross", code=4).err
    assert "not a run directory" in called("tca", tmp_path / "empty", code=1).err
    assert "cannot be read" in called("tca", tmp_path / "none.tape", code=1).err
    (run / "session.sqlite").unlink()
    assert "no database" in called("tca", run, code=1).err


def test_a_calibration_is_settings_for_a_replay(tmp_path):
    run = ended_run(tmp_path / "runs", small_market(), settings_with(STRATEGY, "simulator.up_latency_ms=14"))
    file = tmp_path / "venue.toml"

    document = called("calibrate", run, "--out", file, "--json").document
    said = called("calibrate", run).out
    replayed = called(
        "replay", run / "session.tape", "--strategy", STRATEGY, *WIDE, "-c", file, "--json"
    ).document

    assert document["latency"]["round_trip_ms"]["median"]["value"] == 24.0
    assert document["settings"]["up_latency_ms"] == 12.0
    assert "--set simulator.up_latency_ms=12.0" in said
    assert "each is half of a round trip" in said
    assert replayed["fills"] == 3
    assert "exists already" in called("calibrate", run, "--out", file, code=4).err
    assert "cannot be written" in called("calibrate", run, "--out", tmp_path / "no" / "x.toml", code=4).err


def test_a_session_whose_orders_never_left_calibrates_nothing(tmp_path):
    settings = settings_with(STRATEGY, "risk.max_notional.limit_quote=1")
    run = ended_run(tmp_path / "runs", small_market(), settings)

    outcome = called("calibrate", run, "--json", code=1)

    assert outcome.document["settings"] == {}
    assert any("answered no order" in line for line in outcome.document["silent"])
