"""One seat's turn: what it asked for passes risk and leaves, and what the venue answered is taken in.

Only `settle` may turn an intent into a sent order, and it does so only after the engine's own gate and every rule
of the seat have let it pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from streamtrader.events import BUY, SELL, BookState, Kind
from streamtrader.kernel.broker import Broker
from streamtrader.kernel.market import NO_STATE, Market
from streamtrader.kernel.orders import Blotter, Order, OrderState, Refusal, Step
from streamtrader.kernel.outbox import IMMEDIATE, POST_ONLY, TAKER, Outbox, OutboxKind
from streamtrader.kernel.seat import RETRY_NS, Seat
from streamtrader.kernel.table import refusal_by_rules

if TYPE_CHECKING:
    from streamtrader.simulator.venue import SimulatedVenue

_ACCEPTED, _FILLED_AS_MAKER, _FILLED_AS_TAKER, _CANCELLED, _REJECTED = 1, 2, 3, 4, 5  # as in simulator.venue
_KIND, _ORDER, _TICKS, _LOTS, _REMAINING, _CODE = range(6)  # as in simulator.flight


def settle(
    seat: Seat, blotter: Blotter, venue: SimulatedVenue, market: Market, outbox: Outbox, called: Any
) -> None:
    """The end of a strategy's turn."""
    if seat.has_target:
        ask_for_target(seat, blotter, market)
    if seat.intent_count == 0:
        return
    seat.intent_count = 0
    if seat.asked_refusal != 0:
        tell_refusal(seat, market, outbox, seat.asked_refusal, 0, 0, 0, 0)
        seat.asked_refusal = 0
    index = 0
    while index < blotter.count:
        order = blotter.orders[index]
        if order.state == OrderState.INTENT:
            index += 1 if settle_intent(order, index, seat, blotter, venue, market, outbox, called) else 0
            continue
        if order.wants_cancel and order.state != OrderState.CANCELLING:
            if venue.send_cancel(order.id, market.now_ns):
                order.wants_cancel = False
                blotter.step(order, Step.ASK_CANCEL)
            else:
                seat.intent_count += 1  # the requests are full: asked again in the next turn
        index += 1
    seat.due_ns = min(seat.due_ns, venue.first_ns())
    market.due_ns = min(market.due_ns, seat.due_ns)


def ask_for_target(seat: Seat, blotter: Blotter, market: Market) -> None:
    """The difference between what is wanted and what is held or on its way, as a market order."""
    seat.has_target = False
    working = seat.working_buy_lots - seat.working_sell_lots
    wanted = seat.target_lots - seat.position_lots - working
    if wanted == 0 or market.now_ns < seat.target_retry_ns:
        return
    lots = abs(wanted)
    price = market.mark_price()
    is_small = price * lots / market.lots_per_unit < market.minimum_notional
    if price > 0.0 and is_small and seat.target_lots != 0:
        return  # dust: nearer to the target than the venue's smallest order
    Broker(seat, blotter, market).ask_lots(BUY if wanted > 0 else SELL, lots, 0, False, True)


def settle_intent(
    order: Order, index: int, seat: Seat, blotter: Blotter, venue: SimulatedVenue, market: Market,
    outbox: Outbox, called: Any,
) -> bool:  # fmt: skip
    """Send the order, or refuse and remove it: then False."""
    code = (POST_ONLY if order.post_only else 0) | (IMMEDIATE if order.immediate else 0)
    outbox.put(
        OutboxKind.INTENT, seat.index, market.now_ns, order.id, order.side, code,
        order.ticks, order.lots, order.lots, 0.0,
    )  # fmt: skip
    refusal = gate(order, seat, blotter, market)
    if refusal == 0:
        halted = seat.halted
        refusal = refusal_by_rules(called, order, seat, blotter, market)
        if seat.halted != halted:
            outbox.put(OutboxKind.HALTED, seat.index, market.now_ns, 0, 0, seat.halted, 0, 0, 0, 0.0)
    if refusal == 0 and not venue.send(order, market.now_ns):
        refusal = Refusal.REQUESTS_FULL
    if refusal != 0:
        blotter.step(order, Step.REFUSE)
        tell_refusal(seat, market, outbox, refusal, order.id, order.side, order.ticks, order.lots)
        blotter.remove(index)
        return False
    blotter.step(order, Step.PASS)
    order.sent_ns = market.now_ns
    seat.working(order.signed_lots(), 1)
    seat.is_busy = True
    outbox.put(
        OutboxKind.SENT, seat.index, market.now_ns, order.id, order.side, 0,
        order.ticks, order.lots, order.lots, 0.0,
    )  # fmt: skip
    return True


def gate(order: Order, seat: Seat, blotter: Blotter, market: Market) -> int:
    """What holds whatever rules there are: a halted seat and a book that is not LIVE allow only less exposure."""
    if order.wants_cancel:
        return Refusal.WITHDRAWN
    price = market.price_of(order.ticks) if order.ticks > 0 else market.mark_price()
    is_whole = order.side == SELL and order.lots == seat.position_lots
    is_whole = is_whole or (order.side == BUY and order.lots == -seat.position_lots)
    if price > 0.0 and market.size_of(order.lots) * price < market.minimum_notional and not is_whole:
        return Refusal.NOTIONAL_BELOW_MINIMUM
    is_live = market.state == BookState.LIVE or market.state == NO_STATE
    if seat.halted == 0 and is_live:
        return 0
    if Broker(seat, blotter, market).is_reducing(order):
        return 0
    return seat.halted if seat.halted != 0 else Refusal.BOOK_NOT_LIVE


def tell_refusal(
    seat: Seat, market: Market, outbox: Outbox, code: int, order: int, side: int, ticks: int, lots: int
) -> None:
    """Every refusal is counted; the same reason again within a moment is not told again."""
    seat.refused_count += 1
    seat.target_retry_ns = market.now_ns + RETRY_NS
    if not seat.is_told(code, market.now_ns) or order > 0:
        outbox.put(OutboxKind.REFUSED, seat.index, market.now_ns, order, side, code, ticks, lots, lots, 0.0)


def next_report(
    seat: Seat, blotter: Blotter, venue: SimulatedVenue, market: Market, outbox: Outbox, told: np.ndarray
) -> int:
    """Take the first due report into the seat's own books and into `told[0]`; returns the kind of event it is."""
    reports = venue.reports
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
        fee = take_fill(seat, blotter, order, market, ticks, lots, kind == _FILLED_AS_TAKER)
        out, code = OutboxKind.FILLED, TAKER if kind == _FILLED_AS_TAKER else 0
    elif kind == _ACCEPTED:
        blotter.step(order, Step.ACCEPT)
        out = OutboxKind.ACCEPTED
    else:
        seat.working(order.signed_lots(), -1)
        blotter.step(order, Step.CANCEL if kind == _CANCELLED else Step.REJECT)
        out = OutboxKind.CANCELLED if kind == _CANCELLED else OutboxKind.REJECTED
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
    return Kind.FILL if is_fill else Kind.ORDER


def take_fill(
    seat: Seat, blotter: Blotter, order: Order, market: Market, ticks: int, lots: int, is_taker: bool
) -> float:
    """A fill moves position, cash, working size and the order together; returns the fee."""
    signed = lots if order.side == BUY else -lots
    seat.working(signed, -1)
    order.filled_lots += lots
    is_whole = order.filled_lots >= order.lots
    blotter.step(order, Step.FILL_REST if is_whole else Step.FILL_PART)
    if not is_whole or order.filled_lots > lots:
        seat.partial_fill_count += 1
    return seat.book_fill(market, signed, ticks, is_taker)


def write_report(
    told: np.ndarray, is_fill: bool, due_ns: int, order: Order, market: Market, ticks: int, lots: int,
    remaining: int, fee: float, code: int,
) -> None:  # fmt: skip
    """The report as the event that the strategy sees."""
    fill = told[0].fill
    fill.venue_ns = due_ns
    fill.received_ns = due_ns
    fill.price = market.price_of(ticks)
    fill.size = market.size_of(lots)
    fill.fee = fee if is_fill else float(order.state)
    fill.remaining = market.size_of(remaining) if is_fill else float(code)
    fill.id = order.id
    fill.kind = Kind.FILL if is_fill else Kind.ORDER
    fill.side = order.side
    fill.flags = 0
