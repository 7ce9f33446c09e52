"""Orders that rest: their place in the queue, what fills them, and when they are gone."""

from __future__ import annotations

import pytest

from streamtrader.events import ASK, BID, BUY, SELL, Kind
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.runtime.assembly import Terms
from streamtrader.simulator.queue import Queue
from tests.kernel.play import Script, planned, run
from tests.kernel.players import AMEND, CANCEL, ORDER, QUOTE
from tests.simulator.scenes import beats, scene

BUY_AT_100 = (1, ORDER, BUY, 0.5, 100.0)


def resting(script=None):
    """The bid of 0.5 at 100 reaches the venue at 21 ms, behind the 1.0 displayed there."""
    return beats(script or scene(), 1, 30)


def test_an_order_queues_behind_what_is_displayed_and_is_filled_in_parts():
    script = resting()
    script.at(40).trade(100.0, 0.6, SELL).at(50).trade(100.0, 0.6, SELL).at(60).trade(100.0, 1.0, SELL)

    outcome = run(beats(script, 100), lambda: planned(BUY_AT_100))

    assert outcome.fills() == [(60.0, 10_000, 200), (70.0, 10_000, 300)]
    assert (outcome.rows(OutboxKind.FILLED)["code"] == 0).all()
    assert outcome.seat.partial_fill_count == 2
    assert outcome.seat.taker_fill_count == 0


def test_what_one_own_order_got_of_a_trade_moves_nobody_behind_it():
    """0.4 stand before both: of a trade of 0.6 the first order gets 0.2, the second one, behind 0.5 of the first, nothing."""
    plan = planned((1, ORDER, BUY, 0.5, 100.0), (2, ORDER, BUY, 0.5, 100.0))
    script = beats(scene(), 1, 2, 30).at(35).level(BID, 100.0, 0.4).at(40).trade(100.0, 0.6, SELL)
    script.at(50).trade(100.0, 0.4, SELL)

    outcome = run(beats(script, 100), lambda: plan)

    assert outcome.rows(OutboxKind.FILLED)[["order", "lots"]].tolist() == [(1, 200), (1, 300), (2, 100)]


def test_a_better_own_order_is_filled_before_an_older_one_at_a_worse_price():
    plan = planned((1, ORDER, BUY, 0.5, 100.3), (2, ORDER, BUY, 0.2, 100.5), (2, ORDER, SELL, 0.5, 100.9))
    script = beats(scene(), 1, 2, 30).at(40).trade(100.3, 0.3, SELL).at(50).trade(100.9, 0.1, BUY)

    outcome = run(beats(script, 100), lambda: plan)

    assert outcome.rows(OutboxKind.FILLED)[["order", "lots"]].tolist() == [(2, 200), (1, 100), (3, 100)]


def test_an_order_that_was_amended_stands_behind_its_equals():
    plan = planned(
        (1, ORDER, BUY, 0.2, 100.3), (1, ORDER, BUY, 0.2, 100.4), (2, ORDER, BUY, 0.2, 100.4), (40, AMEND, 1, 0.3, 100.4),
    )  # fmt: skip
    script = beats(scene(), 1, 2, 30, 40, 70).at(80).trade(100.3, 0.6, SELL)

    outcome = run(beats(script, 100), lambda: plan)

    assert outcome.rows(OutboxKind.FILLED)[["order", "lots"]].tolist() == [(3, 200), (2, 300), (1, 100)]


def test_an_order_at_an_empty_level_is_first_in_its_queue():
    script = beats(scene(), 1, 30).at(40).trade(100.5, 0.2, SELL)

    outcome = run(beats(script, 100), lambda: planned((1, ORDER, BUY, 0.5, 100.5)))

    assert outcome.fills() == [(50.0, 10_050, 200)]


def test_trades_of_the_other_aggressor_do_nothing():
    script = resting().at(40).trade(100.0, 9.0, BUY)

    outcome = run(beats(script, 100), lambda: planned(BUY_AT_100))

    assert outcome.fills() == []


def test_a_trade_that_counts_as_volume_only_fills_nobody():
    script = resting().at(40).trade(99.5, 9.0, SELL, is_volume_only=True).at(50).trade(99.5, 0.3, SELL)

    outcome = run(beats(script, 100), lambda: planned(BUY_AT_100))

    assert outcome.fills() == [(60.0, 10_000, 300)]


def test_a_trade_through_the_price_fills_no_more_than_was_traded():
    script = resting().at(40).trade(99.5, 0.3, SELL)

    outcome = run(beats(script, 100), lambda: planned(BUY_AT_100))

    assert outcome.fills() == [(50.0, 10_000, 300)]


def test_two_own_orders_share_one_trade_in_the_order_of_their_arrival():
    plan = planned((1, ORDER, BUY, 0.2, 100.5), (2, ORDER, BUY, 0.5, 100.5))
    script = beats(scene(), 1, 2, 30).at(40).trade(100.5, 0.3, SELL)

    outcome = run(beats(script, 100), lambda: plan)

    assert outcome.rows(OutboxKind.FILLED)[["order", "lots"]].tolist() == [(1, 200), (2, 100)]


def test_the_queue_is_never_longer_than_what_is_displayed():
    script = resting().at(40).level(BID, 100.0, 0.2).at(50).trade(100.0, 0.3, SELL)

    outcome = run(beats(script, 100), lambda: planned(BUY_AT_100))

    assert outcome.fills() == [(60.0, 10_000, 100)]


def test_those_who_come_later_stand_behind():
    script = resting().at(40).level(BID, 100.0, 5.0).at(50).trade(100.0, 1.3, SELL)

    outcome = run(beats(script, 100), lambda: planned(BUY_AT_100))

    assert outcome.fills() == [(60.0, 10_000, 300)]


def test_a_decrease_that_trades_explain_is_no_cancel():
    """0.6 trades and the level shrinks by 0.6: we moved up once, not twice, also where cancels count."""
    script = resting().at(40).trade(100.0, 0.6, SELL).at(41).level(BID, 100.0, 0.4).at(50).trade(100.0, 0.4, SELL)

    outcome = run(beats(script, 100), lambda: planned(BUY_AT_100), terms=Terms(queue=Queue.POWER, queue_power=1.0))

    assert outcome.fills() == []


def test_a_displayed_ask_at_the_price_fills_no_more_than_it_shows():
    script = resting().at(40).message([(BID, 100.0, 0.0), (ASK, 100.0, 0.2)])

    outcome = run(beats(script, 100), lambda: planned(BUY_AT_100))

    assert outcome.fills() == [(50.0, 10_000, 200)]


def test_a_quote_of_a_best_quote_feed_that_reaches_the_price_fills_too():
    script = Script().at(0).add(Kind.QUOTE, 100.0, 1.0, 101.0, 1.0).at(1).trade(100.5, 0.1, BUY)
    script.at(30).add(Kind.QUOTE, 99.0, 1.0, 99.5, 0.3).at(100).trade(99.4, 0.1, BUY)

    outcome = run(script, lambda: planned(BUY_AT_100))

    assert outcome.fills() == [(40.0, 10_000, 300)]


def test_makers_pay_the_makers_fee():
    script = resting().at(40).trade(99.0, 0.5, SELL)

    outcome = run(beats(script, 100), lambda: planned(BUY_AT_100))

    assert outcome.seat.fees == pytest.approx(50.0 * 1e-4, rel=1e-12)
    assert outcome.seat.cash == pytest.approx(100_000 - 50.0 * 1.0001, rel=1e-12)


def test_a_cancel_that_is_slower_than_the_fill_finds_nothing():
    """Asked at 100, at the venue at 120; the trade comes at 110."""
    script = beats(resting(), 100).at(110).trade(100.0, 2.0, SELL)

    outcome = run(beats(script, 200), lambda: planned(BUY_AT_100, (100, CANCEL, 0, 1)))

    assert outcome.fills() == [(120.0, 10_000, 500)]
    assert len(outcome.rows(OutboxKind.CANCELLED)) == 0
    assert outcome.seat.blotter.count == 0


def test_a_cancel_that_is_faster_than_the_trade_ends_the_order():
    script = beats(resting(), 100).at(125).trade(100.0, 2.0, SELL)

    outcome = run(beats(script, 200), lambda: planned(BUY_AT_100, (100, CANCEL, 0, 1)))

    (cancelled,) = outcome.rows(OutboxKind.CANCELLED)
    assert outcome.fills() == []
    assert (cancelled["at_ns"] - script.events()["received_ns"][0]) == 130_000_000
    assert outcome.seat.working_buy_lots == 0


def test_a_cancel_may_win_only_the_rest():
    script = beats(resting(), 100).at(110).trade(100.0, 1.2, SELL).at(125).trade(100.0, 2.0, SELL)

    outcome = run(beats(script, 200), lambda: planned(BUY_AT_100, (100, CANCEL, 0, 1)))

    assert outcome.fills() == [(120.0, 10_000, 200)]
    assert outcome.rows(OutboxKind.CANCELLED)["lots"].tolist() == [300]


def test_a_quote_in_ticks_rests_post_only():
    script = beats(scene(), 1, 30).at(40).trade(101.0, 1.5, BUY)

    outcome = run(beats(script, 100), lambda: planned((1, QUOTE, SELL, 0.5, 10_100)))

    assert outcome.fills() == [(50.0, 10_100, 500)]
    assert outcome.seat.position_lots == -500
