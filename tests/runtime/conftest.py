"""Tapes of the recorded markets, made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from streamtrader.runtime.importing import import_captures
from streamtrader.venues.binance import compiled_scanner
from tests.venues import frames


@pytest.fixture(scope="session")
def recorded(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The tape of a recorded market of `frames.CAPTURES`."""

    @cache
    def tape_of(name: str) -> Path:
        path = tmp_path_factory.mktemp("recorded") / f"{name}.tape"
        files = [shared_data / "wire" / "binance" / file for file in frames.CAPTURES[name][1]]
        import_captures(files, path, scanner=compiled_scanner())
        return path

    return tape_of
