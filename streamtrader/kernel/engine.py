"""The one loop. Live, paper and replay all call `advance`; nothing else decides anything.

It plays events and never reads a clock, allocates, logs or does I/O.

Order of things at one event:

1. what arrives before it: requests at the simulated venues, their reports at the seats, candles that have ended;
2. the market takes the event in;
3. each seat of the instrument: its venue matches, its strategy decides, risk and venue take what it asked for.

A plain Python strategy cannot be called from here. The loop returns early with `clock.wake_seat` and the event in
`clock.woken`, the caller plays the strategy, calls `finish_turn`, and calls `advance` again: it goes on at exactly the
next seat.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamtrader.events import MORE, Event, Kind
from streamtrader.kernel.account import Account
from streamtrader.kernel.accounting import hear_mark, keep, keeping_ns
from streamtrader.kernel.calls import array_from, call_at
from streamtrader.kernel.candles import FAR_NS
from streamtrader.kernel.commands import obey
from streamtrader.kernel.compiler import compiled_as, inlined
from streamtrader.kernel.cuts import arrive, match, settle
from streamtrader.kernel.interest import after_fill
from streamtrader.kernel.liquidation import margin_call
from streamtrader.kernel.market import Market
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import Outbox, OutboxKind
from streamtrader.kernel.record import int64
from streamtrader.kernel.reports import next_report
from streamtrader.kernel.seat import Seat, note_due
from streamtrader.kernel.state import Clock, State, state_from
from streamtrader.kernel.table import call_strategy, is_python
from streamtrader.kernel.waiting import expire

# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
CANDLE, TIMER, FILL = int(Kind.CANDLE), int(Kind.TIMER), int(Kind.FILL)
FAILED, STRATEGY_FAILED = int(OutboxKind.FAILED), int(Refusal.STRATEGY_FAILED)
DELIVERIES = 4_096  # reports that may come before one event, and 16 more a seat; the rest waits


def advance(state: State, outbox: Any, calls: Any, events: Any, mask: int, start: int, stop: int) -> int:
    """Play the events numbered `start` to `stop` and return the next one to play.

    An event's place is `sequence & mask`; -1 for a flat tape, whose block headers (kind 0) are passed over.
    """
    clock = state.clock[0]
    clock.wake_seat = -1
    for sequence in range(start, stop):
        event = events[sequence & mask]
        if event.kind == 0:
            continue
        if clock.resume_at == 0:
            if outbox[0].is_half_full():
                return sequence
            clock.now_ns = max(clock.now_ns, event.received_ns)
            if clock.now_ns >= clock.due_ns and deliver_all(state, outbox[0], calls):
                return sequence
        if event.kind >= Kind.TIMER and event.kind != Kind.LINK:
            play_for_all(state, outbox[0], calls, event)
        elif play_event(state, outbox[0], calls, event):
            return sequence
        if event.received_ns < clock.now_ns:
            clock.backward_count += 1
        clock.resume_at = 0
        clock.delivery_count = 0
        clock.event_count += 1
    return stop


@inlined
def play_event(state: State, outbox: Outbox, calls: Any, event: Event) -> bool:
    """An event of one instrument; True when a Python strategy must be called first."""
    clock, seats = state.clock[0], state.seats
    market = state.markets[event.instrument]
    first = market.first_seat
    if clock.resume_at == 0:
        market.now_ns = clock.now_ns
        market.event_ns = clock.now_ns
        market.observe(event)
    else:
        first = clock.resume_at - 1
    kind = np.int64(event.kind)
    is_trade = kind == Kind.TRADE
    if market.busy_count == 0 and not is_trade and not market.kinds >> kind & 1:
        return False  # nobody is concerned; most rows of a book end here
    if kind == Kind.CANDLE and not market.wants_candle(event):
        return False
    for index in range(first, market.stop_seat):
        seat = seats[index]
        if seat.is_busy:
            if seat.is_met(event, market):
                match(seat, event, market, calls[index])
            if seat.intent_count > 0 and event.flags & MORE == 0:
                settle(seat, market, state.accounts[seat.account], outbox, calls[index])
        if is_trade and seat.position_lots != 0:
            account = state.accounts[seat.account]
            seat.mark(market)
            account.follow(seat, market)
            if account.lacks_margin():
                margin_call(seat.account, clock.now_ns, state, outbox, calls)
        if calls[index].kinds >> kind & 1:
            if is_python(calls[index]):
                if event.kind == Kind.BOOK and event.flags & MORE:
                    continue
                clock.wake_seat = index
                clock.resume_at = index + 2  # afterwards: on with the next seat
                clock.woken[0] = event
                return True
            take_turn(seat, market, state.accounts[seat.account], outbox, calls[index], event)
    clock.due_ns = min(clock.due_ns, market.due_ns)
    return False


@inlined
def take_turn(seat: Seat, market: Market, account: Account, outbox: Outbox, call: Any, event: Event) -> None:
    """A compiled strategy decides, then risk and venue take what it asked for.

    One that raises may only reduce from now on: its seat is halted and says so.
    """
    if call_strategy(call, event, seat, market, account) != 0:
        seat.failure_count += 1
        seat.has_target = False
        if seat.halt(STRATEGY_FAILED):
            outbox.put(FAILED, seat.index, market.now_ns, 0, 0, STRATEGY_FAILED, 0, 0, 0, 0.0)
    if (seat.has_target or seat.intent_count > 0) and seat.has_asked():
        settle(seat, market, account, outbox, call)


def deliver_all(state: State, outbox: Outbox, calls: Any) -> bool:
    return deliver(state, outbox, calls)


@compiled_as(deliver_all)
def _deliver_all(state: Any, outbox: Any, calls: Any) -> Any:
    def by_address(state, outbox, calls):  # type: ignore[no-untyped-def]
        first = (state.clock[0], state.accounts[0], state.markets[0], state.seats[0], outbox, calls[0])
        return call_at(calls[0].deliver_code, first) != 0

    return by_address


def deliver_part(clock: Clock, account: Account, market: Market, seat: Seat, outbox: Outbox, call: Any) -> int:
    """`deliver` as it is called by address: with the first record of each array."""
    calls = array_from(call, clock.seat_count)
    return 1 if deliver(state_from(clock, account, market, seat), outbox, calls) else 0


def deliver(state: State, outbox: Outbox, calls: Any) -> bool:
    """All that was due by now; True when a Python strategy must be called first.

    What was due before the timer comes before it, so that no strategy sees time run backwards; what was asked for in
    a timer's turn may itself be due by now and must still meet the book as it was before the event in hand. Money is
    charged for the positions that were there when it was due.
    """
    clock, markets = state.clock[0], state.markets
    now_ns = clock.now_ns
    clock.due_ns = now_ns  # until all is delivered, so that an early return comes back here
    while clock.timer_seat == 0 and min(clock.tick_due_ns, clock.charge_due_ns) <= now_ns:
        at_ns = keeping_ns(clock)
        if deliver_until(at_ns, state, outbox, calls) or outbox.is_half_full():
            return True
        keep(at_ns, state, outbox, calls)
    if clock.timer_seat != 0 or clock.timer_due_ns <= now_ns:
        told_ns = now_ns - now_ns % clock.timer_ns
        if clock.timer_seat == 0 and deliver_until(told_ns, state, outbox, calls):
            return True
        if tell_time(state, outbox, calls):
            return True
    if deliver_until(now_ns, state, outbox, calls):
        return True
    if clock.timer_ns > 0 and clock.timer_due_ns == FAR_NS:
        clock.timer_due_ns = now_ns - now_ns % clock.timer_ns + clock.timer_ns
    if clock.tick_ns > 0 and clock.tick_due_ns == FAR_NS:
        clock.tick_due_ns = now_ns - now_ns % clock.tick_ns + clock.tick_ns
    clock.due_ns = min(clock.timer_due_ns, clock.tick_due_ns, clock.charge_due_ns)
    for instrument in range(len(markets)):
        clock.due_ns = min(clock.due_ns, markets[instrument].due_ns)
    return False


def deliver_until(until_ns: int, state: State, outbox: Outbox, calls: Any) -> bool:
    """Candles and messages, market by market; True when a Python strategy must be called, or rows be taken, first."""
    clock, markets, seats = state.clock[0], state.markets, state.seats
    limit = DELIVERIES + 16 * len(seats)
    for instrument in range(len(markets)):
        market = markets[instrument]
        while market.due_ns <= until_ns and clock.delivery_count < limit:
            if outbox.is_half_full():
                return True  # after a long silence candles of many instruments come before one event
            due_ns = first_due_ns(market, seats)
            if market.candle_seat != 0 or market.candle.end_ns <= min(until_ns, due_ns - 1):
                if close_candle(state, market, outbox, calls, instrument):
                    return True
            elif deliver_to_seats(until_ns, state, market, outbox, calls, instrument):
                return True
            market.due_ns = min(market.candle.end_ns, first_due_ns(market, seats))
    return False


def first_due_ns(market: Market, seats: Any) -> int:
    due_ns = FAR_NS
    for index in range(market.first_seat, market.stop_seat):
        due_ns = min(due_ns, seats[index].due_ns)
    return due_ns


def deliver_to_seats(
    until_ns: int, state: State, market: Market, outbox: Outbox, calls: Any, instrument: int
) -> bool:
    """Requests meet the book as it was before this event; then come the answers, each with a turn of its own."""
    clock, seats = state.clock[0], state.seats
    until_ns = min(until_ns, market.candle.end_ns)
    limit = DELIVERIES + 16 * len(seats)
    told = clock.woken[0]
    for index in range(market.first_seat, market.stop_seat):
        seat = seats[index]
        if seat.due_ns > until_ns:
            continue
        account = state.accounts[seat.account]
        market.now_ns = market.event_ns
        while clock.delivery_count < limit:
            arrive(seat, told, market, min(until_ns, seat.expiry_ns), calls[index])
            answer_ns = seat.venue.reports.first_ns()
            if seat.expiry_ns < answer_ns and seat.expiry_ns <= until_ns:
                market.now_ns = max(market.event_ns, seat.expiry_ns)
                expire(seat)
                settle(seat, market, account, outbox, calls[index])
                continue
            if answer_ns > until_ns:
                break
            clock.delivery_count += 1
            told.instrument = instrument
            if seat.rates.asset_market >= 0:
                seat.rates.see(state.markets[seat.rates.asset_market])
            kind = next_report(seat, market, account, outbox, told)
            account.refresh(seat, market)
            if kind == FILL:
                after_fill(seat, market, account, outbox)
                clock.charge_due_ns = min(clock.charge_due_ns, account.interest_due_ns)
            if calls[index].kinds >> kind & 1:
                if is_python(calls[index]):
                    clock.wake_seat = index
                    note_due(seat, market)
                    return True
                take_turn(seat, market, account, outbox, calls[index], told)
            elif seat.intent_count > 0:  # what a fill or an answer means for other orders
                settle(seat, market, account, outbox, calls[index])
        if seat.wants_flat() and seat.target_retry_ns <= until_ns:
            market.now_ns = until_ns
            seat.has_target = True
            settle(seat, market, account, outbox, calls[index])
        note_due(seat, market)
    return False


def close_candle(state: State, market: Market, outbox: Outbox, calls: Any, instrument: int) -> bool:
    """Close the interval that has ended and tell the seats; True when a Python strategy must be called first."""
    clock, seats = state.clock[0], state.seats
    if market.candle_seat == 0:
        if market.candle.close == 0.0:
            market.candle.forget()
            return False
        market.candle.skip_to(clock.now_ns)
        market.close_candle()
        market.closed[0].instrument = instrument
        market.candle_seat = market.first_seat + 1
    market.now_ns = max(market.event_ns, market.closed[0].received_ns)
    for index in range(market.candle_seat - 1, market.stop_seat):
        market.candle_seat = index + 2
        if calls[index].kinds >> CANDLE & 1:
            if is_python(calls[index]):
                clock.wake_seat = index
                clock.woken[0] = market.closed[0]
                return True
            account = state.accounts[seats[index].account]
            take_turn(seats[index], market, account, outbox, calls[index], market.closed[0])
    market.candle_seat = 0
    market.candle.next_interval()
    return False


def tell_time(state: State, outbox: Outbox, calls: Any) -> bool:
    """A whole `timer_ns` has passed, or several: the seats hear of the last one. True to call a Python strategy."""
    clock, markets, seats = state.clock[0], state.markets, state.seats
    if clock.timer_seat == 0:
        clock.timer_due_ns = clock.now_ns - clock.now_ns % clock.timer_ns
        clock.timer_seat = 1
    told = clock.woken[0]
    for index in range(clock.timer_seat - 1, len(seats)):
        clock.timer_seat = index + 2
        if calls[index].kinds >> TIMER & 1:
            market = markets[seats[index].instrument]
            market.now_ns = max(market.event_ns, clock.timer_due_ns)
            told.kind = TIMER
            told.instrument = seats[index].instrument
            told.received_ns = clock.timer_due_ns
            told.venue_ns = clock.timer_due_ns
            if is_python(calls[index]):
                clock.wake_seat = index
                return True
            take_turn(seats[index], market, state.accounts[seats[index].account], outbox, calls[index], told)
    clock.timer_seat = 0
    clock.timer_due_ns += clock.timer_ns
    return False


def play_for_all(state: State, outbox: Outbox, calls: Any, event: Event) -> None:
    """A timer only moves the clock; a mark concerns all positions there, a halt is the market's, a command every seat's."""
    clock, markets, seats = state.clock[0], state.markets, state.seats
    if event.kind == Kind.MARK:
        hear_mark(state, outbox, calls, event)
    elif event.kind == Kind.STATUS:
        market = markets[event.instrument]
        market.now_ns = clock.now_ns
        market.event_ns = clock.now_ns
        market.observe_rest(event)
        return
    if event.kind != Kind.COMMAND:
        return
    command = int64(event.command.code)  # type: ignore[attr-defined]
    for index in range(len(seats)):
        market = markets[seats[index].instrument]
        market.now_ns = clock.now_ns
        market.event_ns = clock.now_ns
        obey(command, seats[index], market, state.accounts[seats[index].account], outbox, calls[index])
        clock.due_ns = min(clock.due_ns, market.due_ns)


def finish_turn(state: State, outbox: Any, calls: Any, index: int) -> None:
    """The end of a Python strategy's turn, compiled: risk and venue take what it asked for."""
    clock = state.clock[0]
    seat = state.seats[index]
    market = state.markets[seat.instrument]
    if seat.has_asked():
        settle(seat, market, state.accounts[seat.account], outbox[0], calls[index])
    clock.due_ns = min(clock.due_ns, market.due_ns)
