"""Reading a tape: the whole file mapped as one array of slots, its chain of blocks checked, damage refused."""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np

from streamtrader.errors import StorageError, TapeCorrupt
from streamtrader.events import EVENT, EVENT_BYTES
from streamtrader.instruments import Instrument
from streamtrader.storage import tape_layout as layout
from streamtrader.storage.files import explained
from streamtrader.storage.tape_layout import BLOCK, Slots, TapeHeader


class Tape:
    """A tape as it was when it was opened: read-only arrays over the mapped file."""

    __slots__ = ("_data", "blocks", "event_count", "header", "path", "slots", "starts", "torn_bytes")

    _data: memoryview
    path: Path
    header: TapeHeader
    slots: Slots  # every slot as an EVENT; the header of a block is one of kind 0
    blocks: Slots  # the block headers, as `tape_layout.BLOCK`
    starts: np.ndarray[Any, np.dtype[np.int64]]  # the slot of each block's header
    event_count: int
    torn_bytes: int  # beyond the last whole block: an interrupted write, or one that is going on now

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Map a tape, check its header and the chain of its blocks, and the events of the last block only."""
        tape = cls.__new__(cls)
        tape.path = Path(path)
        data = tape._data = _mapped(tape.path)
        header = tape.header = layout.read_header(data, tape.path)
        found = layout.walk(data, header)
        if found.end < len(data):
            tape._refuse_damage(found.end, len(found.offsets), layout.later_block_at(data, found.end, header.crc))
        offsets, end = found.offsets, found.end
        while offsets and not layout.payload_is_intact(data, offsets[-1]):
            end = offsets.pop()  # a power cut leaves the right length without the bytes
        tape.torn_bytes = len(data) - end
        tape.slots = np.frombuffer(data[header.first_slot_at : end], EVENT)
        tape.starts = (np.array(offsets, np.int64) - header.first_slot_at) // EVENT_BYTES
        tape.blocks = tape.slots.view(np.dtype((np.void, EVENT_BYTES))).view(BLOCK)[tape.starts]
        tape.event_count = int(tape.blocks["count"].sum())
        return tape

    def _refuse_damage(self, at: int, block: int, next_at: int) -> None:
        if next_at >= 0:
            raise self._corrupt(block, at, f"whole blocks follow from byte {next_at}, so this is no torn tail")

    def _corrupt(self, block: int, at: int, why: str) -> TapeCorrupt:
        return TapeCorrupt(
            f"{self.path}: block {block} at byte {at} is damaged ({why}). The {block} blocks before it are readable; "
            "restore the file from a copy, or import the source again.",
            path=str(self.path),
            block=block,
            offset=at,
        )

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        return self.header.instruments

    @property
    def metadata(self) -> dict[str, Any]:
        return self.header.metadata

    @property
    def block_count(self) -> int:
        return len(self.starts)

    @property
    def first_received_ns(self) -> int:
        """0 on an empty tape."""
        return int(self.blocks["first_received_ns"][0]) if self.block_count else 0

    @property
    def last_received_ns(self) -> int:
        return int(self.blocks["last_received_ns"][-1]) if self.block_count else 0

    @property
    def whole_bytes(self) -> int:
        """Where the last whole block ends in the file."""
        return len(self._data) - self.torn_bytes

    @property
    def torn_events(self) -> int:
        """How many whole events, at most, the torn tail may have held."""
        return max(0, self.torn_bytes // EVENT_BYTES - 1)

    @property
    def data_sha256(self) -> str:
        """Identity of the content by header and block checksums, without reading the events."""
        digest = hashlib.sha256(self.header.crc.to_bytes(4, "little"))
        digest.update(self.blocks["count"].tobytes() + self.blocks["payload_crc"].tobytes())
        return digest.hexdigest()

    def events_sha256(self) -> str:
        """Identity of the events alone, however they were cut into blocks. Reads the whole file."""
        digest = hashlib.sha256()
        for events in self.events():
            digest.update(events.view(np.uint8).data)
        return digest.hexdigest()

    def events(self, start_block: int = 0, stop_block: int | None = None) -> Iterator[Slots]:
        """The events of each block, as views."""
        stop = self.block_count if stop_block is None else stop_block
        for start, count in zip(
            self.starts[start_block:stop].tolist(), self.blocks["count"][start_block:stop].tolist(), strict=True
        ):
            yield self.slots[start + 1 : start + 1 + count]

    def slot_of(self, sequence: int) -> int:
        """The slot of the event with this number; that of the end for `event_count`."""
        if not 0 <= sequence <= self.event_count:
            raise StorageError(f"{self.path} holds the events 0 to {self.event_count - 1}, not {sequence}")
        if sequence == self.event_count:
            return len(self.slots)
        block = int(np.searchsorted(self.blocks["first_sequence"], sequence, side="right")) - 1
        return int(self.starts[block]) + 1 + sequence - int(self.blocks["first_sequence"][block])

    def verify(self, start_block: int = 0, stop_block: int | None = None) -> None:
        """Check the events of some blocks against their checksums.

        The GIL is released during the sums: another thread can run ahead of a replay.
        """
        stop = self.block_count if stop_block is None else min(stop_block, self.block_count)
        for block in range(start_block, stop):
            at = self.header.first_slot_at + int(self.starts[block]) * EVENT_BYTES
            if not layout.payload_is_intact(self._data, at):
                raise self._corrupt(block, at, "its events do not carry their checksum")


def _mapped(path: Path) -> memoryview:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return memoryview(b"")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {explained(error)}", path=str(path)) from error
