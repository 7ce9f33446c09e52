"""What differs between the venue's markets: addresses, limits, and what it publishes about its instruments.

Spot serves every channel at one address; those that serve market data only come first: nothing can be ordered there
(https://developers.binance.com/docs/binance-spot-api-docs/faqs/market_data_only). USD-M has routed its streams by
path since 2026-04-23: books at /public, everything else at /market, an account's own events at /private. The path
without a route still answers, and acknowledges what it then never sends
(https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Important-WebSocket-Change-Notice).
So a USD-M session has a link to each of the two that its channels need. Single trades are not in the documentation of USD-M; they come
at /public (observed by several users, in August 2026). Aggregate trades are documented, at /market.

Limits, of https://developers.binance.com/legacy-docs/binance-spot-api-docs/web-socket-streams and
https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams:

                                    spot                          USD-M
    streams of a connection         1,024                         1,024
    messages to the server          5 a second, pongs count       10 a second
    connections of an address       300 in 5 minutes              (the same is kept)
    life of a connection            24 hours                      24 hours
    ping of the server              every 20 s, pong in 1 minute  every 3 minutes, pong in 10 minutes
    weight of an address            6,000 a minute                2,400 a minute
    weight of a snapshot of 1,000   50                            20
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from urllib.parse import quote

import msgspec

from streamtrader.errors import BadMessage, ConfigError
from streamtrader.instruments import Filters, Instrument
from streamtrader.venues.listing import chosen
from streamtrader.venues.values import decoder
from streamtrader.venues.venue import Endpoints, Limits

TRADE, AGGREGATE, TICKER, DEPTH = "trade", "aggTrade", "bookTicker", "depth@100ms"
KLINE, MARK, LIQUIDATION = "kline_", "markPrice", "forceOrder"
PARTIAL = ("depth5", "depth10", "depth20")
CHANNELS = (TRADE, TICKER, DEPTH)  # of a session that names none
ALL_CHANNELS = (*CHANNELS, AGGREGATE, "kline_1m", "markPrice@1s", LIQUIDATION, *PARTIAL)
INTERVALS = {
    1: "1s", 60: "1m", 180: "3m", 300: "5m", 900: "15m", 1_800: "30m", 3_600: "1h", 7_200: "2h", 14_400: "4h",
    21_600: "6h", 28_800: "8h", 43_200: "12h", 86_400: "1d",
}  # fmt: skip
FUTURE, DATES = "future", ("MONTH", "QUARTER")  # in the type of a contract that is delivered, and pays no funding
PING_LATE_S = 5.0


def base_of(channel: str) -> str:
    """A channel without its pace: `depth` of `depth@100ms`."""
    return channel.partition("@")[0]


def streams_of(instrument: Instrument, channels: Sequence[str]) -> list[str]:
    """What the channels of one symbol are called."""
    return [f"{instrument.symbol.lower()}@{channel}" for channel in channels]


@dataclass(frozen=True, slots=True)
class Part:
    """Where the path begins that serves some channels, by their bases; none: all of them."""

    prefix: str = ""
    serves: tuple[str, ...] = ()

    def has(self, channel: str) -> bool:
        base = base_of(channel)
        return not self.serves or (KLINE if base.startswith(KLINE) else base) in self.serves


@dataclass(frozen=True, slots=True)
class Market:
    """One of the venue's markets; fees are those of its lowest tier.

    `beat_every_s`: so often we ask for an answer, where the venue's own pings are too far apart to tell a dead link.
    """

    name: str
    kind: str
    rest_prefix: str
    endpoints: tuple[Endpoints, ...]
    parts: tuple[Part, ...]  # the books come from the first
    limits: Limits
    snapshot_weight: int
    maker_fee_bps: float
    taker_fee_bps: float
    beat_every_s: float = 0.0

    def parted(self, channels: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
        """The prefixes that serving all of the channels takes, each with those that it serves."""
        strange = [channel for channel in channels if not any(part.has(channel) for part in self.parts)]
        if strange:
            raise ConfigError(f"binance {self.name} serves no {', '.join(strange)}")
        parts = [(part.prefix, tuple(channel for channel in channels if part.has(channel))) for part in self.parts]
        return [(prefix, served) for prefix, served in parts if served]

    def depth_path(self, symbol: str, levels: int) -> str:
        return f"{self.rest_prefix}/depth?symbol={quote(symbol)}&limit={levels}"

    def instruments_path(self, symbols: Sequence[str]) -> str:
        """USD-M takes no list of symbols and answers with all of them."""
        if self.kind != "spot" or not symbols:
            return f"{self.rest_prefix}/exchangeInfo"
        listed = ",".join(f'"{symbol}"' for symbol in symbols)
        return f"{self.rest_prefix}/exchangeInfo?symbols={quote(f'[{listed}]')}"


MARKET_DATA_ONLY = Endpoints("wss://data-stream.binance.vision", "https://data-api.binance.vision")
SPOT = Market(
    name="spot",
    kind="spot",
    rest_prefix="/api/v3",
    endpoints=(
        MARKET_DATA_ONLY,
        Endpoints("wss://stream.binance.com:9443", "https://api.binance.com"),
        Endpoints("wss://stream.binance.com", "https://api-gcp.binance.com"),  # port 443
    ),
    parts=(Part(),),
    limits=Limits(streams=1024, messages_per_s=5.0, weight_per_minute=3_000, silence_s=20.0 + PING_LATE_S),
    snapshot_weight=50,
    maker_fee_bps=10.0,
    taker_fee_bps=10.0,
)  # fmt: skip
USDM = Market(
    name="usdm",
    kind="perpetual",
    rest_prefix="/fapi/v1",
    endpoints=(Endpoints("wss://fstream.binance.com", "https://fapi.binance.com"),),
    parts=(
        Part("/public", (TRADE, TICKER, "depth", *PARTIAL)),
        Part("/market", (AGGREGATE, KLINE, MARK, LIQUIDATION)),
    ),
    limits=Limits(streams=1024, messages_per_s=10.0, weight_per_minute=1_200, silence_s=60.0),
    snapshot_weight=20,
    maker_fee_bps=2.0,
    taker_fee_bps=5.0,
    beat_every_s=20.0,
)
MARKETS = {market.name: market for market in (SPOT, USDM)}


_FILTER_WORDS = {
    "tick": "tickSize", "step": "stepSize", "least_price": "minPrice", "most_price": "maxPrice", "least": "minQty",
    "most": "maxQty", "most_notional": "maxNotional", "up": "multiplierUp", "down": "multiplierDown",
    "bid_up": "bidMultiplierUp", "bid_down": "bidMultiplierDown", "ask_up": "askMultiplierUp",
    "ask_down": "askMultiplierDown", "minutes": "avgPriceMins", "orders": "maxNumOrders",
    "waiting": "maxNumAlgoOrders", "position": "maxPosition",
}  # fmt: skip


class _Filter(msgspec.Struct, gc=False, rename=_FILTER_WORDS):
    filterType: str  # noqa: N815 - the venue's own name
    tick: str = ""
    step: str = ""
    minNotional: str = ""  # noqa: N815
    notional: str = ""
    least_price: str = "0"
    most_price: str = "0"
    least: str = "0"
    most: str = "0"
    most_notional: str = "0"
    up: str = "0"
    down: str = "0"
    bid_up: str = "0"
    bid_down: str = "0"
    ask_up: str = "0"
    ask_down: str = "0"
    minutes: int = 0
    orders: int = 0
    waiting: int = 0
    position: str = "0"
    limit: int = 0


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
    wanted = chosen(listed, symbols, f"binance {market.name}")
    return tuple(_instrument(entry, market) for entry in wanted)


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
            kind=FUTURE if any(date in entry.contractType for date in DATES) else market.kind,
            filters=_filters(filters, is_spot=market is SPOT),
        )
    except (KeyError, InvalidOperation, ConfigError) as error:
        raise BadMessage(f"the filters of {entry.symbol} cannot be read: {error!r}") from error


def _filters(given: dict[str, _Filter], *, is_spot: bool) -> Filters:
    """What is missing is no demand.

    Spot bounds prices by side, around an average. USD-M bounds a buyer's only from above and a seller's only from below,
    around the mark.
    """
    nothing = _Filter("")
    price, lot, market_lot = (given.get(name, nothing) for name in ("PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE"))
    by_side, both = given.get("PERCENT_PRICE_BY_SIDE", nothing), given.get("PERCENT_PRICE", nothing)
    orders, waiting = given.get("MAX_NUM_ORDERS", nothing), given.get("MAX_NUM_ALGO_ORDERS", nothing)
    bounds = {
        name: Decimal(getattr(by_side, name)) or Decimal(getattr(both, name.partition("_")[2]))
        for name in (("bid_up", "bid_down", "ask_up", "ask_down") if is_spot else ("bid_up", "ask_down"))
    }
    return Filters(
        minimum_size=Decimal(lot.least),
        maximum_size=Decimal(lot.most),
        minimum_market_size=Decimal(market_lot.least),
        maximum_market_size=Decimal(market_lot.most),
        minimum_price=Decimal(price.least_price),
        maximum_price=Decimal(price.most_price),
        average_minutes=by_side.minutes or both.minutes,
        is_by_mark=not is_spot and "PERCENT_PRICE" in given,
        maximum_notional=Decimal(given.get("NOTIONAL", nothing).most_notional),
        maximum_orders=orders.orders or orders.limit,
        maximum_waiting_orders=waiting.waiting or waiting.limit,
        maximum_parts=given.get("ICEBERG_PARTS", nothing).limit,
        maximum_position=Decimal(given.get("MAX_POSITION", nothing).position),
        **bounds,
    )
