"""All at once or nothing, whatever would stop an order half-way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamtrader.events import BUY, SELL
from streamtrader.kernel.minutes import MINUTE_NS
from streamtrader.kernel.orders import Refusal
from streamtrader.runtime.taking import TakingTerms
from streamtrader.simulator.takers import SelfTrade
from tests.kernel.play import MS, START_NS, TERMS, Script, planned, run
from tests.kernel.players import FILL_OR_KILL, IMMEDIATE, ORDER, REDUCE_ONLY, STOP_AT
from tests.simulator.rows import ends
from tests.simulator.scenes import beats, scene


@pytest.mark.parametrize(("limit", "fills"), [(101.0, []), (102.0, [(31.0, 10_100, 1_000), (31.0, 10_200, 1_000)])])
def test_fill_or_kill_takes_all_or_nothing(limit, fills):
    plan = planned((1, ORDER, BUY, 2.0, limit), (1, FILL_OR_KILL, 0))

    outcome = run(beats(scene(), 1, 30, 100), lambda: plan)

    assert outcome.fills() == fills
    assert ends(outcome) == ([] if fills else [(1, Refusal.KILLED_UNFILLED)])


def test_fill_or_kill_counts_only_what_we_did_not_take_ourselves():
    plan = planned((1, ORDER, BUY, 0.5, 101.0, IMMEDIATE), (2, ORDER, BUY, 0.7, 101.0), (2, FILL_OR_KILL, 1))

    outcome = run(beats(scene(), 1, 2, 30, 100), lambda: plan)

    assert outcome.fills() == [(31.0, 10_100, 500)]
    assert ends(outcome) == [(2, Refusal.KILLED_UNFILLED)]


def test_fill_or_kill_takes_nothing_where_an_own_order_would_stop_it_half_way():
    plan = planned((1, ORDER, SELL, 0.5, 101.5), (2, ORDER, BUY, 2.0, 102.0), (2, FILL_OR_KILL, 1))

    outcome = run(beats(scene(), 1, 2, 50), lambda: plan, terms=replace(TERMS, self_trade=SelfTrade.CANCEL_TAKER))

    assert outcome.fills() == []
    assert ends(outcome) == [(2, Refusal.KILLED_UNFILLED)]


def test_fill_or_kill_takes_nothing_where_only_a_part_is_left_to_reduce():
    """It waits to sell the 0.5 that are held; when its price comes, 0.2 of them were sold by another order."""
    plan = planned(
        (1, ORDER, BUY, 0.5), (60, ORDER, SELL, 0.5, 100.0), (60, REDUCE_ONLY, 1), (60, FILL_OR_KILL, 1),
        (60, STOP_AT, 1, 100.0), (60, ORDER, SELL, 0.2, 100.5),
    )  # fmt: skip
    script = beats(scene(), 1, 30, 60, 90).at(100).trade(100.5, 0.2, BUY).at(110).trade(100.0, 0.1, SELL)

    outcome = run(beats(script, 200), lambda: plan)

    assert [(ticks, lots) for _, ticks, lots in outcome.fills()] == [(10_100, 500), (10_050, 200)]
    assert ends(outcome) == [(2, Refusal.KILLED_UNFILLED)]


def test_fill_or_kill_takes_nothing_where_the_venue_cannot_remember_all_of_it():
    """Thirty-three levels of 0.1, and thirty-two can be remembered."""
    levels = [(101.0 + at / 100, 0.1) for at in range(33)]
    script = beats(Script().at(0).book([(100.0, 1.0)], levels), 1, 50)

    outcome = run(script, lambda: planned((1, ORDER, BUY, 3.3, 102.0), (1, FILL_OR_KILL, 0)))

    assert outcome.fills() == []


def test_fill_or_kill_may_take_the_share_of_the_minute_in_which_it_arrives():
    """A tenth of 10.0 when it is sent; the next minute has begun when it arrives, and its share is a tenth of 1.0."""
    begin_ms = (MINUTE_NS - START_NS % MINUTE_NS) // MS  # of the first whole minute
    script = scene().at(begin_ms - 1).trade(101.0, 10.0, BUY).at(begin_ms + 1).trade(101.0, 1.0, BUY)
    sent_ms = begin_ms + MINUTE_NS // MS - 10
    plan = planned((sent_ms, ORDER, BUY, 0.5, 101.0), (sent_ms, FILL_OR_KILL, 0))

    outcome = run(
        beats(script, sent_ms, sent_ms + 100), lambda: plan, terms=replace(TERMS, taking=TakingTerms(participation=0.1))
    )

    assert outcome.fills() == []
    assert ends(outcome) == [(1, Refusal.KILLED_UNFILLED)]
