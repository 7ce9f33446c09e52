"""How fast we may knock: back-off with jitter, and budgets over a rolling window. They are told the time."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable


class Backoff:
    """Exponential with full jitter: many clients that lost one server do not come back at one time."""

    def __init__(self, base_s: float, cap_s: float, seed: int | None = None) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._random = random.Random(seed)
        self.failures = 0

    def next_s(self, *, least_s: float = 0.0) -> float:
        """The wait before the next attempt; `least_s` is what the other side asked for."""
        ceiling_s = min(self._cap_s, self._base_s * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return least_s + self._random.uniform(0.0, ceiling_s)

    def reset(self) -> None:
        self.failures = 0


class Budget:
    """At most `limit` units within any `window_s`."""

    def __init__(self, limit: float, window_s: float) -> None:
        self._limit = limit
        self._window_s = window_s
        self._spent: deque[tuple[float, float]] = deque()
        self._sum = 0.0

    def wait_s(self, now_s: float, units: float) -> float:
        """How long until `units` may be spent; 0 when now. More than the limit at once: when all is free."""
        while self._spent and self._spent[0][0] <= now_s - self._window_s:
            self._sum -= self._spent.popleft()[1]
        excess = self._sum + min(units, self._limit) - self._limit
        if excess <= 0:
            return 0.0
        for spent_s, spent in self._spent:
            excess -= spent
            if excess <= 0:
                return spent_s + self._window_s - now_s
        return self._window_s

    def spend(self, now_s: float, units: float) -> None:
        self._spent.append((now_s, units))
        self._sum += units


async def take_turn(budget: Budget, units: float, free_at_s: Callable[[], float] = lambda: 0.0) -> float:
    """Sleep until `units` may be spent and the moment of `free_at_s` has come, which may move; spend them. Returns now.

    Moments are those of the running loop's clock, in seconds.
    """
    loop = asyncio.get_running_loop()
    while True:
        now_s = loop.time()
        wait_s = max(free_at_s() - now_s, budget.wait_s(now_s, units))
        if wait_s <= 0:
            budget.spend(now_s, units)
            return now_s
        await asyncio.sleep(wait_s)


def retry_after_s(header: str | None, default_s: float, most_s: float) -> float:
    """Seconds of a Retry-After header; dates and nonsense count as the default."""
    text = (header or "").strip()
    seconds = float(text) if text.isdigit() and len(text) < 10 else default_s
    return min(seconds, most_s)
