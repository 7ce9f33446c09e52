"""The best pace for a large order between impact and risk: Almgren and Chriss, "Optimal execution of portfolio
transactions", Journal of Risk 3 (2000), with linear impact, in closed form.

Selling `size` over `duration` in `periods` equal steps of length tau, with x_j left to sell after step j and
n_j = x_(j-1) - x_j sold in it, costs E on average, with the variance V,

    E = gamma size^2 / 2 + epsilon sum |n_j| + (eta - gamma tau / 2) / tau sum n_j^2 - alpha tau sum x_j
    V = sigma^2 tau sum x_j^2

and E + lambda V is smallest for

    x_j = size sinh(kappa (T - t_j)) / sinh(kappa T) + a part that leans with the drift,
    2 (cosh(kappa tau) - 1) / tau^2 = lambda sigma^2 / (eta - gamma tau / 2)

Buying is the same with the drift's sign changed. Any unit of time will do, in all parameters the same one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from streamtrader.errors import ConfigError
from streamtrader.kernel.record import Record
from streamtrader.schedules.slices import slices_lots


class AlmgrenChriss(Record):
    """One order and its market. Size in the instrument's unit, prices and costs in quote currency, time in any unit.

    `volatility` (sigma) is in the price's unit per root of time and `drift` (alpha) per unit of time; half the spread
    is `epsilon`; a unit sold moves the price by `gamma` for good, a rate of one unit by `eta` while it lasts.
    `risk_aversion` (lambda) is what a unit of variance is worth, in 1 / quote currency; 0 gives even slices.
    """

    def __init__(
        self, size: float, duration: float, periods: int, *, volatility: float, gamma: float = 0.0, eta: float,
        epsilon: float = 0.0, risk_aversion: float = 0.0, drift: float = 0.0,
    ) -> None:  # fmt: skip
        for name, given in (("size", size), ("duration", duration), ("volatility", volatility), ("eta", eta)):
            if not 0.0 < given < math.inf:
                raise ConfigError(f"{name} must be above zero, not {given}")
        for name, given in (("gamma", gamma), ("epsilon", epsilon), ("risk_aversion", risk_aversion)):
            if not 0.0 <= given < math.inf:
                raise ConfigError(f"{name} must not be below zero, not {given}")
        if int(periods) != periods or periods < 1:
            raise ConfigError(f"periods must be a whole number of at least 1, not {periods}")
        if not math.isfinite(drift):
            raise ConfigError(f"drift must be a number, not {drift}")
        if not gamma * duration / periods < 2.0 * eta:
            raise ConfigError(f"gamma {gamma} is so large that one step of {duration / periods} has no best pace")
        self.size = float(size)
        self.duration = float(duration)
        self.periods = int(periods)
        self.volatility = float(volatility)
        self.gamma = float(gamma)
        self.eta = float(eta)
        self.epsilon = float(epsilon)
        self.risk_aversion = float(risk_aversion)
        self.drift = float(drift)

    def step(self) -> float:
        """The length of a period (tau)."""
        return self.duration / self.periods

    def eta_left(self) -> float:
        """Eta without the half of the permanent impact that a step meets anyway: eta - gamma tau / 2."""
        return self.eta - 0.5 * self.gamma * self.step()

    def urgency(self) -> float:
        """lambda sigma^2 / (eta - gamma tau / 2): kappa squared as the steps become short."""
        return self.risk_aversion * self.volatility * self.volatility / self.eta_left()

    def kappa(self) -> float:
        """How fast the order shrinks, in 1 / time; from cosh(kappa tau) = 1 + urgency tau^2 / 2."""
        # acosh of a number near 1 has lost half its digits; sinh(kappa tau / 2) = sqrt(urgency) tau / 2 has not.
        return 2.0 / self.step() * math.asinh(0.5 * math.sqrt(self.urgency()) * self.step())

    def half_life(self) -> float:
        """1 / kappa, as the paper has it: what is left falls by a factor of e in this time. No aversion: inf."""
        kappa = self.kappa()
        return 1.0 / kappa if kappa > 0.0 else math.inf

    def left(self, index: int) -> float:
        """What is left after so many periods (x_j): all at 0, nothing at the end."""
        to_go = self.duration * ((self.periods - index) / self.periods)  # so bracketed the ends are exact
        gone = self.duration * (index / self.periods)
        return self.size * self.left_without_drift(to_go) + self.lean(gone, to_go)

    def left_without_drift(self, to_go: float) -> float:
        """sinh(kappa to_go) / sinh(kappa duration), for any kappa from 0 to where both would overflow."""
        kappa = self.kappa()
        if kappa * self.duration < 1e-8:
            return to_go / self.duration
        # A product with exp(-kappa (duration - to_go)) cannot overflow.
        faded = math.exp(kappa * (to_go - self.duration))
        return faded * math.expm1(-2.0 * kappa * to_go) / math.expm1(-2.0 * kappa * self.duration)

    def lean(self, gone: float, to_go: float) -> float:
        """What more is kept because the price is expected to rise, nothing at both ends.

        alpha / (2 lambda sigma^2) * (1 - (sinh(kappa to_go) + sinh(kappa gone)) / sinh(kappa duration))
        """
        kappa = self.kappa()
        if kappa * self.duration < 1e-8:
            return 0.25 * self.drift / self.eta_left() * gone * to_go
        bracket = math.expm1(-kappa * to_go) * math.expm1(-kappa * gone) / (1.0 + math.exp(-kappa * self.duration))
        return self.resting_size() * bracket

    def resting_size(self) -> float:
        """What an investor with this drift and this aversion would hold for ever: alpha / (2 lambda sigma^2)."""
        return 0.5 * self.drift / (self.urgency() * self.eta_left())

    def sold(self, index: int) -> float:
        """What is sold in period `index`, counted from 1 (n_j)."""
        return self.left(index - 1) - self.left(index)

    def expected_cost(self) -> float:
        """E of this trajectory: what is lost on average against the price at the start."""
        cost = 0.5 * self.gamma * self.size * self.size
        for index in range(1, self.periods + 1):
            sold = self.sold(index)
            cost += self.epsilon * abs(sold) + self.eta_left() / self.step() * sold * sold
            cost -= self.drift * self.step() * self.left(index)
        return cost

    def variance(self) -> float:
        """V of this trajectory, in quote currency squared."""
        squares = 0.0
        for index in range(1, self.periods + 1):
            squares += self.left(index) * self.left(index)
        return self.volatility * self.volatility * self.step() * squares

    def utility_cost(self) -> float:
        """E + lambda V: what the trajectory makes as small as can be."""
        return self.expected_cost() + self.risk_aversion * self.variance()


def trajectory(plan: AlmgrenChriss) -> np.ndarray[Any, Any]:
    """What is left at the start and after each period: `periods` + 1 numbers, from `size` to 0."""
    return np.array([plan.left(index) for index in range(int(plan.periods) + 1)])


def trades_lots(plan: AlmgrenChriss, total_lots: int) -> np.ndarray[Any, Any]:
    """The slices in whole lots, without drift: one that leans may want to buy on the way."""
    if plan.drift != 0.0:
        raise ConfigError("a trajectory that leans with a drift is not cut into lots: it may turn around on the way")
    return slices_lots(total_lots, np.maximum(-np.diff(trajectory(plan)), 0.0))


def efficient_frontier(plan: AlmgrenChriss, risk_aversions: Sequence[float]) -> np.ndarray[Any, Any]:
    """(variance, expected cost) of the best trajectory for each aversion: no other costs less at that variance."""
    frontier = np.zeros((len(risk_aversions), 2))
    for row, risk_aversion in zip(frontier, risk_aversions, strict=True):
        other = AlmgrenChriss(
            plan.size, plan.duration, plan.periods, volatility=plan.volatility, gamma=plan.gamma, eta=plan.eta,
            epsilon=plan.epsilon, risk_aversion=risk_aversion, drift=plan.drift,
        )  # fmt: skip
        row[:] = other.variance(), other.expected_cost()
    return frontier
