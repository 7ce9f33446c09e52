"""Alpaca: US stocks and crypto, JSON and msgpack."""

from streamtrader.venues.alpaca.adapter import Alpaca
from streamtrader.venues.alpaca.listing import LISTING

__all__ = ["LISTING", "Alpaca"]
