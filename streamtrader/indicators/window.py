"""The last so many values, and sums over them that do not drift.

A running sum that adds what comes and subtracts what leaves keeps every rounding error it ever made. Here a sum is
a pair of doubles, 106 bits (Dekker, "A floating-point technique for extending the available precision", 1971), so
that a million updates leave an error of about 1e-26 of the largest sum, at a cost that does not depend on the window.
Summing the window anew each time is as exact, but costs 100 ns at 50 values where this costs a few.
"""

from __future__ import annotations

import numpy as np

from streamtrader.indicators.indicator import whole_number
from streamtrader.kernel.record import Record

LEAST_CAPACITY = 64
_SPLITTER = 134_217_729.0  # 2**27 + 1 cuts a double into two halves whose products are exact


def capacity_for(window: int) -> int:
    """The array length that serves a window: 64, 256, 1,024...

    The length of an array is part of a record's layout, and each layout is compiled anew: few lengths, few compilations,
    and parameter sets with different windows can stand in one array.
    """
    capacity = LEAST_CAPACITY
    while capacity < window:
        capacity *= 4
    return capacity


def two_sum(first: float, second: float) -> tuple[float, float]:
    """The rounded sum, and exactly what rounding lost (Knuth)."""
    total = first + second
    part = total - first
    return total, (first - (total - part)) + (second - part)


def two_product(first: float, second: float) -> tuple[float, float]:
    """The rounded product, and exactly what rounding lost (Veltkamp and Dekker); for magnitudes below 1e150."""
    product = first * second
    scaled = _SPLITTER * first
    first_high = scaled - (scaled - first)
    first_low = first - first_high
    scaled = _SPLITTER * second
    second_high = scaled - (scaled - second)
    second_low = second - second_high
    lost = (first_high * second_high - product) + first_high * second_low + first_low * second_high
    return product, lost + first_low * second_low


class ExactSum(Record):
    """A sum of doubles in 106 bits: `high` is its nearest double, `low` what that leaves out."""

    def __init__(self) -> None:
        self.high = 0.0
        self.low = 0.0

    def add(self, number: float) -> None:
        high, lost = two_sum(self.high, number)
        low = self.low + lost
        self.high = high + low
        self.low = low - (self.high - high)

    def add_product(self, first: float, second: float) -> None:
        product, lost = two_product(first, second)
        self.add(product)
        self.add(lost)

    def mean(self, count: int) -> float:
        """The sum divided by `count`, with the remainder of the division: the mean of equal numbers is that number."""
        quotient = self.high / count
        product, lost = two_product(quotient, float(count))
        return quotient + (((self.high - product) - lost) + self.low) / count

    def clear(self) -> None:
        self.high = 0.0
        self.low = 0.0


class Window(Record):
    """The last `length` values in a ring."""

    def __init__(self, length: int) -> None:
        self.length = whole_number("window", length)
        self.index = 0
        self.count = 0
        self.values = np.zeros(capacity_for(self.length))

    def push(self, value: float) -> float:
        """Take a value in and give back the one that leaves; 0 while the window still fills."""
        leaving: float = self.values[self.index]
        self.values[self.index] = value
        self.index += 1
        if self.index == self.length:
            self.index = 0
        if self.count < self.length:
            self.count += 1
        return leaving

    def is_full(self) -> bool:
        return self.count == self.length
