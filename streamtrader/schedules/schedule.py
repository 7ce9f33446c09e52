"""What all schedules share: how much of a large order is due by now, and the small orders that bring it in.

A schedule says how many lots should be done at a moment; this base keeps to it. While it is patient it rests a
post-only order at the touch, moved along with it, for what is due now. What was due a whole slice ago and is still
missing is taken at the market, once the resting order is gone. So never more is done than is due, whatever is filled
while a cancel is on its way, and never less than one slice too late. All of it is a record: a restart goes on with it.
"""

from __future__ import annotations

import math

from streamtrader.errors import ConfigError
from streamtrader.events import ASK, BID, BUY, SELL, Fill
from streamtrader.kernel.broker import Broker
from streamtrader.kernel.record import Record, int64
from streamtrader.units import NS_PER_S

ROOM = 1.05  # the price may fall a little before the smallest slice is sent


class Schedule(Record):
    """An order of a signed size over `duration_s` seconds, in slices of `slice_s`; whole seconds are the finest.

    `is_patient` rests before it takes; otherwise each slice goes to the market at once. Extend it with `due_lots`.
    """

    def __init__(self, duration_s: float = 600.0, slice_s: float = 10.0, is_patient: bool = True) -> None:
        if not 1.0 <= slice_s <= duration_s < math.inf:
            raise ConfigError(f"1 <= slice_s <= duration_s must hold, not slice_s {slice_s} and duration_s {duration_s}")
        self.duration_ns = round(duration_s * NS_PER_S)
        self.slice_ns = round(slice_s * NS_PER_S)
        self.is_patient = bool(is_patient)
        self.side = 0
        self.total_lots = 0
        self.least_lots = 0  # the venue takes no smaller order
        self.done_lots = 0
        self.begun_ns = 0  # 0: it has not begun
        self.resting = 0  # the order at the touch
        self.taking = 0  # the one at the market

    # --- what a strategy calls ---

    def begin(self, size: float, broker: Broker) -> bool:
        """Start with an order of this size, negative to sell; False when it is less than the venue's smallest order."""
        lots = broker.lots_asked(abs(size))
        price = broker.market.mark_price()
        least = broker.market.minimum_notional / price * broker.market.lots_per_unit if price > 0.0 else 0.0
        self.least_lots = int64(math.ceil(least * ROOM))
        if lots == 0 or lots < self.least_lots:
            return False
        self.side = BUY if size > 0.0 else SELL
        self.total_lots = lots
        self.done_lots = 0
        self.begun_ns = broker.now_ns()
        self.resting = 0
        self.taking = 0
        return True

    def is_working(self) -> bool:
        """Whether something is left that the venue would take."""
        return self.begun_ns != 0 and self.total_lots - self.done_lots >= max(1, self.least_lots)

    def note_fill(self, fill: Fill, broker: Broker) -> None:
        """Count a fill of one of its orders; others are none of its business."""
        if fill.id in (self.resting, self.taking):
            self.done_lots += broker.market.lots_of(fill.size)

    def advance(self, broker: Broker) -> None:
        """Bring in what is due: on every timer, and on every change of the book for a resting order to keep up."""
        if not self.is_working() or not broker.is_live() or broker.spread_ticks() <= 0:
            return
        elapsed_ns = broker.now_ns() - self.begun_ns
        due = self.due_at(elapsed_ns, broker)
        late = self.due_at(elapsed_ns - self.slice_ns, broker) if self.is_patient else due
        if elapsed_ns >= self.duration_ns:
            late = due  # the end: nothing is waited for any more
        is_resting = self.resting != 0 and broker.seat.blotter.find(self.resting) >= 0
        is_taking = self.taking != 0 and broker.seat.blotter.find(self.taking) >= 0
        if is_taking:
            return
        least = max(1, self.least_lots)
        if late - self.done_lots >= least:
            if is_resting:
                broker.cancel(self.resting)
            else:
                self.taking = broker.ask_lots(self.side, late - self.done_lots, 0, False, True)
        elif is_resting:
            self.keep_up(due, broker)
        elif due - self.done_lots >= least:
            self.resting = broker.ask_lots(self.side, due - self.done_lots, self.touch_ticks(broker), True, False)

    def due_at(self, elapsed_ns: int, broker: Broker) -> int:
        """`due_lots`, within its bounds."""
        if elapsed_ns < 0:
            return 0
        if elapsed_ns >= self.duration_ns:
            return self.total_lots
        due = max(0, self.due_lots(elapsed_ns, broker))
        return due if self.total_lots - due >= self.least_lots else self.total_lots  # no rest that nobody takes

    # --- what a schedule is ---

    def due_lots(self, elapsed_ns: int, broker: Broker) -> int:
        """How much should be done so long after the beginning; all of it at once unless a schedule says otherwise."""
        return self.total_lots

    def touch_ticks(self, broker: Broker) -> int:
        """Where a resting order stands."""
        ticks: int = broker.market.book.top[BID] if self.side == BUY else broker.market.book.top[ASK]
        return ticks

    def keep_up(self, due: int, broker: Broker) -> None:
        """Move the resting order with the touch; what has become due meanwhile joins it then, or at the next slice."""
        index = broker.seat.blotter.find(self.resting)
        order = broker.seat.blotter.orders[index]
        if order.is_amending or order.wants_amend:
            return
        ticks = self.touch_ticks(broker)
        whole = order.filled_lots + due - self.done_lots
        has_grown = (whole - order.lots) * self.slices() >= self.total_lots
        if (ticks != order.ticks or has_grown) and whole > order.filled_lots:
            broker.want_amend(index, whole, ticks)

    def slices(self) -> int:
        return max(1, self.duration_ns // self.slice_ns)
