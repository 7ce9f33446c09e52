"""The bytes of a tape: the file's header, the header of a block, and the walk from block to block.

A tape is one header, padded to a multiple of 64 bytes, then slots of 64 bytes: each block is a header slot and the
events that it counts. A block's header carries the checksum of its events, its own, and that of the file's header,
so a block of another tape is foreign here. docs/tape.md describes the same for readers in other languages.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamtrader.errors import ConfigError, LayoutChanged, StorageError, TapeCorrupt
from streamtrader.events import EVENT, EVENT_BYTES
from streamtrader.instruments import Instrument

MAGIC = b"\x89STAPE\n\x1a"  # not text, and a transfer that "mends" line ends breaks it at once
SCHEMA = 1
BLOCK_MAGIC = int.from_bytes(b"STBLOCK\xff", "little")  # as a double it is about -1e305: no price, no size
HEADER_LIMIT = 64 << 20  # bytes; no header is near it, a damaged length is
Slots = np.ndarray[Any, np.dtype[Any]]

_FILE_HEADER = struct.Struct("<8sIIII8x")  # magic, schema, header bytes, JSON bytes, checksum
_CHECKSUM_AT = 20
# The offsets are those of an event: `received_ns` means the same in both, and `kind` is 0.
BLOCK = np.dtype(
    [
        ("count", "<i8"),
        ("first_received_ns", "<i8"),
        ("magic", "<u8"),
        ("last_received_ns", "<i8"),
        ("payload_crc", "<u4"),
        ("tape_crc", "<u4"),
        ("crc", "<u4"),
        ("reserved", "<u4"),
        ("first_sequence", "<i8"),
        ("event_part", "<u8"),  # instrument, kind, side and flags of the slot: all 0
    ]
)
_BLOCK_HEADER = struct.Struct("<qqQqIIIIqQ")
_BLOCK_CRC_AT = 40
_MAGIC_AT = 16


@dataclass(frozen=True, slots=True)
class TapeHeader:
    """`crc` binds the blocks to this file; `first_slot_at` is the offset of the first slot in bytes."""

    instruments: tuple[Instrument, ...]
    metadata: dict[str, Any]
    first_slot_at: int
    crc: int


def event_layout() -> list[list[Any]]:
    """Name, type and offset of each field of an event, as the header describes them."""
    assert EVENT.fields is not None
    return [
        [name, field[0].str, int(field[1])] for name, field in EVENT.fields.items() if name in (EVENT.names or ())
    ]


def pack_header(instruments: Sequence[Instrument], metadata: dict[str, Any]) -> bytes:
    if sys.byteorder != "little":
        raise StorageError("tapes are little-endian and this machine is not; write them on another one")
    content = {
        "event": event_layout(),
        "instruments": [instrument.as_dict() for instrument in instruments],
        "metadata": metadata,
    }
    text = json.dumps(content, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()
    size = -(-(_FILE_HEADER.size + len(text)) // EVENT_BYTES) * EVENT_BYTES
    header = bytearray(size)
    _FILE_HEADER.pack_into(header, 0, MAGIC, SCHEMA, size, len(text), 0)
    header[_FILE_HEADER.size : _FILE_HEADER.size + len(text)] = text
    struct.pack_into("<I", header, _CHECKSUM_AT, zlib.crc32(header))
    return bytes(header)


def read_header(data: memoryview, path: Path) -> TapeHeader:
    """Read the header of a tape or say what the file is instead."""
    if len(data) == 0:
        raise TapeCorrupt(f"{path} is empty: not even the header of a tape is there. Delete it and record again.")
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise LayoutChanged(
            f"{path} is not a tape of streamtrader (it begins with {bytes(data[:8])!r}). "
            "Raw captures and dumps become tapes by `streamtrader data import`."
        )
    if len(data) < _FILE_HEADER.size:
        raise TapeCorrupt(f"{path}: the header is cut off after {len(data)} bytes. Delete the file and record again.")
    _, schema, size, text_size, crc = _FILE_HEADER.unpack_from(data)
    if schema > SCHEMA:
        raise LayoutChanged(
            f"{path} was written by a newer streamtrader (tape schema {schema}, this one reads {SCHEMA}). "
            "Update streamtrader to read it."
        )
    is_sane = size % EVENT_BYTES == 0 and _FILE_HEADER.size + text_size <= size <= min(len(data), HEADER_LIMIT)
    if not is_sane or zlib.crc32(bytes(4).join((data[:_CHECKSUM_AT], data[_CHECKSUM_AT + 4 : size]))) != crc:
        raise TapeCorrupt(
            f"{path}: the header is damaged or cut off (bytes 0 to {size} do not carry their checksum). "
            "Without it the instruments are unknown: restore the file from a copy."
        )
    content = json.loads(bytes(data[_FILE_HEADER.size : _FILE_HEADER.size + text_size]))
    if content["event"] != event_layout():
        raise LayoutChanged(
            f"{path}: its events have other fields than this streamtrader's. Import the source again."
        )
    try:
        instruments = tuple(Instrument.from_dict(values) for values in content["instruments"])
    except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError, ConfigError) as error:
        raise LayoutChanged(
            f"{path}: its instruments cannot be understood ({error}). Import the source again."
        ) from error
    return TapeHeader(instruments, content["metadata"], size, crc)


def pack_block_header(events: Slots, *, first_sequence: int, tape_crc: int) -> bytearray:
    """The header slot of a block that holds `events`, which must be contiguous."""
    header = bytearray(EVENT_BYTES)
    first_ns, last_ns = int(events["received_ns"][0]), int(events["received_ns"][-1])
    payload_crc = zlib.crc32(events.view(np.uint8).data)
    _BLOCK_HEADER.pack_into(
        header, 0, len(events), first_ns, BLOCK_MAGIC, last_ns, payload_crc, tape_crc, 0, 0, first_sequence, 0
    )
    struct.pack_into("<I", header, _BLOCK_CRC_AT, zlib.crc32(header))
    return header


def is_block_header(data: memoryview, at: int, tape_crc: int) -> bool:
    """Whether the 64 bytes at an offset are the intact header of a block of this tape."""
    header = bytearray(data[at : at + EVENT_BYTES])
    if len(header) < EVENT_BYTES:
        return False
    _, _, magic, _, _, salt, crc, _, _, _ = _BLOCK_HEADER.unpack(header)
    header[_BLOCK_CRC_AT : _BLOCK_CRC_AT + 4] = bytes(4)
    return bool(magic == BLOCK_MAGIC and salt == tape_crc and crc == zlib.crc32(header))


@dataclass(frozen=True, slots=True)
class Walk:
    """Where the block headers are (offsets in bytes), where the last whole block ends, how many events there are."""

    offsets: list[int]
    end: int
    event_count: int


def walk(data: memoryview, header: TapeHeader) -> Walk:
    """Step from header to header until one is missing, damaged or promises more than the file holds."""
    offsets: list[int] = []
    at, sequence = header.first_slot_at, 0
    unpack, file_end = _BLOCK_HEADER.unpack_from, len(data)
    while at + EVENT_BYTES <= file_end and is_block_header(data, at, header.crc):
        fields = unpack(data, at)
        count, first_sequence = fields[0], fields[8]
        end = at + (count + 1) * EVENT_BYTES
        if first_sequence != sequence or count < 1 or end > file_end:
            break
        offsets.append(at)
        at, sequence = end, sequence + count
    return Walk(offsets, at, sequence)


def later_block_at(data: memoryview, after: int, tape_crc: int) -> int:
    """Offset of an intact block header beyond `after`, or -1: what tells damage in the middle from a torn tail.

    Any offset is looked at, not only whole slots: where bytes were lost in the middle nothing after is aligned.
    """
    mark = struct.pack("<Q", BLOCK_MAGIC)
    window, start = 1 << 24, after + 1 + _MAGIC_AT
    while start < len(data):
        piece = bytes(data[start : start + window + len(mark) - 1])
        found = piece.find(mark)
        while found >= 0:
            at = start + found - _MAGIC_AT
            if is_block_header(data, at, tape_crc):
                return at
            found = piece.find(mark, found + 1)
        start += window
    return -1


def payload_is_intact(data: memoryview, at: int) -> bool:
    """Whether the events of the block whose header is at an offset carry their checksum. Releases the GIL."""
    fields = _BLOCK_HEADER.unpack_from(data, at)
    return bool(zlib.crc32(data[at + EVENT_BYTES : at + (fields[0] + 1) * EVENT_BYTES]) == fields[4])
