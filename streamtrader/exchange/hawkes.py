"""Arrival times of market orders: a self-exciting (Hawkes) process, drawn by its clusters.

Immigrants come at a constant rate; each order has a Poisson number of children, most of them milliseconds later,
the rest within seconds. The branching ratio is what makes trades come in bursts: counts over long windows vary
1 / (1 - ratio)^2 times as much as those of independent orders. A child mostly has its parent's side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from streamtrader.units import NS_PER_S

Times = np.ndarray[Any, np.dtype[np.int64]]
_GENERATIONS = 64  # a cluster that has not died out by then is cut: 0.8^64 of them


@dataclass(frozen=True, slots=True)
class Excitation:
    """Parameters of the process."""

    rate_per_s: float
    branching: float
    fast_share: float
    fast_s: float
    slow_s: float
    same_side: float


class Arrivals:
    """Times and sides, block by block; children that fall into a later block are kept for it."""

    def __init__(self, excitation: Excitation, random: np.random.Generator) -> None:
        self._excitation = excitation
        self._random = random
        self._later_ns: Times = np.empty(0, np.int64)
        self._later_buys = np.empty(0, np.bool_)

    def block(self, start_ns: int, stop_ns: int) -> tuple[Times, np.ndarray[Any, np.dtype[np.bool_]]]:
        """Sorted times of the block and whether each order buys."""
        excitation, random = self._excitation, self._random
        seconds = (stop_ns - start_ns) / NS_PER_S
        count = random.poisson(excitation.rate_per_s * (1 - excitation.branching) * seconds)
        times = start_ns + (random.random(count) * (stop_ns - start_ns)).astype(np.int64)
        buys = random.random(count) < 0.5
        all_times, all_buys = [self._later_ns, times], [self._later_buys, buys]
        for _ in range(_GENERATIONS):
            if not len(times):
                break
            times, buys = self._children(times, buys)
            all_times.append(times)
            all_buys.append(buys)
        times, buys = np.concatenate(all_times), np.concatenate(all_buys)
        is_later = times >= stop_ns
        self._later_ns, self._later_buys = times[is_later], buys[is_later]
        times, buys = times[~is_later], buys[~is_later]
        order = np.argsort(times, kind="stable")
        return times[order], buys[order]

    def _children(self, times: Times, buys: Any) -> tuple[Times, Any]:
        excitation, random = self._excitation, self._random
        parents = np.repeat(np.arange(len(times)), random.poisson(excitation.branching, len(times)))
        is_fast = random.random(len(parents)) < excitation.fast_share
        scale_s = np.where(is_fast, excitation.fast_s, excitation.slow_s)
        delays = (random.exponential(1.0, len(parents)) * scale_s * NS_PER_S).astype(np.int64)
        is_same = random.random(len(parents)) < excitation.same_side
        return times[parents] + delays, buys[parents] == is_same
