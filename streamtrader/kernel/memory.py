"""Memory that is taken at once, and that the system stores page by page, where it was written.

The records of many markets are large, and most of each is never used: zeros that nobody wrote take no memory. Whoever
copies or stores them passes over such pages, and large pages are declined: one byte would fill 2 MiB.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

PAGE_BYTES = 4_096
LARGE_BYTES = 1 << 20  # below that it is not worth a mapping of its own
_IS_UNIX = hasattr(mmap, "MAP_PRIVATE")


def zeros(count: int, dtype: np.dtype[Any]) -> Array:
    """Like NumPy's, which wants large pages for large arrays."""
    size = count * dtype.itemsize
    if size < LARGE_BYTES or not _IS_UNIX:
        return np.zeros(count, dtype)
    memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, dtype)


def raw(array: Array) -> Array:
    """The bytes of a contiguous array, those between its fields too; not a copy."""
    return array.reshape(-1).view(np.uint8)


def pages_of(data: Array) -> tuple[Array, Array]:
    """Bytes as whole pages, and the rest of them."""
    whole = len(data) // PAGE_BYTES * PAGE_BYTES
    return data[:whole].reshape(-1, PAGE_BYTES), data[whole:]


def in_use(pages: Array) -> Array:
    """Which of the pages are not all zeros."""
    return np.asarray(pages.view(np.uint64).any(axis=1))


def put(target: Array, source: Array) -> None:
    """Write the bytes of an array into another one of its size."""
    (to_pages, to_rest), (pages, rest) = pages_of(raw(target)), pages_of(raw(source))
    for page in np.flatnonzero(in_use(pages) | in_use(to_pages)).tolist():
        to_pages[page] = pages[page]
    to_rest[:] = rest


def copied(array: Array) -> Array:
    """A copy with the bytes between the fields: NumPy's own leaves those to chance, and the state is its bytes."""
    copy = zeros(array.size, array.dtype)
    put(copy, array)
    return copy.reshape(array.shape)
