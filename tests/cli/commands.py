"""Commands as a user gives them: in a process of their own where they trade, in this one where they only read."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner

from streamtrader.cli.main import app
from streamtrader.events import Kind
from streamtrader.storage.reader import DatabaseReader
from streamtrader.storage.tape import Tape

ROOT = Path(__file__).parents[2]
LIMIT_S = 240.0  # the first command of all may have to compile


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def run(self) -> Path:
        return Path(self.document["run"])

    def log(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        lines = [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STREAMTRADER__")}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"}


_processes: list[subprocess.Popen[str]] = []


def end_all() -> None:
    """What a failed test left running."""
    while _processes:
        process = _processes.pop()
        if process.poll() is None:
            process.kill()
        process.communicate()


def started(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    """A command that goes on beside the test."""
    process = subprocess.Popen(
        [sys.executable, "-m", "streamtrader.cli.main", *map(str, arguments)],
        cwd=cwd, env=environment(), text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    _processes.append(process)
    return process


def ended(process: subprocess.Popen[str]) -> Outcome:
    try:
        out, err = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"still running after {LIMIT_S:g} s; it said:\n{out}\n{err}") from None
    _processes.remove(process)
    return Outcome(process.returncode, out, err)


def streamtrader(*arguments: object, cwd: Path, code: int = 0) -> Outcome:
    """Run a command to its end in a process of its own."""
    outcome = ended(started(*arguments, cwd=cwd))
    assert outcome.code == code, f"exit code {outcome.code}\n{outcome.out}\n{outcome.err}"
    return outcome


def called(*arguments: object, code: int = 0) -> Outcome:
    """The same in this process: quick, for commands that read."""
    result = CliRunner().invoke(app, [*map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, f"exit code {result.exit_code}\n{result.stdout}\n{result.stderr}"
    return Outcome(result.exit_code, result.stdout, result.stderr)


def paper(market: Path | str, cwd: Path, *more: str, speed: str = "max", code: int = 0) -> Outcome:
    """A whole paper session on a recorded market, in this process and without a metrics port."""
    return called(*paper_arguments(market, "--set", f"run.root={cwd}/runs", *more, speed=speed), code=code)


def resumed(run: Path, *more: str) -> Outcome:
    """The run goes on, in this process, as fast as it goes."""
    return called("run", "--paper", "--json", "--run", run, *more)


def paper_arguments(market: Path | str, *more: str, speed: str = "max") -> list[str]:
    fixed = ["run", "--paper", "--json", "--market", str(market), "--speed", speed]
    return [*fixed, "--set", "metrics.is_enabled=false", *more]


def parity(run: Path, cwd: Path | None = None) -> dict[str, Any]:
    """The report of `parity RUN`; the command itself fails when there is a difference."""
    return called("parity", str((cwd or Path()) / run), "--json").document


def events_of(tape: Path) -> np.ndarray[Any, Any]:
    return np.concatenate([np.asarray(events) for events in Tape.open(tape).events()])


def trade_ids(tape: Path) -> list[int]:
    events = events_of(tape)
    return events["id"][events["kind"] == Kind.TRADE].tolist()


def counts_of(run: Path) -> dict[str, int]:
    with DatabaseReader.open(run / "session.sqlite") as reader:
        return reader.counts()


def rows_of(run: Path, statement: str) -> list[dict[str, Any]]:
    with DatabaseReader.open(run / "session.sqlite") as reader:
        return reader.select(statement)


def lines_of(capture: Path) -> list[bytes]:
    return gzip.decompress(capture.read_bytes()).splitlines(keepends=True)


def packed(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(gzip.compress(b"".join(lines), 1))
    return path


def scraped(url: str) -> dict[str, float]:
    """Every sample of `/metrics` by its whole name."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    found = re.findall(r"^(\w+(?:\{[^}]*\})?) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def wait_for(condition: Any, process: subprocess.Popen[str]) -> Any:
    """Poll until it is so; what it answered. A process that ended will not make it so."""
    end_s = time.monotonic() + LIMIT_S
    while time.monotonic() < end_s:
        is_running = process.poll() is None
        found = condition()
        if found:
            return found
        if not is_running:
            raise AssertionError(f"ended too early: {ended(process)}")
        time.sleep(0.02)
    raise AssertionError("it never came to be")
