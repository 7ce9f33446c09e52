"""The simulated venue: what our orders would have met, as one kernel record a seat.

It lives on the received clock. `up_ns` is the way of an order (sending and feed latency), `down_ns` that of the answer;
the venue's own clock is not used, so a skewed one does no harm. An order that reaches the venue between two events
meets the book as it was before the second one.

* A taker walks the displayed book, best level first. What it took stays taken until the feed shows that level anew.
* A maker queues behind all that was displayed at its price. Trades at the price move it up and fill it, in part or
  whole; cancels are taken to happen behind it (`power` 0, the pessimistic answer) or, with `power` n, ahead of it with
  probability front^n / (front^n + back^n) (Rigtorp 2013, "Estimating order queue position"). A trade through its price, or a
  displayed opposite level there, fills it, never beyond what was traded or displayed.
* Without any book (a file of trades only) a taker gets the last price, worsened by the greater of a floor and a share
  of the candle's range, and no more than a share of what was traded in the candle.
"""

from __future__ import annotations

import numpy as np

from streamtrader.events import BID, BUY, TOP, Event, Kind
from streamtrader.kernel.market import Market
from streamtrader.kernel.orders import ORDER_SLOTS, Order, Refusal
from streamtrader.kernel.record import Record, int64
from streamtrader.simulator.flight import CODE, KIND, LOTS, ORDER, TICKS, Flight

# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
TOO_MANY_ORDERS, WOULD_TAKE, NO_LIQUIDITY = int(Refusal.TOO_MANY_ORDERS), int(Refusal.WOULD_TAKE), int(Refusal.NO_LIQUIDITY)
NEW, CANCEL = 1, 2  # requests
ACCEPTED, FILLED_AS_MAKER, FILLED_AS_TAKER, CANCELLED, REJECTED = 1, 2, 3, 4, 5  # reports
LEVELS_WALKED = 64
TAKEN_SLOTS = 32


class Resting(Record):
    """An order as the venue has it: `ahead` lots stand before it at its price."""

    def __init__(self) -> None:
        self.id = 0
        self.side = 0
        self.ticks = 0  # 0: no limit
        self.lots = 0  # still to fill
        self.ahead_lots = 0.0
        self.traded_lots = 0.0  # at its level since the book last showed it
        self.is_resting = False
        self.post_only = False
        self.immediate = False


class SimulatedVenue(Record):
    """One seat's orders at the venue. All buffers are bounded; see `Flight` for what full means."""

    def __init__(
        self, up_ns: int = 20_000_000, down_ns: int = 10_000_000, power: float = 0.0,
        bare_floor_bps: float = 1.0, bare_range_share: float = 0.1, bare_volume_share: float = 0.1,
        slots: int = ORDER_SLOTS,
    ) -> None:  # fmt: skip
        self.up_ns = up_ns
        self.down_ns = down_ns
        self.power = float(power)
        self.bare_floor_bps = float(bare_floor_bps)
        self.bare_range_share = float(bare_range_share)
        self.bare_volume_share = float(bare_volume_share)
        self.count = 0
        self.taken_count = 0
        self.withheld_count = 0  # fills not given because the reports were full
        self.orders = np.zeros(slots, Resting().dtype)
        self.requests = Flight(4 * slots)
        self.reports = Flight(4 * slots)
        self.taken = np.zeros((TAKEN_SLOTS, 2), np.int64)  # key, lots taken that the feed has not shown yet

    # --- what the seat calls ---

    def is_busy(self) -> bool:
        return self.count + self.taken_count > 0

    def first_ns(self) -> int:
        """Requests that cannot be answered for lack of room wait for the next report to leave."""
        if not self.can_answer():
            return self.reports.first_ns()
        return min(self.requests.first_ns(), self.reports.first_ns())

    def can_answer(self) -> bool:
        """Whether the reports have room for one more request, whatever it is, and for all that may end."""
        return self.reports.free() > 2 * (self.count + 1)

    def send(self, order: Order, now_ns: int) -> bool:
        """An order leaves for the venue; the words carry all that it is."""
        code = (1 if order.post_only else 0) | (2 if order.immediate else 0) | (4 if order.side == BUY else 0)
        return self.requests.push(now_ns + self.up_ns, NEW, order.id, order.ticks, order.lots, 0, code)

    def send_cancel(self, order_id: int, now_ns: int) -> bool:
        return self.requests.push(now_ns + self.up_ns, CANCEL, order_id, 0, 0, 0, 0)

    def arrivals(self, now_ns: int, market: Market) -> None:
        """Requests that reach the venue before the event at `now_ns`; without room to answer they wait."""
        requests = self.requests
        while requests.first_ns() <= now_ns and self.can_answer():
            due_ns = requests.due_ns[requests.first]
            words = requests.words[requests.first]
            if words[KIND] == NEW:
                if self.count == len(self.orders):
                    self.report(due_ns, REJECTED, words[ORDER], words[TICKS], 0, words[LOTS], TOO_MANY_ORDERS)
                else:
                    self.take_over(words, due_ns, market)
            else:
                index = self.find(words[ORDER])
                if index >= 0:
                    order = self.orders[index]
                    self.report(due_ns, CANCELLED, order.id, order.ticks, order.lots, 0, 0)
                    self.remove(index)
            requests.drop_first()

    # --- the venue's own ---

    def report(
        self, at_ns: int, kind: int, order_id: int, ticks: int, lots: int, remaining: int, code: int
    ) -> None:
        self.reports.push(at_ns + self.down_ns, kind, order_id, ticks, lots, remaining, code)

    def has_room(self) -> bool:
        """Each order keeps two places: for its end and for its acknowledgement."""
        return self.reports.free() > 2 * self.count

    def find(self, order_id: int) -> int:
        for index in range(self.count):
            if self.orders[index].id == order_id:
                return index
        return -1

    def remove(self, index: int) -> None:
        self.count -= 1
        for at in range(index, self.count):
            self.orders[at] = self.orders[at + 1]

    def take_over(self, words: np.ndarray, due_ns: int, market: Market) -> None:
        """A new order is here: it is rejected, takes, rests, or what is left of it goes."""
        index = self.count
        self.count += 1
        order = self.orders[index]
        order.id = words[ORDER]
        order.ticks = words[TICKS]
        order.lots = words[LOTS]
        order.post_only = words[CODE] & 1 != 0
        order.immediate = words[CODE] & 2 != 0
        order.side = 0 if words[CODE] & 4 != 0 else 1
        order.is_resting = False
        opposite = market.book.top[1 - order.side]
        crosses = opposite >= 0 and self.reaches(order, opposite)
        if order.post_only and crosses:
            self.report(due_ns, REJECTED, order.id, order.ticks, order.lots, 0, WOULD_TAKE)
            self.remove(index)
            return
        if crosses:
            self.take(order, due_ns, market)
        elif order.ticks == 0 and not order.post_only and not market.has_depth and market.book.top[0] < 0 and market.book.top[1] < 0:
            self.take_bare(order, due_ns, market)
        if order.lots == 0:
            self.remove(index)
        elif order.immediate:
            self.report(due_ns, CANCELLED, order.id, order.ticks, order.lots, 0, NO_LIQUIDITY)
            self.remove(index)
        else:
            order.is_resting = True
            order.ahead_lots = float(market.book.lots_at(order.side, order.ticks))
            order.traded_lots = 0.0
            self.report(due_ns, ACCEPTED, order.id, order.ticks, order.lots, order.lots, 0)

    def reaches(self, order: Resting, ticks: int) -> bool:
        """Whether the order's limit lies at the price or beyond it."""
        return order.ticks == 0 or (ticks <= order.ticks if order.side == BUY else ticks >= order.ticks)

    def take(self, order: Resting, due_ns: int, market: Market) -> None:
        """Walk the displayed levels, less what we took before."""
        side = 1 - order.side
        ticks = market.book.top[side]
        for _ in range(LEVELS_WALKED):
            if ticks < 0 or order.lots == 0 or not self.reaches(order, ticks):
                return
            displayed = market.book.lots_at(side, ticks)
            lots = self.claim(ticks * 2 + side, displayed, order.lots)
            if lots > 0:
                order.lots -= lots
                self.report(due_ns, FILLED_AS_TAKER, order.id, ticks, lots, order.lots, 0)
            ticks = market.book.next_level(side, ticks)

    def claim(self, key: int, displayed: int, wanted: int) -> int:
        """What may still be had of a displayed level; it is remembered as taken. Full memory: nothing."""
        index = -1
        for at in range(self.taken_count):
            if self.taken[at, 0] == key:
                index = at
        before = self.taken[index, 1] if index >= 0 else 0
        lots = min(wanted, displayed - before)
        if lots <= 0:
            return 0
        if not self.has_room():
            self.withheld_count += 1
            return 0
        if index < 0:
            if self.taken_count == len(self.taken):
                return 0
            index = self.taken_count
            self.taken_count += 1
            self.taken[index, 0] = key
        self.taken[index, 1] = before + lots
        return lots

    def take_bare(self, order: Resting, due_ns: int, market: Market) -> None:
        """No book was ever seen: the last price, made worse, for a share of the candle's volume."""
        if market.last_price <= 0.0:
            return
        candle = market.candle
        floor = market.last_price * self.bare_floor_bps * 1e-4
        worse = max(floor, self.bare_range_share * (candle.high - candle.low))
        price = market.last_price + (worse if order.side == BUY else -worse)
        ticks = max(1, market.ticks_of(price))
        lots = order.lots
        if candle.interval_ns > 0:
            lots = min(lots, market.lots_of(candle.volume * self.bare_volume_share))
        if lots > 0 and self.has_room():
            order.lots -= lots
            self.report(due_ns, FILLED_AS_TAKER, order.id, ticks, lots, order.lots, 0)

    def match(self, event: Event, market: Market) -> None:
        """What the event does to resting orders and to our memory of taken levels."""
        kind = event.kind
        if kind == Kind.BOOK:
            if self.taken_count > 0:
                self.refresh(int64(event.side), market.ticks, event.flags & TOP != 0)
            if self.count > 0:
                self.match_level(event, market)
        elif kind == Kind.TRADE:
            if self.count > 0:
                self.match_trade(event, market)
        elif kind == Kind.BOOK_CLEAR:
            self.taken_count = 0
        elif kind == Kind.QUOTE and not market.has_depth:
            self.taken_count = 0
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
                        self.move_up(order, float(market.before_lots), float(market.lots))
                elif market.lots > 0 and self.reaches(order, market.ticks):
                    key = market.ticks * 2 + int64(event.side)
                    self.fill(order, market.event_ns, self.claim(key, market.lots, order.lots))
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
            if order.ticks == top[order.side]:
                order.ahead_lots = min(order.ahead_lots, float(top_lots[order.side]))
                order.traded_lots = 0.0
            if top[opposite] >= 0 and self.reaches(order, top[opposite]):
                key = top[opposite] * 2 + opposite
                self.fill(order, market.event_ns, self.claim(key, top_lots[opposite], order.lots))
            if order.lots == 0:
                self.remove(index)
            else:
                index += 1

    def move_up(self, order: Resting, before: float, after: float) -> None:
        """Cancels ahead of us: the displayed decrease that trades do not explain, times a probability."""
        cancelled = max(0.0, before - after - order.traded_lots)
        order.traded_lots = 0.0
        if self.power > 0.0 and cancelled > 0.0:
            front = order.ahead_lots**self.power
            back = max(before - order.ahead_lots, 0.0) ** self.power
            if front + back > 0.0:
                order.ahead_lots -= cancelled * front / (front + back)
        order.ahead_lots = min(max(order.ahead_lots, 0.0), after)

    def match_trade(self, event: Event, market: Market) -> None:
        """A seller hits bids: ours in the queue at that price, or before it when the price went through.

        Our own orders share the traded size in the order of their arrival.
        """
        left = market.lots
        index = 0
        while index < self.count:
            order = self.orders[index]
            if order.is_resting and order.side != event.side and left > 0:
                lots = 0
                if order.ticks != market.ticks:
                    through = market.ticks < order.ticks if order.side == BID else market.ticks > order.ticks
                    lots = min(order.lots, left) if through else 0
                else:
                    order.ahead_lots -= market.lots
                    order.traded_lots += market.lots
                    if order.ahead_lots < 0.0:
                        lots = min(order.lots, left, int64(-order.ahead_lots))
                        order.ahead_lots = 0.0
                if lots > 0 and self.has_room():
                    left -= lots
                    self.fill(order, market.event_ns, lots)
                elif lots > 0:
                    self.withheld_count += 1
            if order.lots == 0:
                self.remove(index)
            else:
                index += 1

    def fill(self, order: Resting, at_ns: int, lots: int) -> None:
        if lots > 0:
            order.lots -= lots
            self.report(at_ns, FILLED_AS_MAKER, order.id, order.ticks, lots, order.lots, 0)


