"""Memory that a session no longer needs once its kernels are warm goes back to the system.

The compiler's machine code is some 80 MB of a shared library, of which starting touches most. A warm session never
compiles, so its pages are let go; should it compile after all, the system reads them from the file again.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import re
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

MAPS, SIZES = Path("/proc/self/maps"), Path("/proc/self/statm")
COMPILER = "libllvmlite"
LINE = re.compile(r"(?P<start>[0-9a-f]+)-(?P<stop>[0-9a-f]+) (?P<rights>\S+) .*/(?P<file>[^/]*)\Z")
SHORT_COLLECTIONS = 700, 10, 10  # Python's own; a start has longer ones
MADV_DONTNEED = 4  # of Linux


def resident_mib() -> float:
    """The memory that this process holds now; the most that it ever held where the system tells no more."""
    try:
        return int(SIZES.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, ValueError, IndexError):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / 2**20 if sys.platform == "darwin" else most / 2**10


@contextlib.contextmanager
def settled_objects() -> Iterator[None]:
    """What was made so far stays while a session runs: no collection looks at it, so they are short and frequent."""
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(*SHORT_COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def release_compiler() -> int:
    """Let the pages of the compiler's code go; how many bytes of it are mapped, 0 where that cannot be done."""
    try:
        ranges = list(_code_of(COMPILER))
        libc = ctypes.CDLL(None, use_errno=True)
    except OSError:
        return 0
    released = 0
    for start, length in ranges:
        if libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), MADV_DONTNEED) == 0:
            released += length
    return released


def _code_of(library: str) -> Iterator[tuple[int, int]]:
    """Start and length of what is mapped to be run. Only that: pages with relocations differ from the file."""
    for line in MAPS.read_text().splitlines():
        found = LINE.match(line)
        if found and found["file"].startswith(library) and found["rights"] == "r-xp":
            start = int(found["start"], 16)
            yield start, int(found["stop"], 16) - start
