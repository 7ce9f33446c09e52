"""Recorded markets and one whole session over them, made once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.commands import ROOT, Outcome, called, end_all, lines_of, packed, paper_arguments, streamtrader

SHORT_LINES = 6_000  # half a minute of the market: trades, quotes and depth, and the snapshot in line 8


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, without the settings of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("STREAMTRADER__")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # the exchange is a process of its own, and finds us by this
    return tmp_path


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_running():
    yield
    end_all()


@pytest.fixture(scope="session")
def captures(shared_data: Path) -> Path:
    return shared_data / "wire" / "binance"


@pytest.fixture(scope="session")
def spot(captures: Path) -> Path:
    return captures / "spot_btcusdt_20240808.gz"


@pytest.fixture(scope="session")
def short(spot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The beginning of the recorded market."""
    return packed(tmp_path_factory.mktemp("market") / "short.gz", lines_of(spot)[:SHORT_LINES])


@pytest.fixture(scope="session")
def short_tape(short: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    tape = tmp_path_factory.mktemp("tapes") / "short.tape"
    called("data", "import", short, "--out", tape, "--json")
    return tape


@pytest.fixture(scope="session")
def short_session(short: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A folder, and the outcome of a paper session in it over the short market."""
    folder = tmp_path_factory.mktemp("session")
    return folder, streamtrader(*paper_arguments(short), cwd=folder)
