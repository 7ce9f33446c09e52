"""Where an order stands at its price, of which a feed of price levels tells only the sum.

Trades at the price move everybody up. What else leaves the level was cancelled, before us or behind us: the models
differ in nothing but that. With `front` before us, `back` behind us and `cancelled` gone, where p is the probability
that a cancel came from behind, what is left before us is

    min(front - (1 - p) cancelled, what the level shows now)

* PESSIMISTIC: p = 1 (hftbacktest's RiskAdverseQueueModel).
* POWER: p = f(back) / (f(back) + f(front)) with f(x) = x^n (Rigtorp, "Estimating order queue position", 2013;
  hftbacktest's ProbQueueModel with PowerProbQueueFunc).
* LOG: the same with f(x) = log(1 + x), x in units of the base currency (hftbacktest's LogProbQueueFunc).
* TRADES: nothing but trades moves us up; even a level that has become smaller than our front does not.
* OPTIMISTIC: nobody stands before us. A bound, not an estimate.

A decrease that trades since the last change of the level explain is no cancel.
"""

from __future__ import annotations

import enum
import math


class Queue(enum.IntEnum):
    """Which of the models."""

    PESSIMISTIC = 0
    POWER = 1
    LOG = 2
    TRADES = 3
    OPTIMISTIC = 4


# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
PESSIMISTIC, POWER = int(Queue.PESSIMISTIC), int(Queue.POWER)
TRADES, OPTIMISTIC = int(Queue.TRADES), int(Queue.OPTIMISTIC)


def share_behind(model: int, power: float, front: float, back: float) -> float:
    """The probability p; where nobody stands anywhere it is 1."""
    if model == POWER:
        weight_front, weight_back = front**power, back**power
    else:
        weight_front, weight_back = math.log(1.0 + front), math.log(1.0 + back)
    both = weight_front + weight_back
    return weight_back / both if both > 0.0 else 1.0


def front_after(model: int, power: float, front: float, before: float, after: float, cancelled: float) -> float:
    """What is left before us when a level has gone from `before` to `after`, all in base currency.

    For the first three models; the others do not listen to the level.
    """
    if cancelled > 0.0 and model != PESSIMISTIC:
        front -= (1.0 - share_behind(model, power, front, max(before - front, 0.0))) * cancelled
    return min(max(front, 0.0), after)
