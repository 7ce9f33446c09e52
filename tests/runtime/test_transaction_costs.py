"""A session of three fills, its costs worked out by hand; and runs that cannot be analysed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from streamtrader.errors import ConfigError, RunDirectoryError, StorageError, TapeCorrupt
from streamtrader.runtime.order_records import is_run, records_of_run, records_of_tapes
from streamtrader.runtime.transaction_costs import costs_of, horizons_of
from streamtrader.storage.run_directory import RunDirectory
from streamtrader.storage.tape import TapeWriter
from tests.runtime.ended_runs import ended_run, settings_with, small_market, write_tape

HORIZONS_S = (0.1, 10.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    settings = settings_with("tests.runtime.scripted:BuyThenQuote")
    return ended_run(tmp_path_factory.mktemp("runs"), small_market(), settings)


@pytest.fixture(scope="module")
def document(run):
    return costs_of(records_of_run(run), HORIZONS_S)


@pytest.fixture
def bought(document):
    return next(group for group in document["groups"] if group["side"] == "buy")


@pytest.fixture
def sold(document):
    return next(group for group in document["groups"] if group["side"] == "sell")


def quote_of(costs):
    return {name: cost["quote"] for name, cost in costs.items()}


def test_a_purchase_that_walks_the_book_pays_for_delay_spread_and_impact(bought):
    # Decided at 100.01; the book moves to 100.01 | 100.03 on the way; 1 fills at 100.03 and 0.5 at 100.05.
    assert quote_of(bought["costs"]) == {
        "delay": "0.015", "timing": "0", "spread": "0.015", "impact": "0.01", "fees": "0.0750275", "total": "0.1150275",
    }  # fmt: skip
    assert bought["arrival_slippage"]["quote"] == "0.04"
    assert bought["arrival_slippage"]["bps"] == pytest.approx(1e4 * 0.04 / (1.5 * 100.01))
    assert bought["effective_spread_bps"] == pytest.approx(1e4 * 2 * 0.025 / (1.5 * 100.02))
    assert bought["quoted_spread_bps"] == pytest.approx(1e4 * 0.02 / 100.02)
    assert (bought["fills"], bought["taker_fills"], bought["fill_ratio"], bought["maker_share"]) == (2, 2, 1.0, 0.0)
    assert bought["queue_ms"] is None


def test_a_resting_sale_earns_the_spread_waits_in_the_queue_and_misses_what_was_cancelled(sold):
    # Decided and arrived at 100.02; 0.4 of 1 fills at 100.04 with the middle at 100.025; the rest ends at 100.015.
    assert quote_of(sold["costs"]) == {
        "delay": "0", "timing": "-0.002", "spread": "-0.006", "impact": "0", "fees": "0.0040016", "total": "-0.0039984",
    }  # fmt: skip
    assert sold["opportunity"]["quote"] == "0.003"
    assert sold["implementation_shortfall"]["quote"] == "-0.0009984"
    assert sold["implementation_shortfall"]["bps"] == pytest.approx(1e4 * -0.0009984 / 100.02)
    assert (sold["fill_ratio"], sold["maker_share"], sold["orders"]) == (0.4, 1.0, {"cancelled": 1})
    assert sold["queue_ms"] == {"count": 1, "median": 90.0, "p90": 90.0, "longest": 90.0}
    assert sold["to_first_fill_ms"]["median"] == 110.0
    assert sold["to_end_ms"]["median"] == 220.0


def test_markouts_look_at_the_middle_so_long_after_the_fill_and_count_what_has_none(bought, sold):
    soon, late = bought["markouts"]
    assert soon["markout"]["quote"] == "-0.025"
    assert soon["price_impact_bps"] == 0.0
    assert soon["realized_spread_bps"] == pytest.approx(1e4 * 2 * 0.025 / 150.055)
    assert (soon["counted"], soon["missing"]) == (2, 0)
    assert (late["counted"], late["missing"], late["markout"]) == (0, 2, {"quote": "0", "bps": None})
    soon, late = sold["markouts"]
    assert soon["markout"]["quote"] == "0.01"
    assert soon["maker_markout_bps"] == pytest.approx(1e4 * 0.025 / 100.04)
    assert soon["taker_markout_bps"] is None
    assert late["missing"] == 1


def test_the_total_is_the_sum_of_its_groups(document, bought, sold):
    (total,) = document["totals"]
    for name, cost in total["costs"].items():
        parts = Decimal(bought["costs"][name]["quote"]) + Decimal(sold["costs"][name]["quote"])
        assert Decimal(cost["quote"]) == parts
    assert total["fills"] == 3
    assert total["fill_ratio"] == pytest.approx(1.9 / 2.5)
    assert document["notes"] == []


def test_a_replay_of_the_tape_costs_what_the_session_did(run, document, tmp_path):
    tape = write_tape(tmp_path / "market.tape", small_market())
    records = records_of_tapes([tape], settings_with("tests.runtime.scripted:BuyThenQuote"))

    replayed = costs_of(records, HORIZONS_S)

    assert replayed["groups"] == document["groups"]
    assert replayed["totals"] == document["totals"]
    assert is_run([run])
    assert not is_run([tape])


def test_charges_are_told_by_strategy_kind_and_asset(run):
    records = records_of_run(run)
    paid = [("funding", "0.1", "USDT"), ("funding", "-0.25", "USDT"), ("interest", "0.002", "USDT")]
    records.charges = [{"seat": 0, "kind": kind, "amount": amount, "asset": asset} for kind, amount, asset in paid]

    told = costs_of(records, HORIZONS_S)["charges"]

    assert [(one["kind"], one["asset"], one["paid"]) for one in told] == [
        ("funding", "USDT", "-0.15"), ("interest", "USDT", "0.002"),
    ]  # fmt: skip
    assert {(one["strategy"], one["instrument"]) for one in told} == {("BuyThenQuote", "BTCUSDT")}


def test_a_session_that_a_replay_does_not_repeat_has_costs_but_no_queue_times(tmp_path):
    settings = settings_with("tests.runtime.scripted:BuyThenQuote")
    path = ended_run(tmp_path, small_market(), settings)
    slower = settings_with("tests.runtime.scripted:BuyThenQuote", "simulator.down_latency_ms=15")
    RunDirectory.open(path).update_manifest(settings=slower.as_json())

    document = costs_of(records_of_run(path), HORIZONS_S)

    assert "queue times are not known" in document["notes"][0]
    assert all(group["queue_ms"] is None for group in document["groups"])
    assert document["totals"][0]["costs"]["fees"]["quote"] == "0.0790291"


def test_a_run_without_orders_or_without_fills_is_told_so(tmp_path):
    events = small_market()
    quiet = ended_run(tmp_path / "quiet", events, settings_with("tests.runtime.scripted:Quiet"))
    distant = ended_run(tmp_path / "distant", events, settings_with("tests.runtime.scripted:Distant"))

    with pytest.raises(RunDirectoryError, match="no orders"):
        records_of_run(quiet)
    with pytest.raises(RunDirectoryError, match="none of its 1 orders was filled"):
        costs_of(records_of_run(distant))


def test_a_run_that_goes_on_is_left_alone(run):
    with RunDirectory.open(run).lock(), pytest.raises(RunDirectoryError, match="is running"):
        records_of_run(run)


def test_a_tape_that_is_missing_torn_or_damaged(tmp_path):
    path = ended_run(tmp_path, small_market(), settings_with("tests.runtime.scripted:BuyThenQuote"))
    tape = path / "session.tape"
    whole = tape.read_bytes()

    tape.write_bytes(whole + b"\x01" * 40)
    assert "40 bytes of an interrupted write" in records_of_run(path).notes[0]
    tape.write_bytes(whole[:-64])
    with pytest.raises(RunDirectoryError, match="holds no event"):
        records_of_run(path)
    tape.write_bytes(b"nonsense")
    with pytest.raises(StorageError):
        records_of_run(path)
    tape.unlink()
    with pytest.raises(RunDirectoryError, match="no tape"):
        records_of_run(path)


def test_a_damaged_block_is_refused(tmp_path):
    path = ended_run(tmp_path, small_market(), settings_with("tests.runtime.scripted:BuyThenQuote"))
    with TapeWriter.reopen(path / "session.tape") as writer:
        writer.append(small_market())  # so that the first block is not the last
    whole = bytearray((path / "session.tape").read_bytes())
    whole[-len(small_market()) * 64 - 64 - 40] ^= 1
    (path / "session.tape").write_bytes(whole)

    with pytest.raises(TapeCorrupt):
        records_of_run(path)


@pytest.mark.parametrize("text", ["", "0", "-1", "a", "nan", "inf", "1,,2", "90000"])
def test_horizons_are_seconds_above_zero(text):
    with pytest.raises(ConfigError, match="--horizons"):
        horizons_of(text)


def test_horizons_are_put_in_order():
    assert horizons_of("30,1,1,0.5") == (0.5, 1.0, 30.0)
