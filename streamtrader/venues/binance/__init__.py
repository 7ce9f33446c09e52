"""Binance, spot and USD-M futures."""

from streamtrader.venues.binance.adapter import Binance
from streamtrader.venues.binance.listing import LISTING
from streamtrader.venues.binance.markets import MARKET_DATA_ONLY, MARKETS, SPOT, USDM, Market, instruments_of
from streamtrader.venues.binance.scan import compiled_scanner

__all__ = [
    "LISTING",
    "MARKETS",
    "MARKET_DATA_ONLY",
    "SPOT",
    "USDM",
    "Binance",
    "Market",
    "compiled_scanner",
    "instruments_of",
]
