"""What the best quotes say about the next move: the microprice and the order flow imbalance."""

from __future__ import annotations

import math

from streamtrader.indicators.indicator import Indicator
from streamtrader.indicators.window import ExactSum, Window


class Microprice(Indicator):
    """The middle, weighted by the opposite sizes: bid + spread * bid_size / (bid_size + ask_size).

    In the price's unit, between bid and ask, nearer to the thinner side, where the next trade will push (Gatheral and
    Oomen, 2010; Stoikov, 2018, calls this form the weighted mid-price and corrects it further). Without any size
    it is the plain middle. Ready with the first quote.

    >>> microprice = Microprice()
    >>> float(microprice.update(100.0, 3.0, 101.0, 1.0))
    100.75
    """

    def __init__(self) -> None:
        super().__init__()

    def update(self, bid_price: float, bid_size: float, ask_price: float, ask_size: float) -> float:
        total = bid_size + ask_size
        if not (math.isfinite(bid_price) and math.isfinite(ask_price) and math.isfinite(total)):
            return self.value
        share = bid_size / total if total > 0.0 else 0.5
        value = bid_price + (ask_price - bid_price) * share
        # The rounded spread may carry the sum past the ask by its last digit.
        self.value = value if value < ask_price or bid_price > ask_price else ask_price
        self.ready = True
        return self.value


class OrderFlowImbalance(Indicator):
    """Net size that came to the bid and left the ask over the last `window` changes of the best quotes.

    Cont, Kukanov and Stoikov, "The Price Impact of Order Book Events" (2014), equation 10: a higher bid brings all its
    size, a lower one takes away what stood there, an equal one the difference; the ask with the opposite sign. In the
    unit of sizes; above zero when buyers press. Ready after `window` changes, that is `window` + 1 quotes.

    >>> imbalance = OrderFlowImbalance(window=2)
    >>> float(imbalance.update(100.0, 5.0, 101.0, 4.0))
    0.0
    >>> float(imbalance.update(100.0, 7.0, 101.0, 1.0))  # 2 came to the bid, 3 left the ask
    5.0
    >>> float(imbalance.update(99.0, 9.0, 100.0, 2.0))  # the bid fell: 7 left; the ask fell: 2 came
    -4.0
    """

    def __init__(self, window: int = 50) -> None:
        super().__init__()
        self.window = Window(window)
        self.total = ExactSum()
        self.bid_price = math.nan
        self.bid_size = 0.0
        self.ask_price = math.nan
        self.ask_size = 0.0

    def update(self, bid_price: float, bid_size: float, ask_price: float, ask_size: float) -> float:
        sizes = bid_size + ask_size
        if not (math.isfinite(bid_price) and math.isfinite(ask_price) and math.isfinite(sizes)):
            return self.value
        if math.isfinite(self.bid_price):
            came_to_bid = _came(bid_price - self.bid_price, bid_size, self.bid_size)
            came_to_ask = _came(self.ask_price - ask_price, ask_size, self.ask_size)
            change = came_to_bid - came_to_ask
            self.total.add(-self.window.push(change))
            self.total.add(change)
            self.value = self.total.high
            self.ready = self.window.is_full()
        self.bid_price = bid_price
        self.bid_size = bid_size
        self.ask_price = ask_price
        self.ask_size = ask_size
        return self.value


def _came(improvement: float, size: float, last_size: float) -> float:
    """What one side gained, when its price improved by so much."""
    if improvement > 0.0:
        return size
    return -last_size if improvement < 0.0 else size - last_size
