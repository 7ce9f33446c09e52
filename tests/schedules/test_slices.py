"""An order in whole lots: nothing is lost, nothing is negative, the plan is kept to half a lot."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.errors import ConfigError
from streamtrader.kernel.compiler import compiled
from streamtrader.schedules import lots_until, slice_into, slices_lots
from streamtrader.schedules.slices import LOTS_LIMIT

weights_of = st.lists(st.just(0.0) | st.floats(1e-6, 1e6), min_size=1, max_size=50).filter(any)


@given(total=st.integers(0, LOTS_LIMIT), weights=weights_of)
def test_slices_sum_exactly_and_are_never_negative(total, weights):
    lots = slices_lots(total, weights)

    assert int(lots.sum()) == total
    assert (lots >= 0).all()
    assert all(size == 0 for size, weight in zip(lots.tolist(), weights, strict=True) if weight == 0.0)


@given(total=st.integers(0, 10**9), weights=weights_of)
def test_after_each_slice_the_plan_is_kept_to_half_a_lot(total, weights):
    exact = [Fraction(weight) for weight in weights]

    done = slices_lots(total, weights).cumsum().tolist()

    for have, planned in zip(done, accumulate(exact), strict=True):
        assert abs(have - total * planned / sum(exact)) <= Fraction(1, 2) + Fraction(1, 10**5)


def test_equal_weights_spread_an_order_of_few_lots():
    assert slices_lots(3, [1.0] * 7).tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert slices_lots(12, [1.0] * 4).tolist() == [3, 3, 3, 3]


@given(total=st.integers(0, 10**12), shares=st.lists(st.floats(-0.5, 1.5), min_size=2, max_size=20))
def test_what_should_be_done_never_falls_as_the_plan_goes_on(total, shares):
    done = [lots_until(total, share) for share in sorted(shares)]

    assert done == sorted(done)
    assert lots_until(total, 0.0) == 0
    assert lots_until(total, 1.0) == total
    assert all(0 <= lots <= total for lots in done)


def test_a_share_that_is_no_number_asks_for_nothing():
    assert lots_until(100, float("nan")) == 0


@given(total=st.integers(0, 10**12), weights=weights_of)
def test_compiled_it_cuts_alike(total, weights):
    lots = np.zeros(len(weights), np.int64)

    compiled(slice_into)(total, np.array(weights), lots)

    assert lots.tolist() == slices_lots(total, weights).tolist()


@pytest.mark.parametrize(
    ("total", "weights"),
    [
        (-1, [1.0]),
        (LOTS_LIMIT + 1, [1.0]),
        (10, []),
        (10, [0.0, 0.0]),
        (10, [1.0, -1.0]),
        (10, [1.0, float("nan")]),
        (10, [1.0, float("inf")]),
        (10, [1e308, 1e308]),
        (10, [[1.0]]),
    ],
)
def test_an_order_that_cannot_be_cut_is_refused(total, weights):
    with pytest.raises(ConfigError), np.errstate(over="ignore"):
        slices_lots(total, weights)
