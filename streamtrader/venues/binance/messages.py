"""The slow path: every frame that the scanner does not know, with types and values checked one by one.

The venue may add keys and change their order; what is asked for here must be there, of its type, and must be able
to be true. Texts that the venue sends, read as numbers:

    trade       {"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63","q":"0.02",
                 "T":1723161255342,"m":true,"M":true}
    bookTicker  {"u":50093239212,"s":"BTCUSDT","b":"61837.63","B":"3.78826","a":"61837.64","A":"1.54698"}
    depth       {"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":50093239189,"u":50093239202,
                 "b":[["61737.63","0.0"]],"a":[["61837.64","1.54698"]]}        USD-M: also "T" and "pu"
    snapshot    {"lastUpdateId":50093239218,"bids":[["61837.63","3.78826"]],"asks":[]}     USD-M: also "T"
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from streamtrader.errors import BadMessage
from streamtrader.units import ABSURD, NS_PER_MS
from streamtrader.venues.tokens import MS_MOST

IDENTITY_MOST = 2**62
EMPTY = msgspec.Raw()


class Envelope(msgspec.Struct, gc=False):
    """A combined frame, or an answer to something that we sent."""

    stream: str = ""
    data: msgspec.Raw = EMPTY
    ns: int = 0
    result: msgspec.Raw = EMPTY
    error: msgspec.Raw = EMPTY
    code: msgspec.Raw = EMPTY
    event: msgspec.Raw = EMPTY
    e: str = ""


class Notice(msgspec.Struct, gc=False):
    """The kind of a message that belongs to no symbol."""

    e: str = ""


class TradeData(msgspec.Struct, gc=False):
    s: str
    t: int
    p: float
    q: float
    T: int
    m: bool


class TickerData(msgspec.Struct, gc=False):
    u: int
    s: str
    b: float
    B: float
    a: float
    A: float
    T: int = 0


class DepthData(msgspec.Struct, gc=False):
    E: int
    s: str
    U: int
    u: int
    b: list[tuple[float, float]]
    a: list[tuple[float, float]]
    T: int = 0
    pu: int = -1

    @property
    def after(self) -> int:
        """Updates up to this one are not in the message."""
        return self.pu if self.pu >= 0 else self.U - 1


class SnapshotData(msgspec.Struct, gc=False):
    lastUpdateId: int  # noqa: N815 - the venue's own name
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]
    T: int = 0


Message = TypeVar("Message")


def decoder(kind: type[Message]) -> Callable[[bytes | msgspec.Raw], Message]:
    """Read one kind of message; whatever is wrong with it becomes a `BadMessage`."""
    decode = msgspec.json.Decoder(kind, strict=False).decode

    def checked(text: bytes | msgspec.Raw) -> Message:
        try:
            return decode(text)
        except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError) as error:
            raise BadMessage(f"{kind.__name__}: {error}") from error

    return checked


envelope_of = decoder(Envelope)
notice_of = decoder(Notice)
_trade_of, _ticker_of = decoder(TradeData), decoder(TickerData)
_depth_of, _snapshot_of = decoder(DepthData), decoder(SnapshotData)


def trade_of(text: bytes | msgspec.Raw) -> TradeData:
    trade = _trade_of(text)
    _check_above_zero(trade.p, trade.q)
    _check_identity(trade.t)
    _check_clock(trade.T)
    return trade


def ticker_of(text: bytes | msgspec.Raw) -> TickerData:
    ticker = _ticker_of(text)
    _check_above_zero(ticker.b, ticker.B, ticker.a, ticker.A)
    _check_identity(ticker.u)
    _check_clock(ticker.T)
    return ticker


def depth_of(text: bytes | msgspec.Raw) -> DepthData:
    depth = _depth_of(text)
    _check_levels(depth.b)
    _check_levels(depth.a)
    _check_identity(depth.U, depth.u)
    _check_clock(depth.E)
    _check_clock(depth.T)
    if not -1 <= depth.after < depth.u or depth.u < depth.U:
        raise BadMessage(f"depth message from {depth.U} to {depth.u} after {depth.pu}")
    return depth


def snapshot_of(text: bytes | msgspec.Raw) -> SnapshotData:
    snapshot = _snapshot_of(text)
    _check_levels(snapshot.bids)
    _check_levels(snapshot.asks)
    _check_identity(snapshot.lastUpdateId)
    _check_clock(snapshot.T)
    return snapshot


def nanoseconds(milliseconds: int) -> int:
    return milliseconds * NS_PER_MS


def _check_above_zero(*values: float) -> None:
    for value in values:
        if not 0.0 < value <= ABSURD:  # a NaN compares false
            raise BadMessage(f"{value} is no price and no size")


def _check_levels(levels: list[tuple[float, float]]) -> None:
    for price, size in levels:
        if not (0.0 < price <= ABSURD and 0.0 <= size <= ABSURD):
            raise BadMessage(f"{price}, {size} is no level of a book")


def _check_identity(*values: int) -> None:
    for value in values:
        if not 0 <= value < IDENTITY_MOST:
            raise BadMessage("an id outside of its range")


def _check_clock(milliseconds: int) -> None:
    if not 0 <= milliseconds <= MS_MOST:
        raise BadMessage("a clock outside of its range")
