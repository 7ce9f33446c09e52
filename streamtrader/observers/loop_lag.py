"""How late the loop wakes up: what starves it delays everything else just as much."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from streamtrader.observers.histogram import Histogram
from streamtrader.units import NS_PER_S


async def watch_loop_lag(lag: Histogram, clock_ns: Callable[[], int], *, every_s: float = 0.1) -> None:
    """Sleep again and again and record by how much each sleep overran; ends when it is cancelled."""
    interval_ns = int(every_s * NS_PER_S)
    while True:
        started_ns = clock_ns()
        await asyncio.sleep(every_s)
        lag.record(clock_ns() - started_ns - interval_ns)
