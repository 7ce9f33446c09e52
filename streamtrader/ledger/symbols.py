"""Which two currencies a symbol means: read from its separator, else from the quote currency that it ends with.

    BTC/USDT  BTC-USD  BTC_EUR  BTC/USDT:USDT  BTC-USDT-SWAP      the parts say it
    BTCUSDT  ETHBTC                                               one known quote currency ends it
    BTCFDUSD (BTC in FDUSD, or BTCFD in USD?)  AAPL  BTC-PERP     refused, until the caller names the quote

A name that could be read in two ways is refused rather than guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from streamtrader.errors import LedgerError
from streamtrader.ledger.facts import Pair

QUOTES = (
    *("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "PYUSD", "RLUSD", "GUSD", "USDP", "USDE", "DAI", "AEUR", "USD", "EUR"),
    *("GBP", "JPY", "CHF", "AUD", "CAD", "TRY", "BRL", "KRW", "BTC", "XBT", "ETH", "BNB"),
)
_CODE = re.compile(r"[A-Z0-9][A-Z0-9.]*")
_CONTRACTS = ("PERP", "PERPETUAL", "SWAP", "FUTURE", "FUTURES")


def pair_of(symbol: str, quotes: Sequence[str] = ()) -> Pair:
    """Base and quote in capitals; `quotes` are the caller's own, which come before the known ones."""
    name = symbol.strip().upper()
    own = tuple(quote.upper() for quote in quotes)
    market = name.split(":")[0] if "/" in name else name  # what follows is what a contract is settled in
    parts = re.split(r"[/_:-]", market)
    if not all(_CODE.fullmatch(part) for part in parts):
        raise LedgerError(f"{symbol!r} is no symbol; write one such as BTCUSDT, BTC/USDT or BTC-USD")
    if len(parts) > 1:
        return _of_parts(symbol, parts, own, is_certain="/" in name)
    found = _ends(name, own) or _ends(name, QUOTES)
    if len(found) == 1:
        return Pair(symbol, name.removesuffix(found[0]), found[0])
    if not found and len(own) == 1:
        return Pair(symbol, name, own[0])
    if not found:
        raise LedgerError(f"{symbol} does not say what it is quoted in; name it with --quote, for example --quote USD")
    readings = " or ".join(f"{name.removesuffix(quote)} in {quote}" for quote in found)
    raise LedgerError(
        f"{symbol} may be {readings}; name the quote currency with --quote {found[0]}, or write "
        f"{name.removesuffix(found[0])}/{found[0]}"
    )


def _ends(name: str, quotes: Sequence[str]) -> list[str]:
    return [quote for quote in quotes if name.endswith(quote) and name != quote]


def _of_parts(symbol: str, parts: Sequence[str], own: Sequence[str], *, is_certain: bool) -> Pair:
    base, quote = parts[0], parts[1]
    is_known = quote in QUOTES or quote in own
    if is_known or (len(parts) == 2 and (is_certain or (quote.isalpha() and quote not in _CONTRACTS))):
        return Pair(symbol, base, quote)
    if len(own) == 1:
        return Pair(symbol, base, own[0])
    raise LedgerError(
        f"{symbol} does not say what it is quoted in: {quote} is no known currency; name it with --quote, for example "
        "--quote USD"
    )
