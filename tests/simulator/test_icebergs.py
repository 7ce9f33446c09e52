"""Orders that show a part of themselves, at the venue or where the engine sends part after part."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamtrader.events import ASK, BID, BUY, SELL
from streamtrader.kernel.orders import Refusal
from streamtrader.runtime.abilities import FEATURES
from tests.kernel.play import TERMS, planned, run
from tests.kernel.players import AMEND, CANCEL, FILL_OR_KILL, ORDER, SHOW_ONLY
from tests.simulator.rows import ends
from tests.simulator.scenes import beats, scene

BOTH = pytest.mark.parametrize("terms", [TERMS, replace(TERMS, emulated=FEATURES)], ids=["native", "emulated"])


@BOTH
def test_an_iceberg_shows_a_part_and_the_next_part_stands_last(terms):
    """0.6 at 100, of which 0.2 are shown, behind 1.0. A trade of 1.5 fills only what is shown."""
    plan = planned((1, ORDER, BUY, 0.6, 100.0), (1, SHOW_ONLY, 0, 0.2))
    script = beats(scene(), 1, 30).at(40).trade(100.0, 1.5, SELL)
    script = beats(script, 60, 90).at(100).trade(100.0, 0.9, SELL).at(110).trade(100.0, 0.15, SELL)

    outcome = run(beats(script, 200), lambda: plan, terms=terms)

    assert outcome.fills() == [(50.0, 10_000, 200), (120.0, 10_000, 50)]
    assert outcome.seat.working_buy_lots == 350


@BOTH
def test_an_iceberg_that_does_not_rest_is_not_sent_in_parts(terms):
    plan = planned((1, ORDER, SELL, 1.5, 100.0), (1, SHOW_ONLY, 0, 0.5), (1, FILL_OR_KILL, 0))

    outcome = run(beats(scene(), 1, 50, 100), lambda: plan, terms=terms)

    assert outcome.fills() == [], "only 1.0 are bid for"
    assert ends(outcome) == [(1, Refusal.KILLED_UNFILLED)]


@BOTH
def test_an_iceberg_that_is_being_cancelled_shows_no_further_part(terms):
    """The part of 0.2 is filled while the cancel is on its way: it comes too late for that, not for the rest."""
    plan = planned((1, ORDER, BUY, 0.6, 100.5), (1, SHOW_ONLY, 0, 0.2), (50, CANCEL, 0, 1))
    script = beats(scene(), 1, 30, 50).at(60).trade(100.5, 0.2, SELL)

    outcome = run(beats(script, 200, 300), lambda: plan, terms=terms)

    assert outcome.fills() == [(70.0, 10_050, 200)]
    assert outcome.seat.blotter.count == outcome.venue.count == 0
    assert outcome.seat.working_buy_lots == 0


def test_an_iceberg_that_a_displayed_ask_has_met_shows_its_next_part():
    """An ask of 0.2 at its price takes the part that is shown; a later trade finds the next one."""
    plan = planned((1, ORDER, BUY, 0.6, 100.0), (1, SHOW_ONLY, 0, 0.2))
    script = beats(scene(), 1, 30).at(40).message([(BID, 100.0, 0.0), (ASK, 100.0, 0.2)])
    script.at(50).message([(ASK, 100.0, 0.0)]).at(60).trade(100.0, 0.5, SELL)

    outcome = run(beats(script, 200), lambda: plan)

    assert outcome.fills() == [(50.0, 10_000, 200), (70.0, 10_000, 200)]


@BOTH
def test_an_iceberg_that_is_amended_while_a_part_is_filled_goes_on_at_the_new_price(terms):
    """0.2 are filled at 60; the change, asked for at 50, reaches the venue at 70."""
    plan = planned((1, ORDER, BUY, 0.6, 100.5), (1, SHOW_ONLY, 0, 0.2), (50, AMEND, 0, 0.5, 100.4))
    script = beats(scene(), 1, 30, 50).at(60).trade(100.5, 0.2, SELL)
    script = beats(script, 120, 150).at(160).trade(100.4, 0.2, SELL)

    outcome = run(beats(script, 200, 300), lambda: plan, terms=terms)

    assert outcome.fills() == [(70.0, 10_050, 200), (170.0, 10_040, 200)]
    assert outcome.seat.working_buy_lots == 100
