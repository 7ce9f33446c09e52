"""The 64-byte event: everything that can change a decision, in the one form that ring, tape and kernel share.

Two clocks, four words, one integer word, then who and what. Trade, Quote, Level, Candle, Fill... are views that
read the same bytes under the names of their kind. All fields are little-endian on disk.

    offset  0  venue_ns     i8  the venue's clock, 0 where it sends none
            8  received_ns  i8  when the bytes came in: the clock that the engine lives by
           16  a b c d      f8  by kind, see the views
           48  id           i8  trade id, update id, order id
           56  instrument   u4  index into the instruments of the tape
           60  kind         u1  a `Kind`
           61  side         u1  a `Side`: aggressor, or side of the book
           62  flags        u2  `MORE`, `TOP`, `WARM`, `NEWEST`
"""

from __future__ import annotations

import enum
from typing import Any, ClassVar

import numpy as np

from streamtrader.kernel.record import Record, View


class Kind(enum.IntEnum):
    """What an event is. 0 is the header of a block on the tape and means nothing to the engine."""

    TRADE = 1
    QUOTE = 2
    BOOK = 3  # one level set to `size`; 0 removes it
    BOOK_CLEAR = 4  # forget the book; a snapshot follows
    CANDLE = 5
    FILL = 6
    ORDER = 7  # acknowledged, rejected, cancelled
    TIMER = 8  # time passes although nothing happened
    LINK = 9  # the state of a book changed
    COMMAND = 10  # the operator
    MARK = 11  # the price that positions are settled by, and the funding rate
    LIQUIDATION = 12  # the venue closed somebody's position
    STATUS = 13  # trading in an instrument started, halted, ended
    CORRECTION = 14  # of a trade that was told before


class Side(enum.IntEnum):
    BUY = 0
    SELL = 1


class BookState(enum.IntEnum):
    """How far a book may be trusted; orders are decided on LIVE ones only."""

    SYNCING = 1
    LIVE = 2
    STALE = 3
    CROSSED = 4
    GAP = 5


class Command(enum.IntEnum):
    """What an operator can ask of a running engine; it goes on the tape before it is obeyed."""

    PAUSE = 1
    RESUME = 2
    FLATTEN = 3
    KILL = 4


class TradingStatus(enum.IntEnum):
    """Whether the venue matches orders in an instrument."""

    TRADING = 1
    HALTED = 2
    AUCTION = 3  # orders are taken, but not matched yet
    CLOSED = 4
    UNKNOWN = 5


BID, ASK = 0, 1
BUY, SELL = 0, 1
MORE = 1  # flag: further rows of the same message follow, do not decide yet
TOP = 2  # flag of BOOK: the only level known of its side, as best-quote feeds send it
WARM = 4  # flag of CANDLE: of the time before the session, so that a strategy begins with its window full
NEWEST = 8  # flag of a WARM candle: the last of its instrument; the session's own go on from its end
EVENT_BYTES = 64


class Event(Record):
    """Clocks first, kind last, so that every view shares them; the five words between depend on the kind."""

    words: ClassVar[tuple[str, ...]] = ("a", "b", "c", "d")
    last_word: ClassVar[tuple[str, Any]] = ("id", 0)

    def __init__(self) -> None:
        self.venue_ns = 0
        self.received_ns = 0
        for word in self.words:
            setattr(self, word, 0.0)
        setattr(self, *self.last_word)
        self.instrument = np.uint32(0)
        self.kind = np.uint8(0)
        self.side = np.uint8(0)
        self.flags = np.uint16(0)


class Trade(Event):
    """A trade of the market; `side` is the aggressor's.

    `is_volume_only` is 1 where its price says nothing of this moment, as of a stock's odd lots and average prices: it
    counts as volume and moves nothing else. `exchange` is the letter of the exchange as a number, 0 where there is one.
    """

    words = ("price", "size", "is_volume_only", "exchange")
    price: float
    size: float
    is_volume_only: float
    exchange: float
    id: int


class Quote(Event):
    """The best bid and offer as the venue itself publishes them."""

    words = ("bid_price", "bid_size", "ask_price", "ask_size")
    bid_price: float
    bid_size: float
    ask_price: float
    ask_size: float
    id: int


class Level(Event):
    """One level of the book; size 0 removes it."""

    words = ("price", "size", "c", "d")
    price: float
    size: float
    id: int


class Candle(Event):
    """An interval of trades; `venue_ns` is its start, `received_ns` its end."""

    words = ("open", "high", "low", "close")
    last_word = ("volume", 0.0)
    open: float
    high: float
    low: float
    close: float
    volume: float


class Fill(Event):
    """A fill of an own order; `remaining` is what is still open of it, `fee` is in quote currency."""

    words = ("price", "size", "fee", "remaining")
    price: float
    size: float
    fee: float
    remaining: float
    id: int


class OrderReport(Event):
    """A change of an own order other than a fill; `state` and `reason` as in `kernel.orders`."""

    words = ("price", "size", "state", "reason")
    price: float
    size: float
    state: float
    reason: float
    id: int


class Link(Event):
    """A book changed its `BookState`."""

    words = ("state", "b", "c", "d")
    state: float
    id: int


class CommandEvent(Event):
    """An operator's command; `code` is a `Command`."""

    words = ("code", "b", "c", "d")
    code: float
    id: int


class Mark(Event):
    """A mark price; `index_price` is 0 where none is told. `funding_rate` is a fraction of the position's value.

    `is_settled` is 1 where the rate was just paid, 0 while it is a forecast for `next_funding_ns`.
    """

    words = ("price", "index_price", "funding_rate", "is_settled")
    last_word = ("next_funding_ns", 0)
    price: float
    index_price: float
    funding_rate: float
    is_settled: float
    next_funding_ns: int


class Liquidation(Event):
    """An order with which the venue closed a position that could not be held; `side` is that order's."""

    words = ("price", "size", "c", "d")
    price: float
    size: float
    id: int


class Status(Event):
    """The `TradingStatus` of an instrument."""

    words = ("status", "b", "c", "d")
    status: float
    id: int


class Correction(Event):
    """What the trade `id` should have said; size 0 means that it is void."""

    words = ("price", "size", "c", "d")
    price: float
    size: float
    id: int


class TapeEvent(Event):
    """What ring and tape hold; `event.trade` reads the same 64 bytes as a `Trade`."""

    a: float
    b: float
    c: float
    d: float
    id: int
    trade = View(Trade)
    quote = View(Quote)
    level = View(Level)
    candle = View(Candle)
    fill = View(Fill)
    order = View(OrderReport)
    link = View(Link)
    command = View(CommandEvent)
    mark = View(Mark)
    liquidation = View(Liquidation)
    status = View(Status)
    correction = View(Correction)


EVENT: np.dtype[Any] = TapeEvent().dtype
assert EVENT.itemsize == EVENT_BYTES
