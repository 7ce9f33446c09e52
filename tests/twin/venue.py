"""The simulated venue once more, written to be obvious: dictionaries, lists, whole ticks and lots, and no bound.

It shares no code with the package and knows the pessimistic queue only. Prices of 0 are no limit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

BID, ASK = 0, 1
BUY, SELL = 0, 1  # a buyer rests among the bids and takes from the asks
MAKER, TAKER = 0, 1
WOULD_TAKE, NO_LIQUIDITY, KILLED, EXPIRED, SELF_TRADE, CLOSED = 100, 101, 102, 103, 104, 105
STOP, TAKE_PROFIT, TRAILING = "stop", "take profit", "trailing"


@dataclass(eq=False)
class Waiting:
    """What an order waits for: a price of a trade. A trailing one has no price before it has seen a trade."""

    kind: str
    ticks: int
    distance: int = 0


@dataclass(eq=False)
class Resting:
    """An order as the venue has it; `lots` are still to fill."""

    id: int
    side: int
    ticks: int
    lots: int
    post_only: bool = False
    immediate: bool = False
    all_or_none: bool = False
    reduce_only: bool = False
    display: int = 0
    expires_ns: int = 0
    waiting: Waiting | None = None
    filled: int = 0
    shown: int = 0
    ahead: int = 0
    is_resting: bool = False

    def reaches(self, ticks: int) -> bool:
        return self.ticks == 0 or (ticks <= self.ticks if self.side == BUY else ticks >= self.ticks)

    def show_next(self) -> None:
        self.shown = min(self.lots, self.display) if self.display else self.lots


Say = Callable[..., None]  # (at_ns, what, order id, ticks, lots, code)


class Venue:
    """`shown` is what the feed displays, `taken` what own orders took of it since it was shown."""

    def __init__(self, say: Say, self_trade: int) -> None:
        self.say = say
        self.cancels_taker, self.cancels_maker = bool(self_trade & 1), bool(self_trade & 2)
        self.shown: list[dict[int, int]] = [{}, {}]
        self.taken: dict[tuple[int, int], int] = {}
        self.orders: list[Resting] = []  # by arrival
        self.position = 0
        self.last_ticks = 0

    # --- what is there ---

    def best(self, side: int) -> int | None:
        return (max if side == BID else min)(self.shown[side], default=None)

    def middle_ticks(self) -> float | None:
        """Half ticks are exact."""
        bid, ask = self.best(BID), self.best(ASK)
        return None if bid is None or ask is None else (bid + ask) / 2

    def left_at(self, side: int, ticks: int) -> int:
        return self.shown[side].get(ticks, 0) - self.taken.get((side, ticks), 0)

    def reducible(self, order: Resting) -> int:
        return max(0, -self.position if order.side == BUY else self.position)

    def find(self, order_id: int) -> Resting | None:
        return next((order for order in self.orders if order.id == order_id), None)

    def in_line(self, side: int) -> list[Resting]:
        """Own resting orders of a side: best price first, at one price who came first."""
        sign = -1 if side == BUY else 1
        return sorted((o for o in self.orders if o.is_resting and o.side == side), key=lambda order: sign * order.ticks)

    def crosses(self, order: Resting) -> bool:
        opposite = self.best(1 - order.side)
        return opposite is not None and order.reaches(opposite)

    # --- how orders end ---

    def drop(self, order: Resting, at_ns: int, code: int, *, what: str = "cancelled") -> None:
        self.orders = [other for other in self.orders if other is not order]
        self.say(at_ns, what, order.id, order.ticks, order.lots, code)

    def fill(self, order: Resting, at_ns: int, ticks: int, lots: int, liquidity: int) -> None:
        order.lots -= lots
        order.filled += lots
        order.shown = max(0, order.shown - lots)
        self.position += lots if order.side == BUY else -lots
        self.say(at_ns, "filled", order.id, ticks, lots, liquidity)
        if order.lots == 0:
            self.orders = [other for other in self.orders if other is not order]

    def fill_resting(self, order: Resting, at_ns: int, lots: int) -> int:
        """At its own price; one that only reduces goes when more would be filled than there is to reduce."""
        given = min(lots, self.reducible(order)) if order.reduce_only else lots
        if given > 0:
            self.fill(order, at_ns, order.ticks, given, MAKER)
        if given < lots:
            self.drop(order, at_ns, CLOSED)
        elif order.lots > 0 and order.shown == 0:
            self.queue_up(order)
        return given

    def queue_up(self, order: Resting) -> None:
        """The next part of it is shown, behind all that is displayed at its price."""
        order.ahead = self.shown[order.side].get(order.ticks, 0)
        order.show_next()

    # --- what the owner asks for ---

    def take_over(self, order: Resting, at_ns: int) -> None:
        if order.expires_ns and order.expires_ns <= at_ns:
            self.say(at_ns, "rejected", order.id, order.ticks, order.lots, EXPIRED)
            return
        self.orders.append(order)
        if order.waiting:
            self.say(at_ns, "accepted", order.id, order.ticks, order.lots, 0)
        else:
            self.enter(order, at_ns, is_new=True)

    def enter(self, order: Resting, at_ns: int, *, is_new: bool) -> None:
        """It meets the book: is refused, takes, and what is left of it rests or goes."""
        if order.post_only and self.crosses(order):
            self.drop(order, at_ns, WOULD_TAKE, what="rejected" if is_new else "cancelled")
            return
        if order.all_or_none and self.obtainable(order) < order.lots:
            self.drop(order, at_ns, KILLED)
            return
        self.take(order, at_ns)
        if order not in self.orders:
            return
        if order.reduce_only and self.reducible(order) == 0:
            self.drop(order, at_ns, CLOSED)
        elif order.immediate:
            self.drop(order, at_ns, NO_LIQUIDITY)
        else:
            self.orders.append(self.orders.pop(self.orders.index(order)))  # whatever it was before, it comes last
            order.is_resting = True
            self.queue_up(order)
            if is_new:
                self.say(at_ns, "accepted", order.id, order.ticks, order.lots, 0)

    def own_before(self, order: Resting) -> Resting | None:
        """The own order that it would meet first, where the venue minds."""
        others = self.in_line(1 - order.side) if self.cancels_taker or self.cancels_maker else []
        return others[0] if others and order.reaches(others[0].ticks) else None

    def levels_for(self, order: Resting, own: Resting | None) -> list[int]:
        """Displayed prices that it reaches, best first, up to that of an own order."""
        side = 1 - order.side
        prices = [ticks for ticks in sorted(self.shown[side], reverse=side == BID) if order.reaches(ticks)]
        if own is not None:
            prices = [ticks for ticks in prices if (ticks <= own.ticks if side == ASK else ticks >= own.ticks)]
        return prices

    def obtainable(self, order: Resting) -> int:
        own = self.own_before(order) if self.cancels_taker else None
        lots = sum(self.left_at(1 - order.side, ticks) for ticks in self.levels_for(order, own))
        return min(lots, self.reducible(order)) if order.reduce_only else lots

    def take(self, order: Resting, at_ns: int) -> None:
        side = 1 - order.side
        while True:
            own = self.own_before(order)
            for ticks in self.levels_for(order, own):
                wanted = min(order.lots, self.reducible(order)) if order.reduce_only else order.lots
                lots = min(wanted, self.left_at(side, ticks))
                if lots > 0:
                    self.taken[side, ticks] = self.taken.get((side, ticks), 0) + lots
                    self.fill(order, at_ns, ticks, lots, TAKER)
            if order.lots == 0 or own is None:
                return
            if self.cancels_maker:
                self.drop(own, at_ns, SELF_TRADE)
            if self.cancels_taker:
                self.drop(order, at_ns, SELF_TRADE)
                return

    def cancel(self, order_id: int, at_ns: int) -> None:
        order = self.find(order_id)
        if order is not None:
            self.drop(order, at_ns, 0)

    def amend(self, order_id: int, ticks: int, whole: int, at_ns: int) -> None:
        order = self.find(order_id)
        if order is None:
            self.say(at_ns, "not amended", order_id, ticks, whole, 0)
            return
        lots = whole - order.filled
        if lots <= 0:
            self.drop(order, at_ns, 0)
            return
        keeps_place = ticks == order.ticks and lots <= order.lots
        before, order.ticks = order.ticks, ticks
        if order.post_only and not keeps_place and self.crosses(order):
            order.ticks = before
            self.say(at_ns, "not amended", order.id, before, order.lots, WOULD_TAKE)
            return
        order.lots = lots
        self.say(at_ns, "amended", order.id, ticks, whole, 0)
        if order.waiting:
            return
        if keeps_place:
            order.shown = min(order.shown, lots)
        else:
            order.is_resting = False
            self.enter(order, at_ns, is_new=False)

    def expire(self, at_ns: int) -> None:
        for order in list(self.orders):
            if order.expires_ns == at_ns:
                self.drop(order, at_ns, EXPIRED)

    # --- what the market does ---

    def show(self, at_ns: int, side: int, ticks: int, lots: int) -> None:
        """A level is displayed anew; own orders on the other side that reach it are filled."""
        self.taken.pop((side, ticks), None)
        self.shown[side].pop(ticks, None)
        if lots:
            self.shown[side][ticks] = lots
        for order in self.in_line(side):
            if order.ticks == ticks:
                order.ahead = min(order.ahead, lots)
        self.meet(at_ns, side, ticks)

    def meet(self, at_ns: int, side: int, ticks: int) -> None:
        for order in self.in_line(1 - side):
            lots = min(order.lots, self.left_at(side, ticks))
            if lots > 0 and order.reaches(ticks):
                given = self.fill_resting(order, at_ns, lots)
                self.taken[side, ticks] = self.taken.get((side, ticks), 0) + given

    def show_only(self, at_ns: int, side: int, ticks: int, lots: int) -> None:
        """The one level that a feed of best quotes knows of a side."""
        self.shown[side] = {}
        self.taken = {key: taken for key, taken in self.taken.items() if key[0] != side}
        self.show(at_ns, side, ticks, lots)

    def quote(self, at_ns: int, tops: tuple[tuple[int, int], tuple[int, int]]) -> None:
        """Both best levels at one moment: all of it is known before anything is filled."""
        self.taken = {}
        for side, (ticks, lots) in enumerate(tops):
            self.shown[side] = {ticks: lots} if lots else {}
            for order in self.in_line(side):
                if lots and order.ticks == ticks:
                    order.ahead = min(order.ahead, lots)
        for side, (ticks, _) in enumerate(tops):
            self.meet(at_ns, side, ticks)

    def clear(self) -> None:
        self.shown, self.taken = [{}, {}], {}

    def trade(self, at_ns: int, side: int, ticks: int, lots: int) -> None:
        """Somebody took so many lots: first those before us at a price, and what is given to one is not given to another."""
        self.last_ticks = ticks
        left = lots
        for order in self.in_line(1 - side):
            if order.ticks == ticks:
                before = min(order.ahead, left)
                order.ahead -= before
                given = min(order.shown, left - before)
            else:
                given = min(order.lots, left) if order.reaches(ticks) else 0
            if given > 0:
                left -= self.fill_resting(order, at_ns, given)
        self.fire(at_ns, ticks)

    def fire(self, at_ns: int, ticks: int) -> None:
        for order in [order for order in self.orders if order.waiting]:
            if order in self.orders and order.waiting and self.is_reached(order.waiting, order.side, ticks):
                self.say(at_ns, "triggered", order.id, order.waiting.ticks, order.lots, 0)
                order.waiting = None
                self.enter(order, at_ns, is_new=False)

    def is_reached(self, waiting: Waiting, side: int, ticks: int) -> bool:
        if waiting.kind == TRAILING:
            here = ticks + waiting.distance if side == BUY else max(1, ticks - waiting.distance)
            nearer = min if side == BUY else max
            waiting.ticks = here if waiting.ticks == 0 else nearer(here, waiting.ticks)
        is_above = (side == BUY) == (waiting.kind != TAKE_PROFIT)
        return ticks >= waiting.ticks if is_above else ticks <= waiting.ticks
