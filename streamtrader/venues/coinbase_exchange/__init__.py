"""Coinbase Exchange, the older websocket feed."""

from streamtrader.venues.coinbase_exchange.adapter import CoinbaseExchange
from streamtrader.venues.coinbase_exchange.listing import LISTING

__all__ = ["LISTING", "CoinbaseExchange"]
