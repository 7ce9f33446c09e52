"""Tapes of the recorded markets, made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from streamtrader.runtime.importing import ImportResult, import_captures
from tests.venues import frames


@pytest.fixture(scope="session")
def imported(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, ImportResult]]:
    """The tape of a recorded market of `frames.CAPTURES`, and what was told of its import."""

    @cache
    def import_of(name: str) -> tuple[Path, ImportResult]:
        path = tmp_path_factory.mktemp("recorded") / f"{name}.tape"
        files = [shared_data / "wire" / "binance" / file for file in frames.CAPTURES[name][1]]
        return path, import_captures(files, path, scanner=frames.compiled_scanner())

    return import_of


@pytest.fixture(scope="session")
def recorded(imported: Callable[[str], tuple[Path, ImportResult]]) -> Callable[[str], Path]:
    """The tape alone."""
    return lambda name: imported(name)[0]
