"""How Python calls the loop: one small array of addresses instead of arrays of records.

Unpacking an array costs a tenth of a microsecond, and a live turn has little more than one. The handle holds where
everything is; the layouts are constants, so whoever fills it must have arrays of exactly these (`handle_of` does).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from streamtrader.events import EVENT
from streamtrader.kernel.account import Account
from streamtrader.kernel.calls import address_of, array_at
from streamtrader.kernel.compiler import entry_point
from streamtrader.kernel.cuts import match_part, settle_part
from streamtrader.kernel.engine import advance, deliver_part, finish_turn
from streamtrader.kernel.liquidation import liquidate_part
from streamtrader.kernel.market import Market
from streamtrader.kernel.outbox import Outbox
from streamtrader.kernel.record import boxed
from streamtrader.kernel.seat import Seat
from streamtrader.kernel.state import Clock, State
from streamtrader.kernel.table import Call
from streamtrader.simulator.venue import SimulatedVenue

CLOCK, ACCOUNT, MARKET = Clock().dtype, Account().dtype, Market().dtype
SEAT, OUTBOX, CALL = Seat(SimulatedVenue()).dtype, Outbox().dtype, Call().dtype
CLOCK_AT, ACCOUNTS_AT, ACCOUNTS, MARKETS_AT, MARKETS, SEATS_AT, SEATS, OUTBOX_AT, CALLS_AT, EVENTS_AT, MASK, WORDS = range(12)
# The parts of the loop that are compiled apart, and what each is called with.
PARTS: dict[str, tuple[Callable[..., int], tuple[np.dtype[Any], ...]]] = {
    "settle_code": (settle_part, (SEAT, MARKET, ACCOUNT, OUTBOX, CALL)),
    "match_code": (match_part, (SEAT, EVENT, MARKET, np.dtype(np.int64))),
    "deliver_code": (deliver_part, (CLOCK, ACCOUNT, MARKET, SEAT, OUTBOX, CALL)),
    "liquidate_code": (liquidate_part, (CLOCK, ACCOUNT, MARKET, SEAT, OUTBOX, CALL)),
}
EVERY_EVENT = 1 << 48  # nobody checks the bounds of the events; `start` and `stop` say them


def handle_of(state: State, outbox: np.ndarray[Any, Any], calls: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where everything is. The arrays must stay alive, and where they are, as long as the handle is used."""
    arrays = (*state, outbox, calls)
    if tuple(array.dtype for array in arrays) != (CLOCK, ACCOUNT, MARKET, SEAT, OUTBOX, CALL):
        raise TypeError("the loop is compiled for other layouts than these")
    handle = np.zeros(WORDS, np.int64)
    handle[CLOCK_AT] = state.clock.ctypes.data
    handle[ACCOUNTS_AT], handle[ACCOUNTS] = state.accounts.ctypes.data, len(state.accounts)
    handle[MARKETS_AT], handle[MARKETS] = state.markets.ctypes.data, len(state.markets)
    handle[SEATS_AT], handle[SEATS] = state.seats.ctypes.data, len(state.seats)
    handle[OUTBOX_AT], handle[CALLS_AT] = outbox.ctypes.data, calls.ctypes.data
    return handle


def state_at(handle: Any) -> State:
    """The state that a handle leads to."""
    return State(
        array_at(handle[CLOCK_AT], 1, CLOCK),
        array_at(handle[ACCOUNTS_AT], handle[ACCOUNTS], ACCOUNT),
        array_at(handle[MARKETS_AT], handle[MARKETS], MARKET),
        array_at(handle[SEATS_AT], handle[SEATS], SEAT),
    )


def advance_by(handle: Any, start: int, stop: int) -> int:
    """`advance` for whoever has a handle."""
    outbox, calls = array_at(handle[OUTBOX_AT], 1, OUTBOX), array_at(handle[CALLS_AT], handle[SEATS], CALL)
    events = array_at(handle[EVENTS_AT], EVERY_EVENT, EVENT)
    return advance(state_at(handle), outbox, calls, events, handle[MASK], start, stop)


def finish_by(handle: Any, index: int) -> int:
    """`finish_turn` for whoever has a handle; a negative index is nobody."""
    if index < 0:
        return 0
    outbox, calls = array_at(handle[OUTBOX_AT], 1, OUTBOX), array_at(handle[CALLS_AT], handle[SEATS], CALL)
    finish_turn(state_at(handle), outbox, calls, index)
    return 0


@functools.cache
def part_code(name: str, *, cache: bool) -> int:
    """Where a part is, compiled."""
    function, layouts = PARTS[name]
    return address_of(function, layouts, cache=cache)


@functools.cache
def loop_entries(*, cache: bool) -> tuple[Callable[..., int], Callable[..., int]]:
    """The loop and the end of a Python strategy's turn, as Python calls them."""
    nobody = np.zeros(WORDS, np.int64)
    clock = boxed(Clock())
    nobody[CLOCK_AT] = clock.ctypes.data  # a call from 0 to 0 looks at nothing else
    return entry_point(advance_by, nobody, 0, 0, cache=cache), entry_point(finish_by, nobody, -1, cache=cache)
