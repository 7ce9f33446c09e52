"""What one frame costs, from its bytes to committed rows of the ring. `python benchmarks/decode_frames.py`."""

import time
from decimal import Decimal

import numpy as np

from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.venues.binance import SPOT, Binance, compiled_scanner

TRADE = (
    b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1700000000001,"s":"BTCUSDT","t":%d,"p":"61837.63000000",'
    b'"q":"0.02000000","T":1700000000000,"m":true,"M":true}}'
)
QUOTE = (
    b'{"stream":"btcusdt@bookTicker","data":{"u":%d,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000",'
    b'"a":"61837.64000000","A":"1.54698000"}}'
)
DEPTH = (
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1700000000001,"s":"BTCUSDT","U":%d,"u":%d,'
    b'"b":[%s],"a":[%s]}}'
)
AGGREGATE = (
    b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1700000000001,"s":"BTCUSDT","a":%d,"p":"61837.63000000",'
    b'"q":"0.02000000","f":100,"l":105,"T":1700000000000,"m":true,"M":true}}'
)
FUTURES_DEPTH = (
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1700000000001,"T":1700000000000,"s":"BTCUSDT",'
    b'"ps":"BTCUSDT","U":%d,"u":%d,"pu":%d,"b":[%s],"a":[%s],"st":1}}'
)
LEVELS = b",".join(b'["61837.%02d000000","1.54698000"]' % number for number in range(10))
SNAPSHOT = b'{"lastUpdateId":0,"bids":[["61830.00","1.0"]],"asks":[["61840.00","1.0"]]}'
COUNT, REPEATS = 2_000, 15


def best_us(venue: Binance, ring: Ring, frames: list[bytes]) -> float:
    best = float("inf")
    for _ in range(REPEATS):
        ring.played = ring.taped = ring.written
        for book in venue._books:
            book.place[0] = book.place[1] = 0
        started = time.perf_counter()
        for frame in frames:
            venue.decode(frame, 5, ring)
        best = min(best, time.perf_counter() - started)
    return best / len(frames) * 1e6


def main() -> None:
    shapes = {
        "trade": [TRADE % number for number in range(COUNT)],
        "quote": [QUOTE % number for number in range(COUNT)],
        "aggregate trade": [AGGREGATE % number for number in range(COUNT)],
        "depth, 2 x 10 levels": [DEPTH % (number + 1, number + 1, LEVELS, LEVELS) for number in range(COUNT)],
        "USD-M, 2 x 10 levels": [
            FUTURES_DEPTH % (number + 1, number + 1, number, LEVELS, LEVELS) for number in range(COUNT)
        ],
    }
    listed = [Instrument("binance", "BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"))]
    for label, scanner in (("scanner", compiled_scanner()), ("slow path", None)):
        for shape, frames in shapes.items():
            venue, ring = Binance(listed, SPOT, scanner=scanner), Ring(1 << 16)
            venue.connected(5, ring)
            venue.respond(venue.requests()[0], 200, SNAPSHOT, 5, ring)
            took = best_us(venue, ring, frames)
            assert venue.counters.gaps == venue.counters.rejected == 0
            print(f"{label:10} {shape:22} {took:6.2f} us a frame")
    scanner, text = compiled_scanner(), np.frombuffer(TRADE, np.uint8)
    started = time.perf_counter()
    for _ in range(COUNT):
        scanner(text, venue._lengths, 0, ring.events, 1, venue._table, venue._places, venue._header)
    print(f"{'':10} {'an empty call':22} {(time.perf_counter() - started) / COUNT * 1e6:6.2f} us")


if __name__ == "__main__":
    main()
