"""Hold a position while the fast average is above the slow one."""

from __future__ import annotations

from streamtrader.events import Trade
from streamtrader.indicators import Ema
from streamtrader.kernel.broker import Broker
from streamtrader.strategies.strategy import Strategy


class EmaCross(Strategy):
    """Trend following at its simplest: an example, not advice. Spans in trades, `size` in the instrument's unit."""

    def __init__(self, fast_span: int = 12, slow_span: int = 26, size: float = 0.01) -> None:
        self.fast = Ema(fast_span)
        self.slow = Ema(slow_span)
        self.size = size

    def on_trade(self, trade: Trade, broker: Broker) -> None:
        if trade.is_volume_only:
            return
        fast = self.fast.update(trade.price)
        slow = self.slow.update(trade.price)
        if self.slow.ready:
            broker.hold(self.size if fast > slow else 0.0)
