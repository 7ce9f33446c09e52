"""An exchange behind ccxt.pro, from frames of ours to rows: book, trades, best quotes, candles.

What this cannot prove, and a native adapter can: ccxt checks sequences and checksums by itself where it does at all,
starts a book again by itself, and tells nobody; what it hands out is a book, not the updates that made it. So a LIVE
book here means that ccxt's own book was told whole, that it was never crossed, and that it is not silent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from streamtrader.errors import BadMessage, UnknownMessage
from streamtrader.events import BUY, SELL, BookState
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.venues.ccxt import messages
from streamtrader.venues.ccxt.messages import BOOK, CANDLE, QUOTE, TRADE
from streamtrader.venues.streamed_venue import StreamedVenue
from streamtrader.venues.values import (
    check_candle,
    check_identity,
    check_levels,
    check_milliseconds,
    check_sides,
    check_trade,
    nanoseconds,
)
from streamtrader.venues.venue import Endpoints, Limits, Route

SIDES = {"buy": BUY, "sell": SELL}
# Fifty watches begin a second; ccxt paces the requests behind them by its own table of each exchange.
# A socket that an exchange ends after a day is opened again by ccxt: there is nothing to rotate.
LIMITS = Limits(messages_per_s=100.0, silence_s=60.0, rotate_after_s=365.0 * 86_400.0)
SILENCE_S = {BOOK: 30.0, QUOTE: 60.0, TRADE: 300.0, CANDLE: 300.0}
BOOK_HEAD = b'{"channel":"book",'
LIVE_CHANNELS = (BOOK, TRADE, QUOTE)


class Ccxt(StreamedVenue):
    """`name` is `ccxt:kucoin` and the like; `timeframe` is that of its candles, in ccxt's words."""

    book_channel = BOOK

    def __init__(
        self,
        instruments: Sequence[Instrument],
        *,
        name: str = "ccxt",
        channels: Sequence[str] = LIVE_CHANNELS,
        endpoints: Sequence[Endpoints] = (),
        silence_s: Mapping[str, float] = SILENCE_S,
        timeframe: str = "1m",
    ) -> None:
        super().__init__(
            instruments, channels=channels, endpoints=endpoints or (Endpoints(name, name),), limits=LIMITS,
            silence_s=silence_s,
        )  # fmt: skip
        self.name = name
        self.timeframe = timeframe
        self._refusal = ""
        self._candles: list[messages.Candle | None] = [None] * len(self.instruments)
        self._contracts = [float(instrument.contract_size) for instrument in self.instruments]

    # What is said to the link.

    @property
    def routes(self) -> tuple[Route, ...]:
        return (Route("", self.channels),)

    @property
    def refusal(self) -> str:
        return self._refusal

    def subscribe(self, route: Route) -> list[bytes]:
        return [self._order(channel, each.symbol) for channel in route.channels for each in self.instruments]

    def resubscription(self, instrument: int, channel: str) -> list[bytes]:
        return [self._order(channel, self.instruments[instrument].symbol)]

    def _order(self, channel: str, symbol: str) -> bytes:
        return msgspec.json.encode(messages.Order(channel, symbol, self.timeframe if channel == CANDLE else ""))

    # What the link tells.

    def read(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        if frame.startswith(BOOK_HEAD):
            self.suspect = next((self.books[named] for named in self.named_in(frame)), None)  # a frame names one symbol
        message = messages.message_of(frame)
        instrument = self.instrument_of(message.symbol)
        if isinstance(message, messages.Told):
            self._read_told(message, instrument, received_ns, ring)
            return
        channel = str(message.__struct_config__.tag)
        if channel not in self.channels:
            raise UnknownMessage(f"{channel} was not asked for")
        match message:
            case messages.Book():
                self._read_book(message, instrument, received_ns, ring)
            case messages.Trades():
                self._read_trades(message, instrument, received_ns, ring)
            case messages.Quote():
                self._read_quote(message, instrument, received_ns, ring)
            case messages.Candles():
                self._read_candles(message, instrument, received_ns, ring)
        self.heard[channel][instrument] = received_ns

    def _read_told(self, told: messages.Told, instrument: int, received_ns: int, ring: Ring) -> None:
        self._counters.errors += 1
        self._counters.last_error = told.error[:200]
        if told.is_final:
            self._refusal = told.error[:200]
            self.wants_rotation = True
        if told.of == BOOK and self.has_books:
            self.books[instrument].lose(received_ns, ring)

    def _read_book(self, told: messages.Book, instrument: int, received_ns: int, ring: Ring) -> None:
        book = self.books[instrument]
        check_identity(told.update)
        check_milliseconds(told.time_ms)
        contract, venue_ns = self._contracts[instrument], nanoseconds(told.time_ms)
        bids, asks = told.bids, told.asks
        if contract != 1.0:
            bids, asks = ([(price, size * contract) for price, size in side] for side in (bids, asks))
        check_levels(bids, self.most[instrument])
        check_levels(asks, self.most[instrument])
        if told.is_snapshot:
            if not all(size for _, size in bids + asks):
                raise BadMessage("a snapshot with empty levels")
            book.snapshot(told.update, venue_ns, received_ns, bids, asks, ring)
        elif book.state is BookState.LIVE:
            book.delta(told.update, venue_ns, received_ns, bids, asks, ring)

    def _read_trades(self, told: messages.Trades, instrument: int, received_ns: int, ring: Ring) -> None:
        contract, trades = self._contracts[instrument], told.trades
        for trade in trades:
            check_trade(trade.price, trade.size * contract, self.most[instrument])
            check_identity(trade.id)
            check_milliseconds(trade.time_ms)
            if trade.side not in SIDES:
                raise BadMessage(f"a trade whose taker's side is {trade.side[:20]!r}")
        if told.is_overfull:
            self._counters.errors += 1
            self._counters.last_error = f"ccxt kept {len(trades)} trades and no more: older ones may be lost"
        for trade in trades:
            clocks = nanoseconds(trade.time_ms), received_ns
            self.write_trade(
                instrument, SIDES[trade.side], clocks, trade.price, trade.size * contract, ring, trade.id
            )
        if not trades:
            self._counters.notices += 1

    def _read_quote(self, told: messages.Quote, instrument: int, received_ns: int, ring: Ring) -> None:
        contract = self._contracts[instrument]
        bid, ask = (told.bid, told.bid_size * contract), (told.ask, told.ask_size * contract)
        check_sides(bid, ask, self.most[instrument])
        check_milliseconds(told.time_ms)
        if all(bid) and all(ask):
            self.write_quote(instrument, (nanoseconds(told.time_ms), received_ns), bid, ask, ring)
        else:
            self._counters.notices += 1  # a side is empty, or the exchange tells no sizes

    def _read_candles(self, told: messages.Candles, instrument: int, received_ns: int, ring: Ring) -> None:
        """A candle is whole when a later one begins."""
        for candle in told.candles:
            check_milliseconds(candle.start_ms)
            volume = candle.volume * self._contracts[instrument]
            check_candle(candle.open, candle.high, candle.low, candle.close, volume)
        for candle in told.candles:
            before = self._candles[instrument]
            if before is not None and candle.start_ms < before.start_ms:
                self._counters.candles_late += 1
                continue
            if before is not None and candle.start_ms > before.start_ms:
                words = before.open, before.high, before.low, before.close
                clocks = nanoseconds(before.start_ms), received_ns
                self.write_candle(instrument, clocks, words, before.volume * self._contracts[instrument], ring)
            self._candles[instrument] = candle
