"""A session that is killed goes on where its tape ends, and nobody can tell from its records that it was."""

from __future__ import annotations

import random
import re
import time

import numpy as np
import pytest

from streamtrader.events import Kind
from tests.cli.commands import (
    called,
    counts_of,
    ended,
    events_of,
    lines_of,
    paper,
    paper_arguments,
    parity,
    resumed,
    rows_of,
    started,
    wait_for,
)

OFTEN = ("--set", "run.checkpoint_every_s=0.1", "--set", "run.flush_every_ms=10")


def killed(process, after_s):
    time.sleep(after_s)
    process.kill()
    return ended(process)


def the_run(folder):
    """The folder of the run, once its tape has events."""
    found = [path.parent for path in folder.glob("runs/*/session.tape") if path.stat().st_size > 100_000]
    return found[0] if found else None


def numbers(capture, stream, key):
    """All numbers of a stream as they lie in the capture."""
    pattern = re.compile(rb'"%s":(\d+)' % key)
    return [int(pattern.search(line)[1]) for line in lines_of(capture) if b"@" + stream in line]


@pytest.fixture(scope="module")
def survivor(short, tmp_path_factory):
    """A run that was killed while it traded, while it recovered and while it traded again; then left in peace."""
    folder = tmp_path_factory.mktemp("survivor")
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    first = started(*paper_arguments(short, *OFTEN, speed="20"), cwd=folder)
    run = wait_for(lambda: the_run(folder), first)
    killed(first, chance.uniform(0.0, 0.4))
    starting = started("run", "--paper", "--json", "--run", run, cwd=folder)
    killed(starting, chance.uniform(0.2, 2.0))
    again = started("run", "--paper", "--json", "--run", run, cwd=folder)
    size = (run / "session.tape").stat().st_size
    wait_for(lambda: (run / "session.tape").stat().st_size > size, again)
    killed(again, chance.uniform(0.0, 0.3))
    report = parity(run)
    assert report["difference_count"] == 0, f"seed {seed}: {report}"
    tape = run / "session.tape"
    with tape.open("r+b") as file:
        file.truncate(tape.stat().st_size - chance.randrange(1, 60))
    outcome = ended(started("run", "--paper", "--json", "--run", run, "--speed", "max", cwd=folder))
    assert outcome.code == 0, f"seed {seed}: {outcome}"
    return run, outcome, seed


def test_no_frame_is_lost_or_doubled_across_the_parts(survivor, short):
    run, outcome, seed = survivor
    events = events_of(run / "session.tape")

    trades = events["id"][events["kind"] == Kind.TRADE].tolist()
    quotes = events["id"][events["kind"] == Kind.QUOTE].tolist()
    assert trades == numbers(short, b"trade", b"t"), f"seed {seed}"
    assert quotes == numbers(short, b"bookTicker", b"u"), f"seed {seed}"
    assert (np.diff(events["received_ns"]) >= 0).all()
    assert outcome.document["reason"] == "market ended"


def test_document_database_and_tape_agree_after_the_last_part(survivor):
    run, outcome, seed = survivor
    document, counts = outcome.document, counts_of(run)

    assert document["events"] == len(events_of(run / "session.tape")), f"seed {seed}"
    assert document["events"] == document["events_before"] + sum(document["events_by_kind"].values())
    assert (document["fills"], document["orders"]) == (counts["fills"], counts["orders"]), f"seed {seed}"
    assert document["fills"] > 0
    sessions = rows_of(run, "SELECT * FROM sessions ORDER BY id")
    assert [row["first_event"] for row in sessions] == sorted(row["first_event"] for row in sessions)
    assert sessions[-1]["reason"] == "market ended"
    assert sessions[0]["ended_ns"] is None


def test_the_killed_session_replays_without_a_difference(survivor):
    run, outcome, seed = survivor

    report = parity(run)

    assert (report["difference_count"], report["differences"]) == (0, []), f"seed {seed}"
    assert not any("not ended in order" in note for note in report["notes"])
    assert report["state_sha256"] == outcome.document["state_sha256"]
    assert called("replay", run / "session.tape", "--json").document["state_sha256"] == report["state_sha256"]


def test_a_torn_tail_is_cut_with_a_warning(survivor):
    _, outcome, _ = survivor

    (warning,) = outcome.log("the tape was cut back to its last whole block")
    assert warning["level"] == "warning"
    assert warning["torn_bytes"] > 0


def test_positions_survive_exactly(survivor):
    run, _, seed = survivor

    for position in rows_of(run, "SELECT * FROM positions"):
        fills = rows_of(run, f"SELECT side, size_lots FROM fills WHERE seat = {position['seat']}")
        lots = sum(fill["size_lots"] * (1 if fill["side"] == "buy" else -1) for fill in fills)
        assert position["size_lots"] == lots, f"seed {seed}"


@pytest.mark.slow
def test_a_finished_run_that_is_started_again_has_nothing_to_add(short_session, short, tmp_path):
    first = paper(short, tmp_path)
    run = tmp_path / first.run

    again = resumed(run, "--for", "1s")

    assert again.document["fills"] == first.document["fills"]
    assert parity(run)["difference_count"] == 0
