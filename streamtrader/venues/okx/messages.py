"""OKX's messages as msgspec reads them. Texts that the venue sends:

    books    {"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[["8477","7","0","2"]],
              "bids":[],"ts":"1597026383085","checksum":-855196043,"prevSeqId":123456,"seqId":123457}]}
    trades   {"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474",
              "px":"42219.9","sz":"0.12060306","side":"buy","ts":"1630048897897","count":"3"}]}
    event    {"event":"error","code":"60012","msg":"Invalid request: ...","connId":"a4d3ae55"}

A level is price, size, a word that is always 0, and the number of orders. Numbers are texts. Books are read in two
ways: with the texts of their levels where a checksum over them has to be proved, else as numbers at once.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from streamtrader.errors import BadMessage
from streamtrader.venues.values import (
    check_candle,
    check_identity,
    check_milliseconds,
    check_prices,
    decoder,
)

SIDES = {"buy": 0, "sell": 1}
RATE_MOST = 1.0  # a funding rate beyond the whole position is none
UNNUMBERED = -1  # what `sequence` is where the venue sent none

Data = TypeVar("Data")


class Arg(msgspec.Struct, gc=False):
    """What was subscribed to."""

    channel: str = ""
    instrument: str = msgspec.field(name="instId", default="")


class Message(msgspec.Struct, Generic[Data], gc=False):
    arg: Arg
    data: list[Data]
    action: str = ""


class Level(msgspec.Struct, gc=False, array_like=True):
    price: float
    size: float


class TextLevel(msgspec.Struct, gc=False, array_like=True):
    price: str
    size: str


class Book(msgspec.Struct, gc=False):
    """`previous` is -1 in a snapshot, `checksum` is 0 where the venue computes none."""

    asks: list[Level]
    bids: list[Level]
    ts: int
    checksum: int = 0
    sequence: int = msgspec.field(name="seqId", default=UNNUMBERED)
    previous: int = msgspec.field(name="prevSeqId", default=-1)


class TextBook(msgspec.Struct, gc=False):
    asks: list[TextLevel]
    bids: list[TextLevel]
    ts: int
    checksum: int = 0
    sequence: int = msgspec.field(name="seqId", default=UNNUMBERED)
    previous: int = msgspec.field(name="prevSeqId", default=-1)


class Trade(msgspec.Struct, gc=False):
    instrument: str = msgspec.field(name="instId")
    price: float = msgspec.field(name="px")
    size: float = msgspec.field(name="sz")
    side: str
    ts: int
    id: int = msgspec.field(name="tradeId")


class Ticker(msgspec.Struct, gc=False):
    """Sides that nobody quotes are empty texts."""

    instrument: str = msgspec.field(name="instId")
    ts: int
    bid: str = msgspec.field(name="bidPx", default="")
    bid_size: str = msgspec.field(name="bidSz", default="")
    ask: str = msgspec.field(name="askPx", default="")
    ask_size: str = msgspec.field(name="askSz", default="")


class Candle(msgspec.Struct, gc=False, array_like=True):
    """`volume` is in contracts or base units; the two after it are in other currencies."""

    start: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    volume_currency: str = ""
    volume_quote: str = ""
    is_closed: int = 0


class MarkPrice(msgspec.Struct, gc=False):
    instrument: str = msgspec.field(name="instId")
    price: float = msgspec.field(name="markPx")
    ts: int


class Funding(msgspec.Struct, gc=False):
    """`rate` falls due at `due`; `settled_rate` is that of the time before, once `state` is "settled"."""

    instrument: str = msgspec.field(name="instId")
    rate: float = msgspec.field(name="fundingRate")
    due: int = msgspec.field(name="fundingTime")
    ts: int = 0
    state: str = msgspec.field(name="settState", default="")
    settled_rate: str = msgspec.field(name="settFundingRate", default="")


class Liquidation(msgspec.Struct, gc=False):
    """`side` is that of the order that closes the position, `price` the one at which the position was bankrupt."""

    side: str
    price: float = msgspec.field(name="bkPx")
    size: float = msgspec.field(name="sz")
    ts: int


class Liquidations(msgspec.Struct, gc=False):
    instrument: str = msgspec.field(name="instId")
    details: list[Liquidation]


class Maintenance(msgspec.Struct, gc=False):
    state: str
    service: str = msgspec.field(name="serviceType", default="")
    environment: str = msgspec.field(name="env", default="1")


class Rules(msgspec.Struct, gc=False):
    instrument: str = msgspec.field(name="instId")
    state: str = ""


class Envelope(msgspec.Struct, gc=False):
    """Every message, before it is known of which kind."""

    arg: Arg = msgspec.field(default_factory=Arg)
    event: str = ""
    code: str = ""
    msg: str = ""


book_of = msgspec.json.Decoder(Message[Book], strict=False).decode
text_book_of = msgspec.json.Decoder(Message[TextBook], strict=False).decode
envelope_of = decoder(Envelope)
tickers_of = decoder(Message[Ticker])
maintenances_of, rules_of = decoder(Message[Maintenance]), decoder(Message[Rules])
_trades_of, _candles_of = msgspec.json.Decoder(Message[Trade], strict=False).decode, decoder(Message[Candle])
_marks_of, _fundings_of, _liquidations_of = (
    decoder(Message[MarkPrice]),
    decoder(Message[Funding]),
    decoder(Message[Liquidations]),
)


def trades_of(frame: bytes) -> Message[Trade]:
    message = _trades_of(frame)
    for trade in message.data:
        _check_side(trade.side)
        check_identity(trade.id)
        check_milliseconds(trade.ts)
    return message


def candles_of(frame: bytes) -> Message[Candle]:
    message = _candles_of(frame)
    for candle in message.data:
        check_milliseconds(candle.start)
        check_candle(candle.open, candle.high, candle.low, candle.close, candle.volume)
    return message


def marks_of(frame: bytes) -> Message[MarkPrice]:
    message = _marks_of(frame)
    for mark in message.data:
        check_prices(mark.price)
        check_milliseconds(mark.ts)
    return message


def fundings_of(frame: bytes) -> Message[Funding]:
    message = _fundings_of(frame)
    for funding in message.data:
        check_milliseconds(funding.due, funding.ts)
        rate_of(funding.settled_rate or "0")
        check_rate(funding.rate)
    return message


def liquidations_of(frame: bytes) -> Message[Liquidations]:
    message = _liquidations_of(frame)
    for each in message.data:
        for detail in each.details:
            _check_side(detail.side)
            check_milliseconds(detail.ts)
    return message


def rows_of(levels: list[Level]) -> list[tuple[float, float]]:
    """(price, size), unchecked; a size of 0 removes its level."""
    return [(level.price, level.size) for level in levels]


def quoted_of(ticker: Ticker) -> list[float]:
    """Bid, its size, ask, its size, unchecked; 0 where there is none."""
    return [float(text or 0.0) for text in (ticker.bid, ticker.bid_size, ticker.ask, ticker.ask_size)]


def rate_of(text: str) -> float:
    rate = float(text)
    check_rate(rate)
    return rate


def check_rate(rate: float) -> None:
    if not -RATE_MOST <= rate <= RATE_MOST:
        raise BadMessage(f"{rate} is no funding rate")


def _check_side(side: str) -> None:
    if side not in SIDES:
        raise BadMessage(f"{side[:20]!r} is no side")
