"""Durations on the hot path: one increment of an integer, nothing else.

A bucket is one of 16 equal parts of a power of two, so a figure is at most 1/16 (6.25 %) above the truth. The counts
lie in an int64 array that NumPy reads without a copy; Prometheus' own histogram looks through its buckets one by
one and takes a lock.
"""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np

PARTS_BITS = 4
PARTS = 1 << PARTS_BITS
SIZE = (64 - PARTS_BITS) * PARTS
NS_PER_S = 1e9


def bucket_of(duration_ns: int) -> int:
    """The bucket of a duration from 0 to 2**63 - 1 ns."""
    shift = duration_ns.bit_length() - PARTS_BITS - 1
    return duration_ns if shift <= 0 else (shift << PARTS_BITS) + (duration_ns >> shift)


def _upper_edges() -> np.ndarray[Any, np.dtype[np.float64]]:
    """The largest duration of each bucket, in ns."""
    bucket = np.arange(SIZE)
    shift = np.maximum(bucket // PARTS - 1, 0)
    first = np.where(bucket < 2 * PARTS, bucket, PARTS + bucket % PARTS).astype(np.float64)
    return (first + 1.0) * np.exp2(shift) - 1.0


UPPER_NS = _upper_edges()


class Histogram:
    """Counts of durations. `record` is for the hot path, everything else for whoever looks.

    >>> latency = Histogram()
    >>> for duration_ns in (900, 1_000, 1_100, 50_000):
    ...     latency.record(duration_ns)
    >>> latency.count, latency.percentile_ns(50) // 100, latency.max_ns
    (4, 10.0, 50000)
    """

    __slots__ = ("_counts", "counts", "max_ns", "total_ns")

    def __init__(self) -> None:
        self._counts = array("q", bytes(8 * SIZE))
        self.counts: np.ndarray[Any, np.dtype[np.int64]] = np.frombuffer(self._counts, np.int64)
        self.total_ns = 0
        self.max_ns = 0

    def record(self, duration_ns: int) -> None:
        """Count one duration; a clock that stepped back counts as 0."""
        if duration_ns < 0:
            duration_ns = 0
        shift = duration_ns.bit_length() - 5  # as in bucket_of, written out: a call would double the cost
        self._counts[duration_ns if shift <= 0 else (shift << 4) + (duration_ns >> shift)] += 1
        self.total_ns += duration_ns
        if duration_ns > self.max_ns:
            self.max_ns = duration_ns

    def record_many(self, durations_ns: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        """Count an array of durations, as a replay of the feed's lag would give them."""
        if not len(durations_ns):
            return
        durations = np.maximum(durations_ns.astype(np.int64), 0)
        buckets = np.searchsorted(UPPER_NS, durations.astype(np.float64), side="left")
        self.counts += np.bincount(buckets, minlength=SIZE)
        self.total_ns += int(durations.sum())
        self.max_ns = max(self.max_ns, int(durations.max()))

    @property
    def count(self) -> int:
        return int(self.counts.sum())

    def percentile_ns(self, percent: float) -> float:
        """The duration that `percent` of all do not exceed: the upper edge of its bucket; nan when there is none."""
        cumulative = self.counts.cumsum()
        if not cumulative[-1]:
            return float("nan")
        rank = max(int(np.ceil(cumulative[-1] * percent / 100.0)), 1)
        return min(float(UPPER_NS[int(np.searchsorted(cumulative, rank))]), float(self.max_ns))

    def cumulative(self, edges_s: np.ndarray[Any, np.dtype[np.float64]]) -> list[int]:
        """How many lie below each edge, in seconds; a bucket that an edge cuts counts as above it."""
        below = np.concatenate(([0], self.counts.cumsum()))
        return [int(count) for count in below[np.searchsorted(UPPER_NS, edges_s * NS_PER_S, side="right")]]
