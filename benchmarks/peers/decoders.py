"""Frame to typed callback: the decoders that the loopback benchmarks set side by side.

Each handler takes the bytes of one combined frame and ends in the same callback with floats. The last two end in
64-byte events instead, because the engine that reads them is compiled, and only the stamp comes back to Python:
`msgspec_ring` packs what msgspec decoded, `scanner` is the engine's own and makes no object at all.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

from streamtrader.bench.frames import STAMP_BASE_NS

Handler = Callable[[Any], None]
DECODERS = ("none", "json", "orjson", "msgspec", "msgspec_floats", "msgspec_ring", "scanner")


class Sink:
    """The user's side: takes floats, keeps a sum, and when the callback ended after the stamp."""

    def __init__(self, count: int) -> None:
        self.latency_ns: NDArray[np.int64] = np.zeros(count, np.int64)
        self.slots = memoryview(self.latency_ns)  # a third of the cost of assigning to the array
        self.count = 0
        self.total = 0.0

    def on_trade(self, stamp_ns: int, price: float, size: float, is_maker: bool) -> None:
        self.total += price * size
        self.stamped(stamp_ns)

    def on_book(self, stamp_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        self.total += bid - ask
        self.stamped(stamp_ns)

    def on_depth(self, stamp_ns: int, bids: Any, asks: Any) -> None:
        self.total += bids[0][0] - asks[0][0]
        self.stamped(stamp_ns)

    def stamped(self, stamp_ns: int) -> None:
        self.slots[self.count] = STAMP_BASE_NS + time.monotonic_ns() - stamp_ns
        self.count += 1


def handler_of(decoder: str, kind: str, sink: Sink) -> Handler:
    """The handler of one kind of frame; `decoder` is one of `DECODERS`."""
    makers: dict[str, Callable[[], Handler]] = {
        "none": lambda: counting(sink),
        "json": lambda: by_dictionary(json.loads, kind, sink),
        "orjson": lambda: by_dictionary(orjson.loads, kind, sink),
        "msgspec": lambda: by_struct(kind, sink, str),
        "msgspec_floats": lambda: by_struct(kind, sink, float),
        "msgspec_ring": lambda: by_struct_to_ring(kind, sink),
        "scanner": lambda: by_scanner(sink),
    }
    return makers[decoder]()


def counting(sink: Sink) -> Handler:
    def handle(frame: Any) -> None:
        sink.count += 1

    return handle


def by_dictionary(loads: Callable[[Any], Any], kind: str, sink: Sink) -> Handler:
    """Dictionaries of text, `float()` by hand."""

    def trade(frame: Any) -> None:
        message = loads(frame)
        data = message["data"]
        sink.on_trade(message["ns"], float(data["p"]), float(data["q"]), data["m"])

    def book(frame: Any) -> None:
        message = loads(frame)
        data = message["data"]
        sink.on_book(message["ns"], float(data["b"]), float(data["B"]), float(data["a"]), float(data["A"]))

    def depth(frame: Any) -> None:
        message = loads(frame)
        data = message["data"]
        sink.on_depth(
            message["ns"],
            [(float(price), float(size)) for price, size in data["b"]],
            [(float(price), float(size)) for price, size in data["a"]],
        )

    return {"trade": trade, "book": book}.get(kind, depth)


def structs(number: type) -> tuple[type[msgspec.Struct], type[msgspec.Struct], type[msgspec.Struct]]:
    """Typed frames; `number` float asks msgspec to read the text as a number by itself (`strict=False`)."""

    def combined(name: str, fields: list[tuple[str, Any]]) -> type[msgspec.Struct]:
        data = msgspec.defstruct(f"{name}Data", fields, gc=False)
        return msgspec.defstruct(name, [("data", data), ("ns", int)], gc=False)

    levels = list[tuple[number, number]]  # type: ignore[valid-type]
    return (
        combined("Trade", [("p", number), ("q", number), ("m", bool), ("T", int), ("t", int)]),
        combined("Book", [("b", number), ("B", number), ("a", number), ("A", number), ("u", int)]),
        combined("Depth", [("U", int), ("u", int), ("b", levels), ("a", levels)]),
    )


def by_struct(kind: str, sink: Sink, number: type) -> Handler:
    typed = structs(number)[{"trade": 0, "book": 1}.get(kind, 2)]
    decode: Callable[[Any], Any] = msgspec.json.Decoder(typed, strict=number is not float).decode
    is_read = number is float

    def trade(frame: Any) -> None:
        message = decode(frame)
        data = message.data
        if is_read:
            sink.on_trade(message.ns, data.p, data.q, data.m)
        else:
            sink.on_trade(message.ns, float(data.p), float(data.q), data.m)

    def book(frame: Any) -> None:
        message = decode(frame)
        data = message.data
        if is_read:
            sink.on_book(message.ns, data.b, data.B, data.a, data.A)
        else:
            sink.on_book(message.ns, float(data.b), float(data.B), float(data.a), float(data.A))

    def depth(frame: Any) -> None:
        message = decode(frame)
        data = message.data
        if is_read:
            sink.on_depth(message.ns, data.b, data.a)
            return
        sink.on_depth(
            message.ns,
            [(float(price), float(size)) for price, size in data.b],
            [(float(price), float(size)) for price, size in data.a],
        )

    return {"trade": trade, "book": book}.get(kind, depth)


def by_struct_to_ring(kind: str, sink: Sink) -> Handler:
    """What a typed decoder costs when its reader is compiled: every row is packed by hand."""
    from streamtrader.events import MORE, Kind
    from streamtrader.kernel.ring import Ring

    ring = Ring(4096)
    write = ring.write
    typed = structs(float)[{"trade": 0, "book": 1}.get(kind, 2)]
    decode: Callable[[Any], Any] = msgspec.json.Decoder(typed, strict=False).decode
    trade_kind, quote_kind, book_kind = int(Kind.TRADE), int(Kind.QUOTE), int(Kind.BOOK)

    def trade(frame: Any) -> None:
        message = decode(frame)
        data = message.data
        write(trade_kind, 0, int(data.m), 0, data.T * 1_000_000, message.ns, data.p, data.q, 0.0, 0.0, data.t)
        sink.stamped(message.ns)

    def book(frame: Any) -> None:
        message = decode(frame)
        data = message.data
        write(quote_kind, 0, 0, 0, 0, message.ns, data.b, data.B, data.a, data.A, data.u)
        sink.stamped(message.ns)

    def depth(frame: Any) -> None:
        message = decode(frame)
        data = message.data
        for side, levels in ((0, data.b), (1, data.a)):
            for price, size in levels:
                write(book_kind, 0, side, MORE, 0, message.ns, price, size, 0.0, 0.0, data.u)
        sink.stamped(message.ns)

    return {"trade": trade, "book": book}.get(kind, depth)


def by_scanner(sink: Sink) -> Handler:
    """The engine's scanner into a ring of events; whether depth continues its sequence is not checked here."""
    from streamtrader.events import EVENT, EVENT_BYTES
    from streamtrader.venues.binance import scan

    slots = 4096
    events = np.zeros(slots, EVENT)
    words = memoryview(events.view(np.int64))
    stride = EVENT_BYTES // 8
    header, lengths = np.zeros(scan.HEADER_WORDS, np.int64), np.zeros(0, np.int64)
    places = np.full((1, scan.PLACE_WORDS), -1)  # no book is expected to follow: depth is written and left to the caller
    table = scan.table_of(["BTCUSDT"])
    scanner = scan.compiled_scanner(cache=True)
    words_of_header = memoryview(header)
    written = 0

    def handle(frame: Any) -> None:
        nonlocal written
        words_of_header[scan.DONE] = words_of_header[scan.AT] = 0
        words_of_header[scan.JUDGE_AT] = 2**62
        rows = scanner(bytes(frame), lengths, 1, events, written, written + slots, 0, table, places, header)
        if rows == scan.HANDED_OVER:
            raise ValueError(f"the scanner does not know this frame: {bytes(frame)[:120]!r}")
        sink.stamped(words[(written & (slots - 1)) * stride + 1])
        written += 1 if rows == scan.COMMITTED else rows - scan.DEPTH

    return handle
