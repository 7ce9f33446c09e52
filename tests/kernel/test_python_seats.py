"""A plain Python strategy ends in the same seat as its compiled twin, and can do no more harm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from streamtrader.events import ASK, BUY
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.runtime.assembly import Placement, Terms
from streamtrader.strategies.strategy import PythonStrategy
from tests.kernel.market import WALKS, events_of
from tests.kernel.play import SECOND, Outcome, engine_of, planned, play
from tests.kernel.players import (
    ORDER,
    Candler,
    Maker,
    Planned,
    PythonCandler,
    PythonClumsy,
    PythonMaker,
    PythonPlanned,
    PythonTaker,
    Taker,
)
from tests.simulator.scenes import beats, scene

TERMS = Terms(cash_quote=2_000.0, candle_ns=SECOND)
TWINS = {Taker: PythonTaker, Maker: PythonMaker, Candler: PythonCandler}


def seats_and_rows(classes, events):
    """Two of each on the first instrument, one on the second."""
    placements = [Placement(cls(), instrument) for cls in classes for instrument in (0, 0, 1)]
    engine = engine_of(placements, TERMS)
    said = play(engine, events)
    return engine.state.seats.tobytes(), said


@settings(max_examples=25)
@given(WALKS)
@pytest.mark.slow
def test_python_strategies_end_in_the_seats_of_their_compiled_twins(walk):
    events = events_of(walk)

    compiled_seats, compiled_rows = seats_and_rows(TWINS, events)
    python_seats, python_rows = seats_and_rows(TWINS.values(), events)

    assert compiled_rows.tobytes() == python_rows.tobytes()
    assert compiled_seats == python_seats


@settings(max_examples=10)
@given(WALKS)
@pytest.mark.slow
def test_python_and_compiled_strategies_share_a_feed(walk):
    events = events_of(walk)

    compiled_seats, compiled_rows = seats_and_rows([Taker, Maker, Candler], events)
    mixed_seats, mixed_rows = seats_and_rows([Taker, PythonMaker, Candler], events)

    assert compiled_rows.tobytes() == mixed_rows.tobytes()
    assert compiled_seats == mixed_seats


def test_python_strategies_are_told_the_same_things_at_the_same_times():
    script = beats(scene(), 1, 40).at(50).trade(100.5, 0.2, BUY)
    script.at(995).trade(100.5, 0.2, BUY)
    events = beats(script, 1_100, 2_400, 2_500, 4_000).events()
    plan = [(1, ORDER, BUY, 0.5), (40, ORDER, BUY, 0.1, 99.5), (995, ORDER, BUY, 0.1)]
    original = planned(*plan)

    told = PythonPlanned()
    told.twin = planned(*plan)
    engine = engine_of([Placement(original, 0), Placement(told, 0)], TERMS)
    play(engine, events)

    compiled = engine.strategy_boxes[0][0]
    assert isinstance(original, Planned)
    assert {5.0, 6.0, 7.0, 8.0} == set(compiled.seen[: int(compiled.seen_count), 0].tolist())
    assert np.array_equal(compiled.seen, told.twin.seen)


def test_one_that_raises_is_halted_and_the_engine_goes_on():
    script = scene()
    for at in range(1, 9):
        script.at(at * 40).trade(100.5, 0.01, BUY).level(ASK, 101.0, 1.0)
    placements = [Placement(PythonClumsy(3), 0), Placement(PythonTaker(2), 0), Placement(Taker(2), 0)]
    engine = engine_of(placements, Terms(cash_quote=1e5))

    outcome = Outcome(engine, play(engine, script.events()))

    (failed,) = outcome.rows(OutboxKind.FAILED)
    assert failed["code"] == Refusal.STRATEGY_FAILED
    clumsy, *others = engine.state.seats
    assert (clumsy.halted, clumsy.failure_count) == (Refusal.STRATEGY_FAILED, 5)
    assert all(seat.halted == 0 and seat.fill_count > 0 for seat in others)
    assert engine.state.clock[0].event_count == len(script.rows)


class Leaving(PythonStrategy):
    """Asks the whole program to end."""

    def on_trade(self, trade, broker):
        raise KeyboardInterrupt


def test_an_interrupt_from_the_keyboard_is_no_failure_of_the_strategy():
    engine = engine_of([Placement(Leaving(), 0)])

    with pytest.raises(KeyboardInterrupt):
        play(engine, scene().at(1).trade(100.0, 1.0, BUY).events())

    assert engine.state.seats[0].failure_count == 0
