"""What was traded, minute by minute: average price, volume and volatility of the recent past.

Only for those who ask (`is_on`): venue filters, market impact, participation, slippage without a book.
"""

from __future__ import annotations

import math

import numpy as np

from streamtrader.kernel.record import Record

MINUTE_NS = 60_000_000_000
MINUTES = 64  # kept; the newest of them is not over yet
MINUTES_PER_DAY = 1_440


class Minutes(Record):
    """A ring by minute of the event clock; a minute without a trade has no volume and the price before it."""

    def __init__(self) -> None:
        self.is_on = False
        self.minute = -1  # the newest; -1: no trade yet
        self.count = 0  # minutes that are over, at most `MINUTES` - 1
        self.volumes = np.zeros(MINUTES)  # in base currency
        self.values = np.zeros(MINUTES)  # in quote currency
        self.closes = np.zeros(MINUTES)

    def add(self, price: float, size: float, now_ns: int) -> None:
        """A trade."""
        self.roll(now_ns)
        if self.minute < 0:
            self.minute = now_ns // MINUTE_NS
        at = self.minute % MINUTES
        self.volumes[at] += size
        self.values[at] += price * size
        self.closes[at] = price

    def roll(self, now_ns: int) -> None:
        """Begin the minute of `now_ns`; those between are empty."""
        minute = now_ns // MINUTE_NS
        if self.minute < 0 or minute <= self.minute:
            return
        passed = minute - self.minute
        close = self.closes[self.minute % MINUTES]
        for later in range(min(passed, MINUTES)):
            at = (minute - later) % MINUTES
            self.volumes[at] = 0.0
            self.values[at] = 0.0
            self.closes[at] = close
        self.minute = minute
        self.count = min(self.count + passed, MINUTES - 1)

    def average_price(self, minutes: int) -> float:
        """By volume, over so many minutes with the one that is not over; the last price where none was traded."""
        if self.minute < 0:
            return 0.0
        volume, value = 0.0, 0.0
        for back in range(min(minutes, self.count + 1)):
            at = (self.minute - back) % MINUTES
            volume += self.volumes[at]
            value += self.values[at]
        return value / volume if volume > 0.0 else self.closes[self.minute % MINUTES]

    def last_volume(self) -> float:
        """Of the last minute that is over; of the first one while there is no other."""
        return self.volumes[(self.minute - 1 if self.count > 0 else self.minute) % MINUTES] if self.minute >= 0 else 0.0

    def day_volume(self) -> float:
        """What a day would trade like the minutes that are over."""
        volume = 0.0
        for back in range(1, self.count + 1):
            volume += self.volumes[(self.minute - back) % MINUTES]
        return volume / self.count * MINUTES_PER_DAY if self.count > 0 else 0.0

    def minute_volatility(self) -> float:
        """The deviation of logarithmic returns of whole minutes around 0; 0 while there are fewer than two."""
        squares, returns = 0.0, self.count - 1
        for back in range(1, self.count):
            change = math.log(self.closes[(self.minute - back) % MINUTES] / self.closes[(self.minute - back - 1) % MINUTES])
            squares += change * change
        return math.sqrt(squares / returns) if returns > 0 else 0.0

    def day_volatility(self) -> float:
        return self.minute_volatility() * math.sqrt(float(MINUTES_PER_DAY))
