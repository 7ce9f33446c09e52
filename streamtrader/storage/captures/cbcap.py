"""CBCAP1: a header line `CBCAP1 <venue> <symbol> <start ns>`, then `<ns> <byte count>`, a line break, the bytes, one more.

The bytes are exactly those of the wire, whatever they hold. A file that breaks off gives every whole frame before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from streamtrader.storage.captures.line import CaptureLine, ns_of

MAGIC = b"CBCAP1 "
FRAME_BYTES_MOST = 64 << 20
HEAD_BYTES_MOST = 64


def venue_of(header: bytes) -> str:
    """The venue that the header names."""
    words = header.split()
    return words[1].decode(errors="replace") if len(words) > 1 else ""


def read_cbcap(file: BinaryIO) -> Iterator[CaptureLine]:
    """Its frames; the header line was read already. Damage ends the file with one entry that says so."""
    number = 0
    while head := file.readline(HEAD_BYTES_MOST):
        number += 1
        clock, _, count = head.strip().partition(b" ")
        received_ns = ns_of(clock)
        if not received_ns or not head.endswith(b"\n") or not count.isdigit() or int(count) > FRAME_BYTES_MOST:
            yield CaptureLine(number, 0, b"", "no `<ns> <byte count>` where a frame should begin; the rest is lost")
            return
        text = file.read(int(count))
        if len(text) < int(count) or file.read(1) != b"\n":
            yield CaptureLine(number, 0, b"", "the file breaks off in the middle of a frame")
            return
        yield CaptureLine(number, received_ns, text)
