"""ccxt's description of an exchange, as we need it: instruments, addresses, and which markets to ask for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from streamtrader.errors import ConfigError
from streamtrader.instruments import Instrument
from streamtrader.venues.venue import Endpoints

DECIMAL_PLACES, SIGNIFICANT_DIGITS, TICK_SIZE = 2, 3, 4  # ccxt's ways to say how fine a price is
FINEST = Decimal("1e-8")
WANTED = {"spot": ("spot",), "perpetual": ("swap", "linear", "contract")}  # in the words of `fetchMarkets`
TYPES = {"spot": "spot", "perpetual": "swap"}
TIMEFRAMES = {
    1: "1s", 60: "1m", 180: "3m", 300: "5m", 900: "15m", 1_800: "30m", 3_600: "1h", 7_200: "2h", 14_400: "4h", 21_600: "6h",
    43_200: "12h", 86_400: "1d",
}  # fmt: skip - ccxt's words for lengths of candles, by their seconds
BPS = 1e4


def instrument_of(exchange: Any, symbol: str, kind: str, venue: str) -> Instrument:
    """The rules of one market; `symbol` stays as it was written, ccxt's name or the exchange's own."""
    market = exchange.market(symbol)
    if market["type"] != TYPES[kind]:
        raise ConfigError(
            f"{symbol} is a {market['type']} market of {venue}, and venue.kind says {kind}: ccxt's name of another "
            "kind is written like BTC/USDT for spot and BTC/USDT:USDT for perpetual"
        )
    if market.get("inverse"):
        raise ConfigError(f"{symbol}: contracts that are counted in {market['quote']} are not supported")
    limits = (market.get("limits") or {}).get("cost") or {}
    return Instrument(
        venue=venue,
        symbol=symbol,
        base=market["base"],
        quote=market["quote"],
        price_tick=_step(exchange, market, "price"),
        size_lot=_step(exchange, market, "amount") * _decimal(market.get("contractSize") or 1),
        minimum_notional=max(_decimal(limits.get("min") or 0), Decimal(0)),
        maker_fee_bps=_bps(market.get("maker")),
        taker_fee_bps=_bps(market.get("taker")),
        kind=kind,
        contract_size=_decimal(market.get("contractSize") or 1),
    )


def _step(exchange: Any, market: Mapping[str, Any], name: str) -> Decimal:
    """The step of prices or sizes. Significant digits are no step: then the finest that anybody uses."""
    precision = (market.get("precision") or {}).get(name)
    if precision is None or exchange.precisionMode == SIGNIFICANT_DIGITS:
        return FINEST
    if exchange.precisionMode == DECIMAL_PLACES:
        return Decimal(1).scaleb(-int(precision))
    return _decimal(precision)


def _decimal(number: Any) -> Decimal:
    """Of a float what it is written like: 0.1, not the binary fraction beside it."""
    return Decimal(str(number))


def _bps(fee: Any) -> float:
    return 10.0 if fee is None else round(float(fee) * BPS, 6)


def moved_urls(urls: Any, endpoints: Endpoints) -> Any:
    """ccxt's table of addresses with another host: paths stay, `ws` goes to `stream`, the rest to `rest`."""
    if isinstance(urls, Mapping):
        return {name: moved_urls(url, endpoints) for name, url in urls.items()}
    if not isinstance(urls, str) or "://" not in urls:
        return urls
    parts = urlsplit(urls)
    base = endpoints.stream if parts.scheme in ("ws", "wss") else endpoints.rest
    return base + parts.path + (f"?{parts.query}" if parts.query else "")


def narrowed(options: dict[str, Any], kind: str) -> None:
    """Ask for the markets of one kind only, where ccxt lets one choose."""
    chosen = options.get("fetchMarkets")
    if not isinstance(chosen, dict):
        return
    types = chosen.get("types")
    if isinstance(types, list):
        options["fetchMarkets"] = {**chosen, "types": [each for each in types if each in WANTED[kind]] or types}
    elif isinstance(types, dict) and any(each in WANTED[kind] for each in types):
        kept = {each: value if each in WANTED[kind] else False for each, value in types.items()}
        options["fetchMarkets"] = {**chosen, "types": kept}
