"""Time: an order meets the book as it is when it arrives, and nobody hears of a fill before its answer is here."""

from __future__ import annotations

import pytest

from streamtrader.events import ASK, BUY, SELL
from streamtrader.kernel.orders import OrderState
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.runtime.assembly import Terms
from tests.kernel.play import MS, planned, run
from tests.kernel.players import ORDER
from tests.simulator.scenes import beats, scene


@pytest.mark.parametrize(("changed_ms", "ticks"), [(10, 10_300), (20.999, 10_300), (21, 10_100), (30, 10_100)])
def test_an_order_meets_the_book_as_of_its_arrival(changed_ms, ticks):
    """Sent at 1 ms, it arrives at 21 ms: before an event of that very moment."""
    script = beats(scene(), 1).at(changed_ms)
    script.message([(ASK, 101.0, 0.0), (ASK, 102.0, 0.0), (ASK, 103.0, 1.0)])

    outcome = run(beats(script, 60), lambda: planned((1, ORDER, BUY, 0.5)))

    assert outcome.fills() == [(31.0, ticks, 500)]


def test_a_strategy_hears_of_a_fill_after_the_way_back_and_holds_nothing_before():
    outcome = run(beats(scene(), 1, 20, 25, 30, 31, 40), lambda: planned((1, ORDER, BUY, 0.5)))

    ((_, at_ms, price, size, position, cash),) = outcome.seen(6)
    assert (at_ms, price, size, position) == (31.0, 101.0, 0.5, 500.0)
    assert cash == outcome.seat.cash


def test_position_and_cash_do_not_move_before_the_answer():
    outcome = run(beats(scene(), 1, 30), lambda: planned((1, ORDER, BUY, 0.5)))

    assert outcome.fills() == []
    assert (outcome.seat.position_lots, outcome.seat.cash) == (0, 100_000.0)
    assert outcome.seat.working_buy_lots == 500


def test_a_resting_order_is_acknowledged_after_both_ways():
    outcome = run(beats(scene(), 1, 40), lambda: planned((1, ORDER, BUY, 0.5, 100.0)))

    (seen,) = outcome.seen(7)
    assert seen[:4] == (7, 31.0, float(OrderState.ACCEPTED), 0.0)


def test_without_latency_an_order_still_cannot_meet_the_event_that_follows():
    terms = Terms(cash_quote=100_000.0, up_latency_ns=0, down_latency_ns=0)
    script = beats(scene(), 1).at(2).message([(ASK, 101.0, 0.0), (ASK, 102.0, 0.5)])

    outcome = run(beats(script, 3), lambda: planned((1, ORDER, BUY, 0.5)), terms=terms)

    assert outcome.fills() == [(1.0, 10_100, 500)]


def test_a_maker_hears_of_its_fill_after_the_way_back_only():
    script = beats(scene(), 1, 30).at(40).trade(99.0, 0.5, SELL)

    outcome = run(beats(script, 45, 49, 55), lambda: planned((1, ORDER, BUY, 0.5, 100.0)))

    assert [line[1] for line in outcome.seen(6)] == [50.0]


def test_answers_due_before_the_timer_come_before_it_and_time_never_runs_backwards():
    script = beats(scene(), 995, 1010, 2500, 2600)

    outcome = run(script, lambda: planned((995, ORDER, BUY, 0.5), (1010, ORDER, SELL, 0.5)))

    assert [(line[0], line[1]) for line in outcome.seen()] == [(8, 1000.0), (6, 1025.0), (6, 1040.0), (8, 2000.0)]


def test_each_step_of_an_order_is_said_at_its_own_time():
    outcome = run(beats(scene(), 1, 60), lambda: planned((1, ORDER, BUY, 0.5)))

    start_ns = outcome.strategy.start_ns
    said = [(OutboxKind(row["kind"]), (row["at_ns"] - start_ns) / MS) for row in outcome.said]
    assert said == [(OutboxKind.INTENT, 1.0), (OutboxKind.SENT, 1.0), (OutboxKind.FILLED, 31.0)]
