"""Where a message of Binance stands in its stream: what makes several connections one stream, and quotes old.

All numbers here are the market's, not a connection's: trade ids, update ids of the book, and for the channels without
ids the market's own clock, of which one message a symbol and second is sent. Candles that still form have no place:
the adapter passes over them.
"""

from __future__ import annotations

import msgspec

from streamtrader.venues.binance.markets import AGGREGATE, TICKER, TRADE, base_of
from streamtrader.venues.venue import Place

DEPTH = "depth"
BY_CLOCK = ("markPrice", "forceOrder")
WORD_MOST = 1 << 62


class _Trade(msgspec.Struct, gc=False):
    t: int


class _Aggregate(msgspec.Struct, gc=False):
    a: int


class _Update(msgspec.Struct, gc=False):
    """Best quotes, depth of both markets, and partial depth."""

    u: int = 0
    U: int = 0
    pu: int = -1
    lastUpdateId: int = 0  # noqa: N815 - the venue's own name


class _Clocked(msgspec.Struct, gc=False):
    E: int


class _Candle(msgspec.Struct, gc=False):
    t: int
    x: bool


class _Kline(msgspec.Struct, gc=False):
    k: _Candle


class _Envelope(msgspec.Struct, gc=False):
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw()


_envelope_of = msgspec.json.Decoder(_Envelope).decode
_trade_of = msgspec.json.Decoder(_Trade).decode
_aggregate_of = msgspec.json.Decoder(_Aggregate).decode
_update_of = msgspec.json.Decoder(_Update).decode
_clocked_of = msgspec.json.Decoder(_Clocked).decode
_kline_of = msgspec.json.Decoder(_Kline).decode


def place_of(frame: bytes) -> Place | None:
    """The place of a combined frame; None for notices, for candles that still form, and for what cannot be read."""
    try:
        envelope = _envelope_of(frame)
        place = _placed(envelope.stream, envelope.data) if envelope.stream else None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return place if place is not None and -1 <= place.after <= place.last < WORD_MOST and place.last > 0 else None


def _placed(stream: str, data: msgspec.Raw) -> Place | None:
    base = base_of(stream.partition("@")[2])
    if base in (TRADE, AGGREGATE):
        number = _trade_of(data).t if base == TRADE else _aggregate_of(data).a
        return Place(stream, number - 1, number)
    if base == TICKER or base.startswith(DEPTH):
        return _placed_update(stream, base, _update_of(data))
    if base in BY_CLOCK:
        number = _clocked_of(data).E
        return Place(stream, number, number)
    if base.startswith("kline"):
        candle = _kline_of(data).k
        return Place(stream, candle.t, candle.t) if candle.x else None
    return None


def _placed_update(stream: str, base: str, update: _Update) -> Place:
    if base == DEPTH:
        return Place(stream, update.pu if update.pu >= 0 else update.U - 1, update.u, is_chained=True)
    number = update.lastUpdateId or update.u
    return Place(stream, number, number, is_quote=base == TICKER)
