"""Messages as Alpaca would send them, made by hand, and both of its encodings of the same ones."""

from __future__ import annotations

import json
import struct
from datetime import datetime
from typing import Any

import msgspec
from msgspec.msgpack import Ext

CLOCK = "2026-03-04T15:16:17.000000018Z"
CLOCK_NS = 1_772_637_377_000_000_018
LATER = "2026-03-04T15:16:17.165123789Z"
LATER_NS = 1_772_637_377_165_123_789
MINUTE, NEXT_MINUTE = "2026-03-04T15:16:00Z", "2026-03-04T15:17:00Z"

Message = dict[str, Any]


def nanoseconds(clock: str) -> int:
    """Exact, and not by the code under test."""
    second, _, rest = clock.removesuffix("Z").partition(".")
    return int(datetime.fromisoformat(second + "+00:00").timestamp()) * 10**9 + int(rest.ljust(9, "0") or 0)


def timestamp(clock: str) -> Ext:
    """By the specification of msgpack: 4 bytes where that is enough, else 8, else 12."""
    seconds, fraction = divmod(nanoseconds(clock), 10**9)
    if seconds >> 34:
        return Ext(-1, struct.pack(">Iq", fraction, seconds))
    if fraction or seconds >> 32:
        return Ext(-1, struct.pack(">Q", fraction << 34 | seconds))
    return Ext(-1, struct.pack(">I", seconds))


def text(*messages: Message) -> bytes:
    return json.dumps(messages, separators=(",", ":")).encode()


def binary(*messages: Message) -> bytes:
    """The same messages as msgpack, their clocks as timestamps."""
    return msgspec.msgpack.encode(
        [message | ({"t": timestamp(message["t"])} if "t" in message else {}) for message in messages]
    )


def trade(symbol: str = "AAPL", price: float = 126.55, size: float = 100, **more: Any) -> Message:
    known = {"T": "t", "S": symbol, "i": 96921, "x": "D", "p": price, "s": size, "c": ["@"], "z": "C", "t": CLOCK}
    return known | more


def coin_trade(side: str = "S", **more: Any) -> Message:
    known = {"T": "t", "S": "BTC/USD", "p": 47.299, "s": 29.205707815, "t": LATER, "i": 3447222699101865076}
    return known | {"tks": side} | more


def quote(symbol: str = "AAPL", bid: float = 126.5, ask: float = 126.6, **more: Any) -> Message:
    known = {"T": "q", "S": symbol, "bx": "U", "bp": bid, "bs": 200, "ax": "Q", "ap": ask, "as": 400, "t": LATER}
    return known | {"c": ["R"], "z": "C"} | more


def bar(kind: str = "b", symbol: str = "AAPL", start: str = MINUTE, **more: Any) -> Message:
    known = {"T": kind, "S": symbol, "o": 388.985, "h": 389.13, "l": 388.975, "c": 389.12, "v": 49378, "t": start}
    return known | {"n": 461, "vw": 389.062639} | more


def book(bids: list[tuple[float, float]], asks: list[tuple[float, float]], *, is_whole: bool = False) -> Message:
    sides = {name: [{"p": price, "s": size} for price, size in side] for name, side in (("b", bids), ("a", asks))}
    return {"T": "o", "S": "BTC/USD", "t": CLOCK, **sides} | ({"r": True} if is_whole else {})


def status(code: str = "H", symbol: str = "AAPL") -> Message:
    words = {"sm": "Trading Halt", "rc": "T12", "rm": "Trading Halted; For information requested by NASDAQ"}
    return {"T": "s", "S": symbol, "sc": code, **words, "t": CLOCK, "z": "C"}


def correction(**more: Any) -> Message:
    was = {"oi": 52983525033527, "op": 39.1582, "os": 440000, "oc": [" ", "7"]}
    now = {"ci": 52983525034326, "cp": 39.1809, "cs": 440000, "cc": [" ", "7"]}
    return {"T": "c", "S": "AAPL", "x": "M", **was, **now, "z": "B", "t": LATER} | more


def cancel(**more: Any) -> Message:
    known = {"T": "x", "S": "AAPL", "i": 465, "x": "D", "p": 105.31, "s": 300, "a": "C", "z": "C", "t": CLOCK}
    return known | more


def band(**more: Any) -> Message:
    return {"T": "l", "S": "AAPL", "u": 3.24, "d": 2.65, "i": "B", "t": CLOCK, "z": "C"} | more


def imbalance(**more: Any) -> Message:
    return {"T": "i", "S": "AAPL", "p": 9.12, "z": "C", "t": CLOCK} | more


CONNECTED: Message = {"T": "success", "msg": "connected"}
AUTHENTICATED: Message = {"T": "success", "msg": "authenticated"}
SUBSCRIBED: Message = {"T": "subscription", "trades": ["AAPL"], "quotes": ["AAPL"], "corrections": ["AAPL"]}


def error(code: int, message: str) -> Message:
    return {"T": "error", "code": code, "msg": message}


BOOK = ([(71859.53, 0.27994), (71849.4, 0.553986)], [(71939.7, 0.83953), (71940.4, 0.28025)])
STOCK_ARRAYS: tuple[tuple[Message, ...], ...] = (
    (CONNECTED,),
    (AUTHENTICATED,),
    (SUBSCRIBED,),
    (error(405, "symbol limit exceeded"),),
    (quote(), trade(), trade(price=126.5, c=["@", "I"])),
    (trade(c=["@", "M"]), correction(), cancel()),
    (bar(), bar("u"), bar("d"), bar(start=NEXT_MINUTE)),
    (status(), status("T"), status("5"), band(), imbalance()),
)
CRYPTO_ARRAYS: tuple[tuple[Message, ...], ...] = (
    (CONNECTED,),
    (book(*BOOK, is_whole=True),),
    (quote("BTC/USD", 71859.53, 71939.7, bs=0.27994, **{"as": 0.83953}), coin_trade()),
    (book([(71849.4, 0.0)], [(71939.7, 0.5)]), coin_trade("-")),
    (bar(symbol="BTC/USD", v=0), bar(symbol="BTC/USD", start=NEXT_MINUTE)),
)
