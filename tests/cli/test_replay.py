"""`replay`: history through the same loop, with built-in strategies and with a user's own."""

from __future__ import annotations

import textwrap

import pytest

from tests.cli.commands import called, events_of, paper, parity, resumed, rows_of

COMPILED = """
    from streamtrader.indicators import Ema
    from streamtrader.strategies import Strategy


    class Mine(Strategy):
        '''Hold while the price is above its average.'''

        def __init__(self, span: int = 50, size: float = 0.01) -> None:
            self.average = Ema(span)
            self.size = size

        def on_trade(self, trade, broker) -> None:
            average = self.average.update(trade.price)
            if self.average.ready:
                broker.hold(self.size if trade.price > average else 0.0)
"""
PLAIN = """
    from streamtrader.strategies import PythonStrategy


    class Plain(PythonStrategy):
        '''In and out again, every so many trades; a list is no trouble here.'''

        def __init__(self, every: int = 20, size: float = 0.001) -> None:
            self.every, self.size, self.prices = every, size, []

        def on_trade(self, trade, broker) -> None:
            self.prices.append(trade.price)
            if len(self.prices) % self.every == 0:
                broker.hold(self.size if len(self.prices) // self.every % 2 else 0.0)
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A user's files."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.py").write_text(textwrap.dedent(COMPILED))
    (folder / "plain.py").write_text(textwrap.dedent(PLAIN))
    return folder


def test_a_replay_tells_what_came_of_it_and_the_same_each_time(short_tape):
    arguments = ("replay", short_tape, "--strategy", "EmaCross", "--json")

    first, again = called(*arguments).document, called(*arguments).document

    assert first["events"] == len(events_of(short_tape))
    assert first["events_per_s"] > 10_000
    assert min(first["orders"], first["fills"]) > 0
    assert first["fees"] > 0
    assert len(first["state_sha256"]) == 64
    for name in ("events", "orders", "fills", "pnl", "fees", "state_sha256", "decisions_sha256"):
        assert first[name] == again[name], name


@pytest.mark.slow
def test_interpreted_ends_in_the_same_bytes(short, tmp_path):
    """A tape of some thousand events: uncompiled, each costs a hundred times as much."""
    tape = tmp_path / "small.tape"
    called("record", "--market", short, "--speed", "max", "--max-events", "9000", "--out", tape)
    arguments = ("replay", tape, "--strategy", "EmaCross", "--set", "strategy.fast_span=2",
                 "--set", "strategy.slow_span=5", "--json")  # fmt: skip

    compiled, interpreted = called(*arguments).document, called(*arguments, "--interpreted").document

    assert compiled["orders"] > 0
    assert compiled["state_sha256"] == interpreted["state_sha256"]
    assert compiled["decisions_sha256"] == interpreted["decisions_sha256"]


def test_a_users_class_in_a_file_takes_its_parameters_from_the_command_line(short_tape, own):
    arguments = ("replay", short_tape, "--strategy", f"{own}/mine.py:Mine", "--json")

    slow = called(*arguments, "--set", "strategy.span=200").document
    fast = called(*arguments, "--set", "strategy.span=5").document

    assert slow["seats"][0]["strategy"] == "Mine"
    assert fast["orders"] > slow["orders"] > 0


def test_a_run_with_a_users_file_replays_without_a_difference(short, own, tmp_path, monkeypatch):
    """Also from another folder: the run remembers where the file is."""
    monkeypatch.chdir(own)
    outcome = paper(short, tmp_path, "--strategy", "mine.py", "--max-events", "8000")
    monkeypatch.chdir(tmp_path)

    assert parity(outcome.run)["difference_count"] == 0
    assert outcome.document["orders"] > 0
    assert [row["strategy"] for row in rows_of(outcome.run, "SELECT strategy FROM seats")] == ["Mine"]


@pytest.mark.slow
def test_a_plain_python_strategy_trades_in_run_replay_and_recovery_alike(short, short_tape, own, tmp_path):
    plain = ("--strategy", f"{own}/plain.py:Plain")
    replayed = called("replay", short_tape, *plain, "--json").document
    part = paper(short, tmp_path, *plain, "--max-events", "9000")
    run = tmp_path / part.run

    whole = resumed(run)

    assert 0 < part.document["fills"] < whole.document["fills"]
    assert whole.document["orders"] == replayed["orders"]
    assert parity(run)["difference_count"] == 0


def test_people_get_a_table(short_tape):
    outcome = called("replay", short_tape, "--strategy", "EmaCross")

    assert "EmaCross" in outcome.out and "events in" in outcome.out


def test_what_a_users_strategy_raised_is_told_to_the_letter(short_tape, tmp_path):
    """Brackets too, which a terminal's markup would take away or stumble over."""
    raising = 'def on_trade(self, trade, broker):\n        raise ValueError("no level [bid] beyond [/ask]")\n'
    (tmp_path / "raises.py").write_text(
        f"from streamtrader.strategies import PythonStrategy\n\n\nclass Raises(PythonStrategy):\n    {raising}"
    )

    outcome = called("replay", short_tape, "--strategy", f"{tmp_path}/raises.py:Raises", code=1)

    assert "raised ValueError: no level [bid] beyond [/ask]" in outcome.out


def test_a_replay_tells_the_worst_and_the_best_queue_beside_its_own(short_tape):
    arguments = ("replay", short_tape, "--strategy", "ImbalanceMaker", "--json")

    told = called(*arguments, "--set", "simulator.queue=power").document
    best = called(*arguments, "--set", "simulator.queue=optimistic").document

    bounds = told["bounds"]
    assert {name: bound["queue"] for name, bound in bounds.items()} == {
        "pessimistic": "pessimistic", "optimistic": "optimistic"
    }
    assert bounds["pessimistic"]["orders"] > 0
    assert all(bounds["optimistic"][name] == best[name] for name in ("fills", "turnover", "fees", "pnl"))
    assert best["bounds"]["optimistic"] == bounds["optimistic"]


def test_bounds_can_be_left_out_and_are_lines_on_a_terminal(short_tape):
    arguments = ("replay", short_tape, "--strategy", "ImbalanceMaker")

    assert called(*arguments, "--no-bounds", "--json").document["bounds"] == {}
    assert "optimistic queue" in called(*arguments).out
