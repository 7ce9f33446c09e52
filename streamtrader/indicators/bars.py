"""Candles that a strategy builds from trades: by number of trades, by volume, by value, by imbalance, by venue time.

A strategy owns one as it owns an indicator and asks it in `on_trade`; nothing of it enters the engine's loop unless a
strategy uses it. `update(trade)` is True when a candle has just closed: it is in `bar` until the next one closes.

    def on_trade(self, trade, broker):
        if self.bars.update(trade):
            self.average.update(self.bars.bar.close)

Trades are whole: the one that reaches a threshold belongs to the candle that it closes, and the next candle begins at
nothing. Sums are kept in 106 bits, so that ten trades of 0.1 make a volume of 1. A trade that counts as volume only moves
no price of its candle; before the first price it is left out. Sampling by what was traded instead
of by the clock: Lopez de Prado, "Advances in Financial Machine Learning" (2018), chapter 2.3.

The engine's own candles (`candles.interval_s`, `kernel/candles.py`) run on the received clock instead: they close on
time in a silent market, an interval without a trade gives a flat candle of volume 0, and no trade is ever late.
"""

from __future__ import annotations

import math

from streamtrader.errors import ConfigError
from streamtrader.events import BUY, Trade
from streamtrader.indicators.indicator import above_zero, whole_number
from streamtrader.indicators.window import ExactSum
from streamtrader.kernel.record import Record, int64
from streamtrader.units import NS_PER_S

TRADES, VOLUME, VALUE = 0, 1, 2  # what an imbalance is measured in
UNITS = {"trades": TRADES, "volume": VOLUME, "value": VALUE}


class Bar(Record):
    """One candle. `value` is in quote currency; `start_ns` and `end_ns` are the received clocks of its first and last
    trade, but for candles by time: there they are the interval's edges on the venue's clock.
    """

    def __init__(self) -> None:
        self.start_ns = 0
        self.end_ns = 0
        self.open = 0.0
        self.high = 0.0
        self.low = 0.0
        self.close = 0.0
        self.volume = 0.0
        self.buy_volume = 0.0  # of it, what buyers took
        self.value = 0.0
        self.trade_count = 0


class Bars(Record):
    """The candle in the making and the last one that closed; a subclass says in `is_full` when it closes."""

    def __init__(self) -> None:
        self.bar = Bar()
        self.count = 0  # candles closed so far
        self.start_ns = 0
        self.end_ns = 0
        self.open = 0.0
        self.high = 0.0
        self.low = 0.0
        self.close = 0.0
        self.trade_count = 0
        self.priced_count = 0  # of them, those that may move the price
        self.volume = ExactSum()
        self.buy_volume = ExactSum()
        self.value = ExactSum()

    def update(self, trade: Trade) -> bool:
        """Add a trade; True where it closed a candle."""
        if not self.take(trade) or not self.is_full():
            return False
        self.finish()
        return True

    def is_full(self) -> bool:
        """Whether the trade that was just added closes the candle."""
        return False

    def take(self, trade: Trade) -> bool:
        """Add a trade; False where it does not count, and nothing was added."""
        if not self.counts(trade):
            return False
        price, size = trade.price, trade.size
        if self.trade_count == 0:
            self.start_ns = trade.received_ns
            self.priced_count = 0
            self.begin_at(self.close)
        self.end_ns = trade.received_ns
        if trade.is_volume_only == 0.0:
            if self.priced_count == 0:
                self.begin_at(price)
            self.priced_count += 1
            self.high = max(self.high, price)
            self.low = min(self.low, price)
            self.close = price
        self.trade_count += 1
        self.volume.add(size)
        self.value.add_product(price, size)
        if trade.side == BUY:
            self.buy_volume.add(size)
        return True

    def counts(self, trade: Trade) -> bool:
        """Whether its price and size are numbers above zero, and a price is known by then."""
        is_number = 0.0 < trade.price < math.inf and 0.0 < trade.size < math.inf
        return is_number and (trade.is_volume_only == 0.0 or self.close > 0.0)

    def begin_at(self, price: float) -> None:
        self.open = price
        self.high = price
        self.low = price

    def finish(self) -> None:
        """Close the candle in the making and begin another."""
        bar = self.bar
        bar.start_ns = self.start_ns
        bar.end_ns = self.end_ns
        bar.open = self.open
        bar.high = self.high
        bar.low = self.low
        bar.close = self.close
        bar.volume = self.volume.high
        bar.buy_volume = self.buy_volume.high
        bar.value = self.value.high
        bar.trade_count = self.trade_count
        self.trade_count = 0
        self.volume.clear()
        self.buy_volume.clear()
        self.value.clear()
        self.count += 1


class TickBars(Bars):
    """A candle every `trades` trades."""

    def __init__(self, trades: int = 100) -> None:
        super().__init__()
        self.trades = whole_number("trades", trades)

    def is_full(self) -> bool:
        return self.trade_count >= self.trades


class VolumeBars(Bars):
    """A candle as soon as at least `size` was traded, in the instrument's unit."""

    def __init__(self, size: float = 1.0) -> None:
        super().__init__()
        self.threshold = above_zero("size", size)

    def is_full(self) -> bool:
        return not self.volume.high < self.threshold  # a sum that is no number any more closes it too


class ValueBars(Bars):
    """A candle as soon as trades of at least `value` were made, in quote currency ("dollar bars")."""

    def __init__(self, value: float = 100_000.0) -> None:
        super().__init__()
        self.threshold = above_zero("value", value)

    def is_full(self) -> bool:
        return not self.value.high < self.threshold  # a sum that is no number any more closes it too


class ImbalanceBars(Bars):
    """A candle as soon as buyers or sellers have pressed harder than was to be expected (chapter 2.3.2.1).

    Each trade counts with the sign of its aggressor, as 1, as its size or as its value (`unit`). The candle closes
    when the sum is at least, either way, the expected trades of a candle times the expected size of a trade's signed
    count. Both expectations are exponential averages over the candles before, of `span` candles; the first candle has
    `trades` trades and begins them. The book takes the sign from the last change of the price, because its data has
    no aggressor, and averages single trades, which needs a second span.

    Where flow is balanced the threshold falls towards nothing, and where it runs away it is never reached: so a
    candle has at least a tenth of `trades`, and at most ten times as many.
    """

    def __init__(self, trades: int = 100, *, span: int = 20, unit: str = "volume") -> None:
        super().__init__()
        if unit not in UNITS:
            raise ConfigError(f"unit must be one of {', '.join(UNITS)}, not {unit}")
        self.unit = UNITS[unit]
        self.least = max(1, whole_number("trades", trades) // 10)
        self.most = 10 * trades
        self.alpha = 2.0 / (whole_number("span", span) + 1.0)
        self.expected_trades = float(trades)
        self.expected_flow = 0.0
        self.flow = ExactSum()

    def update(self, trade: Trade) -> bool:
        if not self.take(trade):
            return False
        sign = 1.0 if trade.side == BUY else -1.0
        if self.unit == TRADES:
            self.flow.add(sign)
        elif self.unit == VOLUME:
            self.flow.add(sign * trade.size)
        else:
            self.flow.add_product(sign * trade.price, trade.size)
        if not self.is_full():
            return False
        self.learn()
        self.flow.clear()
        self.finish()
        return True

    def is_full(self) -> bool:
        if self.count == 0:
            return self.trade_count >= self.expected_trades
        if self.trade_count < self.least:
            return False
        threshold = self.expected_trades * abs(self.expected_flow)
        return self.trade_count >= self.most or abs(self.flow.high) >= threshold

    def learn(self) -> None:
        """Move the expectations by the candle that closes; the first one is the expectation."""
        flow = self.flow.high / self.trade_count
        weight = self.alpha if self.count > 0 else 1.0
        self.expected_flow += weight * (flow - self.expected_flow)
        self.expected_trades += weight * (self.trade_count - self.expected_trades)


class TimeBars(Bars):
    """A candle every `interval_s` seconds of the venue's clock, as the venue itself draws them.

    The first trade of a later interval closes a candle, so in a silent market it comes late. Intervals without a trade
    make none: `missing` is how many lie between `bar` and the candle in the making, `missing_count` all of them. A
    trade of an interval that was closed before is counted in `late_count`, its size in `late_volume`, and changes
    nothing that was told.
    """

    def __init__(self, interval_s: int = 60) -> None:
        super().__init__()
        self.interval_ns = whole_number("interval_s", interval_s) * NS_PER_S
        self.interval_start_ns = -1  # of the candle in the making; -1 before the first trade
        self.missing = 0
        self.missing_count = 0
        self.late_count = 0
        self.late_volume = 0.0

    def update(self, trade: Trade) -> bool:
        if not self.counts(trade):
            return False
        now_ns = int64(trade.venue_ns if trade.venue_ns > 0 else trade.received_ns)
        start_ns = now_ns - now_ns % self.interval_ns
        if start_ns < self.interval_start_ns:
            self.late_count += 1
            self.late_volume += trade.size
            return False
        has_closed = self.interval_start_ns >= 0 and start_ns > self.interval_start_ns
        if has_closed:
            self.finish()
            self.bar.start_ns = self.interval_start_ns
            self.bar.end_ns = self.interval_start_ns + self.interval_ns
            self.missing = (start_ns - self.interval_start_ns) // self.interval_ns - 1
            self.missing_count += self.missing
        self.interval_start_ns = start_ns
        self.take(trade)
        return has_closed
