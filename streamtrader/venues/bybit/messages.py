"""Bybit's messages as msgspec reads them. Texts that the venue sends:

    orderbook    {"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1672304484978,"data":{"s":"BTCUSDT",
                  "b":[["16493.50","0"]],"a":[["16611.00","0.029"]],"u":177400507,"seq":66544703342},
                  "cts":1672304484976}
    publicTrade  {"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,
                  "s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick","i":"20f43950-...","BT":false}]}
    tickers      {"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT","bid1Price":"17215.50",
                  "bid1Size":"84.489"},"cs":24987956059,"ts":1673272861686}
    answer       {"success":true,"ret_msg":"","conn_id":"...","req_id":"","op":"subscribe"}

Keys come in another order on spot. `ts` is when the message was made, `cts` and `T` are the matching engine's clock.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from streamtrader.errors import BadMessage
from streamtrader.instruments import Most
from streamtrader.venues.values import check_candle, check_identity, check_milliseconds, check_trade, decoder

SIDES = {"Buy": 0, "Sell": 1}
OPPOSITE = {"Buy": 1, "Sell": 0}
UUID_DIGITS = 15  # of 32: 60 bits, as many as an id may have
RATE_MOST = 1.0  # a funding rate beyond the whole position is none
EMPTY = msgspec.Raw()

Data = TypeVar("Data")


class Message(msgspec.Struct, Generic[Data], gc=False):
    type: str
    data: Data
    ts: int = 0
    cts: int = 0


class Book(msgspec.Struct, gc=False):
    """`u` counts the messages of one topic one by one; 1 begins anew."""

    s: str
    b: list[tuple[float, float]]
    a: list[tuple[float, float]]
    u: int


class Trade(msgspec.Struct, gc=False):
    """`S` is the side of the taker."""

    T: int
    s: str
    S: str
    v: float
    p: float
    i: str


class Ticker(msgspec.Struct, gc=False):
    """What did not change is left out of a delta; what is not there at all is an empty text."""

    symbol: str
    bid: str | None = msgspec.field(name="bid1Price", default=None)
    bid_size: str | None = msgspec.field(name="bid1Size", default=None)
    ask: str | None = msgspec.field(name="ask1Price", default=None)
    ask_size: str | None = msgspec.field(name="ask1Size", default=None)
    mark: str | None = msgspec.field(name="markPrice", default=None)
    index: str | None = msgspec.field(name="indexPrice", default=None)
    rate: str | None = msgspec.field(name="fundingRate", default=None)
    due: str | None = msgspec.field(name="nextFundingTime", default=None)


class Candle(msgspec.Struct, gc=False):
    start: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    confirm: bool


class Liquidation(msgspec.Struct, gc=False):
    """`S` is the side of the position: "Buy" means that a long one was closed, so by a sale."""

    T: int
    s: str
    S: str
    v: float
    p: float


class OldLiquidation(msgspec.Struct, gc=False):
    """Of the topic that came before; `side` is the position's too."""

    time: int = msgspec.field(name="updatedTime")
    symbol: str
    side: str
    size: float
    price: float


class Envelope(msgspec.Struct, gc=False):
    """Every message, before it is known of which kind."""

    topic: str = ""
    op: str = ""
    type: str = ""
    success: bool = True
    ret_msg: str = ""
    message: str = msgspec.field(name="retMsg", default="")


book_of = msgspec.json.Decoder(Message[Book], strict=False).decode
ticker_of = msgspec.json.Decoder(Message[Ticker], strict=False).decode
envelope_of = decoder(Envelope)
_trades_of = msgspec.json.Decoder(Message[list[Trade]], strict=False).decode
_candles_of = decoder(Message[list[Candle]])
_liquidations_of, _old_liquidation_of = decoder(Message[list[Liquidation]]), decoder(Message[OldLiquidation])


def trades_of(frame: bytes, most: Most) -> list[Trade]:
    trades = _trades_of(frame).data
    for trade in trades:
        check_trade(trade.p, trade.v, most)
        _check_side(trade.S)
        check_milliseconds(trade.T)
    return trades


def candles_of(frame: bytes) -> list[Candle]:
    candles = _candles_of(frame).data
    for candle in candles:
        check_milliseconds(candle.start)
        check_candle(candle.open, candle.high, candle.low, candle.close, candle.volume)
    return candles


def liquidations_of(frame: bytes, *, is_old: bool) -> list[Liquidation]:
    if is_old:
        old = _old_liquidation_of(frame).data
        liquidations = [Liquidation(old.time, old.symbol, old.side, old.size, old.price)]
    else:
        liquidations = _liquidations_of(frame).data
    for liquidation in liquidations:
        _check_side(liquidation.S)
        check_trade(liquidation.p, liquidation.v)
        check_milliseconds(liquidation.T)
    return liquidations


def identity_of(text: str) -> int:
    """A trade's id as an integer: spot numbers its trades, contracts have UUIDs, of which the first 60 bits are taken.

    >>> identity_of("2290000001189048101")
    2290000001189048101
    >>> hex(identity_of("a9188a0a-82bc-50de-be60-03eedbe3cdd7"))
    '0xa9188a0a82bc50d'
    """
    identity = int(text) if text.isdigit() else int(text.replace("-", "")[:UUID_DIGITS], 16)
    check_identity(identity)
    return identity


def number_of(text: str, most: float) -> float:
    """A price or size of a ticker; 0 where there is none."""
    value = float(text or 0.0)
    if not 0.0 <= value <= most:
        raise BadMessage(f"{text[:40]!r} is no price and no size of this market: at most {most:g}")
    return value


def rate_of(text: str) -> float:
    rate = float(text or 0.0)
    if not -RATE_MOST <= rate <= RATE_MOST:
        raise BadMessage(f"{text[:40]!r} is no funding rate")
    return rate


def milliseconds_of(text: str) -> int:
    clock = int(text or 0)
    check_milliseconds(clock)
    return clock


def _check_side(side: str) -> None:
    if side not in SIDES:
        raise BadMessage(f"{side[:20]!r} is no side")
