"""Sessions that begin with their windows full: ready at the first event, and as repeatable as any other."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest

from streamtrader.events import MORE, NEWEST, WARM, Kind
from tests.cli.commands import (
    called,
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

FULL = """
    from streamtrader.strategies import PythonStrategy


    class Full(PythonStrategy):
        '''Trades at the first trade, and fails where its window is not full by then.'''

        def __init__(self, window: int = 40) -> None:
            self.window, self.closes, self.trades = window, [], 0

        def on_candle(self, candle, broker) -> None:
            self.closes.append(candle.close)
            broker.hold(0.001)

        def on_trade(self, trade, broker) -> None:
            if self.trades == 0 and len(self.closes) != self.window:
                raise ValueError(f"{len(self.closes)} candles")
            self.trades += 1
            if broker.is_live():
                broker.hold(0.001 if self.trades % 50 < 25 else 0.0)
"""


def pasts_of(run):
    events = events_of(run / "session.tape")
    is_past = events["flags"] & WARM != 0
    is_past &= events["kind"] == Kind.CANDLE
    return events, is_past


def test_a_strategy_is_ready_at_the_first_event_and_asks_for_nothing_that_is_sent_before(tmp_path):
    (tmp_path / "full.py").write_text(textwrap.dedent(FULL))
    outcome = paper(
        "synthetic", tmp_path, "--warmup", "40", "--max-events", "12000", "--strategy", f"{tmp_path}/full.py:Full"
    )
    run = outcome.run

    assert outcome.document["failed_seats"] == 0
    assert outcome.document["fills"] > 0
    assert outcome.document["events_by_kind"]["candle"] == 80
    events, is_past = pasts_of(run)
    assert is_past[:80].all() and not is_past[80:].any()
    assert (events["flags"][:79] & MORE).all() and not events["flags"][79] & MORE
    assert np.count_nonzero(events["flags"][:80] & NEWEST) == 2
    assert events["received_ns"][79] <= events["received_ns"][80] == events["received_ns"][80:].min()
    sent = rows_of(run, "SELECT min(asked_ns) AS first FROM orders WHERE status != 'refused'")[0]["first"]
    assert sent > events["received_ns"][79]
    refused = rows_of(run, "SELECT DISTINCT rule FROM refusals")
    assert [row["rule"] for row in refused] == ["BOOK_NOT_LIVE"]
    assert parity(run)["difference_count"] == 0
    assert called("data", "check", run / "session.tape", "--json").document["is_clean"]
    replayed = called("replay", run / "session.tape", "--strategy", f"{tmp_path}/full.py:Full", "--json").document
    assert replayed["fills"] == outcome.document["fills"]


@pytest.fixture(scope="module")
def survivor(tmp_path_factory):
    """Killed while it traded on candles of a second, and gone on with."""
    folder = tmp_path_factory.mktemp("warm")
    arguments = paper_arguments(
        "synthetic", "--warmup", "30", "--strategy", "CandleMomentum", "--set", "candles.interval_s=1",
        "--set", "strategy.lookback=20", "--set", "run.flush_every_ms=10", "--set", "run.checkpoint_every_s=0.1", speed="20",
    )  # fmt: skip
    process = started(*arguments, cwd=folder)
    tapes = wait_for(
        lambda: [path for path in folder.glob("runs/*/session.tape") if path.stat().st_size > 500_000], process
    )
    process.kill()
    ended(process)
    return tapes[0].parent


def test_the_past_comes_once_also_in_a_session_that_was_killed_and_goes_on(survivor):
    before = len(events_of(survivor / "session.tape"))
    assert parity(survivor)["difference_count"] == 0

    outcome = resumed(survivor, "--speed", "max", "--max-events", str(before + 10_000))

    events, is_past = pasts_of(survivor)
    assert len(events) >= before + 10_000
    assert is_past[:60].all() and not is_past[60:].any()
    assert outcome.document["failed_seats"] == 0
    report = parity(survivor)
    assert (report["difference_count"], report["differences"]) == (0, [])
    assert report["state_sha256"] == outcome.document["state_sha256"]


def test_a_session_that_was_killed_before_its_past_was_whole_asks_for_it_again(survivor, tmp_path):
    """The past is one message: a torn tape has none of it."""
    run = tmp_path / "runs" / "torn"
    run.mkdir(parents=True)
    (run / "manifest.json").write_bytes((survivor / "manifest.json").read_bytes())
    whole = (survivor / "session.tape").read_bytes()
    header = whole.index(b"\x05", 64)  # somewhere in the first block
    (run / "session.tape").write_bytes(whole[: header + 1_500])

    outcome = resumed(run, "--speed", "max", "--max-events", "2000")

    _, is_past = pasts_of(run)
    assert is_past[:60].all() and np.count_nonzero(is_past) == 60
    assert outcome.document["events_before"] == 0
    assert parity(run)["difference_count"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--venue", "okx"), "no downloads from 'okx'"),
        (("--set", "candles.interval_s=7"), "no candles of 7 s"),
        (("--set", "venue.channels=trade,mark"), "the embedded exchange tells trade, quote, book; no mark"),
        (("--set", "venue.channels=trade,gossip"), "venue.channels"),
        (("--set", "venue.channels=trade,trade"), "twice"),
    ],
)
def test_what_cannot_be_had_is_told_and_leaves_nothing(tmp_path, arguments, said):
    outcome = called("run", "--paper", "--warmup", "5", *arguments, code=4)

    assert said in outcome.err
    assert not list(tmp_path.glob("runs/*"))


def test_a_session_listens_to_what_it_is_told_to(tmp_path):
    outcome = paper(
        "synthetic", tmp_path, "--max-events", "500", "--strategy", "EmaCross", "--set", "venue.channels=trade,quote"
    )

    assert {kind for kind, count in outcome.document["events_by_kind"].items() if count} == {"trade", "quote"}


def test_so_does_a_recording(tmp_path):
    told = called(
        "record", "--speed", "max", "--max-events", "200", "--set", "venue.channels=trade", "--out", tmp_path / "x.tape", "--json"
    ).document  # fmt: skip

    assert {kind for kind, count in told["events_by_kind"].items() if count} == {"trade"}
