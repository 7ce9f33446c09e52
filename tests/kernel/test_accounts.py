"""Whose money it is: seats with accounts of their own, and seats that share one."""

from __future__ import annotations

import math
import re
from decimal import Decimal

import pytest
from hypothesis import given, settings

from streamtrader.errors import ConfigError
from streamtrader.events import BUY, SELL, Kind
from streamtrader.instruments import Instrument
from streamtrader.runtime.accounts import AccountTerms, Tier
from streamtrader.runtime.assembly import Placement, Terms
from tests.kernel.market import WALKS, events_of
from tests.kernel.play import BTC, MS, START_NS, Script, engine_of, planned, play, run
from tests.kernel.players import ORDER, Looker, Maker, PythonLooker, Taker
from tests.kernel.purses import SHARED, check_sums, run_shared
from tests.simulator.scenes import beats, scene


def two_books():
    """The scene of instrument 0, and 10 x 50 bid and 10.1 x 50 asked of instrument 1."""
    return scene().book([(10.0, 50.0)], [(10.1, 50.0)], instrument=1)


def test_by_default_every_seat_has_its_money_for_itself():
    outcome = run(beats(scene(), 1, 50), lambda: planned((1, ORDER, BUY, 1.0)), planned)

    accounts, seats = outcome.engine.state.accounts, outcome.engine.state.seats
    assert [int(seat.account) for seat in seats] == [0, 1]
    assert accounts["deposit"].tolist() == [0.0, 0.0]
    assert accounts["initial_equity"].tolist() == [100_000.0, 100_000.0]
    assert accounts["equity"].tolist() == seats["equity"].tolist()
    assert float(accounts["value"][0]) == pytest.approx(100.5)


def test_seats_that_share_an_account_begin_with_nothing_of_their_own():
    script = beats(two_books(), 1)
    script.at(2).level(0, 9.0, 1.0, instrument=1)
    script.at(60).trade(100.5, 0.1, BUY).trade(10.0, 1.0, BUY, instrument=1)

    outcome = run_shared(
        script, (lambda: planned((1, ORDER, BUY, 1.0)), 0), (lambda: planned((1, ORDER, SELL, 10.0)), 1)
    )

    (account,), seats = outcome.engine.state.accounts, outcome.engine.state.seats
    assert (float(account.deposit), seats["initial_cash"].tolist()) == (100_000.0, [0.0, 0.0])
    assert [float(cash) for cash in seats["cash"]] == pytest.approx([-101.0 - 0.0505, 100.0 - 0.04])
    assert float(account.cash[0]) == pytest.approx(100_000.0 - 101.0505 + 99.96)
    assert float(account.equity) == pytest.approx(100_000.0 - 0.5505 - 0.54)
    assert float(account.value) == pytest.approx(100.5 + 100.5)


def test_strategies_of_different_owners_do_not_share():
    placements = [Placement(Taker(), 0, owner=0), Placement(Maker(), 0, owner=1), Placement(Maker(), 1, owner=1)]

    engine = engine_of(placements, Terms(account=SHARED))

    assert engine.state.seats["account"].tolist() == [0, 1, 1]
    assert engine.state.accounts["deposit"].tolist() == [10_000.0, 10_000.0]
    assert (engine.equity, engine.initial_equity) == (20_000.0, 20_000.0)


def test_one_account_cannot_trade_an_instrument_twice():
    placements = [Placement(Taker(), 0, owner=0), Placement(Maker(), 0, owner=0)]

    with pytest.raises(ConfigError, match=re.escape("a strategy has BTCUSDT twice")):
        engine_of(placements, Terms(account=SHARED))


@settings(max_examples=30)
@given(WALKS)
@pytest.mark.slow
def test_an_account_is_the_sum_of_its_seats(walk):
    """Whatever was filled, on whichever instrument: the sums that are kept by differences are those of the seats."""
    placements = [
        Placement(make, at, owner=owner)
        for make, at, owner in ((Taker(2, 0.4), 0, 0), (Maker(0.3), 1, 0), (Maker(), 0, 1), (Taker(3), 1, -1))
    ]
    engine = engine_of(placements, Terms(account=SHARED))
    play(engine, events_of(walk))

    check_sums(engine)


PERPETUAL = Instrument("test", "BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.001"), kind="perpetual")


@pytest.mark.parametrize(
    ("orders", "cost"),
    [
        (((BUY, 1.0),), 101.0),
        (((BUY, 1.0), (BUY, 1.0)), 101.0 + 102.0),
        (((BUY, 2.0), (SELL, 0.5)), 0.75 * (101.0 + 102.0)),
        (((BUY, 1.0), (SELL, 1.0)), 0.0),
        (((SELL, 2.0), (BUY, 0.5)), 0.75 * -(100.0 + 99.0)),
        (((BUY, 1.0), (SELL, 3.0)), -2.0 * 99.0),
    ],
)
def test_the_cost_of_a_position_is_what_it_was_bought_for_on_average(orders, cost):
    """A reduction takes its share of it, a flip begins anew at its own price."""
    plan = [(1 + 40 * at, ORDER, *order) for at, order in enumerate(orders)]
    script = beats(scene(), *[line[0] for line in plan], 200)

    outcome = run(script, lambda: planned(*plan))

    assert float(outcome.seat.cost) == pytest.approx(cost, abs=1e-9)


def test_what_a_derivative_costs_is_not_spent():
    """Its cash is what was paid in and realized; the unrealized part is in the equity alone."""
    spot = run(beats(scene(), 1, 50), lambda: planned((1, ORDER, BUY, 1.0)))
    future = run(beats(scene(), 1, 50), lambda: planned((1, ORDER, BUY, 1.0)), instruments=(PERPETUAL, BTC))

    fee = 101.0 * 5e-4
    assert float(spot.engine.state.accounts[0].cash[0]) == pytest.approx(100_000.0 - 101.0 - fee)
    assert float(future.engine.state.accounts[0].cash[0]) == pytest.approx(100_000.0 - 101.0 * 10e-4)


@pytest.mark.slow
def test_a_strategy_sees_its_account_whether_it_is_compiled_or_plain_python():
    script = Script().at(0).book([(100.0, 5.0)], [(101.0, 5.0)])
    for at_ms, bid in ((1, 100.0), (50, 100.0), (60, 98.0)):
        script.at(at_ms).add(Kind.MARK, bid + 0.5, 0.0, 0.0003, 0.0, id=START_NS + 3_600_000 * MS)
        script.trade(bid, 0.001, SELL)
    terms = Terms(cash_quote=50.0, account=AccountTerms(leverage=4.0, tiers=(("", (Tier(math.inf, 0.1, 0.0, 9.0),)),)))
    plan = [(1.0 * MS, ORDER, BUY, 1.0, 0.0, 0.0)]

    compiled = run(script, lambda: Looker(plan, START_NS), instruments=(PERPETUAL,), terms=terms).strategy.looks
    plain = PythonLooker(plan, START_NS)
    play(engine_of([Placement(plain, 0)], terms, instruments=(PERPETUAL,)), script.events())

    assert compiled.tobytes() == plain.twin.looks.tobytes()
    assert compiled[0].tolist() == pytest.approx([50.0, 50.0, 0.0, 0.0, math.nan, math.nan, 100.5, 0.0003], nan_ok=True)
    equity = 50.0 - 101.0 * 10e-4 - (101.0 - 98.5)
    # 50 - 0.101 - (101 - P) = 0.1 P
    told = [equity, equity - 98.5 / 4, 98.5 / equity, 9.85 / equity, equity / (98.5 / 4), 51.101 / 0.9, 98.5, 0.0003]
    assert compiled[2].tolist() == pytest.approx(told)
