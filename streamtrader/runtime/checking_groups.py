"""Rows of many instruments at once: sorted into groups, with what held before each row of its group.

A tape of hundreds of instruments has few rows of each in a chunk. To look at them one instrument after the other costs
the same for ten rows as for ten thousand; so the checks look at all of them together.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from streamtrader.runtime.checking_findings import Chunk, Mask, Numbers

Rows = TypeVar("Rows", Chunk, np.ndarray[Any, Any])
KIND_BITS = 8  # of the key of a stream: its instrument, then its kind


class Groups:
    """Rows that lie together by key, in the tape's order within each group.

    Places are what `held` is asked at: one before each row of a group, and one behind its last. Those of a group follow
    each other, and those of the next group follow them.
    """

    def __init__(self, keys: Numbers) -> None:
        """`keys` of the rows, which lie together already."""
        count = len(keys)
        self.starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])) if count else np.zeros(0, np.int64)
        self.stops = np.append(self.starts[1:], count) if count else self.starts
        self.keys = keys[self.starts]
        numbers = np.arange(len(self.starts))
        self.of_row = np.repeat(numbers, self.stops - self.starts)
        self.before = np.arange(count) + self.of_row  # the place before each row
        self.after = self.before + 1
        self.heads = self.starts + numbers  # the first place of each group
        self.ends = self.stops + numbers  # the last one

    def held(self, is_set: Mask, values: np.ndarray[Any, Any], initial: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The value in force at each place: that of the newest row of the group that sets one, first `initial`."""
        size = len(values) + len(self.starts)
        held, at = np.empty(size, values.dtype), np.zeros(size, np.int64)
        held[self.heads], held[self.after] = initial, values
        at[self.heads], at[self.after] = self.heads, np.where(is_set, self.after, 0)
        found: np.ndarray[Any, Any] = held[np.maximum.accumulate(at)]
        return found

    def steps(self, values: Numbers, initial: Numbers) -> Numbers:
        """How far each row's value is from that of the row before it in its group, the first from `initial`."""
        found = np.diff(values, prepend=values[:1])
        found[self.starts] = values[self.starts] - initial
        return found


def streams(rows: Chunk) -> tuple[Chunk, Groups]:
    """The rows by instrument and kind."""
    return grouped(rows, rows.instrument.astype(np.int64) << KIND_BITS | rows.kind)


def grouped(rows: Rows, keys: np.ndarray[Any, Any]) -> tuple[Rows, Groups]:
    """The rows sorted by their keys, in order otherwise."""
    keys = keys.astype(np.int64)
    if np.all(keys[1:] >= keys[:-1]):
        return rows, Groups(keys)
    is_small = keys.min() >= 0 and keys.max() < 1 << 16  # sixteen bits are sorted in one pass
    order = np.argsort(keys.astype(np.uint16) if is_small else keys, kind="stable")
    return rows[order], Groups(keys[order])
