"""Kraken's messages as msgspec reads them. Texts that the venue sends:

    book    {"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[{"price":63381.0,"qty":0.00000000}],
             "asks":[],"checksum":3726153463,"timestamp":"2026-08-02T03:35:51.660084Z"}]}
    trade   {"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":0.5117,"qty":40.0,
             "ord_type":"market","trade_id":4665906,"timestamp":"2023-09-25T07:49:37.708706Z"}]}
    ack     {"method":"subscribe","result":{"channel":"book",...},"success":true,"time_in":...,"time_out":...}

Prices and sizes of books stay text (`Raw`): the checksum is over what the venue wrote. Its keys may come in any
order and with keys that are not listed here.
"""

from __future__ import annotations

import msgspec

from streamtrader.errors import BadMessage
from streamtrader.venues.values import check_candle, check_identity, decoder, nanoseconds_of

EMPTY = msgspec.Raw()
SIDES = {"buy": 0, "sell": 1}


class Level(msgspec.Struct, gc=False):
    price: msgspec.Raw
    qty: msgspec.Raw


class Book(msgspec.Struct, gc=False):
    symbol: str
    bids: list[Level]
    asks: list[Level]
    checksum: int
    timestamp: str = ""


class Trade(msgspec.Struct, gc=False):
    symbol: str
    side: str
    price: float
    qty: float
    trade_id: int
    timestamp: str = ""


class Ticker(msgspec.Struct, gc=False):
    symbol: str
    bid: float
    bid_qty: float
    ask: float
    ask_qty: float
    timestamp: str = ""


class Candle(msgspec.Struct, gc=False):
    symbol: str
    interval: int
    interval_begin: str
    open: float
    high: float
    low: float
    close: float
    volume: float


class Pair(msgspec.Struct, gc=False):
    symbol: str
    status: str


class Pairs(msgspec.Struct, gc=False):
    pairs: list[Pair] = []


class System(msgspec.Struct, gc=False):
    system: str


class Acknowledged(msgspec.Struct, gc=False):
    """What a subscription became."""

    channel: str = ""
    symbol: str = ""
    depth: int = 0


class BookMessage(msgspec.Struct, gc=False):
    channel: str
    type: str
    data: tuple[Book]  # "the book element is always the first and only item"


class TradeMessage(msgspec.Struct, gc=False):
    type: str
    data: list[Trade]


class TickerMessage(msgspec.Struct, gc=False):
    data: list[Ticker]


class Envelope(msgspec.Struct, gc=False):
    """Every message, before it is known of which kind."""

    channel: str = ""
    type: str = ""
    data: msgspec.Raw = EMPTY
    method: str = ""
    success: bool = True
    error: str = ""
    result: msgspec.Raw = EMPTY


book_message_of = msgspec.json.Decoder(BookMessage, strict=False).decode
envelope_of, acknowledged_of = decoder(Envelope), decoder(Acknowledged)
pairs_of, systems_of = decoder(Pairs), decoder(list[System])
_trade_message_of = msgspec.json.Decoder(TradeMessage, strict=False).decode
_ticker_message_of = msgspec.json.Decoder(TickerMessage, strict=False).decode
_candles_of = decoder(list[Candle])


def trade_message_of(frame: bytes) -> TradeMessage:
    message = _trade_message_of(frame)
    for trade in message.data:
        check_identity(trade.trade_id)
        if trade.side not in SIDES:
            raise BadMessage(f"{trade.side[:20]!r} is no side of a trade")
    return message


def tickers_of(frame: bytes) -> list[Ticker]:
    return _ticker_message_of(frame).data


def candles_of(text: msgspec.Raw) -> list[Candle]:
    candles = _candles_of(text)
    for candle in candles:
        check_candle(candle.open, candle.high, candle.low, candle.close, candle.volume)
        nanoseconds_of(candle.interval_begin)
    return candles


def number_of(text: bytes, places: int, most: float) -> tuple[float, bytes]:
    """A plain decimal number: its value, and its digits as the checksum wants them.

    Without point and leading zeros: `63381.0` gives `b"633810"`, zero gives `b""`. The venue writes every number of a
    pair with the same decimals; a capture that was parsed and written again lost the zeros at their end, and `places`
    brings them back. An exponent, a sign and a value above `most` are refused.
    """
    bare = text.strip(b'"')
    digits = bare.replace(b".", b"", 1)
    value = float(bare) if digits.isdigit() else -1.0
    if not 0.0 <= value <= most:
        raise BadMessage(f"{text[:40]!r} is no price and no size of this market: at most {most:g}")
    missing = places - (len(bare) - 1 - bare.find(b".") if len(digits) < len(bare) else 0)
    return value, (digits + b"0" * missing if missing > 0 else digits).lstrip(b"0")
