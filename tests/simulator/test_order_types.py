"""Orders that are more than a limit: what the venue does for them, and what the engine does where the venue cannot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamtrader.events import ASK, BID, BUY, SELL
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.runtime.abilities import FEATURES
from streamtrader.simulator.takers import SelfTrade
from tests.kernel.play import SECOND, TERMS, planned, run
from tests.kernel.players import (
    AMEND,
    CANCEL,
    EXPIRE_AFTER_MS,
    MOVE_TRIGGER,
    ORDER,
    REDUCE_ONLY,
    STOP_AT,
    TAKE_PROFIT_AT,
    TRAIL_BY,
    TRAIL_BY_RANGE,
)
from tests.simulator.rows import ends, told
from tests.simulator.scenes import beats, falling, scene

EMULATED = replace(TERMS, emulated=FEATURES)
BOTH = pytest.mark.parametrize("terms", [TERMS, EMULATED], ids=["native", "emulated"])
MIDDLE, MARK, TOUCH = 1, 2, 3


# --- good till date ---


@BOTH
def test_an_order_ends_when_its_time_is_over(terms):
    plan = planned((1, ORDER, BUY, 0.5, 99.5), (1, EXPIRE_AFTER_MS, 0, 100))

    outcome = run(beats(scene(), 1, 50, 300), lambda: plan, terms=terms)

    (at_ms, order, _, lots, code), *_ = told(outcome, OutboxKind.CANCELLED)
    assert (order, lots) == (1, 500)
    # The venue ends it by itself; the engine must send a cancel, which is 20 ms on its way.
    assert (at_ms, code) == ((111.0, Refusal.EXPIRED) if terms is TERMS else (131.0, 0))
    assert outcome.seat.working_buy_lots == 0


@BOTH
def test_an_order_that_ends_while_it_is_being_replaced_is_not_sent_anew(terms):
    """Amended at 40 and good until 61: where a venue can do neither, the cancel for the change is heard of at 70."""
    plan = planned((1, ORDER, BUY, 0.5, 99.5), (1, EXPIRE_AFTER_MS, 0, 60), (40, AMEND, 0, 0.4, 99.6))

    outcome = run(beats(scene(), 1, 40, 200, 300), lambda: plan, terms=terms)

    assert outcome.seat.blotter.count == outcome.venue.count == 0
    assert [row[1] for row in told(outcome, OutboxKind.SENT)] == [1]
    assert [row[0] for row in told(outcome, OutboxKind.CANCELLED)] == [71.0 if terms is TERMS else 70.0]


def test_an_order_cannot_end_in_the_past():
    outcome = run(beats(scene(), 1, 100), lambda: planned((1, ORDER, BUY, 0.5, 99.5), (1, EXPIRE_AFTER_MS, 0, -1)))

    assert outcome.strategy.answers[1] == 0.0
    assert outcome.seat.blotter.count == 1, "it stands without an end"


def test_an_order_whose_time_is_over_on_its_way_is_rejected_and_takes_nothing():
    """It would reach the asks at 21 ms, but was good until 6 ms."""
    outcome = run(beats(scene(), 1, 100), lambda: planned((1, ORDER, BUY, 0.5, 101.0), (1, EXPIRE_AFTER_MS, 0, 5)))

    assert told(outcome, OutboxKind.REJECTED) == [(31.0, 1, 10_100, 0, Refusal.EXPIRED)]
    assert outcome.fills() == []
    assert outcome.seat.blotter.count == outcome.venue.count == 0


# --- stops and take-profits ---


@BOTH
def test_a_stop_fires_at_its_price_and_goes_to_the_market(terms):
    plan = planned((1, ORDER, SELL, 0.5), (1, STOP_AT, 0, 99.0))

    outcome = run(falling(beats(scene(), 1, 30)), lambda: plan, terms=terms)

    # At the venue it meets the book in the moment of the trade; from here it is 20 ms on its way.
    assert outcome.fills() == [(71.0, 9_800, 500)] if terms is TERMS else [(91.0, 9_800, 500)]
    assert [row[1] for row in told(outcome, OutboxKind.TRIGGERED)] == [1]
    assert [row[1:3] for row in told(outcome, OutboxKind.ARMED)] == [(1, 9_900)]


@BOTH
def test_a_stop_limit_rests_at_its_limit(terms):
    plan = planned((1, ORDER, SELL, 0.5, 98.8), (1, STOP_AT, 0, 99.0))
    script = falling(beats(scene(), 1, 30)).at(210).trade(98.9, 0.2, BUY)

    outcome = run(beats(script, 300), lambda: plan, terms=terms)

    assert outcome.fills() == [(220.0, 9_880, 200)]


@BOTH
def test_a_take_profit_fires_when_the_price_has_come_far_enough(terms):
    plan = planned((1, ORDER, SELL, 0.5), (1, TAKE_PROFIT_AT, 0, 100.6))
    script = beats(scene(), 1, 30).at(40).trade(100.5, 0.001, BUY).at(50).trade(100.6, 0.001, BUY)

    outcome = run(beats(script, 100, 200), lambda: plan, terms=terms)

    assert outcome.fills() == [(60.0 if terms is TERMS else 80.0, 10_000, 500)]


@pytest.mark.parametrize(("source", "fires_ms"), [(MIDDLE, 40), (MARK, 40), (TOUCH, 50)])
def test_the_price_that_is_watched_can_be_chosen(source, fires_ms):
    """The ask goes from 101 to 99.4 (the middle: 99.2), then the bid from 99 to 98.4; nobody trades."""
    plan = planned((1, ORDER, SELL, 0.5), (1, STOP_AT, 0, 99.2 if source != TOUCH else 98.5, 0.0, source))
    script = beats(scene(), 1, 30).at(40).message([(BID, 100.0, 0.0), (ASK, 99.4, 1.0)])
    script.at(50).message([(BID, 99.0, 0.0), (BID, 98.4, 3.0)])

    outcome = run(beats(script, 100, 200), lambda: plan)

    assert [row[0] for row in told(outcome, OutboxKind.TRIGGERED)] == [float(fires_ms)]
    assert len(outcome.fills()) == 1


@BOTH
def test_a_trailing_stop_follows_the_price_and_never_turns_back(terms):
    plan = planned((1, ORDER, SELL, 0.5), (1, TRAIL_BY, 0, 2.0))
    script = beats(scene(), 1, 30)
    for at, price in ((40, 101.0), (50, 105.0), (60, 104.0), (70, 103.5), (80, 103.0), (90, 90.0)):
        script.at(at).trade(price, 0.001, BUY)

    outcome = run(beats(script, 200), lambda: plan, terms=terms)

    assert [row[0] for row in told(outcome, OutboxKind.TRIGGERED)] == [90.0 if terms is TERMS else 80.0]
    assert len(outcome.fills()) == 1


def test_a_trailing_stop_may_keep_a_multiple_of_the_average_range_away():
    """Candles of a second: 100..104 (range 4), then 104..104 (0): the average is 2 after two."""
    plan = planned((1, ORDER, SELL, 0.5), (1, TRAIL_BY_RANGE, 0, 1.5))
    script = beats(scene(), 1, 30).at(100).trade(100.0, 0.001, BUY).at(200).trade(104.0, 0.001, BUY)
    script.at(1_500).trade(104.0, 0.001, BUY).at(2_500).trade(104.0, 0.001, BUY)
    script.at(2_600).trade(101.1, 0.001, SELL).at(2_700).trade(101.0, 0.001, SELL)

    outcome = run(beats(script, 2_900), lambda: plan, terms=replace(TERMS, candle_ns=SECOND))

    assert outcome.engine.state.markets[0].candle.average_range == 2.0
    assert [(row[0], row[2]) for row in told(outcome, OutboxKind.TRIGGERED)] == [(2_700.0, 10_100)]


def test_a_trigger_may_be_moved():
    plan = planned((1, ORDER, SELL, 0.5), (1, STOP_AT, 0, 97.0), (35, MOVE_TRIGGER, 0, 99.9))

    outcome = run(falling(beats(scene(), 1, 30, 35)), lambda: plan, terms=EMULATED)

    assert [row[0] for row in told(outcome, OutboxKind.TRIGGERED)] == [40.0]


def test_a_trigger_that_is_no_price_is_refused():
    plans = [planned((1, ORDER, SELL, 0.5), (1, STOP_AT, 0, price)) for price in (0.0, -1.0, float("nan"), 1e300)]

    outcome = run(beats(scene(), 1, 30), *[lambda plan=plan: plan for plan in plans])

    assert [outcome.refusals(seat=seat) for seat in range(4)] == [[Refusal.TRIGGER_INVALID]] * 4


def test_an_order_that_waits_here_can_be_cancelled_and_changed():
    plan = planned(
        (1, ORDER, SELL, 0.5), (1, STOP_AT, 0, 99.0), (1, ORDER, SELL, 0.5), (1, STOP_AT, 2, 99.0),
        (35, CANCEL, 0, 1), (35, AMEND, 2, 0.3),
    )  # fmt: skip

    outcome = run(falling(beats(scene(), 1, 30, 35)), lambda: plan, terms=EMULATED)

    assert ends(outcome) == [(1, 0)]
    assert [row[1:4] for row in told(outcome, OutboxKind.AMENDED)] == [(2, 0, 300)]
    assert outcome.fills() == [(91.0, 9_800, 300)]


# --- reduce only ---


def test_a_reducing_order_is_cut_to_the_position_and_refused_without_one():
    plan = planned(
        (1, ORDER, BUY, 0.5), (60, ORDER, SELL, 0.8), (60, REDUCE_ONLY, 1), (120, ORDER, SELL, 0.8), (120, REDUCE_ONLY, 3),
    )  # fmt: skip

    outcome = run(beats(scene(), 1, 30, 60, 90, 120, 200), lambda: plan)

    assert [lots for _, _, lots in outcome.fills()] == [500, 500]
    assert outcome.seat.position_lots == 0
    assert outcome.refusals() == [Refusal.NOTHING_TO_REDUCE]


def test_the_venue_too_lets_a_reducing_order_only_reduce():
    """Two resting orders, each for the whole position: what one closes, the other cannot sell any more."""
    plan = planned(
        (1, ORDER, BUY, 0.5), (60, ORDER, SELL, 0.5, 100.5), (60, REDUCE_ONLY, 1), (61, ORDER, SELL, 0.4, 100.9),
    )  # fmt: skip
    script = beats(scene(), 1, 30, 60, 61, 90).at(100).trade(100.9, 5.0, BUY)

    outcome = run(beats(script.at(110).level(ASK, 100.9, 0.0), 200), lambda: plan)

    # The trade goes through the reducing one first and closes the position; the other one then opens a short of 0.4.
    assert [(ticks, lots) for _, ticks, lots in outcome.fills()] == [(10_100, 500), (10_050, 500), (10_090, 400)]
    assert outcome.seat.position_lots == -400


def test_what_is_left_of_a_reducing_order_goes_with_the_position():
    plan = planned(
        (1, ORDER, BUY, 0.5), (60, ORDER, SELL, 0.5, 100.9), (60, REDUCE_ONLY, 1), (61, ORDER, SELL, 0.3, 100.5),
    )  # fmt: skip
    script = beats(scene(), 1, 30, 60, 61, 90).at(100).trade(100.5, 5.0, BUY).at(110).trade(100.9, 5.0, BUY)

    outcome = run(beats(script, 200), lambda: plan)

    assert [(ticks, lots) for _, ticks, lots in outcome.fills()] == [(10_100, 500), (10_050, 300), (10_090, 200)]
    assert ends(outcome) == [(2, Refusal.POSITION_CLOSED)]
    assert outcome.seat.position_lots == outcome.seat.working_sell_lots == 0


def test_what_a_reducing_order_may_not_have_goes_to_the_next_one_in_line():
    """Of the 0.8 bid for at 100.5 it takes the 0.2 that are left to reduce; the other sale gets the rest."""
    plan = planned(
        (1, ORDER, BUY, 0.5), (60, ORDER, SELL, 0.5, 100.5), (60, REDUCE_ONLY, 1), (61, ORDER, SELL, 0.3, 100.0),
        (61, ORDER, SELL, 0.6, 100.5),
    )  # fmt: skip
    script = beats(scene(), 1, 30, 60, 61, 90).at(100).message([(ASK, 101.0, 0.0), (BID, 100.5, 0.8)])

    outcome = run(beats(script, 200), lambda: plan)

    assert [(ticks, lots) for _, ticks, lots in outcome.fills()] == [
        (10_100, 500), (10_000, 300), (10_050, 200), (10_050, 600),
    ]  # fmt: skip
    assert ends(outcome) == [(2, Refusal.POSITION_CLOSED)]


# --- amends ---


@pytest.mark.parametrize(("size", "limit", "lots"), [(0.4, 0.0, 200), (0.6, 0.0, 0), (0.5, 99.99, 0)])
def test_less_keeps_the_place_in_the_queue_and_anything_else_loses_it(size, limit, lots):
    """0.8 of the 1.0 before us trade; then the order changes; then 0.4 trade, of which 0.2 are ours in our old place."""
    script = beats(scene(), 1, 30).at(40).trade(100.0, 0.8, SELL)
    script = beats(script, 50, 80).at(90).trade(100.0, 0.4, SELL)

    outcome = run(beats(script, 200), lambda: planned((1, ORDER, BUY, 0.5, 100.0), (50, AMEND, 0, size, limit)))

    assert [row[3] for row in told(outcome, OutboxKind.AMENDED)] == [size * 1_000]
    assert sum(filled for _, _, filled in outcome.fills()) == lots


def test_an_amended_order_that_now_crosses_takes():
    outcome = run(beats(scene(), 1, 30, 40, 100), lambda: planned((1, ORDER, BUY, 0.5, 100.0), (40, AMEND, 0, 0.5, 101.0)))

    assert outcome.fills() == [(70.0, 10_100, 500)]


def test_where_a_venue_cannot_amend_the_order_is_cancelled_and_sent_anew():
    plan = planned((1, ORDER, BUY, 0.5, 100.0), (40, AMEND, 0, 0.4, 100.5))
    script = beats(scene(), 1, 30, 40, 75, 110).at(120).trade(100.5, 0.9, SELL)

    outcome = run(beats(script, 200), lambda: plan, terms=EMULATED)

    assert outcome.fills() == [(130.0, 10_050, 400)]
    assert [row[1] for row in told(outcome, OutboxKind.SENT)] == [1, 1]
    assert outcome.seat.working_buy_lots == 0


def test_an_amend_that_comes_too_late_changes_nothing():
    plan = planned((1, ORDER, BUY, 0.5, 100.5), (39, AMEND, 0, 0.9))
    script = beats(scene(), 1, 30, 39).at(40).trade(100.5, 0.9, SELL)

    outcome = run(beats(script, 100, 200), lambda: plan)

    assert outcome.fills() == [(50.0, 10_050, 500)]
    assert outcome.seat.blotter.count == 0
    assert (outcome.seat.working_buy_lots, outcome.seat.position_lots) == (0, 500)


def test_an_amend_below_what_is_filled_ends_the_order():
    plan = planned((1, ORDER, BUY, 0.5, 100.5), (60, AMEND, 0, 0.2))
    script = beats(scene(), 1, 30).at(40).trade(100.5, 0.3, SELL)

    outcome = run(beats(script, 60, 100, 200), lambda: plan)

    assert outcome.seat.position_lots == 300
    assert outcome.seat.blotter.count == 0


# --- self trade ---


@pytest.mark.parametrize(
    ("mode", "fills", "cancelled"),
    [
        (SelfTrade.CANCEL_TAKER, [], [2]),
        (SelfTrade.CANCEL_MAKER, [(81.0, 10_100, 500)], [1]),
        (SelfTrade.CANCEL_BOTH, [], [1, 2]),
    ],
)
def test_an_order_never_meets_one_of_the_same_owner(mode, fills, cancelled):
    plan = planned((1, ORDER, SELL, 0.5, 100.5), (51, ORDER, BUY, 0.5, 101.0))

    outcome = run(beats(scene(), 1, 30, 51, 100, 200), lambda: plan, terms=replace(TERMS, self_trade=mode))

    assert outcome.fills() == fills
    assert ends(outcome) == [(order, Refusal.SELF_TRADE) for order in cancelled]
