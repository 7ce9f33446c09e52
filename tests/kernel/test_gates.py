"""What may become an order at all, and what an operator, a loss or a doubtful book does to that."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamtrader.events import ASK, BID, BUY, SELL, BookState, Command
from streamtrader.kernel.orders import ORDER_SLOTS, Refusal
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.risk import DailyLoss, Drawdown
from streamtrader.runtime.assembly import Placement, Terms
from tests.kernel.play import BTC, MS, SECOND, START_NS, engine_of, planned, play, run, states
from tests.kernel.players import CANCEL, HOLD, ORDER, POST_ONLY, BrokenRule, Clumsy, Maker
from tests.simulator.scenes import beats, scene

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("side", "limit", "ticks"),
    [(BUY, 100.0, 10_000), (BUY, 100.009, 10_000), (SELL, 101.001, 10_101), (SELL, 101.0, 10_100), (BUY, 99.99, 9_999),
     (BUY, 100.29, 10_029), (SELL, 100.57, 10_057)],
)  # fmt: skip
def test_a_limit_between_two_ticks_moves_away_from_the_market(side, limit, ticks):
    outcome = run(beats(scene(), 1, 50), lambda: planned((1, ORDER, side, 0.1, limit)))

    assert outcome.rows(OutboxKind.SENT)["ticks"].tolist() == [ticks]


@pytest.mark.parametrize(("size", "lots"), [(0.1, 100), (0.1009, 100), (0.3, 300), (1 / 3, 333)])
def test_a_size_is_cut_to_whole_lots_and_never_rounded_up(size, lots):
    outcome = run(beats(scene(), 1, 50), lambda: planned((1, ORDER, BUY, size)))

    assert outcome.rows(OutboxKind.SENT)["lots"].tolist() == [lots]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ((BUY, 0.0009), Refusal.SIZE_BELOW_LOT),
        ((BUY, 0.0), Refusal.SIZE_BELOW_LOT),
        ((SELL, -1.0), Refusal.SIZE_BELOW_LOT),
        ((BUY, math.nan), Refusal.SIZE_BELOW_LOT),
        ((BUY, math.inf), Refusal.SIZE_BELOW_LOT),
        ((BUY, 1.0, -5.0), Refusal.PRICE_INVALID),
        ((SELL, 1.0, math.nan), Refusal.PRICE_INVALID),
        ((BUY, 1.0, 0.001), Refusal.PRICE_INVALID),
        ((BUY, 1.0, 1e300), Refusal.PRICE_INVALID),
        ((BUY, 1.0, 2.0**60), Refusal.PRICE_INVALID),
        ((BUY, 2.0**53), Refusal.SIZE_BELOW_LOT),
        ((BUY, 0.049, 100.0), Refusal.NOTIONAL_BELOW_MINIMUM),
        ((BUY, 0.04), Refusal.NOTIONAL_BELOW_MINIMUM),
    ],
)
def test_what_cannot_be_an_order_is_refused_and_never_sent(line, code):
    outcome = run(beats(scene(), 1, 50), lambda: planned((1, ORDER, *line)))

    assert outcome.refusals() == [code]
    assert len(outcome.rows(OutboxKind.SENT)) == 0
    assert (outcome.seat.refused_count, outcome.seat.blotter.count) == (1, 0)


def test_a_whole_position_may_be_closed_however_small():
    script = beats(scene(), 1, 50, 60, 100)

    outcome = run(script, lambda: planned((1, ORDER, BUY, 0.06), (50, ORDER, SELL, 0.04), (60, ORDER, SELL, 0.06)))

    assert outcome.refusals() == [Refusal.NOTIONAL_BELOW_MINIMUM]
    assert outcome.seat.position_lots == 0


def test_one_open_order_more_than_there_is_room_for_is_refused():
    engine = engine_of([Placement(planned(*[(1, ORDER, BUY, 0.1, 99.0)] * 16), 0)])
    seat = engine.state.seats[0]
    play(engine, beats(scene(), 1, 40).events())
    strategy = engine.strategy_boxes[0]
    for _ in range(2):
        strategy["next"] = 0
        said = play(engine, beats(scene(), 80, 120).events())

    assert seat.blotter.count == ORDER_SLOTS
    assert seat.order_count == ORDER_SLOTS
    refused = said[said["kind"] == OutboxKind.REFUSED]
    assert refused["code"].tolist() == [Refusal.TOO_MANY_ORDERS]


def test_an_order_that_is_cancelled_in_the_turn_that_asked_for_it_is_withdrawn():
    outcome = run(beats(scene(), 1, 50), lambda: planned((1, ORDER, BUY, 1.0, 99.0), (1, CANCEL, 0, 1)))

    assert outcome.refusals() == [Refusal.WITHDRAWN]
    assert len(outcome.rows(OutboxKind.SENT)) == 0


@pytest.mark.parametrize("state", [BookState.SYNCING, BookState.STALE, BookState.GAP])
@pytest.mark.slow
def test_a_book_that_is_not_live_lets_only_less_exposure_through(state):
    script = beats(beats(scene(), 1, 40).at(50).link(state), 60, 70, 100)
    plan = planned((1, ORDER, BUY, 0.5), (60, ORDER, BUY, 0.1), (60, ORDER, SELL, 0.6), (70, ORDER, SELL, 0.5))

    outcome = run(script, lambda: plan)

    assert outcome.refusals() == [Refusal.BOOK_NOT_LIVE, Refusal.BOOK_NOT_LIVE]
    assert outcome.seat.position_lots == 0


def test_a_crossed_book_is_not_believed_until_it_has_uncrossed():
    script = beats(scene().at(10).level(BID, 101.5, 1.0), 20)
    script.at(30).level(BID, 101.5, 0.0)

    outcome = run(beats(script, 40, 80), lambda: planned((20, ORDER, BUY, 0.5), (40, ORDER, BUY, 0.4)))

    assert outcome.refusals() == [Refusal.BOOK_NOT_LIVE]
    assert outcome.seat.position_lots == 400
    assert outcome.engine.state.markets[0].crossed_count == 2


def turns(script, *milliseconds):
    """As `beats`, by small trades: no level is there that a sale could walk down to."""
    for at in milliseconds:
        script.at(at).trade(100.5, 0.001, BUY)
    return script


def commanded(command, *plan, at_ms=60):
    script = beats(scene(), 1, 40).at(at_ms).command(command)
    return run(beats(script, 70, 100, 150, 1_200, 1_300), lambda: planned(*plan))


def test_a_pause_stops_new_exposure_and_lets_reducing_through():
    outcome = commanded(
        Command.PAUSE, (1, ORDER, BUY, 0.5), (70, ORDER, BUY, 0.1), (70, ORDER, SELL, 0.7), (70, ORDER, SELL, 0.2)
    )

    (halted,) = outcome.rows(OutboxKind.HALTED)
    assert halted["code"] == Refusal.PAUSED
    assert outcome.refusals() == [Refusal.PAUSED, Refusal.PAUSED]
    assert outcome.seat.position_lots == 300


def test_reducing_counts_what_is_already_on_its_way():
    outcome = commanded(Command.PAUSE, (1, ORDER, BUY, 0.5), (70, ORDER, SELL, 0.3), (70, ORDER, SELL, 0.3))

    assert outcome.refusals() == [Refusal.PAUSED]
    assert outcome.seat.position_lots == 200


def test_resume_lets_trading_go_on():
    script = beats(scene(), 1, 40).at(50).command(Command.PAUSE).at(60).command(Command.RESUME)

    outcome = run(beats(script, 70, 120), lambda: planned((70, ORDER, BUY, 0.5)))

    assert outcome.refusals() == []
    assert (outcome.seat.position_lots, outcome.seat.halted) == (500, 0)


@pytest.mark.parametrize(("command", "code"), [(Command.FLATTEN, Refusal.PAUSED), (Command.KILL, Refusal.KILLED)])
def test_flatten_and_kill_close_the_position_and_halt(command, code):
    outcome = commanded(command, (1, ORDER, BUY, 0.5), (70, HOLD, 0, 0.5), (1_200, ORDER, BUY, 0.1))

    assert outcome.seat.position_lots == 0
    assert outcome.seat.halted == code
    assert set(outcome.refusals()) <= {code}


@pytest.mark.parametrize("resting", [(BUY, 0.5, 99.5), (SELL, 0.2, 105.0), (SELL, 0.5, 105.0)])
def test_flatten_ends_flat_although_an_order_rests(resting):
    """The resting order is cancelled on the way; what it might still have filled is not sold twice."""
    outcome = commanded(Command.FLATTEN, (1, ORDER, BUY, 0.5), (2, ORDER, *resting))

    assert outcome.seat.position_lots == 0
    assert outcome.seat.blotter.count == 0
    assert outcome.refusals() == []
    assert len(outcome.rows(OutboxKind.CANCELLED)) == 1


def test_flatten_goes_on_until_a_thin_book_has_taken_it_all():
    script = turns(scene(), 1, 40).at(50).message([(BID, 100.0, 0.2), (BID, 99.0, 0.0)])
    script.at(60).command(Command.FLATTEN).at(500).level(BID, 98.0, 5.0)

    outcome = run(turns(script, 1_000, 1_500, 3_000), lambda: planned((1, ORDER, BUY, 0.5)))

    assert [lots for _, _, lots in outcome.fills()] == [500, 200, 300]
    assert outcome.seat.position_lots == 0


def test_resume_ends_the_wish_to_be_flat():
    script = turns(scene(), 1, 40).at(50).message([(BID, 100.0, 0.0), (BID, 99.0, 0.0)])
    script.at(60).command(Command.FLATTEN).at(200).command(Command.RESUME).at(300).level(BID, 100.0, 5.0)

    outcome = run(turns(script, 2_000, 4_000), lambda: planned((1, ORDER, BUY, 0.5)))

    assert outcome.seat.position_lots == 500


def test_a_days_loss_stops_new_exposure_until_the_next_day_even_without_a_position():
    """Bought at 101, sold at 100 and 99: more than 1.2 is lost with the fees, and nothing is held any more."""
    script = beats(scene(), 1, 40, 80, 90, DAY_MS + 90, DAY_MS + 200)
    plan = planned(
        (1, ORDER, BUY, 1.0), (40, ORDER, SELL, 1.0), (90, ORDER, BUY, 0.1), (DAY_MS + 90, ORDER, BUY, 0.1)
    )  # fmt: skip

    outcome = run(script, lambda: plan, rules=lambda: [DailyLoss(1.05)])

    assert outcome.refusals() == [Refusal.DAILY_LOSS]
    assert outcome.seat.position_lots == 100


def test_the_day_begins_at_the_configured_hour():
    begin_ns = START_NS - START_NS % (DAY_MS * MS)
    offset_ns = START_NS + 10 * SECOND - begin_ns
    script = beats(scene(), 1, 40, 80, 90, 9_000, 10_500, 10_600)
    plan = planned(
        (1, ORDER, BUY, 1.0), (40, ORDER, SELL, 1.0), (90, ORDER, BUY, 0.1), (9_000, ORDER, BUY, 0.1),
        (10_500, ORDER, BUY, 0.1),
    )  # fmt: skip

    outcome = run(
        script, lambda: plan, rules=lambda: [DailyLoss(1.05)], terms=Terms(day_offset_ns=offset_ns % (DAY_MS * MS))
    )

    assert outcome.refusals() == [Refusal.DAILY_LOSS, Refusal.DAILY_LOSS]
    assert outcome.seat.position_lots == 100


def fallen():
    """One bought at 101; the market falls by 50, trades there, and comes back."""
    script = beats(scene(), 1, 40).at(50).book([(50.0, 5.0)], [(51.0, 5.0)]).trade(51.0, 0.1, BUY)
    return beats(script.at(60).book([(100.0, 5.0)], [(101.0, 5.0)]), 70, 75, 120)


def test_a_drawdown_pulls_the_kill_switch_although_the_price_came_back():
    plan = planned((1, ORDER, BUY, 1.0), (70, ORDER, BUY, 0.1), (75, ORDER, SELL, 0.4))

    outcome = run(fallen(), lambda: plan, rules=lambda: [Drawdown(20.0)])

    assert outcome.rows(OutboxKind.HALTED)["code"].tolist() == [Refusal.DRAWDOWN]
    assert outcome.refusals() == [Refusal.DRAWDOWN]
    assert outcome.seat.position_lots == 600


def test_the_kill_switch_outlives_a_restart_until_the_operator_resumes():
    def engine():
        plan = planned((1, ORDER, BUY, 1.0), (70, ORDER, BUY, 0.1), (200, ORDER, BUY, 0.1), (300, ORDER, BUY, 0.1))
        return engine_of([Placement(plan, 0, [Drawdown(20.0)])], Terms(cash_quote=1e5))

    before, after = engine(), engine()
    play(before, fallen().events())

    after.restore({name: np.frombuffer(data, np.uint8) for name, data in states(before).items()})
    script = beats(scene(), 200).at(250).command(Command.RESUME)
    said = play(after, beats(script, 300, 400).events())

    assert said[said["kind"] == OutboxKind.REFUSED]["code"].tolist() == [Refusal.DRAWDOWN]
    assert after.state.seats[0].position_lots == 1100


def test_a_strategy_that_raises_stops_its_own_seat_only_and_says_so():
    script = scene()
    for at in range(1, 9):
        script.at(at * 40).trade(100.5, 0.01, BUY).level(ASK, 101.0, 1.0)

    outcome = run(
        script, lambda: Clumsy(3), Maker, lambda: planned((100, ORDER, BUY, 0.5)), terms=Terms(cash_quote=1e5)
    )

    (failed,) = outcome.rows(OutboxKind.FAILED)
    assert failed["code"] == Refusal.STRATEGY_FAILED
    assert outcome.seat.failure_count == 5, "it is still asked, and may still reduce"
    assert outcome.seat.halted == Refusal.STRATEGY_FAILED
    others = outcome.engine.state.seats[1:]
    assert not others["halted"].any()
    assert (others["order_count"] > 0).all()


def test_what_a_strategy_asked_for_before_it_raised_may_only_reduce():
    script = scene()
    for at in range(1, 9):
        script.at(at * 40).trade(100.5, 0.01, BUY)

    outcome = run(script, lambda: Clumsy(0))

    assert len(outcome.rows(OutboxKind.SENT)) == 0


def test_a_rule_that_raises_refuses():
    script = beats(scene(), *range(1, 200, 10))
    plan = planned(*[(at, ORDER, BUY, 0.1) for at in range(1, 41, 10)])

    outcome = run(script, lambda: plan, rules=lambda: [BrokenRule()])

    assert len(outcome.rows(OutboxKind.SENT)) == 2
    assert outcome.refusals() == [BrokenRule.code, BrokenRule.code]
    assert outcome.seat.halted == 0


def test_the_first_reason_of_a_halt_stays():
    script = beats(scene(), 1).at(10).command(Command.PAUSE).at(20).command(Command.KILL)

    outcome = run(script, lambda: planned((1, ORDER, BUY, 0.1, 99.0, POST_ONLY)))

    assert outcome.rows(OutboxKind.HALTED)["code"].tolist() == [Refusal.PAUSED]
    assert BTC.minimum_notional == 5
