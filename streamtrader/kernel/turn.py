"""One seat's turn: what it asked for passes risk and leaves, and what the venue answered is taken in.

Only `settle` may turn an intent into a sent order, and it does so only after the engine's own gate and every rule
of the seat have let it pass.
"""

from __future__ import annotations

from typing import Any

from streamtrader.events import BUY, SELL, BookState, Event, Kind
from streamtrader.kernel.account import Account
from streamtrader.kernel.broker import Broker
from streamtrader.kernel.market import NO_STATE, Market
from streamtrader.kernel.orders import Order, OrderState, Refusal, Step
from streamtrader.kernel.outbox import IMMEDIATE, POST_ONLY, TAKER, Outbox, OutboxKind
from streamtrader.kernel.seat import RETRY_NS, Seat
from streamtrader.kernel.table import refusal_by_rules

# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
INTENT, HALTED, SENT = int(OutboxKind.INTENT), int(OutboxKind.HALTED), int(OutboxKind.SENT)
REFUSED, FILLED, ACCEPTED = int(OutboxKind.REFUSED), int(OutboxKind.FILLED), int(OutboxKind.ACCEPTED)
CANCELLED, REJECTED, REQUESTS_FULL = int(OutboxKind.CANCELLED), int(OutboxKind.REJECTED), int(Refusal.REQUESTS_FULL)
WITHDRAWN, NOTIONAL_BELOW_MINIMUM, BOOK_NOT_LIVE = int(Refusal.WITHDRAWN), int(Refusal.NOTIONAL_BELOW_MINIMUM), int(Refusal.BOOK_NOT_LIVE)
ASK_CANCEL, REFUSE, PASS = int(Step.ASK_CANCEL), int(Step.REFUSE), int(Step.PASS)
ACCEPT, CANCEL, REJECT = int(Step.ACCEPT), int(Step.CANCEL), int(Step.REJECT)
FILL_REST, FILL_PART, FILL_EVENT = int(Step.FILL_REST), int(Step.FILL_PART), int(Kind.FILL)
ORDER_EVENT = int(Kind.ORDER)
_ACCEPTED, _FILLED_AS_MAKER, _FILLED_AS_TAKER, _CANCELLED, _REJECTED = 1, 2, 3, 4, 5  # as in simulator.venue
_KIND, _ORDER, _TICKS, _LOTS, _REMAINING, _CODE = range(6)  # as in simulator.flight


def settle(seat: Seat, market: Market, account: Account, outbox: Outbox, call: Any) -> None:
    """The end of a strategy's turn."""
    blotter, venue = seat.blotter, seat.venue
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
    while index < blotter.count:
        order = blotter.orders[index]
        if order.state == OrderState.INTENT:
            if settle_intent(order, seat, market, account, outbox, call):
                index += 1
            else:
                blotter.remove(index)
            continue
        if order.wants_cancel and order.state != OrderState.CANCELLING:
            if venue.send_cancel(order.id, market.now_ns):
                order.wants_cancel = False
                blotter.step(order, ASK_CANCEL)
            else:
                seat.intent_count += 1  # the requests are full: asked again in the next turn
        index += 1
    seat.due_ns = min(seat.due_ns, seat.next_ns())
    market.due_ns = min(market.due_ns, seat.due_ns)


def ask_for_target(seat: Seat, market: Market, account: Account) -> None:
    """The difference between what is wanted and what is held or on its way, as a market order."""
    seat.has_target = False
    working = seat.working_buy_lots - seat.working_sell_lots
    wanted = seat.target_lots - seat.position_lots - working
    if seat.is_flattening:
        wanted = lots_to_flat(seat)
    if wanted == 0 or market.now_ns < seat.target_retry_ns:
        return
    lots = abs(wanted)
    price = market.mark_price()
    is_small = price * lots / market.lots_per_unit < market.minimum_notional
    if price > 0.0 and is_small and seat.target_lots != 0 and not seat.is_flattening:
        return  # dust: nearer to the target than the venue's smallest order
    Broker(seat, market, account).ask_lots(BUY if wanted > 0 else SELL, lots, 0, False, True)


def lots_to_flat(seat: Seat) -> int:
    """What may be asked for at once: orders that are being cancelled may still be filled before they are gone."""
    if seat.position_lots > 0:
        return -max(0, seat.position_lots - seat.working_sell_lots)
    return max(0, -seat.position_lots - seat.working_buy_lots)


def settle_intent(order: Order, seat: Seat, market: Market, account: Account, outbox: Outbox, call: Any) -> bool:
    """Send the order, or refuse it: then False, and it must leave the blotter."""
    code = (POST_ONLY if order.post_only else 0) | (IMMEDIATE if order.immediate else 0)
    outbox.put(
        INTENT, seat.index, market.now_ns, order.id, order.side, code,
        order.ticks, order.lots, order.lots, 0.0,
    )  # fmt: skip
    seat.mark(market)  # rules must see what the seat is worth now
    refusal = gate(order, seat, market, account)
    if refusal == 0:
        halted = seat.halted
        refusal = refusal_by_rules(call, order, seat, market, account)
        if seat.halted != halted:
            outbox.put(HALTED, seat.index, market.now_ns, 0, 0, seat.halted, 0, 0, 0, 0.0)
    if refusal == 0 and not seat.venue.send(order, market.now_ns):
        refusal = REQUESTS_FULL
    if refusal != 0:
        seat.blotter.step(order, REFUSE)
        seat.tell_refusal(market, outbox, refusal, order.id, order.side, order.ticks, order.lots)
        return False
    seat.blotter.step(order, PASS)
    order.sent_ns = market.now_ns
    seat.working(order.signed_lots(), 1)
    seat.set_busy(market, True)
    outbox.put(
        SENT, seat.index, market.now_ns, order.id, order.side, 0,
        order.ticks, order.lots, order.lots, 0.0,
    )  # fmt: skip
    return True


def gate(order: Order, seat: Seat, market: Market, account: Account) -> int:
    """What holds whatever rules there are: a halted seat and a book that is not LIVE allow only less exposure."""
    if order.wants_cancel:
        return WITHDRAWN
    price = market.price_of(order.ticks) if order.ticks > 0 else market.mark_price()
    is_whole = order.side == SELL and order.lots == seat.position_lots
    is_whole = is_whole or (order.side == BUY and order.lots == -seat.position_lots)
    if price > 0.0 and market.size_of(order.lots) * price < market.minimum_notional and not is_whole:
        return NOTIONAL_BELOW_MINIMUM
    is_live = market.state == BookState.LIVE or (market.state == NO_STATE and not market.is_warming())
    if seat.halted == 0 and is_live:
        return 0
    if Broker(seat, market, account).is_reducing(order):
        return 0
    return seat.halted if seat.halted != 0 else BOOK_NOT_LIVE


def next_report(seat: Seat, market: Market, account: Account, outbox: Outbox, told: Event) -> int:
    """Take the first due report into the seat's own books and into `told`; returns the kind of event it is."""
    blotter, reports = seat.blotter, seat.venue.reports
    words = reports.words[reports.first]
    due_ns = reports.due_ns[reports.first]
    kind, order_id, ticks, lots = words[_KIND], words[_ORDER], words[_TICKS], words[_LOTS]
    remaining, code = words[_REMAINING], words[_CODE]
    reports.drop_first()
    market.now_ns = max(market.event_ns, due_ns)
    index = blotter.find(order_id)
    if index < 0:
        blotter.illegal_count += 1
        return 0
    order = blotter.orders[index]
    fee = 0.0
    is_fill = kind == _FILLED_AS_MAKER or kind == _FILLED_AS_TAKER
    if is_fill:
        fee = take_fill(seat, order, market, ticks, lots, kind == _FILLED_AS_TAKER)
        out, code = FILLED, TAKER if kind == _FILLED_AS_TAKER else 0
    elif kind == _ACCEPTED:
        blotter.step(order, ACCEPT)
        out = ACCEPTED
    else:
        seat.working(order.signed_lots(), -1)
        blotter.step(order, CANCEL if kind == _CANCELLED else REJECT)
        out = CANCELLED if kind == _CANCELLED else REJECTED
        if kind == _CANCELLED:
            seat.cancelled_count += 1
        else:
            seat.rejected_count += 1
        if code != 0:
            seat.target_retry_ns = due_ns + RETRY_NS
    outbox.put(out, seat.index, due_ns, order_id, order.side, code, ticks, lots, remaining, fee)
    write_report(told, is_fill, due_ns, order, market, ticks, lots, remaining, fee, code)
    if order.state >= OrderState.FILLED:
        blotter.remove(index)
    return FILL_EVENT if is_fill else ORDER_EVENT


def take_fill(seat: Seat, order: Order, market: Market, ticks: int, lots: int, is_taker: bool) -> float:
    """A fill moves position, cash, working size and the order together; returns the fee."""
    signed = lots if order.side == BUY else -lots
    seat.working(signed, -1)
    order.filled_lots += lots
    is_whole = order.filled_lots >= order.lots
    seat.blotter.step(order, FILL_REST if is_whole else FILL_PART)
    if not is_whole or order.filled_lots > lots:
        seat.partial_fill_count += 1
    return seat.book_fill(market, signed, ticks, is_taker)


def write_report(
    told: Event, is_fill: bool, due_ns: int, order: Order, market: Market, ticks: int, lots: int,
    remaining: int, fee: float, code: int,
) -> None:  # fmt: skip
    """The report as the event that the strategy sees."""
    fill = told.fill  # type: ignore[attr-defined]
    fill.venue_ns = due_ns
    fill.received_ns = due_ns
    fill.price = market.price_of(ticks)
    fill.size = market.size_of(lots)
    fill.fee = fee if is_fill else float(order.state)
    fill.remaining = market.size_of(remaining) if is_fill else float(code)
    fill.id = order.id
    fill.kind = FILL_EVENT if is_fill else ORDER_EVENT
    fill.side = order.side
    fill.flags = 0
