"""The keys of what was booked: the same key is the same fact, however often it is told."""

from __future__ import annotations

from array import array
from bisect import bisect_left

from streamtrader.ledger.facts import Key

_KEY_LIMIT = 1 << 63


class SeenKeys:
    """8 bytes a key while they are numbers and mostly grow."""

    __slots__ = ("_numbers", "_others")

    def __init__(self) -> None:
        self._numbers = array("q")
        self._others: set[Key] = set()

    def add(self, key: Key) -> bool:
        """Whether the key is new."""
        if not isinstance(key, int) or not -_KEY_LIMIT <= key < _KEY_LIMIT:
            is_new = key not in self._others
            self._others.add(key)
            return is_new
        numbers = self._numbers
        if not numbers or key > numbers[-1]:
            numbers.append(key)
            return True
        at = bisect_left(numbers, key)
        if numbers[at] == key:
            return False
        numbers.insert(at, key)
        return True
