"""streamtrader: write a strategy once, replay it over ticks, run it live, and prove that both decided the same.

The names below are what strategies, indicators and rules are written with; they are imported when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Broker": "kernel.broker",
    "Order": "kernel.orders",
    "Refusal": "kernel.orders",
    "Record": "kernel.record",
    "Trade": "events",
    "Quote": "events",
    "Level": "events",
    "Candle": "events",
    "Fill": "events",
    "OrderReport": "events",
    "Link": "events",
    "Event": "events",
    "BUY": "events",
    "SELL": "events",
    "BID": "events",
    "ASK": "events",
    "Strategy": "strategies.strategy",
    "PythonStrategy": "strategies.strategy",
    "RiskRule": "risk.rule",
    "Indicator": "indicators",
    "Sma": "indicators",
    "Ema": "indicators",
    "WilderAverage": "indicators",
    "Rsi": "indicators",
    "Atr": "indicators",
    "SessionVwap": "indicators",
    "ZScore": "indicators",
    "RealizedVolatility": "indicators",
    "Microprice": "indicators",
    "OrderFlowImbalance": "indicators",
    "Instrument": "instruments",
}
__all__ = ["__version__", *_HOMES]

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
