"""Indicators: plain classes with `update`, `value` and `ready`, compiled with whatever strategy owns them."""

from streamtrader.indicators.averages import Ema, Sma, WilderAverage
from streamtrader.indicators.flow import Microprice, OrderFlowImbalance
from streamtrader.indicators.indicator import Indicator
from streamtrader.indicators.momentum import Rsi
from streamtrader.indicators.statistics import ZScore
from streamtrader.indicators.volatility import Atr, Diffusion, RealizedVolatility
from streamtrader.indicators.volume import SessionVwap

__all__ = [
    "Atr",
    "Diffusion",
    "Ema",
    "Indicator",
    "Microprice",
    "OrderFlowImbalance",
    "RealizedVolatility",
    "Rsi",
    "SessionVwap",
    "Sma",
    "WilderAverage",
    "ZScore",
]
