"""Where a limit of events falls: a message is never cut, on the tape as in the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamtrader.events import MORE

if TYPE_CHECKING:
    from streamtrader.kernel.ring import Ring


def message_end(ring: Ring, limit: int) -> int:
    """How far to play: all that is written, or to the end of the message that reaches the limit."""
    if ring.written < limit:
        return ring.written
    stop = max(limit, ring.played)
    if stop > ring.played:
        while stop < ring.written and ring.events["flags"][(stop - 1) & ring.mask] & MORE:
            stop += 1
    return stop
