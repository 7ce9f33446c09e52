"""Our own frames for what ccxt tells: one kind a channel, numbers as ccxt gave them, `time_ms` 0 where it gave none.

    {"channel":"trade","symbol":"BTC/USDT","trades":[[7,1700000000000,"buy",100.1,0.5]],"is_overfull":false}
    {"channel":"book","symbol":"BTC/USDT","is_snapshot":false,"update":9,"time_ms":0,"bids":[[100.0,0.0]],"asks":[]}
    {"channel":"quote","symbol":"BTC/USDT","time_ms":0,"bid":100.0,"bid_size":1.0,"ask":100.1,"ask_size":2.0}
    {"channel":"candle","symbol":"BTC/USDT","candles":[[1700000000000,1.0,2.0,0.5,1.5,10.0]]}
    {"channel":"told","symbol":"BTC/USDT","of":"book","error":"LinkLost: ...","is_final":false}

A NaN or a missing number is written as null, which no reader takes for a number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import msgspec

from streamtrader.venues.values import decoder

BOOK, TRADE, QUOTE, CANDLE = "book", "trade", "quote", "candle"
ALL_CHANNELS = (BOOK, TRADE, QUOTE, CANDLE)
Level = tuple[float, float]


class Trade(msgspec.Struct, array_like=True, gc=False):
    """`id` is 0 where the exchange's is no number; `side` is the taker's."""

    id: int
    time_ms: int
    side: str
    price: float
    size: float


class Trades(msgspec.Struct, tag_field="channel", tag=TRADE, gc=False):
    """`is_overfull`: ccxt keeps so many and no more between two looks; older ones may be lost."""

    symbol: str
    trades: list[Trade]
    is_overfull: bool = False


class Book(msgspec.Struct, tag_field="channel", tag=BOOK, gc=False):
    """The whole book, or the levels that differ from the last one told; size 0 removes."""

    symbol: str
    is_snapshot: bool
    update: int
    time_ms: int
    bids: list[Level]
    asks: list[Level]


class Quote(msgspec.Struct, tag_field="channel", tag=QUOTE, gc=False):
    """The best bid and ask; 0 where ccxt has none."""

    symbol: str
    time_ms: int
    bid: float
    bid_size: float
    ask: float
    ask_size: float


class Candle(msgspec.Struct, array_like=True, gc=False):
    """As ccxt orders them."""

    start_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Candles(msgspec.Struct, tag_field="channel", tag=CANDLE, gc=False):
    """The newest is still open."""

    symbol: str
    candles: list[Candle]


class Told(msgspec.Struct, tag_field="channel", tag="told", gc=False):
    """One watch failed, and begins anew by itself; `is_final`: it would fail for ever."""

    symbol: str
    of: str
    error: str
    is_final: bool = False


class Order(msgspec.Struct, gc=False):
    """What the adapter asks of the link: watch one channel of one symbol, anew where it is watched already."""

    watch: str
    symbol: str
    timeframe: str = ""


Message = Trades | Book | Quote | Candles | Told
message_of: Callable[[bytes | msgspec.Raw], Message] = decoder(cast("type[Message]", Message))
order_of = decoder(Order)
