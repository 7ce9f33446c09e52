"""What concerns all accounts at once, and so is done seldom: at marks and at whole seconds, never at each event."""

from __future__ import annotations

from typing import Any

from streamtrader.events import Event
from streamtrader.kernel.liquidation import margin_call
from streamtrader.kernel.outbox import Outbox
from streamtrader.kernel.state import State


def hear_mark(state: State, outbox: Outbox, calls: Any, event: Event) -> None:
    """The venue's own price for the positions of an instrument."""
    clock, market = state.clock[0], state.markets[event.instrument]
    market.now_ns = clock.now_ns
    market.event_ns = clock.now_ns
    market.take_mark(event)
    for index in range(market.first_seat, market.stop_seat):
        seat = state.seats[index]
        if seat.position_lots != 0:
            account = state.accounts[seat.account]
            seat.mark(market)
            account.follow(seat, market)
            if account.lacks_margin():
                margin_call(seat.account, clock.now_ns, state, outbox, calls)


def tick(at_ns: int, state: State, outbox: Outbox, calls: Any) -> None:
    """All positions are marked, for a market may move without a trade; and who is short hears of it."""
    markets, seats = state.markets, state.seats
    for index in range(len(seats)):
        seat = seats[index]
        if seat.position_lots != 0:
            market = markets[seat.instrument]
            market.now_ns = max(market.event_ns, at_ns)
            seat.mark(market)
    resum(state.accounts, markets, seats)
    for at in range(len(state.accounts)):
        if state.accounts[at].lacks_margin():
            margin_call(at, at_ns, state, outbox, calls)


def resum(accounts: Any, markets: Any, seats: Any) -> None:
    """The sums of all accounts from their seats, so that no rounding adds up over a long run."""
    for at in range(len(accounts)):
        accounts[at].clear()
    for index in range(len(seats)):
        seat = seats[index]
        seat.counted.clear()
        accounts[seat.account].refresh(seat, markets[seat.instrument])
