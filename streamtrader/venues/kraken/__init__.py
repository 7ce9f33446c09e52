"""Kraken spot, websocket v2."""

from streamtrader.venues.kraken.adapter import Kraken
from streamtrader.venues.kraken.listing import LISTING

__all__ = ["LISTING", "Kraken"]
