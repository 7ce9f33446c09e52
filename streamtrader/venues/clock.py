"""The clock of a session: the wall clock where it behaves, and never anything that runs backwards.

It is the wall clock of the moment at which it was set, and goes on at the pace of the steady clock. The wall clock is
looked at several times a second: what it drifts (NTP slews it) is followed at no more than `SLEW_NS` a look. A jump by
`JUMP_NS` or more, either way, is counted and **not followed while data flows**: a decision that compares two events
sees the time that really passed between them. When no link is open, no book is LIVE and nothing can be decided, so the
next first link sets the clock anew, forwards only: a machine that slept, or whose clock was put right, is in time again.
A wall clock that was put back is waited for by no one: until the session ends our time stays ahead of it, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable

JUMP_NS = 1_000_000_000
SLEW_NS = 500_000


class SessionClock:
    """`now_ns` for events; `look` from time to time. `not_before_ns` is the newest event of an earlier session."""

    __slots__ = ("_offset_ns", "_seen_ns", "_steady_ns", "_wall_ns", "jumps", "last_jump_ns", "newest_ns")

    def __init__(
        self,
        not_before_ns: int = 0,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        steady_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall_ns = wall_ns
        self._steady_ns = steady_ns
        self.jumps = 0
        self.last_jump_ns = 0
        self.newest_ns = not_before_ns
        self._seen_ns = wall_ns() - steady_ns()  # wall less steady, at the last look
        self._offset_ns = max(self._seen_ns, not_before_ns - steady_ns())
        if self._offset_ns - self._seen_ns >= JUMP_NS:
            self._note(self._seen_ns - self._offset_ns)

    def now_ns(self) -> int:
        now_ns = self._steady_ns() + self._offset_ns
        if now_ns > self.newest_ns:
            self.newest_ns = now_ns
        return self.newest_ns

    @property
    def ahead_ns(self) -> int:
        """How far our time is ahead of the wall clock, as of the last look; negative when it is behind."""
        return self._offset_ns - self._seen_ns

    def look(self) -> bool:
        """Compare with the wall clock; whether that has jumped since the last look."""
        seen_ns = self._wall_ns() - self._steady_ns()
        step_ns, self._seen_ns = seen_ns - self._seen_ns, seen_ns
        drift_ns = seen_ns - self._offset_ns
        if abs(drift_ns) < JUMP_NS:
            self._offset_ns += max(-SLEW_NS, min(SLEW_NS, drift_ns))
        if abs(step_ns) < JUMP_NS:
            return False
        self._note(step_ns)
        return True

    def set_anew(self) -> None:
        """No link is open: take the wall clock where it is ahead of us."""
        self.look()
        self._offset_ns = max(self._offset_ns, self._seen_ns)

    def _note(self, step_ns: int) -> None:
        self.jumps += 1
        self.last_jump_ns = step_ns
