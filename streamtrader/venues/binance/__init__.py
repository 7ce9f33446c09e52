"""Binance, spot and USD-M futures."""

from streamtrader.venues.binance.adapter import Binance
from streamtrader.venues.binance.markets import MARKETS, SPOT, USDM, USDM_TRADES, Market, instruments_of
from streamtrader.venues.binance.scan import compiled_scanner

__all__ = ["MARKETS", "SPOT", "USDM", "USDM_TRADES", "Binance", "Market", "compiled_scanner", "instruments_of"]
