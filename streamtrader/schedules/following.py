"""Schedules that follow the market: a share of its volume, or its touch."""

from __future__ import annotations

from streamtrader.errors import ConfigError
from streamtrader.events import ASK, BID, BUY, Trade
from streamtrader.kernel.broker import Broker
from streamtrader.kernel.record import int64
from streamtrader.schedules.schedule import Schedule


class PovSchedule(Schedule):
    """A share of what others trade, from the beginning on; the rest at the end of the duration.

    `participation` is our share of the whole volume, ours included: 0.1 is one lot for nine of others.
    """

    def __init__(
        self, participation: float = 0.1, duration_s: float = 3_600.0, slice_s: float = 10.0, is_patient: bool = True
    ) -> None:
        Schedule.__init__(self, duration_s, slice_s, is_patient)
        if not 0.0 < participation < 1.0:
            raise ConfigError(f"participation must lie between 0 and 1, not at {participation}")
        self.participation = float(participation)
        self.traded_lots = 0.0
        self.traded_before = 0.0  # a slice ago
        self.slice_index = 0

    def note_trade(self, trade: Trade, broker: Broker) -> None:
        """Count what others trade."""
        if self.is_working():
            self.traded_lots += trade.size * broker.market.lots_per_unit

    def due_lots(self, elapsed_ns: int, broker: Broker) -> int:
        """Of a slice ago: what was traded by then; `advance` asks for both."""
        index = (broker.now_ns() - self.begun_ns) // self.slice_ns
        if index != self.slice_index:
            self.slice_index = index
            self.traded_before = self.traded_lots
        is_now = elapsed_ns >= broker.now_ns() - self.begun_ns
        traded = self.traded_lots if is_now else self.traded_before
        return int64(traded * self.participation / (1.0 - self.participation))


class PeggedSchedule(Schedule):
    """All of it rests at the touch and moves with it, `behind_ticks` further back; what is left at the end is taken."""

    def __init__(self, duration_s: float = 600.0, behind_ticks: int = 0) -> None:
        Schedule.__init__(self, duration_s, duration_s, True)
        if behind_ticks < 0:
            raise ConfigError(f"behind_ticks must not be below zero, not {behind_ticks}: it would cross the spread")
        self.behind_ticks = int(behind_ticks)

    def touch_ticks(self, broker: Broker) -> int:
        bid: int = broker.market.book.top[BID]
        ask: int = broker.market.book.top[ASK]
        return max(1, bid - self.behind_ticks) if self.side == BUY else ask + self.behind_ticks
