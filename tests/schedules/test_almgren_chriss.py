"""Almgren and Chriss (2000): the numbers of their section 4, and that nothing else is cheaper."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from streamtrader.errors import ConfigError
from streamtrader.kernel.compiler import compiled
from streamtrader.kernel.record import boxed
from streamtrader.schedules import AlmgrenChriss, efficient_frontier, trades_lots, trajectory

# Section 4: a share at 50 dollars, a million of them, five days; 5 million trade a day.
PAPER = {"volatility": 0.95, "gamma": 2.5e-7, "eta": 2.5e-6, "epsilon": 0.0625}


def paper(*, periods=5, **terms):
    return AlmgrenChriss(1e6, 5.0, periods, **(PAPER | {"risk_aversion": 1e-6} | terms))


def cost_of(plan, holdings):
    """E + lambda V of any trajectory, from the sums of the definition."""
    tau, left = plan.duration / plan.periods, np.asarray(holdings)[1:]
    sold = -np.diff(holdings)
    eta = plan.eta - plan.gamma * tau / 2
    mean = plan.gamma * plan.size**2 / 2 + plan.epsilon * np.abs(sold).sum() + eta / tau * (sold**2).sum()
    variance = plan.volatility**2 * tau * (left**2).sum()
    return float(mean - plan.drift * tau * left.sum() + plan.risk_aversion * variance)


def test_the_pace_of_the_paper():
    """Kappa 0.61 a day, a half-life of 1.6 days; to more digits than they print."""
    plan = paper()

    assert float(plan.kappa()) == pytest.approx(0.6071, abs=5e-5)
    assert float(plan.half_life()) == pytest.approx(1.647, abs=5e-4)
    assert float(plan.eta_left()) == pytest.approx(2.375e-6)


def test_without_risk_aversion_equal_slices_cost_what_the_paper_says():
    plan = paper(risk_aversion=0.0)

    assert trajectory(plan) == pytest.approx([1e6, 8e5, 6e5, 4e5, 2e5, 0.0])
    assert float(plan.expected_cost()) == pytest.approx(662_500.0)
    assert float(plan.variance()) == pytest.approx(1.083e12)
    assert plan.half_life() == math.inf


def test_selling_at_once_costs_what_the_paper_says_and_risks_nothing():
    plan = paper(risk_aversion=1.0)

    assert trajectory(plan)[1:] == pytest.approx(np.zeros(5), abs=10.0)
    assert float(plan.expected_cost()) == pytest.approx(2_562_500.0, rel=1e-4)
    assert float(AlmgrenChriss(1e6, 1.0, 1, **PAPER).expected_cost()) == pytest.approx(2_562_500.0)
    assert AlmgrenChriss(1e6, 1.0, 1, **PAPER).variance() == 0.0


def test_the_drift_is_worth_holding_eleven_thousand_shares():
    """The text of the working paper says 1,100; its own parameters, and its table 1, give ten times as many."""
    plan = paper(drift=0.02)

    assert float(plan.resting_size()) == pytest.approx(11_080.0, rel=1e-4)
    assert (trajectory(plan)[1:-1] > trajectory(paper())[1:-1]).all()
    assert (trajectory(plan) - trajectory(paper()) < 11_080.0).all()


# As a library that follows the paper, DRIP, prints them: risk aversions in units of 1e-9, variances in 1e12, costs in
# millions, half-lives in days.
SHORT_END = [
    (1, 0.6625, 1.0812, 0.6636, 51.30),
    (2, 0.6625, 1.0794, 0.6647, 36.27),
    (3, 0.6625, 1.0776, 0.6657, 29.62),
    (4, 0.6625, 1.0758, 0.6668, 25.65),
    (5, 0.6625, 1.0740, 0.6679, 22.94),
    (6, 0.6625, 1.0722, 0.6690, 20.94),
    (7, 0.6625, 1.0704, 0.6700, 19.39),
    (8, 0.6626, 1.0687, 0.6711, 18.14),
    (9, 0.6626, 1.0669, 0.6722, 17.10),
]


@pytest.mark.parametrize(("risk_aversion", "mean", "variance", "cost", "half_life"), SHORT_END)
def test_the_frontier_near_its_cheap_end_is_that_of_another_library(risk_aversion, mean, variance, cost, half_life):
    plan = paper(risk_aversion=risk_aversion * 1e-9)

    assert float(plan.expected_cost()) / 1e6 == pytest.approx(mean, abs=5.1e-5)
    assert float(plan.variance()) / 1e12 == pytest.approx(variance, abs=5.1e-5)
    assert float(plan.utility_cost()) / 1e6 == pytest.approx(cost, abs=5.1e-5)
    assert float(plan.half_life()) == pytest.approx(half_life, abs=5.1e-3)


aversions = st.sampled_from([0.0]) | st.floats(1e-12, 1e-3)
drifts = st.sampled_from([0.0]) | st.floats(-0.05, 0.05)
periods_of = st.integers(1, 12)


@settings(max_examples=40)
@given(periods=periods_of, risk_aversion=st.floats(1e-8, 1e-4), drift=drifts)
def test_the_closed_form_is_what_a_numerical_search_finds(periods, risk_aversion, drift):
    plan = paper(periods=periods, risk_aversion=risk_aversion, drift=drift, epsilon=0.0)
    exact = cost_of(plan, trajectory(plan))

    def cost_of_shares(shares):
        return cost_of(plan, np.concatenate(([1.0], shares, [0.0])) * plan.size) / exact

    even = np.linspace(1.0, 0.0, periods + 1)[1:-1]
    found = minimize(cost_of_shares, even, method="BFGS", options={"gtol": 1e-9}) if periods > 1 else None

    assert float(plan.utility_cost()) == pytest.approx(exact, rel=1e-12)
    if found is not None:
        assert found.fun >= 1.0 - 1e-12
        assert found.x * plan.size == pytest.approx(trajectory(plan)[1:-1], abs=5e-3 * plan.size)
        assert found.fun == pytest.approx(1.0, abs=1e-8)


@given(periods=periods_of, risk_aversion=aversions, drift=drifts, seed=st.integers(0, 2**32 - 1))
def test_any_other_trajectory_costs_more(periods, risk_aversion, drift, seed):
    plan = paper(periods=periods, risk_aversion=risk_aversion, drift=drift, epsilon=0.0)
    best = trajectory(plan)
    other = best.copy()
    other[1:-1] += np.random.default_rng(seed).normal(0.0, 1e4, periods - 1)

    assert cost_of(plan, other) >= cost_of(plan, best) * (1 - 1e-12)


@given(periods=st.integers(1, 60), risk_aversion=st.floats(0.0, 1e3), duration=st.floats(0.01, 1e4))
def test_without_drift_an_order_only_shrinks_from_its_size_to_nothing(periods, risk_aversion, duration):
    plan = AlmgrenChriss(1e6, duration, periods, volatility=0.95, eta=2.5e-6, risk_aversion=risk_aversion)
    left = trajectory(plan)

    assert np.isfinite(left).all()
    assert (left[0], left[-1]) == (1e6, 0.0)
    assert (np.diff(left) <= 0.0).all()


@pytest.mark.parametrize("drift", [0.0, 0.02])
def test_the_trajectory_goes_over_into_the_one_without_risk_aversion(drift):
    still = trajectory(paper(risk_aversion=0.0, drift=drift))

    for risk_aversion in (1e-28, 1e-24, 1e-20, 1e-16):
        assert trajectory(paper(risk_aversion=risk_aversion, drift=drift)) == pytest.approx(still, rel=1e-7)


def test_the_sums_are_the_closed_form_of_the_paper():
    """Its equation for E and V of the optimal trajectory without drift."""
    plan = paper()
    size, total, tau, kappa = float(plan.size), 5.0, 1.0, float(plan.kappa())
    denominator = math.sinh(kappa * total) ** 2

    mean = plan.gamma * size**2 / 2 + plan.epsilon * size + plan.eta_left() * size**2 * math.tanh(kappa * tau / 2) * (
        tau * math.sinh(2 * kappa * total) + 2 * total * math.sinh(kappa * tau)
    ) / (2 * tau**2 * denominator)
    variance = plan.volatility**2 * size**2 / 2 * (
        tau * math.sinh(kappa * total) * math.cosh(kappa * (total - tau)) - total * math.sinh(kappa * tau)
    ) / (denominator * math.sinh(kappa * tau))

    assert float(plan.expected_cost()) == pytest.approx(float(mean), rel=1e-12)
    assert float(plan.variance()) == pytest.approx(float(variance), rel=1e-12)


def test_the_frontier_falls_and_is_convex():
    frontier = efficient_frontier(paper(), np.geomspace(1e-9, 1e-4, 30).tolist())
    variance, cost = frontier[::-1].T

    slopes = np.diff(cost) / np.diff(variance)
    assert (np.diff(variance) > 0.0).all()
    assert (slopes < 0.0).all()
    assert (np.diff(slopes) > 0.0).all()
    assert tuple(efficient_frontier(paper(), [0.0])[0]) == pytest.approx((1.083e12, 662_500.0))


@given(total=st.integers(0, 10**9), periods=st.integers(1, 40), risk_aversion=aversions)
def test_slices_in_lots_sum_to_the_order_and_follow_the_trajectory(total, periods, risk_aversion):
    plan = paper(periods=periods, risk_aversion=risk_aversion)

    lots = trades_lots(plan, total)

    assert lots.sum() == total
    assert (lots >= 0).all()
    done = 1.0 - trajectory(plan)[1:] / plan.size
    assert np.abs(lots.cumsum() - done * total).max() <= 0.5 + 1e-6 * total


def test_a_trajectory_that_leans_is_not_cut_into_lots():
    with pytest.raises(ConfigError, match="drift"):
        trades_lots(paper(drift=0.02), 100)


def figures(box, answers):
    plan = box[0]
    answers[0] = plan.kappa()
    answers[1] = plan.half_life()
    answers[2] = plan.expected_cost()
    answers[3] = plan.variance()
    for index in range(plan.periods + 1):
        answers[4 + index] = plan.left(index)


def test_it_compiles_to_the_same_numbers():
    """So that a compiled schedule may ask for what is left without an array of its own."""
    box = boxed(paper(drift=0.02))
    fast, slow = np.zeros(10), np.zeros(10)
    compiled(figures)(box, fast)
    figures(box, slow)

    assert fast == pytest.approx(slow, rel=1e-13)
    assert slow[4:] == pytest.approx(trajectory(box[0]))


@pytest.mark.parametrize(
    "terms",
    [
        {"volatility": 0.0},
        {"eta": math.nan},
        {"gamma": -1.0},
        {"epsilon": math.inf},
        {"risk_aversion": -1e-6},
        {"periods": 0},
        {"periods": 2.5},
        {"drift": math.nan},
        {"gamma": 1e-5},
    ],
)
def test_terms_that_cannot_be_are_refused(terms):
    with pytest.raises(ConfigError):
        paper(**terms)
