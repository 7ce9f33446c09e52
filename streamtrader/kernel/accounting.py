"""What concerns all accounts at once, and so is done seldom: never at an ordinary event."""

from __future__ import annotations

from typing import Any


def resum(accounts: Any, markets: Any, seats: Any) -> None:
    """The sums of all accounts from their seats, so that no rounding adds up over a long run."""
    for at in range(len(accounts)):
        accounts[at].clear()
    for index in range(len(seats)):
        seat = seats[index]
        seat.counted.clear()
        accounts[seat.account].refresh(seat, markets[seat.instrument])
