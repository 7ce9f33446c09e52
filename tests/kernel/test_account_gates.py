"""What an account can carry: nothing is sent that it could not pay or vouch for, and nothing is booked for a refusal."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrader.errors import ConfigError
from streamtrader.events import BUY, SELL
from streamtrader.kernel.account import AccountKind
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.runtime.accounts import AccountTerms, Tier
from streamtrader.runtime.assembly import Placement, Terms
from tests.kernel.market import WALKS, events_of
from tests.kernel.play import Script, engine_of, planned, play, run
from tests.kernel.players import CANCEL_ALL, IMMEDIATE, ORDER, Maker, Taker
from tests.kernel.purses import run_shared
from tests.kernel.test_accounts import PERPETUAL, two_books
from tests.simulator.scenes import beats, scene

SPOT, MARGIN = AccountKind.SPOT, AccountKind.MARGIN
FUNDS, LEVERAGE = Refusal.INSUFFICIENT_FUNDS, Refusal.LEVERAGE


def outcome_of(*plan, cash=100_000.0, at=(1, 40, 50, 60, 90, 130), script=None, instruments=None, **terms):
    more = {} if instruments is None else {"instruments": instruments}
    script = beats(scene(), *at) if script is None else script
    return run(
        script, lambda: planned(*plan), terms=Terms(cash_quote=cash, account=AccountTerms(**terms)), **more
    )


# --- spot: the middle is 100.5; 1 is asked at 101, 2 at 102; a taker's fee is 0.05 % ---


@pytest.mark.parametrize(
    ("cash", "line", "refusals"),
    [
        (101.06, (BUY, 1.0), []),
        (101.05, (BUY, 1.0), [FUNDS]),
        (304.0, (BUY, 3.0), [FUNDS]),  # 3 x 100.5 would be there, but two of them cost 102
        (305.16, (BUY, 3.0), []),
        (99.06, (BUY, 1.0, 99.0), []),
        (99.04, (BUY, 1.0, 99.0), [FUNDS]),
        (1_000.0, (SELL, 0.1), [Refusal.SHORT_NOT_ALLOWED]),
    ],
)
def test_a_spot_account_spends_what_it_has(cash, line, refusals):
    outcome = outcome_of((1, ORDER, *line), cash=cash, kind=SPOT)

    assert outcome.refusals() == refusals
    assert len(outcome.rows(OutboxKind.SENT)) == 1 - len(refusals)
    if refusals:
        assert float(outcome.seat.cash) == float(outcome.engine.state.accounts[0].equity) == cash
        assert int(outcome.seat.position_lots) == 0


def test_what_working_buys_may_cost_is_spent_already_until_they_are_gone():
    outcome = outcome_of(
        (1, ORDER, BUY, 1.0, 99.0), (40, ORDER, BUY, 1.0, 99.0), (50, CANCEL_ALL), (130, ORDER, BUY, 1.0, 99.0),
        cash=150.0, kind=SPOT,
    )  # fmt: skip

    assert outcome.refusals() == [FUNDS]
    assert outcome.rows(OutboxKind.SENT)["order"].tolist() == [1, 3]


def test_a_spot_account_sells_what_it_has_and_not_twice():
    outcome = outcome_of(
        (1, ORDER, BUY, 1.0), (40, ORDER, SELL, 0.6, 103.0), (50, ORDER, SELL, 0.5, 103.0), (60, ORDER, SELL, 0.4),
        cash=150.0, kind=SPOT,
    )  # fmt: skip

    assert outcome.refusals() == [Refusal.SHORT_NOT_ALLOWED]
    assert int(outcome.seat.position_lots) == 600


@settings(max_examples=30)
@given(WALKS, st.floats(50.0, 400.0))
@pytest.mark.slow
def test_a_spot_account_never_sells_short_and_owes_no_more_than_the_way_to_the_venue_cost(walk, cash):
    """The book may move while a market order is on its way; that is all by which the cash can be missed."""
    engine = engine_of(
        [Placement(Taker(2, 0.4), 0), Placement(Maker(0.3), 1)],
        Terms(cash_quote=cash, account=AccountTerms(kind=SPOT)),
    )
    play(engine, events_of(walk))

    for seat in engine.state.seats:
        assert int(seat.position_lots) - int(seat.working_sell_lots) >= 0
        assert float(seat.cash) >= -0.1 * cash


# --- margin ---


@pytest.mark.parametrize(
    ("cash", "leverage", "line", "refusals"),
    [
        (200.0, 1.0, (SELL, 1.9), []),
        (200.0, 1.0, (SELL, 2.0), [FUNDS]),
        (200.0, 1.0, (BUY, 1.9), []),
        (200.0, 1.0, (BUY, 2.0), [FUNDS]),
        (100.0, 3.0, (BUY, 2.9), []),  # 97.15 of margin and 0.15 of fee
        (100.0, 3.0, (BUY, 3.0), [FUNDS]),
        (100.0, 3.0, (BUY, 2.982), [FUNDS]),  # 99.9 of margin, but no fee
        (100.0, 125.0, (SELL, 2.9, 101.0), []),
    ],
)
def test_exposure_over_leverage_must_find_collateral(cash, leverage, line, refusals):
    outcome = outcome_of((1, ORDER, *line), cash=cash, leverage=leverage)

    assert outcome.refusals() == refusals
    assert len(outcome.rows(OutboxKind.SENT)) == 1 - len(refusals)


def test_orders_of_both_sides_need_the_margin_of_the_larger_one():
    """Only one of them can make the position large."""
    quotes = ((1, ORDER, BUY, 1.0, 99.0), (1, ORDER, SELL, 1.0, 103.0), (40, ORDER, BUY, 0.2, 98.0))

    assert outcome_of(*quotes, cash=101.0).refusals() == [FUNDS]


def test_what_does_not_enlarge_the_exposure_passes_whatever_is_left():
    """Equity is nearly gone: less of it, and as much on the other side, may always be asked for."""
    script = beats(scene(), 1, 40).at(50).book([(60.0, 5.0)], [(61.0, 5.0)])
    beats(script, 60, 100, 140)

    outcome = outcome_of(
        (1, ORDER, BUY, 2.0), (60, ORDER, SELL, 0.5), (100, ORDER, SELL, 3.0), (140, ORDER, SELL, 0.1),
        cash=105.0, leverage=2.0, script=script,
    )  # fmt: skip

    assert outcome.refusals() == [FUNDS]
    assert outcome.rows(OutboxKind.SENT)["lots"].tolist() == [2_000, 500, 3_000]


def test_a_seat_of_a_shared_account_sees_what_the_others_need():
    script = beats(two_books(), 1)
    script.at(2).level(0, 9.0, 1.0, instrument=1)
    script.at(40).level(0, 9.0, 1.0, instrument=1)

    outcome = run_shared(
        script, (lambda: planned((1, ORDER, BUY, 1.0)), 0),
        (lambda: planned((2, ORDER, BUY, 10.0), (40, ORDER, BUY, 4.0)), 1), cash=150.0,
    )  # fmt: skip

    assert outcome.refusals(seat=1) == [FUNDS]
    assert outcome.rows(OutboxKind.SENT, seat=1)["lots"].tolist() == [400]


def test_what_is_hard_to_borrow_is_not_sold_short():
    plan = ((1, ORDER, BUY, 1.0), (40, ORDER, SELL, 1.2), (50, ORDER, SELL, 1.0), (90, ORDER, SELL, 0.5))

    hard = outcome_of(*plan, hard_to_borrow=("BTC",))
    future = outcome_of(*plan, hard_to_borrow=("BTC",), instruments=(PERPETUAL,))

    assert hard.refusals() == [Refusal.HARD_TO_BORROW] * 2
    assert int(hard.seat.position_lots) == 0
    assert future.refusals() == []


TIERS = (("", (Tier(200.0, 0.01, 0.0, 10.0), Tier(400.0, 0.02, 2.0, 4.0))),)


@pytest.mark.parametrize(
    ("leverage", "size", "refusals"),
    [(10.0, 1.9, []), (10.0, 2.1, [LEVERAGE]), (4.0, 2.1, []), (4.0, 3.9, []), (4.0, 4.1, [LEVERAGE])],
)
def test_a_larger_position_is_allowed_less_leverage(leverage, size, refusals):
    outcome = outcome_of((1, ORDER, BUY, size), leverage=leverage, tiers=TIERS)

    assert outcome.refusals() == refusals


def test_tiers_of_a_symbol_come_before_those_of_all():
    own = (*TIERS, ("BTCUSDT", (Tier(math.inf, 0.5, 0.0, 1.5),)))

    assert outcome_of((1, ORDER, BUY, 0.1), leverage=2.0, tiers=own).refusals() == [LEVERAGE]
    assert outcome_of((1, ORDER, BUY, 0.1), leverage=2.0, tiers=TIERS).refusals() == []


def test_a_haircut_takes_what_a_position_is_worth_out_of_the_collateral():
    """At leverage 2, one unit needs 50.25 and, once held, hides 25.125 of the equity."""
    plan = ((1, ORDER, BUY, 1.0), (60, ORDER, BUY, 0.99))

    assert outcome_of(*plan, cash=102.0, leverage=2.0).refusals() == []
    assert outcome_of(*plan, cash=102.0, leverage=2.0, haircut=0.25).refusals() == [FUNDS]
    assert outcome_of(*plan, cash=130.0, leverage=2.0, haircut=0.25).refusals() == []


def test_without_a_price_nobody_knows_what_an_order_would_cost():
    script = beats(Script().at(0), 1, 40)  # bids only

    outcome = outcome_of((1, ORDER, BUY, 1.0), (40, ORDER, BUY, 1.0, 99.0, IMMEDIATE), script=script)

    assert outcome.refusals() == [Refusal.STALE_MARK] * 2


def test_a_spot_account_has_no_place_for_futures():
    with pytest.raises(ConfigError, match="holds no perpetual such as BTCUSDT"):
        outcome_of(kind=SPOT, instruments=(PERPETUAL,))
