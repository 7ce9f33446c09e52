"""Numbers that others printed: StockCharts' worked tables of RSI and ATR."""

from __future__ import annotations

import pytest

from streamtrader.indicators import Atr, Rsi

# https://chartschool.stockcharts.com: the worksheet of the relative strength index, closes of QQQQ.
RSI_CLOSES = (
    44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931,
    46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439, 46.2122, 46.2521,
    45.7137, 46.4515, 45.7835, 45.3548, 44.0288, 44.1783, 44.2181, 44.5672, 43.4205, 42.6628, 43.1314,
)  # fmt: skip
RSI_TABLE = (
    70.53, 66.32, 66.55, 69.41, 66.36, 57.97, 62.93, 63.26, 56.06, 62.38,
    54.71, 50.42, 39.99, 41.46, 41.87, 45.46, 37.30, 33.08, 37.77,
)  # fmt: skip
# The worksheet of the average true range, as printed: to cents, so its averages are met to cents only.
ATR_CANDLES = (
    (48.70, 47.79, 48.16), (48.72, 48.14, 48.61), (48.90, 48.39, 48.75), (48.87, 48.37, 48.63),
    (48.82, 48.24, 48.74), (49.05, 48.64, 49.03), (49.20, 48.94, 49.07), (49.35, 48.86, 49.32),
    (49.92, 49.50, 49.91), (50.19, 49.87, 50.13), (50.12, 49.20, 49.53), (49.66, 48.90, 49.50),
    (49.88, 49.43, 49.75), (50.19, 49.73, 50.03), (50.36, 49.26, 50.31), (50.57, 50.09, 50.52),
    (50.65, 50.30, 50.41),
)  # fmt: skip
ATR_TABLE = (0.5543, 0.5933, 0.5852, 0.5684)


def test_rsi_meets_the_stockcharts_table_to_its_last_digit():
    rsi = Rsi(14)

    values = [(rsi.update(close), bool(rsi.ready)) for close in RSI_CLOSES]

    assert [round(float(value), 2) for value, ready in values if ready] == list(RSI_TABLE)
    assert [value for value, ready in values if not ready] == [50.0] * 14


def test_atr_with_the_first_range_meets_the_stockcharts_table():
    atr = Atr(14, counts_first_range=True)

    values = [(float(atr.update(*candle)), bool(atr.ready)) for candle in ATR_CANDLES]

    assert [value for value, ready in values if ready] == pytest.approx(ATR_TABLE, abs=2e-3)
