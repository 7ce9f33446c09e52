"""What each venue's adapter can do, as the tests found it: `capabilities.json` beside this file is written by them.

`tests/venues/test_capabilities.py` plays every venue's own frames to its adapter and fails where the file says
anything else, so the table promises nothing that was not seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

TABLE = Path(__file__).with_name("capabilities.json")


def read_capabilities() -> list[dict[str, Any]]:
    """One entry a venue, in the order of the registry."""
    return msgspec.json.decode(TABLE.read_bytes(), type=list[dict[str, Any]])
