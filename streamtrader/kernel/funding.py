"""What holders of perpetual positions pay each other: position x mark x rate, a long pays a positive rate.

A forecast is paid at the time for which it was told, on the received clock, for the positions of that time. Where the
venue says itself that it has paid, that counts at once. Each time is paid once: a second word about the same one only
settles the difference between the rates.
"""

from __future__ import annotations

from typing import Any

from streamtrader.events import BUY, SELL, Event
from streamtrader.kernel.candles import FAR_NS
from streamtrader.kernel.charges import charge
from streamtrader.kernel.liquidation import margin_call
from streamtrader.kernel.market import Market
from streamtrader.kernel.outbox import Charge, Outbox
from streamtrader.kernel.state import State
from streamtrader.units import NS_PER_S

FUNDING = int(Charge.FUNDING)  # a plain integer: each member of an enum is a type of its own to the compiler
EARLY_NS = 60 * NS_PER_S  # by which our clock may be behind the venue's
REVISED_WITHIN_NS = 1_800 * NS_PER_S  # venues pay every hour at most


def hear_funding(market: Market, state: State, outbox: Outbox, calls: Any, event: Event) -> None:
    """Take a mark of a derivative in, and pay what it says was or should have been paid."""
    now_ns, told = market.now_ns, event.mark  # type: ignore[attr-defined]
    is_settled, told_ns = told.is_settled != 0.0, told.next_funding_ns
    is_due = market.funding_due_ns <= now_ns + EARLY_NS
    if is_due and not is_settled and told_ns > market.funding_due_ns:  # the venue is past it, so it has paid
        pay_funding(market.funding_due_ns, market.funding_rate, now_ns, market, state, outbox, calls)
    market.take_mark(event)
    if is_settled:
        if is_due:
            pay_funding(market.funding_due_ns, told.funding_rate, now_ns, market, state, outbox, calls)
        elif market.funded_ns > 0 and now_ns - market.funded_ns < REVISED_WITHIN_NS:
            revise_funding(told.funding_rate, market, state, outbox, calls)
        else:
            pay_funding(now_ns, told.funding_rate, now_ns, market, state, outbox, calls)
    else:
        market.funding_rate = told.funding_rate
    if told_ns > now_ns and told_ns > market.funded_ns:
        market.funding_due_ns = told_ns


def pay_funding(
    due_ns: int, rate: float, at_ns: int, market: Market, state: State, outbox: Outbox, calls: Any
) -> None:
    """Every position of the instrument pays or gets its share now."""
    price = market.mark_price()
    market.funded_ns = due_ns
    market.funded_rate = rate
    market.funded_price = price
    market.funding_due_ns = FAR_NS
    for index in range(market.first_seat, market.stop_seat):
        seat = state.seats[index]
        seat.funded_lots = seat.position_lots
        pay_seat(index, rate, at_ns, market, state, outbox, calls)


def revise_funding(rate: float, market: Market, state: State, outbox: Outbox, calls: Any) -> None:
    """The same time with another rate: the difference, for the positions that were there."""
    difference, market.funded_rate = rate - market.funded_rate, rate
    for index in range(market.first_seat, market.stop_seat):
        pay_seat(index, difference, market.now_ns, market, state, outbox, calls)


def pay_seat(
    index: int, rate: float, at_ns: int, market: Market, state: State, outbox: Outbox, calls: Any
) -> None:
    """A rate that is 0 moves nothing and is not told."""
    seat = state.seats[index]
    amount = market.size_of(seat.funded_lots) * market.funded_price * rate
    if amount == 0.0:
        return
    side, lots = BUY if seat.funded_lots > 0 else SELL, abs(seat.funded_lots)
    charge(seat, market, outbox, FUNDING, at_ns, side, market.ticks_of(market.funded_price), lots, amount)
    account = state.accounts[seat.account]
    account.refresh(seat, market)
    if account.lacks_margin():
        margin_call(seat.account, at_ns, state, outbox, calls)
