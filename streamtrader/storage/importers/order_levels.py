"""Market-by-order messages added up to the levels that they make, all orders of a batch at once.

Sorted by order id, each row's order before and after it follows from the rows above; so do the two changes of levels
that it makes. Sorted by level, running sums of those are what stands at the level. Orders that live at the end of a
batch begin the next one.

Rules of https://databento.com/docs/examples/order-book/limit-order-book: a cancel takes its size off the order, a
modify states price and size anew, and one of an unknown order is an add; fills change nothing, as cancels follow them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from streamtrader.storage.importers.digits import Flags, Integers

ORDER = np.dtype([("order_id", "<u8"), ("side", "u1"), ("price", "<i8"), ("size", "<i8")])
Orders = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Levels:
    """What stands at levels after a message: sorted by message, one row for each level that it changed."""

    message: Integers
    side: np.ndarray[Any, np.dtype[np.uint8]]
    price: Integers
    size: Integers


class OrderLevels:
    """The orders of one instrument's book."""

    def __init__(self) -> None:
        self.live: Orders = np.zeros(0, ORDER)
        self.unknown = 0  # cancels of orders that are not there

    def forget(self) -> None:
        """The book is empty."""
        self.live = np.zeros(0, ORDER)

    def apply(self, rows: Orders, is_cancel: Flags, message: Integers) -> Levels:
        """Take some rows, in order: adds and modifies with what they state, cancels with the size taken off."""
        if not len(rows):
            nothing = np.zeros(0, np.int64)
            return Levels(nothing, nothing.astype(np.uint8), nothing, nothing)
        before = len(self.live)
        orders = np.concatenate((self.live, rows))
        is_cancel = np.concatenate((np.zeros(before, bool), is_cancel))
        message = np.concatenate((np.full(before, -1), message))
        order = np.argsort(orders["order_id"], kind="stable")
        state = _states(orders[order], is_cancel[order])
        is_first = np.append(True, orders["order_id"][order][1:] != orders["order_id"][order][:-1])
        previous = np.zeros_like(state)
        previous[1:] = state[:-1]
        previous["size"][is_first] = 0
        self.unknown += int(np.count_nonzero(is_cancel[order] & (previous["size"] == 0)))
        is_final = np.append(is_first[1:], True)
        self.live = state[is_final & (state["size"] > 0)]
        # The order that was leaves its level, the order that is joins its own.
        changed = np.concatenate((previous, state))
        changed["size"][: len(previous)] *= -1
        return _running(changed, np.concatenate((order, order)), np.concatenate((message[order], message[order])))


def _states(orders: Orders, is_cancel: Flags) -> Orders:
    """Each order after each of its rows; of size 0 where it is gone or was never seen."""
    at = np.arange(len(orders))
    is_first = np.append(True, orders["order_id"][1:] != orders["order_id"][:-1])
    start = np.maximum.accumulate(np.where(is_first, at, 0))
    stated = np.maximum.accumulate(np.where(is_cancel, -1, at))  # the row that last stated price and size
    is_known = stated >= start
    stated = np.where(is_known, stated, at)
    taken = np.cumsum(np.where(is_cancel, orders["size"], 0))
    state = orders[stated]
    state["size"] = np.maximum(state["size"] - (taken - taken[stated]), 0)
    state["size"][~is_known] = 0
    return state


def _running(changes: Orders, row: Integers, message: Integers) -> Levels:
    """Add up changes of levels; what stands at a level after each message that changed it."""
    order = np.lexsort((row, changes["price"], changes["side"]))
    changes, message = changes[order], message[order]
    side, price = changes["side"], changes["price"]
    is_other = np.append((side[1:] != side[:-1]) | (price[1:] != price[:-1]), True)  # the last of its level
    size = np.cumsum(changes["size"])
    ends = np.flatnonzero(is_other)
    size -= np.repeat(np.append(0, size[ends[:-1]]), np.diff(ends, prepend=-1))
    is_last = is_other | np.append(message[1:] != message[:-1], True)  # the last of its level in its message
    side, price, size, message = side[is_last], price[is_last], size[is_last], message[is_last]
    is_new = np.append(True, (side[1:] != side[:-1]) | (price[1:] != price[:-1]))
    before = np.append(0, size[:-1])
    before[is_new] = 0
    is_told = (message >= 0) & (size != before)
    told = np.flatnonzero(is_told)
    told = told[np.argsort(message[told], kind="stable")]
    return Levels(message[told], side[told], price[told], size[told])
