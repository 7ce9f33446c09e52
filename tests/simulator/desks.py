"""A simulated venue by itself, uncompiled: orders go in, events come by, fills come out."""

from __future__ import annotations

from streamtrader.kernel.market import Market
from streamtrader.kernel.orders import Order
from streamtrader.simulator.flight import KIND, LOTS, ORDER
from streamtrader.simulator.latency import Latency
from streamtrader.simulator.resting import FILLED_AS_MAKER, FILLED_AS_TAKER
from streamtrader.simulator.venue import SimulatedVenue


def new_order(order_id, side, lots, ticks=0):
    order = Order()
    order.begin(order_id, side, ticks, lots)
    return order


class Counter:
    """A venue without latency at a market of 100 ticks and 1000 lots a unit; `filled` counts lots by order."""

    def __init__(self, **models):
        self.market = Market(100.0, 1000.0)
        self.venue = SimulatedVenue(Latency(0, 0), **models)
        self.filled = {}

    def play(self, events):
        for event in events:
            self.venue.arrivals(int(event.received_ns), self.market)
            self.market.now_ns = self.market.event_ns = int(event.received_ns)
            self.market.observe(event)
            self.venue.match(event, self.market)
            self.listen()

    def send(self, *orders):
        for order in orders:
            assert self.venue.send(order, self.market.now_ns)
        self.venue.arrivals(self.market.now_ns, self.market)
        self.listen()

    def listen(self):
        reports = self.venue.reports
        while reports.count > 0:
            words = reports.words[reports.first].tolist()
            if words[KIND] in (FILLED_AS_MAKER, FILLED_AS_TAKER):
                self.filled[words[ORDER]] = self.filled.get(words[ORDER], 0) + words[LOTS]
            reports.drop_first()
