"""Indicators of direction and strength."""

from __future__ import annotations

import math

from streamtrader.indicators.averages import WilderAverage
from streamtrader.indicators.indicator import Indicator


class Rsi(Indicator):
    """Relative strength index: the share of gains in recent movement, from 0 to 100 (Wilder, 1978).

    50, the neutral value, until `span` changes (`span` + 1 prices) were seen and for a series that never moves; the
    second differs from `TA_RSI`, which calls a flat series 0, the most oversold there is.

    >>> rsi = Rsi(span=2)
    >>> [float(rsi.update(price)) for price in (10.0, 11.0, 10.5, 10.5)]
    [50.0, 50.0, 66.66666666666666, 66.66666666666666]
    >>> bool(rsi.ready)
    True
    """

    def __init__(self, span: int = 14) -> None:
        super().__init__()
        self.gain = WilderAverage(span)
        self.loss = WilderAverage(span)
        self.last_price = math.nan
        self.value = 50.0

    def update(self, price: float) -> float:
        if not math.isfinite(price):
            return self.value
        if math.isfinite(self.last_price):
            self.observe(price - self.last_price)
        self.last_price = price
        return self.value

    def observe(self, change: float) -> None:
        gain = self.gain.update(max(change, 0.0))
        # Not -change: of 0.0 and -0.0 Python takes the first as the larger, machine code either.
        loss = self.loss.update(max(0.0 - change, 0.0))
        self.ready = self.gain.ready
        if self.ready:
            # Divided first: a share never exceeds 1, while 100 * gain / gain may be a little more than 100.
            self.value = 100.0 * (gain / (gain + loss)) if gain + loss > 0.0 else 50.0
