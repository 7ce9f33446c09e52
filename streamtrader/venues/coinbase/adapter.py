"""Coinbase Advanced Trade, public market data: books, trades, best quotes, five-minute candles, statuses.

Every message of a connection has the next `sequence_num`, whatever its channel, acknowledgements included (so it was
measured by several users; the venue's pages only name the field). A hole may have been anybody's: all books of the
connection are asked for again. Nothing is known of what the numbers do not cover: a wrong digit that is a number is
found only where it makes a book cross itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec

from streamtrader.errors import BadMessage, ConfigError, UnknownMessage
from streamtrader.events import BookState
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.venues.coinbase import messages
from streamtrader.venues.coinbase.feed import NONE, CoinbaseFeed
from streamtrader.venues.coinbase.markets import (
    BOOK,
    CANDLE,
    CHANNELS,
    ENDPOINTS,
    HEARTBEAT,
    LIMITS,
    SILENCE_S,
    TICKER,
    aliases_of,
)
from streamtrader.venues.coinbase.messages import SIDES
from streamtrader.venues.streamed_venue import REFUSED
from streamtrader.venues.values import check_trade, nanoseconds_of
from streamtrader.venues.venue import Ageing, Endpoints, Limits

TICKER_MARKS = (b'"ticker"', b'"ticker_batch"')
BEATS_ALLOWED = 2  # the counter follows a clock of seconds, which one late beat may step over

_LIVE = BookState.LIVE
Change = tuple[int, bool, messages.Rows, messages.Rows]  # instrument, whether it is a snapshot, bids, asks


class Coinbase(CoinbaseFeed):
    """Market data needs no key."""

    name = "coinbase"
    book_channel = BOOK
    book_marks = (b"l2_data",)
    nameless = frozenset((HEARTBEAT,))

    def __init__(
        self,
        instruments: Sequence[Instrument],
        *,
        channels: Sequence[str] = CHANNELS,
        endpoints: Sequence[Endpoints] = ENDPOINTS,
        limits: Limits = LIMITS,
        is_stamped: bool = False,
    ) -> None:
        super().__init__(
            instruments, channels=channels, endpoints=endpoints, limits=limits, silence_s=SILENCE_S,
            is_stamped=is_stamped,
        )  # fmt: skip
        self.index |= {alias: self.index[symbol] for alias, symbol in aliases_of(self.index).items()}
        self._contract_sizes = [float(instrument.contract_size) for instrument in self.instruments]
        self._candles: list[messages.Candle | None] = [None] * len(self.instruments)
        self._is_whole = [False] * len(self.instruments)  # no update of the open candle was lost
        self._heard_book = self.heard[BOOK]

    def request(self, method: str, channel: str, symbols: Sequence[str]) -> bytes:
        named = {"product_ids": list(symbols)} if symbols else {}
        return msgspec.json.encode({"type": method, "channel": channel} | named)

    def connected(self, received_ns: int, ring: Ring) -> None:
        super().connected(received_ns, ring)
        self._is_whole[:] = [False] * len(self.instruments)

    def read_message(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        try:
            message = messages.message_of(frame)
        except REFUSED as error:
            self._read_stranger(frame, error, received_ns, ring)
            return
        if not self._follows(message.sequence_num, received_ns, ring):
            return
        if isinstance(message, messages.BookMessage):
            self._read_books(message, received_ns, ring)
        elif isinstance(message, messages.TradeMessage):
            self._read_trades(message, received_ns, ring)
        elif isinstance(message, messages.TickerMessage | messages.TickerBatchMessage):
            self._read_tickers(message, received_ns, ring)
        elif isinstance(message, messages.CandleMessage):
            self._read_candles(message, received_ns, ring)
        else:
            self._counters.notices += 1
            if isinstance(message, messages.StatusMessage):
                for event in message.events:
                    self.write_statuses(event.products, nanoseconds_of(message.timestamp), received_ns, ring)
            elif isinstance(message, messages.BeatMessage):
                self._read_beats(message, received_ns, ring)

    def ageing(self, frame: bytes) -> Ageing | None:
        """A ticker of one product; its number counts even when it has grown old."""
        if any(mark in frame for mark in TICKER_MARKS):
            with contextlib.suppress(*REFUSED):
                message = messages.message_of(frame)
                if isinstance(message, messages.TickerMessage | messages.TickerBatchMessage):
                    (product,) = {ticker.product_id for event in message.events for ticker in event.tickers}
                    rest = {"channel": TICKER, "timestamp": message.timestamp, "sequence_num": message.sequence_num}
                    return Ageing(product, msgspec.json.encode(rest))
        return None

    # Order.

    def _follows(self, sequence: int, received_ns: int, ring: Ring) -> bool:
        """Whether to read on: not where the same message comes twice."""
        numbers = self._numbers
        last = numbers.sequence
        if sequence == last + 1:
            numbers.sequence = sequence
            return True
        messages.check_sequence(sequence)
        numbers.sequence = sequence
        if sequence == last:
            self._counters.repeated += 1
            return False
        if last != NONE:
            self._lose_all(received_ns, ring)
        return True

    def _lose_all(self, received_ns: int, ring: Ring) -> None:
        counters = self._counters
        gaps = counters.gaps
        self._is_whole[:] = [False] * len(self.instruments)
        if self.has_books:
            self.lose_books(self.relay.told_by(self.relay.link, self.book_channel), received_ns, ring)
        counters.gaps += counters.gaps == gaps  # no book was LIVE, but trades may be missing

    def _read_stranger(self, frame: bytes, error: Exception, received_ns: int, ring: Ring) -> None:
        """An error of the venue, a channel that nobody here knows, or values that cannot be true."""
        envelope = messages.envelope_of(frame)
        if envelope.type == "error":
            self._counters.errors += 1
            self._counters.last_error = f"{envelope.message} {envelope.reason}".strip()[:200] or "an error"
            return
        if envelope.sequence_num != NONE:
            self._follows(envelope.sequence_num, received_ns, ring)
        if envelope.channel in messages.CHANNELS:
            raise BadMessage(str(error)) from error
        raise UnknownMessage(f"channel {envelope.channel[:40]!r}")

    def _read_beats(self, message: messages.BeatMessage, received_ns: int, ring: Ring) -> None:
        """The counter "verifies that no messages were missed": behind the numbers, on the venue's side."""
        for event in message.events:
            last, self._numbers.beat = self._numbers.beat, event.heartbeat_counter
            if last != NONE and not 0 <= event.heartbeat_counter - last <= BEATS_ALLOWED:
                self._lose_all(received_ns, ring)

    # The book.

    def _read_books(self, message: messages.BookMessage, received_ns: int, ring: Ring) -> None:
        venue_ns = nanoseconds_of(message.timestamp)
        changes = self._changes_in(message)
        sequence, notices = message.sequence_num, 0
        for instrument, is_snapshot, bids, asks in changes:
            book, levels = self.books[instrument], self._levels[instrument]
            if self.relay.passes_over(BOOK, instrument, is_whole=is_snapshot):
                continue
            self._heard_book[instrument] = received_ns
            if is_snapshot:
                levels.begin(bids, asks)
                book.snapshot(sequence, venue_ns, received_ns, bids, asks, ring)
            elif book.state is not _LIVE:
                notices += 1  # the snapshot that was asked for is still to come
            elif levels.hold(bids, asks, has_all=False):
                book.delta(sequence, venue_ns, received_ns, bids, asks, ring)
            else:
                book.lose(received_ns, ring)
        self._counters.notices += notices == len(changes)

    def _changes_in(self, message: messages.BookMessage) -> list[Change]:
        """What its events say of our products, all of it checked."""
        changes: list[Change] = []
        for event in message.events:
            instrument = self.index.get(event.product_id, -1)
            if instrument < 0:
                continue
            bids, asks = messages.levels_of(event, self._contract_sizes[instrument], self.most[instrument])
            is_snapshot = event.type == "snapshot"
            if is_snapshot:
                bids, asks = ([level for level in side if level[1]] for side in (bids, asks))
            changes.append((instrument, is_snapshot, bids, asks))
        if not changes and message.events:
            raise UnknownMessage(f"{message.events[0].product_id[:40]!r} was not subscribed to")
        return changes

    # The other channels.

    def _read_trades(self, message: messages.TradeMessage, received_ns: int, ring: Ring) -> None:
        """Trades of 250 ms, newest first; a snapshot holds those from before we listened."""
        found, strange = [], 0
        for event in message.events:
            for trade in event.trades:
                instrument = self.index.get(trade.product_id, -1)
                if instrument < 0:
                    strange += 1
                    continue
                price, size = trade.price, trade.size * self._contract_sizes[instrument]
                check_trade(price, size, self.most[instrument])
                identity, venue_ns = messages.trade_id_of(trade.trade_id), nanoseconds_of(trade.time)
                found.append((instrument, identity, venue_ns, price, size, SIDES[trade.side], event.type))
        if strange and not found:
            raise UnknownMessage("trades of products that were not subscribed to")
        counters, told = self._counters, self._counters.trades
        for instrument, identity, venue_ns, price, size, side, kind in sorted(found):
            if not self._numbers.step(instrument, identity):
                counters.repeated += 1
            elif kind != "snapshot":
                self.write_trade(instrument, side, (venue_ns, received_ns), price, size, ring, id=identity)
        counters.notices += counters.trades == told

    def _read_tickers(
        self, message: messages.TickerMessage | messages.TickerBatchMessage, received_ns: int, ring: Ring
    ) -> None:
        venue_ns = nanoseconds_of(message.timestamp)
        found = []
        for event in message.events:
            for ticker in event.tickers:
                instrument = self.instrument_of(ticker.product_id)
                contract_size, most = self._contract_sizes[instrument], self.most[instrument]
                found.append((instrument, messages.best_of(ticker, contract_size, most)))
        told = [(instrument, best) for instrument, best in found if best is not None]
        for instrument, best in told:
            if not self.relay.passes_over(TICKER, instrument):
                self.write_quote(instrument, (venue_ns, received_ns), *best, ring)
        self._counters.notices += not told

    def _read_candles(self, message: messages.CandleMessage, received_ns: int, ring: Ring) -> None:
        """Each tells of the candle that is still open, whole: it is closed when a later one begins."""
        found = [
            (self.instrument_of(candle.product_id), candle, event.type == "snapshot")
            for event in message.events
            for candle in event.candles
        ]
        for _, candle, _ in found:
            if not candle.start:
                raise UnknownMessage("a candle without its values")
            messages.check_dated_candle(candle)
        unheard = {instrument for instrument, _, _ in found if self._candles[instrument] is None}
        for instrument, candle, is_snapshot in sorted(found, key=lambda each: each[1].start):
            open_one = self._candles[instrument]
            if open_one is not None and candle.start < open_one.start:
                continue  # history
            if self.relay.passes_over(CANDLE, instrument):
                continue
            is_history = is_snapshot and instrument in unheard
            if (
                open_one is not None
                and candle.start > open_one.start
                and self._is_whole[instrument]
                and not is_history
            ):
                clocks = (open_one.start_ns, received_ns)
                words = (open_one.open, open_one.high, open_one.low, open_one.close)
                volume = open_one.volume * self._contract_sizes[instrument]
                self.write_candle(instrument, clocks, words, volume, ring)
            self._candles[instrument], self._is_whole[instrument] = candle, True
        self._counters.notices += 1


def check_books(symbols: Sequence[str]) -> None:
    """`ConfigError` where two products are one book, of which the venue only ever names the first."""
    for symbol in symbols:
        if symbol.endswith("-USDC") and symbol.removesuffix("C") in symbols:
            raise ConfigError(f"coinbase sends {symbol} as {symbol.removesuffix('C')}: name one of them, not both")
