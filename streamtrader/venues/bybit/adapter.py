"""Bybit public data, spot and linear: book, best quotes, trades, tickers, candles, liquidations, from frames to rows.

A book is proved by `u`, which counts the messages of its topic one by one; there is no checksum. The topic at the head
of a frame names the instrument, so even of a frame that cannot be read it is known whose book is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from streamtrader.errors import BadMessage, ConfigError, UnknownMessage
from streamtrader.events import BookState, Kind
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.units import NS_PER_MS
from streamtrader.venues.bybit import markets, messages
from streamtrader.venues.bybit.merging import NEW, place_of
from streamtrader.venues.bybit.messages import OPPOSITE, SIDES
from streamtrader.venues.bybit.tops import Quotation, Side, Top
from streamtrader.venues.streamed_venue import StreamedVenue
from streamtrader.venues.values import check_identity, check_levels, check_milliseconds
from streamtrader.venues.venue import Endpoints, Limits, Overlap, Ping, Place, Route

HEAD, HEAD_BYTES = b'{"topic":"', 10
SPOT = "spot"
RECENT = 1_024  # trades of an instrument whose ids are known by heart
DEPTH_TEXTS = tuple(map(str, markets.DEPTHS))
Reader = Callable[[bytes, int, int, Ring], None]

_LIVE = BookState.LIVE


class Bybit(StreamedVenue):
    """One connection to the address of one `kind`; `depth` is the levels of each side: 50 every 20 ms, 200 every 100."""

    name = "bybit"
    book_channel = markets.BOOK
    overlap = Overlap.MERGE
    ping = Ping(b'{"op":"ping"}', 20.0)

    def __init__(
        self,
        instruments: Sequence[Instrument],
        kind: str = SPOT,
        *,
        channels: Sequence[str] = markets.SPOT_CHANNELS,
        endpoints: Sequence[Endpoints] = markets.ENDPOINTS,
        limits: Limits = markets.LIMITS,
        silence_s: Mapping[str, float] = markets.SILENCE_S,
        depth: int = 50,
        candle_interval: str = "1",
        is_stamped: bool = False,
    ) -> None:
        if depth not in (markets.AS_TOLD, *markets.DEPTHS) or candle_interval not in markets.CANDLE_INTERVALS:
            told = ", ".join(markets.CANDLE_INTERVALS)
            raise ConfigError(f"bybit has books of {markets.DEPTHS} levels and candles of {told} minutes")
        super().__init__(
            instruments, channels=channels, endpoints=endpoints, limits=limits, silence_s=silence_s,
            is_stamped=is_stamped,
        )  # fmt: skip
        count = len(self.instruments)
        self.category = markets.CATEGORIES[kind]
        self.depth = depth
        self.candle_interval = candle_interval
        self._tops: list[Top | None] = [None] * count
        self._quotations: list[Quotation | None] = [None] * count
        self._has_top = [False] * count  # the quickest channel has spoken: tickers come late
        self._candle_starts = [0] * count
        self._heard = [self.heard.get(name, [0] * count) for name in (markets.BOOK, markets.BEST, markets.TICKER)]
        self._recent: list[dict[int, None]] = [{} for _ in range(count)]  # ids of trades: a link may repeat another
        self._deep: set[int] = set()  # whose depth was learnt
        self._topics: dict[bytes, tuple[Reader, int]] = {}
        for symbol, instrument in self.index.items():
            for name, reader in self._readers():
                self._topics[f"{name}.{symbol}".encode()] = reader, instrument

    def _readers(self) -> list[tuple[str, Reader]]:
        """By the name of a topic without its symbol."""
        return [
            (f"{markets.BOOK}.{self.depth}", self._read_book),
            (markets.BEST, self._read_best),
            (markets.TRADE, self._read_trades),
            (markets.TICKER, self._read_ticker),
            (f"{markets.CANDLE}.{self.candle_interval}", self._read_candles),
            (markets.LIQUIDATION, self._read_liquidations),
            (markets.OLD_LIQUIDATION, self._read_old_liquidation),
        ]

    # What is said to the venue.

    @property
    def routes(self) -> tuple[Route, ...]:
        return (Route(f"/v5/public/{self.category}", self.channels),)

    def subscribe(self, route: Route) -> list[bytes]:
        topics = [self._topic(each, channel) for channel in route.channels for each in self.instruments]
        step = markets.ARGS_A_MESSAGE
        return [_request("subscribe", topics[start : start + step]) for start in range(0, len(topics), step)]

    def resubscription(self, instrument: int, channel: str) -> list[bytes]:
        topics = [self._topic(self.instruments[instrument], channel)]
        return [_request(op, topics) for op in ("unsubscribe", "subscribe")]

    def connected(self, received_ns: int, ring: Ring) -> None:
        count = len(self.instruments)
        self._tops, self._quotations, self._has_top = [None] * count, [None] * count, [False] * count
        super().connected(received_ns, ring)

    def _topic(self, instrument: Instrument, channel: str) -> str:
        if channel == markets.BOOK:
            return f"{channel}.{self.depth or markets.DEPTHS[0]}.{instrument.symbol}"
        if channel == markets.CANDLE:
            return f"{channel}.{self.candle_interval}.{instrument.symbol}"
        return f"{channel}.{instrument.symbol}"

    def place_of(self, frame: bytes) -> Place | None:
        return place_of(frame, self.index)

    def needs(self, place: Place) -> bool:
        at, channel = place.instrument, place.stream.partition(".")[0]
        if at < 0:
            return False
        if channel == markets.TICKER:
            return self._quotations[at] is None
        if place.is_quote:
            return self._tops[at] is None
        return self.books[at].state is not _LIVE

    # What the venue says.

    def read(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        if frame.startswith(HEAD):
            known = self._topics.get(frame[HEAD_BYTES : frame.find(b'"', HEAD_BYTES)])
            if known is not None:
                known[0](frame, known[1], received_ns, ring)
                return
        envelope = messages.envelope_of(frame)
        if not envelope.topic:
            self._take_answer(envelope)
            return
        reader, instrument = self._topics.get(envelope.topic.encode()) or self._learnt(envelope.topic)
        reader(frame, instrument, received_ns, ring)

    def _learnt(self, topic: str) -> tuple[Reader, int]:
        """The first depth that a capture has of a symbol is its book."""
        channel, _, rest = topic.partition(".")
        depth, _, symbol = rest.partition(".")
        if self.depth != markets.AS_TOLD or channel != markets.BOOK or depth not in DEPTH_TEXTS:
            raise UnknownMessage(f"topic {topic[:60]!r}")
        instrument = self.instrument_of(symbol)
        if instrument in self._deep:
            raise UnknownMessage(f"a second depth, {topic[:60]!r}")
        self._deep.add(instrument)
        self._topics[topic.encode()] = self._read_book, instrument
        return self._read_book, instrument

    def _take_answer(self, envelope: messages.Envelope) -> None:
        counters = self._counters
        if not envelope.success:
            counters.errors += 1
            counters.last_error = (envelope.ret_msg or envelope.message)[:200] or "a request failed"
        elif envelope.op in ("subscribe", "unsubscribe", "ping", "pong"):
            counters.notices += 1
        else:
            raise UnknownMessage(f"an answer to {envelope.op[:40]!r}")

    def _read_book(self, frame: bytes, instrument: int, received_ns: int, ring: Ring) -> None:
        book = self.suspect = self.books[instrument]
        message = messages.book_of(frame)
        data = message.data
        venue_ns = self._check(message, instrument)
        check_levels(data.b, self.most[instrument])
        check_levels(data.a, self.most[instrument])
        self._heard[0][instrument] = received_ns
        if message.type == "snapshot" or data.u == NEW:
            if not all(size for _, size in data.b + data.a):
                raise BadMessage("a snapshot with empty levels")
            book.snapshot(data.u, venue_ns, received_ns, data.b, data.a, ring)
        elif message.type != "delta":
            raise UnknownMessage(f"a book message of type {message.type[:40]!r}")
        elif book.state is not _LIVE:
            self._counters.notices += 1  # the snapshot that was asked for is still to come
        elif book.follows(data.u - 1, data.u, received_ns, ring):
            book.delta(data.u, venue_ns, received_ns, data.b, data.a, ring)

    def _check(self, message: messages.Message[messages.Book], instrument: int) -> int:
        """The engine's clock of a message about the instrument of its topic, in ns."""
        data = message.data
        if data.s != self.instruments[instrument].symbol:
            raise BadMessage(f"{data.s[:40]!r} under the topic of {self.instruments[instrument].symbol}")
        check_identity(data.u)
        check_milliseconds(message.ts, message.cts)
        return (message.cts or message.ts) * NS_PER_MS

    # The other channels.

    def _read_best(self, frame: bytes, instrument: int, received_ns: int, ring: Ring) -> None:
        top, self._tops[instrument] = self._tops[instrument], None
        message = messages.book_of(frame)
        venue_ns, data = self._check(message, instrument), message.data
        if message.type == "snapshot" or data.u == NEW:
            top = Top()
        elif top is not None and data.u <= top.update:
            self._tops[instrument] = top
            self._counters.repeated += 1
            return
        elif top is None or data.u != top.update + 1:
            self._counters.notices += 1  # nothing is told until a snapshot comes, or silence asks for one
            return
        top.take(data, self.most[instrument])
        self._tops[instrument] = top
        self._has_top[instrument] = True
        self._heard[1][instrument] = received_ns
        self._write_quote(instrument, (venue_ns, received_ns), top.bid, top.ask, ring, data.u)

    def _read_trades(self, frame: bytes, instrument: int, received_ns: int, ring: Ring) -> None:
        told, recent = self._counters, self._recent[instrument]
        trades = messages.trades_of(frame, self.most[instrument])
        for trade, identity in [(trade, messages.identity_of(trade.i)) for trade in trades]:
            if identity in recent:
                told.repeated += 1
                continue
            recent[identity] = None
            if len(recent) > RECENT:
                del recent[next(iter(recent))]
            clocks = (trade.T * NS_PER_MS, received_ns)
            self.write_trade(instrument, SIDES[trade.S], clocks, trade.p, trade.v, ring, id=identity)

    def _read_ticker(self, frame: bytes, instrument: int, received_ns: int, ring: Ring) -> None:
        quotation, self._quotations[instrument] = self._quotations[instrument], None
        message = messages.ticker_of(frame)
        check_milliseconds(message.ts)
        if message.type == "snapshot":
            quotation = Quotation()
        elif quotation is None:
            self._counters.notices += 1  # nothing is told until a snapshot comes, or silence asks for one
            return
        is_quoted, is_marked = quotation.take(message.data, self.most[instrument])
        self._quotations[instrument] = quotation
        self._heard[2][instrument] = received_ns
        clocks = message.ts * NS_PER_MS, received_ns
        if is_marked and quotation.mark:
            words = (quotation.mark, quotation.index, quotation.rate, 0.0)
            ring.write(Kind.MARK, instrument, 0, 0, *clocks, *words, id=quotation.due_ns)
            self._counters.marks += 1
        if is_quoted and not self._has_top[instrument]:
            self._write_quote(instrument, clocks, quotation.bid, quotation.ask, ring)
        elif not is_marked:
            self._counters.notices += 1

    def _write_quote(
        self, instrument: int, clocks: tuple[int, int], bid: Side, ask: Side, ring: Ring, update: int = 0
    ) -> None:
        if bid[0] and bid[1] and ask[0] and ask[1]:
            self.write_quote(instrument, clocks, bid, ask, ring, id=update)
        else:
            self._counters.notices += 1  # one side is empty

    def _read_candles(self, frame: bytes, instrument: int, received_ns: int, ring: Ring) -> None:
        for candle in messages.candles_of(frame):
            if not candle.confirm or candle.start <= self._candle_starts[instrument]:
                self._counters.notices += 1
                continue
            self._candle_starts[instrument] = candle.start
            words = (candle.open, candle.high, candle.low, candle.close)
            self.write_candle(instrument, (candle.start * NS_PER_MS, received_ns), words, candle.volume, ring)

    def _read_liquidations(self, frame: bytes, instrument: int, received_ns: int, ring: Ring) -> None:
        self._write_liquidations(messages.liquidations_of(frame, is_old=False), instrument, received_ns, ring)

    def _read_old_liquidation(self, frame: bytes, instrument: int, received_ns: int, ring: Ring) -> None:
        self._write_liquidations(messages.liquidations_of(frame, is_old=True), instrument, received_ns, ring)

    def _write_liquidations(
        self, liquidations: list[messages.Liquidation], instrument: int, received_ns: int, ring: Ring
    ) -> None:
        """The position's side is told; the order that closed it had the other one."""
        for each in liquidations:
            clocks = (each.T * NS_PER_MS, received_ns)
            ring.write(Kind.LIQUIDATION, instrument, OPPOSITE[each.S], 0, *clocks, each.p, each.v)
        self._counters.liquidations += len(liquidations)


def _request(op: str, topics: Sequence[str]) -> bytes:
    return msgspec.json.encode({"op": op, "args": topics})
