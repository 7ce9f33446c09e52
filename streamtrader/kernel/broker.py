"""What a strategy may ask for, beside what it sees.

Asking changes only the blotter; risk and the venue come afterwards, in the same turn of the loop. Until then an order
may be refined: `buy`, then `stop_at`, `expire_at`, `protect`... Sizes and prices are floats in units of the instrument.
"""

from __future__ import annotations

import math

from streamtrader.events import BUY, SELL
from streamtrader.kernel.orders import ARMED, CANCELLING, INTENT, Refusal
from streamtrader.kernel.record import int64
from streamtrader.kernel.sight import Sight
from streamtrader.kernel.triggers import STOP, TAKE_PROFIT, TOUCH, TRAILING
from streamtrader.units import ORDER_LOTS_MOST, STEPS_MOST

# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
SIZE_BELOW_LOT, PRICE_INVALID = int(Refusal.SIZE_BELOW_LOT), int(Refusal.PRICE_INVALID)
TOO_MANY_ORDERS = int(Refusal.TOO_MANY_ORDERS)
INVALID = -1  # the kind of a trigger that is none
MOST_TICKS = 2.0**62


class Broker(Sight):
    __slots__ = ()

    def funding_rate(self) -> float:
        """The share of its value that a long position will pay at the next funding, by what the venue told last."""
        return self.market.funding_rate

    # --- what may be asked for ---

    def hold(self, size: float) -> None:
        """Want this position, signed; the difference to what is held and on its way becomes a market order."""
        if not abs(size) * self.market.lots_per_unit <= ORDER_LOTS_MOST:
            self.refuse(SIZE_BELOW_LOT)
            return
        lots = self.market.lots_of(abs(size))
        self.seat.target_lots = lots if size >= 0.0 else -lots
        self.seat.has_target = True

    def buy(self, size: float, limit: float = 0.0, post_only: bool = False, immediate: bool = False) -> int:
        """Ask for an order; a limit of 0 means at the market. Returns its id, or 0 when it cannot be taken.

        A limit between two ticks is moved away from the market: down for a buyer, up for a seller.
        """
        ticks = -1
        if limit >= 0.0 and limit * self.market.ticks_per_unit <= STEPS_MOST:
            ticks = int64(limit * self.market.ticks_per_unit + 1e-3)
        return self.ask(BUY, size, ticks, ticks <= 0 and limit != 0.0, post_only, immediate)

    def sell(self, size: float, limit: float = 0.0, post_only: bool = False, immediate: bool = False) -> int:
        """The same for a sale."""
        ticks = -1
        if limit >= 0.0 and limit * self.market.ticks_per_unit <= STEPS_MOST:
            ticks = int64(math.ceil(limit * self.market.ticks_per_unit - 1e-3))
        return self.ask(SELL, size, ticks, ticks <= 0 and limit != 0.0, post_only, immediate)

    def quote(self, side: int, size: float, ticks: int) -> int:
        """Ask for a post-only limit order at a price in ticks."""
        return self.ask(side, size, ticks, ticks <= 0, True, False)

    def ask(
        self, side: int, size: float, ticks: int, is_bad_price: bool, post_only: bool, immediate: bool
    ) -> int:
        """Write the intent into the blotter. What cannot be an order at all is refused here."""
        lots = self.lots_asked(size)
        if is_bad_price:
            self.refuse(PRICE_INVALID)
            return 0
        if lots <= 0:
            self.refuse(SIZE_BELOW_LOT)
            return 0
        return self.ask_lots(side, lots, ticks, post_only, immediate)

    def lots_asked(self, size: float) -> int:
        """Whole lots of a size; 0 when it is none."""
        is_size = size > 0.0 and size * self.market.lots_per_unit <= ORDER_LOTS_MOST
        return self.market.lots_of(size) if is_size else 0

    def ticks_asked(self, price: float) -> int:
        """The nearest number of ticks; -1 when it is no price."""
        is_price = price >= 0.0 and price * self.market.ticks_per_unit <= STEPS_MOST
        return self.market.ticks_of(price) if is_price else -1

    def ask_lots(self, side: int, lots: int, ticks: int, post_only: bool, immediate: bool) -> int:
        """The same in lots; `ticks` 0 is at the market."""
        blotter = self.seat.blotter
        if blotter.count == len(blotter.orders):
            self.refuse(TOO_MANY_ORDERS)
            return 0
        order = blotter.orders[blotter.count]
        blotter.count += 1
        self.seat.intent_count += 1
        self.seat.order_count += 1
        order.begin(self.seat.order_count, side, ticks, lots)
        order.post_only = post_only
        order.immediate = immediate or ticks == 0
        return order.id

    # --- what an order that was just asked for shall be, before the turn ends ---

    def intent(self, order_id: int) -> int:
        """The place of an order of this turn, which may still be refined; -1 when it is none."""
        index = self.seat.blotter.find(order_id)
        if index >= 0 and self.seat.blotter.orders[index].state == INTENT:
            return index
        return -1

    def reduce_only(self, order_id: int) -> bool:
        """It may bring the position nearer to zero and never beyond. False when it is no order of this turn; so below."""
        index = self.intent(order_id)
        if index >= 0:
            self.seat.blotter.orders[index].reduce_only = True
        return index >= 0

    def fill_or_kill(self, order_id: int) -> bool:
        """All of it fills at once, or it is cancelled."""
        index = self.intent(order_id)
        if index >= 0:
            self.seat.blotter.orders[index].all_or_none = True
            self.seat.blotter.orders[index].immediate = True
        return index >= 0

    def expire_at(self, order_id: int, at_ns: int) -> bool:
        """Good until then, on the received clock; it must lie ahead."""
        index = self.intent(order_id)
        if index < 0 or at_ns <= self.market.now_ns:
            return False
        self.seat.blotter.orders[index].expires_ns = at_ns
        return True

    def show_only(self, order_id: int, size: float) -> bool:
        """An iceberg: no more than `size` of a limit order is displayed at a time, and each new part queues behind."""
        index = self.intent(order_id)
        lots = self.lots_asked(size)
        if index < 0 or lots <= 0 or self.seat.blotter.orders[index].ticks == 0:
            return False
        self.seat.blotter.orders[index].display_lots = lots
        return True

    def stop_at(self, order_id: int, price: float, source: int = 0) -> bool:
        """Hold it back until the price has moved against it as far as `price`: a stop, or a stop-limit if it has a limit.

        `source` is a `triggers.Source`: 0 the last trade, 1 the middle, 2 the mark, 3 the side that it would meet.
        """
        return self.wait_for(order_id, STOP, price * self.market.ticks_per_unit, 0.0, 0.0, source)

    def take_profit_at(self, order_id: int, price: float, source: int = 0) -> bool:
        """Hold it back until the price has moved in its favour as far as `price`."""
        return self.wait_for(order_id, TAKE_PROFIT, price * self.market.ticks_per_unit, 0.0, 0.0, source)

    def trail_by(self, order_id: int, distance: float, source: int = 0) -> bool:
        """A stop that follows the price at a distance, in quote currency, and never turns back."""
        return self.wait_for(order_id, TRAILING, 0.0, distance * self.market.ticks_per_unit, 0.0, source)

    def trail_by_range(self, order_id: int, multiple: float, source: int = 0) -> bool:
        """The same at a multiple of the average true range of the market's candles."""
        return self.wait_for(order_id, TRAILING, 0.0, 0.0, multiple, source)

    def wait_for(
        self, order_id: int, kind: int, ticks: float, trail_ticks: float, trail_ranges: float, source: int
    ) -> bool:
        """Give an order of this turn its trigger. A price that is none refuses the order with TRIGGER_INVALID."""
        index = self.intent(order_id)
        if index < 0:
            return False
        word = ticks + trail_ticks + trail_ranges  # one of them is given
        trigger = self.seat.blotter.orders[index].trigger
        is_sound = word > 0.0 and word < MOST_TICKS and source >= 0 and source <= TOUCH
        trigger.kind = kind if is_sound else INVALID
        trigger.source = source
        trigger.ticks = ticks
        trigger.trail_ticks = trail_ticks
        trigger.trail_ranges = trail_ranges
        return is_sound

    def link(self, order_id: int, other_id: int) -> bool:
        """One cancels the other: what either fills, the other loses. More can be linked to either of them."""
        index, other = self.intent(order_id), self.intent(other_id)
        if index < 0 or other < 0 or index == other:
            return False
        orders = self.seat.blotter.orders
        group = orders[index].group if orders[index].group != 0 else order_id
        orders[index].group = group
        orders[other].group = group
        return True

    def protect(self, order_id: int, stop: float, target: float = 0.0, source: int = 0) -> bool:
        """A bracket: whatever the order fills gets a stop and, unless it is 0, a target, of exactly that size.

        Both only reduce, and what one fills the other loses. The stop goes to the market, the target is a limit order.
        """
        index = self.intent(order_id)
        if index < 0:
            return False
        side = 1 - self.seat.blotter.orders[index].side
        stop_id = self.ask_lots(side, 0, 0, False, True)
        if stop_id == 0 or not self.guard(stop_id, order_id):
            return False
        is_sound = self.stop_at(stop_id, stop, source)
        if target == 0.0:
            return is_sound
        ticks = self.ticks_asked(target)
        if ticks <= 0:
            self.refuse(PRICE_INVALID)
            return False
        target_id = self.ask_lots(side, 0, ticks, False, False)
        if target_id == 0:
            return False
        self.guard(target_id, order_id)
        return self.link(stop_id, target_id) and is_sound

    def guard(self, child_id: int, order_id: int) -> bool:
        """An order that lives by the fills of another one."""
        child = self.seat.blotter.order_of(child_id)
        child.parent = order_id
        child.reduce_only = True
        self.seat.blotter.order_of(order_id).is_parent = True
        return True

    def amend(self, order_id: int, size: float, limit: float = 0.0) -> bool:
        """Change an open order to this whole size, filled part included, and limit (0: as it is).

        Less at the same price keeps the place in the queue; more, or another price, loses it. False when no order of that
        id is open, or the values cannot be an order's.
        """
        index = self.seat.blotter.find(order_id)
        lots = self.lots_asked(size)
        ticks = self.ticks_asked(limit)
        if index < 0 or lots <= 0 or ticks < 0 or (limit > 0.0 and ticks == 0):
            return False
        order = self.seat.blotter.orders[index]
        if order.state == CANCELLING or (order.ticks == 0 and ticks > 0):
            return False
        return self.want_amend(index, lots, ticks if ticks > 0 else order.ticks)

    def want_amend(self, index: int, lots: int, ticks: int) -> bool:
        order = self.seat.blotter.orders[index]
        if order.state == INTENT:
            order.lots = lots
            order.ticks = ticks
            return True
        order.new_lots = lots
        order.new_ticks = ticks
        order.wants_amend = True
        self.seat.intent_count += 1
        return True

    def move_trigger(self, order_id: int, price: float) -> bool:
        """Move the trigger of an order that the engine holds back; a trailing one goes on from there."""
        index = self.seat.blotter.find(order_id)
        if index < 0 or self.ticks_asked(price) <= 0:
            return False
        order = self.seat.blotter.orders[index]
        if order.state != ARMED and order.state != INTENT:
            return False
        order.trigger.ticks = price * self.market.ticks_per_unit
        return order.trigger.kind != 0

    def refuse(self, code: int) -> None:
        """Nothing that could become an order; it is told with the turn's other decisions."""
        self.seat.asked_refusal = code
        self.seat.intent_count += 1

    def cancel(self, order_id: int) -> bool:
        """Ask to cancel an open order; False when there is none of that id."""
        index = self.seat.blotter.find(order_id)
        if index < 0:
            return False
        self.want_cancel(index)
        return True

    def cancel_all(self) -> None:
        for index in range(self.seat.blotter.count):
            self.want_cancel(index)

    def cancel_others(self, side: int, ticks: int) -> bool:
        """Cancel our orders of a side that stand elsewhere; say whether one stands, or is on its way, at `ticks`."""
        found = False
        for index in range(self.seat.blotter.count):
            order = self.seat.blotter.orders[index]
            if order.side == side and order.state != CANCELLING and order.parent == 0 and not order.wants_cancel:
                if order.ticks == ticks:
                    found = True
                else:
                    self.want_cancel(index)
        return found

    def want_cancel(self, index: int) -> None:
        order = self.seat.blotter.orders[index]
        order.is_replacing = False  # gone is gone, not sent anew
        if order.state != CANCELLING and not order.wants_cancel:
            order.wants_cancel = True
            self.seat.intent_count += 1

    def halt(self, code: int) -> None:
        """Pull the kill switch of this seat; it outlives restarts and is released by the operator only."""
        self.seat.halt(code)
