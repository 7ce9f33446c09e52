"""What a strategy or a risk rule may see and ask for.

A bundle of records that is made anew for each turn and costs nothing once compiled. Asking changes only the blotter;
risk and the venue come afterwards, in the same turn of the loop. Sizes and prices are floats in units of the
instrument; whoever wants exact numbers works in `ticks` and `lots`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from streamtrader.events import ASK, BID, BUY, SELL, BookState
from streamtrader.kernel.account import Account
from streamtrader.kernel.market import NO_STATE, Market
from streamtrader.kernel.orders import Order, OrderState, Refusal
from streamtrader.kernel.record import int64
from streamtrader.kernel.seat import Seat
from streamtrader.units import ABSURD

# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
SIZE_BELOW_LOT, PRICE_INVALID = int(Refusal.SIZE_BELOW_LOT), int(Refusal.PRICE_INVALID)
TOO_MANY_ORDERS = int(Refusal.TOO_MANY_ORDERS)


class Broker(NamedTuple):
    seat: Seat
    market: Market
    account: Account

    # --- what there is ---

    def now_ns(self) -> int:
        """The received clock: when the current event came in."""
        return self.market.now_ns

    def position(self) -> float:
        """Signed size that is held; what is on its way is not in it."""
        return self.seat.position_lots / self.market.lots_per_unit

    def position_lots(self) -> int:
        return self.seat.position_lots

    def working_lots(self, side: int) -> int:
        """Lots of a side that were sent and are neither filled nor gone."""
        return self.seat.working_buy_lots if side == BUY else self.seat.working_sell_lots

    def open_orders(self) -> int:
        return self.seat.blotter.count

    def cash(self) -> float:
        return self.seat.cash

    def equity(self) -> float:
        """Cash and position at the middle of the book, in quote currency."""
        return self.seat.equity

    def fees(self) -> float:
        return self.seat.fees

    def drawdown(self) -> float:
        """The worst fall of equity from its peak since the last resume, in quote currency, as seen at trades and orders."""
        return self.seat.drawdown_worst

    def day_pnl(self) -> float:
        """Equity now less equity at the day's start, in quote currency."""
        return self.seat.equity - self.seat.day_equity

    def best_bid(self) -> float:
        ticks = self.market.book.top[BID]
        return ticks / self.market.ticks_per_unit if ticks >= 0 else math.nan

    def best_ask(self) -> float:
        ticks = self.market.book.top[ASK]
        return ticks / self.market.ticks_per_unit if ticks >= 0 else math.nan

    def bid_size(self) -> float:
        return self.market.book.top_lots[BID] / self.market.lots_per_unit

    def ask_size(self) -> float:
        return self.market.book.top_lots[ASK] / self.market.lots_per_unit

    def middle(self) -> float:
        """Half-way between the best prices; nan while a side is empty."""
        return self.market.middle()

    def spread_ticks(self) -> int:
        """-1 while a side is empty."""
        bid, ask = self.market.book.top[BID], self.market.book.top[ASK]
        return ask - bid if bid >= 0 and ask >= 0 else -1

    def last_price(self) -> float:
        return self.market.last_price

    def is_live(self) -> bool:
        """Whether the book may be believed."""
        return self.market.state == BookState.LIVE or self.market.state == NO_STATE

    def book_age_ns(self) -> int:
        """Time since the last complete message about the book."""
        return self.market.now_ns - self.market.book_ns

    def is_halted(self) -> bool:
        return self.seat.halted != 0

    def is_reducing(self, order: Order) -> bool:
        """Whether the order can only bring the position nearer to zero, even if all that works is filled first."""
        position = self.seat.position_lots
        open_lots = order.lots - order.filled_lots
        if order.side == SELL:
            return open_lots + self.seat.working_sell_lots <= position
        return open_lots + self.seat.working_buy_lots <= -position

    # --- what may be asked for ---

    def hold(self, size: float) -> None:
        """Want this position, signed; the difference to what is held and on its way becomes a market order."""
        if not abs(size) < ABSURD:
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
        if limit >= 0.0 and limit < ABSURD:
            ticks = int64(limit * self.market.ticks_per_unit + 1e-3)
        return self.ask(BUY, size, ticks, ticks <= 0 and limit != 0.0, post_only, immediate)

    def sell(self, size: float, limit: float = 0.0, post_only: bool = False, immediate: bool = False) -> int:
        """The same for a sale."""
        ticks = -1
        if limit >= 0.0 and limit < ABSURD:
            ticks = int64(math.ceil(limit * self.market.ticks_per_unit - 1e-3))
        return self.ask(SELL, size, ticks, ticks <= 0 and limit != 0.0, post_only, immediate)

    def quote(self, side: int, size: float, ticks: int) -> int:
        """Ask for a post-only limit order at a price in ticks."""
        return self.ask(side, size, ticks, ticks <= 0, True, False)

    def ask(
        self, side: int, size: float, ticks: int, is_bad_price: bool, post_only: bool, immediate: bool
    ) -> int:
        """Write the intent into the blotter. What cannot be an order at all is refused here."""
        lots = self.market.lots_of(size) if size > 0.0 and size < ABSURD else 0
        if is_bad_price:
            self.refuse(PRICE_INVALID)
            return 0
        if lots <= 0:
            self.refuse(SIZE_BELOW_LOT)
            return 0
        return self.ask_lots(side, lots, ticks, post_only, immediate)

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
        order.id = self.seat.order_count
        order.side = side
        order.ticks = ticks
        order.lots = lots
        order.filled_lots = 0
        order.state = OrderState.INTENT
        order.sent_ns = 0
        order.post_only = post_only
        order.immediate = immediate or ticks == 0
        order.wants_cancel = False
        return order.id

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
            if order.side == side and order.state != OrderState.CANCELLING and not order.wants_cancel:
                if order.ticks == ticks:
                    found = True
                else:
                    self.want_cancel(index)
        return found

    def want_cancel(self, index: int) -> None:
        order = self.seat.blotter.orders[index]
        if order.state != OrderState.CANCELLING and not order.wants_cancel:
            order.wants_cancel = True
            self.seat.intent_count += 1

    def halt(self, code: int) -> None:
        """Pull the kill switch of this seat; it outlives restarts and is released by the operator only."""
        self.seat.halt(code)
