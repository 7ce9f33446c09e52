"""What the engine says is bounded, and nothing of it is ever dropped in silence."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrader.errors import EngineStopped
from streamtrader.kernel.outbox import OUTBOX_SLOTS
from streamtrader.runtime.assembly import Placement, Terms
from tests.kernel.play import Script, engine_of, play
from tests.kernel.players import Maker


def busy():
    """Each move of the touches makes 24 seats take back two orders and ask for two others."""
    script = Script()
    for at in range(300):
        script.at(at * 100).quotes(100.0 + at % 2, 1e6, 102.0 + at % 2, 1e6)
    placements = [Placement(Maker(0.1), 0) for _ in range(24)]
    return engine_of(placements, Terms(cash_quote=1e6)), script.events()


def test_the_loop_pauses_while_half_of_the_rows_wait_and_loses_none():
    engine, events = busy()
    often, _ = busy()

    paused_at = engine.play(events, -1, 0, len(events))
    first = engine.drain()
    rest = play(engine, events, start=paused_at)
    said = play(often, events, cuts=range(0, len(events), 20))

    assert 0 < paused_at < len(events)
    assert OUTBOX_SLOTS // 2 < len(first) < OUTBOX_SLOTS
    assert np.concatenate([first, rest]).tobytes() == said.tobytes()
    assert np.array_equal(said["sequence"], np.arange(len(said)))


def test_without_anybody_who_takes_the_rows_the_loop_stands_still():
    engine, events = busy()

    paused_at = engine.play(events, -1, 0, len(events))

    assert engine.play(events, -1, paused_at, len(events)) == paused_at


@pytest.mark.slow
def test_a_row_that_finds_no_place_is_counted_and_stops_the_engine():
    engine, _ = busy()
    outbox = engine.outbox[0]

    for _ in range(OUTBOX_SLOTS + 3):
        outbox.put(1, 0, 0, 0, 0, 0, 0, 0, 0, 0.0)

    assert (outbox.written, outbox.lost) == (OUTBOX_SLOTS, 3)
    with pytest.raises(EngineStopped, match="3 outbox rows were lost"):
        engine.drain()


def test_rows_are_taken_once_and_in_order_also_where_the_buffer_wraps():
    engine, _ = busy()
    outbox, taken = engine.outbox[0], []
    outbox.written = outbox.drained = OUTBOX_SLOTS - 7

    for order in range(20):
        outbox.put(1, 0, 0, order, 0, 0, 0, 0, 0, 0.0)
        if order % 3 == 2:
            taken += engine.drain()["order"].tolist()
    taken += engine.drain()["order"].tolist()

    assert taken == list(range(20))
    assert len(engine.drain()) == 0
