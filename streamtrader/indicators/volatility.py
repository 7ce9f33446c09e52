"""How far prices move: of candles (true range), of a series (log returns), and by the clock (diffusion)."""

from __future__ import annotations

import math

from streamtrader.indicators.averages import WilderAverage
from streamtrader.indicators.indicator import Indicator, above_zero
from streamtrader.indicators.window import ExactSum, Window
from streamtrader.units import NS_PER_S

LN_2 = math.log(2.0)


class Atr(Indicator):
    """Average true range of candles, Wilder-smoothed, in the price's unit, never negative (Wilder, 1978).

    The true range is the largest of high - low, |high - last close|, |low - last close|. The first candle has no
    last close, and two conventions are in use: StockCharts counts its high - low (`counts_first_range`, ready after
    `span` candles); TA-Lib leaves it out and starts a candle later.

    >>> atr = Atr(span=2)
    >>> [float(atr.update(*candle)) for candle in ((11.0, 10.0, 10.5), (12.5, 11.5, 12.0), (12.5, 11.5, 12.0))]
    [1.0, 1.5, 1.25]
    >>> atr = Atr(span=2, counts_first_range=False)
    >>> [float(atr.update(*candle)) for candle in ((11.0, 10.0, 10.5), (12.5, 11.5, 12.0), (12.5, 11.5, 12.0))]
    [0.0, 2.0, 1.5]
    """

    def __init__(self, span: int = 14, *, counts_first_range: bool = True) -> None:
        super().__init__()
        self.average = WilderAverage(span)
        self.last_close = math.nan
        self.counts_first_range = counts_first_range

    def update(self, high: float, low: float, close: float) -> float:
        if not (math.isfinite(high) and math.isfinite(low) and math.isfinite(close)):
            return self.value
        if math.isfinite(self.last_close):
            self.value = self.average.update(max(high, self.last_close) - min(low, self.last_close))
        elif self.counts_first_range:
            self.value = self.average.update(high - low)
        self.ready = self.average.ready
        self.last_close = close
        return self.value


class RealizedVolatility(Indicator):
    """Root mean square of the last `window` log returns: the volatility of one update, dimensionless, never negative.

    No mean is subtracted, as in realised variance (Andersen and Bollerslev, 1998): over short intervals the mean is
    far smaller than its own error. Times the square root of the updates in a year it is the annual figure. Ready
    after `window` returns, that is `window` + 1 prices; prices of zero and below are passed over.

    >>> volatility = RealizedVolatility(window=2)
    >>> [round(float(volatility.update(price)), 4) for price in (100.0, 101.0, 100.0, 100.0)]
    [0.0, 0.01, 0.01, 0.007]
    """

    def __init__(self, window: int = 30) -> None:
        super().__init__()
        self.window = Window(window)
        self.squares = ExactSum()
        self.last_price = math.nan

    def update(self, price: float) -> float:
        if not (math.isfinite(price) and price > 0.0):
            return self.value
        if math.isfinite(self.last_price):
            # The logarithm of the ratio: a difference of logarithms loses half the digits of a small return.
            change = math.log(price / self.last_price)
            leaving = self.window.push(change)
            self.squares.add(-leaving * leaving)
            self.squares.add(change * change)
            mean = self.squares.high / self.window.count
            self.value = math.sqrt(mean) if mean > 0.0 else 0.0
            self.ready = self.window.is_full()
        self.last_price = price
        return self.value


class Diffusion(Indicator):
    """The volatility of a Brownian motion that moves as the price does: in the price's unit per root of a second.

    The squared changes by the time they took, both with a weight that halves in `half_life_s` of the event clock, so
    that it does not matter how often the price is told. What bounces between bid and ask counts as movement: feed a
    middle. Ready once it was fed for a half-life; a clock that runs backwards stands still.

    >>> diffusion = Diffusion(half_life_s=2.0)
    >>> [round(float(diffusion.update(*told)), 3) for told in ((100.0, 0), (101.0, 10**9), (99.0, 2 * 10**9))]
    [0.0, 1.0, 1.661]
    """

    def __init__(self, half_life_s: float = 60.0) -> None:
        super().__init__()
        self.half_life_s = above_zero("half_life_s", half_life_s)
        self.last_price = math.nan
        self.last_ns = 0
        self.fed_s = 0.0
        self.squares = 0.0
        self.seconds = 0.0

    def update(self, price: float, now_ns: int) -> float:
        if not math.isfinite(price):
            return self.value
        if math.isfinite(self.last_price):
            passed_s = max(0, now_ns - self.last_ns) / NS_PER_S
            change = price - self.last_price
            kept = math.exp(-LN_2 * passed_s / self.half_life_s)
            self.squares = self.squares * kept + change * change
            self.seconds = self.seconds * kept + passed_s
            self.fed_s += passed_s
            if self.seconds > 0.0:
                self.value = math.sqrt(self.squares / self.seconds)
            self.ready = self.fed_s >= self.half_life_s
        self.last_ns = max(self.last_ns, now_ns)
        self.last_price = price
        return self.value
