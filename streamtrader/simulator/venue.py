"""The simulated venue: what our orders would have met, as one kernel record a seat.

It lives on the received clock: the way up is that of an order with the latency of the feed, the way down that of the
answer (`latency.py`). The venue's own clock is not used, so a skewed one does no harm. An order that reaches the venue
between two events meets the book as it was before the second one.

* A taker walks the displayed book, best level first. What it took stays taken until the feed shows that level anew.
* A maker queues behind all that was displayed at its price. Trades at the price move it up and fill it, in part or
  whole; whether cancels do is the model's answer (`queue.py`). A trade through its price, or a displayed opposite level
  there, fills it, never beyond what was traded or displayed.
* A trade that counts as volume only fills nobody and fires no trigger: its price is none of this moment.
* Without any book (a file of trades only) a taker gets the last price, worsened by the greatest of a floor, a share of
  the candle's range and a share of the volatility, by half a spread and by chance, and no more than a share of what was
  traded in the candle.
* Own takes may move the price, for good and for a while (`impact.py`), and may be no more than a share of the volume.
* A market that is halted takes no orders and matches none; in an auction it takes them. What breaks a filter of the
  venue is rejected.
"""

from __future__ import annotations

from streamtrader.kernel.candles import FAR_NS
from streamtrader.kernel.market import Market
from streamtrader.kernel.orders import Order, Refusal
from streamtrader.kernel.triggers import LAST, TRAILING, Trigger
from streamtrader.simulator.flight import CODE, DISPLAY, EXPIRES, KIND, LOTS, ORDER, TICKS
from streamtrader.simulator.makers import Makers
from streamtrader.simulator.resting import AMEND, AMEND_REJECTED, CANCEL, CANCELLED, NEW, code_of

EXPIRED = int(Refusal.EXPIRED)


class SimulatedVenue(Makers):
    """One seat's orders at the venue, as the seat speaks to it."""

    def is_busy(self) -> bool:
        return self.count + self.taken_count > 0

    def note_reach(self) -> None:
        """After anything that happened here: what must it see from now on?"""
        reach = self.reach
        if self.taken_count > 0 or self.armed_count > 0:
            reach.take_all()
            return
        reach.clear()
        for index in range(self.count):
            if self.orders[index].ticks == 0:
                reach.take_all()
            elif self.orders[index].is_resting:
                reach.add(self.orders[index])

    def first_ns(self) -> int:
        """Requests that cannot be answered for lack of room wait for the next report to leave."""
        if not self.can_answer():
            return self.reports.first_ns()
        return min(self.requests.first_ns(), self.reports.first_ns(), self.expiry_ns)

    def can_answer(self) -> bool:
        """Whether the reports have room for one more request, whatever it is, and for all that may end."""
        return self.reports.free() > 2 * (self.count + 1)

    def knows_trigger(self, trigger: Trigger) -> bool:
        """Whether the venue itself can wait for such a price; what it cannot, the engine does."""
        if trigger.source != LAST or trigger.trail_ranges > 0.0:
            return False
        return self.knows_trailing if trigger.kind == TRAILING else self.knows_stop

    def has_room_for_request(self) -> bool:
        return self.requests.free() > 0

    def send(self, order: Order, now_ns: int) -> bool:
        """An order leaves for the venue; the words carry all that it is."""
        open_lots = order.lots - order.filled_lots
        is_parted = order.display_lots != 0 and not self.knows_iceberg and not order.immediate  # that one never rests
        part = min(open_lots, order.display_lots) if is_parted else open_lots
        if self.requests.free() == 0:
            return False
        arrival_ns = self.latency.arrival_ns(now_ns)
        at = self.requests.push(
            arrival_ns, NEW, order.id, order.ticks, order.filled_lots + part, part, code_of(order)
        )
        self.requests.words[at, DISPLAY] = 0 if is_parted else order.display_lots
        self.requests.words[at, EXPIRES] = 0 if order.is_timed_here else order.expires_ns
        self.requests.numbers[at, 0] = float(order.trigger.nearest_ticks())
        self.requests.numbers[at, 1] = order.trigger.trail_ticks
        return True

    def send_cancel(self, order_id: int, now_ns: int) -> bool:
        if self.requests.free() == 0:
            return False
        return self.requests.push(self.latency.arrival_ns(now_ns), CANCEL, order_id, 0, 0, 0, 0) >= 0

    def send_amend(self, order: Order, now_ns: int) -> bool:
        if self.requests.free() == 0:
            return False
        arrival_ns = self.latency.arrival_ns(now_ns)
        return self.requests.push(arrival_ns, AMEND, order.id, order.new_ticks, order.new_lots, 0, 0) >= 0

    def answer(self, now_ns: int, order: Order) -> bool:
        """The end of an order that never left: told like the venue's own answers, at once."""
        if not self.can_answer():
            return False
        return self.reports.push(now_ns, CANCELLED, order.id, order.ticks, order.open_lots(), 0, 0) >= 0

    def arrivals(self, now_ns: int, market: Market) -> None:
        """What comes to the venue before the event at `now_ns`; without room to answer it waits.

        No further than the next answer: what the seat asks for when it hears that may be here before the rest.
        """
        requests = self.requests
        while self.can_answer():
            if min(requests.first_ns(), self.expiry_ns) > min(now_ns, self.reports.first_ns()):
                break
            if self.expiry_ns <= requests.first_ns():
                self.expire(self.expiry_ns)
                continue
            due_ns = requests.due_ns[requests.first]
            words = requests.words[requests.first]
            index = self.find(words[ORDER])
            if words[KIND] == NEW:
                self.take_over(words, requests.numbers[requests.first], due_ns, market)
            elif words[KIND] == AMEND:
                if index >= 0:
                    self.amend(index, words, due_ns, market)
                else:
                    self.report(due_ns, AMEND_REJECTED, words[ORDER], words[TICKS], words[LOTS], 0, words[CODE])
            elif index >= 0:
                self.cancel(index, due_ns, 0)
            requests.drop_first()

    def expire(self, due_ns: int) -> None:
        """The time of some orders is over; when is the next end?"""
        self.expiry_ns = FAR_NS
        index = 0
        while index < self.count:
            order = self.orders[index]
            if order.expires_ns != 0 and order.expires_ns <= due_ns:
                self.cancel(index, due_ns, EXPIRED)
                continue
            if order.expires_ns != 0:
                self.expiry_ns = min(self.expiry_ns, order.expires_ns)
            index += 1
