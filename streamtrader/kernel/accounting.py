"""What concerns all accounts at once, and so is done seldom: at marks and at whole seconds, never at each event."""

from __future__ import annotations

from typing import Any

from streamtrader.events import Event
from streamtrader.kernel.candles import FAR_NS
from streamtrader.kernel.funding import hear_funding, pay_funding
from streamtrader.kernel.interest import charge_interest
from streamtrader.kernel.liquidation import margin_call
from streamtrader.kernel.market import Market
from streamtrader.kernel.outbox import Outbox
from streamtrader.kernel.state import Clock, State


def keeping_ns(clock: Clock) -> int:
    """When accounts must be looked at next: the first charge, or the last whole second, whichever comes first."""
    if clock.tick_due_ns > clock.now_ns:
        return clock.charge_due_ns
    return min(clock.charge_due_ns, clock.now_ns - clock.now_ns % clock.tick_ns)


def keep(at_ns: int, state: State, outbox: Outbox, calls: Any) -> None:
    """What is due for accounts at that time: charges first, for they may leave one short."""
    clock = state.clock[0]
    if clock.charge_due_ns <= at_ns:
        clock.charge_due_ns = FAR_NS
        for instrument in range(len(state.markets)):
            market = state.markets[instrument]
            if market.funding_due_ns <= at_ns:
                market.now_ns = max(market.event_ns, at_ns)
                pay_funding(market.funding_due_ns, market.funding_rate, at_ns, market, state, outbox, calls)
            clock.charge_due_ns = min(clock.charge_due_ns, market.funding_due_ns)
        for at in range(len(state.accounts)):
            account = state.accounts[at]
            if account.interest_due_ns <= at_ns:
                charge_interest(at, at_ns, state, outbox)
                if account.lacks_margin():
                    margin_call(at, at_ns, state, outbox, calls)
            clock.charge_due_ns = min(clock.charge_due_ns, account.interest_due_ns)
    else:
        tick(at_ns, state, outbox, calls)
        clock.tick_due_ns = at_ns + clock.tick_ns


def hear_mark(state: State, outbox: Outbox, calls: Any, event: Event) -> None:
    """The venue's own price for the positions of an instrument, and what it says of their funding."""
    clock, market = state.clock[0], state.markets[event.instrument]
    market.now_ns = clock.now_ns
    market.event_ns = clock.now_ns
    if market.is_derivative:
        hear_funding(market, state, outbox, calls, event)
        clock.charge_due_ns = min(clock.charge_due_ns, market.funding_due_ns)
        clock.due_ns = min(clock.due_ns, clock.charge_due_ns)
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
    accounts, markets, seats = state.accounts, state.markets, state.seats
    for at in range(len(accounts)):
        accounts[at].is_in_doubt = False
    for instrument in range(len(markets)):
        market = markets[instrument]
        market.now_ns = max(market.event_ns, at_ns)
        if market.rate_source >= 0:
            take_rate(market, state)
    for index in range(len(seats)):
        seat = seats[index]
        if seat.position_lots != 0:
            seat.mark(markets[seat.instrument])
            if not markets[seat.instrument].is_valued():
                accounts[seat.account].is_in_doubt = True
    resum(accounts, markets, seats)
    for at in range(len(state.accounts)):
        if state.accounts[at].lacks_margin():
            margin_call(at, at_ns, state, outbox, calls)


def take_rate(market: Market, state: State) -> None:
    """What the quotes are worth now; with the first such word it is known what the account began with."""
    is_first = market.quote_rate <= 0.0
    market.take_rate(state.markets[market.rate_source])
    if is_first and market.quote_rate > 0.0:
        for index in range(market.first_seat, market.stop_seat):
            seat = state.seats[index]
            state.accounts[seat.account].initial_equity += seat.initial_cash * market.quote_rate


def resum(accounts: Any, markets: Any, seats: Any) -> None:
    """The sums of all accounts from their seats, so that no rounding adds up over a long run."""
    for at in range(len(accounts)):
        accounts[at].clear()
    for index in range(len(seats)):
        seat = seats[index]
        seat.counted.clear()
        accounts[seat.account].refresh(seat, markets[seat.instrument])
