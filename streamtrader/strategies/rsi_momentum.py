"""Go with the relative strength index once it has confirmed itself for some candles."""

from __future__ import annotations

from streamtrader.errors import ConfigError
from streamtrader.events import Candle
from streamtrader.indicators import Rsi
from streamtrader.indicators.indicator import whole_number
from streamtrader.kernel.broker import Broker
from streamtrader.strategies.strategy import Strategy


class RsiMomentum(Strategy):
    """Long after `confirmations` closes with an RSI at `upper` or above, out when it falls below `middle`.

    With `is_shorting` the mirror image as well: short at 100 - `upper`, out above 100 - `middle`. Strength is followed
    here, not faded: an RSI of 60 says that gains prevail. `span` and `confirmations` in candles, `size` in the
    instrument's unit; the engine must be set to build candles. An example, not advice.
    """

    def __init__(
        self,
        *,
        span: int = 14,
        upper: float = 60.0,
        middle: float = 50.0,
        confirmations: int = 2,
        is_shorting: bool = False,
        size: float = 0.01,
    ) -> None:
        if not 50.0 <= middle < upper <= 100.0:
            raise ConfigError(f"50 <= middle < upper <= 100 must hold, not middle {middle} and upper {upper}")
        self.rsi = Rsi(span)
        self.upper = upper
        self.middle = middle
        self.confirmations = whole_number("confirmations", confirmations)
        self.is_shorting = is_shorting
        self.size = size
        self.high_count = 0  # candles in a row that spoke for going long
        self.low_count = 0
        self.direction = 0

    def on_candle(self, candle: Candle, broker: Broker) -> None:
        strength = self.rsi.update(candle.close)
        if not self.rsi.ready:
            return
        self.high_count = self.high_count + 1 if strength >= self.upper else 0
        self.low_count = self.low_count + 1 if strength <= 100.0 - self.upper else 0
        if (self.direction > 0 and strength < self.middle) or (self.direction < 0 and strength > 100.0 - self.middle):
            self.direction = 0
        if self.high_count >= self.confirmations:
            self.direction = 1
        elif self.low_count >= self.confirmations:
            self.direction = -1 if self.is_shorting else 0
        broker.hold(self.direction * self.size)
