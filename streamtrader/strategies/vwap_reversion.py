"""Trade against the distance between price and session VWAP, when it is unusual and the market is calm."""

from __future__ import annotations

from streamtrader.errors import ConfigError
from streamtrader.events import Trade
from streamtrader.indicators import RealizedVolatility, SessionVwap, ZScore
from streamtrader.kernel.broker import Broker
from streamtrader.strategies.strategy import Strategy


class VwapReversion(Strategy):
    """Mean reversion with hysteresis: in at `entry_score`, out at `exit_score`. An example, not advice.

    The score is that of price - VWAP among its last `window` values (trades). Two thresholds, so that noise around one
    does not buy and sell for ever. No entry while the volatility of the last `volatility_window` trades is above
    `volatility_limit_bps` (hundredths of a per cent a trade): a runaway market is not a stretched one. Leaving is always
    allowed. `size` is in the instrument's unit; the session is a UTC day that begins `session_offset_ns` late.
    """

    def __init__(
        self,
        *,
        window: int = 50,
        entry_score: float = 2.0,
        exit_score: float = 0.5,
        volatility_window: int = 30,
        volatility_limit_bps: float = 1.0,
        size: float = 0.01,
        session_offset_ns: int = 0,
    ) -> None:
        if not 0.0 <= exit_score < entry_score:
            raise ConfigError(f"exit_score must lie from 0 to entry_score {entry_score}, not at {exit_score}")
        self.vwap = SessionVwap(offset_ns=session_offset_ns)
        self.score = ZScore(window)
        self.volatility = RealizedVolatility(volatility_window)
        self.entry_score = entry_score
        self.exit_score = exit_score
        self.volatility_limit = volatility_limit_bps * 1e-4
        self.size = size
        self.direction = 0  # what is wanted: 1 long, -1 short, 0 nothing

    def on_trade(self, trade: Trade, broker: Broker) -> None:
        if trade.is_volume_only:
            return
        vwap = self.vwap.update(trade.price, trade.size, trade.received_ns)
        score = self.score.update(trade.price - vwap)
        volatility = self.volatility.update(trade.price)
        if not (self.score.ready and self.volatility.ready):
            return
        self.direction = self.wanted(score, is_calm=volatility <= self.volatility_limit)
        broker.hold(self.direction * self.size)

    def wanted(self, score: float, is_calm: bool) -> int:
        """Keep the direction until the score has come back; a new one needs a calm market."""
        if self.direction > 0 and score < -self.exit_score:
            return 1
        if self.direction < 0 and score > self.exit_score:
            return -1
        if is_calm and score <= -self.entry_score:
            return 1
        if is_calm and score >= self.entry_score:
            return -1
        return 0
