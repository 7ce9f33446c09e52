"""Coinbase Advanced Trade; `history` reads the past of the same matching engine from Coinbase Exchange."""

from streamtrader.venues.coinbase.adapter import Coinbase
from streamtrader.venues.coinbase.listing import LISTING

__all__ = ["LISTING", "Coinbase"]
