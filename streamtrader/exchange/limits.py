"""What a venue publishes about its clients, and whether they kept it: counted for every connection and message.

A client that only ever met a lenient server learns the limits from the real one. What was broken is kept in words,
so that a test, or whoever looks at `/embedded/market`, sees it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

VIOLATIONS_KEPT = 100


@dataclass(frozen=True, slots=True)
class Published:
    """At most `connections` attempts within `connections_window_s`, `messages_per_s` on each connection."""

    connections: int
    connections_window_s: float
    messages_per_s: int
    is_closing: bool = False  # the venue ends a connection that says too much


BINANCE = Published(300, 300.0, 5, is_closing=True)


class Window:
    """The most that ever came within a window."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._arrivals: deque[float] = deque()
        self.most = 0

    def add(self, now_s: float) -> int:
        arrivals = self._arrivals
        arrivals.append(now_s)
        while now_s - arrivals[0] >= self._window_s:
            arrivals.popleft()
        self.most = max(self.most, len(arrivals))
        return len(arrivals)


class LimitWatch:
    """Counts over the life of the server."""

    def __init__(self, published: Published) -> None:
        self.published = published
        self.attempts = 0
        self.messages = 0
        self.messages_most = 0
        self.violations: list[str] = []
        self._attempts = Window(published.connections_window_s)

    def attempt(self, now_s: float) -> None:
        """Somebody connects, whatever becomes of it."""
        self.attempts += 1
        count, limit = self._attempts.add(now_s), self.published.connections
        if count > limit:
            self._note(f"{count} connections within {self.published.connections_window_s:g} s, {limit} are allowed")

    def new_window(self) -> Window:
        """For the messages of one connection."""
        return Window(1.0)

    def message(self, window: Window, now_s: float) -> bool:
        """A message of a client; False where there were too many within a second."""
        self.messages += 1
        count, limit = window.add(now_s), self.published.messages_per_s
        self.messages_most = max(self.messages_most, count)
        if count > limit:
            self._note(f"{count} messages within a second, {limit} are allowed")
        return count <= limit

    def _note(self, violation: str) -> None:
        if len(self.violations) < VIOLATIONS_KEPT:
            self.violations.append(violation)

    def as_dict(self) -> dict[str, Any]:
        return {
            "connection_attempts": self.attempts,
            "connection_attempts_most": self._attempts.most,
            "messages": self.messages,
            "messages_most": self.messages_most,
            "violations": self.violations,
        }
