"""Rules about what is known: no order is decided on a market that cannot be seen."""

from __future__ import annotations

import math

from streamtrader.indicators.indicator import whole_number
from streamtrader.kernel.broker import Broker
from streamtrader.kernel.orders import Order, Refusal
from streamtrader.risk.rule import RiskRule
from streamtrader.units import NS_PER_S


class StaleBook(RiskRule):
    """Refuse every order, reducing ones too, unless the book is LIVE, two-sided and younger than `max_age_ns`.

    A book that nobody ever sent has the age of the clock, so a market of bare trades is refused as well. The
    age is that of the last complete message about the book, on the received clock: a quiet market on a sound link looks
    the same as a dead link that nobody has noticed, and both are refused.
    """

    code = int(Refusal.STALE_BOOK)

    def __init__(self, max_age_ns: int = 5 * NS_PER_S) -> None:
        self.max_age_ns = whole_number("max_age_ns", max_age_ns)

    def refuses(self, order: Order, broker: Broker) -> bool:
        if not broker.is_live() or math.isnan(broker.middle()):
            return True
        return broker.book_age_ns() > self.max_age_ns
