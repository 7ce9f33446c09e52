"""Each rule refuses beyond its limit, lets pass what is within it, and refuses what it cannot judge."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamtrader import risk
from streamtrader.errors import ConfigError
from streamtrader.events import BUY, SELL, BookState
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.record import boxed
from streamtrader.risk import DailyLoss, Drawdown, MaxNotional, MaxOrderRate, MaxPosition, PriceBand, StaleBook
from tests.checks import LOTS_PER_UNIT, TICKS_PER_UNIT, Situation, ask_rule, check_rule, records_of, revived

ONE = int(LOTS_PER_UNIT)
ABOUT_100 = int(100 * TICKS_PER_UNIT)

situations = st.builds(
    Situation,
    side=st.sampled_from([BUY, SELL]),
    lots=st.integers(1, 6 * ONE),
    ticks=st.one_of(st.just(0), st.integers(ABOUT_100 - 300, ABOUT_100 + 300)),
    position=st.integers(-6 * ONE, 6 * ONE),
    buying=st.integers(0, 2 * ONE),
    selling=st.integers(0, 2 * ONE),
    bid=st.one_of(st.just(-1), st.integers(ABOUT_100 - 100, ABOUT_100)),
    ask=st.one_of(st.just(-1), st.integers(ABOUT_100 + 1, ABOUT_100 + 100)),
    state=st.integers(0, 5),
    age_ns=st.integers(0, 10),
    now_ns=st.just(1_000_000_000_000),
    equity=st.integers(9_990, 10_010).map(float),
    day_equity=st.just(10_000.0),
    worst=st.integers(0, 10).map(float),
    halted=st.sampled_from([0, 0, 7, 20]),
)


def is_reducing(situation):
    if situation.side == BUY:
        return situation.position + situation.buying + situation.lots <= 0
    return situation.position - situation.selling - situation.lots >= 0


def reached(situation):
    """The position in the order's direction if all of its side is filled."""
    if situation.side == BUY:
        return situation.position + situation.buying + situation.lots
    return -(situation.position - situation.selling - situation.lots)


def middle(situation):
    if situation.bid < 0 or situation.ask < 0:
        return None
    return Fraction(situation.bid + situation.ask, 2 * int(TICKS_PER_UNIT))


def limit_price(situation):
    return Fraction(situation.ticks, int(TICKS_PER_UNIT))


def beyond_position(situation):
    return not is_reducing(situation) and reached(situation) > 3 * ONE


def beyond_notional(situation):
    if is_reducing(situation):
        return False
    if middle(situation) is None:
        return True
    return max(middle(situation), limit_price(situation)) * Fraction(reached(situation), ONE) > 300


def beyond_band(situation):
    if middle(situation) is None:
        return True
    touch = Fraction(situation.ask if situation.side == BUY else situation.bid, int(TICKS_PER_UNIT))
    price = limit_price(situation) if situation.ticks > 0 else touch
    distance = abs(price - middle(situation)) / middle(situation)
    assume(abs(distance - Fraction(1, 100)) > Fraction(1, 10**12))  # on the line itself rounding decides
    return distance > Fraction(1, 100)


def is_stale(situation):
    return situation.state not in (0, BookState.LIVE) or situation.age_ns > 5 or middle(situation) is None


def beyond_daily_loss(situation):
    return not is_reducing(situation) and situation.equity - situation.day_equity <= -5


def beyond_drawdown(situation):
    return not is_reducing(situation) and (situation.worst >= 5 or situation.halted != 0)


TWINS = [
    (MaxPosition(3.0), beyond_position),
    (MaxNotional(300.0), beyond_notional),
    (PriceBand(100.0), beyond_band),
    (StaleBook(5), is_stale),
    (DailyLoss(5.0), beyond_daily_loss),
    (Drawdown(5.0), beyond_drawdown),
]


def name_of(value):
    return type(value).__name__ if isinstance(value, risk.RiskRule) else ""


def answer(rule, situation):
    return ask_rule(boxed(rule), *records_of(situation))


@pytest.mark.parametrize(("rule", "twin"), TWINS, ids=name_of)
@given(situation=situations)
def test_a_rule_refuses_exactly_what_its_definition_says(rule, twin, situation):
    expected = rule.code if twin(situation) else 0

    assert answer(rule, situation) == expected


@pytest.mark.parametrize("rule", [*(rule for rule, _ in TWINS), MaxOrderRate(3, 100)], ids=name_of)
@given(asked=st.lists(situations, min_size=1, max_size=6))
@pytest.mark.slow
def test_a_rule_answers_the_same_compiled_uncompiled_and_restarted(rule, asked):
    check_rule(rule, [situation._replace(now_ns=1_000_000 + 40 * at) for at, situation in enumerate(asked)])


def test_every_exported_rule_is_tested_and_has_a_code_of_its_own():
    tested = {type(rule) for rule, _ in TWINS} | {MaxOrderRate}
    exported = {getattr(risk, name) for name in risk.__all__ if name != "RiskRule"}

    assert exported == tested
    assert len({cls.code for cls in tested}) == len(tested)


@given(situation=situations, held=st.integers(0, 6 * ONE))
def test_no_limit_on_exposure_or_loss_stops_an_order_that_only_reduces(situation, held):
    """Also when all that works on its side is filled first."""
    if situation.side == BUY:
        situation = situation._replace(position=-(held + situation.buying + situation.lots))
    else:
        situation = situation._replace(position=held + situation.selling + situation.lots)
    assert is_reducing(situation)

    for rule in (MaxPosition(0.001), MaxNotional(0.01), DailyLoss(0.01), Drawdown(0.01)):
        assert answer(rule, situation) == 0


@pytest.mark.parametrize(
    ("rule", "situation", "code"),
    [
        (MaxPosition(1.0), Situation(lots=ONE), 0),
        (MaxPosition(1.0), Situation(lots=ONE + 1), Refusal.POSITION),
        (MaxPosition(1.0), Situation(lots=ONE, buying=1), Refusal.POSITION),
        (MaxPosition(1.0), Situation(lots=ONE, selling=ONE), 0),
        (MaxPosition(1.0), Situation(side=SELL, lots=2 * ONE, position=ONE), 0),
        (MaxPosition(1.0), Situation(side=SELL, lots=2 * ONE + 1, position=ONE), Refusal.POSITION),
        (MaxNotional(101.0), Situation(lots=ONE), 0),
        (MaxNotional(100.0), Situation(lots=ONE), Refusal.NOTIONAL),  # the middle is 100.5
        (MaxNotional(101.0), Situation(lots=ONE, ticks=2 * ABOUT_100), Refusal.NOTIONAL),
        (PriceBand(50.0), Situation(ticks=ABOUT_100), 0),  # 0.5 of 100.5 is 49.75 hundredths of a per cent
        (PriceBand(49.0), Situation(ticks=ABOUT_100), Refusal.PRICE_BAND),
        (PriceBand(49.0), Situation(), Refusal.PRICE_BAND),  # a market order pays the ask, 101
        (StaleBook(5), Situation(age_ns=5), 0),
        (StaleBook(5), Situation(age_ns=6), Refusal.STALE_BOOK),
        (StaleBook(5), Situation(state=BookState.GAP), Refusal.STALE_BOOK),
        (DailyLoss(10.0), Situation(equity=9_990.5), 0),
        (DailyLoss(10.0), Situation(equity=9_990.0), Refusal.DAILY_LOSS),
        (Drawdown(10.0), Situation(worst=9.5), 0),
        (Drawdown(10.0), Situation(worst=10.0), Refusal.DRAWDOWN),
    ],
)
def test_a_limit_is_met_to_the_lot_and_no_further(rule, situation, code):
    assert answer(rule, situation) == code


@pytest.mark.parametrize("empty", [{"bid": -1}, {"ask": -1}, {"bid": -1, "ask": -1}])
def test_without_a_middle_nothing_that_needs_one_passes(empty):
    for rule in (MaxNotional(1e9), PriceBand(1e4), StaleBook(5)):
        assert answer(rule, Situation(**empty)) == rule.code


def test_an_unknown_loss_is_a_loss():
    for rule in (DailyLoss(10.0), Drawdown(10.0)):
        assert answer(rule, Situation(equity=math.nan, worst=math.nan)) == rule.code


def test_the_order_after_the_last_one_allowed_waits_until_the_first_is_old_enough():
    rule = MaxOrderRate(orders=3, per_ns=100)
    times = [0, 10, 20, 30, 99, 100, 109, 110, 111, 120]

    codes = check_rule(rule, [Situation(now_ns=1_000 + at) for at in times])

    passed = [at for at, code in zip(times, codes, strict=True) if code == 0]
    assert passed == [0, 10, 20, 100, 110, 120]


@given(gaps=st.lists(st.integers(0, 60), min_size=1, max_size=40), orders=st.integers(1, 5))
def test_no_window_ever_holds_more_orders_than_allowed(gaps, orders):
    rules, now_ns, passed = boxed(MaxOrderRate(orders, 100)), 0, []
    for gap in gaps:
        now_ns += gap
        if ask_rule(rules, *records_of(Situation(now_ns=now_ns))) == 0:
            passed.append(now_ns)

    assert all(sum(start <= at < start + 100 for at in passed) <= orders for start in passed)


def test_the_kill_switch_stays_pulled_through_recovery_restart_and_a_new_day():
    rules = boxed(Drawdown(10.0))
    order, seat, market, account = records_of(Situation(worst=10.0))
    assert ask_rule(rules, order, seat, market, account) == Refusal.DRAWDOWN

    seat = revived(seat)
    seat[0].mark(market[0])
    seat[0].roll_day(seat[0].next_day_ns)

    assert seat[0].halted == Refusal.DRAWDOWN
    assert ask_rule(revived(rules), order, seat, market, account) == Refusal.DRAWDOWN
    seat[0].resume()
    assert ask_rule(rules, order, seat, market, account) == 0


def test_a_reducing_order_trips_the_kill_switch_and_passes():
    order, seat, market, account = records_of(Situation(side=SELL, lots=ONE, position=ONE, worst=10.0))

    assert ask_rule(boxed(Drawdown(10.0)), order, seat, market, account) == 0
    assert seat[0].halted == Refusal.DRAWDOWN


def test_a_new_day_forgives_the_loss_of_the_last():
    rules = boxed(DailyLoss(10.0))
    order, seat, market, account = records_of(Situation(equity=9_980.0))
    assert ask_rule(rules, order, seat, market, account) == Refusal.DAILY_LOSS

    seat[0].roll_day(market[0].now_ns + 86_400_000_000_000)

    assert ask_rule(rules, order, seat, market, account) == 0


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_a_limit_that_would_refuse_everything_or_nothing_is_refused_itself(wrong):
    for cls in (MaxPosition, MaxNotional, PriceBand, DailyLoss, Drawdown):
        with pytest.raises(ConfigError, match="above zero"):
            cls(wrong)


@pytest.mark.parametrize("wrong", [0, -1, 1.5])
def test_a_rate_or_an_age_that_is_no_whole_number_is_refused(wrong):
    for make in (lambda: MaxOrderRate(wrong, 100), lambda: MaxOrderRate(3, wrong), lambda: StaleBook(wrong)):
        with pytest.raises(ConfigError, match="whole number"):
            make()
