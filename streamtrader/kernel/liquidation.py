"""What the venue does to an account whose collateral is less than its positions must keep.

Every seat of the account is stopped and its orders are cancelled. Then the position that ties down the most margin is
reduced at the market, through the same venue, gate and book as any other order: to the end of the tier below its own,
or to nothing from the lowest tier. If that was not enough, the next mark says so, and the next step follows: at once
when the last one is done, after `RETRY_NS` when it found no liquidity. No position is ever turned round, and whoever
had a stop, a target or a rule is not asked. Only the operator's RESUME lets the seats trade again.
"""

from __future__ import annotations

from typing import Any

from streamtrader.kernel.account import Account
from streamtrader.kernel.calls import array_from, call_at
from streamtrader.kernel.compiler import compiled_as
from streamtrader.kernel.cuts import settle
from streamtrader.kernel.market import CAP, Market
from streamtrader.kernel.orders import OrderState, Refusal
from streamtrader.kernel.outbox import Outbox, OutboxKind
from streamtrader.kernel.record import int64
from streamtrader.kernel.seat import RETRY_NS, Seat
from streamtrader.kernel.state import Clock, State, state_from

# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
HALTED, LIQUIDATED = int(OutboxKind.HALTED), int(Refusal.LIQUIDATED)
CANCELLING = int(OrderState.CANCELLING)


def margin_call(account: int, at_ns: int, state: State, outbox: Outbox, calls: Any) -> None:
    """Look at the account again, at what all its positions are worth now, and take the next step where it is short."""
    state.clock[0].subject = account
    state.clock[0].subject_ns = at_ns
    liquidate_at(state, outbox, calls)


def liquidate_at(state: State, outbox: Outbox, calls: Any) -> None:
    liquidate(state, outbox, calls)


@compiled_as(liquidate_at)
def _liquidate_at(state: Any, outbox: Any, calls: Any) -> Any:
    def by_address(state, outbox, calls):  # type: ignore[no-untyped-def]
        first = (state.clock[0], state.accounts[0], state.markets[0], state.seats[0], outbox, calls[0])
        call_at(calls[0].liquidate_code, first)

    return by_address


def liquidate_part(clock: Clock, account: Account, market: Market, seat: Seat, outbox: Outbox, call: Any) -> int:
    """`liquidate` as it is called by address: with the first record of each array."""
    liquidate(state_from(clock, account, market, seat), outbox, array_from(call, clock.seat_count))
    return 0


def liquidate(state: State, outbox: Outbox, calls: Any) -> None:
    """The account `clock.subject` at `clock.subject_ns`."""
    at, now_ns = state.clock[0].subject, state.clock[0].subject_ns
    account, markets, seats = state.accounts[at], state.markets, state.seats
    for index in range(len(seats)):
        seat = seats[index]
        if seat.account == at and seat.position_lots != 0:
            market = markets[seat.instrument]
            market.now_ns = max(market.now_ns, now_ns)
            seat.mark(market)
            account.follow(seat, market)
    if not account.lacks_margin() or (now_ns < account.step_ns and not is_step_done(seats[account.step_seat])):
        return
    heaviest = -1
    for index in range(len(seats)):
        seat = seats[index]
        if seat.account == at:
            stop(seat, markets[seat.instrument], now_ns, outbox)
            is_free = seat.position_lots != 0 and (not seat.is_forced or is_step_done(seat))
            if is_free and (heaviest < 0 or seat.counted.maintenance > seats[heaviest].counted.maintenance):
                heaviest = index
    if heaviest >= 0:
        account.step_seat = heaviest
        account.step_ns = now_ns + RETRY_NS
        reduce(seats[heaviest], markets[seats[heaviest].instrument])
    for index in range(len(seats)):
        seat = seats[index]
        if seat.account == at and (seat.has_target or seat.intent_count > 0):
            market = markets[seat.instrument]
            settle(seat, market, account, outbox, calls[index])
            state.clock[0].due_ns = min(state.clock[0].due_ns, market.due_ns)


def is_step_done(seat: Seat) -> bool:
    """Whether the position is as small as it was to become, and nothing is on its way any more."""
    return abs(seat.position_lots) <= seat.keep_lots and seat.blotter.count == 0


def stop(seat: Seat, market: Market, now_ns: int, outbox: Outbox) -> None:
    """No order of its own works any more, and no new one may enlarge anything."""
    market.now_ns = max(market.now_ns, now_ns)
    if seat.halted != LIQUIDATED:
        seat.halted = LIQUIDATED
        seat.has_target = False
        outbox.put(HALTED, seat.index, market.now_ns, 0, 0, LIQUIDATED, 0, 0, 0, 0.0)
    for at in range(seat.blotter.count):
        order = seat.blotter.orders[at]
        if order.id != seat.forced_order and order.state != CANCELLING and not order.wants_cancel:
            order.wants_cancel = True
            seat.intent_count += 1


def reduce(seat: Seat, market: Market) -> None:
    """Ask for the lots that lie above the tier below; the whole position in the lowest tier."""
    seat.keep_lots = 0
    value, held_lots = seat.margin_value(market), abs(seat.position_lots)
    tier = market.tier_of(value)
    if tier > 0:
        kept_lots = int64(held_lots * (market.tiers[tier - 1, CAP] / value))
        seat.keep_lots = kept_lots if kept_lots < held_lots else 0
    seat.is_forced = True
    seat.is_flattening = True
    seat.target_retry_ns = 0
    seat.has_target = True
