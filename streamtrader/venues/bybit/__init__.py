"""Bybit, public v5 websocket: spot and linear contracts."""

from streamtrader.venues.bybit.adapter import Bybit
from streamtrader.venues.bybit.listing import LISTING

__all__ = ["LISTING", "Bybit"]
