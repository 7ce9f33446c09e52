"""What the orders of each venue can do by themselves; the engine does the rest, with the same meaning.

A venue has an ability here only where its own order does just what ours means: a trailing stop that follows in
percent does not follow at a distance, and a stop that needs a limit is not one at the market. Read from the venues' own
interface documents; nothing was tried with an account.

* Binance spot has no time at which an order ends, changes nothing but a smaller size, and trails in basis points
  (`trailingDelta`); it hides size (`icebergQty`) and keeps stops. USD-M ends orders (`goodTillDate`) and changes them,
  but hides nothing and trails in percent (`callbackRate`).
* Kraken spot has all of it: `expiretm`, `AmendOrder`, `displayvol`, `stop-loss`, `trailing-stop` at a distance.
* Coinbase ends orders (`limit_limit_gtd`) and edits them; its stops need a limit. Coinbase Exchange ends orders after a
  minute, an hour or a day only, and edits none.
* OKX and Bybit change orders and keep stops, end none and hide nothing in one order. OKX trails at a distance
  (`callbackSpread`), Bybit trails positions, not orders.
* Alpaca replaces orders, keeps stops and trails at a distance (`trail_price`), ends none at a time, hides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamtrader.instruments import Instrument

FEATURES = ("expiry", "amend", "iceberg", "stop", "trailing")
"""What an order may ask for that not every venue knows."""
LACKING: dict[str, tuple[str, ...]] = {
    "binance spot": ("expiry", "amend", "trailing"),
    "binance": ("iceberg", "trailing"),
    "kraken": (),
    "coinbase": ("iceberg", "stop", "trailing"),
    "coinbase-exchange": FEATURES,
    "okx": ("expiry", "iceberg"),
    "bybit": ("expiry", "iceberg", "trailing"),
    "alpaca": ("expiry", "iceberg"),
    "ccxt": FEATURES,  # its unified orders promise none of it for every exchange
}


def lacking(instrument: Instrument) -> tuple[str, ...]:
    """What the engine must do for orders on it. A market of no real venue can do everything."""
    name = instrument.venue.partition(":")[0]
    return LACKING.get(f"{name} {instrument.kind}", LACKING.get(name, ()))
