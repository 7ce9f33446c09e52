"""A seeded synthetic market: zero-intelligence flow whose statistics are fitted to a real capture.

Limit orders, cancels and market orders without any intention (`order_flow.py`), market orders exciting themselves
(`hawkes.py`), price-time matching (`order_book.py`). Fitted to 650 s of spot BTCUSDT of August 2024, one of a busy
evening; measured alike on both, the model over 400 s with seeds 1 to 3:

    figure                                 capture      model        tested band
    best quotes, trades, depth a second    113 31 10    109 27 10    90-130, 18-40, 9.9-10.1
    market orders a second, fills each     11.0  2.8    10.8  2.5    7-16, 2-3.2
    time with a spread of one tick         99.3 %       99.4 %       98.5-99.8 %
    size at a touch, median, BTC           1.14         0.87         0.5-1.8
    levels in a depth message              46           38           30-50
    trade size, median and mean, BTC       .0007 .022   .0018 .021   .0005-.003, .012-.032
    market order size, 90 % below, BTC     0.10         0.078        0.05-0.13
    time between orders: deviation / mean  1.74         2.04         1.5-2.4
    orders within 10 ms of the last        38 %         41 %         30-50 %
    orders in a second: variance / mean    11.9         6.8          3.5-16
    correlation of neighbouring sides      0.41         0.43         0.3-0.55
    deviation of 1 s and 10 s returns, bps 1.25 4.2     1.10 4.7     0.7-1.9, 2.2-8

What it does not have: the smallest trades are too rare, bursts over many seconds too mild, half of the capture's
seconds leave the price where it was (here a sixth do), the day has no shape, and symbols move independently.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import itemgetter

from streamtrader.errors import ConfigError
from streamtrader.exchange.flow import Flow
from streamtrader.exchange.market import Frame, MarketKind
from streamtrader.exchange.order_flow import SymbolFlow
from streamtrader.exchange.rules import split_symbol, venue_instrument
from streamtrader.instruments import Instrument
from streamtrader.units import NS_PER_S

START_NS = 1_767_571_200 * NS_PER_S  # 2026-01-05T00:00:00Z, a Monday: fixed, so that sessions repeat exactly
UNSEEN_S = 3  # played before the first frame, so that the book has forgotten how it was made
BLOCK_NS = NS_PER_S
SYMBOLS_LIMIT = 200
# First price and the decimals of tick and lot, as the venue has them for these against a dollar; others are made up
# from their name.
_KNOWN = {
    "BTC": (91_204.10, 2, 5),
    "ETH": (3_011.42, 2, 4),
    "BNB": (872.35, 2, 3),
    "SOL": (137.16, 2, 3),
}
_DOLLARS = ("USDT", "USDC", "USD")


class SyntheticMarket:
    """Endless frames of any number of symbols; the same seed and symbols give the same bytes."""

    kind: MarketKind = "spot"
    name = "synthetic"
    frames_total: int | None = None
    skipped_lines = 0
    start_ns = START_NS

    def __init__(self, symbols: Sequence[str], *, seed: int, flow: Flow | None = None) -> None:
        names = list(dict.fromkeys(symbols))
        if not 0 < len(names) <= SYMBOLS_LIMIT or not all(name.isascii() and name.isalnum() for name in names):
            raise ConfigError(f"symbols must be 1 to {SYMBOLS_LIMIT} names of letters and digits, not {names[:5]}")
        if seed < 0:
            raise ConfigError(f"seed must not be negative, not {seed}")
        self.seed: int | None = seed
        self.instruments: dict[str, Instrument] = {}
        self._flows: list[SymbolFlow] = []
        for name in names:
            price, price_places, size_places = _known(name) or _made_up(name)
            self.instruments[name] = venue_instrument(name, "spot", price_places, size_places)
            self._flows.append(
                SymbolFlow(
                    name,
                    seed=seed,
                    start_ticks=int(price * 10**price_places),
                    ticks_per_unit=10**price_places,
                    lots_per_unit=10**size_places,
                    flow=flow or Flow(),
                )
            )
        for symbol_flow in self._flows:
            symbol_flow.play(START_NS - UNSEEN_S * NS_PER_S, START_NS)
        self._openings = {symbol_flow.symbol: symbol_flow.snapshot() for symbol_flow in self._flows}

    def opening_book(self, symbol: str) -> bytes | None:
        return self._openings[symbol]

    def has_snapshot_after(self, symbol: str, stamp_ns: int) -> bool:
        return False

    def frames(self) -> Iterator[list[Frame]]:
        """Second by second; symbols are drawn independently and merged by stamp. To be called once."""
        start_ns, last_ns = START_NS, START_NS
        while True:
            stop_ns = start_ns + BLOCK_NS
            block = sorted(
                chain.from_iterable(flow.play(start_ns, stop_ns) for flow in self._flows), key=itemgetter(0)
            )
            for index, frame in enumerate(block):
                if frame.stamp_ns > last_ns:
                    last_ns = frame.stamp_ns
                else:
                    last_ns += 1
                    block[index] = frame._replace(stamp_ns=last_ns)
            yield block
            start_ns = stop_ns


def _known(symbol: str) -> tuple[float, int, int] | None:
    return next((_KNOWN.get(symbol.removesuffix(dollar)) for dollar in _DOLLARS if symbol.endswith(dollar)), None)


def _made_up(symbol: str) -> tuple[float, int, int]:
    """A price between 0.2 and 400, with about five digits, told by the name alone; 20 to 400 and cents for a stock."""
    if split_symbol(symbol)[0] == symbol:
        return 20.0 * 20.0 ** (zlib.crc32(symbol.encode()) / 2**32), 2, 2
    price = 0.2 * 2000.0 ** (zlib.crc32(symbol.encode()) / 2**32)
    price_places = 2 if price > 50 else 3 if price > 5 else 4
    return price, price_places, 2 if price > 5 else 1
