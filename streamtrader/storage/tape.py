"""The tape: every event that the engine saw, on disk, in the order in which it saw them.

One writer appends whole blocks of whole messages; any number of readers map the file. What a crash tears off the end
is cut back to the last whole block; damage anywhere else is refused, never skipped. Replaying a tape must end in the
bytes that the session ended in, so nothing here may reorder, merge or drop an event.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from streamtrader.errors import LayoutChanged, StorageError
from streamtrader.events import EVENT, MORE
from streamtrader.instruments import Instrument
from streamtrader.storage import tape_layout as layout
from streamtrader.storage.files import Appender, create_whole, explained, refused, sync_file
from streamtrader.storage.tape_layout import Slots
from streamtrader.storage.tape_reader import Tape

__all__ = ["Tape", "TapeWriter"]

BLOCK_EVENTS = 65_536  # a batch beyond it becomes several blocks: damage is named, and checked, 4 MiB at a time
MESSAGE_ROWS = 1 << 22  # rows of one message that may wait for its last row (256 MiB)
_NO_EVENTS: Slots = np.zeros(0, EVENT)
SMALL_BLOCK = 1_024  # events up to which header and payload are joined to save a system call


class TapeWriter(Appender):
    """Appends to a tape. What `append` returned from is in the file; after `sync` it survives a power cut.

    Rows of a message that never ended are not on the tape when it is closed: nothing was decided on them.
    """

    def __init__(self, path: Path, file: Any, *, end: int, event_count: int, tape_crc: int) -> None:
        super().__init__(path, file)
        self.event_count = event_count  # in the file
        self.cut_bytes = 0  # of a torn tail, when reopened
        self.cut_events = 0
        self._end = end
        self._tape_crc = tape_crc
        self._held = _NO_EVENTS

    @classmethod
    def create(cls, path: Path | str, instruments: Sequence[Instrument], metadata: dict[str, Any]) -> Self:
        """Begin a tape; the file appears with its whole header or not at all, and never replaces another."""
        path = Path(path)
        header = layout.pack_header(instruments, metadata)
        try:
            create_whole(path, header)
            file = path.open("r+b", buffering=0)
            file.seek(len(header))
        except FileExistsError as error:
            raise StorageError(f"{path} exists already; a tape is never overwritten. Choose another name.") from error
        except OSError as error:
            raise refused(f"{path} cannot be created", error, path) from error
        tape_crc = layout.read_header(memoryview(header), path).crc
        return cls(path, file, end=len(header), event_count=0, tape_crc=tape_crc)

    @classmethod
    def reopen(cls, path: Path | str) -> Self:
        """Go on after a crash: cut a torn tail back to the last whole block (`cut_bytes`, `cut_events`)."""
        path = Path(path)
        tape = Tape.open(path)
        end, cut_bytes, cut_events = tape.whole_bytes, tape.torn_bytes, tape.torn_events
        event_count, tape_crc = tape.event_count, tape.header.crc
        del tape  # a mapping must not outlive the bytes under it
        with contextlib.ExitStack() as undo:
            try:
                file = undo.enter_context(path.open("r+b", buffering=0))
                file.truncate(end)
                file.seek(end)
                sync_file(file.fileno())
            except OSError as error:
                raise refused(f"{path} cannot be written", error, path) from error
            undo.pop_all()
        writer = cls(path, file, end=end, event_count=event_count, tape_crc=tape_crc)
        writer.cut_bytes, writer.cut_events = cut_bytes, cut_events
        return writer

    @property
    def held_count(self) -> int:
        """Rows that wait for the last row of their message; they are not in the file yet."""
        return len(self._held)

    @property
    def size_bytes(self) -> int:
        return self._end

    def append(self, events: Slots) -> int:
        """Write all whole messages as blocks, hold back the rows of an unfinished one; return the events written.

        All or nothing: when the disk refuses, the file ends where it ended before this call, and the same batch may
        be given again.
        """
        if self._failure:
            raise StorageError(f"{self.path} can no longer be written: {self._failure}. Reopen it to recover.")
        if events.dtype != EVENT:
            raise LayoutChanged(f"a tape holds events of 64 bytes, not {events.dtype}")
        if len(events) and not events["kind"].all():
            raise ValueError("an event of kind 0 would read as the header of a block")
        events = np.ascontiguousarray(events)
        ends = np.flatnonzero((events["flags"] & MORE) == 0) + 1
        whole = int(ends[-1]) if len(ends) else 0
        if len(self._held) + len(events) - whole > MESSAGE_ROWS:
            raise StorageError(f"a message of more than {MESSAGE_ROWS} rows has no end; it is not written")
        written = self._write_blocks(self._blocks_of(events, ends))
        if whole < len(events):
            self._held = _joined(_NO_EVENTS if whole else self._held, events[whole:])
        elif whole:
            self._held = _NO_EVENTS
        return written

    def _blocks_of(self, events: Slots, ends: np.ndarray[Any, np.dtype[np.int64]]) -> Iterator[Slots]:
        """Runs of whole messages; `ends` are the indices behind the last row of each."""
        start, whole = 0, int(ends[-1]) if len(ends) else 0
        if whole and len(self._held):  # joined with no more than it needs: a copy costs as much as the write
            start = int(ends[0])
            yield _joined(self._held, events[:start])
        while start < whole:
            index = int(np.searchsorted(ends, start + BLOCK_EVENTS, side="right")) - 1
            if index < 0 or ends[index] <= start:
                index += 1  # one message longer than a block makes a longer block
            yield events[start : ends[index]]
            start = int(ends[index])

    def _write_blocks(self, blocks: Iterable[Slots]) -> int:
        count, end = self.event_count, self._end
        try:
            for events in blocks:
                end += self._write_block(events, count)
                count += len(events)
        except OSError as error:
            self._roll_back()
            raise refused(str(self.path), error, self.path) from error
        written = count - self.event_count
        self.event_count, self._end = count, end
        return written

    def _write_block(self, events: Slots, first_sequence: int) -> int:
        header = layout.pack_block_header(events, first_sequence=first_sequence, tape_crc=self._tape_crc)
        payload = events.view(np.uint8).data
        if len(events) <= SMALL_BLOCK:
            self._write(memoryview(header + payload))
        else:
            self._write(memoryview(header))
            self._write(payload)
        return len(header) + payload.nbytes

    def _roll_back(self) -> None:
        try:
            self._file.truncate(self._end)
            self._file.seek(self._end)
        except OSError as error:
            self._failure = explained(error)


def _joined(first: Slots, second: Slots) -> Slots:
    joined = np.empty(len(first) + len(second), EVENT)
    joined[: len(first)], joined[len(first) :] = first, second
    return joined
