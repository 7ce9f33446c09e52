"""streamtrader: write a strategy once, replay it over ticks, run it live, and prove that both decided the same.

The names below are what strategies, indicators and rules are written with; they are imported when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "ASK",
    "BID",
    "BUY",
    "SELL",
    "Atr",
    "Broker",
    "Candle",
    "Diffusion",
    "Ema",
    "Event",
    "Fill",
    "Indicator",
    "Instrument",
    "Level",
    "Link",
    "Microprice",
    "Order",
    "OrderFlowImbalance",
    "OrderReport",
    "PythonStrategy",
    "Quote",
    "RealizedVolatility",
    "Record",
    "Refusal",
    "RiskRule",
    "Rsi",
    "SessionVwap",
    "Sma",
    "Strategy",
    "Trade",
    "WilderAverage",
    "ZScore",
    "__version__",
]

_NAMES = {
    "events": "ASK BID BUY SELL Candle Event Fill Level Link OrderReport Quote Trade",
    "indicators": (
        "Atr Diffusion Ema Indicator Microprice OrderFlowImbalance RealizedVolatility Rsi SessionVwap Sma "
        "WilderAverage ZScore"
    ),
    "instruments": "Instrument",
    "kernel.broker": "Broker",
    "kernel.orders": "Order Refusal",
    "kernel.record": "Record",
    "risk.rule": "RiskRule",
    "strategies.strategy": "PythonStrategy Strategy",
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names.split()}

if TYPE_CHECKING:
    from streamtrader.events import (
        ASK,
        BID,
        BUY,
        SELL,
        Candle,
        Event,
        Fill,
        Level,
        Link,
        OrderReport,
        Quote,
        Trade,
    )
    from streamtrader.indicators import (
        Atr,
        Diffusion,
        Ema,
        Indicator,
        Microprice,
        OrderFlowImbalance,
        RealizedVolatility,
        Rsi,
        SessionVwap,
        Sma,
        WilderAverage,
        ZScore,
    )
    from streamtrader.instruments import Instrument
    from streamtrader.kernel.broker import Broker
    from streamtrader.kernel.orders import Order, Refusal
    from streamtrader.kernel.record import Record
    from streamtrader.risk.rule import RiskRule
    from streamtrader.strategies.strategy import PythonStrategy, Strategy


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'streamtrader' has no attribute {name!r}")
    return getattr(importlib.import_module(f"streamtrader.{home}"), name)
