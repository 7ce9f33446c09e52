"""The one loop. Live, paper and replay all call `advance`; nothing else decides anything.

It plays events and never reads a clock, allocates, logs or does I/O. The state is a few arrays of records, never one
big record: lengths of nested arrays are part of a type, lengths of arrays are not.

Order of things at one event:

1. what arrives before it: requests at the simulated venues, their reports at the seats, candles that have ended;
2. the market takes the event in;
3. each seat of the instrument: its venue matches, its strategy decides, risk and venue take what it asked for.

A plain Python strategy cannot be called from here. The loop returns early with `clock.wake_seat` and the event in
`clock.woken`, the caller plays the strategy, calls `finish_turn`, and calls `advance` again: it goes on at exactly the
next seat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from streamtrader.events import MORE, Command, Event, Kind, TapeEvent
from streamtrader.kernel.candles import FAR_NS
from streamtrader.kernel.compiler import inlined
from streamtrader.kernel.market import Market
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import Outbox, OutboxKind
from streamtrader.kernel.record import Record
from streamtrader.kernel.seat import Seat
from streamtrader.kernel.table import call_strategy, handles, is_python
from streamtrader.kernel.turn import next_report, settle

if TYPE_CHECKING:
    from streamtrader.simulator.venue import SimulatedVenue

DELIVERIES = 4_096  # reports and candles that may come before one event, and 16 more a seat; the rest waits


class Clock(Record):
    """Where the loop stands."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.due_ns = FAR_NS  # the earliest of all markets
        self.event_count = 0
        self.backward_count = 0  # events whose clock was behind; time stood still for them
        self.wake_seat = -1  # a plain Python strategy must be called
        self.resume_at = 0  # 1 + the seat from which the event in hand goes on; 0: a new event
        self.delivery_count = 0  # before the event in hand
        self.woken = np.zeros(1, TapeEvent().dtype)


class State(NamedTuple):
    """All that decides. `first_seat[i]` to `first_seat[i + 1]` are the seats of instrument `i`."""

    clock: Any
    markets: Any
    seats: Any
    blotters: Any
    venues: Any
    first_seat: Any


def advance(state: State, outbox: Any, called: Any, events: Any, mask: int, start: int, stop: int) -> int:
    """Play the events numbered `start` to `stop` and return the next one to play.

    An event's place is `sequence & mask`; -1 for a flat tape, whose block headers (kind 0) are passed over.
    """
    clock = state.clock[0]
    for sequence in range(start, stop):
        event = events[sequence & mask]
        if event.kind == 0:
            continue
        if clock.resume_at == 0:
            if outbox[0].is_half_full():
                return sequence
            clock.now_ns = max(clock.now_ns, event.received_ns)
            if clock.now_ns >= clock.due_ns and deliver(clock, state, outbox[0], called):
                return sequence
        if event.kind == Kind.TIMER or event.kind == Kind.COMMAND:
            if play_for_all(clock, state, outbox[0], called, event):
                return sequence
        elif play_event(clock, state, outbox[0], called, event):
            return sequence
        if event.received_ns < clock.now_ns:
            clock.backward_count += 1
        clock.resume_at = 0
        clock.delivery_count = 0
        clock.event_count += 1
    return stop


@inlined
def play_event(clock: Clock, state: State, outbox: Outbox, called: Any, event: Event) -> bool:
    """An event of one instrument; True when a Python strategy must be called first."""
    market = state.markets[event.instrument]
    first = state.first_seat[event.instrument]
    if clock.resume_at == 0:
        market.now_ns = clock.now_ns
        market.event_ns = clock.now_ns
        market.observe(event)
    else:
        first = clock.resume_at - 1
    for index in range(first, state.first_seat[event.instrument + 1]):
        seat = state.seats[index]
        if seat.is_busy:
            venue = state.venues[index]
            venue.match(event, market)
            note_due(seat, venue, market)
        if seat.position_lots != 0 and event.flags & MORE == 0:
            seat.mark(market)
        if handles(called, index, event.kind):
            if is_python(called, index):
                return wake(clock, index, event)
            take_turn(state, outbox, called, index, event, market)
    clock.due_ns = min(clock.due_ns, market.due_ns)
    return False


@inlined
def take_turn(state: State, outbox: Outbox, called: Any, index: int, event: Event, market: Market) -> None:
    """A compiled strategy decides, then risk and venue take what it asked for."""
    seat = state.seats[index]
    failed = call_strategy(called, index, event, seat, state.blotters[index], market)
    if failed != 0:
        fail(seat, market, outbox)
    if seat.has_target or seat.intent_count > 0:
        settle(seat, state.blotters[index], state.venues[index], market, outbox, called)


def fail(seat: Seat, market: Market, outbox: Outbox) -> None:
    """The strategy raised: its seat may only reduce from now on, and says so."""
    seat.failure_count += 1
    seat.has_target = False
    if seat.halt(Refusal.STRATEGY_FAILED):
        outbox.put(OutboxKind.FAILED, seat.index, market.now_ns, 0, 0, Refusal.STRATEGY_FAILED, 0, 0, 0, 0.0)


def note_due(seat: Seat, venue: SimulatedVenue, market: Market) -> None:
    seat.is_busy = venue.is_busy()
    seat.due_ns = venue.first_ns()
    market.due_ns = min(market.due_ns, seat.due_ns)


def wake(clock: Clock, index: int, event: Event) -> bool:
    """Stop the loop for the Python strategy of a seat; afterwards it goes on with the next seat."""
    clock.wake_seat = index
    clock.resume_at = index + 2
    clock.woken[0] = event
    return True


def deliver(clock: Clock, state: State, outbox: Outbox, called: Any) -> bool:
    """All that was due by now, market by market; True when a Python strategy must be called first."""
    now_ns = clock.now_ns
    clock.due_ns = now_ns  # until all is delivered, so that an early return comes back here
    limit = DELIVERIES + 16 * len(state.seats)
    for instrument in range(len(state.markets)):
        market = state.markets[instrument]
        while market.due_ns <= now_ns and clock.delivery_count < limit:
            if market.candle_seat != 0 or market.candle.end_ns <= min(now_ns, seats_due_ns(state, instrument) - 1):
                if close_candle(clock, state, outbox, called, instrument, now_ns):
                    return True
            elif deliver_to_seats(clock, state, outbox, called, instrument, min(now_ns, market.candle.end_ns), limit):
                return True
            market.due_ns = min(market.candle.end_ns, seats_due_ns(state, instrument))
    clock.due_ns = FAR_NS
    for instrument in range(len(state.markets)):
        clock.due_ns = min(clock.due_ns, state.markets[instrument].due_ns)
    return False


def seats_due_ns(state: State, instrument: int) -> int:
    due_ns = FAR_NS
    for index in range(state.first_seat[instrument], state.first_seat[instrument + 1]):
        due_ns = min(due_ns, state.seats[index].due_ns)
    return due_ns


def deliver_to_seats(
    clock: Clock, state: State, outbox: Outbox, called: Any, instrument: int, until_ns: int, limit: int
) -> bool:
    """Requests meet the book as it was before this event; then come the answers, each with a turn of its own."""
    market = state.markets[instrument]
    for index in range(state.first_seat[instrument], state.first_seat[instrument + 1]):
        seat = state.seats[index]
        if seat.due_ns > until_ns:
            continue
        blotter, venue = state.blotters[index], state.venues[index]
        market.now_ns = market.event_ns
        while clock.delivery_count < limit:
            venue.arrivals(until_ns, market)
            if venue.reports.first_ns() > until_ns:
                break
            clock.delivery_count += 1
            kind = next_report(seat, blotter, venue, market, outbox, clock.woken)
            clock.woken[0].instrument = instrument
            if kind != 0 and handles(called, index, kind):
                if is_python(called, index):
                    clock.wake_seat = index
                    note_due(seat, venue, market)
                    return True
                take_turn(state, outbox, called, index, clock.woken[0], market)
        note_due(seat, venue, market)
    return False


def close_candle(clock: Clock, state: State, outbox: Outbox, called: Any, instrument: int, now_ns: int) -> bool:
    """Close the interval that has ended and tell the seats; True when a Python strategy must be called first."""
    market = state.markets[instrument]
    if market.candle_seat == 0:
        market.candle.skip_to(now_ns)
        market.close_candle()
        market.closed[0].instrument = instrument
        market.candle_seat = state.first_seat[instrument] + 1
    market.now_ns = max(market.event_ns, market.closed[0].received_ns)
    for index in range(market.candle_seat - 1, state.first_seat[instrument + 1]):
        market.candle_seat = index + 2
        if handles(called, index, Kind.CANDLE):
            if is_python(called, index):
                clock.wake_seat = index
                clock.woken[0] = market.closed[0]
                return True
            take_turn(state, outbox, called, index, market.closed[0], market)
    market.candle_seat = 0
    clock.delivery_count += 1
    market.candle.next_interval()
    return False


def play_for_all(clock: Clock, state: State, outbox: Outbox, called: Any, event: Event) -> bool:
    """A timer or an operator's command concerns every seat."""
    first = max(0, clock.resume_at - 1)
    for index in range(first, len(state.seats)):
        seat = state.seats[index]
        market = state.markets[seat.instrument]
        market.now_ns = clock.now_ns
        market.event_ns = clock.now_ns
        if event.kind == Kind.COMMAND:
            obey(np.int64(event.command.code), state, outbox, called, index)  # type: ignore[attr-defined]
        elif handles(called, index, event.kind):
            if is_python(called, index):
                return wake(clock, index, event)
            take_turn(state, outbox, called, index, event, market)
        clock.due_ns = min(clock.due_ns, market.due_ns)
    return False


def obey(command: int, state: State, outbox: Outbox, called: Any, index: int) -> None:
    """The operator's word, for one seat. Cancelling and reducing stay possible in every state."""
    seat, blotter = state.seats[index], state.blotters[index]
    market = state.markets[seat.instrument]
    if command == Command.RESUME:
        seat.resume()
        return
    code = Refusal.KILLED if command == Command.KILL else Refusal.PAUSED
    if seat.halt(code):
        outbox.put(OutboxKind.HALTED, seat.index, market.now_ns, 0, 0, code, 0, 0, 0, 0.0)
    if command == Command.PAUSE:
        return
    for at in range(blotter.count):
        order = blotter.orders[at]
        if not order.wants_cancel:
            order.wants_cancel = True
            seat.intent_count += 1
    seat.target_lots = 0
    seat.target_retry_ns = 0
    seat.has_target = True
    settle(seat, blotter, state.venues[index], market, outbox, called)


def finish_turn(state: State, outbox: Any, called: Any, index: int) -> None:
    """The end of a Python strategy's turn, compiled: risk and venue take what it asked for."""
    clock = state.clock[0]
    clock.wake_seat = -1
    seat = state.seats[index]
    market = state.markets[seat.instrument]
    if seat.has_target or seat.intent_count > 0:
        settle(seat, state.blotters[index], state.venues[index], market, outbox[0], called)
    clock.due_ns = min(clock.due_ns, market.due_ns)
