"""The ring: many levels at once are the same bytes as one by one, wherever its end lies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.events import ASK, MORE, Kind
from streamtrader.kernel.ring import Ring

LEVELS = [(100.0 + index / 10, float(index)) for index in range(7)]


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("before", [0, 3, 6, 7, 8])
def test_levels_written_at_once_are_the_same_bytes(count, before):
    rings = Ring(8), Ring(8)
    for ring in rings:
        ring.written = before
    levels = LEVELS[:count]

    rings[0].write_levels(Kind.BOOK, 3, ASK, (MORE, 0), (5, 6), levels, 9)
    for index, (price, size) in enumerate(levels):
        flags = MORE if index < count - 1 else 0
        rings[1].write(Kind.BOOK, 3, ASK, flags, 5, 6, price, size, id=9)

    assert rings[1].events.tobytes() == rings[0].events.tobytes()
    assert rings[1].written == rings[0].written == before + count


@given(steps=st.lists(st.tuples(st.sampled_from(["write", "play", "tape"]), st.integers(0, 5)), max_size=40))
def test_what_is_remembered_of_the_room_never_promises_too_much(steps):
    ring = Ring(8)

    for step, count in steps:
        free = 8 - (ring.written - min(ring.played, ring.taped))
        assert [ring.has_room(rows) for rows in range(10)] == [rows <= free for rows in range(10)]
        if step == "write" and ring.has_room(count):
            ring.written += count
        elif step == "play":
            ring.played = min(ring.played + count, ring.written)
        elif step == "tape":
            ring.taped = min(ring.taped + count, ring.played)
