"""What the loop is played on: a few arrays of records, never one big record.

Lengths of nested arrays are part of a type, lengths of arrays are not: so one compiled loop serves any number of
markets and seats.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from streamtrader.events import TapeEvent
from streamtrader.kernel.calls import array_from
from streamtrader.kernel.candles import FAR_NS
from streamtrader.kernel.record import Record


class Clock(Record):
    """Where the loop stands."""

    def __init__(self) -> None:
        self.account_count = 0
        self.market_count = 0
        self.seat_count = 0
        self.now_ns = 0
        self.due_ns = FAR_NS  # the earliest of all markets
        self.event_count = 0
        self.backward_count = 0  # events whose clock was behind; time stood still for them
        self.wake_seat = -1  # a plain Python strategy must be called
        self.resume_at = 0  # 1 + the seat from which the event in hand goes on; 0: a new event
        self.delivery_count = 0  # before the event in hand
        self.timer_ns = 0  # how often `on_timer` comes; 0: nobody has it
        self.timer_due_ns = FAR_NS
        self.timer_seat = 0  # 1 + the next seat to be told that time has passed; 0: none
        self.tick_ns = 0  # how often all positions are marked, beside at trades; 0: no account needs it
        self.tick_due_ns = FAR_NS
        self.charge_due_ns = FAR_NS  # the first funding or interest
        self.subject = 0  # of the part that was called by address: an account
        self.subject_ns = 0
        self.woken = np.zeros(1, TapeEvent().dtype)


class State(NamedTuple):
    """All that decides: one clock, the accounts, the markets, and the seats in the order of their instruments."""

    clock: Any
    accounts: Any
    markets: Any
    seats: Any


def state_from(clock: Any, account: Any, market: Any, seat: Any) -> State:
    """The state again, in a part that is called by address: with the first record of each array."""
    return State(
        array_from(clock, 1),
        array_from(account, clock.account_count),
        array_from(market, clock.market_count),
        array_from(seat, clock.seat_count),
    )
