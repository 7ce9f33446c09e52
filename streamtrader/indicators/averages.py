"""Averages of one price series: simple, exponential, Wilder's."""

from __future__ import annotations

import math

from streamtrader.indicators.indicator import Indicator, whole_number
from streamtrader.indicators.window import ExactSum, Window


class Sma(Indicator):
    """Simple moving average: the mean of the last `window` prices, in the price's unit.

    Before it is ready: the mean of those there are. Equal to `TA_SMA` and to pandas `rolling(window).mean()`.

    >>> sma = Sma(window=3)
    >>> [float(sma.update(price)) for price in (1.0, 2.0, 6.0, 10.0)]
    [1.0, 1.5, 3.0, 6.0]
    """

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window = Window(window)
        self.total = ExactSum()

    def update(self, price: float) -> float:
        if not math.isfinite(price):
            return self.value
        self.total.add(-self.window.push(price))
        self.total.add(price)
        self.value = self.total.mean(self.window.count)
        self.ready = self.window.is_full()
        return self.value


class Ema(Indicator):
    """Exponential moving average with the weight 2 / (span + 1), in the price's unit.

    It begins with the first price (pandas `ewm(span=span, adjust=False)`), or, with `is_mean_seeded`, with the
    mean of the first `span` prices (`TA_EMA`). Ready after `span` prices in both.

    >>> ema = Ema(span=3)
    >>> [float(ema.update(price)) for price in (1.0, 2.0, 6.0)]
    [1.0, 1.5, 3.75]
    >>> ema = Ema(span=3, is_mean_seeded=True)
    >>> [float(ema.update(price)) for price in (1.0, 2.0, 6.0, 10.0)]
    [1.0, 1.5, 3.0, 6.5]
    """

    def __init__(self, span: int, *, is_mean_seeded: bool = False) -> None:
        super().__init__()
        self.span = whole_number("span", span)
        self.weight = 2.0 / (span + 1.0)
        self.seed_count = span if is_mean_seeded else 1
        self.count = 0

    def update(self, price: float) -> float:
        if not math.isfinite(price):
            return self.value
        self.count += 1
        if self.count <= self.seed_count:
            self.value += (price - self.value) / self.count
        else:
            self.value += self.weight * (price - self.value)
        self.ready = self.count >= self.span
        return self.value


class WilderAverage(Indicator):
    """Wilder's smoothing: the mean of the first `span` values, then each new one with the weight 1 / span.

    From "New Concepts in Technical Trading Systems" (1978), where RSI and ATR are built on it; others call it
    SMMA or RMA. Its memory is that of an `Ema` of 2 * span - 1.

    >>> average = WilderAverage(span=2)
    >>> [float(average.update(value)) for value in (1.0, 3.0, 4.0)]
    [1.0, 2.0, 3.0]
    """

    def __init__(self, span: int) -> None:
        super().__init__()
        self.span = whole_number("span", span)
        self.weight = 1.0 / span
        self.count = 0

    def update(self, value: float) -> float:
        if not math.isfinite(value):
            return self.value
        self.count += 1
        if self.count <= self.span:
            self.value += (value - self.value) / self.count
        else:
            self.value += self.weight * (value - self.value)
        self.ready = self.count >= self.span
        return self.value
