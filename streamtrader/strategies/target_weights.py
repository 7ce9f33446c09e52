"""Hold each instrument at its share of the account: a portfolio, brought back into balance at times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamtrader.errors import ConfigError
from streamtrader.events import Event
from streamtrader.kernel.broker import Broker
from streamtrader.strategies.strategy import Strategy
from streamtrader.units import NS_PER_S

WEIGHT_SLOTS = 64
MARGIN_KEPT = 0.995  # the rest is for fees and the spread


class TargetWeights(Strategy):
    """`weights` are shares of the account's equity, one for each instrument in the session's order, negative for a short.

    Every `rebalance_s` seconds of market time, and at the start, a position further than `band` (a share of equity) from
    its weight is brought back. What makes a position smaller goes at once; what makes one larger waits for free margin,
    so that closes come first. It belongs into an account that its seats share (`account.is_shared`).
    """

    def __init__(self, *, weights: Sequence[float] = (0.5, 0.5), rebalance_s: float = 3_600.0, band: float = 0.01) -> None:
        given = np.asarray(weights, float)
        if not 1 <= len(given) <= WEIGHT_SLOTS or not np.isfinite(given).all():
            raise ConfigError(f"weights must be 1 to {WEIGHT_SLOTS} finite numbers, one for each instrument")
        if not rebalance_s >= 1.0 or not 0.0 <= band < 1.0:
            raise ConfigError(f"rebalance_s must be 1 or more and band from 0 to 1, not {rebalance_s} and {band}")
        self.count = len(given)
        self.weights = np.zeros(WEIGHT_SLOTS)
        self.weights[: len(given)] = given
        self.rebalance_ns = round(rebalance_s * NS_PER_S)
        self.band = float(band)
        self.next_ns = 0
        self.is_due = False

    def on_timer(self, event: Event, broker: Broker) -> None:
        if broker.now_ns() >= self.next_ns:
            self.next_ns = broker.now_ns() - broker.now_ns() % self.rebalance_ns + self.rebalance_ns
            self.is_due = True
        price = broker.mark_price() * broker.market.quote_rate
        equity = broker.account_equity()
        if not self.is_due or broker.seat.instrument >= self.count or not price > 0.0 or not equity > 0.0:
            return
        if not broker.is_live() or broker.open_orders() > 0:
            return
        wanted = self.weights[broker.seat.instrument] * equity / price
        missing = wanted - broker.position()
        if abs(missing) * price <= self.band * equity:
            self.is_due = False
        elif abs(wanted) <= abs(broker.position()) and wanted * broker.position() >= 0.0:
            broker.hold(wanted)
        elif broker.position() * wanted < 0.0:
            broker.hold(0.0)  # first out of the old side
        else:
            room = broker.free_margin() * broker.account.leverage / price * MARGIN_KEPT
            size = min(abs(missing), room)
            if size * price > self.band * equity:
                broker.hold(broker.position() + (size if missing > 0.0 else -size))
