"""Strategies that work one large order: they begin with the first live book and stop when it is done.

Each is its schedule and nothing else; a strategy of your own holds such a schedule as it holds an indicator, and calls
`begin`, `advance` and `note_fill` itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from streamtrader.events import Event, Fill, Level, Trade
from streamtrader.kernel.broker import Broker
from streamtrader.schedules.following import PeggedSchedule, PovSchedule
from streamtrader.schedules.timed import ShortfallSchedule, TwapSchedule, VwapSchedule
from streamtrader.strategies.strategy import Strategy


class Twap(Strategy):
    """Buy (or sell, when negative) `size` in even slices over `duration_s`."""

    def __init__(self, *, size: float = 1.0, duration_s: float = 600.0, slice_s: float = 10.0, is_patient: bool = True) -> None:
        self.size = float(size)
        self.schedule = TwapSchedule(duration_s, slice_s, is_patient)

    def on_book(self, level: Level, broker: Broker) -> None:
        if self.schedule.begun_ns == 0 and broker.is_live():
            self.schedule.begin(self.size, broker)
        self.schedule.advance(broker)

    def on_timer(self, event: Event, broker: Broker) -> None:
        self.schedule.advance(broker)

    def on_fill(self, fill: Fill, broker: Broker) -> None:
        self.schedule.note_fill(fill, broker)
        self.schedule.advance(broker)


class Vwap(Twap):
    """The same in slices by a profile of volume, such as (3, 1, 1, 2): one number for each equal part of the time."""

    def __init__(
        self, *, size: float = 1.0, duration_s: float = 600.0, slice_s: float = 10.0, is_patient: bool = True,
        profile: Sequence[float] = (),
    ) -> None:  # fmt: skip
        self.size = float(size)
        self.schedule = VwapSchedule(duration_s, slice_s, is_patient, profile)  # type: ignore[assignment]


class Shortfall(Twap):
    """The same by Almgren and Chriss (2000): faster at first the more risk costs. `volatility` in quote currency per
    root of a second, `eta` what a unit a second moves the price, `risk_aversion` in 1 / quote currency.
    """

    def __init__(
        self, *, size: float = 1.0, duration_s: float = 600.0, slice_s: float = 10.0, is_patient: bool = True,
        volatility: float = 1.0, eta: float = 1.0, risk_aversion: float = 1e-6,
    ) -> None:  # fmt: skip
        self.size = float(size)
        self.schedule = ShortfallSchedule(  # type: ignore[assignment]
            size, duration_s, slice_s, is_patient, volatility=volatility, eta=eta, risk_aversion=risk_aversion
        )


class Pegged(Twap):
    """All of it rests at the touch and moves with it; what is left after `duration_s` is taken."""

    def __init__(self, *, size: float = 1.0, duration_s: float = 600.0, behind_ticks: int = 0) -> None:
        self.size = float(size)
        self.schedule = PeggedSchedule(duration_s, behind_ticks)  # type: ignore[assignment]


class Pov(Twap):
    """A share of what others trade, until it is done or `duration_s` is over: then the rest."""

    def __init__(
        self, *, size: float = 1.0, participation: float = 0.1, duration_s: float = 3_600.0, slice_s: float = 10.0,
        is_patient: bool = True,
    ) -> None:  # fmt: skip
        self.size = float(size)
        self.schedule = PovSchedule(participation, duration_s, slice_s, is_patient)  # type: ignore[assignment]

    def on_trade(self, trade: Trade, broker: Broker) -> None:
        self.schedule.note_trade(trade, broker)  # type: ignore[attr-defined]
        self.schedule.advance(broker)
