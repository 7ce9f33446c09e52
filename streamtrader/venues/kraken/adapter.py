"""Kraken spot public data: book with its checksum, trades, best quotes, candles and statuses, from frames to rows.

The book's checksum is the CRC32 over the digits of the best ten asks, then the best ten bids, as the venue wrote
them (https://docs.kraken.com/exchange/guides/websockets/book-checksum-v2). Each message is applied to the texts
first, proved, and only then written: a message that fails makes its own symbol start again. The venue does not say
which levels fall out of the subscribed depth, so the rows that remove them are ours.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Sequence

import msgspec

from streamtrader.errors import BadMessage, ConfigError, UnknownMessage
from streamtrader.events import BookState, Kind, TradingStatus
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.units import places_of
from streamtrader.venues.kraken import messages
from streamtrader.venues.kraken.markets import (
    AS_TOLD,
    BOOK,
    CANDLE,
    CANDLE_MINUTES,
    CHANNELS,
    DEPTHS,
    ENDPOINTS,
    INSTRUMENT,
    LIMITS,
    SILENCE_S,
    STATUSES,
    TICKER,
    TRADE,
)
from streamtrader.venues.kraken.messages import SIDES, number_of
from streamtrader.venues.ladder import Ladder
from streamtrader.venues.streamed_venue import REFUSED, SPARE_ROWS, StreamedVenue
from streamtrader.venues.values import check_quote, check_trade, nanoseconds_of
from streamtrader.venues.venue import Ageing, Endpoints, Limits, Overlap, Route

NUMBERS_KNOWN = 8_192
CHECKED = 10  # levels a side, whatever the depth
SYMBOLS_A_MESSAGE = 100
CHANNEL_FIRST = b'{"channel":"'  # so the venue's frames begin today
CHANNEL_AT = len(CHANNEL_FIRST)
TICKER_FIRST = CHANNEL_FIRST + b"ticker"
Rows = list[tuple[float, float]]
Levels = list[tuple[float, float, bytes]]  # price, size, and what the checksum says of the level
NOTHING: tuple[Rows, bool] = ([], False)

_LIVE = BookState.LIVE


class Texts:
    """Both sides of one symbol's book in the venue's own text."""

    __slots__ = ("asks", "bids", "checksum", "depth", "most", "price_places", "prices", "size_places", "sizes")

    def __init__(self, instrument: Instrument, depth: int) -> None:
        self.depth = depth
        self.prices: dict[bytes, tuple[float, bytes]] = {}  # a level is set, changed and removed under the same text
        self.sizes: dict[bytes, tuple[float, bytes]] = {}
        self.asks, self.bids = Ladder(1.0), Ladder(-1.0)
        self.price_places = places_of(instrument.price_tick)
        self.size_places = places_of(instrument.size_lot)
        self.most = instrument.most
        self.checksum = 0

    def read(self, levels: list[messages.Level]) -> Levels:
        """Price, size and mark of the levels, checked. A size of zero removes its level and has no mark."""
        read, prices, sizes = [], self.prices, self.sizes
        for level in levels:
            price_text, size_text = bytes(level.price), bytes(level.qty)
            price, size = prices.get(price_text), sizes.get(size_text)
            if price is None:
                price = number_of(price_text, self.price_places, self.most.price)
                if not price[0]:
                    raise BadMessage("a level at a price of zero")
                prices[price_text] = price
            if size is None:
                size = sizes[size_text] = number_of(size_text, self.size_places, self.most.size)
            read.append((price[0], size[0], price[1] + size[1] if size[1] else b""))
        if len(prices) + len(sizes) > NUMBERS_KNOWN:
            prices.clear()
            sizes.clear()
        return read

    def begin(self, levels: int) -> None:
        """A snapshot follows; without an acknowledgement its longer side shows the depth."""
        self.asks.clear()
        self.bids.clear()
        self.depth = self.depth or next((depth for depth in DEPTHS if depth >= levels), DEPTHS[-1])

    def prove(self) -> int:
        """The CRC32 of the best ten."""
        self.checksum = zlib.crc32(b"".join(self.asks.marks[:CHECKED] + self.bids.marks[:CHECKED]))
        return self.checksum


class Kraken(StreamedVenue):
    """One connection; `depth` is the levels of each side, `candle_minutes` the interval of the ohlc channel."""

    name = "kraken"
    overlap = Overlap.RELAY

    def __init__(
        self,
        instruments: Sequence[Instrument],
        *,
        channels: Sequence[str] = CHANNELS,
        endpoints: Sequence[Endpoints] = ENDPOINTS,
        limits: Limits = LIMITS,
        depth: int = 25,
        candle_minutes: int = 1,
        is_stamped: bool = False,
    ) -> None:
        if depth not in (AS_TOLD, *DEPTHS) or candle_minutes not in CANDLE_MINUTES:
            raise ConfigError(f"kraken has books of {DEPTHS} levels and candles of {CANDLE_MINUTES} minutes")
        super().__init__(
            instruments, channels=channels, endpoints=endpoints, limits=limits, silence_s=SILENCE_S,
            is_stamped=is_stamped,
        )  # fmt: skip
        self.depth = depth
        self.candle_minutes = candle_minutes
        self._texts = [Texts(instrument, depth) for instrument in self.instruments]
        self._candles: list[messages.Candle | None] = [None] * len(self.instruments)
        self._heard_book = self.heard[BOOK]
        self._readers = {b"book": self._read_book, b"trade": self._read_trades, b"ticker": self._read_tickers}

    @property
    def routes(self) -> tuple[Route, ...]:
        return (Route("/v2", self.channels),)

    def subscribe(self, route: Route) -> list[bytes]:
        symbols = [instrument.symbol for instrument in self.instruments]
        parts = [symbols[start : start + SYMBOLS_A_MESSAGE] for start in range(0, len(symbols), SYMBOLS_A_MESSAGE)]
        return [self._request("subscribe", channel, part) for channel in route.channels for part in parts]

    def resubscription(self, instrument: int, channel: str) -> list[bytes]:
        symbols = [self.instruments[instrument].symbol]
        return [self._request(method, channel, symbols) for method in ("unsubscribe", "subscribe")]

    def rows_of_frame(self, frame: bytes) -> int:
        """Two for every level, and one for every instrument where the whole venue changes its status."""
        return 2 * frame.count(b"{") + len(self.instruments) + SPARE_ROWS

    def read(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        channel = frame[CHANNEL_AT : frame.find(b'"', CHANNEL_AT)] if frame.startswith(CHANNEL_FIRST) else b""
        reader = self._readers.get(channel)
        if reader is None:
            self._read_other(messages.envelope_of(frame), frame, received_ns, ring)
        else:
            reader(frame, received_ns, ring)

    def _read_other(self, envelope: messages.Envelope, frame: bytes, received_ns: int, ring: Ring) -> None:
        """What comes seldom, or with its keys in another order than the venue's today."""
        if envelope.method or envelope.error:
            self._take_answer(envelope)
        elif reader := self._readers.get(envelope.channel.encode(errors="replace")):
            reader(frame, received_ns, ring)
        elif envelope.channel == CANDLE:
            self._read_candles(envelope, received_ns, ring)
        elif envelope.channel in (INSTRUMENT, "status"):
            self._read_statuses(envelope, received_ns, ring)
        elif envelope.channel == "heartbeat":
            self._counters.notices += 1
        else:
            raise UnknownMessage(f"channel {envelope.channel[:40]!r}")

    def ageing(self, frame: bytes) -> Ageing | None:
        if frame.startswith(TICKER_FIRST):
            with contextlib.suppress(*REFUSED):
                (ticker,) = messages.tickers_of(frame)
                return Ageing(ticker.symbol)
        return None

    # The book.

    def _read_book(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        message = messages.book_message_of(frame)
        (data,), kind = message.data, message.type
        instrument = self.instrument_of(data.symbol)
        book = self.suspect = self.books[instrument]
        texts = self._texts[instrument]
        is_snapshot = kind == "snapshot"
        if not is_snapshot and kind != "update":
            raise UnknownMessage(f"a book message of type {kind[:40]!r}")
        if self.relay.passes_over(BOOK, instrument, is_whole=is_snapshot):
            return
        self._heard_book[instrument] = received_ns
        if not is_snapshot and book.state is not _LIVE:
            self._counters.notices += 1  # the snapshot that was asked for is still to come
            return
        venue_ns = nanoseconds_of(data.timestamp)
        bids, asks = texts.read(data.bids), texts.read(data.asks)
        if is_snapshot:
            texts.begin(max(len(bids), len(asks)))
        bid_rows, is_bid_top = _apply(texts.bids, bids, texts.depth) if bids else NOTHING
        ask_rows, is_ask_top = _apply(texts.asks, asks, texts.depth) if asks else NOTHING
        checksum = texts.prove() if is_snapshot or is_bid_top or is_ask_top else texts.checksum
        if checksum != data.checksum:
            self._counters.checksums_failed += 1
            book.lose(received_ns, ring)
            return
        self._counters.checksums_verified += 1
        if is_snapshot:
            book.snapshot(0, venue_ns, received_ns, bid_rows, ask_rows, ring)
        else:
            book.delta(0, venue_ns, received_ns, bid_rows, ask_rows, ring)

    # The other channels.

    def _read_trades(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        message = messages.trade_message_of(frame)
        trades = message.data
        known = [(self.instrument_of(trade.symbol), nanoseconds_of(trade.timestamp)) for trade in trades]
        for trade, (instrument, _) in zip(trades, known, strict=True):
            check_trade(trade.price, trade.qty, self.most[instrument])
        if message.type == "snapshot":
            self._counters.notices += 1  # trades from before we listened
            return
        for trade, (instrument, venue_ns) in zip(trades, known, strict=True):
            clocks = (venue_ns, received_ns)
            self.write_trade(instrument, SIDES[trade.side], clocks, trade.price, trade.qty, ring, id=trade.trade_id)

    def _read_tickers(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        tickers = messages.tickers_of(frame)
        known = []
        for ticker in tickers:
            instrument, venue_ns = self.instrument_of(ticker.symbol), nanoseconds_of(ticker.timestamp)
            bid, ask = (ticker.bid, ticker.bid_qty), (ticker.ask, ticker.ask_qty)
            check_quote(bid, ask, self.most[instrument])
            known.append((instrument, (venue_ns, received_ns), bid, ask))
        for quote in known:
            if not self.relay.passes_over(TICKER, quote[0]):
                self.write_quote(*quote, ring)

    def _read_candles(self, envelope: messages.Envelope, received_ns: int, ring: Ring) -> None:
        """An update tells of the candle that is still open: it is whole when a later one begins."""
        candles = messages.candles_of(envelope.data)
        for candle in candles:
            self.instrument_of(candle.symbol)
            if candle.interval != self.candle_minutes:
                raise UnknownMessage(f"candles of {candle.interval} minutes")
        for candle in candles:
            instrument = self.index[candle.symbol]
            open_one = self._candles[instrument]
            if open_one is not None and candle.interval_begin < open_one.interval_begin:
                continue  # history
            if self.relay.passes_over(CANDLE, instrument):
                continue
            if open_one is not None and candle.interval_begin > open_one.interval_begin:
                clocks = (nanoseconds_of(open_one.interval_begin), received_ns)
                words = (open_one.open, open_one.high, open_one.low, open_one.close)
                self.write_candle(instrument, clocks, words, open_one.volume, ring)
            self._candles[instrument] = candle

    def _read_statuses(self, envelope: messages.Envelope, received_ns: int, ring: Ring) -> None:
        if envelope.channel == INSTRUMENT:
            pairs = messages.pairs_of(envelope.data).pairs
            told = [(self.index[pair.symbol], pair.status) for pair in pairs if pair.symbol in self.index]
        else:
            systems = messages.systems_of(envelope.data)
            told = [(index, system.system) for system in systems[-1:] for index in range(len(self.instruments))]
        told = [each for each in told if not self.relay.passes_over(envelope.channel, each[0])]
        self.need_rows(len(told), ring)
        for instrument, status in told:
            code = STATUSES.get(status, TradingStatus.UNKNOWN)
            ring.write(Kind.STATUS, instrument, 0, 0, 0, received_ns, float(code))
        self._counters.statuses += len(told)

    def _take_answer(self, envelope: messages.Envelope) -> None:
        if envelope.error or not envelope.success:
            self._counters.errors += 1
            self._counters.last_error = envelope.error[:200] or "a request failed"
        elif envelope.method in ("subscribe", "unsubscribe", "pong", "ping"):
            self._counters.notices += 1
            told = messages.acknowledged_of(envelope.result) if envelope.result else None
            if told is not None and told.channel == BOOK and told.depth in DEPTHS and told.symbol in self.index:
                self._texts[self.index[told.symbol]].depth = told.depth
        else:
            raise UnknownMessage(f"an answer to {envelope.method[:40]!r}")

    def _request(self, method: str, channel: str, symbols: Sequence[str]) -> bytes:
        parameters: dict[str, object] = {"channel": channel}
        if channel == INSTRUMENT:
            return msgspec.json.encode({"method": method, "params": parameters})
        parameters["symbol"] = list(symbols)
        if channel == BOOK:
            parameters["depth"] = self.depth
        elif channel == CANDLE:
            parameters["interval"] = self.candle_minutes
        elif channel == TICKER:
            parameters["event_trigger"] = "bbo"  # else the quote is only told with a trade
        if method == "subscribe" and channel == TRADE:
            parameters["snapshot"] = False
        return msgspec.json.encode({"method": method, "params": parameters})


def _apply(ladder: Ladder, levels: Levels, depth: int) -> tuple[Rows, bool]:
    """The rows that the levels become, with those that fall out of the depth; whether the best ten changed."""
    rows, is_top = [], False
    for price, size, mark in levels:
        is_top = ladder.put(price, mark) < CHECKED or is_top
        rows.append((price, size))
    if len(ladder.keys) > depth:
        rows += [(price, 0.0) for price in ladder.cut(depth)]
    return rows, is_top
