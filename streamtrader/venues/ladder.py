"""One side of a book as its venue wrote it: for checksums over the venue's own text, and for books of a fixed depth.

Prices are sorted in a list, best first, and each has a mark: what the venue's checksum says of the level, as bytes.
A list is right here: a ladder of 10 to 1,000 levels fits the cache, and its top is a slice.
"""

from __future__ import annotations

from bisect import bisect_left


class Ladder:
    """`sign` is 1.0 for asks and -1.0 for bids, so that the best key is the smallest one."""

    __slots__ = ("keys", "marks", "sign")

    def __init__(self, sign: float) -> None:
        self.sign = sign
        self.keys: list[float] = []
        self.marks: list[bytes] = []

    def clear(self) -> None:
        self.keys.clear()
        self.marks.clear()

    def put(self, price: float, mark: bytes) -> int:
        """Set a level, or remove it where the mark is empty; says how far from the top that was."""
        key = self.sign * price
        keys = self.keys
        at = bisect_left(keys, key)
        if at < len(keys) and keys[at] == key:
            if mark:
                self.marks[at] = mark
            else:
                del keys[at], self.marks[at]
        elif mark:
            keys.insert(at, key)
            self.marks.insert(at, mark)
        return at

    def cut(self, depth: int) -> list[float]:
        """Forget what lies deeper than `depth` levels, and say which prices those were."""
        dropped = [self.sign * key for key in self.keys[depth:]]
        del self.keys[depth:], self.marks[depth:]
        return dropped
