"""An order in slices of whole lots: none lost, none negative, and never more than half a lot away from the plan."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from streamtrader.errors import ConfigError

LOTS_LIMIT = 1 << 51  # beyond it a double cannot hold half a lot


def lots_until(total_lots: int, share: float) -> int:
    """How much of an order should be done once `share` of the plan is over, from 0 to 1: never less than before."""
    if not share > 0.0:
        return 0
    return math.floor(total_lots * min(share, 1.0) + 0.5)


def slice_into(total_lots: int, weights: Any, lots: Any) -> None:
    """`slices_lots` for compiled code: into an array that is there, with weights known to be sound."""
    whole = 0.0
    for weight in weights:
        whole += weight
    running, done = 0.0, 0
    for index in range(len(weights)):
        running += weights[index]
        upto = lots_until(total_lots, running / whole)
        lots[index] = upto - done
        done = upto


def slices_lots(total_lots: int, weights: Sequence[float] | np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Cut `total_lots` in proportion to `weights`: TWAP with equal ones, VWAP with those of a volume profile.

    It is the running sum that is rounded: after each slice what is done is the plan to half a lot, and an order of
    fewer lots than slices is spread over them. A slice of weight 0 gets nothing.

    >>> slices_lots(10, [1.0, 1.0, 1.0]).tolist()
    [3, 4, 3]
    """
    given = np.asarray(weights, float)
    if not 0 <= total_lots <= LOTS_LIMIT:
        raise ConfigError(f"an order of {total_lots} lots cannot be cut: from 0 to {LOTS_LIMIT} are possible")
    if given.ndim != 1 or not np.isfinite(given).all() or (given < 0.0).any():
        raise ConfigError("the weights of slices must be finite numbers, none below zero")
    if not 0.0 < given.sum() < math.inf:
        raise ConfigError("the weights of slices must have a sum above zero")
    lots = np.zeros(len(given), np.int64)
    slice_into(total_lots, given, lots)
    return lots
