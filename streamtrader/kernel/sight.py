"""What a strategy or a risk rule may see: its seat, the market, and the account that the seat belongs to.

A bundle of records that is made anew for each turn and costs nothing once compiled. Sizes and prices are floats in
units of the instrument; whoever wants exact numbers works in `ticks` and `lots`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from streamtrader.events import ASK, BID, BUY, BookState
from streamtrader.kernel.account import Account
from streamtrader.kernel.margin import free_margin, liquidation_price
from streamtrader.kernel.market import NO_STATE, Market
from streamtrader.kernel.orders import Order
from streamtrader.kernel.seat import Seat


class Sight(NamedTuple):
    seat: Seat
    market: Market
    account: Account

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
        return order.open_lots() <= self.seat.reducible_lots(order)

    # --- the account, in its own currency; a seat that shares none is one by itself ---

    def account_equity(self) -> float:
        return self.account.equity

    def leverage(self) -> float:
        """The value of all positions over equity; nan without equity."""
        return self.account.value / self.account.equity if self.account.equity > 0.0 else math.nan

    def free_margin(self) -> float:
        """What new exposure may still need: collateral not tied down, or cash of a spot account."""
        return free_margin(self.account)

    def margin_ratio(self) -> float:
        """Maintenance margin over collateral, as Binance tells it: from 1 on positions are closed by force."""
        collateral = self.account.equity - self.account.haircut
        needed = self.account.maintenance * self.account.liquidation_factor
        return needed / collateral if collateral > 0.0 else math.nan

    def margin_level(self) -> float:
        """Collateral over the margin that positions use, as Kraken tells it, 1 being 100 %; nan without a position."""
        used = self.account.value / self.account.leverage
        return (self.account.equity - self.account.haircut) / used if used > 0.0 else math.nan

    def liquidation_price(self) -> float:
        """Where this position would be closed by force if nothing else moved; nan where no price does that."""
        return liquidation_price(self.seat, self.market, self.account)

    def mark_price(self) -> float:
        """What the position is valued at; 0 while nobody knows."""
        return self.market.mark_price()
