"""What own takes do to the price, how much may be taken, and what a price without a book costs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.config import load_settings
from streamtrader.events import ASK, BID, BUY, SELL
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.runtime.latencies import LatencyTerms
from streamtrader.runtime.taking import OWN_STREAM, TakingTerms, taking_terms
from streamtrader.simulator.impact import Impact
from streamtrader.simulator.latency import Generator, Latencies
from streamtrader.simulator.takers import SelfTrade, shifted
from streamtrader.simulator.venue import SimulatedVenue
from streamtrader.units import NS_PER_S
from tests.kernel.play import SECOND, TERMS, Script, planned, run
from tests.kernel.players import FILL_OR_KILL, IMMEDIATE, ORDER

DAY = 1_440
LINEAR = TakingTerms("almgren_chriss", impact_temporary=0.0, impact_permanent=2.0)


def minutes(script, *closes, size=1.0):
    """One trade in each minute; the last minute has just begun."""
    for minute, price in enumerate(closes):
        script.at(minute * 60_000 + 1).trade(price, size, BUY)
    return script


def deep():
    return Script().at(0).book([(100.0, 500.0)], [(101.0, 500.0), (102.0, 500.0)])


def after_minutes(taking, *plan, script=None, more=(1_000,), **terms):
    """Closes of 100, 101, 100 and 101: 1.0 a minute, and a volatility of log 1.01 a minute."""
    script = minutes(script or deep(), 100.0, 101.0, 100.0, 101.0, 100.0)
    for at in (0, *more):
        script.at(240_100 + at).level(BID, 50.0, 1.0)
    steps = [(240_100 + at, *line) for at, *line in plan]
    return run(script, lambda: planned(*steps), terms=replace(TERMS, cash_quote=1e7, taking=taking, **terms))


def prices(outcome):
    return [ticks for _, ticks, _ in outcome.fills()]


def test_a_linear_law_charges_half_of_what_stays_and_the_next_one_all_of_it():
    """Of a day's 1440 lots 14.4 are bought: 2 * volatility * 0.01 stays, half of it is paid."""
    stays = 2.0 * math.log(1.01) * math.sqrt(DAY) * 0.01

    outcome = after_minutes(LINEAR, (0, ORDER, BUY, 14.4), (100, ORDER, BUY, 14.4), more=(100, 1_000))

    assert prices(outcome) == [math.ceil(10_100 * (1 + stays / 2)), math.ceil(10_100 * (1 + 1.5 * stays))]


def test_going_in_and_out_pays_back_the_impact_and_no_more():
    half = math.log(1.01) * math.sqrt(DAY) * 0.01

    outcome = after_minutes(LINEAR, (0, ORDER, BUY, 14.4), (100, ORDER, SELL, 14.4), more=(100, 1_000))

    assert prices(outcome) == [math.ceil(10_100 * (1 + half)), math.floor(10_000 * (1 + half))]


@given(
    sizes=st.lists(st.floats(-100.0, 100.0).filter(lambda size: abs(size) > 1e-3), min_size=1, max_size=10),
    exponent=st.floats(0.3, 1.0),
    permanent=st.floats(0.0, 2.0),
)
def test_no_trades_of_one_moment_that_end_where_they_began_earn_anything(sizes, exponent, permanent):
    law, paid = Impact(0.9, exponent, permanent, 10 * SECOND), 0.0
    for size in [*sizes, -sum(sizes)]:
        paid += size * law.mean_shift(size, 1_000.0, 0.02, 5)
        law.shift(size, 1_000.0, 0.02, 5)

    assert paid == pytest.approx(0.0, abs=1e-9)


def test_the_mean_of_a_law_is_that_of_many_small_trades():
    whole, parts = Impact(0.9, 0.5, 0.3, SECOND), Impact(0.9, 0.5, 0.3, SECOND)
    grid = [parts.mean_shift(0.01, 500.0, 0.03, 7) for _ in range(2_000) if parts.shift(0.01, 500.0, 0.03, 7) >= 0]

    assert whole.mean_shift(20.0, 500.0, 0.03, 7) == pytest.approx(np.mean(grid), rel=1e-3)


def test_the_square_root_decays_and_forgets():
    taking = TakingTerms("square_root", impact_half_life_ns=NS_PER_S)

    outcome = after_minutes(
        taking, (0, ORDER, BUY, 14.4), (100, ORDER, BUY, 0.1), (30_000, ORDER, BUY, 0.1), more=(100, 30_000, 31_000)
    )  # fmt: skip

    first, second, last = prices(outcome)
    peak = 0.9 * math.log(1.01) * math.sqrt(DAY) * 0.1
    assert first == math.ceil(10_100 * (1 + peak * 2 / 3))
    assert second == pytest.approx(10_100 * (1 + peak * 0.5**0.1), abs=3)
    assert last == pytest.approx(10_100 * (1 + peak * math.sqrt(0.1 / 14.4) * 2 / 3), abs=1)


def test_a_limit_holds_against_the_own_impact():
    outcome = after_minutes(LINEAR, (0, ORDER, BUY, 14.4, 101.2, IMMEDIATE))

    assert outcome.fills() == []
    assert len(outcome.rows(OutboxKind.CANCELLED)) == 1


def test_all_or_nothing_is_all_where_an_own_order_has_to_go_first():
    """What was taken before the own order went is a part of the same order: its impact is not paid once more."""
    whole = math.log(1.01) * math.sqrt(DAY) * 600.0 / DAY

    outcome = after_minutes(
        LINEAR, (0, ORDER, SELL, 1.0, 101.0), (100, ORDER, BUY, 600.0, 125.0), (100, FILL_OR_KILL, 1),
        more=(100, 1_000), self_trade=SelfTrade.CANCEL_MAKER,
    )  # fmt: skip

    assert prices(outcome) == [math.ceil(10_100 * (1 + whole)), math.ceil(10_200 * (1 + whole))]
    assert sum(lots for _, _, lots in outcome.fills()) == 600_000


def test_without_a_measure_of_the_market_there_is_no_impact():
    script = deep().at(1).level(BID, 50.0, 1.0).at(100).level(BID, 50.0, 2.0)

    outcome = run(script, lambda: planned((1, ORDER, BUY, 1.0)), terms=replace(TERMS, taking=LINEAR))

    assert prices(outcome) == [10_100]
    assert outcome.venue.impact.ignored_count == 1


@given(ticks=st.integers(1, 10**7), shift=st.floats(-0.5, 0.5))
def test_a_moved_price_is_rounded_against_the_payer_and_by_less_than_a_tick(ticks, shift):
    exact = ticks * (1 + shift)

    assert exact - 1e-6 <= shifted(ticks, shift, BUY) <= max(1.0, exact + 1)
    assert max(1.0, exact - 1) - 1e-6 <= shifted(ticks, shift, SELL) <= max(1.0, exact + 1e-6)


def test_no_more_is_taken_in_a_minute_than_its_share_of_the_one_before():
    taking = TakingTerms(participation=0.1)

    outcome = after_minutes(
        taking, (0, ORDER, BUY, 0.07), (100, ORDER, BUY, 0.07), (200, ORDER, BUY, 0.07), more=(100, 200, 1_000)
    )  # fmt: skip

    assert [lots for _, _, lots in outcome.fills()] == [70, 30]
    assert len(outcome.rows(OutboxKind.CANCELLED)) == 2, "what is left of orders at the market goes"


def test_a_limit_that_may_take_no_more_waits_for_the_next_minute():
    script = minutes(deep(), 100.0, 100.0, 100.0)
    script.at(120_100).level(BID, 50.0, 1.0).at(121_000).level(ASK, 101.0, 400.0)
    script.at(180_500).trade(101.0, 0.001, BUY).at(180_600).level(ASK, 101.0, 300.0).at(181_000).level(BID, 50.0, 2.0)

    outcome = run(
        script,
        lambda: planned((120_100, ORDER, BUY, 0.25, 101.0)),
        terms=replace(TERMS, taking=TakingTerms(participation=0.1)),
    )

    assert [lots for _, _, lots in outcome.fills()] == [100, 100]


def bare(taking, size=0.1):
    """Trades only, closes of 100 and 101 by turns: the last price is 100."""
    script = minutes(Script(), 100.0, 101.0, 100.0, 101.0, 100.0)
    script.at(241_000).trade(100.0, 1.0, BUY).at(242_000).trade(100.0, 1.0, BUY)
    (fill,) = run(script, lambda: planned((241_000, ORDER, BUY, size)), terms=replace(TERMS, taking=taking)).fills()
    return fill[1]


@pytest.mark.parametrize(
    ("taking", "ticks"),
    [
        (TakingTerms(bare_floor_bps=20.0), 10_020),
        (TakingTerms(bare_floor_bps=0.0, bare_spread_bps=30.0), 10_015),
        (TakingTerms(bare_floor_bps=20.0, bare_volatility_share=0.5), round(10_000 * (1 + 0.5 * math.log(1.01)))),
        (TakingTerms(bare_floor_bps=0.0, bare_random_bps=500.0), round(10_000 * (1 + 0.05 * Generator(OWN_STREAM + 1).uniform()))),
    ],
    ids=["fixed", "spread", "volatility", "random"],
)
def test_without_a_book_the_price_is_worse_by_what_was_asked_for(taking, ticks):
    assert bare(taking) == ticks


def test_without_a_book_own_impact_is_paid_too():
    stays = 2.0 * math.log(1.01) * math.sqrt(DAY) * 0.01

    assert bare(replace(LINEAR, bare_floor_bps=0.0), 14.4) == round(10_000 * (1 + stays / 2))


def test_luck_in_the_price_is_not_that_of_the_way_there():
    """One seed is given for both; were they one stream, a late order would always be a dear one, or a cheap one."""
    venue = SimulatedVenue(LatencyTerms(Latencies.LOG_NORMAL, seed=5).of_seat(2, 1, 1))
    TakingTerms(seed=5).write(venue, 2)
    way, price = venue.latency.generator, venue.generator
    assert [way.uniform() for _ in range(4)] != [price.uniform() for _ in range(4)]


def test_settings_say_all_of_it():
    wanted = ["impact=square_root", "impact_half_life_s=2.5", "participation_cap=0.1", "bare_spread_bps=3"]
    settings = load_settings((), [f"simulator.{each}" for each in wanted])

    terms = taking_terms(settings.simulator)

    assert terms == TakingTerms("square_root", impact_half_life_ns=2_500_000_000, participation=0.1, bare_spread_bps=3.0)
    assert terms.needs_minutes and not taking_terms(load_settings().simulator).needs_minutes
