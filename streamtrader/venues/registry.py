"""Every venue by name. A venue's package is loaded when it is asked for, and not before."""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, cast

from streamtrader.errors import ConfigError

if TYPE_CHECKING:
    from streamtrader.venues.listing import Listing

VENUES = (
    "alpaca",
    "binance",
    "bybit",
    "ccxt",
    "coinbase",
    "coinbase-exchange",
    "kraken",
    "okx",
)  # each is a package beside this file with a `LISTING`
CCXT = "ccxt:"  # and then an exchange in ccxt's words


@functools.cache
def listing_of(name: str) -> Listing:
    """The listing of one venue, or of one exchange of ccxt's: `ccxt:kucoin`."""
    if name.startswith(CCXT):
        return cast("Listing", importlib.import_module("streamtrader.venues.ccxt").CcxtListing(name[len(CCXT) :]))
    if name not in VENUES:
        raise ConfigError(f"venue {name!r} is not known; there are: {', '.join(VENUES)}")
    return cast("Listing", importlib.import_module(f"streamtrader.venues.{name.replace('-', '_')}").LISTING)


def is_choice(name: str) -> bool:
    """Whether a session can be asked to go there; which exchanges ccxt has is known when it is loaded."""
    exchange = name.removeprefix(CCXT)
    return (name in VENUES and name != "ccxt") or (name != exchange and exchange.isidentifier())


def choices() -> tuple[str, ...]:
    return tuple("ccxt:EXCHANGE" if name == "ccxt" else name for name in VENUES)


def all_listings() -> tuple[Listing, ...]:
    return tuple(listing_of(name) for name in VENUES)
