"""What every test may use: the recorded markets, read where they lie, and one way to run hypothesis."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = Path(os.environ.get("STREAMTRADER_SHARED_DATA", ROOT.parent / "shared" / "data"))

# On a busy machine a slow example is no mistake, so nothing here is timed. CI tries the same examples each time: a
# change must not fail for what another one should have found.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("here"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded markets. Without it a developer's run leaves these tests out; CI may not."""
    if not SHARED_DATA.is_dir():
        reason = f"no recorded markets at {SHARED_DATA}: set STREAMTRADER_SHARED_DATA to where they are"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return SHARED_DATA
