"""Other processes of our own: the same package as here, whatever lies in the folder that somebody works in.

`python -m` looks there first, so a strategy file called `random.py` would be taken for the standard library's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def command_of(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of ours, in `environment`."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment(**more: str) -> dict[str, str]:
    """Ours, and where our package is."""
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(places)} | more
