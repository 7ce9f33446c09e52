"""Every file of every recorded venue, given to every adapter, its own and the others: counted, never raised, never untrue."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from tests.venues.seeds import SEEDS
from tests.venues.streamed import NOW_NS, is_sane
from tests.venues.test_mutations import warm_venue

FRAMES_A_FILE = 200  # of the long ones; their own venues' tests read them whole


def pieces(path: Path) -> Iterator[bytes]:
    """A file whole and, where it has lines, line by line: as text of the wire, bare of clocks, and with them."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    elif path.suffix == ".zst":
        content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
    if len(content) < 1 << 16:
        yield content
    for line in content.splitlines()[:FRAMES_A_FILE]:
        yield line
        yield line[line.find(b"{") :]
        if b'"data": "' in line or b'"data":"' in line:
            yield line[line.find(b'"data"') + 8 : -2].replace(b'\\"', b'"')


@pytest.mark.parametrize("name", SEEDS)
def test_frames_of_all_venues_are_read_or_counted_by_each_adapter(shared_data, name):
    venue, ring = warm_venue(name, SEEDS[name][0], is_fast=name == "binance")
    before = venue.counters.frames
    given = 0
    for path in sorted((shared_data / "wire").rglob("*")):
        if not path.is_file():
            continue
        for frame in pieces(path):
            if ring.free < venue.rows_of_frame(frame):
                ring.played = ring.taped = ring.written
            if venue.rows_of_frame(frame) > len(ring.events):
                continue
            start = ring.written
            venue.decode(frame, NOW_NS, ring)
            given += 1
            is_sane(ring, start, venue)
    assert given > 5_000
    assert venue.counters.faults == 0, venue.counters.last_error
    assert venue.counters.frames - before == given
