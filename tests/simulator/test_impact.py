"""Impact: the worked example of the paper, and what must hold for every law and any sequence of trades."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.errors import ConfigError
from streamtrader.kernel.compiler import compiled
from streamtrader.kernel.record import boxed
from streamtrader.simulator import impact
from streamtrader.simulator.impact import Impact
from streamtrader.units import NS_PER_DAY

HOUR_NS = 3_600_000_000_000
BPS = 1e4
VOLUME, VOLATILITY = 1_000.0, 0.02

# Almgren et al. (2005), the table of examples: buying a tenth of a day's volume. Volume and shares in millions, the
# volatility of a day; in basis points the permanent impact, and temporary impact and cost for a part of a day.
EXAMPLES = {
    "IBM": (6.561, 1_728.0, 0.0157, 20, {0.1: (22, 32), 0.2: (15, 25), 0.5: (8, 18)}),
    "DRI": (1.929, 168.0, 0.0226, 22, {0.1: (32, 43), 0.2: (21, 32), 0.5: (12, 23)}),
}

sizes = st.floats(-1e6, 1e6, allow_subnormal=False).filter(lambda size: abs(size) > 1e-9)
volumes = st.floats(1e-3, 1e9)
volatilities = st.floats(1e-5, 1.0)
LAWS = {
    "square root": lambda: impact.square_root(half_life_ns=HOUR_NS),
    "square root, a part stays": lambda: impact.square_root(half_life_ns=HOUR_NS, permanent_share=0.3),
    "linear": lambda: impact.linear(0.5, 0.2, half_life_ns=HOUR_NS),
    "power": lambda: impact.power_law(263.4, half_life_ns=HOUR_NS),
}
laws = pytest.mark.parametrize("make", LAWS.values(), ids=LAWS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_worked_example_of_the_paper_is_reproduced_within_a_basis_point(name):
    volume, shares, volatility, permanent_bps, by_duration = EXAMPLES[name]
    size = 0.1 * volume

    permanent = impact.power_law_permanent_impact(size, volume, volatility, shares)

    assert permanent * BPS == pytest.approx(permanent_bps, abs=1.0)
    for duration, (temporary_bps, cost_bps) in by_duration.items():
        temporary = impact.power_law_temporary_impact(size, volume, volatility, duration)
        cost = impact.power_law_cost(size, volume, volatility, duration, shares)
        assert temporary * BPS == pytest.approx(temporary_bps, abs=1.0)
        assert cost * BPS == pytest.approx(cost_bps, abs=1.0)
        assert cost == 0.5 * permanent + temporary


def test_a_share_of_a_day_moves_the_price_by_the_published_prefactor():
    """1 % of a day's volume at 4 % a day: 0.9 * 4 % * a tenth."""
    assert impact.square_root_impact(10.0, 1_000.0, 0.04) == pytest.approx(0.0036)
    assert impact.square_root_impact(10.0, 1_000.0, 0.04, 1.0) == pytest.approx(0.0040)


def test_linear_impact_is_that_of_almgren_and_chriss():
    """Their section 4: a million shares cost 25 cents that stay; selling 200,000 a day costs 1/16 and 50 cents."""
    assert impact.linear_permanent_impact(1e6, 2.5e-7) == pytest.approx(0.25)
    assert impact.linear_temporary_impact(-2e5, 0.0625, 2.5e-6) == pytest.approx(-0.5625)
    assert impact.linear_temporary_impact(0.0, 0.0625, 2.5e-6) == 0.0


FUNCTIONS = {
    "square root": impact.square_root_impact,
    "permanent": lambda *given: impact.power_law_permanent_impact(*given, 5e9),
    "temporary": lambda *given: impact.power_law_temporary_impact(*given, 0.3),
    "cost": lambda *given: impact.power_law_cost(*given, 0.3, 5e9),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
@given(size=sizes, more=st.floats(1.001, 100.0), volume=volumes, volatility=volatilities)
def test_more_is_never_cheaper_and_selling_mirrors_buying(function, size, more, volume, volatility):
    moved = function(size, volume, volatility)

    assert math.copysign(1.0, moved) == math.copysign(1.0, size)
    assert abs(function(size * more, volume, volatility)) > abs(moved)
    assert abs(function(size, volume * more, volatility)) < abs(moved)
    assert function(-size, volume, volatility) == -moved
    assert function(0.0, volume, volatility) == 0.0


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize(
    ("volume", "volatility"), [(0.0, 0.1), (-5.0, 0.1), (math.nan, 0.1), (5.0, 0.0), (5.0, math.nan)]
)
def test_a_market_without_volume_or_volatility_has_no_known_impact(function, volume, volatility):
    assert math.isnan(function(1.0, volume, volatility))


@laws
@given(sizes=st.lists(sizes, min_size=1, max_size=8), at_ns=st.integers(0, NS_PER_DAY))
def test_an_order_cut_into_slices_moves_the_price_as_far_as_one_that_is_not(make, sizes, at_ns):
    whole, sliced = make(), make()
    whole.shift(math.fsum(sizes), VOLUME, VOLATILITY, at_ns)

    for size in sizes:
        sliced.shift(size, VOLUME, VOLATILITY, at_ns)

    # A root magnifies what rounding leaves of a flow that cancels: 1e-13 of it becomes 3e-7.
    scale = abs(make().shift(math.fsum(map(abs, sizes)), VOLUME, VOLATILITY, at_ns))
    assert sliced.price_shift(at_ns) == pytest.approx(whole.price_shift(at_ns), rel=1e-9, abs=1e-6 * scale)


@laws
@given(size=sizes, at_ns=st.integers(0, NS_PER_DAY))
def test_a_round_trip_at_one_moment_leaves_nothing(make, size, at_ns):
    record = make()

    record.shift(size, VOLUME, VOLATILITY, at_ns)
    record.shift(-size, VOLUME, VOLATILITY, at_ns)

    assert record.price_shift(at_ns) == 0.0


@laws
@given(size=sizes, hours=st.integers(1, 30))
def test_the_temporary_part_halves_in_each_half_life_and_the_permanent_part_stays(make, size, hours):
    record = make()
    first = record.shift(size, VOLUME, VOLATILITY, 0)
    stays = float(record.permanent_shift)

    left = record.price_shift(hours * HOUR_NS)

    assert left - stays == pytest.approx((first - stays) * 0.5**hours, rel=1e-9, abs=1e-12 * abs(first))
    assert record.price_shift(10_000 * HOUR_NS) == stays


@laws
@given(size=sizes, first=st.integers(1, 10), second=st.integers(1, 10))
def test_looking_on_the_way_changes_nothing_and_a_trade_of_nothing_changes_nothing(make, size, first, second):
    looked, plain = make(), make()
    for record in (looked, plain):
        record.shift(size, VOLUME, VOLATILITY, 0)

    looked.shift(0.0, VOLUME, VOLATILITY, first * HOUR_NS)

    end_ns = (first + second) * HOUR_NS
    assert looked.price_shift(end_ns) == pytest.approx(plain.price_shift(end_ns), rel=1e-9)


def test_without_memory_only_the_permanent_part_is_left_a_nanosecond_later():
    record = impact.linear(0.5, 0.2)

    assert record.shift(100.0, VOLUME, VOLATILITY, 7) == pytest.approx(0.7 * 0.02 * 0.1)
    assert record.price_shift(8) == pytest.approx(0.2 * 0.02 * 0.1)


def test_a_clock_that_runs_backwards_brings_nothing_back():
    record = impact.square_root(half_life_ns=HOUR_NS)
    record.shift(10.0, VOLUME, VOLATILITY, 5 * HOUR_NS)

    before = record.price_shift(5 * HOUR_NS)

    assert record.price_shift(2 * HOUR_NS) == before
    record.shift(0.0, VOLUME, VOLATILITY, 2 * HOUR_NS)
    assert (float(record.price_shift(5 * HOUR_NS)), int(record.at_ns)) == (before, 5 * HOUR_NS)


def test_trading_evenly_moves_the_price_as_the_power_law_says():
    """A tenth of a day's volume in a fifth of a day, with a memory of minutes: the rate is known after a while."""
    record = impact.power_law(half_life_ns=HOUR_NS // 60)
    slices, duration = 20_000, 0.2

    for at in range(slices):
        record.shift(0.1 * VOLUME / slices, VOLUME, VOLATILITY, round(at * duration * NS_PER_DAY / slices))

    expected = impact.power_law_temporary_impact(0.1 * VOLUME, VOLUME, VOLATILITY, duration)
    assert record.temporary_shift == pytest.approx(expected, rel=0.01)
    assert record.permanent_shift == pytest.approx(impact.PERMANENT_GAMMA * VOLATILITY * 0.1)


@pytest.mark.parametrize(
    "numbers",
    [
        (math.nan, 1.0, 0.1), (math.inf, 1.0, 0.1), (1.0, 0.0, 0.1), (1.0, -1.0, 0.1), (1.0, 1.0, 0.0),
        (1.0, 1.0, math.nan),
    ],
)
def test_a_trade_whose_numbers_make_no_sense_is_counted_and_moves_nothing(numbers):
    record = impact.square_root(half_life_ns=HOUR_NS)
    before = record.shift(10.0, VOLUME, VOLATILITY, 0)

    assert record.shift(*numbers, 0) == before
    assert record.ignored_count == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: Impact(temporary=-0.1),
        lambda: Impact(permanent=math.nan),
        lambda: Impact(exponent=0.0),
        lambda: Impact(exponent=1.5),
        lambda: Impact(half_life_ns=-1),
        lambda: impact.square_root(half_life_ns=HOUR_NS, permanent_share=1.1),
        lambda: impact.power_law(0.0, half_life_ns=HOUR_NS),
        lambda: impact.power_law(half_life_ns=0),
    ],
)
def test_coefficients_that_cannot_be_are_refused_when_the_record_is_made(make):
    with pytest.raises(ConfigError):
        make()


def play(box, trades, shifts):
    for index in range(len(trades)):
        shifts[index, 0] = box[0].shift(trades[index, 0], trades[index, 1], trades[index, 2], int(trades[index, 3]))
        shifts[index, 1] = box[0].price_shift(int(trades[index, 3]) + 1_000_000_000)


@laws
def test_compiled_and_uncompiled_agree_in_every_byte(make):
    generator = np.random.default_rng(3)
    trades = np.stack(
        [
            generator.normal(0.0, 5.0, 500), generator.uniform(50.0, 5_000.0, 500), generator.uniform(1e-3, 0.1, 500),
            np.cumsum(generator.integers(0, HOUR_NS, 500)).astype(float),
        ],
        axis=1,
    )  # fmt: skip
    outcomes = []
    for run in (compiled(play), play):
        box, shifts = boxed(make()), np.zeros((len(trades), 2))
        run(box, trades, shifts)
        outcomes.append((box.tobytes(), shifts.tobytes()))

    assert outcomes[0] == outcomes[1]


def all_laws(size, volume, volatility):
    return (
        impact.square_root_impact(size, volume, volatility)
        + impact.power_law_cost(size, volume, volatility, 0.3, 5e9)
        + impact.linear_temporary_impact(size, 0.1, 0.2)
        + impact.linear_permanent_impact(size, 0.3)
    )


@given(size=sizes, volume=volumes, volatility=volatilities)
def test_the_plain_functions_compile_to_the_same_numbers(size, volume, volatility):
    plain = all_laws(size, volume, volatility)

    assert compiled(all_laws)(size, volume, volatility) == pytest.approx(plain, rel=1e-14)
