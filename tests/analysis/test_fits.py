"""Fits held to scipy, to obvious twins, and to data whose law is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from streamtrader.analysis.fits import (
    Estimate,
    causal_lag,
    choose,
    filled_area,
    log_normal,
    other_way,
    quantiles,
    through_origin,
)


def test_a_log_normal_law_is_fitted_as_scipy_fits_it():
    times = np.random.default_rng(1).lognormal(3.0, 0.4, 500)
    shape, _, scale = stats.lognorm.fit(times, floc=0)

    fit = log_normal(times)

    assert fit.mu == pytest.approx(math.log(scale), rel=1e-9)
    assert fit.sigma == pytest.approx(shape, rel=1e-6)
    law = stats.lognorm(fit.sigma, scale=math.exp(fit.mu))
    assert fit.mean == pytest.approx(law.mean())
    assert fit.variance == pytest.approx(law.var())
    assert quantiles(times)["0.95"] == np.quantile(times, 0.95)


def test_the_stated_error_covers_the_median_as_often_as_it_says():
    covered = 0
    for seed in range(300):
        fit = log_normal(np.random.default_rng(seed).lognormal(3.0, 0.4, 80)).median.as_json()
        covered += fit["low"] <= math.exp(3.0) <= fit["high"]

    assert 0.91 <= covered / 300 <= 0.99


def reports(seed, sigma, *, count=300, without=0):
    """Lags to the true cause, among up to seven other events of the last 60 ms; some have lost theirs."""
    generator = np.random.default_rng(seed)
    found = []
    for number in range(count):
        others = generator.uniform(0.5, 60.0, generator.integers(0, 8))
        own = [11.0 * math.exp(sigma * generator.normal())] if number >= without else []
        found.append(np.array([*others, *own]))
    return found


def test_a_constant_lag_is_found_among_other_causes_exactly():
    fit = causal_lag(reports(1, 0.0))

    assert math.exp(fit.mu) == pytest.approx(11.0, abs=1e-9)
    assert fit.sigma == 0.0


@pytest.mark.parametrize("without", [0, 40])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_lag_that_varies_is_found_within_its_error(seed, without):
    fit = causal_lag(reports(seed, 0.15, without=without))

    assert abs(math.exp(fit.mu) - 11.0) < 3.0 * fit.median.error + 0.02
    assert fit.sigma == pytest.approx(0.15, rel=0.25)
    assert fit.samples == pytest.approx(300 - without, abs=35)


def test_reports_without_a_common_lag_tell_nothing():
    assert causal_lag([]) is None
    assert causal_lag([np.array([5.0])]) is None
    assert causal_lag([np.array([5.0]), np.array([50.0]), np.zeros(0)]) is None


def test_the_other_way_is_what_one_way_leaves_of_the_trip():
    generator = np.random.default_rng(4)
    up, down = generator.lognormal(math.log(37.0), 0.2, 4_000), generator.lognormal(math.log(11.0), 0.2, 4_000)
    trips = up + down

    found = other_way(log_normal(trips), float(trips.mean()), float(trips.std()), log_normal(down))

    assert abs(found.value - 37.0) < 3.0 * found.error
    assert found.error < 0.3
    constant = other_way(log_normal(np.full(5, 48.0)), 48.0, 0.0, log_normal(np.full(5, 11.0)))
    assert (constant.value, constant.error) == (pytest.approx(37.0), pytest.approx(0.0, abs=1e-9))


def test_a_slope_through_the_origin_is_that_of_least_squares_and_its_error_covers():
    covered = 0
    for seed in range(300):
        generator = np.random.default_rng(seed)
        x = generator.uniform(1e-5, 1e-3, 60)
        y = 0.9 * x + x * generator.normal(0.0, 0.5, 60)  # noise as large as the order
        fit = through_origin(x, y)
        assert fit.value == pytest.approx(np.linalg.lstsq(x[:, None], y, rcond=None)[0][0])
        covered += abs(fit.value - 0.9) <= 1.96 * fit.error

    assert 0.88 <= covered / 300 <= 0.99


def test_no_slope_without_numbers():
    assert through_origin(np.zeros(0), np.zeros(0)).error == math.inf
    assert math.isnan(through_origin(np.zeros(3), np.ones(3)).value)


def test_the_candidate_of_least_loss_is_chosen_with_those_that_chance_could_have_chosen():
    generator = np.random.default_rng(5)
    clear = np.column_stack([np.full(50, 0.5), np.zeros(50), np.full(50, 0.4)])
    vague = generator.uniform(0.0, 1.0, (50, 3))
    same = np.ones((50, 3))

    assert (choose(clear).low, choose(clear).best, choose(clear).high) == (1, 1, 1)
    assert (choose(vague).low, choose(vague).high) == (0, 2)
    assert choose(vague) == choose(vague)
    assert not choose(same).is_told
    assert (choose(same).low, choose(same).best, choose(same).high) == (0, 1, 2)


def test_how_far_two_curves_of_fills_lie_apart():
    # Half filled at 2 instead of at 6, of 10: half apart for 4 of 10.
    assert filled_area([(2.0, 0.5)], [(6.0, 0.5)], 10.0) == pytest.approx(0.2)
    assert filled_area([(2.0, 1.0)], [], 10.0) == pytest.approx(0.8)
    assert filled_area([(2.0, 1.0)], [(12.0, 1.0)], 10.0) == pytest.approx(0.8), "what comes later is not watched"
    assert filled_area([], [], 10.0) == 0.0


STEPS = st.lists(st.tuples(st.integers(-2, 25), st.integers(1, 8)), max_size=6)


@given(STEPS, STEPS)
def test_the_area_is_that_of_a_sum_over_all_moments(one, other):
    recorded, simulated = ([(float(at), share / 8) for at, share in steps] for steps in (one, other))

    apart = [
        abs(sum(share for at, share in recorded if at <= now) - sum(share for at, share in simulated if at <= now))
        for now in range(20)
    ]

    assert filled_area(recorded, simulated, 20.0) == pytest.approx(sum(apart) / 20, abs=1e-9)
    assert filled_area(simulated, recorded, 20.0) == pytest.approx(filled_area(recorded, simulated, 20.0), abs=1e-9)
    assert filled_area(recorded, recorded, 20.0) == pytest.approx(0.0, abs=1e-9)


def test_an_estimate_tells_its_range():
    assert Estimate(2.0, 0.5, 9).as_json() == {
        "value": 2.0, "standard_error": 0.5, "low": 1.020018008, "high": 2.979981992, "samples": 9,
    }  # fmt: skip
