"""Orders that reach the venue: they are rejected, take, rest, or what is left of them goes."""

from __future__ import annotations

import enum
import math

import numpy as np

from streamtrader.events import BUY, SELL
from streamtrader.kernel.market import Market
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.record import int64
from streamtrader.simulator.desk import POSITION_CLOSED, Desk
from streamtrader.simulator.flight import CODE, DISPLAY, EXPIRES, LOTS, ORDER, REMAINING, TICKS
from streamtrader.simulator.queue import OPTIMISTIC
from streamtrader.simulator.resting import (
    ACCEPTED,
    AMEND_REJECTED,
    AMENDED,
    FILLED_AS_TAKER,
    IS_BUY,
    REJECTED,
    TRIGGER_SHIFT,
    Resting,
)


class SelfTrade(enum.IntEnum):
    """What the venue does before an order would meet another one of the same owner."""

    NONE = 0  # it lets them trade; as they are both ours, nothing is filled
    CANCEL_TAKER = 1
    CANCEL_MAKER = 2
    CANCEL_BOTH = 3


# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
CANCEL_TAKER, CANCEL_MAKER = int(SelfTrade.CANCEL_TAKER), int(SelfTrade.CANCEL_MAKER)
WOULD_TAKE, NO_LIQUIDITY, SELF_TRADE = int(Refusal.WOULD_TAKE), int(Refusal.NO_LIQUIDITY), int(Refusal.SELF_TRADE)
MARKET_HALTED, EXPIRED = int(Refusal.MARKET_HALTED), int(Refusal.EXPIRED)
KILLED_UNFILLED, TOO_MANY_ORDERS = int(Refusal.KILLED_UNFILLED), int(Refusal.TOO_MANY_ORDERS)
LEVELS_WALKED = 64


def shifted(ticks: int, shift: float, side: int) -> int:
    """A price moved by a fraction, to the next tick that is worse for who pays it."""
    if shift == 0.0:
        return ticks
    moved = ticks * (1.0 + shift)
    return max(1, int64(math.ceil(moved - 1e-9)) if side == BUY else int64(math.floor(moved + 1e-9)))


class Takers(Desk):
    def take_over(self, words: np.ndarray, numbers: np.ndarray, due_ns: int, market: Market) -> None:
        """A new order is here."""
        if self.count == len(self.orders):
            self.report(due_ns, REJECTED, words[ORDER], words[TICKS], 0, words[LOTS], TOO_MANY_ORDERS)
            return
        side = BUY if words[CODE] & IS_BUY != 0 else SELL
        refusal = self.refusal_of(side, words, numbers[0], market)
        if words[EXPIRES] != 0 and words[EXPIRES] <= due_ns:
            refusal = EXPIRED
        if refusal != 0:
            self.report(due_ns, REJECTED, words[ORDER], words[TICKS], 0, words[LOTS], refusal)
            return
        order = self.orders[self.count]
        self.count += 1
        order.id = words[ORDER]
        order.ticks = words[TICKS]
        order.lots = words[REMAINING]
        order.filled_lots = words[LOTS] - words[REMAINING]
        order.display_lots = words[DISPLAY]
        order.expires_ns = words[EXPIRES]
        order.read_code(words[CODE])
        order.is_resting = False
        if order.expires_ns != 0:
            self.expiry_ns = min(self.expiry_ns, order.expires_ns)
        if order.trigger.kind != 0:
            order.trigger.ticks = numbers[0]
            order.trigger.trail_ticks = numbers[1]
            self.armed_count += 1
            self.report(due_ns, ACCEPTED, order.id, order.ticks, order.lots, order.lots, 0)
        else:
            self.enter(self.count - 1, due_ns, market, True)

    def refusal_of(self, side: int, words: np.ndarray, trigger_ticks: float, market: Market) -> int:
        """Why a new order may not even come in; 0: it may."""
        if market.is_halted():
            return MARKET_HALTED
        demands = market.demands
        if not demands.has_any:
            return 0
        refusal = market.demanded(side, words[TICKS], words[REMAINING], self.count)
        if refusal == 0 and words[CODE] >> TRIGGER_SHIFT != 0:
            refusal = demands.refusal_of_trigger(trigger_ticks, self.armed_count)
        if refusal == 0:
            refusal = demands.refusal_of_size(side, words[REMAINING], words[DISPLAY], self.held_lots(-1))
        return refusal

    def held_lots(self, except_index: int) -> int:
        """What is held and what open buys may still add, but for one of them."""
        lots = max(0, self.position_lots)
        for index in range(self.count):
            if index != except_index and self.orders[index].side == BUY:
                lots += self.orders[index].lots
        return lots

    def enter(self, index: int, due_ns: int, market: Market, is_new: bool) -> None:
        """The order meets the book."""
        order = self.orders[index]
        opposite = market.book.top[1 - order.side]
        crosses = opposite >= 0 and order.reaches(opposite) and market.is_matching()
        if order.post_only and crosses:
            if is_new:
                self.report(due_ns, REJECTED, order.id, order.ticks, order.lots, 0, WOULD_TAKE)
                self.remove(index)
            else:
                self.cancel(index, due_ns, WOULD_TAKE)
            return
        if order.all_or_none and (not market.is_matching() or self.obtainable(order, due_ns, market) < order.lots):
            self.cancel(index, due_ns, KILLED_UNFILLED)
            return
        if crosses or (self.self_trade != 0 and market.is_matching()):
            index = self.trade(index, due_ns, market)
            if index < 0:
                return
            order = self.orders[index]
        is_bare = not market.has_depth and market.message_count == 0
        if is_bare and order.ticks == 0 and not order.post_only and market.is_matching():
            self.take_bare(order, due_ns, market)
        self.rest(index, due_ns, market, is_new)

    def rest(self, index: int, due_ns: int, market: Market, is_new: bool) -> None:
        """What is left of it waits at its price, or goes."""
        order = self.orders[index]
        if order.lots == 0:
            self.remove(index)
        elif order.reduce_only and self.reducible_lots(order.side) == 0:
            self.cancel(index, due_ns, POSITION_CLOSED)
        elif order.immediate:
            self.cancel(index, due_ns, NO_LIQUIDITY)
        else:
            order.is_resting = True
            self.queue_up(order, market)
            order.traded_lots = 0.0
            order.show_next()
            if is_new:
                self.report(due_ns, ACCEPTED, order.id, order.ticks, order.lots, order.lots, 0)
            self.line_up(index)

    def queue_up(self, order: Resting, market: Market) -> None:
        """It comes last at its price, behind all that is displayed there."""
        ahead = 0 if self.queue == OPTIMISTIC else market.book.lots_at(order.side, order.ticks)
        order.ahead_lots = float(ahead)

    def trade(self, index: int, due_ns: int, market: Market) -> int:
        """Take what the limit reaches, up to an own order on the other side; returns where the order stands now.

        -1: it was cancelled rather than trade with its owner. However often own orders interrupt it, it is one order
        to the price, whose mean impact is that of its whole size.
        """
        order = self.orders[index]
        shift = self.shift_for(order, due_ns, market) if self.has_impact else 0.0
        for _ in range(len(self.orders)):
            barrier = self.own_price(order)
            self.take(order, due_ns, market, barrier, shift)
            if order.lots == 0 or barrier < 0 or not order.reaches(barrier):
                return index
            order_id, mode = order.id, self.self_trade
            if mode & CANCEL_MAKER:
                self.cancel(self.own_at(order, barrier), due_ns, SELF_TRADE)
                index = self.find(order_id)
                order = self.orders[index]
            if mode & CANCEL_TAKER:
                self.cancel(index, due_ns, SELF_TRADE)
                return -1
        return index

    def own_price(self, order: Resting) -> int:
        """The best price at which an own order rests on the other side; -1: none, or nobody minds."""
        best = -1
        if self.self_trade == 0:
            return best
        for index in range(self.count):
            other = self.orders[index]
            if other.is_resting and other.side != order.side:
                is_better = other.ticks < best if order.side == BUY else other.ticks > best
                best = other.ticks if best < 0 or is_better else best
        return best

    def own_at(self, order: Resting, ticks: int) -> int:
        """The first own order on the other side at a price; there is one."""
        for index in range(self.count):
            other = self.orders[index]
            if other.is_resting and other.side != order.side and other.ticks == ticks:
                return index
        return -1

    def take(self, order: Resting, due_ns: int, market: Market, barrier: int, shift: float) -> None:
        """Walk the displayed levels, less what we took before, no further than `barrier` (-1: no end)."""
        side = 1 - order.side
        ticks = market.book.top[side]
        before_lots = order.lots
        for _ in range(LEVELS_WALKED):
            paid = shifted(ticks, shift, order.side)
            if ticks < 0 or order.lots == 0 or not order.reaches(ticks) or not order.reaches(paid):
                break
            if barrier >= 0 and (ticks > barrier if order.side == BUY else ticks < barrier):
                break
            wanted = order.lots
            if order.reduce_only:
                wanted = min(wanted, self.reducible_lots(order.side))
            lots = self.reach_for(ticks * 2 + side, market.book.lots_at(side, ticks), wanted, market, due_ns)
            if lots > 0:
                self.book_fill(order, lots)
                self.report(due_ns, FILLED_AS_TAKER, order.id, paid, lots, order.lots, 0)
            ticks = market.book.next_level(side, ticks)
        if self.has_impact:
            self.press(order.side, before_lots - order.lots, due_ns, market)

    def shift_for(self, order: Resting, due_ns: int, market: Market) -> float:
        """By what fraction own trades, and what this order can take now, move the prices that it pays."""
        minutes = market.minutes
        minutes.roll(due_ns)
        size = market.size_of(min(order.lots, self.available(order, due_ns, market, -1, 0.0)))
        signed = size if order.side == BUY else -size
        return self.impact.mean_shift(signed, minutes.day_volume(), minutes.day_volatility(), due_ns)

    def press(self, side: int, lots: int, due_ns: int, market: Market) -> None:
        """So much was taken: the price will remember."""
        if lots > 0:
            signed = market.size_of(lots if side == BUY else -lots)
            self.impact.shift(signed, market.minutes.day_volume(), market.minutes.day_volatility(), due_ns)

    def obtainable(self, order: Resting, due_ns: int, market: Market) -> int:
        """How many lots it would be filled with now: all or none of it must know before it takes any."""
        barrier = self.own_price(order) if self.self_trade & CANCEL_TAKER else -1
        shift = self.shift_for(order, due_ns, market) if self.has_impact else 0.0
        lots = self.available(order, due_ns, market, barrier, shift)
        return min(lots, self.reducible_lots(order.side)) if order.reduce_only else lots

    def available(self, order: Resting, due_ns: int, market: Market, barrier: int, shift: float) -> int:
        """How many lots `take` can find for it, less what we took before, as far as memory and reports go."""
        side = 1 - order.side
        ticks = market.book.top[side]
        lots, unknown, reports = 0, 0, self.reports.free() - 2 * self.count
        for level in range(LEVELS_WALKED):
            is_reached = order.reaches(ticks) and order.reaches(shifted(ticks, shift, order.side))
            if ticks < 0 or lots >= order.lots or not is_reached or level >= reports:
                break
            if barrier >= 0 and (ticks > barrier if order.side == BUY else ticks < barrier):
                break
            index = self.place_of(ticks * 2 + side)
            unknown += 0 if index >= 0 else 1
            if self.taken_count + unknown > len(self.taken):
                break
            lots += max(0, self.left_of(index, market.book.lots_at(side, ticks)))
            ticks = market.book.next_level(side, ticks)
        return lots if self.participation == 0.0 else min(lots, self.allowance(market, due_ns))

    def take_bare(self, order: Resting, due_ns: int, market: Market) -> None:
        """No book was ever seen: the last price, made worse, for a share of the candle's volume."""
        if market.last_price <= 0.0:
            return
        candle = market.candle
        lots = order.lots
        if order.reduce_only:
            lots = min(lots, self.reducible_lots(order.side))
        if candle.interval_ns > 0:
            lots = min(lots, market.lots_of(candle.volume * self.bare_volume_share))
        if self.participation > 0.0:
            lots = min(lots, self.allowance(market, due_ns))
        if lots > 0 and self.has_room():
            ticks = max(1, market.ticks_of(self.bare_price(order.side, lots, due_ns, market)))
            self.book_fill(order, lots)
            self.share_lots += lots
            self.report(due_ns, FILLED_AS_TAKER, order.id, ticks, lots, order.lots, 0)
            if self.has_impact:
                self.press(order.side, lots, due_ns, market)

    def bare_price(self, side: int, lots: int, due_ns: int, market: Market) -> float:
        """The last price, made worse by what the candle, the minutes before it and own trades say."""
        last, candle, minutes = market.last_price, market.candle, market.minutes
        worse = max(last * self.bare_floor_bps * 1e-4, self.bare_range_share * (candle.high - candle.low))
        if self.bare_volatility_share > 0.0:
            minutes.roll(due_ns)
            worse = max(worse, last * self.bare_volatility_share * minutes.minute_volatility())
        worse += 0.5 * last * self.bare_spread_bps * 1e-4
        if self.bare_random_bps > 0.0:
            worse += last * self.bare_random_bps * 1e-4 * self.generator.uniform()
        price = last + (worse if side == BUY else -worse)
        if self.has_impact:
            minutes.roll(due_ns)
            signed = market.size_of(lots if side == BUY else -lots)
            price *= 1.0 + self.impact.mean_shift(signed, minutes.day_volume(), minutes.day_volatility(), due_ns)
        return price

    def amend(self, index: int, words: np.ndarray, due_ns: int, market: Market) -> None:
        """Another size or price. Only less at the same price keeps the place in the queue."""
        order = self.orders[index]
        ticks, lots = words[TICKS], words[LOTS] - order.filled_lots
        if lots <= 0:
            self.cancel(index, due_ns, 0)
            return
        is_same_place = ticks == order.ticks and lots <= order.lots
        opposite = market.book.top[1 - order.side]
        before = order.ticks
        refusal = MARKET_HALTED if market.is_halted() else market.demanded(order.side, ticks, lots, self.count - 1)
        if refusal == 0 and market.demands.has_any:
            refusal = market.demands.refusal_of_size(order.side, lots, order.display_lots, self.held_lots(index))
        if refusal != 0:
            self.report(due_ns, AMEND_REJECTED, order.id, before, order.lots, 0, refusal)
            return
        order.ticks = ticks
        if order.post_only and not is_same_place and opposite >= 0 and order.reaches(opposite):
            order.ticks = before
            self.report(due_ns, AMEND_REJECTED, order.id, order.ticks, order.lots, 0, WOULD_TAKE)
            return
        order.lots = lots
        self.report(due_ns, AMENDED, order.id, ticks, words[LOTS], lots, 0)
        if order.trigger.kind != 0:
            return
        if is_same_place:
            order.shown_lots = min(order.shown_lots, lots)
        else:
            order.is_resting = False
            self.enter(index, due_ns, market, False)
