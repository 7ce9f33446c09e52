"""Orders that take: what they pay, what is left of them, and that nothing can be taken twice."""

from __future__ import annotations

import pytest

from streamtrader.events import ASK, BID, BUY, SELL, Kind
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import TAKER, OutboxKind
from streamtrader.runtime.assembly import Terms
from tests.kernel.play import SECOND, Script, planned, run
from tests.kernel.players import HOLD, IMMEDIATE, ORDER, POST_ONLY
from tests.simulator.scenes import beats, scene


def test_a_market_order_walks_the_displayed_levels_best_first():
    outcome = run(beats(scene(), 1, 50), lambda: planned((1, ORDER, BUY, 1.5)))

    assert outcome.fills() == [(31.0, 10_100, 1000), (31.0, 10_200, 500)]
    assert (outcome.rows(OutboxKind.FILLED)["code"] == TAKER).all()
    assert outcome.seat.position_lots == 1500
    assert outcome.seat.cash == pytest.approx(100_000 - (101 + 51) * 1.0005, rel=1e-12)


def test_a_sale_walks_the_bids_downwards():
    outcome = run(beats(scene(), 1, 50), lambda: planned((1, ORDER, SELL, 2.0)))

    assert outcome.fills() == [(31.0, 10_000, 1000), (31.0, 9_900, 1000)]


def test_what_the_book_does_not_hold_is_cancelled():
    outcome = run(beats(scene(), 1, 50), lambda: planned((1, ORDER, BUY, 5.0)))

    (cancelled,) = outcome.rows(OutboxKind.CANCELLED)
    assert sum(lots for _, _, lots in outcome.fills()) == 3000
    assert (cancelled["lots"], cancelled["code"]) == (2000, Refusal.NO_LIQUIDITY)
    assert outcome.seat.blotter.count == 0
    assert outcome.seat.working_buy_lots == 0


def test_what_was_taken_stays_taken():
    plan = planned((1, ORDER, BUY, 0.6), (50, ORDER, BUY, 0.6))

    outcome = run(beats(scene(), 1, 50, 100), lambda: plan)

    assert outcome.fills() == [(31.0, 10_100, 600), (80.0, 10_100, 400), (80.0, 10_200, 200)]


def test_a_level_that_is_shown_anew_can_be_taken_again():
    script = beats(beats(scene(), 1).at(40).level(ASK, 101.0, 1.0), 50, 100)

    outcome = run(script, lambda: planned((1, ORDER, BUY, 0.6), (50, ORDER, BUY, 0.6)))

    assert outcome.fills() == [(31.0, 10_100, 600), (80.0, 10_100, 600)]


def test_a_new_snapshot_forgets_what_was_taken():
    script = beats(beats(scene(), 1).at(40).book([(100.0, 1.0)], [(101.0, 1.0)]), 50, 100)

    outcome = run(script, lambda: planned((1, ORDER, BUY, 0.6), (50, ORDER, BUY, 0.6)))

    assert [lots for _, _, lots in outcome.fills()] == [600, 600]


def test_another_level_shown_anew_does_not_give_the_taken_one_back():
    script = beats(beats(scene(), 1).at(40).level(ASK, 102.0, 1.0), 50, 100)

    outcome = run(script, lambda: planned((1, ORDER, BUY, 1.0), (50, ORDER, BUY, 0.6)))

    assert outcome.fills() == [(31.0, 10_100, 1000), (80.0, 10_200, 600)]


@pytest.mark.parametrize("kind", [Kind.BOOK, Kind.QUOTE])
def test_each_quote_of_a_best_quote_feed_shows_its_level_anew(kind):
    script = Script()
    for at in range(0, 200, 10):
        script.at(at)
        if kind == Kind.BOOK:
            script.quotes(100.0, 1.0, 101.0, 1.0)
        else:
            script.add(Kind.QUOTE, 100.0, 1.0, 101.0, 1.0)
        script.trade(100.0, 0.001, SELL)

    outcome = run(script, lambda: planned((0, ORDER, BUY, 0.8), (100, ORDER, BUY, 0.8)))

    assert outcome.fills() == [(30.0, 10_100, 800), (130.0, 10_100, 800)]


def test_a_limit_bounds_the_walk_and_the_rest_rests():
    script = beats(scene(), 1, 50)

    outcome = run(script, lambda: planned((1, ORDER, BUY, 1.5, 101.0)))

    (accepted,) = outcome.rows(OutboxKind.ACCEPTED)
    assert outcome.fills() == [(31.0, 10_100, 1000)]
    assert accepted["remaining_lots"] == 500
    assert outcome.seat.working_buy_lots == 500


def test_an_immediate_order_rests_never():
    outcome = run(beats(scene(), 1, 50), lambda: planned((1, ORDER, BUY, 1.5, 101.0, IMMEDIATE)))

    (cancelled,) = outcome.rows(OutboxKind.CANCELLED)
    assert outcome.fills() == [(31.0, 10_100, 1000)]
    assert (cancelled["lots"], cancelled["code"]) == (500, Refusal.NO_LIQUIDITY)
    assert outcome.venue.count == 0


def test_an_immediate_order_that_reaches_nothing_is_cancelled_whole():
    outcome = run(beats(scene(), 1, 50), lambda: planned((1, ORDER, BUY, 1.0, 100.5, IMMEDIATE)))

    assert outcome.fills() == []
    assert outcome.rows(OutboxKind.CANCELLED)["lots"].tolist() == [1000]


@pytest.mark.parametrize(("side", "limit"), [(BUY, 101.0), (BUY, 105.0), (SELL, 100.0)])
def test_a_post_only_order_that_would_take_is_rejected_and_takes_nothing(side, limit):
    outcome = run(beats(scene(), 1, 50), lambda: planned((1, ORDER, side, 0.5, limit, POST_ONLY)))

    (rejected,) = outcome.rows(OutboxKind.REJECTED)
    assert outcome.fills() == []
    assert rejected["code"] == Refusal.WOULD_TAKE
    assert (outcome.seat.working_buy_lots, outcome.seat.working_sell_lots) == (0, 0)
    assert outcome.venue.taken_count == 0


def bare_market():
    """Trades only: between 100 and 101, 5.0 of them in the first second's candle."""
    script = Script().at(0).trade(100.0, 2.0, BUY).at(10).trade(101.0, 2.0, BUY).at(20).trade(100.0, 1.0, SELL)
    return script.at(200).trade(100.0, 0.0, SELL)


def test_without_a_book_a_taker_gets_the_last_price_made_worse_by_a_share_of_the_candles_range():
    terms = Terms(cash_quote=100_000.0, candle_ns=SECOND)

    bought = run(bare_market(), lambda: planned((20, ORDER, BUY, 0.2)), terms=terms)
    sold = run(bare_market(), lambda: planned((20, ORDER, SELL, 0.2)), terms=terms)

    assert bought.fills() == [(50.0, 10_010, 200)]
    assert sold.fills() == [(50.0, 9_990, 200)]


def test_without_a_book_the_floor_makes_the_price_worse_in_a_calm_candle():
    script = Script().at(0).trade(100.0, 5.0, BUY).at(200).trade(100.0, 1.0, SELL)

    outcome = run(script, lambda: planned((0, ORDER, BUY, 0.2)), terms=Terms(candle_ns=SECOND))

    assert outcome.fills() == [(30.0, 10_001, 200)]


def test_without_a_book_a_taker_gets_no_more_than_a_share_of_what_was_traded():
    terms = Terms(cash_quote=100_000.0, candle_ns=SECOND)

    outcome = run(bare_market(), lambda: planned((20, ORDER, BUY, 2.0)), terms=terms)

    assert outcome.fills() == [(50.0, 10_010, 500)]
    assert outcome.rows(OutboxKind.CANCELLED)["lots"].tolist() == [1500]


def test_a_post_only_order_without_a_limit_takes_nothing_from_a_bare_market_either():
    outcome = run(bare_market(), lambda: planned((20, ORDER, BUY, 0.2, 0.0, POST_ONLY)))

    assert outcome.fills() == []


def test_quotes_that_have_become_empty_are_no_bare_market():
    script = Script().at(0).add(Kind.QUOTE, 100.0, 1.0, 101.0, 1.0).trade(100.5, 1.0, BUY)
    script.at(10).add(Kind.QUOTE, 100.0, 0.0, 101.0, 0.0).at(100).trade(100.5, 1.0, BUY)

    outcome = run(script, lambda: planned((0, ORDER, BUY, 0.2)))

    assert outcome.fills() == []
    assert outcome.rows(OutboxKind.CANCELLED)["code"].tolist() == [Refusal.NO_LIQUIDITY]


def test_a_side_without_levels_gives_nothing_although_the_last_price_is_known():
    script = scene().at(1).trade(100.0, 0.1, SELL).at(2).message([(ASK, 101.0, 0.0), (ASK, 102.0, 0.0)])

    outcome = run(beats(script, 3, 60), lambda: planned((3, ORDER, BUY, 0.2)))

    assert outcome.fills() == []
    assert outcome.rows(OutboxKind.CANCELLED)["code"].tolist() == [Refusal.NO_LIQUIDITY]


def test_to_hold_a_size_orders_the_difference_to_what_is_held_and_on_its_way():
    plan = planned((1, HOLD, 0, 0.5), (2, HOLD, 0, 0.5), (3, HOLD, 0, 0.7), (50, HOLD, 0, -0.1))

    outcome = run(beats(scene(), 1, 2, 3, 50, 100), lambda: plan)

    assert outcome.rows(OutboxKind.SENT)["lots"].tolist() == [500, 200, 800]
    assert outcome.seat.position_lots == -100


def test_a_difference_smaller_than_the_smallest_order_is_left_unless_it_closes():
    plan = planned((1, HOLD, 0, 0.5), (50, HOLD, 0, 0.51), (60, HOLD, 0, 0.02), (120, HOLD, 0, 0.0))

    outcome = run(beats(scene(), 1, 50, 60, 120, 200), lambda: plan)

    assert outcome.rows(OutboxKind.SENT)["lots"].tolist() == [500, 480, 20]
    assert outcome.refusals() == []
    assert outcome.seat.position_lots == 0


def test_bids_are_on_the_other_side():
    assert (BID, ASK) == (BUY, SELL)
