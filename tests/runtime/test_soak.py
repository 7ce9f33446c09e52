"""The short form of the soak: a session that kept something of every event would show it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.results import ROOT


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells another process's memory")
@pytest.mark.slow
def test_memory_does_not_grow_with_the_events_of_a_repeated_capture(shared_data):
    capture = shared_data / "wire/binance/spot_btcusdt_20240808.gz"
    command = [sys.executable, "-m", "benchmarks.soak", "--events", "400000", "--market", str(capture)]

    done = subprocess.run([*command, "--growth-mib", "100"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert json.loads(done.stdout)["events"] > 200_000  # what comes before a snapshot is not played
