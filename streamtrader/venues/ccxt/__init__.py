"""Any other exchange, through ccxt.pro: what is said between `venues/ccxt_venue.py`, which owns it, and the ring.

ccxt is not imported here: its results become frames of ours, and this adapter reads those as it would any venue's.
So recordings, imports, checks and mutations treat such an exchange like all others.
"""

from streamtrader.venues.ccxt.adapter import Ccxt
from streamtrader.venues.ccxt.listing import LISTING, CcxtListing

__all__ = ["LISTING", "Ccxt", "CcxtListing"]
