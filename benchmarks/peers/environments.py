"""One virtual environment for each rival, made from PyPI in a folder that git does not see.

`python -m benchmarks.peers.environments` makes what is missing and prints the versions found. A rival's packages never
meet ours: each pins its own NumPy and Numba. The rivals are pinned to the releases that the goals were stated for.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks.results import ROOT, emit

CACHE = ROOT / ".peers"
PYTHON = (3, 11)


class Peer(NamedTuple):
    """What to install, and the distributions whose versions matter to the reader of a figure."""

    requirements: tuple[str, ...]
    reported: tuple[str, ...]


PEERS = {
    "hftbacktest": Peer(("hftbacktest==2.4.4",), ("hftbacktest", "numba", "numpy")),
    # The last release for Python 3.11; 1.231 (3.12 and later) is slower and quadratic in the number of orders.
    "nautilus": Peer(("nautilus_trader==1.221.0",), ("nautilus_trader", "numpy")),
    "vectorbt": Peer(("vectorbt==1.2.0",), ("vectorbt", "numba", "numpy", "pandas")),
    "ccxt": Peer(("ccxt==4.5.90", "zstandard"), ("ccxt", "orjson")),
    "cryptofeed": Peer(("cryptofeed==2.4.1", "zstandard"), ("cryptofeed", "order_book", "yapic.json")),
}


def python_of(name: str, cache: Path = CACHE) -> Path:
    """The interpreter of a rival's environment, made or not."""
    return cache / name / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def base_python() -> str:
    """A Python 3.11 to make environments with: this one if it is one."""
    if sys.version_info[:2] == PYTHON:
        return sys.executable
    found = shutil.which("python{}.{}".format(*PYTHON))
    if found is None:
        raise SystemExit("the rivals need Python {}.{} on the path".format(*PYTHON))
    return found


def ensure(name: str, cache: Path = CACHE) -> Path:
    """Make the environment unless a finished one is there; a marker file tells a finished one from a torn one."""
    folder, marker = cache / name, cache / name / "installed.json"
    wanted = json.dumps(PEERS[name].requirements)
    if marker.is_file() and marker.read_text() == wanted:
        return python_of(name, cache)
    shutil.rmtree(folder, ignore_errors=True)
    _call(base_python(), "-m", "venv", str(folder))
    _call(
        str(python_of(name, cache)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        *PEERS[name].requirements,
    )  # fmt: skip
    marker.write_text(wanted)
    return python_of(name, cache)


def versions(name: str, cache: Path = CACHE) -> dict[str, str]:
    """The versions that are installed, and the Python under them."""
    source = (
        "import importlib.metadata as m, json, platform, sys;"
        "print(json.dumps({n: m.version(n) for n in sys.argv[1:]} | {'python': platform.python_version()}))"
    )
    found: dict[str, str] = json.loads(_call(str(python_of(name, cache)), "-c", source, *PEERS[name].reported))
    return found


def _call(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:4])}... failed: {done.stderr.strip()[-1500:]}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="PEER", help=f"some of {', '.join(PEERS)}; all by default")
    parser.add_argument("--cache", type=Path, default=CACHE)
    options = parser.parse_args()
    if unknown := set(options.names) - set(PEERS):
        parser.error(f"no such peer: {', '.join(sorted(unknown))}")
    names = options.names or list(PEERS)
    for name in names:
        ensure(name, options.cache)
    emit({"bench": "environments", "peers": {name: versions(name, options.cache) for name in names}})


if __name__ == "__main__":
    main()
