"""What the embedded exchange can speak beside Binance's words, each in a module of its own.

The market is one: its frames are made once, and a dialect says them as another venue would. Nothing here knows the
engine's adapters: each is the other's check.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from streamtrader.exchange.dialects.translator import Translator
    from streamtrader.exchange.market import Market

BINANCE = "binance"
TRANSLATORS = {
    "kraken": "Kraken",
    "coinbase": "Coinbase",
    "coinbase-exchange": "CoinbaseExchange",
    "okx": "Okx",
    "bybit": "Bybit",
    "alpaca": "Alpaca",
}  # what each dialect's module calls it
DIALECTS = (BINANCE, *TRANSLATORS)


def opened_dialect(dialect: str, market: Market, names: Mapping[str, str]) -> Translator[Any] | None:
    """The translator of a dialect; None for Binance, whose words the market itself speaks.

    `names` are the dialect's symbols by the market's, where they were asked for so.
    """
    if dialect == BINANCE:
        return None
    if dialect not in TRANSLATORS:
        raise ValueError(f"{dialect!r} is no dialect; there are: {', '.join(DIALECTS)}")
    module = import_module(f"{__name__}.{dialect.replace('-', '_')}")
    chosen = {symbol: name for symbol, name in names.items() if name != symbol}  # that say more than the market's own
    return cast("Translator[Any]", getattr(module, TRANSLATORS[dialect])(market, chosen))
