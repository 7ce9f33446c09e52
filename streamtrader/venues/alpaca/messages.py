"""Alpaca's messages as msgspec reads them, from both of its encodings: arrays of objects whose `T` tells their kind.

    trade       {"T":"t","S":"AAPL","i":96921,"x":"D","p":126.55,"s":1,"t":"2021-02-22T15:51:44.208Z","c":["@","I"],"z":"C"}
                {"T":"t","S":"AVAX/USD","p":47.299,"s":29.205707815,"t":"...","i":3447222699101865076,"tks":"S"}
    quote       {"T":"q","S":"AMD","bx":"U","bp":87.66,"bs":1,"ax":"Q","ap":87.68,"as":4,"t":"...","c":["R"],"z":"C"}
    bar         {"T":"b","S":"SPY","o":388.985,"h":389.13,"l":388.975,"c":389.12,"v":49378,"n":461,"vw":389.06,"t":"..."}
                T is "b" for a minute, "u" for one that late trades changed, "d" for the day as far as it has come
    order book  {"T":"o","S":"BTC/USD","t":"...","b":[{"p":71859.53,"s":0.27994}],"a":[],"r":true}
    status      {"T":"s","S":"AAPL","sc":"H","sm":"Trading Halt","rc":"T12","rm":"...","t":"...","z":"C"}
    correction  {"T":"c","S":"EEM","x":"M","oi":52983525033527,"op":39.1582,"os":440000,"oc":[" ","7"],
                 "ci":52983525034326,"cp":39.1809,"cs":440000,"cc":[" ","7"],"z":"B","t":"..."}
    cancel      {"T":"x","S":"GOOGL","i":465,"x":"D","p":105.31,"s":300,"a":"C","z":"C","t":"..."}   a: C cancel, E error
    band        {"T":"l","S":"IONM","u":3.24,"d":2.65,"i":"B","t":"...","z":"C"}
    imbalance   {"T":"i","S":"INAQU","p":9.12,"z":"C","t":"..."}
    control     {"T":"success","msg":"connected"}  {"T":"error","code":402,"msg":"auth failed"}
                {"T":"subscription","trades":["AAPL"],"quotes":[],"bars":[],...,"corrections":["AAPL"],"cancelErrors":["AAPL"]}

(docs.alpaca.markets/docs/streaming-market-data, real-time-stock-pricing-data, real-time-crypto-pricing-data.) A text
frame starts with `[`; a binary one is msgpack and starts with the head of an array, which no text can. Clocks are RFC
3339 texts, in msgpack timestamps of 4, 8 or 12 bytes (msgpack's extension -1); both have nanoseconds.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.msgpack import Ext

from streamtrader.errors import BadMessage
from streamtrader.events import BUY, SELL
from streamtrader.units import NS_PER_S
from streamtrader.venues.values import NS_MOST, nanoseconds_of

Clock = str | Ext
BOOK = "o"
SIDES = {"B": BUY, "S": SELL}  # of the taker; "-" is unknown
TIMESTAMP = -1  # the type of msgpack's own extension
BINARY_HEAD = 0x80  # of a frame: no JSON and no UTF-8 text starts with such a byte
ID_MOST = 2**63  # crypto ids use all of an int64


class Trade(msgspec.Struct, tag_field="T", tag="t", gc=False):
    S: str
    p: float
    s: float
    t: Clock
    i: int = 0
    x: str = ""
    c: list[str] | None = None
    z: str | None = ""
    tks: str = ""


class Quote(msgspec.Struct, tag_field="T", tag="q", gc=False):
    S: str
    bp: float
    bs: float
    ap: float
    ask_size: float = msgspec.field(name="as")
    t: Clock


class AnyBar(msgspec.Struct, gc=False):
    S: str
    o: float
    h: float
    l: float  # noqa: E741 - the venue's name
    c: float
    v: float
    t: Clock


class Bar(AnyBar, tag_field="T", tag="b", gc=False):
    """A minute that is over."""


class UpdatedBar(AnyBar, tag_field="T", tag="u", gc=False):
    """A minute that was told before, with the trades that came late."""


class DailyBar(AnyBar, tag_field="T", tag="d", gc=False):
    """The day until now: never closed."""


class Level(msgspec.Struct, gc=False):
    p: float
    s: float


class Book(msgspec.Struct, tag_field="T", tag=BOOK, gc=False):
    S: str
    t: Clock
    b: list[Level]
    a: list[Level]
    r: bool = False


class Status(msgspec.Struct, tag_field="T", tag="s", gc=False):
    S: str
    sc: str
    t: Clock


class Correction(msgspec.Struct, tag_field="T", tag="c", gc=False):
    S: str
    oi: int
    ci: int
    cp: float
    cs: float
    t: Clock
    x: str = ""


class Cancel(msgspec.Struct, tag_field="T", tag="x", gc=False):
    S: str
    i: int
    p: float
    s: float
    t: Clock
    x: str = ""


class Band(msgspec.Struct, tag_field="T", tag="l", gc=False):
    S: str
    u: float
    d: float
    t: Clock


class Imbalance(msgspec.Struct, tag_field="T", tag="i", gc=False):
    S: str
    p: float
    t: Clock


class Success(msgspec.Struct, tag_field="T", tag="success", gc=False):
    msg: str


class Error(msgspec.Struct, tag_field="T", tag="error", gc=False):
    code: int = 0
    msg: str = ""


class Subscription(msgspec.Struct, tag_field="T", tag="subscription", gc=False):
    """All that is subscribed to; corrections and cancels come with trades by themselves."""


class Kind(msgspec.Struct, gc=False):
    """Any message, before it is known of which kind."""

    T: str
    S: str = ""


Message = (
    Trade | Quote | Bar | UpdatedBar | DailyBar | Book | Status | Correction | Cancel | Band | Imbalance | Success
    | Error | Subscription
)  # fmt: skip
KINDS = {
    str(kind.__struct_config__.tag)
    for kind in (
        Trade, Quote, Bar, UpdatedBar, DailyBar, Book, Status, Correction, Cancel, Band, Imbalance, Success, Error,
        Subscription,
    )
}  # fmt: skip


class Encoding:
    """How one of the encodings is read; `raws_of` takes an array apart whose messages cannot all be read."""

    __slots__ = ("kind_of", "message_of", "messages_of", "raws_of")

    def __init__(self, decoder: Callable[..., Any]) -> None:
        self.messages_of: Callable[[bytes], list[Message]] = decoder(list[Message], strict=False).decode
        self.message_of: Callable[[msgspec.Raw], Message] = decoder(Message, strict=False).decode
        self.kind_of: Callable[[msgspec.Raw], Kind] = decoder(Kind, strict=False).decode
        self.raws_of: Callable[[bytes], list[msgspec.Raw]] = decoder(list[msgspec.Raw]).decode


JSON, MSGPACK = Encoding(msgspec.json.Decoder), Encoding(msgspec.msgpack.Decoder)


def encoding_of(frame: bytes) -> Encoding:
    return MSGPACK if frame and frame[0] >= BINARY_HEAD else JSON


def nanoseconds_at(clock: Clock) -> int:
    """A clock of either encoding as nanoseconds since the epoch."""
    if isinstance(clock, str):
        if not clock:
            raise BadMessage("a message without a clock")
        return nanoseconds_of(clock)
    if clock.code != TIMESTAMP:
        raise BadMessage(f"an extension of type {clock.code} is no clock")
    data = bytes(clock.data)
    if len(data) == 4:
        seconds, fraction = int.from_bytes(data, "big"), 0
    elif len(data) == 8:
        word = int.from_bytes(data, "big")
        seconds, fraction = word & (2**34 - 1), word >> 34
    elif len(data) == 12:
        fraction, seconds = struct.unpack(">Iq", data)
    else:
        raise BadMessage(f"a timestamp of {len(data)} bytes")
    value: int = seconds * NS_PER_S + fraction
    if fraction >= NS_PER_S or not 0 <= value <= NS_MOST:
        raise BadMessage("a clock outside of its range")
    return value


def check_id(*values: int) -> None:
    for value in values:
        if not 0 <= value < ID_MOST:
            raise BadMessage("an id outside of its range")


def exchange_code(text: str) -> float:
    """The letter of an exchange as a number for a word of an event: `V` is 86.0, none is 0.0."""
    return float(ord(text)) if len(text) == 1 and text.isascii() else 0.0
