"""The base of risk rules: one question about one order."""

from __future__ import annotations

import math

from streamtrader.errors import ConfigError
from streamtrader.kernel.broker import Broker
from streamtrader.kernel.orders import Order, Refusal
from streamtrader.kernel.record import Record


class RiskRule(Record):
    """Each seat has its own instance of each rule, and its state is part of the engine's bytes.

    `code` is the reason that is told. A rule that raises refuses.
    """

    code = int(Refusal.USER)

    def refuses(self, order: Order, broker: Broker) -> bool:
        """Whether this order must not be sent."""
        return False


def above_zero(name: str, given: float) -> float:
    """A limit as a setting: one that is zero, negative or not a number would refuse everything or nothing."""
    if not (math.isfinite(given) and given > 0.0):
        raise ConfigError(f"{name} must be above zero, not {given}")
    return float(given)
