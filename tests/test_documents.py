"""The pages tell the truth: their Python runs, their strategies trade, what they name exists.

Each block of a page is a program of its own. Every strategy, indicator and rule that it defines is then used: played
over a small market, compiled and uncompiled, to the same bytes.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streamtrader.cli.main import app
from streamtrader.config import Settings
from streamtrader.observers.metrics import CATALOGUE, PREFIX
from streamtrader.risk import RiskRule
from streamtrader.storage.tape import TapeWriter
from streamtrader.strategies import PythonStrategy, Strategy
from tests.strategies.market import INSTRUMENT, lively_market, play

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SECOND_NS = 1_000_000_000


def blocks_of(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


BLOCKS = [
    pytest.param(source, f"{page.stem.lower()}_{number}", id=f"{page.name}-{number}")
    for page in PAGES
    for number, source in enumerate(blocks_of(page, "python"), 1)
]


@pytest.fixture
def small_tape(tmp_path):
    path = tmp_path / "small.tape"
    with TapeWriter.create(path, [INSTRUMENT], {"note": "for the examples"}) as writer:
        writer.append(lively_market(40, seed=5))
    return path


def own(names, module, base):
    """The classes of a block that extend `base`; each block is a module of its own to the compiler."""
    classes = [value for value in names.values() if isinstance(value, type) and issubclass(value, base)]
    return [cls for cls in classes if cls.__module__ == module]


def seats_and_records(engine):
    """Not the clock: it keeps the event that a plain Python strategy was woken with, which needs no waking uncompiled."""
    return {name: array.tobytes() for name, array in engine.arrays().items() if name != "clock"}


@pytest.mark.parametrize(("source", "module"), BLOCKS)
@pytest.mark.slow
def test_the_python_of_a_page_runs_and_its_classes_end_in_the_same_bytes_compiled_or_not(
    source, module, small_tape, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)  # an example may write
    names = {"__name__": module, "path": small_tape}

    exec(compile(source, f"<{module}>", "exec"), names)

    rules = [rule() for rule in own(names, module, RiskRule)]
    strategies = [*own(names, module, Strategy), *own(names, module, PythonStrategy)]
    if not (strategies or rules):
        return
    made = strategies or [_AlwaysLong]
    events = lively_market(400, seed=3)
    fast, said = play(events, *(cls() for cls in made), rules=rules, candle_ns=SECOND_NS)
    slow, said_slowly = play(events, *(cls() for cls in made), rules=rules, candle_ns=SECOND_NS, interpreted=True)
    assert seats_and_records(fast) == seats_and_records(slow)
    assert said.tobytes() == said_slowly.tobytes()
    assert not fast.state.seats["failure_count"].any()
    assert set(said["seat"]) == set(range(len(made))), "each of them asked for something"


class _AlwaysLong(Strategy):
    """Asks for an order, so that a rule that stands alone on a page has something to judge."""

    def __init__(self) -> None:
        self.asked = 0

    def on_trade(self, trade, broker):
        self.asked += 1
        broker.buy(0.001)


def test_a_strategy_of_the_readme_fits_fifteen_lines():
    source = next(block for block in blocks_of(ROOT / "README.md", "python") if "(Strategy)" in block)
    body = source[source.index("class ") :]

    assert 15 >= len([line for line in body.splitlines() if line.strip()])


def test_every_command_line_of_a_page_is_one_that_the_program_knows():
    lines = {
        line.strip().removeprefix("$ ")
        for page in PAGES
        for language in ("console", "sh")
        for block in blocks_of(page, language)
        for line in block.splitlines()
        if line.removeprefix("$ ").startswith("streamtrader ")
    }
    assert lines
    verbs = {" ".join(words(line)) for line in lines}
    for verb in sorted(verbs):
        said = CliRunner().invoke(app, [*verb.split(), "--help"], env={"NO_COLOR": "1", "COLUMNS": "200"})
        assert 0 == said.exit_code, verb
        for line in (line for line in lines if " ".join(words(line)) == verb):
            for option in re.findall(r"(?<= )--[a-z-]+", line):
                assert option in said.output, f"{line}: {verb} has no {option}"


def words(line):
    """The verb of a command line, and its second word where a verb has verbs of its own."""
    first, second = [*line.split()[1:], ""][:2]
    return [first, second] if first in ("data", "bench") else [first]


def test_every_setting_of_a_page_exists():
    for page in PAGES:
        for source in blocks_of(page, "toml"):
            Settings.model_validate(tomllib.loads(source))
        for key in re.findall(r"--set ([a-z_]+\.[a-z_.]+)=", page.read_text(encoding="utf-8")):
            section, *names = key.split(".")
            if section not in ("strategy", "section"):  # `--set section.key=value` names none
                assert_known(Settings, [section, *names])


def assert_known(model, names):
    for name in names:
        assert name in model.model_fields, ".".join(names)
        model = model.model_fields[name].annotation


def test_every_metric_of_a_page_is_exported():
    exported = {PREFIX + name for name, *_ in CATALOGUE}
    for page in PAGES:
        for name in re.findall(r"\bstreamtrader_[a-z_]+\b", page.read_text(encoding="utf-8")):
            assert re.sub(r"_(bucket|sum|count)$", "", name) in exported, name


def test_every_link_of_a_page_leads_to_a_file():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
