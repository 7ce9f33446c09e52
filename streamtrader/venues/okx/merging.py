"""Where a message of OKX stands in its stream, by the numbers of the market: the same on every connection.

`seqId` of books and best quotes is the instrument's ("Order book channel": it identifies the update, not the message of a
connection), trade ids too; the other channels have the market's own clock, of which a message an instrument is sent.
What has no place here comes over both of two links, and tells nothing that the adapter does not know by then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from streamtrader.venues.okx import markets
from streamtrader.venues.venue import Place

CLOSED = "1"


class _Arg(msgspec.Struct, gc=False):
    channel: str
    instrument: str = msgspec.field(name="instId", default="")


class _Message(msgspec.Struct, gc=False):
    arg: _Arg
    data: msgspec.Raw
    action: str = ""


class _Numbered(msgspec.Struct, gc=False):
    sequence: int = msgspec.field(name="seqId", default=-1)
    previous: int = msgspec.field(name="prevSeqId", default=-1)


class _Trade(msgspec.Struct, gc=False):
    id: str = msgspec.field(name="tradeId")


class _Clocked(msgspec.Struct, gc=False):
    ts: str


class _Liquidation(msgspec.Struct, gc=False):
    details: list[_Clocked]
    instrument: str = msgspec.field(name="instId", default="")


_message_of = msgspec.json.Decoder(_Message).decode
_numbered_of = msgspec.json.Decoder(list[_Numbered]).decode
_trades_of = msgspec.json.Decoder(list[_Trade]).decode
_clocked_of = msgspec.json.Decoder(list[_Clocked]).decode
_liquidations_of = msgspec.json.Decoder(list[_Liquidation]).decode
_candles_of = msgspec.json.Decoder(list[list[str]]).decode


def place_of(frame: bytes, index: Mapping[str, int]) -> Place | None:
    """The place of a message about one of the instruments of `index`; None for what has none, or cannot be read."""
    try:
        message = _message_of(frame)
        channel = message.arg.channel
        read = _PLACED.get(channel) or (_of_candle if channel.startswith(markets.CANDLE) else None)
        place = read(message, index.get(message.arg.instrument, -1)) if read is not None else None
    except (msgspec.MsgspecError, ValueError, IndexError, RecursionError):
        return None
    return place if place is not None and 0 <= place.after <= place.last < 1 << 62 else None


def _stream_of(message: _Message) -> str:
    return f"{message.arg.channel}:{message.arg.instrument}"


def _of_book(message: _Message, instrument: int) -> Place | None:
    (told,) = _numbered_of(message.data)
    stream, last = _stream_of(message), told.sequence
    if message.action == "snapshot":
        return Place(stream, last, last, is_snapshot=True, instrument=instrument)
    if told.previous >= last:  # nothing has changed, or the venue counts anew
        return None
    return Place(stream, told.previous, last, is_chained=True)


def _of_quote(message: _Message, _instrument: int) -> Place:
    """Told again after a minute in which nothing changed."""
    (told,) = _numbered_of(message.data)
    return Place(_stream_of(message), told.sequence, told.sequence, is_quote=True, can_repeat=True)


def _of_trades(message: _Message, _instrument: int) -> Place:
    last = int(_trades_of(message.data)[-1].id)
    return Place(_stream_of(message), last, last)


def _of_clock(message: _Message, _instrument: int) -> Place:
    last = int(_clocked_of(message.data)[-1].ts)
    return Place(_stream_of(message), last, last, is_quote=message.arg.channel == markets.TICKER)


def _of_liquidation(message: _Message, _instrument: int) -> Place:
    """At most one a second and contract is sent, of all contracts on one subscription."""
    told = _liquidations_of(message.data)[0]
    last = int(told.details[-1].ts)
    return Place(f"{message.arg.channel}:{told.instrument}", last, last)


def _of_candle(message: _Message, _instrument: int) -> Place | None:
    closed = [int(candle[0]) for candle in _candles_of(message.data) if candle[-1] == CLOSED]
    return Place(_stream_of(message), closed[0], closed[0]) if closed else None


_PLACED: dict[str, Callable[[_Message, int], Place | None]] = {
    markets.BOOK: _of_book,
    markets.BOOK5: _of_quote,
    markets.BEST: _of_quote,
    markets.TRADE: _of_trades,
    markets.TICKER: _of_clock,
    markets.MARK: _of_clock,
    markets.FUNDING: _of_clock,
    markets.LIQUIDATION: _of_liquidation,
}
