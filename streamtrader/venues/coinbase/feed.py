"""What Coinbase's two feeds share: how they are spoken to, who is suspect when a message is broken, trades, statuses.

The aggressor of a trade is the other side: "the side field indicates the maker order side"
(https://docs.cdp.coinbase.com/exchange/websocket-feed/channels), in both feeds.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from streamtrader.errors import UnknownMessage
from streamtrader.events import Kind, TradingStatus
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.venues.coinbase.levels import Levels
from streamtrader.venues.streamed_book import REPEATED_RUN
from streamtrader.venues.streamed_venue import REFUSED, ROWS_OF_A_LOSS, SPARE_ROWS, StreamedVenue
from streamtrader.venues.venue import Endpoints, Limits, Overlap, Route

SYMBOLS_A_MESSAGE = 100  # "break up your subscription messages into smaller chunks"
NONE = -1  # no message of this link yet
HALTED = TradingStatus.HALTED
STATUSES = {"online": TradingStatus.TRADING, "offline": HALTED, "delisted": TradingStatus.CLOSED}


class Product(msgspec.Struct, gc=False):
    """A product as both status channels tell it; the newer one leaves the flags out."""

    id: str = ""
    status: str = ""
    cancel_only: bool = False
    post_only: bool = False
    auction_mode: bool = False
    trading_disabled: bool = False

    @property
    def trading(self) -> TradingStatus:
        """`post_only` precedes an opening; limit orders are still matched in `limit_only`."""
        status = STATUSES.get(self.status, TradingStatus.UNKNOWN)
        if status != TradingStatus.TRADING:
            return status
        if self.cancel_only or self.trading_disabled:
            return HALTED
        return TradingStatus.AUCTION if self.post_only or self.auction_mode else status


class Numbers:
    """What numbers the messages of one link, by instrument but for those of the newer feed; 0 before the first."""

    __slots__ = ("_repeated", "beat", "beats", "promised", "sequence", "trades")

    def __init__(self, count: int) -> None:
        self.trades = [0] * count  # the newest ids
        self._repeated = [0] * count
        self.sequence = self.beat = NONE  # of all messages, and the count of heartbeats
        self.beats = [0] * count  # the product's sequence in the newest heartbeat
        self.promised = [0] * count  # the newest trade by the heartbeat before

    def step(self, instrument: int, trade_id: int) -> int:
        """How many trades on from the newest one: 1 is the next, 0 was told before; a long run of old ids is new."""
        newest = self.trades[instrument]
        if 0 < trade_id <= newest and self._repeated[instrument] < REPEATED_RUN:
            self._repeated[instrument] += 1
            return 0
        if not trade_id:
            return 1  # an id that is no number proves nothing
        self._repeated[instrument] = 0
        self.trades[instrument] = trade_id
        return trade_id - newest if 0 < newest < trade_id else 1


class CoinbaseFeed(StreamedVenue):
    """Either feed. `book_marks` are texts without which a frame says nothing about a book."""

    overlap = Overlap.RELAY
    book_marks: tuple[bytes, ...] = ()
    nameless: frozenset[str] = frozenset()  # channels that take no products

    def __init__(
        self,
        instruments: Sequence[Instrument],
        *,
        channels: Sequence[str],
        endpoints: Sequence[Endpoints],
        limits: Limits,
        silence_s: Mapping[str, float],
        is_stamped: bool = False,
    ) -> None:
        super().__init__(
            instruments, channels=channels, endpoints=endpoints, limits=limits, silence_s=silence_s,
            is_stamped=is_stamped,
        )  # fmt: skip
        count = len(self.instruments)
        self._levels = [Levels() for _ in range(count)]
        self._numbers_of = {0: Numbers(count)}  # by link
        self._numbers = self._numbers_of[0]
        self._told_statuses = [0] * count
        self._kept = 0  # rows up to here stay, even where the frame is refused later on

    # How the venue is spoken to.

    @abc.abstractmethod
    def request(self, method: str, channel: str, symbols: Sequence[str]) -> bytes:
        """Subscribe to some products of a channel, or unsubscribe."""

    @property
    def routes(self) -> tuple[Route, ...]:
        return (Route("/", self.channels),)

    def subscribe(self, route: Route) -> list[bytes]:
        symbols = [instrument.symbol for instrument in self.instruments]
        return [request for channel in route.channels for request in self._requests("subscribe", channel, symbols)]

    def resubscription(self, instrument: int, channel: str) -> list[bytes]:
        symbols = [self.instruments[instrument].symbol]
        return self._requests("unsubscribe", channel, symbols) + self._requests("subscribe", channel, symbols)

    def outgoing(self, now_ns: int) -> list[bytes]:
        """All books that are lost are asked for together: a hole can concern every one, and messages are few."""
        lost = [book.instrument for book in self.books if book.ask_at_ns and book.take_wish(now_ns)]
        symbols = [self.instruments[instrument].symbol for instrument in lost]
        wanted = self._requests("unsubscribe", self.book_channel, symbols)
        wanted += self._requests("subscribe", self.book_channel, symbols)
        return super().outgoing(now_ns) + wanted

    def _requests(self, method: str, channel: str, symbols: Sequence[str]) -> list[bytes]:
        if channel in self.nameless:
            return [self.request(method, channel, ())]
        starts = range(0, len(symbols), SYMBOLS_A_MESSAGE)
        return [self.request(method, channel, symbols[start : start + SYMBOLS_A_MESSAGE]) for start in starts]

    # How its frames are read.

    @abc.abstractmethod
    def read_message(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        """`read`, but for what becomes of books when it raises."""

    def read(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        self._kept = ring.written
        try:
            self.read_message(frame, received_ns, ring)
        except UnknownMessage as error:
            ring.written = self._kept
            self._counters.unknown += 1
            self._counters.last_error = str(error)[:200]
        except REFUSED as error:
            ring.written = self._kept
            self._refuse(f"{type(error).__name__}: {error}", received_ns, ring)
            self.lose_books(self.books_in(frame), received_ns, ring)

    def connected(self, received_ns: int, ring: Ring) -> None:
        super().connected(received_ns, ring)
        self._numbers_of.clear()
        self.turn_to(0)
        self._told_statuses[:] = [0] * len(self.instruments)

    def turn_to(self, link: int) -> None:
        super().turn_to(link)
        if link not in self._numbers_of:
            self._numbers_of[link] = Numbers(len(self.instruments))
        self._numbers = self._numbers_of[link]

    def lose_books(self, instruments: Iterable[int], received_ns: int, ring: Ring) -> None:
        """Updates of these books are missing. The rows stay, whatever becomes of the frame."""
        for instrument in instruments:
            self.lose_book(self.books[instrument], received_ns, ring)
        self._kept = ring.written

    def rows_of_frame(self, frame: bytes) -> int:
        """A row for each level, trade or product, two for each list of levels, two for each book that may be lost."""
        return frame.count(b"{") + 2 * frame.count(b"[") + ROWS_OF_A_LOSS * len(self.books) + SPARE_ROWS

    def write_statuses(self, products: Sequence[Product], venue_ns: int, received_ns: int, ring: Ring) -> None:
        """The venue repeats all products again and again: only what changed is told."""
        for product in products:
            instrument = self.index.get(product.id, -1)
            status = int(product.trading)
            if instrument < 0 or self._told_statuses[instrument] == status:
                continue
            self._told_statuses[instrument] = status
            self._counters.statuses += 1
            ring.write(Kind.STATUS, instrument, 0, 0, venue_ns, received_ns, float(status))

    def books_in(self, frame: bytes) -> list[int]:
        return super().books_in(frame) if any(mark in frame for mark in self.book_marks) else []
