"""What is wrong is told with its place and its remedy, ends with the right code, and leaves nothing half-made."""

from __future__ import annotations

import gzip
import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from streamtrader.storage import tape_layout
from streamtrader.storage.run_directory import RunDirectory
from streamtrader.storage.tape import Tape, TapeWriter
from tests.cli.commands import (
    called,
    ended,
    environment,
    lines_of,
    packed,
    paper,
    paper_arguments,
    parity,
    started,
    wait_for,
)
from tests.cli.test_crashes import the_run

MISTAKES = """
[engine]
cash_quote = "ten"
moed = "paper"

[risk.max_position]
limit = -1.0

[risk.drawdown]
limit_quote = nan

[metrics]
prot = 9
"""


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_all_mistakes_of_a_settings_file_are_told_at_once(here):
    (here / "config.toml").write_text(MISTAKES)

    refused = called("run", "--paper", code=4)

    for text in (
        "5 mistakes in the settings",
        "config.toml:3: engine.cash_quote",
        "config.toml:4: engine.moed is unknown; did you mean engine.mode?",
        "config.toml:7: risk.max_position.limit",
        "config.toml:10: risk.drawdown.limit_quote",
        "config.toml:13: metrics.prot is unknown; did you mean metrics.port?",
    ):
        assert text in refused.err
    assert names(here) == {"config.toml"}


def test_with_json_an_error_is_one_document(here):
    refused = called("run", "--paper", "--json", "--set", "metrics.port=many", code=4)

    assert refused.document["error"] == "ConfigError"
    assert "metrics.port" in refused.document["message"]


USAGE = {
    "no mode": (("run",), 2, "run --paper"),
    "real money": (("run", "--live"), 4, "--paper"),
    "no duration": (("run", "--paper", "--for", "3x"), 2, "no duration"),
    "no speed": (("run", "--paper", "--speed", "fast"), 4, 'exchange.speed = "fast"'),
    "no strategy": (("run", "--paper", "--strategy", "EmaCros"), 4, "EmaCross"),
    "no parameter": (("run", "--paper", "--strategy", "EmaCross", "--set", "strategy.fast=3"), 4, "fast_span"),
    "NaN": (("run", "--paper", "--strategy", "EmaCross", "--set", "strategy.size=nan"), 4, "strategy.size=nan"),
    "no file of settings": (("run", "--paper", "-c", "none.toml"), 4, "none.toml"),
    "no market": (("run", "--paper", "--market", "none.gz"), 1, "none.gz does not exist"),
    "no root": (("run", "--paper", "--set", "run.root=/dev/null/x"), 1, "set run.root"),
    "no run": (("run", "--paper", "--run", "none"), 1, "none is not a run directory"),
    "no tape": (("replay", "none.tape"), 1, "none.tape cannot be read"),
    "no run to compare": (("parity", "none"), 1, "none is not a run directory"),
    "no capture": (("data", "import", "none.gz", "--out", "x.tape"), 1, "none.gz"),
    "no format": (("data", "import", "none.gz", "--out", "x.tape", "--format", "nonesuch"), 2, "binance-raw"),
    "nothing runs": (("status",), 3, "there is no run below runs"),
}


@pytest.mark.parametrize("what", USAGE)
def test_a_wrong_command_says_what_is_wrong_and_leaves_nothing(here, what):
    arguments, code, text = USAGE[what]

    refused = called(*arguments, code=code)

    assert text in refused.err + refused.out
    assert "Traceback" not in refused.err
    assert names(here) == set()


BROKEN = {
    "Dictionary": ("self.x = {'a': trade.price}['a']", "Dictionary.py:8"),
    "Missing": ("broker.hold(self.nothing)", "self.nothing"),
    "Misspelt": ("broker.holdd(1.0)", "Misspelt.py:8: broker.holdd(1.0)"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_strategy_that_does_not_compile_is_told_by_its_line(here, short_tape, name):
    line, text = BROKEN[name]
    (here / f"{name}.py").write_text(
        f"from streamtrader.strategies import Strategy\n\n\nclass {name}(Strategy):\n    def __init__(self):\n"
        f"        self.x = 1.0\n    def on_trade(self, trade, broker):\n        {line}\n"
    )

    refused = called("replay", short_tape, "--strategy", f"{name}.py", code=4)

    assert text in refused.err
    assert "PythonStrategy" in refused.err


def test_a_constructor_that_refuses_is_told_in_its_own_words(here, short_tape):
    (here / "own.py").write_text(
        "from streamtrader.strategies import Strategy\n\n\nclass Own(Strategy):\n    def __init__(self, x: float = 1.0):\n"
        "        if x > 0:\n            raise ValueError('x must be below zero')\n        self.x = x\n"
    )

    assert "x must be below zero. Own takes (x: float = 1.0)" in called(
        "replay", short_tape, "--strategy", f"{here}/own.py", code=4
    ).err  # fmt: skip


@pytest.mark.slow
def test_hostile_lines_in_a_capture_are_counted_and_the_rest_is_traded(short, short_session, here):
    """NaN, negative, zero and absurd prices, and lines of no use: none reaches the engine."""
    lines = lines_of(short)
    trades = [at for at, line in enumerate(lines) if b"@trade" in line][10:15]
    wrong = lines[:]
    for at, price in zip(trades, (b"NaN", b"-1.0", b"0.0", b"1e300", b"x"), strict=True):
        stamp, _, text = wrong[at].partition(b" ")
        message = json.loads(text)
        message["data"]["p"] = price.decode()
        wrong[at] = stamp + b" " + json.dumps(message, separators=(",", ":")).encode() + b"\n"
    wrong.insert(trades[0], b"this is no line of a capture\n")
    wrong.insert(trades[0], wrong[trades[0] - 1].split()[0] + b' {"stream":"btcusdt@trade","data":{"e":\n')

    outcome = paper(packed(here / "wrong.gz", wrong), here)

    _, clean = short_session
    assert outcome.document["frames"]["rejected"] == 5
    assert outcome.document["events_by_kind"]["trade"] == clean.document["events_by_kind"]["trade"] - 5
    assert outcome.document["gaps"] == 0
    assert parity(here / outcome.run)["difference_count"] == 0
    imported = called("data", "import", here / "wrong.gz", "--out", here / "x.tape", "--json").document
    assert imported["rejected"] == 7
    assert all(error.startswith("wrong.gz:") for error in imported["errors"])


def test_a_capture_that_breaks_off_is_traded_up_to_there(short, here):
    (here / "torn.gz").write_bytes(short.read_bytes()[: short.stat().st_size // 2])

    outcome = paper(here / "torn.gz", here)

    assert 0 < outcome.document["frames"]["consumed"] < len(lines_of(short))
    assert outcome.document["reason"] == "market ended"
    assert parity(here / outcome.run)["difference_count"] == 0


@pytest.mark.parametrize(
    "content",
    [b"", b"hello\n" * 99, gzip.compress(b"hello\n"), bytes(range(256)) * 9],
    ids=["empty", "text", "packed text", "any bytes"],
)
@pytest.mark.slow
def test_a_file_that_is_no_market_is_refused_and_leaves_nothing(here, content):
    (here / "file.gz").write_bytes(content)

    for command in (("run", "--paper", "--market", "file.gz"), ("data", "import", "file.gz", "--out", "x.tape"),
                    ("record", "--market", "file.gz", "--out", "x.tape")):  # fmt: skip
        assert "file.gz" in called(*command, code=1).err
    assert names(here) == {"file.gz"}


def test_foreign_newer_and_empty_tapes_are_told_apart(here, short_tape):
    (here / "foreign.tape").write_bytes(b"hello" * 99)
    tape = Tape.open(short_tape)
    TapeWriter.create(here / "empty.tape", tape.instruments, {}).close()
    newer = bytearray((here / "empty.tape").read_bytes())
    schema = newer.index(tape_layout.SCHEMA.to_bytes(4, "little"), 8)
    newer[schema : schema + 4] = (tape_layout.SCHEMA + 1).to_bytes(4, "little")
    (here / "newer.tape").write_bytes(newer)

    assert "is not a tape of streamtrader" in called("replay", "foreign.tape", code=1).err
    told = called("replay", "newer.tape", code=1).err
    assert "newer.tape" in told and "newer" in told.replace("newer.tape", "")
    assert called("replay", "empty.tape", "--json").document["events"] == 0
    assert called("data", "check", "empty.tape", "--json").document["trades"] == 0


@pytest.mark.slow
def test_a_metrics_port_that_was_chosen_and_is_taken_is_an_error_but_the_usual_one_is_done_without(short, here):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        fixed = ("run", "--paper", "--market", short, "--speed", "max", "--max-events", "3000", "--json")

        refused = called(*fixed, "--set", f"metrics.port={port}", code=4)
        assert f"port {port} on 127.0.0.1 is in use" in refused.err
        assert names(here) == set()

    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 9464))
            taken.listen()
        except OSError:
            pass  # somebody else has it: all the better
        done = called(*fixed)
    assert "running without /metrics and /healthz" in done.err


def test_an_exchange_port_that_is_taken_is_an_error(short, here):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert f"port {port} is in use" in called(*paper_arguments(short, "--set", f"exchange.port={port}"), code=4).err
    assert names(here) == set()


@pytest.mark.slow
def test_a_running_session_keeps_others_out_and_has_a_status(short, here):
    process = started(*paper_arguments(short, speed="1"), cwd=here)
    run = wait_for(lambda: the_run(here), process)

    second = called("run", "--paper", "--run", run, code=1)
    assert "is in use by another engine" in second.err
    assert f"process {process.pid}" in second.err
    assert "is running" in called("parity", run, code=1).err
    status = called("status", "--json").document
    assert (status["is_running"], status["process"], status["run"]) == (True, process.pid, f"runs/{run.name}")

    process.terminate()
    assert ended(process).code == 0
    assert called("status", "--json", code=3).document["ended"] == "stopped by the operator"


def test_a_run_whose_instruments_are_others_is_not_continued(short, short_session, here):
    folder, outcome = short_session
    run = here / "copy"
    shutil.copytree(folder / outcome.run, run)
    manifest = RunDirectory.open(run).read_manifest()
    manifest["settings"]["exchange"]["market"] = "synthetic"
    RunDirectory.open(run).write_manifest(manifest)
    before = (run / "session.tape").read_bytes()

    assert "start a new run" in called("run", "--paper", "--run", run, code=4).err
    assert (run / "session.tape").read_bytes() == before


def test_help_needs_no_engine():
    lines = (
        "import sys; sys.argv = ['streamtrader', '--help']",
        "from streamtrader.cli.main import main",
        "try: main()",
        "except SystemExit: print('numba' in sys.modules)",
    )
    told = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True, env=environment()
    )

    assert told.stdout.endswith("False\n")
    assert "replay" in told.stdout
