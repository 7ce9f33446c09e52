"""What the synthetic market's flow is like, fitted to real captures."""

from __future__ import annotations

from dataclasses import dataclass

from streamtrader.exchange.hawkes import Excitation

EXCITATION = Excitation(rate_per_s=11.5, branching=0.88, fast_share=0.50, fast_s=0.006, slow_s=1.2, same_side=0.95)


@dataclass(frozen=True, slots=True)
class Flow:
    """Rates a second, sizes in quote currency, distances in basis points. The defaults are the fit."""

    touch_rate_per_s: float = 94.0
    touch_orders: float = 45.0  # adding and cancelling are equally likely at this many orders
    first_orders: int = 14  # that a new best price begins with
    pull_share: float = 0.33  # of market orders: makers withdraw ahead of what may follow
    pull_bps: float = 0.33
    follow: float = 0.82  # an opened spread is closed from the other side
    close_s: float = 0.0015
    market_median: float = 230.0
    market_sigma: float = 2.6
    market_largest: float = 250_000.0
    limit_median: float = 200.0
    limit_sigma: float = 3.1
    limit_largest: float = 200_000.0
    deep_median: float = 1500.0
    deep_size_sigma: float = 2.2
    deep_changes: float = 28.0  # each 100 ms
    deep_median_bps: float = 0.5
    deep_sigma: float = 2.0
    deep_largest_bps: float = 400.0
    deep_cancel_distance: float = 4.0  # cancels are this much further away than orders
    levels: int = 1000  # a side, about
    smallest: float = 5.5
    excitation: Excitation = EXCITATION
