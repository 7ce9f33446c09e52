"""Rolling statistics of any series."""

from __future__ import annotations

import math

from streamtrader.indicators.indicator import Indicator
from streamtrader.indicators.window import ExactSum, Window, two_product

# Below this share of the mean a deviation is rounding, not movement.
_NO_DEVIATION = 1e-13


class ZScore(Indicator):
    """How many deviations a value lies from the mean of the last `window` values, itself among them.

    `mean` and `deviation` (population: divided by `window`, as in Bollinger bands and `TA_STDDEV`; pandas divides
    by one less unless `ddof=0`) are in the value's unit, the score has none and stays within sqrt(window - 1). It is 0
    until it is ready and while the window is flat.

    >>> score = ZScore(window=4)
    >>> [round(float(score.update(value)), 4) for value in (1.0, 1.0, 1.0, 5.0)]
    [0.0, 0.0, 0.0, 1.7321]
    >>> float(score.mean), round(float(score.deviation), 4)
    (2.0, 1.7321)
    """

    def __init__(self, window: int = 50) -> None:
        super().__init__()
        self.window = Window(window)
        self.total = ExactSum()
        self.squares = ExactSum()
        self.mean = 0.0
        self.deviation = 0.0

    def update(self, value: float) -> float:
        if not math.isfinite(value):
            return self.value
        leaving = self.window.push(value)
        self.total.add(-leaving)
        self.total.add(value)
        self.squares.add_product(-leaving, leaving)
        self.squares.add_product(value, value)
        self.mean = self.total.mean(self.window.count)
        self.deviation = self.deviation_about(self.mean)
        self.ready = self.window.is_full()
        has_score = self.ready and self.deviation > 0.0
        self.value = (value - self.mean) / self.deviation if has_score else 0.0
        return self.value

    def deviation_about(self, mean: float) -> float:
        """Sum of (x - mean)^2 as squares - 2 mean total + count mean^2: terms of 1e10 whose difference may be 1e-4.

        Therefore each product is kept in full; in plain doubles no digit would remain.
        """
        count = float(self.window.count)
        high, low = self.squares.high, self.squares.low
        for first, second in ((-2.0 * mean, self.total.high), (-2.0 * mean, self.total.low)):
            product, lost = two_product(first, second)
            high, low = _added(high, low, product, lost)
        square, lost = two_product(mean, mean)
        product, lost_again = two_product(count, square)
        high, low = _added(high, low, product, lost_again + count * lost)
        variance = high / count
        if not variance > 0.0:
            return 0.0
        deviation = math.sqrt(variance)
        return deviation if deviation > _NO_DEVIATION * abs(mean) else 0.0


def _added(high: float, low: float, product: float, lost: float) -> tuple[float, float]:
    """A sum of 106 bits and another number of 106 bits."""
    total = high + product
    part = total - high
    rest = (high - (total - part)) + (product - part) + low + lost
    return total + rest, rest - ((total + rest) - total)
