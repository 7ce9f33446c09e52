"""What latencies are told as, and the event loop under them. NumPy alone: a bare client loads no more than it must."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

WARM_SHARE = 20  # the first twentieth of the latencies is left out
PERCENTS = (50, 90, 99, 99.9, 100)


def percentiles(latency_ns: np.ndarray[Any, Any]) -> dict[str, float]:
    """In microseconds."""
    kept = latency_ns[len(latency_ns) // WARM_SHARE :] / 1000.0
    names = [f"p{percent:g}_us" for percent in PERCENTS[:-1]] + ["max_us"]
    return dict(zip(names, np.percentile(kept, PERCENTS).round(2).tolist(), strict=True))


def loop_factory(name: str = "uvloop") -> Any:
    """uvloop where it exists, unless asyncio's own loop is asked for."""
    if name == "asyncio":
        return asyncio.new_event_loop
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
