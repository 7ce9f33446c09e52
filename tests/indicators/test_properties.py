"""What holds for every series: definitions on every prefix, bounds, order, flat markets, long runs."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrader.indicators import (
    Atr,
    Diffusion,
    Ema,
    Microprice,
    OrderFlowImbalance,
    RealizedVolatility,
    Rsi,
    SessionVwap,
    Sma,
    WilderAverage,
    ZScore,
)
from streamtrader.indicators.window import ExactSum, capacity_for
from streamtrader.kernel.record import boxed
from tests import naive
from tests.checks import CANDLES, INDICATORS, PRICES, QUOTES, TRADES, Registered, play_on, played

SPANS = st.integers(1, 12)
SEEDS = st.integers(0, 2**32 - 1)
COUNTS = st.integers(1, 60)
prices_of = st.floats(1e-3, 1e6, allow_subnormal=False)
sizes_of = st.just(0.0) | st.floats(1e-8, 1e6)
price_series = st.lists(prices_of, min_size=1, max_size=40)


def column(values):
    return np.array(values, float).reshape(-1, 1)


def fed(indicator, rows):
    """All answers of an uncompiled indicator, as Python floats."""
    return [float(indicator.update(*(row if isinstance(row, tuple) else (row,)))) for row in rows]


def twin_of(function, rows, *arguments, **options):
    return [function([(price,) for price in rows[:end]], *arguments, **options) for end in range(1, len(rows) + 1)]


@given(prices=price_series, span=SPANS)
def test_an_average_equals_its_definition_on_every_prefix(prices, span):
    for indicator, twin in (
        (Sma(span), naive.sma),
        (Ema(span), naive.ema),
        (WilderAverage(span), naive.wilder_average),
    ):
        expected = twin_of(twin, prices, span)
        assert fed(indicator, prices) == pytest.approx(expected, rel=1e-9, abs=1e-14 * max(prices))


@given(prices=price_series, span=SPANS)
def test_an_average_lies_between_the_lowest_and_the_highest_price(prices, span):
    rounding = 1e-14 * max(prices)
    low, high = min(prices) - rounding, max(prices) + rounding

    for indicator in (Sma(span), Ema(span), Ema(span, is_mean_seeded=True), WilderAverage(span)):
        assert all(low <= value <= high for value in fed(indicator, prices))


@given(prices=price_series, span=SPANS)
def test_rsi_equals_its_definition_and_stays_from_0_to_100(prices, span):
    values = fed(Rsi(span), prices)

    assert all(0.0 <= value <= 100.0 for value in values)
    assert values == pytest.approx(twin_of(naive.rsi, prices, span), rel=1e-9, abs=1e-9)


@given(prices=price_series, span=SPANS)
def test_rsi_of_the_mirrored_series_is_its_complement(prices, span):
    mirrored = [2e6 - price for price in prices]
    exact = [2e6 - price for price in mirrored]  # what the mirror's rounding left of the prices

    values, complements = fed(Rsi(span), exact), fed(Rsi(span), mirrored)

    assert [100.0 - value for value in values] == pytest.approx(complements, abs=1e-6)


@given(mills=st.lists(st.integers(1, 10**9), min_size=3, max_size=40, unique=True), span=SPANS)
def test_rsi_is_100_while_prices_only_rise_and_0_while_they_only_fall(mills, span):
    """By a thousandth at least: a change in the last bit of a price is rounding to it, and none."""
    rising = sorted(price / 1_000 for price in mills)
    rsi, mirror = Rsi(span), Rsi(span)
    fed(rsi, rising)
    fed(mirror, rising[::-1])

    expected = (100.0, 0.0) if len(rising) > span else (50.0, 50.0)
    assert (float(rsi.value), float(mirror.value)) == expected


@given(price=prices_of, count=st.integers(2, 80), span=SPANS)
@pytest.mark.slow
def test_a_flat_series_moves_nothing(price, count, span):
    for indicator, expected in (
        (Sma(span), price),
        (Ema(span), price),
        (Ema(span, is_mean_seeded=True), price),
        (WilderAverage(span), price),
        (Rsi(span), 50.0),
        (ZScore(span), 0.0),
        (RealizedVolatility(span), 0.0),
    ):
        assert fed(indicator, [price] * count) == pytest.approx([expected] * count, rel=1e-15, abs=0.0)
    assert set(fed(Atr(span), [(price, price, price)] * count)) == {0.0}
    assert set(fed(SessionVwap(), [(price, 0.1, 0)] * count)) == {price}
    assert set(fed(OrderFlowImbalance(span), [(price, 0.1, price * 1.1, 0.3)] * count)) == {0.0}


@given(before=st.floats(1e5, 1e6), price=st.floats(0.01, 10.0), span=st.integers(2, 12))
def test_a_flat_series_is_flat_again_after_a_jump(before, price, span):
    """What a large price leaves behind when it leaves the window is not taken for movement."""
    score, volatility, sma = ZScore(span), RealizedVolatility(span), Sma(span)
    for value in [before] * span + [price] * (2 * span):
        for indicator in (score, volatility, sma):
            indicator.update(value)

    assert float(score.value) == 0.0
    assert float(volatility.value) == pytest.approx(0.0, abs=1e-12)
    assert float(sma.value) == price


@given(prices=price_series, window=st.integers(2, 12))
def test_a_z_score_stays_within_the_root_of_its_window(prices, window):
    score = ZScore(window)
    bound = math.sqrt(window - 1) * (1 + 1e-9)

    assert all(abs(value) <= bound and score.deviation >= 0.0 for value in fed(score, prices))


@given(ticks=st.lists(st.integers(5_900_000, 6_100_000), min_size=2, max_size=40), window=st.integers(2, 12))
def test_a_deviation_is_right_where_prices_are_large_and_moves_are_small(ticks, window):
    """At 60,000 and ticks of a cent a sum of plain squares has lost all digits that matter."""
    score = ZScore(window)
    for end, tick in enumerate(ticks, start=1):
        score.update(tick / 100)
        values = [Fraction(tick / 100) for tick in ticks[:end][-window:]]
        middle = sum(values) / len(values)
        variance = sum((value - middle) ** 2 for value in values) / len(values)
        assert float(score.deviation) == pytest.approx(math.sqrt(variance), rel=1e-9, abs=1e-9)


@given(prices=price_series, window=SPANS)
def test_realized_volatility_equals_its_definition(prices, window):
    values = fed(RealizedVolatility(window), prices)

    assert values == pytest.approx(twin_of(naive.realized_volatility, prices, window), rel=1e-9, abs=1e-12)


@given(seed=SEEDS, sigma=st.floats(0.01, 50.0))
@pytest.mark.slow
def test_diffusion_finds_the_volatility_of_a_brownian_motion_however_often_it_is_told(seed, sigma):
    """2,000 normal changes: the estimate of a variance is within 5 deviations of sqrt(2 / 2000)."""
    generator = np.random.default_rng(seed)
    passed_ns = generator.integers(10**6, 2 * 10**9, 2_000)
    prices = 60_000.0 + np.cumsum(generator.normal(0.0, sigma * np.sqrt(passed_ns / 1e9)))
    diffusion = Diffusion(half_life_s=1e6)

    for price, now_ns in zip(prices.tolist(), np.cumsum(passed_ns).tolist(), strict=True):
        diffusion.update(price, now_ns)

    assert float(diffusion.value) ** 2 == pytest.approx(sigma**2, rel=5 * math.sqrt(2 / 2_000) * 1.35)


def test_diffusion_is_ready_after_its_half_life_and_survives_a_clock_that_runs_backwards():
    diffusion = Diffusion(half_life_s=2.0)
    readiness = []
    for price, now_ms in ((100.0, 0), (101.0, 1_000), (99.0, 500), (100.0, 1_999), (100.0, 2_000)):
        diffusion.update(price, now_ms * 1_000_000)
        readiness.append(bool(diffusion.ready))

    assert readiness == [False, False, False, False, True]
    assert math.isfinite(diffusion.value)


@given(count=COUNTS, seed=SEEDS, span=SPANS, counts_first_range=st.booleans())
def test_atr_equals_its_definition_and_is_never_negative(count, seed, span, counts_first_range):
    registered = Registered(Atr, {"span": span, "counts_first_range": counts_first_range}, CANDLES, naive.atr)
    rows = CANDLES.rows(count, seed)

    answers, _ = played(registered, rows)

    history = [tuple(row) for row in rows.tolist()]
    twin = [registered.twin(history[:end], **registered.arguments) for end in range(1, count + 1)]
    assert answers.tolist() == pytest.approx(twin, rel=1e-9, abs=1e-12)
    assert (answers >= 0.0).all()


@given(count=COUNTS, seed=SEEDS)
def test_vwap_lies_between_the_prices_of_its_session(count, seed):
    rows = TRADES.rows(count, seed)
    vwap = SessionVwap()
    for at, (price, size, now_ns) in enumerate(rows):
        value = float(vwap.update(price, size, now_ns))
        session = rows["price"][: at + 1][rows["now_ns"][: at + 1] // naive.NS_PER_DAY == now_ns // naive.NS_PER_DAY]
        assert session.min() * (1 - 1e-12) <= value <= session.max() * (1 + 1e-12)


def test_a_session_begins_at_its_hour_and_not_with_the_process():
    hour_ns = 3_600_000_000_000
    vwap = SessionVwap(offset_ns=8 * hour_ns)

    values = [
        float(vwap.update(price, 1.0, hour * hour_ns))
        for price, hour in ((10.0, 7), (20.0, 8), (30.0, 31), (40.0, 32))
    ]

    assert values == [10.0, 20.0, 25.0, 40.0]


@given(bid=prices_of, spread=st.floats(0.0, 1e3), bid_size=sizes_of, ask_size=sizes_of)
def test_a_microprice_lies_between_bid_and_ask(bid, spread, bid_size, ask_size):
    ask = bid + spread
    value = float(Microprice().update(bid, bid_size, ask, ask_size))

    assert bid <= value <= ask
    assert value == pytest.approx(naive.microprice([(bid, bid_size, ask, ask_size)]), rel=1e-9)


@given(count=COUNTS, seed=SEEDS, window=SPANS)
def test_order_flow_imbalance_changes_its_sign_with_the_sides(count, seed, window):
    rows = QUOTES.rows(count, seed)
    imbalance, mirrored = OrderFlowImbalance(window), OrderFlowImbalance(window)
    for bid, bid_size, ask, ask_size in rows:
        value = float(imbalance.update(bid, bid_size, ask, ask_size))
        assert float(mirrored.update(-ask, ask_size, -bid, bid_size)) == -value


@given(
    numbers=st.lists(
        st.floats(-1e9, 1e9, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-9), max_size=60
    )
)
def test_an_exact_sum_is_the_sum_of_fractions_and_forgets_what_leaves(numbers):
    total = ExactSum()
    for number in numbers:
        total.add(number)
    exact = float(sum(map(Fraction, numbers), Fraction(0)))

    assert float(total.high) == pytest.approx(exact, rel=1e-15, abs=1e-18)
    for number in reversed(numbers):
        total.add(-number)
    assert abs(float(total.high)) <= 1e-18


@pytest.mark.parametrize(("window", "capacity"), [(1, 64), (64, 64), (65, 256), (257, 1024), (5_000, 16_384)])
def test_windows_come_in_few_capacities(window, capacity):
    assert capacity == capacity_for(window)


@settings(max_examples=20)
@given(data=st.data(), registered=st.sampled_from(INDICATORS), seed=SEEDS)
@pytest.mark.slow
def test_cuts_and_restarts_anywhere_leave_the_same_bytes(data, registered, seed):
    """One call, ragged calls, a crash between any two of them: one state."""
    rows = registered.feed.rows(80, seed)
    _, whole = played(registered, rows)
    cuts = sorted(data.draw(st.sets(st.integers(1, 79), max_size=6)))
    box = boxed(registered.cls(**registered.arguments))

    for start, stop in zip([0, *cuts], [*cuts, 80], strict=True):
        play_on(registered, box, rows[start:stop])
        box = np.frombuffer(bytearray(box.tobytes()), box.dtype)

    assert whole.tobytes() == box.tobytes()


def long_walk(count):
    """A million small steps at 60,000 with a burst a thousand times as large in the middle."""
    generator = np.random.default_rng(11)
    prices = 60_000.0 + np.cumsum(np.round(generator.normal(0.0, 1.0, count))) * 0.01
    prices[count // 2 : count // 2 + 10] *= 1_000.0
    return prices


@pytest.mark.parametrize(
    ("registered", "twin"),
    [
        (Registered(Sma, {"window": 50}, PRICES, naive.sma), naive.sma),
        (Registered(ZScore, {"window": 50}, PRICES, naive.z_score), naive.z_score),
        (
            Registered(RealizedVolatility, {"window": 30}, PRICES, naive.realized_volatility),
            naive.realized_volatility,
        ),
        (Registered(Ema, {"span": 50}, PRICES, naive.ema), naive.ema),
    ],
    ids=lambda value: value.cls.__name__ if isinstance(value, Registered) else "",
)
def test_a_million_updates_leave_no_drift(registered, twin):
    prices = long_walk(1_000_000)

    answers, _ = played(registered, column(prices))

    # What lies 3,000 updates back weighs nothing any more, so the twin may look at the end only.
    history = [(price,) for price in prices[-3_000:].tolist()]
    assert answers[-1] == pytest.approx(twin(history, **registered.arguments), rel=1e-9, abs=1e-15)


def test_a_million_trades_of_one_session_leave_no_drift():
    rows = np.zeros(1_000_000, [("price", "f8"), ("size", "f8"), ("now_ns", "i8")])
    rows["price"] = long_walk(len(rows))
    rows["size"] = np.random.default_rng(12).integers(1, 9_999, len(rows)) / 1e5

    answers, _ = played(Registered(SessionVwap, {}, TRADES, naive.session_vwap), rows)

    exact = math.fsum(rows["price"] * rows["size"]) / math.fsum(rows["size"])
    assert answers[-1] == pytest.approx(exact, rel=1e-9)


def test_a_million_quotes_leave_no_drift():
    rows = np.tile(QUOTES.rows(1_000, 5), (1_000, 1))
    rows[:, (1, 3)] += np.random.default_rng(13).random((len(rows), 2))

    answers, _ = played(Registered(OrderFlowImbalance, {"window": 50}, QUOTES, naive.order_flow_imbalance), rows)

    history = [tuple(row) for row in rows[-51:].tolist()]
    assert answers[-1] == pytest.approx(naive.order_flow_imbalance(history, 50), rel=1e-9)
