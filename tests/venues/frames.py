"""Frames as the venue shapes them, adapters to play them to, and the recorded captures."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np

from streamtrader.events import EVENT, BookState, Kind
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.runtime.loading import scanner_for_frames
from streamtrader.venues.binance import SPOT, USDM, Binance, Market
from streamtrader.venues.listing import Scanner

SPOT_CAPTURES = ("spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz")
USDM_CAPTURES = ("usdm_btcusdt_20240808.gz",)
NOW_NS = 1_700_000_000_000_000_000
NOW_MS = NOW_NS // 1_000_000


@cache
def compiled_scanner() -> Scanner:
    """As a session has it: kept on disk, so that one test process of many compiles it."""
    return scanner_for_frames()


def instrument(symbol: str = "BTCUSDT", market: Market = SPOT) -> Instrument:
    return Instrument(
        "binance", symbol, symbol[:3], symbol[3:], Decimal("0.01"), Decimal("0.00001"), kind=market.kind
    )


def adapter(
    *symbols: str, market: Market = SPOT, is_fast: bool = True, is_stamped: bool = False
) -> tuple[Binance, Ring]:
    """An adapter that is connected and waits for its snapshots, and its ring."""
    listed = [instrument(symbol, market) for symbol in symbols or ("BTCUSDT",)]
    scanner = compiled_scanner() if is_fast else None
    venue, ring = Binance(listed, market, scanner=scanner, is_stamped=is_stamped), Ring(1 << 12)
    venue.connected(NOW_NS, ring)
    return venue, ring


def compact(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def spot_trade(identity: int = 1, price: str = "100.50", size: str = "2.00000000", *, is_sold: bool = False) -> bytes:
    data = {"e": "trade", "E": NOW_MS, "s": "BTCUSDT", "t": identity, "p": price, "q": size, "T": NOW_MS - 1}
    return compact({"stream": "btcusdt@trade", "data": data | {"m": is_sold, "M": True}})


def usdm_trade(identity: int = 1, price: str = "100.5", size: str = "2.000", *, is_sold: bool = False) -> bytes:
    data = {"e": "trade", "E": NOW_MS, "T": NOW_MS - 1, "s": "BTCUSDT", "t": identity, "p": price, "q": size}
    return compact({"stream": "btcusdt@trade", "data": data | {"X": "MARKET", "m": is_sold}})


def spot_quote(update: int = 1, bid: str = "100.00", ask: str = "100.01") -> bytes:
    data = {"u": update, "s": "BTCUSDT", "b": bid, "B": "1.5", "a": ask, "A": "2.5"}
    return compact({"stream": "btcusdt@bookTicker", "data": data})


def usdm_quote(update: int = 1) -> bytes:
    data = {"e": "bookTicker", "u": update, "s": "BTCUSDT", "b": "100.0", "B": "1.5", "a": "100.1", "A": "2.5"}
    return compact({"stream": "btcusdt@bookTicker", "data": data | {"T": NOW_MS - 1, "E": NOW_MS}})


def spot_aggregate(identity: int = 1, *, is_sold: bool = False, symbol: str = "BTCUSDT") -> bytes:
    data = {"e": "aggTrade", "E": NOW_MS, "s": symbol, "a": identity, "p": "100.50", "q": "2.00000000"}
    data |= {"f": 5, "l": 7, "T": NOW_MS - 1, "m": is_sold, "M": True}
    return compact({"stream": f"{symbol.lower()}@aggTrade", "data": data})


def usdm_aggregate(identity: int = 1, price: str = "100.5", *, is_sold: bool = False, is_new: bool = True) -> bytes:
    """As the venue sends it since 2026: `nq` is the size without retail orders, `st` the type of the symbol."""
    data = {"e": "aggTrade", "E": NOW_MS, "a": identity, "s": "BTCUSDT", "p": price, "q": "2.000"}
    data |= ({"nq": "1.000"} if is_new else {}) | {"f": 5, "l": 7, "T": NOW_MS - 1, "m": is_sold}
    return compact({"stream": "btcusdt@aggTrade", "data": data | ({"st": 1} if is_new else {})})


def kline(start_ms: int, close: str = "100.5", *, is_closed: bool = True, interval: str = "1m", **changes) -> bytes:
    candle = {"t": start_ms, "T": start_ms + 59_999, "s": "BTCUSDT", "i": interval, "f": 100, "L": 200, "o": "100.0"}
    candle |= {"c": close, "h": "101.0", "l": "99.5", "v": "12.5", "n": 48, "x": is_closed, "q": "1256.2", "B": "0"}
    data = {"e": "kline", "E": NOW_MS, "s": "BTCUSDT", "k": candle | changes}
    return compact({"stream": f"btcusdt@kline_{interval}", "data": data})


def mark(rate: str = "0.00010000", next_ms: int = NOW_MS + 3_600_000, **changes) -> bytes:
    data = {"e": "markPriceUpdate", "E": NOW_MS, "s": "BTCUSDT", "p": "100.51234567", "ap": "100.51", "P": "100.40"}
    data |= {"i": "100.49000000", "r": rate, "T": next_ms, "st": 1}
    return compact({"stream": "btcusdt@markPrice@1s", "data": data | changes})


def liquidation(side: str = "SELL", **changes) -> bytes:
    order = {"s": "BTCUSDT", "S": side, "o": "LIMIT", "f": "IOC", "q": "0.020", "p": "99.00", "ap": "99.50"}
    order |= {"X": "FILLED", "l": "0.004", "z": "0.014", "T": NOW_MS - 2, "ps": "BTCUSDT", "st": 1}
    data = {"e": "forceOrder", "E": NOW_MS, "o": order | changes}
    return compact({"stream": "btcusdt@forceOrder", "data": data})


Levels = Sequence[tuple[str, str]]


def spot_partial(update: int, bids: Levels, asks: Levels, channel: str = "depth5@100ms") -> bytes:
    data = {"lastUpdateId": update, "bids": bids, "asks": asks}
    return compact({"stream": f"btcusdt@{channel}", "data": data})


def usdm_partial(update: int, bids: Levels, asks: Levels, channel: str = "depth20@100ms") -> bytes:
    data = {"e": "depthUpdate", "E": NOW_MS, "T": NOW_MS - 1, "s": "BTCUSDT", "ps": "BTCUSDT", "U": 1, "u": update}
    return compact({"stream": f"btcusdt@{channel}", "data": data | {"pu": 0, "b": bids, "a": asks, "st": 1}})


def spot_depth(
    first: int, last: int, bids: Levels = (("100.00", "1.0"),), asks: Levels = (), symbol: str = "BTCUSDT"
) -> bytes:
    data = {"e": "depthUpdate", "E": NOW_MS, "s": symbol, "U": first, "u": last, "b": bids, "a": asks}
    return compact({"stream": f"{symbol.lower()}@depth@100ms", "data": data})


def usdm_depth(first: int, last: int, previous: int, bids: Levels = (("100.0", "1.0"),), asks: Levels = ()) -> bytes:
    data = {"e": "depthUpdate", "E": NOW_MS, "T": NOW_MS - 1, "s": "BTCUSDT", "U": first, "u": last, "pu": previous}
    return compact({"stream": "btcusdt@depth@0ms", "data": data | {"b": bids, "a": asks}})


def snapshot(update: int, bids: Levels = (("99.00", "1.0"),), asks: Levels = (("101.00", "1.0"),)) -> bytes:
    return compact({"lastUpdateId": update, "bids": bids, "asks": asks})


def of_today(frame: bytes) -> bytes:
    """A frame of USD-M with what the venue has added in 2026: the pair behind the symbol, the type at the end."""
    if b'"e":"trade"' not in frame:
        frame = frame.replace(b'"s":"BTCUSDT"', b'"s":"BTCUSDT","ps":"BTCUSDT"')
    return frame[:-2] + b',"st":1}}'


def stamped(frame: bytes, stamp_ns: int) -> bytes:
    return frame[:-1] + f',"ns":{stamp_ns}}}'.encode()


def go_live(venue: Binance, ring: Ring, update: int, body: bytes | None = None) -> None:
    """Answer every wanted snapshot."""
    for request in venue.requests():
        venue.respond(request, 200, body or snapshot(update), NOW_NS, ring)


def rows(ring: Ring, start: int = 0) -> list[tuple[int, float, float, int, int]]:
    """Kind, a, b, id and flags of each event."""
    events = ring.events[start : ring.written]
    return [tuple(event[name].item() for name in ("kind", "a", "b", "id", "flags")) for event in events]


def states(ring: Ring, instrument: int = 0) -> list[BookState]:
    """The book states that were told, in order."""
    events = ring.events[: ring.written]
    links = events[(events["kind"] == Kind.LINK) & (events["instrument"] == instrument)]
    return [BookState(int(state)) for state in links["a"]]


def capture_lines(folder: Path, names: Sequence[str]) -> Iterator[tuple[int, bytes]]:
    for name in names:
        with gzip.open(folder / "wire" / "binance" / name) as file:
            for line in file:
                yield int(line[:19]), line[20:].rstrip()


CAPTURES = {"spot": (SPOT, SPOT_CAPTURES), "usdm": (USDM, USDM_CAPTURES)}


def np_events(data: bytes) -> np.ndarray:
    return np.frombuffer(data, EVENT)
