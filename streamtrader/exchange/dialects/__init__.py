"""What the embedded exchange can speak beside Binance's words, each in a module of its own.

The market is one: its frames are made once, and a dialect says them as another venue would. Nothing here knows the
engine's adapters: each is the other's check.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamtrader.exchange.dialects.translator import Translator
    from streamtrader.exchange.market import Market

BINANCE = "binance"
DIALECTS = (BINANCE, "kraken", "coinbase", "alpaca")


def opened_dialect(dialect: str, market: Market, names: Mapping[str, str]) -> Translator[Any] | None:
    """The translator of a dialect; None for Binance, whose words the market itself speaks.

    `names` are the dialect's symbols by the market's, where they were asked for so.
    """
    if dialect == BINANCE:
        return None
    if dialect == "kraken":
        from streamtrader.exchange.dialects.kraken import Kraken

        return Kraken(market, _chosen(names))
    if dialect == "coinbase":
        from streamtrader.exchange.dialects.coinbase import Coinbase

        return Coinbase(market, _chosen(names))
    if dialect == "alpaca":
        from streamtrader.exchange.dialects.alpaca import Alpaca

        return Alpaca(market, _chosen(names))
    raise ValueError(f"{dialect!r} is no dialect; there are: {', '.join(DIALECTS)}")


def _chosen(names: Mapping[str, str]) -> Mapping[str, str]:
    """Only names that say more than the market's own."""
    return {symbol: name for symbol, name in names.items() if name != symbol}
