"""The best bid and offer of one asset across venues: what a taker would get and pay, and where, and how old that is.

A leg is one instrument of one venue. It is told the same events as the engine and keeps its own book; its top of book
counts while all of this holds, else the leg stands aside:

* the venue's last word on the book (LINK) is LIVE, or there was none: data sets without links are believed;
* trading is not halted (STATUS is TRADING or UNKNOWN, or there was none);
* its own bid is below its own ask: a book that crosses itself is wrong, not cheap;
* it was told anything of its book at most `max_age_ns` ago, by the clock of receipt, that moment included.

A message counts when it is whole: its last row is without `MORE`. Where a venue sends depth, its best quotes are
ignored, as in the engine. Best means best after the taker's fee: the bid that leaves most, the ask that costs least;
at the same money the larger size leads, then the leg that was named first. Whether the venues are locked or crossed
is said of the prices as quoted, without fees; `is_profitable` says it of the money.
"""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from streamtrader.events import BID, MORE, TOP, BookState, Kind, TradingStatus

NO_SIDE = (0.0, 0.0)
BPS = 10_000.0
OPEN = (TradingStatus.TRADING, TradingStatus.UNKNOWN)
KINDS = (Kind.BOOK, Kind.BOOK_CLEAR, Kind.QUOTE, Kind.LINK, Kind.STATUS)  # what a leg listens to

_BOOK, _CLEAR, _QUOTE, _LINK, _STATUS = map(int, KINDS)


class Crossing(enum.IntEnum):
    """How the best quoted bid and the best quoted ask of all legs stand to each other."""

    ONE_SIDED = 0
    NORMAL = 1
    LOCKED = 2
    CROSSED = 3


class Touch(NamedTuple):
    """One side of the consolidated book: `net_price` is the price with the taker's fee of its venue."""

    leg: int
    price: float
    size: float
    net_price: float
    age_ns: int


@dataclass(frozen=True, slots=True)
class Best:
    """The consolidated top: `bid` and `ask` are the best after fees, `quoted_bid` and `quoted_ask` the best before."""

    bid: Touch | None = None
    ask: Touch | None = None
    quoted_bid: Touch | None = None
    quoted_ask: Touch | None = None

    @property
    def crossing(self) -> Crossing:
        """Of the quoted prices; different venues, because a leg that crosses itself does not count."""
        if self.quoted_bid is None or self.quoted_ask is None:
            return Crossing.ONE_SIDED
        bid, ask = self.quoted_bid.price, self.quoted_ask.price
        if bid == ask:
            return Crossing.LOCKED
        return Crossing.CROSSED if bid > ask else Crossing.NORMAL

    @property
    def is_profitable(self) -> bool:
        """Whether buying at the one and selling at the other pays after the fees of both."""
        return self.bid is not None and self.ask is not None and self.bid.net_price > self.ask.net_price

    @property
    def net_spread_bps(self) -> float:
        """What the net ask is above the net bid, in basis points of their middle; below zero where it pays."""
        return 0.0 if self.bid is None or self.ask is None else _bps(self.bid.net_price, self.ask.net_price)

    @property
    def quoted_spread_bps(self) -> float:
        """The same before fees; below zero where the venues are crossed. 0 without two sides."""
        if self.quoted_bid is None or self.quoted_ask is None:
            return 0.0
        return _bps(self.quoted_bid.price, self.quoted_ask.price)


class Side:
    """The levels of one side, prices ascending."""

    __slots__ = ("prices", "sizes")

    def __init__(self) -> None:
        self.prices: list[float] = []
        self.sizes: dict[float, float] = {}

    def put(self, price: float, size: float) -> None:
        """Set a level; size 0 removes it."""
        if size > 0.0:
            if price not in self.sizes:
                self.prices.insert(bisect_left(self.prices, price), price)
            self.sizes[price] = size
        elif self.sizes.pop(price, None) is not None:
            del self.prices[bisect_left(self.prices, price)]

    def clear(self) -> None:
        self.prices.clear()
        self.sizes.clear()


class Leg:
    """One instrument of one venue, with its fee; `bid` and `ask` are (price, size) as of its last whole message."""

    def __init__(self, venue: str, symbol: str, *, kind: str = "spot", taker_fee_bps: float = 0.0) -> None:
        self.venue, self.symbol, self.kind = venue, symbol, kind
        self.taker_fee_bps = taker_fee_bps
        self.bid_factor, self.ask_factor = 1.0 - taker_fee_bps / BPS, 1.0 + taker_fee_bps / BPS
        self.bid, self.ask = NO_SIDE, NO_SIDE
        self.told_ns = 0  # when a message of the book was last whole; 0: never
        self.state = BookState.LIVE
        self.status = TradingStatus.TRADING
        self.has_depth = False
        self._sides = (Side(), Side())
        self._is_changing = False

    @property
    def is_trusted(self) -> bool:
        """Everything but its age."""
        bid, ask = self.bid[0], self.ask[0]
        return self.state is BookState.LIVE and self.status in OPEN and not (bid and ask and bid >= ask)

    def take(
        self, kind: int, side: int, flags: int, received_ns: int,
        a: float, b: float = 0.0, c: float = 0.0, d: float = 0.0,
    ) -> bool:  # fmt: skip
        """One row of its tape; whether a message is whole with it, and so the top may be another one."""
        if kind == _BOOK:
            if flags & TOP:
                self._sides[side].clear()
            else:
                self.has_depth = True
            self._sides[side].put(a, b)
            self._is_changing = True
        elif kind == _CLEAR:
            for each in self._sides:
                each.clear()
            self.has_depth = self._is_changing = True
        elif kind == _LINK:
            self.state = BookState(int(a))
        elif kind == _STATUS:
            self.status = TradingStatus(int(a))
        elif kind == _QUOTE and not self.has_depth:
            self.bid, self.ask, self.told_ns = (a, b), (c, d), received_ns
        else:
            return False
        if flags & MORE:
            return False
        if self._is_changing:
            self._is_changing = False
            self.bid, self.ask, self.told_ns = self._top(BID), self._top(1 - BID), received_ns
        return True

    def _top(self, side: int) -> tuple[float, float]:
        levels = self._sides[side]
        if not levels.prices:
            return NO_SIDE
        price = levels.prices[-1 if side == BID else 0]
        return price, levels.sizes[price]


class ConsolidatedBook:
    """All legs of one asset."""

    def __init__(self, legs: Sequence[Leg], max_age_ns: int) -> None:
        if max_age_ns <= 0:
            raise ValueError("max_age_ns must be above zero: a leg must be believed for some time")
        self.legs = tuple(legs)
        self.max_age_ns = max_age_ns

    def counts(self, leg: Leg, now_ns: int) -> bool:
        """Whether a leg takes part at a moment."""
        return leg.told_ns > 0 and now_ns - leg.told_ns <= self.max_age_ns and leg.is_trusted

    def best(self, now_ns: int) -> Best:
        """The best of the legs that count at `now_ns`, the clock of receipt."""
        bids, asks = [], []
        for index, leg in enumerate(self.legs):
            if self.counts(leg, now_ns):
                age_ns = now_ns - leg.told_ns
                if leg.bid[0]:
                    bids.append(Touch(index, *leg.bid, leg.bid[0] * leg.bid_factor, age_ns))
                if leg.ask[0]:
                    asks.append(Touch(index, *leg.ask, leg.ask[0] * leg.ask_factor, age_ns))
        return Best(  # `max` takes the first of equals: the leg that was named first
            max(bids, key=lambda touch: (touch.net_price, touch.size), default=None),
            max(asks, key=lambda touch: (-touch.net_price, touch.size), default=None),
            max(bids, key=lambda touch: (touch.price, touch.size), default=None),
            max(asks, key=lambda touch: (-touch.price, touch.size), default=None),
        )

    def next_expiry_ns(self, now_ns: int) -> int:
        """The first moment after `now_ns` at which a leg that counts now is too old; 0 where there is none."""
        ends = [leg.told_ns + self.max_age_ns + 1 for leg in self.legs if self.counts(leg, now_ns)]
        return min(ends, default=0)


def _bps(bid: float, ask: float) -> float:
    return (ask - bid) / (0.5 * (ask + bid)) * BPS
