"""The synthetic market's own limit order book: price-time priority, one queue of orders a level.

Both sides live in keys that grow towards the better price (bids: ticks, asks: minus ticks), so one class serves
both, and the best level is the end of a sorted list, where Python inserts and removes cheaply.
"""

from __future__ import annotations

from bisect import bisect_left, insort


class BookSide:
    """One side. `sign` turns a key into ticks; `changed` holds the keys touched since it was last emptied."""

    __slots__ = ("changed", "keys", "queues", "sign", "totals")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.queues: dict[int, list[int]] = {}
        self.totals: dict[int, int] = {}
        self.changed: set[int] = set()

    def add(self, key: int, lots: int) -> None:
        """Queue an order behind those of its level."""
        queue = self.queues.get(key)
        if queue is None:
            self.open_level(key, [lots])
        else:
            queue.append(lots)
            self.totals[key] += lots
            self.changed.add(key)

    def open_level(self, key: int, orders: list[int]) -> None:
        """Begin a level, with its orders in time order; it must not be there yet."""
        self.queues[key] = orders
        self.totals[key] = sum(orders)
        keys = self.keys
        if not keys or key > keys[-1]:
            keys.append(key)
        else:
            insort(keys, key)
        self.changed.add(key)

    def cancel_best(self, index: int) -> bool:
        """Cancel one order of the best level; True when that was its last."""
        key = self.keys[-1]
        queue = self.queues[key]
        self.changed.add(key)
        if len(queue) == 1:
            self.remove_best()
            return True
        self.totals[key] -= queue.pop(index)
        return False

    def remove_best(self) -> None:
        key = self.keys.pop()
        del self.queues[key], self.totals[key]
        self.changed.add(key)

    def remove_near(self, key: int) -> None:
        """Remove the level at the key or the next better one, never the best."""
        index = bisect_left(self.keys, key)
        if index < len(self.keys) - 1:
            found = self.keys.pop(index)
            del self.queues[found], self.totals[found]
            self.changed.add(found)

    def take(self, lots: int, levels_kept: int) -> list[tuple[int, int]]:
        """Match an incoming order: fills as (key, lots), one for each resting order met, in price-time order."""
        fills: list[tuple[int, int]] = []
        keys = self.keys
        while lots and len(keys) > levels_kept:
            key = keys[-1]
            queue = self.queues[key]
            self.changed.add(key)
            taken = 0
            while taken < len(queue) and lots:
                resting = queue[taken]
                if resting > lots:
                    fills.append((key, lots))
                    queue[taken] = resting - lots
                    self.totals[key] -= lots
                    lots = 0
                else:
                    fills.append((key, resting))
                    self.totals[key] -= resting
                    lots -= resting
                    taken += 1
            if taken == len(queue):
                self.remove_best()
            elif taken:
                del queue[:taken]
        return fills
