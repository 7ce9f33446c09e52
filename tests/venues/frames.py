"""Frames as the venue shapes them, adapters to play them to, and the recorded captures."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np

from streamtrader.events import EVENT, BookState, Kind
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.venues.binance import SPOT, USDM, Binance, Market, compiled_scanner

SPOT_CAPTURES = ("spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz")
USDM_CAPTURES = ("usdm_btcusdt_20240808.gz",)
NOW_NS = 1_700_000_000_000_000_000
NOW_MS = NOW_NS // 1_000_000


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


Levels = Sequence[tuple[str, str]]


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
