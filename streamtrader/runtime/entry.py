"""How Python calls the loop: one small array of addresses instead of arrays of records.

Unpacking an array costs a tenth of a microsecond, and a live turn has little more than one. The handle holds where
everything is; the layouts are constants, so whoever fills it must have arrays of exactly these (`handle_of` does).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamtrader.events import EVENT
from streamtrader.kernel.calls import array_at
from streamtrader.kernel.engine import Clock, State, advance, finish_turn
from streamtrader.kernel.market import Market
from streamtrader.kernel.outbox import Outbox
from streamtrader.kernel.seat import Seat
from streamtrader.kernel.table import Call
from streamtrader.simulator.venue import SimulatedVenue

CLOCK, MARKET, SEAT = Clock().dtype, Market().dtype, Seat(SimulatedVenue()).dtype
OUTBOX, CALL = Outbox().dtype, Call().dtype
CLOCK_AT, MARKETS_AT, MARKETS, SEATS_AT, SEATS, OUTBOX_AT, CALLS_AT, EVENTS_AT, MASK, WORDS = range(10)
EVERY_EVENT = 1 << 48  # nobody checks the bounds of the events; `start` and `stop` say them


def handle_of(state: State, outbox: np.ndarray[Any, Any], calls: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where everything is. The arrays must stay alive, and where they are, as long as the handle is used."""
    arrays = (state.clock, state.markets, state.seats, outbox, calls)
    if tuple(array.dtype for array in arrays) != (CLOCK, MARKET, SEAT, OUTBOX, CALL):
        raise TypeError("the loop is compiled for other layouts than these")
    handle = np.zeros(WORDS, np.int64)
    handle[CLOCK_AT] = state.clock.ctypes.data
    handle[MARKETS_AT], handle[MARKETS] = state.markets.ctypes.data, len(state.markets)
    handle[SEATS_AT], handle[SEATS] = state.seats.ctypes.data, len(state.seats)
    handle[OUTBOX_AT], handle[CALLS_AT] = outbox.ctypes.data, calls.ctypes.data
    return handle


def advance_by(handle: Any, start: int, stop: int) -> int:
    """`advance` for whoever has a handle."""
    clock = array_at(handle[0], 1, CLOCK)
    state = State(clock, array_at(handle[1], handle[2], MARKET), array_at(handle[3], handle[4], SEAT))
    outbox, calls = array_at(handle[5], 1, OUTBOX), array_at(handle[6], handle[4], CALL)
    return advance(state, outbox, calls, array_at(handle[7], EVERY_EVENT, EVENT), handle[8], start, stop)


def finish_by(handle: Any, index: int) -> int:
    """`finish_turn` for whoever has a handle; a negative index is nobody."""
    if index < 0:
        return 0
    clock = array_at(handle[0], 1, CLOCK)
    state = State(clock, array_at(handle[1], handle[2], MARKET), array_at(handle[3], handle[4], SEAT))
    finish_turn(state, array_at(handle[5], 1, OUTBOX), array_at(handle[6], handle[4], CALL), index)
    return 0
