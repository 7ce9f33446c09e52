"""Orders that rest: what the market's events do to them, and to the memory of what was taken."""

from __future__ import annotations

from streamtrader.events import BID, TOP, Event, Kind
from streamtrader.kernel.market import Market
from streamtrader.kernel.record import int64
from streamtrader.simulator.queue import TRADES, front_after
from streamtrader.simulator.resting import FIRED, Resting
from streamtrader.simulator.takers import Takers


class Makers(Takers):
    def match(self, event: Event, market: Market) -> None:
        """What the event does to resting orders and to our memory of taken levels."""
        kind = event.kind
        if kind == Kind.BOOK:
            if self.taken_count > 0:
                self.refresh(int64(event.side), market.ticks, event.flags & TOP != 0)
            if self.count > 0 and market.is_matching():
                self.match_level(event, market)
        elif kind == Kind.TRADE and market.is_matching():
            if self.count > 0 and event.trade.is_volume_only == 0.0:  # type: ignore[attr-defined]
                self.match_trade(event, market)
                if self.armed_count > 0:
                    self.fire(market)
        elif kind == Kind.BOOK_CLEAR:
            self.taken_count = 0
        elif kind == Kind.QUOTE and not market.has_depth:
            self.taken_count = 0
            if market.is_matching():
                self.match_quote(event, market)

    def refresh(self, side: int, ticks: int, whole_side: bool) -> None:
        """The feed shows a level anew: what we took there is in it, or came back."""
        key = ticks * 2 + side
        at = 0
        while at < self.taken_count:
            if self.taken[at, 0] == key or (whole_side and self.taken[at, 0] & 1 == side):
                self.taken_count -= 1
                self.taken[at, 0] = self.taken[self.taken_count, 0]
                self.taken[at, 1] = self.taken[self.taken_count, 1]
            else:
                at += 1

    def match_level(self, event: Event, market: Market) -> None:
        index = 0
        while index < self.count:
            order = self.orders[index]
            if order.is_resting:
                if order.side == event.side:
                    if order.ticks == market.ticks:
                        self.move_up(order, market)
                elif market.lots > 0 and order.reaches(market.ticks):
                    key = market.ticks * 2 + int64(event.side)
                    self.meet_level(order, key, market.lots, market)
            if order.lots == 0:
                self.remove(index)
            else:
                index += 1

    def match_quote(self, event: Event, market: Market) -> None:
        """The only levels known, both at once: as `match_level` for each of them."""
        top, top_lots = market.book.top, market.book.top_lots
        index = 0
        while index < self.count:
            order = self.orders[index]
            opposite = 1 - order.side
            if not order.is_resting:
                index += 1
                continue
            if order.ticks == top[order.side]:
                if self.queue != TRADES:
                    order.ahead_lots = min(order.ahead_lots, float(top_lots[order.side]))
                order.traded_lots = 0.0
            if top[opposite] >= 0 and order.reaches(top[opposite]):
                key = top[opposite] * 2 + opposite
                self.meet_level(order, key, int64(top_lots[opposite]), market)
            if order.lots == 0:
                self.remove(index)
            else:
                index += 1

    def meet_level(self, order: Resting, key: int, displayed: int, market: Market) -> None:
        """A level that the order reaches is displayed on the other side."""
        lots = self.reach_for(key, displayed, order.lots, market, market.event_ns)
        if lots > 0:
            filled = self.fill_resting(order, lots, market)
            if filled < lots:
                self.give_back(key, lots - filled)

    def fill_resting(self, order: Resting, lots: int, market: Market) -> int:
        """A fill, and how much it was; the next part of an iceberg stands last."""
        filled = self.fill(order, market.event_ns, lots)
        if order.shown_lots == 0 and order.lots > 0:
            order.show_next()
            self.queue_up(order, market)
        return filled

    def move_up(self, order: Resting, market: Market) -> None:
        """The level of the order changed: what of that was cancelled before it?"""
        before, after = float(market.before_lots), float(market.lots)
        cancelled = before - after - order.traded_lots
        order.traded_lots = 0.0
        if self.queue >= TRADES:
            return
        if self.queue == 0 or cancelled <= 0.0:  # most rows; as `front_after` has it
            order.ahead_lots = min(order.ahead_lots, after)
        elif order.ahead_lots > 0.0:
            scale = market.lots_per_unit
            order.ahead_lots = scale * front_after(
                self.queue, self.power, order.ahead_lots / scale, before / scale, after / scale, cancelled / scale
            )

    def match_trade(self, event: Event, market: Market) -> None:
        """A seller hits bids: ours in the queue at that price, or before it when the price went through.

        Our own orders stand in line (`line_up`). What one of them got reaches nobody behind it, neither the others in
        the queue nor our next order.
        """
        left = market.lots
        index = 0
        while index < self.count:
            order = self.orders[index]
            if order.is_resting and order.side != event.side:
                lots = 0
                if order.ticks != market.ticks:
                    through = market.ticks < order.ticks if order.side == BID else market.ticks > order.ticks
                    lots = min(order.lots, left) if through else 0
                else:
                    order.ahead_lots -= left
                    order.traded_lots += market.lots
                    if order.ahead_lots < 0.0:
                        lots = min(order.shown_lots, left, int64(-order.ahead_lots))
                        order.ahead_lots = 0.0
                if lots > 0 and self.has_room():
                    left -= self.fill_resting(order, lots, market)
                elif lots > 0:
                    self.withheld_count += 1
            if order.lots == 0:
                self.remove(index)
            else:
                index += 1

    def fire(self, market: Market) -> None:
        """Orders whose trigger the trade has reached meet the book at once."""
        index = 0
        while index < self.count:
            order = self.orders[index]
            if order.trigger.kind != 0 and order.trigger.is_reached(market, order.side) and self.has_room():
                order.trigger.kind = 0
                self.armed_count -= 1
                self.report(market.event_ns, FIRED, order.id, order.trigger.nearest_ticks(), order.lots, order.lots, 0)
                self.enter(index, market.event_ns, market, False)
                index = 0  # orders may have gone
            else:
                index += 1
