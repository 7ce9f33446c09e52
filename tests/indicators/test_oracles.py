"""The same numbers, and the same first valid index, as libraries that share no code with us."""

from __future__ import annotations

import csv
import math

import numpy as np
import pandas as pd
import pytest
import talib
from scipy import stats
from talipp.indicators import ATR, RSI, SMMA, VWAP
from talipp.ohlcv import OHLCV

from streamtrader.indicators import (
    Atr,
    Ema,
    RealizedVolatility,
    Rsi,
    SessionVwap,
    Sma,
    WilderAverage,
    ZScore,
)
from tests.checks import CANDLES

PRICES = np.random.default_rng(7).normal(0.0, 0.4, 600).cumsum() + 100.0
BARS = CANDLES.rows(600, 7)


def answers(indicator, rows, field="value"):
    """What the indicator says while it is ready, nan before, as the libraries do."""
    said = []
    for row in rows:
        indicator.update(*np.atleast_1d(row))
        said.append(float(getattr(indicator, field)) if indicator.ready else math.nan)
    return np.array(said)


def assert_same(ours, theirs, relative=1e-9, absolute=0.0):
    theirs = np.asarray(theirs, float)
    assert np.flatnonzero(~np.isnan(ours))[0] == np.flatnonzero(~np.isnan(theirs))[0], "first valid index"
    np.testing.assert_allclose(ours, theirs, rtol=relative, atol=absolute, equal_nan=True)


@pytest.mark.parametrize("span", [1, 2, 14, 50])
def test_averages_are_those_of_talib_and_pandas(span):
    series = pd.Series(PRICES)

    if span > 1:  # TA-Lib knows no average of one
        assert_same(answers(Sma(span), PRICES), talib.SMA(PRICES, span))
        assert_same(answers(Ema(span, is_mean_seeded=True), PRICES), talib.EMA(PRICES, span))
    assert_same(answers(Sma(span), PRICES), series.rolling(span).mean())
    assert_same(answers(Ema(span), PRICES), series.ewm(span=span, adjust=False, min_periods=span).mean())


@pytest.mark.parametrize("span", [2, 5, 14])
def test_wilder_averages_are_those_of_talipp(span):
    theirs = [math.nan if value is None else value for value in SMMA(span, PRICES.tolist())]

    assert_same(answers(WilderAverage(span), PRICES), theirs)


@pytest.mark.parametrize("span", [2, 14, 30])
def test_rsi_is_that_of_talib_and_talipp(span):
    theirs = [math.nan if value is None else value for value in RSI(span, PRICES.tolist())]

    assert_same(answers(Rsi(span), PRICES), talib.RSI(PRICES, span))
    assert_same(answers(Rsi(span), PRICES), theirs)


@pytest.mark.parametrize("span", [2, 14])
def test_both_conventions_of_atr_are_met(span):
    """TA-Lib leaves the first range out and is valid a candle later, talipp counts it."""
    high, low, close = BARS.T.copy()
    candles = [OHLCV(last, up, down, last) for up, down, last in BARS.tolist()]
    theirs = [math.nan if value is None else value for value in ATR(span, candles)]

    assert_same(answers(Atr(span, counts_first_range=False), BARS), talib.ATR(high, low, close, span))
    assert_same(answers(Atr(span), BARS), theirs)


@pytest.mark.parametrize("window", [2, 20, 50])
def test_deviation_is_that_of_talib_and_pandas(window):
    ours = answers(ZScore(window), PRICES, "deviation")

    # Theirs lose digits to running sums where two prices are nearly equal; ours are held to fractions elsewhere.
    assert_same(ours, talib.STDDEV(PRICES, window), absolute=1e-8)
    assert_same(ours, pd.Series(PRICES).rolling(window).std(ddof=0), absolute=1e-11)


def test_z_score_is_that_of_scipy():
    window = 50
    theirs = [math.nan] * (window - 1)
    theirs += [stats.zscore(PRICES[at - window : at])[-1] for at in range(window, len(PRICES) + 1)]

    assert_same(answers(ZScore(window), PRICES), theirs)


def test_realized_volatility_is_the_root_mean_square_of_log_returns_in_pandas():
    changes = np.log(pd.Series(PRICES)).diff()

    assert_same(answers(RealizedVolatility(30), PRICES), np.sqrt((changes**2).rolling(30).mean()))


def test_vwap_of_one_session_is_that_of_talipp():
    sizes = np.random.default_rng(8).integers(1, 90, len(PRICES)) / 16
    theirs = VWAP([OHLCV(price, price, price, price, size) for price, size in zip(PRICES, sizes, strict=True)])
    vwap = SessionVwap()

    ours = [vwap.update(price, size, 0) for price, size in zip(PRICES, sizes, strict=True)]

    np.testing.assert_allclose(ours, list(theirs), rtol=1e-12)


def table(shared_data, name):
    """A file of prices and a third party's indicator in the same rows; empty cells are nan."""
    path = shared_data / "vectors" / "lean_indicators" / name
    with path.open(newline="", encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines))
    columns = [column for column in rows[0] if column not in ("Date", "time")]
    return {column.strip(): np.array([float(row[column] or "nan") for row in rows]) for column in columns}


def test_averages_and_rsi_meet_the_recorded_table(shared_data):
    """Printed to cents and to five decimals: the tolerance is the last printed digit."""
    recorded = table(shared_data, "spy_with_indicators.txt")
    close = recorded["Close"]

    for ours, column, tolerance in (
        (answers(Sma(14), close), "SMA14", 6e-3),
        (answers(Ema(14, is_mean_seeded=True), close), "EMA14", 6e-3),
        (answers(Rsi(14), close), "RSI 14 Wilder", 6e-6),
    ):
        valid = ~np.isnan(recorded[column])
        assert np.array_equal(valid, ~np.isnan(ours)), column
        np.testing.assert_allclose(ours[valid], recorded[column][valid], atol=tolerance)


def test_atr_meets_the_recorded_table(shared_data):
    recorded = table(shared_data, "spy_atr_wilder.txt")
    bars = np.stack([recorded["High"], recorded["Low"], recorded["Close"]], axis=1)

    ours = answers(Atr(14), bars)

    theirs = recorded["Average True Range 14"]
    assert np.array_equal(np.isnan(theirs), np.isnan(ours))
    np.testing.assert_allclose(ours, theirs, atol=6e-6, equal_nan=True)


def test_variance_meets_the_recorded_table(shared_data):
    recorded = table(shared_data, "spy_var.txt")

    ours = answers(ZScore(10), recorded["Close"], "deviation") ** 2

    assert_same(ours, recorded["Var"], relative=1e-8)
