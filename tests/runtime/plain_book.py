"""The slow twin of `checking_books`: a book in two dictionaries, row after row, every best price searched."""

from __future__ import annotations

import math

import numpy as np

from streamtrader.events import BID, MORE, BookState, Kind

Best = tuple[float, float, float, float]  # bid price and size, ask price and size; NaN where a side is empty


class PlainFeed:
    """The book of one instrument, its states after whole messages, and its quotes."""

    def __init__(self) -> None:
        self.sizes: tuple[dict[float, float], dict[float, float]] = ({}, {})
        self.is_live, self.has_links = True, False
        self.snapshot = self.update = -1
        self.states: list[tuple[int, Best]] = []
        self.quotes: list[tuple[int, Best]] = []

    def play(self, events: np.ndarray) -> None:
        fields = (events[name].tolist() for name in ("kind", "side", "flags", "a", "b", "c", "d", "id"))
        for kind, side, flags, *words, update in zip(*fields, strict=True):
            if kind == Kind.QUOTE:
                self.quotes.append((update, tuple(words)))
            elif kind == Kind.BOOK:
                if flags & MORE and update != self.update > self.snapshot >= 0 and not self.is_live:
                    self.note()
                self.update = update
                self.sizes[side][words[0]] = words[1]
                if not flags & MORE and self.is_live:
                    self.note()
            elif kind == Kind.BOOK_CLEAR:
                self.sizes = ({}, {})
                self.snapshot = self.update = update
                self.is_live = self.is_live and not self.has_links
            else:
                self.has_links = True
                self.is_live = words[0] == BookState.LIVE
                if self.is_live and self.snapshot >= 0:
                    self.note()

    def note(self) -> None:
        self.states.append((self.update, self.best()))

    def best(self) -> Best:
        found: list[float] = []
        for side, highest in ((BID, max), (1 - BID, min)):
            levels = {price: size for price, size in self.sizes[side].items() if size}
            price = highest(levels) if levels else math.nan
            found += [price, levels.get(price, math.nan)]
        return found[0], found[1], found[2], found[3]

    @property
    def crossed(self) -> int:
        return sum(best[0] >= best[2] for _, best in self.states)

    def agreement(self) -> tuple[int, int]:
        compared = equal = ahead = 0
        for update, best in self.states:
            while ahead < len(self.quotes) and self.quotes[ahead][0] <= update:
                ahead += 1
            if ahead:
                compared += 1
                equal += self.quotes[ahead - 1][1] == best
        return compared, equal
