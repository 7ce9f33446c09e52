"""How a session ends: asked once, asked twice, by a limit; and what stays when it begins again."""

from __future__ import annotations

import signal
import time

import pytest

from streamtrader.events import MORE
from tests.cli.commands import (
    called,
    counts_of,
    ended,
    events_of,
    paper,
    paper_arguments,
    parity,
    resumed,
    rows_of,
    started,
    wait_for,
)
from tests.cli.test_crashes import the_run


@pytest.mark.slow
def test_ctrl_c_ends_in_order(short, tmp_path):
    process = started(*paper_arguments(short, speed="5"), cwd=tmp_path)
    run = wait_for(lambda: the_run(tmp_path), process)

    process.send_signal(signal.SIGINT)
    outcome = ended(process)

    assert outcome.code == 0
    assert outcome.document["reason"] == "stopped by the operator"
    assert outcome.document["events"] == len(events_of(run / "session.tape"))
    (session,) = rows_of(run, "SELECT * FROM sessions")
    assert (session["reason"], session["ended_ns"] is None) == ("stopped by the operator", False)
    assert parity(run)["difference_count"] == 0


@pytest.mark.slow
def test_ctrl_c_twice_ends_at_once_and_the_run_can_go_on(short, tmp_path):
    """While the first one is obeyed, a disk that takes its time: here a metrics port that lingers is not it."""
    process = started(*paper_arguments(short, "--set", "run.flush_every_ms=10000", speed="5"), cwd=tmp_path)
    (lock,) = wait_for(lambda: list(tmp_path.glob("runs/*/session.tape")), process)
    time.sleep(1.0)
    begun_s = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    outcome = ended(process)

    assert outcome.code in (130, 0)  # 0: it was quicker than the second signal
    assert time.monotonic() - begun_s < 5.0
    again = resumed(lock.parent, "--speed", "max")
    assert again.document["reason"] == "market ended"
    assert parity(lock.parent)["difference_count"] == 0


@pytest.mark.parametrize("limit", [3_000, 10_001])
def test_a_limit_of_events_ends_with_the_message_that_reaches_it(short, short_session, tmp_path, limit):
    folder, whole = short_session
    events = events_of(folder / whole.run / "session.tape")
    stop = limit
    while events["flags"][stop - 1] & MORE:
        stop += 1

    outcome = paper(short, tmp_path, "--max-events", str(limit))
    run = tmp_path / outcome.run

    assert outcome.document["events"] == stop
    assert events_of(run / "session.tape").tobytes() == events[:stop].tobytes()
    assert outcome.document["reason"] == "event limit reached"
    assert parity(run)["difference_count"] == 0


def test_a_limit_of_time_ends_in_order(short, tmp_path):
    outcome = paper(short, tmp_path, "--for", "0.5s", speed="1")

    assert outcome.document["reason"] == "time limit reached"
    assert parity(tmp_path / outcome.run)["difference_count"] == 0


def test_a_dry_run_decides_and_sends_nothing(short, tmp_path):
    outcome = paper(short, tmp_path, "--dry-run", "--max-events", "9000")
    run = tmp_path / outcome.run

    assert outcome.document["refused"] > 0
    assert (outcome.document["fills"], outcome.document["fees"]) == (0, 0)
    assert {row["rule"] for row in rows_of(run, "SELECT rule FROM refusals")} == {"DRY_RUN"}
    assert {row["status"] for row in rows_of(run, "SELECT status FROM orders")} == {"refused"}
    assert parity(run)["difference_count"] == 0


def test_a_run_that_is_not_dry_does_not_become_so(short_session, tmp_path):
    folder, outcome = short_session

    refused = called("run", "--paper", "--run", folder / outcome.run, "--dry-run", code=4)

    assert "start a new run" in refused.err


@pytest.mark.slow
def test_the_kill_switch_holds_over_a_restart_until_somebody_says_why_not(short, tmp_path):
    tight = ("--strategy", "EmaCross", "--set", "risk.drawdown.limit_quote=0.5")
    first = paper(short, tmp_path, *tight, "--max-events", "14000")
    run = tmp_path / first.run
    assert first.document["halted_seats"] == 1
    assert [row["rule"] for row in rows_of(run, "SELECT rule FROM halts")] == ["Drawdown"]
    asked = counts_of(run)["fills"]

    still = resumed(run, "--max-events", "18000")
    assert still.document["halted_seats"] == 1
    assert still.log("the kill switch is still pulled; `--resume REASON` releases it")
    held = counts_of(run)["fills"]

    freed = resumed(run, "--resume", "looked at it")
    assert counts_of(run)["fills"] > held >= asked
    commands = [(row["command"], row["reason"]) for row in rows_of(run, "SELECT * FROM commands")]
    assert commands == [("resume", "looked at it")]
    assert freed.document["events"] == len(events_of(run / "session.tape"))
    assert parity(run)["difference_count"] == 0
