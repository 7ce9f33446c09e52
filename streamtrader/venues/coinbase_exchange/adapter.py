"""Coinbase Exchange, the older websocket feed: books, trades, best quotes where it tells their sizes, statuses.

What is proved, and what not:

* Trades: ids count up by one for each product. A hole is counted; it cannot be filled here. A heartbeat names the
  newest trade: one that has not come by the next heartbeat is lost, and the channel is asked for again.
* Books: the venue promises delivery, and numbers nothing. Three witnesses stand in (measured on a recording of
  9,719 updates, in which none of them was ever wrong): a level that is removed was there; a book does not cross
  itself; the best prices of a ticker are those of the book. Only `level2` is so exact: its batches may pass over
  levels that came and went, and tickers overtake them, so `level2_batch` has the crossing alone. They are no proof:
  of 300 frames dropped from that recording they found 65 within its half minute, of 300 wrong digits in prices 205,
  in sizes 15. What nobody touches again stays wrong.
* Silence: a heartbeat whose `sequence` has not moved proves that a silent market is quiet. Any other silence of a
  book makes it STALE.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec

from streamtrader.errors import BadMessage, ConfigError, UnknownMessage
from streamtrader.events import BookState
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.venues.coinbase.feed import CoinbaseFeed
from streamtrader.venues.coinbase_exchange import messages
from streamtrader.venues.coinbase_exchange.markets import (
    BOOK,
    BOOK_BATCH,
    BOOKS,
    CHANNELS,
    ENDPOINTS,
    LIMITS,
    MATCHES,
    SILENCE_S,
    STATUS,
    TICKER,
)
from streamtrader.venues.coinbase_exchange.messages import SIDES
from streamtrader.venues.streamed_venue import REFUSED
from streamtrader.venues.values import check_identity, check_sides, check_trade, nanoseconds_of
from streamtrader.venues.venue import Ageing, Endpoints, Limits

DISAGREEMENTS = 2  # in a row: the first ticker of a subscription is that of the last trade, however old

_LIVE = BookState.LIVE


class CoinbaseExchange(CoinbaseFeed):
    """Books come on `level2`, which needs a key, or on `level2_batch`.

    A capture says itself which of them it holds: until then, and for `level2_batch`, little is concluded from a book.
    """

    name = "coinbase-exchange"
    book_marks = (b"l2update", b"snapshot")
    nameless = frozenset((STATUS,))

    def __init__(
        self,
        instruments: Sequence[Instrument],
        *,
        channels: Sequence[str] = CHANNELS,
        endpoints: Sequence[Endpoints] = ENDPOINTS,
        limits: Limits = LIMITS,
        is_stamped: bool = False,
    ) -> None:
        books = [channel for channel in channels if channel in BOOKS]
        if len(books) > 1:
            raise ConfigError(f"coinbase-exchange: {BOOK} and {BOOK_BATCH} are the same book: take one of them")
        self.book_channel = books[0] if books else BOOK_BATCH
        super().__init__(
            instruments, channels=channels, endpoints=endpoints, limits=limits, silence_s=SILENCE_S,
            is_stamped=is_stamped,
        )  # fmt: skip
        count = len(self.instruments)
        self._heard_book = self.heard[self.book_channel]
        self._has_all = self.book_channel == BOOK
        self._disagreements = [0] * count

    def request(self, method: str, channel: str, symbols: Sequence[str]) -> bytes:
        named = {"product_ids": list(symbols)} if symbols else {}
        return msgspec.json.encode({"type": method} | named | {"channels": [channel]})

    def connected(self, received_ns: int, ring: Ring) -> None:
        super().connected(received_ns, ring)
        self._has_all = self.book_channel == BOOK
        self._disagreements[:] = [0] * len(self.instruments)

    def read_message(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        try:
            message = messages.message_of(frame)
        except REFUSED as error:
            kind = messages.envelope_of(frame).type
            if kind in messages.TYPES:
                raise BadMessage(str(error)) from error
            raise UnknownMessage(f"type {kind[:40]!r}") from error
        if isinstance(message, messages.Changes):
            self._read_changes(message, received_ns, ring)
        elif isinstance(message, messages.Match):
            self._read_match(message, received_ns, ring)
        elif isinstance(message, messages.Ticker):
            self._read_ticker(message, received_ns, ring)
        elif isinstance(message, messages.Heartbeat):
            self._read_heartbeat(message, received_ns)
        elif isinstance(message, messages.Snapshot):
            self._read_snapshot(message, received_ns, ring)
        elif isinstance(message, messages.VenueError):
            self._counters.errors += 1
            self._counters.last_error = f"{message.message} {message.reason}".strip()[:200] or "an error"
        else:
            self._take_notice(message, received_ns, ring)

    def ageing(self, frame: bytes) -> Ageing | None:
        if b'"ticker"' in frame:
            with contextlib.suppress(*REFUSED):
                message = messages.message_of(frame)
                return Ageing(message.product_id) if isinstance(message, messages.Ticker) else None
        return None

    # The book.

    def _read_snapshot(self, message: messages.Snapshot, received_ns: int, ring: Ring) -> None:
        instrument = self.instrument_of(message.product_id)
        venue_ns = nanoseconds_of(message.time)
        bids, asks = messages.levels_of(message, self.most[instrument])
        if self.relay.passes_over(self.book_channel, instrument):
            return
        self._heard_book[instrument] = received_ns
        self._disagreements[instrument] = 0
        self._levels[instrument].begin(bids, asks)
        self.books[instrument].snapshot(0, venue_ns, received_ns, bids, asks, ring)

    def _read_changes(self, message: messages.Changes, received_ns: int, ring: Ring) -> None:
        instrument = self.instrument_of(message.product_id)
        book = self.books[instrument]
        venue_ns = nanoseconds_of(message.time)
        bids, asks = messages.changes_of(message, self.most[instrument])
        if self.relay.passes_over(self.book_channel, instrument, is_whole=False):
            return
        self._heard_book[instrument] = received_ns
        if book.state is not _LIVE:
            self._counters.notices += 1  # the snapshot that was asked for is still to come
        elif self._levels[instrument].hold(bids, asks, has_all=self._has_all):
            book.delta(0, venue_ns, received_ns, bids, asks, ring)
        else:
            book.lose(received_ns, ring)

    def _compare(self, instrument: int, bid: float, ask: float, received_ns: int, ring: Ring) -> None:
        """The ticker's best prices with the book's, where the channel is exact enough to tell."""
        book = self.books[instrument]
        if not self._has_all or book.state is not _LIVE:
            return
        if self._levels[instrument].has_best(bid, ask):
            self._disagreements[instrument] = 0
            return
        self._disagreements[instrument] += 1
        if self._disagreements[instrument] >= DISAGREEMENTS:
            book.lose(received_ns, ring)

    # The other channels.

    def _read_match(self, message: messages.Match, received_ns: int, ring: Ring) -> None:
        instrument = self.instrument_of(message.product_id)
        check_trade(message.price, message.size, self.most[instrument])
        check_identity(message.trade_id)
        venue_ns = nanoseconds_of(message.time)
        step = self._numbers.step(instrument, message.trade_id)
        if not step:
            self._counters.repeated += 1
            return
        self._counters.gaps += step > 1
        clocks, side = (venue_ns, received_ns), SIDES[message.side]
        self.write_trade(instrument, side, clocks, message.price, message.size, ring, id=message.trade_id)

    def _read_ticker(self, message: messages.Ticker, received_ns: int, ring: Ring) -> None:
        instrument = self.instrument_of(message.product_id)
        bid, ask = (message.best_bid, message.best_bid_size), (message.best_ask, message.best_ask_size)
        clocks = (nanoseconds_of(message.time), received_ns)
        check_sides(bid, ask, self.most[instrument])
        if self.relay.passes_over(TICKER, instrument):
            return
        if 0.0 in bid or 0.0 in ask:
            self._counters.notices += 1  # an empty side, or a ticker from before sizes were told
        else:
            self.write_quote(instrument, clocks, bid, ask, ring)
        self._compare(instrument, message.best_bid, message.best_ask, received_ns, ring)

    def _read_heartbeat(self, message: messages.Heartbeat, received_ns: int) -> None:
        instrument = self.instrument_of(message.product_id)
        check_identity(message.sequence, message.last_trade_id)
        self._counters.notices += 1
        numbers = self._numbers
        if message.sequence == numbers.beats[instrument]:
            self._heard_book[instrument] = received_ns  # nothing happened at all
        numbers.beats[instrument] = message.sequence
        newest, promised = numbers.trades[instrument], numbers.promised[instrument]
        numbers.promised[instrument] = message.last_trade_id
        if 0 < newest < promised and MATCHES in self.channels:
            self._counters.gaps += 1
            numbers.promised[instrument] = 0
            self.messages += self.resubscription(instrument, MATCHES)

    def _take_notice(
        self, message: messages.LastMatch | messages.Status | messages.Subscriptions, received_ns: int, ring: Ring
    ) -> None:
        self._counters.notices += 1
        if isinstance(message, messages.LastMatch):
            instrument = self.instrument_of(message.product_id)
            check_identity(message.trade_id)
            newest = self._numbers.trades
            newest[instrument] = max(newest[instrument], message.trade_id)
        elif isinstance(message, messages.Status):
            self.write_statuses(message.products, 0, received_ns, ring)
        else:
            told = {channel.name for channel in message.channels}
            if not told.isdisjoint(BOOKS):
                self._has_all = BOOK in told and BOOK_BATCH not in told
