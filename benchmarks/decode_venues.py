"""Our adapters on recorded frames, from bytes to rows of the ring; and msgspec alone, from bytes to typed objects.

`python -m benchmarks.decode_venues --venue okx [--bare]` prints one line of JSON.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from decimal import Decimal

import msgspec

from benchmarks.results import emit
from benchmarks.venue_frames import DEPTH, OTHER, TICKER, TRADE, WORDS, Case, Frame, load, timed
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.venues.binance import compiled_scanner
from streamtrader.venues.registry import listing_of
from streamtrader.venues.venue import Venue

KINDS = {"binance": "perpetual", "bybit": "perpetual"}
REFUSED = (ValueError, KeyError, TypeError, IndexError, AttributeError)


def instruments_of(case: Case, kind: str) -> list[Instrument]:
    """With the steps that the texts of the recording show: checksums are made of such texts."""
    listing, seen = listing_of(case.venue), {}
    for frame in case.frames:
        try:
            for sighting in listing.sightings(frame.text):
                if sighting.symbol:
                    places = seen.setdefault(sighting.symbol, [0, 0])
                    for texts in sighting.levels:
                        for index, text in enumerate(texts):
                            places[index] = max(places[index], len(text.partition(".")[2]))
        except REFUSED:
            continue
    steps = {symbol: [Decimal(1).scaleb(-places) for places in both] for symbol, both in seen.items()}
    return [Instrument(case.venue, symbol, *listing.split(symbol), *steps[symbol], kind=kind) for symbol in steps]


def ours(case: Case, found: list[Venue]) -> Callable[[], Callable[[Frame], object]]:
    listing = listing_of(case.venue)
    kind = KINDS.get(case.venue, listing.kinds[0])
    listed = instruments_of(case, kind)
    scanner = compiled_scanner() if case.venue == "binance" else None
    ring = Ring()

    def make() -> Callable[[Frame], object]:
        venue = listing.make_for_capture(listed, kind, scanner=scanner)
        found.append(venue)
        venue.connected(case.frames[0].received_ns, ring)
        decode = venue.decode

        def handle(frame: Frame) -> None:
            decode(frame.text, frame.received_ns, ring)
            ring.played = ring.taped = ring.written

        def first(frame: Frame) -> None:
            """A snapshot over REST is answered with the first frame of its symbol, as a session would."""
            decode(frame.text, frame.received_ns, ring)
            for request in venue.requests():
                body = next((body for url, body in case.answers.items() if f"symbol={request.symbol}&" in url), "")
                venue.respond(request, 200 if body else 0, body.encode(), frame.received_ns, ring)
            ring.played = ring.taped = ring.written

        return first if case.answers and case.venue == "binance" else handle

    return make


Level = tuple[float, float]


class OkxTrade(msgspec.Struct, gc=False, rename="camel"):
    px: float
    sz: float
    side: str
    trade_id: int
    ts: int


class OkxBook(msgspec.Struct, gc=False):
    asks: list[tuple[float, float, int, int]]
    bids: list[tuple[float, float, int, int]]
    ts: int
    checksum: int


class OkxTicker(msgspec.Struct, gc=False, rename="camel"):
    bid_px: float
    bid_sz: float
    ask_px: float
    ask_sz: float
    ts: int


class BinanceTrade(msgspec.Struct, gc=False):
    p: float
    q: float
    m: bool
    T: int
    a: int


class BinanceDepth(msgspec.Struct, gc=False):
    b: list[Level]
    a: list[Level]
    U: int
    u: int
    pu: int
    T: int


class BinanceTicker(msgspec.Struct, gc=False):
    b: float
    B: float
    a: float
    A: float
    u: int


class BybitTrade(msgspec.Struct, gc=False):
    p: float
    v: float
    S: str
    T: int


class BybitDepth(msgspec.Struct, gc=False):
    b: list[Level]
    a: list[Level]
    u: int


class BybitTicker(msgspec.Struct, gc=False, rename="camel"):
    symbol: str
    bid1_price: float | None = None
    ask1_price: float | None = None


class CoinbaseTrade(msgspec.Struct, gc=False):
    price: float
    size: float
    side: str
    trade_id: int
    time: str


class CoinbaseDepth(msgspec.Struct, gc=False):
    changes: list[tuple[str, float, float]]
    time: str


class CoinbaseTicker(msgspec.Struct, gc=False):
    best_bid: float = 0.0
    best_ask: float = 0.0
    time: str = ""


class KrakenLevel(msgspec.Struct, gc=False):
    price: float
    qty: float


class KrakenDepth(msgspec.Struct, gc=False):
    bids: list[KrakenLevel]
    asks: list[KrakenLevel]
    checksum: int


BARE: dict[str, dict[str, tuple[type, bool]]] = {  # what a frame carries, and whether in a list; below "data"
    "okx": {TRADE: (OkxTrade, True), DEPTH: (OkxBook, True), TICKER: (OkxTicker, True)},
    "binance": {TRADE: (BinanceTrade, False), DEPTH: (BinanceDepth, False), TICKER: (BinanceTicker, False)},
    "bybit": {TRADE: (BybitTrade, True), DEPTH: (BybitDepth, False), TICKER: (BybitTicker, False)},
    "kraken": {DEPTH: (KrakenDepth, True)},
}
FLAT = {TRADE: CoinbaseTrade, DEPTH: CoinbaseDepth, TICKER: CoinbaseTicker}


def bare(case: Case) -> Callable[[], Callable[[Frame], object]]:
    """A decoder that was told beforehand what a frame is: less than anybody can do with it."""
    decoders = {OTHER: len}
    for kind, (data, is_list) in BARE.get(case.venue, {}).items():
        envelope = msgspec.defstruct("Envelope", [("data", list[data] if is_list else data)], gc=False)
        decoders[kind] = msgspec.json.Decoder(envelope, strict=False).decode
    if case.venue == "coinbase-exchange":
        decoders |= {kind: msgspec.json.Decoder(data, strict=False).decode for kind, data in FLAT.items()}
    return lambda: lambda frame: decoders[frame.kind](frame.text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venue", choices=list(WORDS), required=True)
    parser.add_argument("--bare", action="store_true", help="msgspec alone")
    options = parser.parse_args()
    case, found = load(options.venue), []
    figures = timed(bare(case) if options.bare else ours(case, found), case)
    result = {"bench": "decode", "by": "msgspec" if options.bare else "streamtrader", "venue": options.venue}
    if found:
        counters = found[-1].counters
        assert counters.rejected == counters.faults == counters.gaps == counters.checksums_failed == 0, counters
        result["events"] = sum(counters.events().values())
    emit(result | {"us": figures})


if __name__ == "__main__":
    main()
