"""Where Bybit is reached, what it publishes about its limits and its instruments.

* https://bybit-exchange.github.io/docs/v5/ws/connect: at most 500 connections in 5 minutes; the arguments of one public
  connection together at most 21,000 characters, on spot 10 of them a request; `{"op":"ping"}` every 20 seconds, and a
  connection without any traffic is cut after 10 minutes. How many requests a second it takes is not published.
* https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook: depths 1, 50, 200 and 1000 (500 before), every 10,
  20, 100 and 200 ms; a snapshot first, then deltas whose `u` counts one by one; a new snapshot replaces the book, and
  so does a message whose `u` is 1, after a restart of the service.
* Liquidations name the side of the position, not that of the order (.../websocket/public/all-liquidation).
* Linear contracts are counted in the base currency. Inverse ones and options are not read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from urllib.parse import quote

import msgspec

from streamtrader.errors import BadMessage, ConfigError
from streamtrader.instruments import Filters, Instrument
from streamtrader.venues.listing import chosen
from streamtrader.venues.values import decoder
from streamtrader.venues.venue import Endpoints, Limits

BOOK, BEST, TRADE, TICKER, CANDLE = "orderbook", "orderbook.1", "publicTrade", "tickers", "kline"
LIQUIDATION, OLD_LIQUIDATION = "allLiquidation", "liquidation"
SPOT_CHANNELS = (BOOK, BEST, TRADE)
LINEAR_CHANNELS = (BOOK, BEST, TRADE, TICKER, LIQUIDATION)
ALL_CHANNELS = (BOOK, BEST, TRADE, TICKER, CANDLE, LIQUIDATION)
DEPTHS = (50, 200, 500, 1000)
AS_TOLD = 0  # the depth of the first topic that comes
CANDLE_INTERVALS = ("1", "3", "5", "15", "30", "60", "120", "240", "360", "720", "D", "W", "M")
ENDPOINTS = (
    Endpoints("wss://stream.bybit.com", "https://api.bybit.com"),
    Endpoints("wss://stream.bytick.com", "https://api.bytick.com"),
)
LIMITS = Limits(
    streams=500,  # topics of 40 characters fill the 21,000
    messages_per_s=5.0,
    connections=500,
    connections_window_s=300.0,
    silence_s=45.0,  # two pongs are missing
)
ARGS_A_MESSAGE = 10
SILENCE_S = {BOOK: 60.0, BEST: 60.0, TICKER: 60.0}
CATEGORIES = {"spot": "spot", "perpetual": "linear", "future": "linear"}
FEES_BPS = {"spot": (10.0, 10.0), "perpetual": (2.0, 5.5), "future": (2.0, 5.5)}  # of a regular user
QUOTES = ("USDT", "USDC", "USDE", "USD1", "DAI", "EUR", "BRL", "BRZ", "PLN", "TRY", "USD", "BTC", "ETH", "MNT", "SOL")


class _Prices(msgspec.Struct, gc=False):
    tick: str = msgspec.field(name="tickSize")
    least: str = msgspec.field(name="minPrice", default="")
    most: str = msgspec.field(name="maxPrice", default="")


class _Sizes(msgspec.Struct, gc=False):
    """Spot and contracts call the same things by other names."""

    step: str = msgspec.field(name="qtyStep", default="")
    precision: str = msgspec.field(name="basePrecision", default="")
    minimum_value: str = msgspec.field(name="minNotionalValue", default="")
    minimum_amount: str = msgspec.field(name="minOrderAmt", default="")
    maximum_amount: str = msgspec.field(name="maxOrderAmt", default="")
    least: str = msgspec.field(name="minOrderQty", default="")
    most_of_limit: str = msgspec.field(name="maxLimitOrderQty", default="")
    most: str = msgspec.field(name="maxOrderQty", default="")
    most_at_market: str = msgspec.field(name="maxMktOrderQty", default="")
    most_of_market: str = msgspec.field(name="maxMarketOrderQty", default="")


class _Rule(msgspec.Struct, gc=False):
    symbol: str
    base: str = msgspec.field(name="baseCoin")
    quote: str = msgspec.field(name="quoteCoin")
    prices: _Prices = msgspec.field(name="priceFilter")
    sizes: _Sizes = msgspec.field(name="lotSizeFilter")
    contract: str = msgspec.field(name="contractType", default="")


class _Result(msgspec.Struct, gc=False):
    rules: list[_Rule] = msgspec.field(name="list", default_factory=list)


class _Answer(msgspec.Struct, gc=False):
    code: int = msgspec.field(name="retCode")
    message: str = msgspec.field(name="retMsg", default="")
    result: _Result = msgspec.field(default_factory=_Result)


_answer_of = decoder(_Answer)


def instruments_path(kind: str, symbols: Sequence[str]) -> str:
    """The REST request for the rules of one instrument, or of all of a kind."""
    one = f"&symbol={quote(symbols[0])}" if len(symbols) == 1 else ""
    return f"/v5/market/instruments-info?category={CATEGORIES[kind]}&limit=1000{one}"


def instruments_of(body: bytes, symbols: Sequence[str]) -> tuple[Instrument, ...]:
    """The instruments of an answer, in the order in which they were asked for."""
    answer = _answer_of(body)
    if answer.code:
        raise BadMessage(f"bybit: {answer.code} {answer.message[:200]}")
    listed = {rule.symbol: rule for rule in answer.result.rules}
    wanted = chosen(listed, symbols, "bybit", "its symbols are written BTCUSDT")
    return tuple(_instrument(rule) for rule in wanted)


def split(symbol: str) -> tuple[str, str]:
    """`BTCUSDT` is BTC and USDT, `BTCPERP` and `BTC-27DEC24` are settled in USDC."""
    pair = symbol.partition("-")[0]
    if pair.endswith("PERP"):
        return pair.removesuffix("PERP"), "USDC"
    quoted = next((each for each in QUOTES if pair.endswith(each) and pair != each), "")
    return (pair.removesuffix(quoted), quoted) if quoted else (pair, "USDC" if "-" in symbol else "")


def kind_of_rule(contract: str) -> str:
    return "future" if contract.endswith("Futures") else "perpetual" if contract else "spot"


def _instrument(rule: _Rule) -> Instrument:
    kind = kind_of_rule(rule.contract)
    maker_fee_bps, taker_fee_bps = FEES_BPS[kind]
    try:
        return Instrument(
            venue="bybit",
            symbol=rule.symbol,
            base=rule.base,
            quote=rule.quote,
            price_tick=Decimal(rule.prices.tick).normalize(),
            size_lot=Decimal(rule.sizes.step or rule.sizes.precision).normalize(),
            minimum_notional=Decimal(rule.sizes.minimum_value or rule.sizes.minimum_amount or 0),
            maker_fee_bps=maker_fee_bps,
            taker_fee_bps=taker_fee_bps,
            kind=kind,
            filters=Filters(
                minimum_size=Decimal(rule.sizes.least or 0),
                maximum_size=Decimal(rule.sizes.most_of_limit or rule.sizes.most or 0),
                maximum_market_size=Decimal(rule.sizes.most_of_market or rule.sizes.most_at_market or 0),
                minimum_price=Decimal(rule.prices.least or 0),
                maximum_price=Decimal(rule.prices.most or 0),
                maximum_notional=Decimal(rule.sizes.maximum_amount or 0),
            ),
        )
    except (InvalidOperation, ConfigError, ValueError) as error:
        raise BadMessage(f"the rules of {rule.symbol[:40]} cannot be read: {error!r}") from error
