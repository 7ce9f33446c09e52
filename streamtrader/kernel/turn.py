"""One seat's turn: what it asked for passes risk and leaves.

Only `settle` may turn an intent into a sent order, and it does so only after the engine's own gate and every rule
of the seat have let it pass. An order that was held back passes both again when its trigger is reached.
"""

from __future__ import annotations

from typing import Any

from streamtrader.events import BUY, SELL, BookState
from streamtrader.kernel.account import Account
from streamtrader.kernel.broker import INVALID, Broker
from streamtrader.kernel.margin import funds_refusal
from streamtrader.kernel.market import NO_STATE, Market
from streamtrader.kernel.orders import ARMED as IS_ARMED
from streamtrader.kernel.orders import CANCELLING, Order, OrderState, Refusal, Step
from streamtrader.kernel.outbox import (
    ALL_OR_NONE,
    ICEBERG,
    IMMEDIATE,
    LINKED,
    POST_ONLY,
    PROTECTING,
    REDUCE_ONLY,
    TIMED,
    Outbox,
    OutboxKind,
)
from streamtrader.kernel.seat import Seat
from streamtrader.kernel.table import refusal_by_rules
from streamtrader.kernel.waiting import end_of

# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
INTENT, HALTED, SENT = int(OutboxKind.INTENT), int(OutboxKind.HALTED), int(OutboxKind.SENT)
ARMED, TRIGGERED = int(OutboxKind.ARMED), int(OutboxKind.TRIGGERED)
REQUESTS_FULL, TRIGGER_INVALID = int(Refusal.REQUESTS_FULL), int(Refusal.TRIGGER_INVALID)
NOTHING_TO_REDUCE, NOT_TRADING = int(Refusal.NOTHING_TO_REDUCE), int(Refusal.NOT_TRADING)
WITHDRAWN, NOTIONAL_BELOW_MINIMUM, BOOK_NOT_LIVE = int(Refusal.WITHDRAWN), int(Refusal.NOTIONAL_BELOW_MINIMUM), int(Refusal.BOOK_NOT_LIVE)
ASK_CANCEL, REFUSE, PASS = int(Step.ASK_CANCEL), int(Step.REFUSE), int(Step.PASS)
ARM, AMEND, AMENDED = int(Step.ARM), int(Step.AMEND), int(OutboxKind.AMENDED)


def settle(seat: Seat, market: Market, account: Account, outbox: Outbox, call: Any) -> None:
    """The end of a strategy's turn."""
    if seat.has_target:
        ask_for_target(seat, market, account)
    if seat.intent_count == 0:
        return
    seat.intent_count = 0
    if market.now_ns >= seat.next_day_ns:
        seat.roll_day(market.now_ns)  # a seat without a position is not marked, yet its day ends too
    if seat.asked_refusal != 0:
        seat.tell_refusal(market, outbox, seat.asked_refusal, 0, 0, 0, 0)
        seat.asked_refusal = 0
    index = 0
    while index < seat.blotter.count:
        order = seat.blotter.orders[index]
        if order.state == OrderState.INTENT:
            if not settle_intent(order, seat, market, account, outbox, call):
                seat.blotter.remove(index)
                continue
        elif order.wants_cancel and order.state != CANCELLING:
            take_back(order, seat, market)
        elif order.wants_amend and not order.is_amending and order.state != CANCELLING:
            amend(order, seat, market, account, outbox, call)
        elif order.is_released and order.state == IS_ARMED and not let_go(order, seat, market, account, outbox, call):
            seat.blotter.remove(index)
            continue
        index += 1
    account.refresh(seat, market)
    if seat.armed_count > 0:
        seat.set_busy(market, True)
    seat.due_ns = min(seat.due_ns, seat.next_ns())
    market.due_ns = min(market.due_ns, seat.due_ns)


def take_back(order: Order, seat: Seat, market: Market) -> None:
    """Ask the venue to cancel it; one that was held back here is told as cancelled like any other."""
    if order.state == IS_ARMED:
        is_asked = seat.venue.answer(market.now_ns, order)
        seat.armed_count -= 1 if is_asked else 0
    else:
        is_asked = seat.venue.send_cancel(order.id, market.now_ns)
    if is_asked:
        order.wants_cancel = False
        order.wants_amend = False
        seat.blotter.step(order, ASK_CANCEL)
    else:
        seat.intent_count += 1  # the buffer is full: asked again in the next turn


def ask_for_target(seat: Seat, market: Market, account: Account) -> None:
    """The difference between what is wanted and what is held or on its way, as a market order."""
    seat.has_target = False
    wanted = lots_to_flat(seat) if seat.is_flattening else seat.target_lots - seat.expected_lots()
    if wanted == 0 or market.now_ns < seat.target_retry_ns:
        return
    lots = abs(wanted)
    price = market.mark_price()
    is_small = price * lots / market.lots_per_unit < market.minimum_notional
    if price > 0.0 and is_small and seat.target_lots != 0 and not seat.is_flattening:
        return  # dust: nearer to the target than the venue's smallest order
    order_id = Broker(seat, market, account).ask_lots(BUY if wanted > 0 else SELL, lots, 0, False, True)
    if seat.is_forced:
        seat.forced_order = order_id


def lots_to_flat(seat: Seat) -> int:
    """What may be asked for at once: orders that are being cancelled may still be filled before they are gone."""
    if seat.position_lots > 0:
        return -max(0, seat.position_lots - seat.keep_lots - seat.working_sell_lots)
    return max(0, -seat.position_lots - seat.keep_lots - seat.working_buy_lots)


def settle_intent(order: Order, seat: Seat, market: Market, account: Account, outbox: Outbox, call: Any) -> bool:
    """Send the order, hold it back, or refuse it: then False, and it must leave the blotter."""
    outbox.put(
        INTENT, seat.index, market.now_ns, order.id, order.side, bits_of(order),
        order.ticks, order.lots, order.lots, 0.0,
    )  # fmt: skip
    if order.trigger.kind == INVALID:
        return not refuse(order, seat, market, outbox, TRIGGER_INVALID)
    if order.wants_cancel:
        return not refuse(order, seat, market, outbox, WITHDRAWN)
    if order.expires_ns != 0 and not seat.venue.knows_expiry:
        order.is_timed_here = True
        seat.expiry_ns = min(seat.expiry_ns, order.expires_ns)
    if order.parent != 0 or (order.trigger.kind != 0 and not seat.venue.knows_trigger(order.trigger)):
        seat.blotter.step(order, ARM)
        seat.armed_count += 1
        tell_armed(order, seat, market, outbox)
        return True
    refusal = refusal_of(order, seat, market, account, outbox, call)
    if refusal == 0 and not send(order, seat, market, outbox):
        refusal = REQUESTS_FULL
    return refusal == 0 or not refuse(order, seat, market, outbox, refusal)


def tell_armed(order: Order, seat: Seat, market: Market, outbox: Outbox) -> None:
    """For which price it waits; whoever holds it back."""
    outbox.put(
        ARMED, seat.index, market.now_ns, order.id, order.side, 0,
        order.trigger.nearest_ticks(), order.lots, order.lots, 0.0,
    )  # fmt: skip


def bits_of(order: Order) -> int:
    """What kind of order it is, as an INTENT row says it."""
    bits = (POST_ONLY if order.post_only else 0) | (IMMEDIATE if order.immediate else 0)
    bits |= (ALL_OR_NONE if order.all_or_none else 0) | (REDUCE_ONLY if order.reduce_only else 0)
    bits |= (ICEBERG if order.display_lots != 0 else 0) | (TIMED if order.expires_ns != 0 else 0)
    bits |= (LINKED if order.group != 0 else 0) | (PROTECTING if order.parent != 0 else 0)
    return bits | (32 << order.trigger.kind if order.trigger.kind > 0 else 0)


def refuse(order: Order, seat: Seat, market: Market, outbox: Outbox, code: int) -> bool:
    seat.blotter.step(order, REFUSE)
    seat.tell_refusal(market, outbox, code, order.id, order.side, order.ticks, order.lots)
    end_of(seat, order)
    return True


def refusal_of(order: Order, seat: Seat, market: Market, account: Account, outbox: Outbox, call: Any) -> int:
    """Why the order may not be sent; 0 when it may. One that only reduces is cut to what there is to reduce."""
    seat.mark(market)  # rules must see what the seat is worth now
    if order.id == seat.forced_order:
        return 0  # nobody is asked about an order of the venue itself
    if order.reduce_only:
        order.lots = min(order.lots, order.filled_lots + seat.reducible_lots(order))
        if order.lots <= order.filled_lots:
            return NOTHING_TO_REDUCE
    refusal = gate(order, seat, market, account)
    if refusal == 0:
        refusal = funds_refusal(order, seat, market, account)
    if refusal == 0:
        halted = seat.halted
        refusal = refusal_by_rules(call, order, seat, market, account)
        if seat.halted != halted:
            outbox.put(HALTED, seat.index, market.now_ns, 0, 0, seat.halted, 0, 0, 0, 0.0)
    return refusal


def send(order: Order, seat: Seat, market: Market, outbox: Outbox) -> bool:
    """It leaves for the venue; False when the requests are full."""
    if not seat.venue.send(order, market.now_ns):
        return False
    seat.blotter.step(order, PASS)
    order.sent_ns = market.now_ns
    seat.reserve(order, order.open_lots())
    seat.set_busy(market, True)
    if order.trigger.kind != 0:  # the venue holds it back
        tell_armed(order, seat, market, outbox)
    outbox.put(
        SENT, seat.index, market.now_ns, order.id, order.side, 0,
        order.ticks, order.lots, order.open_lots(), 0.0,
    )  # fmt: skip
    return True


def let_go(order: Order, seat: Seat, market: Market, account: Account, outbox: Outbox, call: Any) -> bool:
    """What the order waited for has come; False when it is refused and must leave the blotter.

    One that only reduces protects a position: whatever refuses it now, it is tried again at the next message.
    """
    refusal = refusal_of(order, seat, market, account, outbox, call)
    if refusal == 0 and not seat.venue.has_room_for_request():
        refusal = REQUESTS_FULL
    if refusal == 0:
        seat.armed_count -= 1
        order.is_released = False
        outbox.put(
            TRIGGERED, seat.index, market.now_ns, order.id, order.side, 0,
            order.trigger.nearest_ticks(), order.lots, order.open_lots(), 0.0,
        )  # fmt: skip
        order.trigger.kind = 0
        return send(order, seat, market, outbox)
    if order.reduce_only and refusal != NOTHING_TO_REDUCE:
        seat.tell_refusal(market, outbox, refusal, 0, order.side, order.ticks, order.lots)
        return True
    seat.armed_count -= 1
    return not refuse(order, seat, market, outbox, refusal)


def amend(order: Order, seat: Seat, market: Market, account: Account, outbox: Outbox, call: Any) -> None:
    """Ask the venue for another size or price. More exposure passes gate and rules like a new order of that size."""
    order.wants_amend = False
    if order.state == IS_ARMED:
        order.lots = order.new_lots
        order.ticks = order.new_ticks
        seat.blotter.step(order, AMEND)
        outbox.put(
            AMENDED, seat.index, market.now_ns, order.id, order.side, 0,
            order.ticks, order.lots, order.open_lots(), 0.0,
        )  # fmt: skip
        return
    lots, ticks, reserved = order.lots, order.ticks, order.reserved_lots
    if order.new_lots > lots or order.new_ticks != ticks:
        order.lots = order.new_lots
        order.ticks = order.new_ticks
        seat.reserve(order, 0)
        refusal = refusal_of(order, seat, market, account, outbox, call)
        order.new_lots = order.lots
        order.lots = lots
        order.ticks = ticks
        seat.reserve(order, reserved)
        if refusal != 0:
            seat.tell_refusal(market, outbox, refusal, order.id, order.side, order.new_ticks, order.new_lots)
            return
    if not seat.venue.knows_amend:
        if seat.venue.send_cancel(order.id, market.now_ns):
            order.is_replacing = True
            seat.blotter.step(order, ASK_CANCEL)
        return
    if seat.venue.send_amend(order, market.now_ns):
        order.is_amending = True
        seat.reserve(order, max(reserved, order.new_lots - order.filled_lots))
    else:
        order.wants_amend = True
        seat.intent_count += 1


def gate(order: Order, seat: Seat, market: Market, account: Account) -> int:
    """What holds whatever rules there are: a halted seat and a book that is not LIVE allow only less exposure."""
    price = market.price_of(order.ticks) if order.ticks > 0 else market.mark_price()
    is_whole = order.side == SELL and order.lots == seat.position_lots
    is_whole = is_whole or (order.side == BUY and order.lots == -seat.position_lots)
    if price > 0.0 and market.size_of(order.lots) * price < market.minimum_notional and not is_whole:
        return NOTIONAL_BELOW_MINIMUM
    is_live = market.state == BookState.LIVE or (market.state == NO_STATE and not market.is_warming())
    if seat.halted == 0 and is_live and not market.is_halted():
        return 0
    if Broker(seat, market, account).is_reducing(order):
        return 0
    if seat.halted != 0:
        return seat.halted
    return NOT_TRADING if market.is_halted() else BOOK_NOT_LIVE
