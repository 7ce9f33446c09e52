"""Where OKX is reached, what it publishes about its limits and its instruments (https://www.okx.com/docs-v5/en/).

* "Connect": 3 connections a second for one address; 480 subscribe, unsubscribe and login requests an hour for one
  connection; the arguments of one request are 64 KiB at most. A connection without data for 30 seconds is cut: "ping" is answered by "pong".
* "Notification": about a minute before an upgrade of the service cuts a connection, the venue sends code 64008.
* Candles come from `/ws/v5/business`, everything else here from `/ws/v5/public` (since June 2023).
* "Order book channel": `books` has 400 levels and comes every 100 ms, `books5` and `bbo-tbt` are snapshots of 5 and 1
  levels. Where nothing changes, they are sent again after about a minute: so each has a deadline of silence.
* Contracts are counted in pieces; a linear one is worth `ctVal` times `ctMult` of its base currency. An inverse one
  is worth dollars, and its sizes stay a number of contracts.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

import msgspec

from streamtrader.errors import BadMessage, ConfigError
from streamtrader.events import TradingStatus
from streamtrader.instruments import Filters, Instrument
from streamtrader.venues.listing import chosen
from streamtrader.venues.values import decoder
from streamtrader.venues.venue import Endpoints, Limits

BOOK, BOOK5, BEST, TRADE, TICKER = "books", "books5", "bbo-tbt", "trades", "tickers"
MARK, FUNDING, LIQUIDATION, STATUS, RULES = (
    "mark-price",
    "funding-rate",
    "liquidation-orders",
    "status",
    "instruments",
)
CANDLE = "candle"  # with an interval behind it
CANDLE_INTERVALS = (
    "1s", "1m", "3m", "5m", "15m", "30m", "1H", "2H", "4H", "6H", "6Hutc", "12H", "12Hutc", "1D", "1Dutc", "2D",
    "2Dutc", "3D", "3Dutc", "1W", "1Wutc", "1M", "1Mutc", "3M", "3Mutc",
)  # fmt: skip
SPOT_CHANNELS = (BOOK, BEST, TRADE, STATUS)
SWAP_CHANNELS = (*SPOT_CHANNELS, MARK, FUNDING, LIQUIDATION)
OF_KIND = (LIQUIDATION, RULES)  # subscribed to once for a kind of instruments, not for each
ALL_CHANNELS = (BOOK, BOOK5, BEST, TRADE, TICKER, CANDLE, MARK, FUNDING, LIQUIDATION, STATUS, RULES)
ENDPOINTS = (
    Endpoints("wss://ws.okx.com:8443", "https://www.okx.com"),
    Endpoints("wss://wsaws.okx.com:8443", "https://aws.okx.com"),
)
LIMITS = Limits(
    streams=1_000,  # at about 60 bytes each they fill the 64 KiB
    messages_per_s=3.0,
    messages_per_hour=480,
    connections=3,
    connections_window_s=1.0,
    silence_s=30.0,
)
SILENCE_S = {BOOK: 90.0, BEST: 90.0}
FEES_BPS = {"spot": (8.0, 10.0), "perpetual": (2.0, 5.0), "future": (2.0, 5.0)}  # of a regular user
TYPES = {"spot": "SPOT", "perpetual": "SWAP", "future": "FUTURES"}
_KINDS = {name: kind for kind, name in TYPES.items()}
# Of an instrument ("Instruments channel"): "preopen" precedes the opening, "rebase" cannot be traded.
STATES = {
    "live": TradingStatus.TRADING,
    "suspend": TradingStatus.HALTED,
    "rebase": TradingStatus.HALTED,
    "preopen": TradingStatus.AUCTION,
    "test": TradingStatus.CLOSED,
}
# Of a maintenance ("Status channel"): orders can be cancelled and placed as post-only while it is "pre_open".
MAINTENANCE = {
    "ongoing": TradingStatus.HALTED,
    "pre_open": TradingStatus.AUCTION,
    "completed": TradingStatus.TRADING,
    "canceled": TradingStatus.TRADING,
}
TRADING_SERVICE = "5"
TRADING_IN_PARTS = ("8", "9", "99")  # of accounts, of products, of some instruments: it does not say which


class _Rule(msgspec.Struct, gc=False):
    """What is not meant for a type of instrument is an empty text."""

    symbol: str = msgspec.field(name="instId")
    type: str = msgspec.field(name="instType")
    price_tick: str = msgspec.field(name="tickSz", default="")
    size_lot: str = msgspec.field(name="lotSz", default="")
    base: str = msgspec.field(name="baseCcy", default="")
    quote: str = msgspec.field(name="quoteCcy", default="")
    contract: str = msgspec.field(name="ctType", default="")
    value: str = msgspec.field(name="ctVal", default="")
    multiplier: str = msgspec.field(name="ctMult", default="")
    least: str = msgspec.field(name="minSz", default="")
    most: str = msgspec.field(name="maxLmtSz", default="")
    most_at_market: str = msgspec.field(name="maxMktSz", default="")


class _Answer(msgspec.Struct, gc=False):
    code: str
    msg: str = ""
    data: list[_Rule] = []


_answer_of = decoder(_Answer)


def instruments_path(kind: str, symbols: Sequence[str]) -> str:
    """The REST request for the rules of one instrument, or of all of a kind."""
    one = f"&instId={symbols[0]}" if len(symbols) == 1 else ""
    return f"/api/v5/public/instruments?instType={TYPES[kind]}{one}"


def instruments_of(body: bytes, symbols: Sequence[str]) -> tuple[Instrument, ...]:
    """The instruments of an answer, in the order in which they were asked for; options are left out."""
    answer = _answer_of(body)
    if answer.code != "0":
        raise BadMessage(f"okx: {answer.code[:20]} {answer.msg[:200]}")
    listed = {rule.symbol: rule for rule in answer.data if rule.type in _KINDS}
    wanted = chosen(listed, symbols, "okx", "its symbols are written BTC-USDT, BTC-USDT-SWAP")
    return tuple(_instrument(rule) for rule in wanted)


def kind_of_symbol(symbol: str) -> str:
    """`BTC-USDT` is spot, `BTC-USDT-SWAP` a perpetual, `BTC-USD-220527` a future; "" for what is none of them."""
    parts = symbol.split("-")
    if len(parts) == 3:
        return "perpetual" if parts[2] == "SWAP" else "future" if parts[2].isdigit() else ""
    return "spot" if len(parts) == 2 else ""


def _instrument(rule: _Rule) -> Instrument:
    kind = _KINDS[rule.type]
    base, _, rest = rule.symbol.partition("-")
    maker_fee_bps, taker_fee_bps = FEES_BPS[kind]
    try:
        contract_size = (
            Decimal(rule.value) * Decimal(rule.multiplier or 1) if rule.contract == "linear" else Decimal(1)
        )
        return Instrument(
            venue="okx",
            symbol=rule.symbol,
            base=rule.base or base,
            quote=rule.quote or rest.partition("-")[0],
            price_tick=Decimal(rule.price_tick).normalize(),
            size_lot=(Decimal(rule.size_lot) * contract_size).normalize(),
            maker_fee_bps=maker_fee_bps,
            taker_fee_bps=taker_fee_bps,
            kind=kind,
            contract_size=contract_size.normalize(),
            filters=Filters(
                minimum_size=Decimal(rule.least or 0) * contract_size,
                maximum_size=Decimal(rule.most or 0) * contract_size,
                # Of spot it is an amount of USDT, which is no size.
                maximum_market_size=Decimal(rule.most_at_market or 0) * contract_size * (kind != "spot"),
            ),
        )
    except (InvalidOperation, ConfigError, ValueError) as error:
        raise BadMessage(f"the rules of {rule.symbol[:40]} cannot be read: {error!r}") from error
