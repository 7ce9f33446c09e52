"""The slow path: every frame that the scanner does not know, with types and values checked one by one.

The venue may add keys and change their order; what is asked for here must be there, of its type, and must be able
to be true. Texts that the venue sends, read as numbers:

    trade       {"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63","q":"0.02",
                 "T":1723161255342,"m":true,"M":true}
    aggTrade    {"e":"aggTrade","E":1723161255343,"a":26129,"s":"BTCUSDT","p":"61837.63","q":"0.02","f":100,"l":105,
                 "T":1723161255342,"m":true}
    bookTicker  {"u":50093239212,"s":"BTCUSDT","b":"61837.63","B":"3.78826","a":"61837.64","A":"1.54698"}
    depth       {"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":50093239189,"u":50093239202,
                 "b":[["61737.63","0.0"]],"a":[["61837.64","1.54698"]]}        USD-M: also "T" and "pu"
    depth20     {"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[]}        USD-M: as depth
    kline       {"e":"kline","E":1723161255343,"s":"BTCUSDT","k":{"t":1723161240000,"T":1723161299999,"i":"1m","x":false,
                 "o":"61837.6","h":"61840.0","l":"61830.0","c":"61837.6","v":"12.3"}}
    markPrice   {"e":"markPriceUpdate","E":1723161255000,"s":"BTCUSDT","p":"61837.6","i":"61840.1","r":"0.0001",
                 "T":1723190400000}
    forceOrder  {"e":"forceOrder","E":1723161255343,"o":{"s":"BTCUSDT","S":"SELL","q":"0.014","p":"61000.0",
                 "ap":"61100.2","z":"0.014","T":1723161255342}}
    snapshot    {"lastUpdateId":50093239218,"bids":[["61837.63","3.78826"]],"asks":[]}     USD-M: also "T"

A trade of USD-M whose `X` is not MARKET moved something between the venue's own accounts, or nothing at all (`NA`,
with a price of "0"): it is no trade of the market.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from streamtrader.errors import BadMessage
from streamtrader.instruments import BELIEVED, Most
from streamtrader.venues.values import (
    check_candle,
    check_identity,
    check_levels,
    check_milliseconds,
    check_prices,
    check_quote,
    check_sides,
    check_trade,
    decoder,
)

EMPTY = msgspec.Raw()
NO_TEXT = b'""'
OF_THE_MARKET = "MARKET"
RATE_MOST = 1.0  # of funding, as a share of the position: the venue's own caps are a few hundredths


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
    X: str = OF_THE_MARKET


class AggregateData(msgspec.Struct, gc=False):
    s: str
    a: int
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


class TopData(msgspec.Struct, gc=False):
    """Partial depth, as spot or as USD-M shapes it."""

    lastUpdateId: int = -1  # noqa: N815 - the venue's own name
    bids: list[tuple[float, float]] | None = None
    asks: list[tuple[float, float]] | None = None
    s: str = ""
    u: int = -1
    b: list[tuple[float, float]] | None = None
    a: list[tuple[float, float]] | None = None
    E: int = 0
    T: int = 0


class Top(NamedTuple):
    """The best levels of both sides; spot says neither the symbol nor the time."""

    update: int
    clock_ms: int
    symbol: str
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]


class CandleData(msgspec.Struct, gc=False):
    """Of an interval from `t` to `T`, both within it; `x` once it is closed."""

    t: int
    T: int
    i: str
    o: float
    h: float
    l: float  # noqa: E741 - the venue's own name
    c: float
    v: float
    x: bool


class KlineData(msgspec.Struct, gc=False):
    s: str
    k: CandleData


class MarkData(msgspec.Struct, gc=False):
    """A delivery contract has no funding: its rate is an empty text or zero, and its time 0."""

    E: int
    s: str
    p: float
    i: float = 0.0
    r: msgspec.Raw = EMPTY
    T: int = 0

    @property
    def rate(self) -> float:
        """What the next funding will take, as a fraction of the position's value."""
        return _rate_of(self.r) if self.r and bytes(self.r) != NO_TEXT else 0.0


class ForcedData(msgspec.Struct, gc=False):
    """`z` of `q` was filled so far, at `ap` on average; `p` is the order's limit."""

    s: str
    S: str
    q: float
    p: float
    T: int
    ap: float = 0.0
    z: float = 0.0


class ForceOrderData(msgspec.Struct, gc=False):
    o: ForcedData


envelope_of = decoder(Envelope)
notice_of = decoder(Notice)
_trade_of, _aggregate_of, _ticker_of = decoder(TradeData), decoder(AggregateData), decoder(TickerData)
_depth_of, _snapshot_of, _top_of = decoder(DepthData), decoder(SnapshotData), decoder(TopData)
_kline_of, _mark_of, _force_order_of = decoder(KlineData), decoder(MarkData), decoder(ForceOrderData)
_rate_of = decoder(float)


def request_of(method: str, streams: list[str], identity: int) -> bytes:
    """`SUBSCRIBE` or `UNSUBSCRIBE`, as a message."""
    return msgspec.json.encode({"method": method, "params": streams, "id": identity})


def trade_of(text: bytes | msgspec.Raw, most: Most) -> TradeData:
    trade = _trade_of(text)
    if trade.X == OF_THE_MARKET:
        check_trade(trade.p, trade.q, most)
    check_identity(trade.t)
    check_milliseconds(trade.T)
    return trade


def aggregate_of(text: bytes | msgspec.Raw, most: Most) -> AggregateData:
    trade = _aggregate_of(text)
    check_trade(trade.p, trade.q, most)
    check_identity(trade.a)
    check_milliseconds(trade.T)
    return trade


def ticker_of(text: bytes | msgspec.Raw, most: Most) -> TickerData:
    ticker = _ticker_of(text)
    check_quote((ticker.b, ticker.B), (ticker.a, ticker.A), most)
    check_identity(ticker.u)
    check_milliseconds(ticker.T)
    return ticker


def depth_of(text: bytes | msgspec.Raw, most: Most) -> DepthData:
    depth = _depth_of(text)
    check_levels(depth.b, most)
    check_levels(depth.a, most)
    check_identity(depth.U, depth.u)
    check_milliseconds(depth.E)
    check_milliseconds(depth.T)
    if not -1 <= depth.after < depth.u or depth.u < depth.U:
        raise BadMessage(f"depth message from {depth.U} to {depth.u} after {depth.pu}")
    return depth


def snapshot_of(text: bytes | msgspec.Raw, most: Most) -> SnapshotData:
    snapshot = _snapshot_of(text)
    check_levels(snapshot.bids, most)
    check_levels(snapshot.asks, most)
    check_identity(snapshot.lastUpdateId)
    check_milliseconds(snapshot.T)
    return snapshot


def top_of(text: bytes | msgspec.Raw, most: Most) -> Top:
    data = _top_of(text)
    if data.bids is not None and data.asks is not None:
        top = Top(data.lastUpdateId, 0, "", data.bids, data.asks)
    elif data.b is not None and data.a is not None and data.s:
        top = Top(data.u, data.T or data.E, data.s, data.b, data.a)
    else:
        raise BadMessage("partial depth without its levels")
    check_levels(top.bids, most)
    check_levels(top.asks, most)
    check_identity(top.update)
    check_milliseconds(top.clock_ms)
    return top


def kline_of(text: bytes | msgspec.Raw) -> KlineData:
    """A candle that is still open is nobody's business yet: only what is closed must be able to be true."""
    kline = _kline_of(text)
    candle = kline.k
    if not candle.x:
        return kline
    check_milliseconds(candle.t, candle.T)
    check_candle(candle.o, candle.h, candle.l, candle.c, candle.v)
    if candle.t >= candle.T:
        raise BadMessage("a candle that ends before it begins")
    return kline


def mark_of(text: bytes | msgspec.Raw) -> MarkData:
    mark = _mark_of(text)
    check_prices(mark.p, mark.i or mark.p)
    check_milliseconds(mark.E, mark.T)
    if not -RATE_MOST <= mark.rate <= RATE_MOST:
        raise BadMessage(f"{mark.rate} is no funding rate")
    return mark


def forced_of(text: bytes | msgspec.Raw) -> ForcedData:
    order = _force_order_of(text).o
    check_sides((order.p, order.q), (order.ap, order.z), BELIEVED)
    check_trade(order.ap or order.p, order.z or order.q)
    check_milliseconds(order.T)
    if order.S not in ("BUY", "SELL"):
        raise BadMessage(f"{order.S[:20]!r} is no side of an order")
    return order
