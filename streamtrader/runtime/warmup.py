"""Compiling before anybody waits for it: layouts are all that the compiler needs, so stand-ins will do."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from streamtrader.instruments import Instrument

if TYPE_CHECKING:
    from streamtrader.config import Settings


def place_holders(settings: Settings) -> tuple[Instrument, ...]:
    """An instrument for every symbol that a strategy names; their rules do not enter the machine code."""
    named = [symbol for strategy in settings.strategies for symbol in strategy.instruments]
    symbols = dict.fromkeys(named or settings.exchange.symbols)
    return tuple(Instrument("none", symbol, "", "", Decimal("0.01"), Decimal("0.01")) for symbol in symbols)
