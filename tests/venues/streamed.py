"""What the tests of all venues use: adapters from the registry, recorded frames, and what every event must be like."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import zstandard

from streamtrader.events import MORE, BookState, Kind, TradingStatus
from streamtrader.instruments import BELIEVED, Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.units import ABSURD_VOLUME
from streamtrader.venues.registry import listing_of
from streamtrader.venues.venue import Venue

NOW_NS = 1_700_000_000_000_000_000
STEPS = (Decimal("0.00000001"), Decimal("0.00000001"))


def instruments_of(name: str, symbols: Sequence[str], kind: str = "", steps=STEPS) -> list[Instrument]:
    listing = listing_of(name)
    return [
        Instrument(name, symbol, *listing.split(symbol), *steps, kind=kind or listing.kinds[0]) for symbol in symbols
    ]


def venue_of(name: str, *symbols: str, kind: str = "", steps=STEPS, has_books: bool = True) -> Venue:
    """An adapter that reads everything a capture may hold."""
    listing = listing_of(name)
    kind = kind or listing.kinds[0]
    return listing.make_for_capture(instruments_of(name, symbols, kind, steps), kind, has_books=has_books)


def ring_of(venue: Venue, slots: int = 1 << 15) -> Ring:
    """A ring to which the venue is connected."""
    ring = Ring(slots)
    venue.connected(NOW_NS, ring)
    return ring


def rows(ring: Ring, start: int = 0) -> list[tuple]:
    """Kind, side, a, b and flags of each event."""
    events = ring.events[start : ring.written]
    return [tuple(event[name].item() for name in ("kind", "side", "a", "b", "flags")) for event in events]


def states(ring: Ring, instrument: int = 0, start: int = 0) -> list[BookState]:
    """The book states that were told, in order."""
    events = ring.events[start : ring.written]
    links = events[(events["kind"] == Kind.LINK) & (events["instrument"] == instrument)]
    return [BookState(int(state)) for state in links["a"]]


def cbcap_frames(path: Path) -> Iterator[tuple[int, bytes]]:
    """Clock and bytes of each frame, read without the code under test."""
    content = path.read_bytes()
    at = content.index(b"\n") + 1
    while at < len(content):
        end = content.index(b"\n", at)
        clock, length = map(int, content[at:end].split())
        yield clock, content[end + 1 : end + 1 + length]
        at = end + 2 + length


def cryptofeed_frames(path: Path, connection: str = "") -> Iterator[tuple[int, bytes]]:
    """Clock and bytes of each frame received on one connection, or on all of them in the order of the file."""
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
        lines = reader.read().splitlines()
    for line in lines:
        record = json.loads(line)
        if record["t"] == "recv" and connection in ("", record["conn"]):
            yield int(record["ts"] * 1e9), record["data"].encode()


NUMBERED = {
    Kind.TRADE: "ab",
    Kind.QUOTE: "abcd",
    Kind.BOOK: "a",
    Kind.CANDLE: "abcd",
    Kind.MARK: "a",
    Kind.LIQUIDATION: "ab",
}
ZERO_ALLOWED = {Kind.BOOK: "b", Kind.MARK: "b", Kind.CORRECTION: "b"}
CODES = {Kind.LINK: {int(state) for state in BookState}, Kind.STATUS: {int(status) for status in TradingStatus}}


def is_size(kind: int, word: str) -> int:
    """1 for the word of a size, 0 for that of a price."""
    return int(word in "bd" and kind not in (Kind.CANDLE, Kind.MARK))


def is_sane(ring: Ring, start: int, venue: Venue | None = None) -> None:
    """Every row from `start` on can be true, fits the ticks and lots of the venue's instruments, and its message is whole."""
    events = np.concatenate(ring.slices(start, ring.written)) if ring.written > start else ring.events[:0]
    if not len(events):
        return
    assert not events[-1]["flags"] & MORE
    most = [each.most for each in venue.instruments] if venue else [BELIEVED] * (1 + events["instrument"].max())
    assert np.all(events["instrument"] < len(most))
    assert np.all(events["side"] <= 1)
    assert np.all((events["venue_ns"] >= 0) & (events["received_ns"] >= 0))
    for word in "abcd":
        assert np.all(np.isfinite(events[word]))
    for kind in np.unique(events["kind"]).tolist():
        chosen = events[events["kind"] == kind]
        is_counted = kind in (Kind.TRADE, Kind.QUOTE, Kind.BOOK)
        limits = np.array(most if is_counted else [BELIEVED] * len(most))[chosen["instrument"]].T
        for word in NUMBERED.get(kind, ""):
            assert np.all((chosen[word] > 0) & (chosen[word] <= limits[is_size(kind, word)])), (Kind(kind), word)
        for word in ZERO_ALLOWED.get(kind, ""):
            assert np.all((chosen[word] >= 0) & (chosen[word] <= limits[is_size(kind, word)])), (Kind(kind), word)
        if kind in CODES:
            assert {int(code) for code in chosen["a"]} <= CODES[kind]
        if kind == Kind.CANDLE:
            volumes = chosen["id"].view(np.float64)
            assert np.all((volumes >= 0) & (volumes <= ABSURD_VOLUME))
            assert np.all((chosen["b"] >= chosen["c"]) & (chosen["b"] >= chosen["a"]) & (chosen["b"] >= chosen["d"]))
        elif kind in (Kind.TRADE, Kind.QUOTE, Kind.LIQUIDATION, Kind.MARK):
            assert np.all(chosen["id"] >= 0)
