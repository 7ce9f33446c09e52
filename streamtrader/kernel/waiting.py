"""Orders that the engine holds back, and orders that hang together.

A trigger, a partner's fill or the end of an order's time only marks what shall happen; `settle` does it in the same
turn, through the same gate and rules as everything else.
"""

from __future__ import annotations

from streamtrader.kernel.candles import FAR_NS
from streamtrader.kernel.market import Market
from streamtrader.kernel.orders import ARMED, CANCELLING, Order
from streamtrader.kernel.seat import Seat


def watch(seat: Seat, market: Market) -> None:
    """After a message of the market: which of the orders held back fire?"""
    for index in range(seat.blotter.count):
        order = seat.blotter.orders[index]
        if order.state != ARMED or order.lots == 0 or order.trigger.kind == 0 or order.wants_cancel:
            continue
        if order.is_released or order.trigger.is_reached(market, order.side):
            release(seat, order)


def release(seat: Seat, order: Order) -> None:
    """Let it go to the venue, and take its partners back from there: both cannot be meant any more."""
    order.is_released = True
    seat.intent_count += 1
    if order.group == 0:
        return
    for index in range(seat.blotter.count):
        other = seat.blotter.orders[index]
        if other.group == order.group and other.id != order.id and other.state != CANCELLING:
            other.wants_cancel = True


def expire(seat: Seat) -> None:
    """The time of some orders is over; what the next end is."""
    due_ns, seat.expiry_ns = seat.expiry_ns, FAR_NS
    for index in range(seat.blotter.count):
        order = seat.blotter.orders[index]
        if order.expires_ns == 0:
            continue
        if order.expires_ns <= due_ns:
            order.is_replacing = False  # gone is gone, not sent anew
            if order.state != CANCELLING:
                order.wants_cancel = True
                seat.intent_count += 1
        elif order.is_timed_here:
            seat.expiry_ns = min(seat.expiry_ns, order.expires_ns)


def pass_on(seat: Seat, filled: Order, lots: int) -> None:
    """A fill gives the orders that protect it their size, and takes the same from its partners."""
    if filled.group == 0 and not filled.is_parent:
        return
    for index in range(seat.blotter.count):
        other = seat.blotter.orders[index]
        if other.id == filled.id:
            continue
        if other.parent == filled.id:
            resize(seat, other, planned_lots(other) + lots)
        elif filled.group != 0 and other.group == filled.group:
            resize(seat, other, planned_lots(other) - lots)


def planned_lots(order: Order) -> int:
    """The whole size that it has, or will have once the venue has taken the last change."""
    return order.new_lots if order.wants_amend or order.is_amending else order.lots


def resize(seat: Seat, order: Order, lots: int) -> None:
    """Another whole size; nothing left of it is the end of the order."""
    seat.intent_count += 1
    if lots <= order.filled_lots:
        order.wants_cancel = True
    elif order.state == ARMED:
        order.lots = lots
        if order.trigger.kind == 0:
            order.is_released = True  # it waited for nothing but its size
    else:
        order.new_lots = lots
        order.new_ticks = order.ticks
        order.wants_amend = True


def end_of(seat: Seat, order: Order) -> None:
    """An order is done: those that waited for its fills in vain go too."""
    if not order.is_parent:
        return
    for index in range(seat.blotter.count):
        other = seat.blotter.orders[index]
        if other.parent == order.id and other.lots == 0:
            other.wants_cancel = True
            seat.intent_count += 1
