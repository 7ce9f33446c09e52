"""The ring that every event passes through on its way to the engine, the tape and whoever watches.

One writer, the venue's adapter; readers each with a cursor. Sequence numbers only grow; an event lives at
`sequence & mask`. Full: `free` says so, and the connection stops reading its socket until there is room again, so
that the venue's own buffer, not ours, holds the flood. Nothing is ever overwritten before the engine and the tape
have had it.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from streamtrader.events import EVENT, EVENT_BYTES

_pack_into = struct.Struct("<qqddddqIBBH").pack_into


class Ring:
    """`slots` must be a power of two; the memory is taken once and never grows."""

    __slots__ = ("events", "mask", "memory", "played", "taped", "written")

    def __init__(self, slots: int = 65_536) -> None:
        if slots < 2 or slots & (slots - 1):
            raise ValueError(f"a ring has a power of two of slots, not {slots}")
        self.events: np.ndarray[Any, np.dtype[Any]] = np.zeros(slots, EVENT)
        self.memory = self.events.view(np.uint8).data.cast("B")
        self.mask = slots - 1
        self.written = 0
        self.played = 0
        self.taped = 0

    @property
    def free(self) -> int:
        """Slots that may be written before the slowest reader would lose one."""
        return len(self.events) - (self.written - min(self.played, self.taped))

    @property
    def fill_ratio(self) -> float:
        return 1.0 - self.free / len(self.events)

    def write(
        self,
        kind: int,
        instrument: int,
        side: int,
        flags: int,
        venue_ns: int,
        received_ns: int,
        a: float = 0.0,
        b: float = 0.0,
        c: float = 0.0,
        d: float = 0.0,
        id: int = 0,  # noqa: A002 - the name of the field
    ) -> None:
        """Append one event. The caller has made sure of `free`."""
        at = (self.written & self.mask) * EVENT_BYTES
        _pack_into(
            self.memory, at, venue_ns, received_ns, a, b, c, d, id, instrument, kind, side, flags
        )
        self.written += 1

    def slices(self, start: int, stop: int) -> list[np.ndarray[Any, np.dtype[Any]]]:
        """The events numbered `start` to `stop` as one or two views, in order."""
        first, last = start & self.mask, stop & self.mask
        if start == stop:
            return []
        if first < last:
            return [self.events[first:last]]
        return [part for part in (self.events[first:], self.events[:last]) if len(part)]
