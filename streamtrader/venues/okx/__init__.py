"""OKX, public v5 websocket."""

from streamtrader.venues.okx.adapter import Okx
from streamtrader.venues.okx.listing import LISTING

__all__ = ["LISTING", "Okx"]
