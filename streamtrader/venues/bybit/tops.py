"""What Bybit tells in parts: the best quote (`orderbook.1`) and the ticker, put together from a snapshot and changes.

Both forget all they know while a message is read, and keep it again once the message was understood: what was not
understood may have changed anything, so nothing is told until the next snapshot.
"""

from __future__ import annotations

from streamtrader.instruments import BELIEVED, Most
from streamtrader.units import NS_PER_MS
from streamtrader.venues.bybit.messages import Book, Ticker, milliseconds_of, number_of, rate_of
from streamtrader.venues.values import check_levels

Side = tuple[float, float]  # price and size, zeros where nobody quotes
NOBODY: Side = (0.0, 0.0)


class Top:
    """The best bid and ask of one symbol."""

    __slots__ = ("ask", "bid", "update")

    def __init__(self) -> None:
        self.bid = self.ask = NOBODY
        self.update = 0

    def take(self, data: Book, most: Most) -> None:
        """Checked as a whole first."""
        check_levels(data.b, most)
        check_levels(data.a, most)
        self.bid, self.ask, self.update = _moved(self.bid, data.b), _moved(self.ask, data.a), data.u


class Quotation:
    """The ticker of one symbol."""

    __slots__ = ("ask", "bid", "due_ns", "index", "mark", "rate")

    def __init__(self) -> None:
        self.bid = self.ask = NOBODY
        self.mark = self.index = self.rate = 0.0
        self.due_ns = 0  # when the funding rate is paid

    def take(self, ticker: Ticker, most: Most) -> tuple[bool, bool]:
        """Whether the quote was told, and whether the mark, its index or its funding were."""
        bid = _told(self.bid, ticker.bid, ticker.bid_size, most)
        ask = _told(self.ask, ticker.ask, ticker.ask_size, most)
        is_quoted = bid is not self.bid or ask is not self.ask
        self.bid, self.ask = bid, ask
        if ticker.mark is None and ticker.index is None and ticker.rate is None and ticker.due is None:
            return is_quoted, False
        if ticker.mark is not None:
            self.mark = number_of(ticker.mark, BELIEVED.price)
        if ticker.index is not None:
            self.index = number_of(ticker.index, BELIEVED.price)
        if ticker.rate is not None:
            self.rate = rate_of(ticker.rate)
        if ticker.due is not None:
            self.due_ns = milliseconds_of(ticker.due) * NS_PER_MS
        return is_quoted, True


def _moved(side: Side, levels: list[Side]) -> Side:
    """The only level that is left: a new one comes with the removal of the old one, in any order."""
    for price, size in levels:
        if price == side[0] and not size:
            side = NOBODY
    return next((level for level in levels if level[1]), side)


def _told(side: Side, price: str | None, size: str | None, most: Most) -> Side:
    if price is None and size is None:
        return side
    return (
        side[0] if price is None else number_of(price, most.price),
        side[1] if size is None else number_of(size, most.size),
    )
