"""Schedules by the clock: even slices, slices by a profile of volume, and slices that weigh impact against risk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamtrader.errors import ConfigError
from streamtrader.kernel.broker import Broker
from streamtrader.schedules.almgren_chriss import AlmgrenChriss
from streamtrader.schedules.schedule import Schedule
from streamtrader.schedules.slices import lots_until

PROFILE_SLOTS = 96


class TwapSchedule(Schedule):
    """As much in every slice: the time-weighted average price."""

    def due_lots(self, elapsed_ns: int, broker: Broker) -> int:
        slices = self.slices()
        return lots_until(self.total_lots, (1 + elapsed_ns // self.slice_ns) / slices)


class VwapSchedule(Schedule):
    """As much as the volume that a profile expects: the volume-weighted average price.

    `profile` gives the expected volume of up to 96 equal parts of the duration, in any unit; without one all are equal.
    """

    def __init__(
        self, duration_s: float = 600.0, slice_s: float = 10.0, is_patient: bool = True, profile: Sequence[float] = ()
    ) -> None:
        Schedule.__init__(self, duration_s, slice_s, is_patient)
        weights = np.asarray(profile if len(profile) > 0 else (1.0,), float)
        if len(weights) > PROFILE_SLOTS or not np.isfinite(weights).all() or (weights < 0.0).any() or not weights.sum() > 0.0:
            raise ConfigError(f"a profile has up to {PROFILE_SLOTS} finite numbers, none below zero, not all zero")
        self.parts = len(weights)
        self.upto = np.zeros(PROFILE_SLOTS + 1)
        self.upto[1 : len(weights) + 1] = weights.cumsum() / weights.sum()

    def share(self, elapsed: float) -> float:
        """The share of the volume that is over after a share of the time."""
        place = min(elapsed, 1.0) * self.parts
        part = min(int(place), self.parts - 1)
        share: float = self.upto[part] + (place - part) * (self.upto[part + 1] - self.upto[part])
        return share

    def due_lots(self, elapsed_ns: int, broker: Broker) -> int:
        slices = self.slices()
        return lots_until(self.total_lots, self.share((1 + elapsed_ns // self.slice_ns) / slices))


class ShortfallSchedule(Schedule):
    """Faster at first, the more risk costs against impact: the trajectory of Almgren and Chriss (2000).

    `volatility` is in quote currency per root of a second, `eta` what a unit a second moves the price, `risk_aversion`
    in 1 / quote currency; see `AlmgrenChriss`. Risk aversion 0 gives even slices.
    """

    def __init__(
        self, size: float, duration_s: float = 600.0, slice_s: float = 10.0, is_patient: bool = True, *,
        volatility: float, eta: float, risk_aversion: float = 0.0,
    ) -> None:  # fmt: skip
        Schedule.__init__(self, duration_s, slice_s, is_patient)
        periods = max(1, round(duration_s / slice_s))
        self.plan = AlmgrenChriss(
            abs(size), duration_s, periods, volatility=volatility, eta=eta, risk_aversion=risk_aversion
        )

    def due_lots(self, elapsed_ns: int, broker: Broker) -> int:
        index = min(self.plan.periods, 1 + elapsed_ns // self.slice_ns)
        return lots_until(self.total_lots, 1.0 - self.plan.left(index) / self.plan.size)
