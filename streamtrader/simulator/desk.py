"""What the simulated venue keeps for one seat: its orders, what it took, and the messages on their way.

All buffers are bounded; see `Flight` for what full means.
"""

from __future__ import annotations

import numpy as np

from streamtrader.events import BUY
from streamtrader.kernel.candles import FAR_NS
from streamtrader.kernel.market import Market
from streamtrader.kernel.orders import ORDER_SLOTS, Refusal
from streamtrader.kernel.record import Record
from streamtrader.simulator.flight import Flight
from streamtrader.simulator.impact import Impact
from streamtrader.simulator.latency import Generator, Latency
from streamtrader.simulator.reach import Reach
from streamtrader.simulator.resting import CANCELLED, FILLED_AS_MAKER, Resting

TAKEN_SLOTS = 32
POSITION_CLOSED = int(Refusal.POSITION_CLOSED)


class Desk(Record):
    """`position_lots` is the venue's own count: it is ahead of what the seat has heard."""

    def __init__(
        self, latency: Latency | None = None, queue: int = 0, power: float = 2.0,
        self_trade: int = 0, slots: int = ORDER_SLOTS,
    ) -> None:  # fmt: skip
        self.queue = queue  # a `Queue`
        self.power = float(power)
        self.impact = Impact()
        self.has_impact = False
        self.participation = 0.0  # the share of a minute's volume that may be taken in the next; 0: all
        self.share_minute = -1
        self.share_lots = 0  # taken in that minute
        self.bare_floor_bps = 1.0  # without a book the price is worse by the greatest of three
        self.bare_range_share = 0.1
        self.bare_volatility_share = 0.0
        self.bare_spread_bps = 0.0  # and by half of this
        self.bare_random_bps = 0.0  # and by anything up to this
        self.bare_volume_share = 0.1
        self.generator = Generator()
        self.self_trade = self_trade  # a `SelfTrade`
        self.knows_expiry = True  # what the venue can do itself; the engine does the rest
        self.knows_amend = True
        self.knows_iceberg = True
        self.knows_stop = True
        self.knows_trailing = True
        self.count = 0
        self.armed_count = 0
        self.taken_count = 0
        self.withheld_count = 0  # fills not given because the reports were full
        self.position_lots = 0
        self.expiry_ns = FAR_NS
        self.reach = Reach()
        self.orders = np.zeros(slots, Resting().dtype)
        self.moved = np.zeros(1, Resting().dtype)  # on its way from one place to another
        self.requests = Flight(4 * slots)
        self.reports = Flight(4 * slots)
        self.latency = latency if latency is not None else Latency()
        self.taken = np.zeros((TAKEN_SLOTS, 2), np.int64)  # key, lots taken that the feed has not shown yet

    def report(
        self, at_ns: int, kind: int, order_id: int, ticks: int, lots: int, remaining: int, code: int
    ) -> None:
        self.reports.push(self.latency.answer_ns(at_ns), kind, order_id, ticks, lots, remaining, code)

    def has_room(self) -> bool:
        """Each order keeps two places: for its end and for its acknowledgement."""
        return self.reports.free() > 2 * self.count

    def find(self, order_id: int) -> int:
        for index in range(self.count):
            if self.orders[index].id == order_id:
                return index
        return -1

    def remove(self, index: int) -> None:
        if self.orders[index].trigger.kind != 0:
            self.armed_count -= 1
        self.count -= 1
        for at in range(index, self.count):
            self.orders[at] = self.orders[at + 1]

    def line_up(self, index: int) -> None:
        """Our resting orders of a side stand best price first, then by arrival; an order that rests now comes last at its."""
        side, ticks = self.orders[index].side, self.orders[index].ticks
        place = -1
        for at in range(self.count):
            other = self.orders[at]
            is_worse = other.ticks < ticks if side == BUY else other.ticks > ticks
            if at != index and other.is_resting and other.side == side and is_worse:
                place = at
                break
        if place < 0:
            place = self.count - 1
        elif place > index:
            place -= 1
        if place == index:
            return
        self.moved[0] = self.orders[index]
        for at in range(index, self.count - 1):
            self.orders[at] = self.orders[at + 1]
        for at in range(self.count - 1, place, -1):
            self.orders[at] = self.orders[at - 1]
        self.orders[place] = self.moved[0]

    def cancel(self, index: int, at_ns: int, code: int) -> None:
        """The venue lets go of an order; 0 when it was asked to."""
        order = self.orders[index]
        self.report(at_ns, CANCELLED, order.id, order.ticks, order.lots, 0, code)
        self.remove(index)

    def reducible_lots(self, side: int) -> int:
        """How much a side can trade before the position changes its sign."""
        return max(0, -self.position_lots if side == BUY else self.position_lots)

    def book_fill(self, order: Resting, lots: int) -> None:
        """The order as the venue has it after a fill."""
        order.lots -= lots
        order.filled_lots += lots
        order.shown_lots = max(0, order.shown_lots - lots)
        self.position_lots += lots if order.side == BUY else -lots

    def fill(self, order: Resting, at_ns: int, wanted: int) -> int:
        """A maker's fill, where the reports have room; returns how much. One that only reduces goes with the position."""
        lots = wanted
        if order.reduce_only:
            lots = min(lots, self.reducible_lots(order.side))
        if lots > 0:
            self.book_fill(order, lots)
            self.report(at_ns, FILLED_AS_MAKER, order.id, order.ticks, lots, order.lots, 0)
        if lots < wanted:
            self.report(at_ns, CANCELLED, order.id, order.ticks, order.lots, 0, POSITION_CLOSED)
            order.lots = 0
        return lots

    def allowance(self, market: Market, at_ns: int) -> int:
        """How many lots may be taken in this minute yet; what was traded in the one before it is the measure."""
        market.minutes.roll(at_ns)
        if market.minutes.minute != self.share_minute:
            self.share_minute = market.minutes.minute
            self.share_lots = 0
        return max(0, market.lots_of(self.participation * market.minutes.last_volume()) - self.share_lots)

    def reach_for(self, key: int, displayed: int, wanted: int, market: Market, at_ns: int) -> int:
        """`claim`, within the share of the volume that one may be."""
        if self.participation == 0.0:
            return self.claim(key, displayed, wanted)
        lots = self.claim(key, displayed, min(wanted, self.allowance(market, at_ns)))
        self.share_lots += lots
        return lots

    def claim(self, key: int, displayed: int, wanted: int) -> int:
        """What may still be had of a displayed level; it is remembered as taken. Full memory: nothing."""
        index = self.place_of(key)
        lots = min(wanted, self.left_of(index, displayed))
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
            self.taken[index, 1] = 0
        self.taken[index, 1] += lots
        return lots

    def give_back(self, key: int, lots: int) -> None:
        """Claimed, but not filled."""
        if self.participation > 0.0:
            self.share_lots -= lots
        self.taken[self.place_of(key), 1] -= lots

    def place_of(self, key: int) -> int:
        """Where a level stands among those that were taken from; -1: we took nothing of it."""
        for at in range(self.taken_count):
            if self.taken[at, 0] == key:
                return at
        return -1

    def left_of(self, index: int, displayed: int) -> int:
        """What of the level at such a place is not ours yet."""
        return displayed - self.taken[index, 1] if index >= 0 else displayed
