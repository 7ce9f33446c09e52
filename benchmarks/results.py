"""How a benchmark reports: one line of JSON on stdout, with the machine's state beside the figures.

Standard library only, because it is imported in the rivals' environments too.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
Result = dict[str, Any]


def emit(result: Result) -> None:
    """Print the one line that a script owes its caller."""
    sys.stdout.write(json.dumps(result | {"resident_mib": resident_mib_max()}) + "\n")
    sys.stdout.flush()


def resident_mib_max() -> int | None:
    """The largest resident size of this process so far; None where the platform does not tell."""
    try:
        import resource
    except ImportError:
        return None
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)


def seconds_of(work: Callable[[], Any]) -> tuple[float, Any]:
    """Run `work` once: how long it took, and what it gave."""
    started = time.perf_counter()
    outcome = work()
    return time.perf_counter() - started, outcome


def median_seconds(work: Callable[[], Any], repeats: int = 7) -> float:
    return statistics.median(seconds_of(work)[0] for _ in range(repeats))


def cpu_count() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pinned(command: Sequence[str], cpu: int) -> list[str]:
    """The command bound to one core, where the platform can bind and there is more than one."""
    taskset = shutil.which("taskset")
    if taskset is None or cpu_count() < 2:
        return list(command)
    return [taskset, "-c", str(cpu % cpu_count()), *command]


def run_script(command: Sequence[str], *, timeout_s: float = 600.0, cpu: int = 0) -> Result:
    """Run one script of this folder in a process of its own and return its line; raise with its words if it fails."""
    done = subprocess.run(
        pinned(command, cpu), cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-800:]}")
    result: Result = json.loads(lines[-1])
    return result


def busy_share() -> float | None:
    """The load average of the last minute over the cores: above 1, somebody else is measuring with us."""
    return round(os.getloadavg()[0] / cpu_count(), 2) if hasattr(os, "getloadavg") else None
