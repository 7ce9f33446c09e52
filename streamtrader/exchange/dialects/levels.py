"""One symbol's book as a dialect tells it: whole numbers of the finest decimal, best first, and what changed.

Prices and sizes come as the market's texts and leave as texts with a fixed number of decimals, exactly: a checksum is
over digits, and no float is ever between.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache

from streamtrader.instruments import Instrument
from streamtrader.units import places_of

TextLevels = Iterable[Sequence[str]]
NOWHERE = 1 << 62
Change = tuple[int, int]  # price and size in units of their last decimal; a size of 0 removes the level


@lru_cache(maxsize=1 << 17)  # the same prices and sizes come again and again
def scaled(text: str, places: int) -> int:
    """A plain decimal text in units of its `places`-th decimal; further decimals are cut off.

    >>> scaled("91204.10000000", 2)
    9120410
    """
    whole, _, fraction = text.partition(".")
    return int(whole + fraction[:places].ljust(places, "0"))


@lru_cache(maxsize=1 << 17)
def spelled(number: int, places: int) -> str:
    """The text of a scaled number, with all of its decimals.

    >>> spelled(9120410, 2), spelled(7, 0)
    ('91204.10', '7')
    """
    if not places:
        return str(number)
    digits = str(number).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"


class Side:
    """One side: sizes by price, and the prices in order, the best one first."""

    __slots__ = ("_keys", "_sign", "sizes")

    def __init__(self, sign: int) -> None:
        self._sign = sign  # -1 for bids: then the best has the smallest key on either side
        self._keys: list[int] = []
        self.sizes: dict[int, int] = {}

    def clear(self) -> None:
        self._keys.clear()
        self.sizes.clear()

    def put(self, price: int, size: int) -> None:
        key, sizes = self._sign * price, self.sizes
        if price in sizes:
            if size:
                sizes[price] = size
            else:
                del sizes[price], self._keys[bisect_left(self._keys, key)]
        elif size:
            sizes[price] = size
            self._keys.insert(bisect_left(self._keys, key), key)

    def key(self, price: int) -> int:
        """The smaller, the better."""
        return self._sign * price

    def last(self, depth: int) -> int:
        """The key of the last level within a depth; one behind all others where there are fewer."""
        return self._keys[depth - 1] if len(self._keys) >= depth else NOWHERE

    def between(self, after: int, until: int) -> list[int]:
        """The prices whose keys are in `(after, until]`."""
        keys = self._keys
        return [self._sign * key for key in keys[bisect_right(keys, after) : bisect_right(keys, until)]]

    def top(self, depth: int | None) -> dict[int, int]:
        """The best levels in order; all of them for None."""
        sign, sizes = self._sign, self.sizes
        return {(price := sign * key): sizes[price] for key in self._keys[:depth]}


class Levels:
    """Both sides of one instrument. `is_known`: nothing that the market will ever tell is missing."""

    __slots__ = ("asks", "bids", "is_known", "price_places", "size_places")

    def __init__(self, instrument: Instrument) -> None:
        self.price_places = places_of(instrument.price_tick)
        self.size_places = places_of(instrument.size_lot)
        self.bids, self.asks = Side(-1), Side(1)
        self.is_known = False

    def reset(self, bids: TextLevels, asks: TextLevels) -> None:
        self.bids.clear()
        self.asks.clear()
        self.apply(bids, asks)
        self.is_known = True

    def apply(self, bids: TextLevels, asks: TextLevels) -> tuple[list[Change], list[Change]]:
        """Set the levels; what they are, in numbers."""
        changes: tuple[list[Change], list[Change]] = ([], [])
        for side, levels, changed in zip((self.bids, self.asks), (bids, asks), changes, strict=True):
            for price_text, size_text in levels:
                price, size = scaled(price_text, self.price_places), scaled(size_text, self.size_places)
                side.put(price, size)
                changed.append((price, size))
        return changes

    def whole(self) -> tuple[list[Change], list[Change]]:
        """Every level, as changes of an empty book."""
        return list(self.bids.top(None).items()), list(self.asks.top(None).items())

    def price(self, number: int) -> str:
        return spelled(number, self.price_places)

    def size(self, number: int) -> str:
        return spelled(number, self.size_places)

    def price_text(self, text: str) -> str:
        """A price of the market with this instrument's decimals."""
        return self.price(scaled(text, self.price_places))

    def size_text(self, text: str) -> str:
        return self.size(scaled(text, self.size_places))


def applied_within(levels: Levels, bids: TextLevels, asks: TextLevels, depth: int) -> tuple[list[Change], list[Change]]:
    """Set the levels; what changed among the best of each side, for a client that is told of those that leave them."""
    bids, asks = list(bids), list(asks)
    befores = []
    for side, texts in ((levels.bids, bids), (levels.asks, asks)):
        prices = (scaled(text[0], levels.price_places) for text in texts)
        befores.append((side.last(depth), {price: side.sizes.get(price, 0) for price in prices}))
    bid_changes, ask_changes = levels.apply(bids, asks)
    return _within(levels.bids, bid_changes, befores[0], depth), _within(levels.asks, ask_changes, befores[1], depth)


def _within(side: Side, changes: list[Change], before: tuple[int, dict[int, int]], depth: int) -> list[Change]:
    """Of the levels that were set, and of those that came within the depth or left it without being set."""
    was_last, sizes_before = before
    is_last, touched = side.last(depth), dict(changes)
    found = [price for price in touched if side.key(price) <= max(was_last, is_last)]
    found += [price for price in side.between(min(was_last, is_last), max(was_last, is_last)) if price not in touched]
    told: list[Change] = []
    for price in found:
        key = side.key(price)
        was = sizes_before.get(price, side.sizes.get(price, 0)) if key <= was_last else 0
        now = side.sizes.get(price, 0) if key <= is_last else 0
        if was != now:
            told.append((price, now))
    return told


def changes_between(before: dict[int, int], side: Side, depth: int) -> list[Change]:
    """What turns the best levels `before` into those of now, for a client that cuts its own book to the depth.

    A level that was only pushed out of the depth is not told, as the venue does not tell it.
    """
    changes = [(price, size) for price, size in side.top(depth).items() if before.get(price) != size]
    return changes + [(price, 0) for price in before if price not in side.sizes]
