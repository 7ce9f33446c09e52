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
    "coinbase",
    "coinbase-exchange",
    "kraken",
    "okx",
)  # each is a package beside this file with a `LISTING`


@functools.cache
def listing_of(name: str) -> Listing:
    """The listing of one venue."""
    if name not in VENUES:
        raise ConfigError(f"venue {name!r} is not known; there are: {', '.join(VENUES)}")
    return cast("Listing", importlib.import_module(f"streamtrader.venues.{name.replace('-', '_')}").LISTING)


def all_listings() -> tuple[Listing, ...]:
    return tuple(listing_of(name) for name in VENUES)
