"""Whatever bytes arrive at any venue: `decode` does not raise, is never at fault, and writes only what can be true.

`STREAMTRADER_MUTATIONS=2000000` (or `nox -s mutate`) makes a campaign of the short variant that the suite runs.
"""

from __future__ import annotations

import os
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.events import MORE, BookState
from streamtrader.kernel.ring import Ring
from streamtrader.venues.registry import VENUES, listing_of
from streamtrader.venues.venue import Venue
from tests.venues.frames import compiled_scanner
from tests.venues.mutator import mutated
from tests.venues.seeds import SEEDS, Seeds
from tests.venues.streamed import NOW_NS, instruments_of, is_sane

COUNT = int(os.environ.get("STREAMTRADER_MUTATIONS", "3000"))
BATCH = 64  # messages between two adapters: a broken book must not stay broken for the whole campaign
CASES = [
    pytest.param(name, seeds, id=f"{name}-{seeds.kind or index}{'' if seeds.has_books else '-partial'}")
    for name in VENUES
    for index, seeds in enumerate(SEEDS.get(name, []))
]


def warm_venue(name: str, seeds: Seeds, *, is_fast: bool = True) -> tuple[Venue, Ring]:
    """An adapter that has read all the seeds."""
    listing = listing_of(name)
    kind = seeds.kind or listing.kinds[0]
    scanner = compiled_scanner() if is_fast and name == "binance" else None
    instruments = instruments_of(name, seeds.symbols, kind, seeds.steps)
    venue = listing.make_for_capture(instruments, kind, has_books=seeds.has_books, scanner=scanner)
    ring = Ring(1 << 14)
    venue.connected(NOW_NS, ring)
    for frame in seeds.frames:
        venue.decode(frame, NOW_NS, ring)
        answer(venue, ring, seeds)
    return venue, ring


def answer(venue: Venue, ring: Ring, seeds: Seeds) -> None:
    for request in venue.requests():
        assert seeds.answer is not None
        venue.respond(request, 200, seeds.answer(request), NOW_NS, ring)


def faults(venue: Venue) -> tuple[int, str]:
    return venue.counters.faults, venue.counters.last_error


def test_every_registered_venue_has_seeds():
    assert set(SEEDS) == set(VENUES)


@pytest.mark.parametrize(("name", "seeds"), CASES)
def test_the_seeds_are_frames_of_the_venue(name, seeds):
    venue, ring = warm_venue(name, seeds)

    assert (venue.counters.rejected, venue.counters.unknown, faults(venue)[0]) == (0, 0, 0), venue.counters.last_error
    assert venue.book_state(0) == BookState.LIVE
    is_sane(ring, 0, venue)


def feed(venue: Venue, ring: Ring, frame: bytes, seeds: Seeds, now_ns: int = NOW_NS) -> None:
    """One frame, and what a connection does after it."""
    start = ring.written
    venue.decode(frame, now_ns, ring)
    assert ring.written - start <= venue.rows_of_frame(frame) + 3 * len(seeds.symbols)
    if ring.written > start:
        assert not ring.events[(ring.written - 1) & ring.mask]["flags"] & MORE, frame
    for message in venue.outgoing(now_ns):
        assert isinstance(message, bytes)
    assert faults(venue)[0] == 0, (faults(venue), frame)
    answer(venue, ring, seeds)


@pytest.mark.parametrize(("name", "seeds"), CASES)
@pytest.mark.slow
def test_mutated_frames_never_raise_and_never_write_nonsense(name, seeds):
    seed = int.from_bytes(os.urandom(4), "little") if COUNT > 100_000 else 7
    random, share = Random(seed), max(1, COUNT // len(CASES))
    for done in range(0, share, BATCH):
        venue, ring = warm_venue(name, seeds, is_fast=done % (2 * BATCH) == 0)
        start = ring.written
        for step in range(min(BATCH, share - done)):
            frame = mutated(random.choice(seeds.frames), random)
            feed(venue, ring, frame, seeds, NOW_NS + step * 3_000_000_000)
            if ring.free < 8_192:
                is_sane(ring, start, venue)
                ring.played = ring.taped = start = ring.written
        is_sane(ring, start, venue)


@pytest.mark.parametrize(("name", "seeds"), CASES)
@given(changes=st.integers(0, 2**64), order=st.lists(st.integers(0, 99), min_size=1, max_size=6))
def test_hypothesis_finds_no_order_of_frames_that_breaks_an_adapter(name, seeds, changes, order):
    random = Random(changes)
    venue, ring = warm_venue(name, seeds, is_fast=False)
    start = ring.written

    for number in order:
        frame = seeds.frames[number % len(seeds.frames)]
        feed(venue, ring, mutated(frame, random) if number % 2 else frame, seeds)

    is_sane(ring, start, venue)


@pytest.mark.parametrize(("name", "seeds"), CASES)
@given(frame=st.binary(max_size=200))
def test_any_bytes_at_all_are_survived(name, seeds, frame):
    venue, ring = warm_venue(name, seeds, is_fast=False)

    feed(venue, ring, frame, seeds)


DEEP = 100_000
HOSTILE = {
    "deep lists": b"[" * DEEP,
    "deep closed lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"data":' * DEEP + b"1" + b"}" * DEEP,
    "a page": b"<html><body>502 Bad Gateway</body></html>",
    "nothing": b"",
    "null": b"null",
    "a byte": b"\xff",
    "an empty object": b"{}",
    "an empty list": b"[]",
    "a list of lists": b"[[],[[]],{}]",
}


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize(("name", "seeds"), CASES)
def test_hostile_frames_are_counted_and_write_nothing(name, seeds, what):
    venue, ring = warm_venue(name, seeds)
    written, counters = ring.written, venue.counters
    before = counters.rejected + counters.unknown + counters.notices

    feed(venue, ring, HOSTILE[what], seeds)

    assert ring.written == written
    counters = venue.counters
    assert counters.rejected + counters.unknown + counters.notices == before + 1


@pytest.mark.parametrize(("name", "seeds"), CASES)
def test_seeds_that_are_cut_anywhere_are_survived(name, seeds):
    venue, ring = warm_venue(name, seeds, is_fast=False)
    for frame in seeds.frames:
        for end in range(len(frame)):
            feed(venue, ring, frame[:end], seeds)
            ring.played = ring.taped = ring.written
