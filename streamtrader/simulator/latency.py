"""How long an order is on its way to the venue, and an answer on its way back.

* CONSTANT: always the same.
* LOG_NORMAL: exp(normal) times the median of that way; `sigma` is the deviation of its logarithm. The generator lies
  in the state, so a continued run and a replay draw the same.
* RECORDED: measured pairs; what is sent at a time takes the newest pair that was measured by then (before the first
  one: the first).

Messages of one way never overtake each other, as on one connection: a fast one waits for the slow one before it.
"""

from __future__ import annotations

import enum
import math

import numpy as np

from streamtrader.kernel.record import Record, int64

SAMPLE_SLOTS = 512  # measured pairs that a venue keeps; always so many, as one length is one compiled loop
SENT_NS, UP_NS, DOWN_NS = range(3)  # the columns of a pair
NOTHING_RECORDED = np.zeros((SAMPLE_SLOTS, 3), np.int64)
MOST_NS = 60_000_000_000  # no way takes longer
# L'Ecuyer, "Efficient and portable combined random number generators", Communications of the ACM 31(6), 1988: two
# multiplicative generators, 2.3e18 numbers long together, and no product leaves 64 bits.
FIRST_MODULUS, FIRST_FACTOR = 2_147_483_563, 40_014
SECOND_MODULUS, SECOND_FACTOR = 2_147_483_399, 40_692


class Latencies(enum.IntEnum):
    """Which of the models."""

    CONSTANT = 0
    LOG_NORMAL = 1
    RECORDED = 2


# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
CONSTANT, LOG_NORMAL = int(Latencies.CONSTANT), int(Latencies.LOG_NORMAL)


class Generator(Record):
    """Numbers that look random, the same on every machine."""

    def __init__(self, seed: int = 1) -> None:
        first, second = np.random.SeedSequence(seed).generate_state(2).tolist()
        self.first = 1 + first % (FIRST_MODULUS - 1)
        self.second = 1 + second % (SECOND_MODULUS - 1)

    def uniform(self) -> float:
        """Above 0 and below 1."""
        self.first = self.first * FIRST_FACTOR % FIRST_MODULUS
        self.second = self.second * SECOND_FACTOR % SECOND_MODULUS
        return ((self.first - self.second) % (FIRST_MODULUS - 1) + 1) / FIRST_MODULUS

    def normal(self) -> float:
        """Mean 0, deviation 1 (Box and Muller, 1958)."""
        radius = math.sqrt(-2.0 * math.log(self.uniform()))
        return radius * math.cos(2.0 * math.pi * self.uniform())


class Latency(Record):
    """The ways of one seat; the medians are in nanoseconds."""

    def __init__(
        self, up_ns: int = 20_000_000, down_ns: int = 10_000_000, model: int = CONSTANT, sigma: float = 0.0,
        seed: int = 1, samples: np.ndarray = NOTHING_RECORDED,
    ) -> None:  # fmt: skip
        self.model = model
        self.up_ns = up_ns
        self.down_ns = down_ns
        self.sigma = float(sigma)
        self.last_up_ns = 0  # arrival of the newest message on that way
        self.last_down_ns = 0
        self.generator = Generator(seed)
        self.samples = samples

    def arrival_ns(self, now_ns: int) -> int:
        """When the venue has what is sent now."""
        if self.model == CONSTANT:
            return now_ns + self.up_ns
        self.last_up_ns = max(self.last_up_ns, now_ns + self.way_ns(now_ns, self.up_ns, UP_NS))
        return self.last_up_ns

    def answer_ns(self, at_ns: int) -> int:
        """When the seat hears what the venue says then."""
        if self.model == CONSTANT:
            return at_ns + self.down_ns
        self.last_down_ns = max(self.last_down_ns, at_ns + self.way_ns(at_ns, self.down_ns, DOWN_NS))
        return self.last_down_ns

    def way_ns(self, at_ns: int, median_ns: int, column: int) -> int:
        if self.model == LOG_NORMAL:
            return int64(min(median_ns * math.exp(self.sigma * self.generator.normal()), float(MOST_NS)))
        low, high = 0, len(self.samples) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self.samples[middle, SENT_NS] <= at_ns:
                low = middle
            else:
                high = middle - 1
        return int64(self.samples[low, column])
