"""The venue's own description of its markets: `exchangeInfo` as spot and USD-M structure it, and its errors."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from streamtrader.exchange.market import MarketKind
from streamtrader.instruments import Instrument
from streamtrader.units import decimal_text

SPOT_PLACES = 8  # spot writes every number with this many decimals
_LARGEST_PRICE, _LARGEST_SIZE = Decimal(1_000_000), Decimal(9_000)
_ORDER_TYPES = ["LIMIT", "LIMIT_MAKER", "MARKET"]
_QUOTES = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USD", "EUR", "TRY", "BTC", "ETH", "BNB")

ILLEGAL_CHARACTERS, MANDATORY, TOO_MANY, INVALID_SYMBOL, BAD_DEPTH_LIMIT = -1100, -1102, -1128, -1121, -4021


def error_body(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "msg": message}


def padded(number: Decimal, kind: MarketKind) -> str:
    """Spot pads to eight decimals, USD-M writes the number as it is."""
    return f"{number:.{SPOT_PLACES}f}" if kind == "spot" else decimal_text(number)


def venue_instrument(symbol: str, kind: MarketKind, price_places: int, size_places: int) -> Instrument:
    """An instrument of this exchange with the steps 10^-places and the venue's ordinary fees."""
    base, quote = split_symbol(symbol)
    is_spot = kind == "spot"
    return Instrument(
        venue="embedded",
        symbol=symbol,
        base=base,
        quote=quote,
        price_tick=Decimal(1).scaleb(-price_places),
        size_lot=Decimal(1).scaleb(-size_places),
        minimum_notional=Decimal(5) if is_spot else Decimal(100),
        maker_fee_bps=10.0 if is_spot else 2.0,
        taker_fee_bps=10.0 if is_spot else 5.0,
        kind="spot" if is_spot else "perpetual",
    )


def split_symbol(symbol: str) -> tuple[str, str]:
    """Base and quote of a symbol that is written without a separator."""
    for quote in _QUOTES:
        if symbol.endswith(quote) and symbol != quote:
            return symbol.removesuffix(quote), quote
    return symbol, "USDT"


def exchange_info(instruments: Iterable[Instrument], kind: MarketKind, server_ms: int) -> dict[str, Any]:
    """The whole document; its request limits are the venue's published ones."""
    describe = _spot_symbol if kind == "spot" else _usdm_symbol
    weight = 6000 if kind == "spot" else 2400
    return {
        "timezone": "UTC",
        "serverTime": server_ms,
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": weight},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
        ],
        "exchangeFilters": [],
        "symbols": [describe(instrument) for instrument in instruments],
    }


def _price_and_lot_filters(instrument: Instrument, kind: MarketKind) -> list[dict[str, Any]]:
    lot = padded(instrument.size_lot, kind)
    tick = padded(instrument.price_tick, kind)
    largest_size = padded(_LARGEST_SIZE, kind)
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": tick,
            "maxPrice": padded(_LARGEST_PRICE, kind),
            "tickSize": tick,
        },
        {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": largest_size, "stepSize": lot},
        {"filterType": "MARKET_LOT_SIZE", "minQty": lot, "maxQty": largest_size, "stepSize": lot},
    ]


def _spot_symbol(instrument: Instrument) -> dict[str, Any]:
    notional = {
        "filterType": "NOTIONAL",
        "minNotional": padded(instrument.minimum_notional, "spot"),
        "applyMinToMarket": True,
        "maxNotional": "9000000.00000000",
        "applyMaxToMarket": False,
        "avgPriceMins": 5,
    }
    return {
        "symbol": instrument.symbol,
        "status": "TRADING",
        "baseAsset": instrument.base,
        "baseAssetPrecision": SPOT_PLACES,
        "quoteAsset": instrument.quote,
        "quotePrecision": SPOT_PLACES,
        "quoteAssetPrecision": SPOT_PLACES,
        "orderTypes": _ORDER_TYPES,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            *_price_and_lot_filters(instrument, "spot"),
            notional,
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }


def _usdm_symbol(instrument: Instrument) -> dict[str, Any]:
    return {
        "symbol": instrument.symbol,
        "pair": instrument.symbol,
        "contractType": "PERPETUAL",
        "status": "TRADING",
        "baseAsset": instrument.base,
        "quoteAsset": instrument.quote,
        "marginAsset": instrument.quote,
        "pricePrecision": _places(instrument.price_tick),
        "quantityPrecision": _places(instrument.size_lot),
        "baseAssetPrecision": SPOT_PLACES,
        "quotePrecision": SPOT_PLACES,
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        "filters": [
            *_price_and_lot_filters(instrument, "usdm"),
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "MIN_NOTIONAL", "notional": decimal_text(instrument.minimum_notional)},
        ],
    }


def _places(step: Decimal) -> int:
    return max(0, -int(step.normalize().as_tuple().exponent))
