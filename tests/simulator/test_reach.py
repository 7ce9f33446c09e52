"""What a venue with resting orders is not shown would have changed nothing there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from streamtrader.events import ASK, BID, BUY, EVENT, SELL, Kind
from streamtrader.runtime.assembly import Placement, Terms
from streamtrader.simulator.queue import Queue
from streamtrader.simulator.reach import Reach
from streamtrader.simulator.resting import Resting
from tests.kernel.market import WALKS, events_of
from tests.kernel.play import SECOND, engine_of, play, states
from tests.kernel.players import Juggler, Maker, Taker


def event(kind, side):
    row = np.zeros(1, EVENT)[0]
    row["kind"], row["side"] = kind, side
    return row


def reach_of(*orders):
    reach = Reach()
    for side, ticks in orders:
        order = Resting()
        order.side, order.ticks = side, ticks
        reach.add(order)
    return reach


@pytest.mark.parametrize(
    ("kind", "side", "ticks", "is_held"),
    [
        (Kind.BOOK, BID, 90, True),  # its own level
        (Kind.BOOK, BID, 95, True),  # between two of its own
        (Kind.BOOK, BID, 101, False),
        (Kind.BOOK, BID, 89, False),
        (Kind.BOOK, BID, 110, True),  # reaches the lowest ask
        (Kind.BOOK, ASK, 111, False),
        (Kind.BOOK, ASK, 100, True),  # reaches the highest bid
        (Kind.TRADE, SELL, 100, True),
        (Kind.TRADE, SELL, 101, False),
        (Kind.TRADE, BUY, 109, False),
        (Kind.TRADE, BUY, 112, True),
        (Kind.QUOTE, 0, 105, True),
    ],
)
def test_rows_that_touch_no_order_are_passed_over(kind, side, ticks, is_held):
    reach = reach_of((BUY, 90), (BUY, 100), (SELL, 110))

    assert bool(reach.holds(event(kind, side), ticks)) is is_held


def test_no_order_is_touched_by_nothing_and_all_by_everything():
    reach = Reach()
    rows = [event(kind, side) for kind in (Kind.BOOK, Kind.TRADE) for side in (0, 1)]

    assert not any(reach.holds(row, 100) for row in rows)
    reach.take_all()
    assert all(reach.holds(row, 100) for row in rows)


@pytest.mark.parametrize("queue", list(Queue), ids=lambda queue: queue.name)
@settings(max_examples=12)
@given(WALKS)
@pytest.mark.slow
def test_a_venue_that_sees_every_row_ends_in_the_same_bytes(queue, walk):
    """However the orders stand, lapse, wait for triggers or are amended."""
    terms = Terms(cash_quote=2_000.0, candle_ns=SECOND, queue=int(queue), emulated=("iceberg",), self_trade=2)
    placements = [Placement(Maker(), 0), Placement(Juggler(), 0), Placement(Taker(3), 1), Placement(Juggler(0.5), 1)]
    events = events_of(walk)
    reference = engine_of(placements, terms)
    said = play(reference, events)

    everything = engine_of(placements, terms, interpreted=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reach, "holds", lambda *_: True)
        all_said = play(everything, events)

    assert said.tobytes() == all_said.tobytes()
    assert states(reference) == states(everything)
