"""What the venue answered is taken into the seat's own books, one report at a time."""

from __future__ import annotations

from streamtrader.events import BUY, Event, Kind
from streamtrader.kernel.account import Account
from streamtrader.kernel.charges import charge_liquidation
from streamtrader.kernel.market import Market
from streamtrader.kernel.orders import CANCELLING, Order, Step
from streamtrader.kernel.outbox import FEE_IN_ASSET, FORCED, TAKER, Outbox, OutboxKind
from streamtrader.kernel.seat import RETRY_NS, Seat
from streamtrader.kernel.waiting import end_of, pass_on

# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
FILLED, ACCEPTED, SENT = int(OutboxKind.FILLED), int(OutboxKind.ACCEPTED), int(OutboxKind.SENT)
CANCELLED, REJECTED, REFUSED = int(OutboxKind.CANCELLED), int(OutboxKind.REJECTED), int(OutboxKind.REFUSED)
AMENDED, TRIGGERED = int(OutboxKind.AMENDED), int(OutboxKind.TRIGGERED)
ACCEPT, CANCEL, REJECT = int(Step.ACCEPT), int(Step.CANCEL), int(Step.REJECT)
FILL_REST, FILL_PART, AMEND, RESEND = int(Step.FILL_REST), int(Step.FILL_PART), int(Step.AMEND), int(Step.RESEND)
FILL_EVENT, ORDER_EVENT = int(Kind.FILL), int(Kind.ORDER)
# As in simulator.resting and simulator.flight.
ACCEPTED_BY_VENUE, FILLED_AS_MAKER, FILLED_AS_TAKER, CANCELLED_BY_VENUE = 1, 2, 3, 4
AMENDED_BY_VENUE, AMEND_REJECTED, FIRED = 6, 7, 8
KIND, ORDER, TICKS, LOTS, REMAINING, CODE = range(6)


def next_report(seat: Seat, market: Market, account: Account, outbox: Outbox, told: Event) -> int:
    """Take the first due report into the seat's own books and into `told`; returns the kind of event it is."""
    blotter, reports = seat.blotter, seat.venue.reports
    words = reports.words[reports.first]
    due_ns = reports.due_ns[reports.first]
    kind, order_id, ticks, lots = words[KIND], words[ORDER], words[TICKS], words[LOTS]
    remaining, code = words[REMAINING], words[CODE]
    reports.drop_first()
    market.now_ns = max(market.event_ns, due_ns)
    index = blotter.find(order_id)
    if index < 0:
        if kind != AMEND_REJECTED:  # it had ended before the change came
            blotter.illegal_count += 1
        return 0
    order = blotter.orders[index]
    fee = 0.0
    is_fill = kind == FILLED_AS_MAKER or kind == FILLED_AS_TAKER
    if is_fill:
        fee = take_fill(seat, order, market, account, ticks, lots, kind == FILLED_AS_TAKER)
        out, code = FILLED, TAKER if kind == FILLED_AS_TAKER else 0
        code |= FORCED if order_id == seat.forced_order else 0
        if order.open_lots() > 0 and remaining == 0:
            send_next_part(seat, order, market)
        remaining = order.open_lots()
    else:
        out = take_answer(seat, order, market, kind, ticks, lots, code)
        if out == SENT:
            due_ns, ticks, lots, remaining = market.now_ns, order.ticks, order.lots, order.open_lots()
        elif code != 0:
            seat.target_retry_ns = due_ns + RETRY_NS
    told_fee = fee
    if is_fill and seat.rates.paid_units > 0.0:
        told_fee = seat.rates.paid_units
        code |= FEE_IN_ASSET
    outbox.put(out, seat.index, due_ns, order_id, order.side, code, ticks, lots, remaining, told_fee)
    if is_fill and code & FORCED:
        charge_liquidation(seat, market, account, outbox, order.side, due_ns, ticks, lots)
    write_report(told, is_fill, due_ns, order, market, ticks, lots, remaining, fee, code)
    if order.is_done():
        seat.reserve(order, 0)
        end_of(seat, order)
        blotter.remove(index)
    return FILL_EVENT if is_fill else ORDER_EVENT


def take_answer(seat: Seat, order: Order, market: Market, kind: int, ticks: int, lots: int, code: int) -> int:
    """Anything but a fill: the order's next state; returns the row that tells it."""
    blotter = seat.blotter
    if kind == ACCEPTED_BY_VENUE:
        blotter.step(order, ACCEPT)
        return ACCEPTED
    if kind == FIRED:
        order.trigger.kind = 0
        return TRIGGERED
    if kind == AMENDED_BY_VENUE or kind == AMEND_REJECTED:
        order.is_amending = False
        if kind == AMENDED_BY_VENUE:
            order.ticks = ticks
            order.lots = lots
            blotter.step(order, AMEND)
        seat.reserve(order, order.open_lots())
        if order.wants_amend:
            seat.intent_count += 1
        return AMENDED if kind == AMENDED_BY_VENUE else REFUSED
    if kind == CANCELLED_BY_VENUE and order.is_replacing and order.new_lots > order.filled_lots:
        order.is_replacing = False
        order.lots = order.new_lots
        order.ticks = order.new_ticks
        if send_rest(seat, order, market):
            return SENT
    seat.reserve(order, 0)
    if kind == CANCELLED_BY_VENUE:
        blotter.step(order, CANCEL)
        seat.cancelled_count += 1
        return CANCELLED
    blotter.step(order, REJECT)
    seat.rejected_count += 1
    return REJECTED


def send_next_part(seat: Seat, order: Order, market: Market) -> None:
    """Of an iceberg that the venue does not know. A cancel on its way will find nothing there, so what it was for is done here."""
    is_over = order.state == CANCELLING and not order.is_replacing
    if order.is_replacing:
        order.is_replacing = False
        is_over = order.new_lots <= order.filled_lots
        if not is_over:
            order.lots = order.new_lots
            order.ticks = order.new_ticks
    if not is_over or not seat.venue.answer(market.now_ns, order):
        send_rest(seat, order, market)


def send_rest(seat: Seat, order: Order, market: Market) -> bool:
    """What is open of it goes to the venue as a new order of the same id."""
    if not seat.venue.send(order, market.now_ns):
        return False
    seat.blotter.step(order, RESEND)
    seat.reserve(order, order.open_lots())
    return True


def take_fill(
    seat: Seat, order: Order, market: Market, account: Account, ticks: int, lots: int, is_taker: bool
) -> float:
    """A fill moves position, cash, working size and the order together; returns the fee."""
    signed = lots if order.side == BUY else -lots
    seat.reserve(order, max(0, order.reserved_lots - lots))
    order.filled_lots += lots
    is_whole = order.filled_lots >= order.lots
    seat.blotter.step(order, FILL_REST if is_whole else FILL_PART)
    if not is_whole or order.filled_lots > lots:
        seat.partial_fill_count += 1
    pass_on(seat, order, lots)
    return seat.book_fill(market, signed, ticks, is_taker, account.traded)


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
