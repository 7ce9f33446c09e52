"""A whole session: every frame is used, and all that tells of it tells the same."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from streamtrader.events import Kind
from streamtrader.runtime.latencies import recorded_pairs
from tests.cli.commands import (
    called,
    counts_of,
    ended,
    events_of,
    lines_of,
    packed,
    paper,
    parity,
    resumed,
    rows_of,
    scraped,
    started,
    trade_ids,
    wait_for,
)


@pytest.fixture(scope="module")
def told(spot, tmp_path_factory):
    """A session over a whole capture as every witness tells it: the document, the run's folder, the last scrape."""
    folder = tmp_path_factory.mktemp("whole")
    process = started(
        "run", "--paper", "--market", spot, "--speed", "max", "--json",
        "--set", "metrics.port=0", "--set", "metrics.linger_s=60", cwd=folder,
    )  # fmt: skip
    (run,) = wait_for(lambda: list(folder.glob("runs/2*")), process)
    log = run / "log.jsonl"
    wait_for(lambda: log.exists() and "metrics served" in log.read_text(), process)
    url = log.read_text().partition('"url":"')[2].partition('"')[0]
    manifest = run / "manifest.json"
    wait_for(lambda: '"market ended"' in manifest.read_text(), process)
    samples = scraped(url)  # the scrape that the run lingers for
    return ended(process).document, run, samples


def test_every_frame_is_consumed_and_orders_are_filled_also_in_parts(told, spot):
    document, _, _ = told
    lines = lines_of(spot)

    frames = sum(b'"stream"' in line for line in lines)
    assert document["frames"]["consumed"] == frames
    assert (document["frames"]["rejected"], document["frames"]["unknown"], document["gaps"]) == (0, 0, 0)
    assert min(document["orders"], document["fills"], document["partial_fills"]) > 0
    assert document["events_by_kind"]["trade"] == sum(b"@trade" in line for line in lines)
    assert document["reason"] == "market ended"


def test_database_and_tape_agree_with_the_document(told):
    document, run, _ = told
    counts, events = counts_of(run), events_of(run / "session.tape")

    assert (counts["intents"], counts["orders"]) == (document["orders"] + document["refused"],) * 2
    assert (counts["fills"], counts["refusals"]) == (document["fills"], document["refused"])
    assert len(events) == document["events"] == sum(document["events_by_kind"].values())
    for kind, count in document["events_by_kind"].items():
        assert (events["kind"] == Kind[kind.upper()]).sum() == count
    (session,) = rows_of(run, "SELECT * FROM sessions")
    assert (session["reason"], session["first_event"]) == ("market ended", 0)
    assert session["ended_ns"] > session["started_ns"]


def test_metrics_agree_with_the_document(told):
    document, _, samples = told

    def total(name, *labels):
        found = [value for key, value in samples.items() if key.partition("{")[0] == name]
        return sum(found) if not labels else sum(
            value for key, value in samples.items() if key.partition("{")[0] == name and all(x in key for x in labels)
        )  # fmt: skip

    assert total("streamtrader_events_total") == document["events"]
    assert total("streamtrader_fills_total") == document["fills"]
    assert total("streamtrader_partial_fills_total") == document["partial_fills"]
    assert total("streamtrader_orders_total", 'status="sent"') == document["orders"]
    assert total("streamtrader_fees_paid_quote") == pytest.approx(document["fees"], rel=1e-9)
    assert total("streamtrader_equity_quote") == pytest.approx(document["equity"], rel=1e-9)


def test_a_loss_shows_as_a_loss(told):
    """Profit and loss are gauges: a counter of gains alone would hide what was lost."""
    document, _, samples = told
    parts = [value for name, value in samples.items() if name.startswith("streamtrader_pnl_")]

    assert document["pnl"] < 0
    assert min(parts) < 0
    assert sum(parts) == pytest.approx(document["pnl"] + document["fees"], rel=1e-6)


def test_a_session_replays_without_a_difference(told):
    document, run, _ = told

    report = parity(run)

    assert (report["difference_count"], report["differences"]) == (0, [])
    assert report["state_sha256"] == document["state_sha256"]
    assert report["counts"]["fills"] == document["fills"]


def test_exact_positions_are_the_sums_of_the_exact_fills(told):
    _, run, _ = told

    for position in rows_of(run, "SELECT * FROM positions"):
        fills = rows_of(run, f"SELECT * FROM fills WHERE seat = {position['seat']}")
        signed = [Decimal(fill["size"]) * (1 if fill["side"] == "buy" else -1) for fill in fills]
        money = [-size * Decimal(fill["price"]) - Decimal(fill["fee"]) for size, fill in zip(signed, fills, strict=True)]
        assert Decimal(position["size"]) == sum(signed)
        assert Decimal(position["cash"]) == 10_000 + sum(money)
        assert Decimal(position["fees"]) == sum(Decimal(fill["fee"]) for fill in fills)


def test_a_first_partial_fill_is_not_the_end_of_an_order(told):
    _, run, _ = told

    parts = rows_of(run, "SELECT seat, order_id, count(*) AS n, sum(size_lots) AS lots, max(remaining_lots) AS rest "
                         "FROM fills GROUP BY seat, order_id HAVING n > 1")  # fmt: skip

    assert parts
    for part in parts:
        (order,) = rows_of(run, f"SELECT * FROM orders WHERE seat = {part['seat']} AND order_id = {part['order_id']}")
        assert order["filled_lots"] == part["lots"] <= order["size_lots"]
        assert part["rest"] > 0


def test_the_same_market_at_any_speed_and_in_pieces_ends_in_the_same_bytes(short, short_session, tmp_path):
    folder, first = short_session
    lines = lines_of(short)
    pieces = [packed(tmp_path / "first.gz", lines[:2_500]), packed(tmp_path / "second.gz", lines[2_500:])]

    again = paper(short, tmp_path)
    paced = paper(",".join(map(str, pieces)), tmp_path, speed="100")

    for other in (again, paced):
        for name in ("state_sha256", "events", "orders", "fills", "partial_fills", "equity", "fees"):
            assert other.document[name] == first.document[name], name
    assert trade_ids(tmp_path / paced.run / "session.tape") == trade_ids(folder / first.run / "session.tape")


def test_a_replay_of_the_sessions_tape_trades_as_the_session_did(short_session):
    """One order path for all modes: minimum sizes, fees and risk cannot differ."""
    folder, outcome = short_session

    replayed = called("replay", folder / outcome.run / "session.tape", "--json").document

    assert replayed["state_sha256"] == outcome.document["state_sha256"]
    assert (replayed["orders"], replayed["fills"]) == (outcome.document["orders"], outcome.document["fills"])


def test_the_sessions_own_answers_serve_as_measured_latencies(short_session):
    """Both ways took 10 ms, and only takers' fills tell when the venue had an order."""
    folder, outcome = short_session

    pairs = recorded_pairs(folder / outcome.run)

    assert (pairs[:, 1:] == 10_000_000).all()
    assert (np.diff(pairs[:, 0]) >= 0).all()
    tape = folder / outcome.run / "session.tape"
    wanted = ("--set", "simulator.latency=recorded", "--set", f"simulator.latency_file={folder / outcome.run}")
    assert called("replay", tape, *wanted, "--json").document["fills"] == outcome.document["fills"]


def test_a_run_keeps_the_latencies_that_it_took_and_needs_their_file_no_more(short, tmp_path):
    table = tmp_path / "measured.csv"
    table.write_text("sent_ns,up_ns,down_ns\n0,5000000,7000000\n1723161265000000000,25000000,3000000\n")
    wanted = ("--set", "simulator.latency=recorded", "--set", f"simulator.latency_file={table}")
    first = paper(short, tmp_path, *wanted, "--max-events", "20000")
    table.unlink()
    run = (tmp_path / first.run).rename(tmp_path / "elsewhere")

    assert first.document["fills"] > 0
    assert parity(run)["difference_count"] == 0
    again = resumed(run)
    assert again.document["events"] > first.document["events"]
    assert parity(run)["difference_count"] == 0
    assert not again.log("the checkpoint is of another layout; the whole tape is played again")


def test_start_up_tells_which_strategy_hears_what_and_which_hears_nothing(short_session):
    _, outcome = short_session

    attached = {line["strategy"]: line["hears"] for line in outcome.log("strategy attached")}
    assert attached["EmaCross"] == ["on_trade"]
    assert "on_book" in attached["ImbalanceMaker"]
    (missing,) = outcome.log("strategy not attached")
    assert (missing["strategy"], missing["missing"], missing["level"]) == ("ImbalanceMaker", ["ETHUSDT"], "warning")


def test_standard_output_holds_one_document_and_nothing_else(short_session):
    folder, outcome = short_session

    assert outcome.out.startswith("{\n") and outcome.out.endswith("}\n")
    assert (folder / outcome.run / "log.jsonl").read_text().count("\n") >= 3
