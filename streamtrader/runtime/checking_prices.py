"""Prices that no neighbour believes.

A price is an outlier when it lies further than ten mean absolute deviations plus `GRANULARITY` from the nearest of
three medians: of the 25 prices before and the 25 after it, of the 50 before, of the 50 after. The centred one, itself
left out, is rule Q4 of Barndorff-Nielsen, Hansen, Lunde and Shephard, "Realized kernels in practice: trades and
quotes" (Econometrics Journal 12, 2009); the two to its sides let real jumps pass (R package highfrequency, type
"advanced"); the granularity, without which any move out of a flat stretch would count, is of Brownlees and Gallo,
"Financial econometric analysis at ultra-high frequency" (Computational Statistics & Data Analysis 51, 2006).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamtrader.events import Kind
from streamtrader.runtime.checking_findings import Chunk, Findings, Mask

NEIGHBOURS = 50
HALF = NEIGHBOURS // 2
DEVIATIONS = 10.0
GRANULARITY = 0.001  # of the price: 10 bps
ROWS_AT_ONCE = 1 << 14  # windows that are sorted at once: 6 MiB
KEPT = ("number", "received_ns", "instrument", "kind", "a", "c")
Prices = np.ndarray[Any, np.dtype[np.float64]]


def outliers(prices: Prices) -> Mask:
    """Which of the prices stand alone; the first and last 50 have too few neighbours to be judged."""
    is_outlier = np.zeros(len(prices), np.bool_)
    for start in range(NEIGHBOURS, len(prices) - NEIGHBOURS, ROWS_AT_ONCE):
        stop = min(start + ROWS_AT_ONCE, len(prices) - NEIGHBOURS)
        rows = start + np.flatnonzero(_ranges(prices[start - NEIGHBOURS : stop + NEIGHBOURS]) > GRANULARITY)
        if len(rows):
            is_outlier[rows] = _stands_alone(prices, rows)
    return is_outlier


def _ranges(prices: Prices) -> Prices:
    """How far the prices of each window of 101 are apart, as a fraction: no price can be further from a median."""
    high, low, width, wanted = prices, prices, 1, 2 * NEIGHBOURS + 1
    while width * 2 <= wanted:
        high = np.maximum(high[:-width], high[width:])
        low = np.minimum(low[:-width], low[width:])
        width *= 2
    rest = wanted - width
    found: Prices = np.maximum(high[:-rest], high[rest:]) / np.minimum(low[:-rest], low[rest:]) - 1.0
    return found


def _stands_alone(prices: Prices, rows: np.ndarray[Any, np.dtype[np.int64]]) -> Mask:
    windows = np.lib.stride_tricks.sliding_window_view(prices, NEIGHBOURS)
    own = prices[rows]
    around = np.concatenate((windows[rows - NEIGHBOURS][:, HALF:], windows[rows + 1][:, :HALF]), axis=1)
    middle = np.median(around, axis=1)
    deviation = np.abs(around - middle[:, None]).mean(axis=1)
    distance = np.abs(own - middle)
    is_far = distance > DEVIATIONS * deviation + GRANULARITY * middle
    far = rows[is_far]
    for first in (far - NEIGHBOURS, far + 1):  # only the few that are left are held against the two others
        distance[is_far] = np.minimum(distance[is_far], np.abs(prices[far] - np.median(windows[first], axis=1)))
    found: Mask = distance > DEVIATIONS * deviation + GRANULARITY * middle
    return found


class OutlierCheck:
    """The prices of the trades, or the middles of the quotes, of one instrument."""

    def __init__(self) -> None:
        self._rows: list[Chunk] = []  # the last 50 are not judged yet, and need the 50 before them

    def take(self, rows: Chunk, findings: Findings) -> None:
        """Rows of one kind, in order."""
        self._rows.append(Chunk.joined(rows, columns=KEPT))
        if sum(map(len, self._rows)) <= 2 * NEIGHBOURS:
            return  # none of them has its neighbours yet
        held = Chunk.joined(*self._rows, columns=KEPT)
        prices = _prices_of(held)
        is_price = np.isfinite(prices) & (prices > 0.0)
        if held.kind[:1] == Kind.TRADE:
            is_price &= held.c == 0.0  # else its price says nothing of the moment
        if not is_price.all():
            held, prices = held[is_price], prices[is_price]
        findings.mark("price_outlier", outliers(prices), held)
        self._rows = [Chunk.joined(held[max(len(held) - 2 * NEIGHBOURS, 0) :], columns=KEPT)]


def _prices_of(rows: Chunk) -> Prices:
    if rows.kind[:1] == Kind.QUOTE:
        middles: Prices = np.where((rows.a > 0.0) & (rows.c > 0.0), (rows.a + rows.c) / 2.0, np.nan)
        return middles
    return rows.a
