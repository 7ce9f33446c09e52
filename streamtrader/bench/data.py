"""The market data that every replay benchmark plays: seeded, so that all scripts play the same rows.

Needs NumPy only, because it is imported in the rivals' environments too. `fingerprint` goes into every result, and
`run_peers` refuses to set two results side by side that did not play the same data.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FIRST_NS = 1_704_067_200_000_000_000  # 2024-01-01
ROWS_PER_TICK = 3
TOUCH_SIZE = 10.0
ORDER_SIZE = 0.01
FEE_RATE = 0.001
FAST_SPAN, SLOW_SPAN = 12, 26

Integers = NDArray[np.int64]


class Ticks(NamedTuple):
    """Trades, each with the touch that it happened at: the best bid one cent below it, the best ask at its price."""

    ns: Integers
    price_cents: Integers
    size_thousandths: Integers
    is_buy: Integers


class Rows(NamedTuple):
    """Changes of single levels of a book; size 0 removes the level."""

    ns: Integers
    is_bid: Integers
    price_cents: Integers
    size_thousandths: Integers


def make_ticks(count: int, seed: int = 42) -> Ticks:
    """A random walk in cents, with exponential gaps of 20 ms on average."""
    random = np.random.default_rng(seed)
    ns = FIRST_NS + np.cumsum(random.exponential(20e6, count).astype(np.int64) + 1000)
    steps = np.rint(random.normal(0.0, 50.0, count)).astype(np.int64)
    price_cents = np.maximum(5_000_000 + np.cumsum(steps), 100_000)
    size_thousandths = random.integers(1, 2000, count)
    is_buy = random.integers(0, 2, count)
    return Ticks(ns, price_cents, size_thousandths, is_buy)


def make_rows(count: int, seed: int = 43, levels: int = 200) -> Rows:
    """Levels at geometric distances around a middle that moves by ten cents on one row in fifty."""
    random = np.random.default_rng(seed)
    ns = FIRST_NS + np.cumsum(random.exponential(2e6, count).astype(np.int64) + 1000)
    moves = np.where(random.random(count) < 0.02, random.integers(-1, 2, count), 0)
    middle_cents = 5_000_000 + np.cumsum(moves) * 10
    is_bid = random.integers(0, 2, count)
    distance = np.minimum(random.geometric(0.08, count), levels) * 10
    price_cents = np.where(is_bid == 1, middle_cents - distance, middle_cents + distance)
    size_thousandths = np.where(random.random(count) < 0.3, 0, random.integers(1, 5000, count))
    return Rows(ns, is_bid, price_cents, size_thousandths)


def fingerprint(data: Ticks | Rows) -> str:
    """Eight hexadecimal digits over every byte of the data."""
    checksum = 0
    for column in data:
        checksum = zlib.crc32(np.ascontiguousarray(column).data, checksum)
    return f"{checksum:08x}"
