"""What the venue demands of an order beside whole ticks and lots: its published filters, in ticks and lots."""

from __future__ import annotations

from streamtrader.events import BUY
from streamtrader.kernel.record import Record

# As `Refusal` has them.
PRICE_FILTER, LOT_SIZE, MARKET_LOT_SIZE, PERCENT_PRICE, NOTIONAL, MAX_NUM_ORDERS = range(110, 116)
MAX_POSITION, MAX_NUM_ALGO_ORDERS, ICEBERG_PARTS = range(116, 119)


class Demands(Record):
    """0 is no demand. `*_up` and `*_down` are multiples of the average price, `most_value` in quote currency."""

    def __init__(self) -> None:
        self.has_any = False
        self.least_lots = 0
        self.most_lots = 0
        self.least_market_lots = 0
        self.most_market_lots = 0
        self.least_ticks = 0
        self.most_ticks = 0
        self.bid_up = 0.0
        self.bid_down = 0.0
        self.ask_up = 0.0
        self.ask_down = 0.0
        self.average_minutes = 0  # 0: the last price
        self.is_by_mark = False  # the mark instead of an average
        self.most_value = 0.0
        self.most_orders = 0
        self.most_waiting_orders = 0  # for a trigger
        self.most_parts = 0  # of an iceberg
        self.most_position_lots = 0

    def refusal_of(
        self, side: int, ticks: int, lots: int, order_count: int, average: float, per_value: float
    ) -> int:
        """The filter that such an order breaks, 0 when none. `order_count` are open beside it.

        `average` is the average price in ticks, 0 where there is none: then nothing can be said of percents.
        `per_value` ticks times lots are worth one of quote currency.
        """
        if self.most_orders > 0 and order_count >= self.most_orders:
            return MAX_NUM_ORDERS
        if lots < self.least_lots or (self.most_lots > 0 and lots > self.most_lots):
            return LOT_SIZE
        is_above = self.most_market_lots > 0 and lots > self.most_market_lots
        if ticks == 0 and (is_above or lots < self.least_market_lots):
            return MARKET_LOT_SIZE
        if ticks > 0 and not self.allows_price(ticks):
            return PRICE_FILTER
        if ticks > 0 and average > 0.0:
            up = self.bid_up if side == BUY else self.ask_up
            down = self.bid_down if side == BUY else self.ask_down
            if (up > 0.0 and ticks > up * average) or (down > 0.0 and ticks < down * average):
                return PERCENT_PRICE
        if ticks > 0 and self.most_value > 0.0 and ticks * lots > self.most_value * per_value:
            return NOTIONAL
        return 0

    def allows_price(self, ticks: float) -> bool:
        """Whether a limit, or a price that an order waits for, may stand there."""
        return ticks >= self.least_ticks and (self.most_ticks == 0 or ticks <= self.most_ticks)

    def refusal_of_trigger(self, trigger_ticks: float, waiting_count: int) -> int:
        """The filter that an order breaks which waits for a price, beside so many; 0 when none.

        A trailing one names no price: `trigger_ticks` is 0. Percents bind the prices of orders, not those of triggers.
        """
        if trigger_ticks > 0.0 and not self.allows_price(trigger_ticks):
            return PRICE_FILTER
        return MAX_NUM_ALGO_ORDERS if 0 < self.most_waiting_orders <= waiting_count else 0

    def refusal_of_size(self, side: int, lots: int, shown_lots: int, held_lots: int) -> int:
        """The filter that the parts of an iceberg break, or what the account would hold then; 0 when none.

        `held_lots` are the position and all open buys, as Binance counts them; 0 `shown_lots` are no iceberg.
        """
        if shown_lots > 0:
            if shown_lots < self.least_lots:
                return LOT_SIZE
            if 0 < self.most_parts < -(-lots // shown_lots):
                return ICEBERG_PARTS
        is_beyond = 0 < self.most_position_lots < held_lots + lots
        return MAX_POSITION if side == BUY and is_beyond else 0
