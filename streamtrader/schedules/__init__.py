"""Schedules: how a large order is spread over time."""

from streamtrader.schedules.almgren_chriss import AlmgrenChriss, efficient_frontier, trades_lots, trajectory
from streamtrader.schedules.following import PeggedSchedule, PovSchedule
from streamtrader.schedules.schedule import Schedule
from streamtrader.schedules.slices import lots_until, slice_into, slices_lots
from streamtrader.schedules.timed import ShortfallSchedule, TwapSchedule, VwapSchedule

__all__ = [
    "AlmgrenChriss",
    "PeggedSchedule",
    "PovSchedule",
    "Schedule",
    "ShortfallSchedule",
    "TwapSchedule",
    "VwapSchedule",
    "efficient_frontier",
    "lots_until",
    "slice_into",
    "slices_lots",
    "trades_lots",
    "trajectory",
]
