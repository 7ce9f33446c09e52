"""A strategy in plain Python: anything goes, at the price of about 40 us each time that it is woken.

What a `PythonStrategy` may do: use any library, any object, any amount of memory. What it must not: read a clock, draw
unseeded random numbers, or look at anything but what its handlers are given, because a replay of the tape must make it
decide the same again. It is woken only for the events that it has methods for, so one that lives on candles costs
a replay of ticks next to nothing.
"""

from __future__ import annotations

from collections import deque

from streamtrader.errors import ConfigError
from streamtrader.events import Candle
from streamtrader.kernel.broker import Broker
from streamtrader.strategies.strategy import PythonStrategy


class CandleMomentum(PythonStrategy):
    """Hold `size` while the close is above that of `lookback` candles ago by `threshold_bps`. An example, not advice."""

    def __init__(self, lookback: int = 5, threshold_bps: float = 1.0, size: float = 0.01) -> None:
        if lookback < 1:
            raise ConfigError(f"lookback must be at least one candle, not {lookback}")
        self.closes: deque[float] = deque(maxlen=lookback + 1)
        self.threshold = threshold_bps * 1e-4
        self.size = size

    def on_candle(self, candle: Candle, broker: Broker) -> None:
        self.closes.append(float(candle.close))
        if len(self.closes) == self.closes.maxlen:
            change = self.closes[-1] / self.closes[0] - 1.0
            broker.hold(self.size if change > self.threshold else 0.0)
