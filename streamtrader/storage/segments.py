"""Tapes and raw frames in segments: cut by size and by the market's clock, always between two messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamtrader.events import EVENT, EVENT_BYTES, MORE
from streamtrader.storage.raw_frames import Item, RawWriter
from streamtrader.storage.recording import RAW, TAPE, Recording
from streamtrader.storage.tape import BLOCK_EVENTS, TapeWriter
from streamtrader.storage.tape_layout import Slots
from streamtrader.units import NS_PER_S

BY_SIZE, BY_TIME = "size", "time"
_NO_EVENTS: Slots = np.zeros(0, EVENT)


@dataclass(frozen=True, slots=True)
class SegmentLimits:
    """When a segment ends; 0 is never. Time is that of the received clock, cut at whole multiples of `span_ns`."""

    size_bytes: int = 0
    span_ns: int = 0

    def stop_ns(self, first_ns: int) -> int:
        """The clock at which a segment that began at `first_ns` ends."""
        return first_ns - first_ns % self.span_ns + self.span_ns if self.span_ns else 2**63 - 1


def limits_of(mebibytes: float | None, minutes: float | None) -> SegmentLimits | None:
    """What a command line says, or None where it says nothing of segments."""
    if mebibytes is None and minutes is None:
        return None
    return SegmentLimits(int((mebibytes or 0.0) * (1 << 20)), int((minutes or 0.0) * 60 * NS_PER_S))


class TapeSegments:
    """A `TapeWriter` in several files; the segments one after the other are the tape."""

    def __init__(self, recording: Recording, metadata: dict[str, Any], limits: SegmentLimits) -> None:
        self.event_count = 0  # since this object was made
        self._before = sum(entry.get("events", 0) for entry in recording.segments)
        self._recording = recording
        self._metadata = metadata
        self._limits = limits
        self._writer: TapeWriter | None = None
        self._entry: dict[str, Any] = {}
        self._clocks = (0, 0)
        self._stop_ns = 0
        self._held = _NO_EVENTS  # rows of a message whose end has not come

    def append(self, events: Slots) -> int:
        """Write all whole messages, beginning and ending segments where that is due; the events written."""
        if len(self._held):
            events = np.concatenate((self._held, events))
        ends = np.flatnonzero((events["flags"] & MORE) == 0) + 1
        starts = np.concatenate((np.zeros(1, np.int64), ends[:-1])) if len(ends) else ends
        clocks = events["received_ns"][starts]
        message = 0
        while message < len(ends):
            writer = self._writer or self._begin(int(clocks[message]))
            stop, ended = self._cut(writer, ends, starts, clocks, message)
            if stop > message:
                part = events[starts[message] : ends[stop - 1]]
                writer.append(part)
                self.event_count += len(part)
                self._clocks = (self._clocks[0] or int(part["received_ns"][0]), int(part["received_ns"][-1]))
            if ended:
                self._end(ended)
            message = stop
        done = int(ends[-1]) if len(ends) else 0
        self._held = events[done:].copy()
        return done

    def sync(self) -> None:
        if self._writer is not None:
            self._writer.sync()

    def close(self, ended: str) -> None:
        self._end(ended)

    def _cut(self, writer: TapeWriter, ends: Slots, starts: Slots, clocks: Slots, message: int) -> tuple[int, str]:
        """The messages from `message` up to which the segment goes, and why it ends there; empty when it does not.

        A segment holds one message at least, however large that is.
        """
        stop, ended = len(ends), ""
        late = message + int(np.argmax(clocks[message:] >= self._stop_ns))
        if clocks[late] >= self._stop_ns:
            stop, ended = late, BY_TIME
        if self._limits.size_bytes:
            room = (self._limits.size_bytes - writer.size_bytes) // EVENT_BYTES
            room -= room // BLOCK_EVENTS + 1  # a block has a header of the size of an event
            fitting = int(np.searchsorted(ends, int(starts[message]) + room, side="right"))
            fitting = max(fitting, message + (writer.event_count == 0))
            if fitting < stop:
                stop, ended = fitting, BY_SIZE
        return stop, ended

    def _begin(self, first_ns: int) -> TapeWriter:
        path, self._entry = self._recording.begin(TAPE)
        metadata = self._metadata | {"segment": path.name, "first_event": self._before + self.event_count}
        self._writer = TapeWriter.create(path, self._recording.instruments, metadata)
        self._clocks, self._stop_ns = (0, 0), self._limits.stop_ns(first_ns)
        self._recording.write()
        return self._writer

    def _end(self, ended: str) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        writer.close()
        if writer.event_count == 0:  # the disk refused its first message
            self._recording.drop(self._entry)
            return
        first_ns, last_ns = self._clocks
        counted = {"events": writer.event_count, "first_received_ns": first_ns, "last_received_ns": last_ns}
        self._recording.end(self._entry, ended, counted)


class RawSegments:
    """A `RawWriter` in several files; a segment is larger than its limit by one zstd frame at most."""

    def __init__(self, recording: Recording, header: bytes, limits: SegmentLimits) -> None:
        self.line_count = 0
        self._recording = recording
        self._header = header
        self._limits = limits
        self._writer: RawWriter | None = None
        self._entry: dict[str, Any] = {}
        self._stop_ns = 0

    def append(self, items: Sequence[Item]) -> None:
        start = 0
        if self._limits.span_ns:
            for index, item in enumerate(items):
                if (self._writer is not None or index > start) and 0 < self._stop_ns <= item.received_ns:
                    self._append(items[start:index])
                    self._end(BY_TIME)
                    start = index
                if self._stop_ns == 0 and item.received_ns:
                    self._stop_ns = self._limits.stop_ns(item.received_ns)
        self._append(items[start:])

    def _append(self, items: Sequence[Item]) -> None:
        if items:
            (self._writer or self._begin()).append(items)

    def flush(self) -> None:
        """Write what waits; a segment that has reached its size ends here."""
        if self._writer is None:
            return
        self._writer.flush()
        if 0 < self._limits.size_bytes <= self._writer.size_bytes:
            self._end(BY_SIZE)

    def sync(self) -> None:
        self.flush()
        if self._writer is not None:
            self._writer.sync()

    def close(self, ended: str) -> None:
        self._end(ended)

    def _begin(self) -> RawWriter:
        path, self._entry = self._recording.begin(RAW)
        self._writer = RawWriter.create(path, self._header)
        self._recording.write()
        return self._writer

    def _end(self, ended: str) -> None:
        writer, self._writer, self._stop_ns = self._writer, None, 0
        if writer is None:
            return
        writer.close()
        self.line_count += writer.line_count
        if writer.line_count == 0:
            self._recording.drop(self._entry)
            return
        counted = {
            "lines": writer.line_count,
            "first_received_ns": writer.first_ns,
            "last_received_ns": writer.last_ns,
        }
        self._recording.end(self._entry, ended, counted)
