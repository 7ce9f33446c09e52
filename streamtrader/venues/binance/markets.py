"""What differs between the venue's markets, and what it publishes about its instruments.

USD-M serves depth and bookTicker under one path prefix and trades under another (its older common address is
retired): such a market takes two connections, each with its own channels. Spot needs one. Addresses that serve
market data only come first: nothing can be ordered there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from urllib.parse import quote

import msgspec

from streamtrader.errors import BadMessage, ConfigError
from streamtrader.instruments import Instrument
from streamtrader.venues.binance.messages import decoder
from streamtrader.venues.venue import Endpoints

TRADE, TICKER, DEPTH = "trade", "bookTicker", "depth@100ms"
CHANNELS = (TRADE, TICKER, DEPTH)


@dataclass(frozen=True, slots=True)
class Market:
    """One of the venue's markets; fees are those of its lowest tier."""

    name: str
    kind: str
    rest_prefix: str
    endpoints: tuple[Endpoints, ...]
    snapshot_weight: int
    weight_per_minute: int
    maker_fee_bps: float
    taker_fee_bps: float

    def depth_path(self, symbol: str, levels: int) -> str:
        return f"{self.rest_prefix}/depth?symbol={quote(symbol)}&limit={levels}"

    def instruments_path(self, symbols: Sequence[str]) -> str:
        """USD-M takes no list of symbols and answers with all of them."""
        if self.kind != "spot" or not symbols:
            return f"{self.rest_prefix}/exchangeInfo"
        listed = ",".join(f'"{symbol}"' for symbol in symbols)
        return f"{self.rest_prefix}/exchangeInfo?symbols={quote(f'[{listed}]')}"


SPOT = Market(
    name="spot",
    kind="spot",
    rest_prefix="/api/v3",
    endpoints=(
        Endpoints("wss://data-stream.binance.vision", "https://data-api.binance.vision"),
        Endpoints("wss://stream.binance.com:9443", "https://api.binance.com"),
    ),
    snapshot_weight=50,
    weight_per_minute=3_000,
    maker_fee_bps=10.0,
    taker_fee_bps=10.0,
)
USDM = Market(
    name="usdm",
    kind="perpetual",
    rest_prefix="/fapi/v1",
    endpoints=(Endpoints("wss://fstream.binance.com/public", "https://fapi.binance.com"),),
    snapshot_weight=20,
    weight_per_minute=1_200,
    maker_fee_bps=2.0,
    taker_fee_bps=5.0,
)
MARKETS = {market.name: market for market in (SPOT, USDM)}
USDM_TRADES = (Endpoints("wss://fstream.binance.com/market", "https://fapi.binance.com"),)


class _Filter(msgspec.Struct, gc=False, rename={"tick": "tickSize", "step": "stepSize"}):
    filterType: str  # noqa: N815 - the venue's own name
    tick: str = ""
    step: str = ""
    minNotional: str = ""  # noqa: N815
    notional: str = ""


class _Symbol(msgspec.Struct, gc=False):
    symbol: str
    baseAsset: str  # noqa: N815
    quoteAsset: str  # noqa: N815
    filters: list[_Filter]
    contractType: str = "PERPETUAL"  # noqa: N815


class _ExchangeInfo(msgspec.Struct, gc=False):
    symbols: list[_Symbol]


_exchange_info_of = decoder(_ExchangeInfo)


def instruments_of(body: bytes, market: Market, symbols: Sequence[str]) -> tuple[Instrument, ...]:
    """The instruments of an exchangeInfo answer, in the order in which they were asked for."""
    listed = {entry.symbol: entry for entry in _exchange_info_of(body).symbols}
    missing = [symbol for symbol in symbols if symbol not in listed]
    if missing:
        raise ConfigError(f"binance {market.name} does not list {', '.join(missing)}")
    return tuple(_instrument(listed[symbol], market) for symbol in symbols)


def _instrument(entry: _Symbol, market: Market) -> Instrument:
    filters = {each.filterType: each for each in entry.filters}
    try:
        price, lot = filters["PRICE_FILTER"], filters["LOT_SIZE"]
        smallest = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL")
        notional = Decimal((smallest.minNotional or smallest.notional or "0") if smallest else "0")
        return Instrument(
            venue="binance",
            symbol=entry.symbol,
            base=entry.baseAsset,
            quote=entry.quoteAsset,
            price_tick=Decimal(price.tick).normalize(),  # 0.01000000 is 0.01
            size_lot=Decimal(lot.step).normalize(),
            minimum_notional=notional,
            maker_fee_bps=market.maker_fee_bps,
            taker_fee_bps=market.taker_fee_bps,
            kind=market.kind,
        )
    except (KeyError, InvalidOperation, ConfigError) as error:
        raise BadMessage(f"the filters of {entry.symbol} cannot be read: {error!r}") from error
