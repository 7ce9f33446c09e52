"""OKX public data: book, trades, best quotes, candles, marks, funding, liquidations, statuses, from frames to rows.

A book is proved by its sequence (`prevSeqId` is the `seqId` of the message before; a lower `seqId` after it is a
reset, an equal one says that nothing changed), and by a checksum where the venue still computes one. Whichever its
snapshot had, all its updates must have: a book that nothing proves is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streamtrader.errors import BadMessage, ConfigError, UnknownMessage
from streamtrader.events import BookState
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.units import NS_PER_MS
from streamtrader.venues.okx import markets, messages
from streamtrader.venues.okx.conditions import Conditions, Reader
from streamtrader.venues.okx.merging import place_of
from streamtrader.venues.okx.messages import SIDES, rows_of
from streamtrader.venues.okx.proof import Proof, text_rows_of
from streamtrader.venues.okx.quotes import BestQuotes
from streamtrader.venues.okx.requests import merged, requests_of
from streamtrader.venues.streamed_venue import StreamedVenue
from streamtrader.venues.values import check_identity, check_levels, check_milliseconds, check_trade, nanoseconds
from streamtrader.venues.venue import Endpoints, Limits, Overlap, Ping, Place, Route

HEAD, HEAD_BYTES = b'{"arg":{"channel":"', 19
CHECKSUM_KEY = b'"checksum":'
NO_CHECKSUM = (b"0,", b"0}")
SERVICE_UPGRADE = "64008"
ONE = (1, 1)  # contract: sizes are in base units already

_LIVE = BookState.LIVE


class Okx(StreamedVenue):
    """Candles come from the venue's business address, everything else from the public one."""

    name = "okx"
    book_channel = markets.BOOK
    overlap = Overlap.MERGE
    ping = Ping(b"ping", 15.0)

    def __init__(
        self,
        instruments: Sequence[Instrument],
        *,
        channels: Sequence[str] = markets.SPOT_CHANNELS,
        endpoints: Sequence[Endpoints] = markets.ENDPOINTS,
        limits: Limits = markets.LIMITS,
        silence_s: Mapping[str, float] = markets.SILENCE_S,
        candle_interval: str = "1m",
        is_stamped: bool = False,
    ) -> None:
        if candle_interval not in markets.CANDLE_INTERVALS:
            raise ConfigError(f"okx has candles of {', '.join(markets.CANDLE_INTERVALS)}")
        super().__init__(
            instruments, channels=channels, endpoints=endpoints, limits=limits, silence_s=silence_s,
            is_stamped=is_stamped,
        )  # fmt: skip
        count = len(self.instruments)
        self._candle_channel = markets.CANDLE + candle_interval
        self._proofs = [Proof() for _ in self.instruments]
        self._contracts = [each.contract_size.as_integer_ratio() for each in self.instruments]
        self._quotes = BestQuotes(self, self._size)
        self._candle_starts = [0] * count
        self._heard_book = self.heard[markets.BOOK]
        self._readers: dict[bytes, Reader] = {
            markets.BOOK.encode(): self._read_book,
            markets.TRADE.encode(): self._read_trades,
            self._candle_channel.encode(): self._read_candles,
            **self._quotes.readers,
            **Conditions(self, self._size).readers,
        }

    # What is said to the venue.

    @property
    def routes(self) -> tuple[Route, ...]:
        public = tuple(channel for channel in self.channels if channel != markets.CANDLE)
        business = tuple(channel for channel in self.channels if channel == markets.CANDLE)
        both = Route("/ws/v5/public", public), Route("/ws/v5/business", business)
        return tuple(route for route in both if route.channels)

    def subscribe(self, route: Route) -> list[bytes]:
        kinds = dict.fromkeys(each.kind for each in self.instruments)
        args: list[dict[str, str]] = []
        for channel in route.channels:
            if channel == markets.STATUS:
                args.append({"channel": channel})
            elif channel in markets.OF_KIND:
                args += [{"channel": channel, "instType": markets.TYPES[kind]} for kind in kinds]
            else:
                args += [self._arg(each, channel) for each in self.instruments]
        return requests_of("subscribe", args)

    def resubscription(self, instrument: int, channel: str) -> list[bytes]:
        args = [self._arg(self.instruments[instrument], channel)]
        return [request for op in ("unsubscribe", "subscribe") for request in requests_of(op, args)]

    def _arg(self, instrument: Instrument, channel: str) -> dict[str, str]:
        name = self._candle_channel if channel == markets.CANDLE else channel
        return {"channel": name, "instId": instrument.symbol}

    def outgoing(self, now_ns: int) -> list[bytes]:
        """However many books are asked for, it takes two requests."""
        return merged(super().outgoing(now_ns))

    def connected(self, received_ns: int, ring: Ring) -> None:
        self._quotes.connected()
        super().connected(received_ns, ring)

    def place_of(self, frame: bytes) -> Place | None:
        return place_of(frame, self.index)

    def needs(self, place: Place) -> bool:
        return place.instrument >= 0 and self.books[place.instrument].state is not _LIVE

    # What the venue says.

    def stamp_of(self, frame: bytes) -> int:
        """The texts that keep a link alive carry no stamp."""
        return self._stamped_ns if frame in (b"pong", b"ping") else super().stamp_of(frame)

    def read(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        if frame.startswith(HEAD):
            reader = self._readers.get(frame[HEAD_BYTES : frame.find(b'"', HEAD_BYTES)])
            if reader is not None:
                reader(frame, received_ns, ring)
                return
        if frame in (b"pong", b"ping"):
            self._counters.notices += 1
            self.messages += [b"pong"] * (frame == b"ping")
            return
        envelope = messages.envelope_of(frame)
        if envelope.event:
            self._take_event(envelope)
            return
        reader = self._readers.get(envelope.arg.channel.encode())
        if reader is None:
            raise UnknownMessage(f"channel {envelope.arg.channel[:40]!r}")
        reader(frame, received_ns, ring)

    def _take_event(self, envelope: messages.Envelope) -> None:
        counters = self._counters
        if envelope.event.endswith("error"):
            counters.errors += 1
            counters.last_error = f"{envelope.code[:20]} {envelope.msg[:180]}"
        elif envelope.event in ("subscribe", "unsubscribe", "notice", "channel-conn-count"):
            counters.notices += 1
            self.wants_rotation = self.wants_rotation or envelope.code == SERVICE_UPGRADE
        else:
            raise UnknownMessage(f"event {envelope.event[:40]!r}")

    # The book.

    def _read_book(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        at = frame.rfind(CHECKSUM_KEY) + len(CHECKSUM_KEY)
        is_checked = at >= len(CHECKSUM_KEY) and frame[at : at + 3].lstrip()[:2] not in NO_CHECKSUM
        message = messages.text_book_of(frame) if is_checked else messages.book_of(frame)
        instrument = self.instrument_of(message.arg.instrument)
        book = self.suspect = self.books[instrument]
        self._heard_book[instrument] = received_ns
        is_snapshot = message.action == "snapshot"
        if not is_snapshot and message.action != "update":
            raise UnknownMessage(f"a book message of action {message.action[:40]!r}")
        if not is_snapshot and book.state is not _LIVE:
            self._counters.notices += 1  # the snapshot that was asked for is still to come
            return
        (data,) = message.data
        check_milliseconds(data.ts)
        check_identity(data.sequence + 1)  # -1 where there is none
        bid_texts, ask_texts = [], []
        if isinstance(data, messages.TextBook):
            bid_texts, ask_texts = text_rows_of(data.bids), text_rows_of(data.asks)
            bids, asks = [row[:2] for row in bid_texts], [row[:2] for row in ask_texts]
        else:
            bids, asks = rows_of(data.bids), rows_of(data.asks)
        if self._contracts[instrument] != ONE:
            bids = [(price, self._size(instrument, size)) for price, size in bids]
            asks = [(price, self._size(instrument, size)) for price, size in asks]
        check_levels(bids, self.most[instrument])
        check_levels(asks, self.most[instrument])
        proof, is_numbered = self._proofs[instrument], data.sequence >= 0
        if is_snapshot:
            if not (is_checked or is_numbered) or not all(size for _, size in bids + asks):
                raise BadMessage("a snapshot that nothing proves, or with empty levels")
            proof.begin(is_checked=is_checked, is_numbered=is_numbered)
        elif (is_checked, is_numbered) != (proof.is_checked, proof.is_numbered):
            raise BadMessage("an update that is not proved as its snapshot was")
        elif is_numbered and not book.follows(data.previous, data.sequence, received_ns, ring):
            return
        if is_checked and proof.apply(bid_texts, ask_texts) != data.checksum:
            self._counters.checksums_failed += 1
            book.lose(received_ns, ring)
            return
        self._counters.checksums_verified += is_checked
        write = book.snapshot if is_snapshot else book.delta
        write(max(data.sequence, 0), data.ts * NS_PER_MS, received_ns, bids, asks, ring)

    def _size(self, instrument: int, contracts: float) -> float:
        """Contracts in units of the base currency; of whole numbers the nearest double to the exact product."""
        many, of = self._contracts[instrument]
        return contracts * many / of

    # Trades and candles.

    def _read_trades(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        trades = messages.trades_of(frame).data
        known = [(each := self.instrument_of(trade.instrument), self._size(each, trade.size)) for trade in trades]
        for trade, (instrument, size) in zip(trades, known, strict=True):
            check_trade(trade.price, size, self.most[instrument])
        for trade, (instrument, size) in zip(trades, known, strict=True):
            clocks = (trade.ts * NS_PER_MS, received_ns)
            self.write_trade(instrument, SIDES[trade.side], clocks, trade.price, size, ring, id=trade.id)

    def _read_candles(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        message = messages.candles_of(frame)
        instrument = self.instrument_of(message.arg.instrument)
        for candle in message.data:
            if not candle.is_closed or candle.start <= self._candle_starts[instrument]:
                self._counters.notices += 1
                continue
            self._candle_starts[instrument] = candle.start
            words = (candle.open, candle.high, candle.low, candle.close)
            volume = self._size(instrument, candle.volume)
            self.write_candle(instrument, (nanoseconds(candle.start), received_ns), words, volume, ring)
