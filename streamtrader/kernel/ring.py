"""The ring that every event passes through on its way to the engine, the tape and whoever watches.

One writer, the venue's adapter; readers each with a cursor. Sequence numbers only grow; an event lives at
`sequence & mask`. Full: `free` says so, and the connection stops reading its socket until there is room again, so
that the venue's own buffer, not ours, holds the flood. Nothing is ever overwritten before the engine and the tape
have had it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from streamtrader.events import EVENT, EVENT_BYTES

_pack_into = struct.Struct("<qqddddqIBBH").pack_into
_flags_into = struct.Struct("<H").pack_into
FLAGS_AT = 62


class Ring:
    """`slots` must be a power of two; the memory is taken once and never grows.

    `end`: rows before this sequence may be written, as far as anybody has looked. Readers only go on, so it can be too
    low and never too high.
    """

    __slots__ = ("end", "events", "mask", "memory", "played", "taped", "written")

    def __init__(self, slots: int = 65_536) -> None:
        if slots < 2 or slots & (slots - 1):
            raise ValueError(f"a ring has a power of two of slots, not {slots}")
        self.events: np.ndarray[Any, np.dtype[Any]] = np.zeros(slots, EVENT)
        self.memory = self.events.view(np.uint8).data.cast("B")
        self.mask = slots - 1
        self.written = 0
        self.played = 0
        self.taped = 0
        self.end = slots

    @property
    def free(self) -> int:
        """Slots that may be written before the slowest reader would lose one."""
        self.end = self.mask + 1 + min(self.played, self.taped)
        return self.end - self.written

    def has_room(self, rows: int) -> bool:
        """Whether `free` is at least `rows`. The readers are looked at only where what is known of them does not do."""
        return self.written + rows <= self.end or self.free >= rows

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
        _pack_into(self.memory, at, venue_ns, received_ns, a, b, c, d, id, instrument, kind, side, flags)
        self.written += 1

    def write_levels(
        self,
        kind: int,
        instrument: int,
        side: int,
        flags: tuple[int, int],
        clocks: tuple[int, int],
        levels: Sequence[tuple[float, float]],
        id: int,  # noqa: A002 - the name of the field
    ) -> None:
        """Append an event for each (price, size): at least one. `flags` are those of all but the last, and its own.

        A third less than as many calls of `write`. To join packed parts is quicker still from twenty levels on, and
        slower below ten: most messages of venues are smaller than that.
        """
        memory, mask, written, most = self.memory, self.mask, self.written, flags[0]
        venue_ns, received_ns = clocks
        for price, size in levels:
            _pack_into(
                memory, (written & mask) * EVENT_BYTES,
                venue_ns, received_ns, price, size, 0.0, 0.0, id, instrument, kind, side, most,
            )  # fmt: skip
            written += 1
        self.written = written
        if flags[1] != most:
            _flags_into(memory, ((written - 1) & mask) * EVENT_BYTES + FLAGS_AT, flags[1])

    def slices(self, start: int, stop: int) -> list[np.ndarray[Any, np.dtype[Any]]]:
        """The events numbered `start` to `stop` as one or two views, in order."""
        first, last = start & self.mask, stop & self.mask
        if start == stop:
            return []
        if first < last:
            return [self.events[first:last]]
        return [part for part in (self.events[first:], self.events[:last]) if len(part)]
