"""A seat: one strategy instance on one instrument, with its own slice of the account.

Books are shared, seats are not: 500 parameter sets on one feed are one replay. The hot fields come first, then the
open orders as the seat knows them, then the simulated venue with the truth about them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamtrader.events import BUY, Event
from streamtrader.kernel.candles import FAR_NS
from streamtrader.kernel.market import Market
from streamtrader.kernel.orders import Blotter, Order, OrderState
from streamtrader.kernel.outbox import Outbox, OutboxKind
from streamtrader.kernel.rates import FeeRates, Traded
from streamtrader.kernel.record import Record
from streamtrader.units import NS_PER_DAY

# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
REFUSED = int(OutboxKind.REFUSED)
SENT, ACCEPTED, CANCELLING = int(OrderState.SENT), int(OrderState.ACCEPTED), int(OrderState.CANCELLING)
RETRY_NS = 1_000_000_000  # a target whose order was refused is not asked for again within this time
SPACING_BYTES = 64
REPEAT_NS = 100_000_000  # refusals for the same reason within this time are counted, not told again


class Counted(Record):
    """What the account counted of a seat last, in the account's currency; `cash` and `reserved` in its own."""

    def __init__(self) -> None:
        self.equity = 0.0
        self.value = 0.0
        self.maintenance = 0.0
        self.working = 0.0
        self.haircut = 0.0
        self.cash = 0.0
        self.reserved = 0.0

    def clear(self) -> None:
        self.equity = 0.0
        self.value = 0.0
        self.maintenance = 0.0
        self.working = 0.0
        self.haircut = 0.0
        self.cash = 0.0
        self.reserved = 0.0


class Seat(Record):
    """`cash` is in quote currency, `position_lots` signed, `working_*_lots` sent and not yet done.

    `value` is that of the position when it was marked last, `cost` what it was bought for on average; both are signed.
    `peak_equity` and `drawdown_worst` count since the last RESUME; `day_equity` is what the day began with.
    """

    def __init__(
        self, venue: Any, index: int = 0, instrument: int = 0, cash: float = 10_000.0,
        maker_fee_bps: float = 10.0, taker_fee_bps: float = 10.0, day_offset_ns: int = 0, account: int = 0,
    ) -> None:  # fmt: skip
        self.index = index
        self.instrument = instrument
        self.account = account
        self.position_lots = 0
        self.intent_count = 0  # orders and cancels asked for in this turn
        self.is_busy = False  # the venue holds orders of ours or remembers what we took, or we hold some back
        self.armed_count = 0  # orders that wait here for a trigger
        self.has_target = False
        self.is_flattening = False  # no position shall be left; tried again until there is none
        self.is_forced = False  # the venue wants it, not the operator; and it may leave `keep_lots`
        self.keep_lots = 0
        self.forced_order = 0  # the last one that the venue gave for us
        self.due_ns = FAR_NS  # the first request or report on its way
        self.cash = float(cash)
        self.equity = float(cash)
        self.value = 0.0
        self.cost = 0.0
        self.counted = Counted()
        self.initial_cash = float(cash)
        self.peak_equity = float(cash)
        self.drawdown_worst = 0.0
        self.day_equity = float(cash)
        self.next_day_ns = 0
        self.day_offset_ns = int(day_offset_ns)
        self.working_buy_lots = 0
        self.working_sell_lots = 0
        self.target_lots = 0
        self.target_retry_ns = 0
        self.expiry_ns = FAR_NS  # the earliest end of an order whose venue knows no such ends
        self.halted = 0  # the Refusal that stops all but reducing orders, 0: none
        self.maker_fee_bps = float(maker_fee_bps)
        self.taker_fee_bps = float(taker_fee_bps)
        self.rates = FeeRates(maker_fee_bps, taker_fee_bps)
        self.fees = 0.0  # what was paid in a third asset is in it, at its worth then
        self.borrowed_coins = 0.0  # when it was looked at last
        self.borrowed_money = 0.0
        self.funded_lots = 0  # the position at the last funding
        self.charges = 0.0  # paid without a fill: funding, interest, borrowing, liquidation
        self.turnover = 0.0
        self.order_count = 0
        self.fill_count = 0
        self.taker_fill_count = 0
        self.partial_fill_count = 0
        self.refused_count = 0
        self.rejected_count = 0
        self.cancelled_count = 0
        self.failure_count = 0  # turns of the strategy that ended in an exception
        self.asked_refusal = 0  # something asked for in this turn that cannot be an order
        self.last_refusal = 0
        self.last_refusal_ns = 0
        self.blotter = Blotter()
        self.venue = venue
        # An odd number of cache lines: the hot fields of 500 seats then lie in different sets of the cache.
        self.spacing = np.zeros(SPACING_BYTES, np.uint8)

    def mark(self, market: Market) -> None:
        """What the seat is worth now."""
        price = market.mark_price()
        if market.now_ns >= self.next_day_ns:
            self.roll_day(market.now_ns)
        if price > 0.0:
            self.value = self.position_lots / market.lots_per_unit * price
            self.equity = self.cash + self.value - self.rates.asset_cost
            self.peak_equity = max(self.peak_equity, self.equity)
            self.drawdown_worst = max(self.drawdown_worst, self.peak_equity - self.equity)

    def roll_day(self, now_ns: int) -> None:
        """Days begin at the configured UTC hour; the day's loss counts from there, also after a restart."""
        into_day_ns = (now_ns - self.day_offset_ns) % NS_PER_DAY
        self.next_day_ns = now_ns - into_day_ns + NS_PER_DAY
        self.day_equity = self.equity

    def book_fill(self, market: Market, signed_lots: int, ticks: int, is_taker: bool, traded: Traded) -> float:
        """Take a fill into the account, which has `traded` so much; returns what it costs, in quote currency."""
        notional = market.notional(ticks, abs(signed_lots))
        if self.rates.tier_count > 1:
            traded.roll(market.now_ns)
        fee = self.rates.charge(notional, is_taker, market.now_ns, traded.volume)
        if self.rates.tier_count > 1:
            traded.count(notional * market.quote_rate, market.now_ns)
        self.change_cost(signed_lots, notional)
        self.position_lots += signed_lots
        self.cash -= (notional if signed_lots > 0 else -notional) + (0.0 if self.rates.paid_units > 0.0 else fee)
        self.fees += fee
        self.turnover += notional
        self.fill_count += 1
        if is_taker:
            self.taker_fill_count += 1
        self.mark(market)
        return fee

    def change_cost(self, signed_lots: int, notional: float) -> None:
        """The average cost, before the position itself changes: what is closed takes its share of it, a flip all."""
        held_lots, lots = abs(self.position_lots), abs(signed_lots)
        opened_lots = lots
        if (self.position_lots > 0) != (signed_lots > 0) and held_lots > 0:
            opened_lots = max(0, lots - held_lots)
            self.cost -= self.cost * (min(lots, held_lots) / held_lots)
        opened = notional * (opened_lots / lots)
        self.cost += opened if signed_lots > 0 else -opened

    def margin_value(self, market: Market) -> float:
        """The value by which the position needs margin, never negative, in quote currency."""
        return self.cost if market.is_long_at_cost and self.position_lots > 0 else abs(self.value)

    def exposure(self, market: Market, signed_lots: int) -> float:
        """The largest position that could come of what works, and of so many lots more, in quote currency."""
        buys = self.working_buy_lots + max(0, signed_lots)
        sells = self.working_sell_lots + max(0, -signed_lots)
        lots = max(abs(self.position_lots + buys), abs(self.position_lots - sells))
        more = (lots - abs(self.position_lots)) / market.lots_per_unit * market.mark_price()
        return self.margin_value(market) + more

    def settled_cash(self, market: Market) -> float:
        """Money that is there or is owed: a derivative is not paid for, only what it gains or loses is."""
        return self.cash + self.cost if market.is_derivative else self.cash

    def reserved_cash(self, market: Market) -> float:
        """What its working buys may still cost, with fees, in quote currency; those at the market by the mark."""
        price, total = market.mark_price(), 0.0
        for index in range(self.blotter.count):
            order = self.blotter.orders[index]
            if order.side == BUY and (order.state == SENT or order.state == ACCEPTED or order.state == CANCELLING):
                limit = market.price_of(order.ticks) if order.ticks > 0 else price
                total += limit * market.size_of(order.lots - order.filled_lots)
        return total * (1.0 + max(0.0, self.taker_fee_bps) * 1e-4)

    def set_busy(self, market: Market, is_busy: bool) -> None:
        """Whether the venue of this seat must see the market's events; the market counts such seats."""
        if is_busy != self.is_busy:
            self.is_busy = is_busy
            market.busy_count += 1 if is_busy else -1

    def is_concerned(self) -> bool:
        """Whether events of the market may matter to an order of ours."""
        return self.armed_count > 0 or self.venue.is_busy()

    def is_met(self, event: Event, market: Market) -> bool:
        """Whether this one may, where some may."""
        return self.armed_count > 0 or self.venue.reach.holds(event, market.ticks)

    def reserve(self, order: Order, lots: int) -> None:
        """Count so many lots of an order as on their way or resting, instead of those counted so far."""
        if order.side == BUY:
            self.working_buy_lots += lots - order.reserved_lots
        else:
            self.working_sell_lots += lots - order.reserved_lots
        order.reserved_lots = lots

    def reducible_lots(self, order: Order) -> int:
        """How much an order can bring the position nearer to zero, beside what works on its side.

        Its partners do not count: what one of them fills, the others lose.
        """
        working = self.working_buy_lots if order.side == BUY else self.working_sell_lots
        if order.group != 0:
            for index in range(self.blotter.count):
                other = self.blotter.orders[index]
                if other.group == order.group and other.side == order.side and other.id != order.id:
                    working -= other.reserved_lots
        return max(0, (-self.position_lots if order.side == BUY else self.position_lots) - working)

    def tell_refusal(
        self, market: Market, outbox: Outbox, code: int, order: int, side: int, ticks: int, lots: int
    ) -> None:
        """Every refusal is counted, and told with its order. A bare one (no order: 0) is told once in a moment."""
        now_ns = market.now_ns
        self.refused_count += 1
        self.target_retry_ns = now_ns + RETRY_NS
        is_repeat = code == self.last_refusal and now_ns - self.last_refusal_ns < REPEAT_NS
        if order == 0 and is_repeat:
            return
        self.last_refusal = code
        self.last_refusal_ns = now_ns
        outbox.put(REFUSED, self.index, now_ns, order, side, code, ticks, lots, lots, 0.0)

    def has_asked(self) -> bool:
        """Whether its strategy asked for anything; a target that is held, or on its way, is nothing to ask for."""
        if self.has_target and not self.is_flattening:
            self.has_target = self.target_lots != self.expected_lots()
        return self.has_target or self.intent_count > 0

    def expected_lots(self) -> int:
        """The position when all that works is filled."""
        return self.position_lots + self.working_buy_lots - self.working_sell_lots

    def wants_flat(self) -> bool:
        """Whether lots are left that shall go, and nothing is on its way any more."""
        return self.is_flattening and abs(self.position_lots) > self.keep_lots and self.blotter.count == 0

    def next_ns(self) -> int:
        """When something is due: a request, a report, or another try to become flat."""
        first_ns = min(self.venue.first_ns(), self.expiry_ns)
        return min(first_ns, self.target_retry_ns) if self.wants_flat() else first_ns

    def halt(self, code: int) -> bool:
        """Pull the kill switch; only the operator's RESUME releases it. The first reason stays."""
        if self.halted != 0:
            return False
        self.halted = code
        self.has_target = False
        return True

    def resume(self) -> None:
        self.halted = 0
        self.is_flattening = False
        self.is_forced = False
        self.keep_lots = 0
        self.peak_equity = self.equity
        self.drawdown_worst = 0.0
        self.day_equity = self.equity


def note_due(seat: Seat, market: Market) -> None:
    """After anything that the venue did: does it still need the market's events, and what comes next, when?"""
    seat.set_busy(market, seat.is_concerned())
    seat.venue.note_reach()
    seat.due_ns = seat.next_ns()
    market.due_ns = min(market.due_ns, seat.due_ns)
