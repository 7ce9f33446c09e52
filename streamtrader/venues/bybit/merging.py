"""Where a message of Bybit stands in its stream, by the numbers of the market: the same on every connection.

`u` of a book's topic counts the updates of that book, `seq` of trades and `cs` of tickers are of the matching engine ("cross
sequence": it is compared between topics, https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook). Candles
and liquidations have the market's own clock. All trades of one order have one number; should they come in several
messages, `Bybit` tells them apart by their ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from streamtrader.venues.bybit import markets
from streamtrader.venues.venue import Place

NEW = 1  # the update id of a snapshot after a restart of the service
SNAPSHOT = "snapshot"


class _Message(msgspec.Struct, gc=False):
    topic: str
    data: msgspec.Raw
    type: str = ""
    ts: int = 0
    cs: int = -1


class _Book(msgspec.Struct, gc=False):
    u: int


class _Trade(msgspec.Struct, gc=False):
    seq: int


class _Candle(msgspec.Struct, gc=False):
    start: int
    confirm: bool


_message_of = msgspec.json.Decoder(_Message).decode
_book_of = msgspec.json.Decoder(_Book).decode
_trades_of = msgspec.json.Decoder(list[_Trade]).decode
_candles_of = msgspec.json.Decoder(list[_Candle]).decode


def place_of(frame: bytes, index: Mapping[str, int]) -> Place | None:
    """The place of a message about one of the instruments of `index`; None for what has none, or cannot be read."""
    try:
        message = _message_of(frame)
        channel, _, symbol = message.topic.rpartition(".")
        place = _placed(message, channel, index.get(symbol, -1))
    except (msgspec.MsgspecError, ValueError, IndexError, RecursionError):
        return None
    return place if place is not None and 0 <= place.after <= place.last < 1 << 62 else None


def _placed(message: _Message, channel: str, instrument: int) -> Place | None:
    read = _PLACED.get(channel.partition(".")[0] if channel != markets.BEST else channel)
    return read(message, instrument) if read is not None else None


def _of_book(message: _Message, instrument: int) -> Place:
    last = _book_of(message.data).u
    if message.type == SNAPSHOT or last == NEW:
        return Place(message.topic, last, last, is_snapshot=True, instrument=instrument)
    return Place(message.topic, last - 1, last, is_chained=True)


def _of_quote(message: _Message, instrument: int) -> Place:
    """A whole quote is told again after three seconds in which nothing changed."""
    place = _of_book(message, instrument)
    return place._replace(is_quote=True, can_repeat=True) if place.is_snapshot else place


def _of_ticker(message: _Message, instrument: int) -> Place:
    """Its changes tell new values, not differences: one that both links bring in parts of their own does no harm."""
    is_snapshot = message.type == SNAPSHOT
    return Place(message.topic, message.cs, message.cs, is_snapshot=is_snapshot, can_repeat=True, instrument=instrument)


def _of_trades(message: _Message, _instrument: int) -> Place:
    last = _trades_of(message.data)[-1].seq
    return Place(message.topic, last, last, can_repeat=True)


def _of_candle(message: _Message, _instrument: int) -> Place | None:
    closed = [candle.start for candle in _candles_of(message.data) if candle.confirm]
    return Place(message.topic, closed[0], closed[0]) if closed else None


def _of_clock(message: _Message, _instrument: int) -> Place:
    return Place(message.topic, message.ts, message.ts)


_PLACED: dict[str, Callable[[_Message, int], Place | None]] = {
    markets.BOOK: _of_book,
    markets.BEST: _of_quote,
    markets.TICKER: _of_ticker,
    markets.TRADE: _of_trades,
    markets.CANDLE: _of_candle,
    markets.LIQUIDATION: _of_clock,
    markets.OLD_LIQUIDATION: _of_clock,
}
