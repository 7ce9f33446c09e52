"""Schedules: how a large order is spread over time."""

from streamtrader.schedules.almgren_chriss import AlmgrenChriss, efficient_frontier, trades_lots, trajectory
from streamtrader.schedules.slices import lots_until, slice_into, slices_lots

__all__ = [
    "AlmgrenChriss",
    "efficient_frontier",
    "lots_until",
    "slice_into",
    "slices_lots",
    "trades_lots",
    "trajectory",
]
