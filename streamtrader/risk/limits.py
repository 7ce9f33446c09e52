"""Rules about one order and what it could lead to: how large, how often, how far from the market.

A limit on exposure looks at the worst case: everything that works on the order's side is filled, nothing of the other
side is. Orders that can only bring the position nearer to zero pass such limits, whatever the position has become.
"""

from __future__ import annotations

import math

import numpy as np

from streamtrader.events import BUY
from streamtrader.indicators.indicator import whole_number
from streamtrader.indicators.window import capacity_for
from streamtrader.kernel.broker import Broker
from streamtrader.kernel.orders import Order, Refusal
from streamtrader.risk.rule import RiskRule, above_zero


def exposed_lots(order: Order, broker: Broker) -> int:
    """The position that the order's side could reach with it, counted in the order's direction."""
    reached = broker.working_lots(order.side) + order.lots - order.filled_lots
    return broker.position_lots() + reached if order.side == BUY else reached - broker.position_lots()


class MaxPosition(RiskRule):
    """Refuse an order that could carry the position beyond `limit`, long or short, in the size's unit."""

    code = int(Refusal.POSITION)

    def __init__(self, limit: float) -> None:
        self.limit = above_zero("limit", limit)

    def refuses(self, order: Order, broker: Broker) -> bool:
        if broker.is_reducing(order):
            return False
        return exposed_lots(order, broker) > broker.market.lots_of(self.limit)


class MaxNotional(RiskRule):
    """Refuse an order that could carry the value of the position beyond `limit`, in quote currency.

    Valued at the middle of the book, or at the order's own limit where that is higher. Without a middle nothing can be
    valued: refused.
    """

    code = int(Refusal.NOTIONAL)

    def __init__(self, limit: float) -> None:
        self.limit = above_zero("limit", limit)

    def refuses(self, order: Order, broker: Broker) -> bool:
        if broker.is_reducing(order):
            return False
        price = broker.middle()
        if order.ticks > 0 and broker.market.price_of(order.ticks) > price:
            price = broker.market.price_of(order.ticks)
        value = price * broker.market.size_of(exposed_lots(order, broker))
        return not value <= self.limit  # a comparison with nan is false


class MaxOrderRate(RiskRule):
    """Refuse the order after `orders` of them passed within `per_ns`: the guard against a strategy that runs wild.

    It counts what it lets pass, so it belongs last: an order that another rule refuses afterwards was counted too,
    which errs on the safe side. Cancels are not orders and always pass.
    """

    code = int(Refusal.ORDER_RATE)

    def __init__(self, orders: int, per_ns: int) -> None:
        self.orders = whole_number("orders", orders)
        self.per_ns = whole_number("per_ns", per_ns)
        self.count = 0
        self.index = 0  # of the oldest of the last `orders`
        self.passed_ns = np.zeros(capacity_for(self.orders), np.int64)

    def refuses(self, order: Order, broker: Broker) -> bool:
        now_ns = broker.now_ns()
        if self.count >= self.orders and now_ns - self.passed_ns[self.index] < self.per_ns:
            return True
        self.passed_ns[self.index] = now_ns
        self.index = (self.index + 1) % self.orders
        self.count += 1
        return False


class PriceBand(RiskRule):
    """Refuse a price further than `width_bps` (hundredths of a per cent) from the middle: the fat finger guard.

    For a market order the price is the best one of the other side, so a spread wider than twice the band stops it.
    Without a middle no distance is known: refused.
    """

    code = int(Refusal.PRICE_BAND)

    def __init__(self, width_bps: float) -> None:
        self.width_bps = above_zero("width_bps", width_bps)

    def refuses(self, order: Order, broker: Broker) -> bool:
        middle = broker.middle()
        if math.isnan(middle):
            return True
        if order.ticks > 0:
            price = broker.market.price_of(order.ticks)
        else:
            price = broker.best_ask() if order.side == BUY else broker.best_bid()
        return not abs(price - middle) <= self.width_bps * 1e-4 * middle
