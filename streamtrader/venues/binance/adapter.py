"""Binance spot and USD-M public data, from frames to rows of the ring.

Trades, aggregate trades, best quotes and diff depth are read here, by the scanner where it knows their bytes; the
other channels in `channels.py`. Of a symbol whose single trades come, aggregate trades tell nothing new and are
passed over: no volume is counted twice.

The domain of a fault is one symbol's book: an update that is missing or that cannot be read makes that book start
again from a snapshot, and no other. There is no checksum: a digit that changed into another true price is believed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamtrader.errors import BadMessage, ConfigError, UnknownMessage
from streamtrader.events import ASK, BID, MORE, BookState, Kind
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.units import NS_PER_S
from streamtrader.venues.binance import messages, scan
from streamtrader.venues.binance.channels import SlowChannels, check_symbol
from streamtrader.venues.binance.listed import table_of, trade_flags_of
from streamtrader.venues.binance.markets import AGGREGATE, CHANNELS, SPOT, TICKER, TRADE, Market, base_of, streams_of
from streamtrader.venues.binance.merging import place_of
from streamtrader.venues.binance.partial import ROWS_MOST
from streamtrader.venues.binance.scan import COMMITTED, HANDED_OVER, JUDGE, ROW_BYTES_MIN, Scanner
from streamtrader.venues.books import HEARD, PLACE_WORDS, BookSync
from streamtrader.venues.values import nanoseconds
from streamtrader.venues.venue import Counters, Endpoints, Limits, Overlap, Ping, Place, Route, SnapshotRequest, Venue

DEPTH_BASE = "depth"
DEPTH_SILENCE_S = 60.0  # of one symbol's depth: thin markets too are quoted anew more often
JUDGE_EVERY_NS = NS_PER_S
ROWS_OF_A_SILENCE = 2
RESUBSCRIPTION_ID = 2
BEAT = b'{"method":"LIST_SUBSCRIPTIONS","id":1}'
SPARE_ROWS = 4  # a frame may also change the state of its book
PATH_BYTES_MOST = 4_000  # longer lists of streams are sent as messages: servers refuse long request lines
STREAMS_A_MESSAGE = 200
LEVELS_ASKED = 1_000
NO_LENGTHS = np.zeros(0, np.int64)  # of a read of one frame, whose length is that of its text


class Binance(Venue):
    """The streams of a session. Without a `scanner` every frame takes the slow path."""

    name = "binance"
    overlap = Overlap.MERGE

    def __init__(
        self,
        instruments: Sequence[Instrument],
        market: Market = SPOT,
        *,
        scanner: Scanner | None = None,
        channels: Sequence[str] = CHANNELS,
        endpoints: Sequence[Endpoints] = (),
        is_stamped: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self.instruments = tuple(instruments)
        self.market = market
        self.channels = tuple(channels)
        self.endpoints = tuple(endpoints) or market.endpoints
        self.is_stamped = is_stamped
        self.wants_rotation = False
        self.limits = limits or market.limits
        if any(len(self._streams(route.channels)) > self.limits.streams for route in self.routes):
            raise ConfigError(f"one binance connection carries {self.limits.streams} streams at most")
        symbols = [instrument.symbol for instrument in self.instruments]
        self._most = [instrument.most for instrument in self.instruments]
        self._index = {symbol.lower(): index for index, symbol in enumerate(symbols)}
        self._counters = Counters()
        self._places = np.zeros((len(symbols), PLACE_WORDS), np.int64)
        self._books = [BookSync(index, self._counters, place.data) for index, place in enumerate(self._places)]
        self._has_depth = any(base_of(channel) == DEPTH_BASE for channel in self.channels)
        self._slow = SlowChannels(self.instruments, self._counters, self.channels, has_depth=self._has_depth)
        self._suspect, self._clock_ns = -1, 0  # whose book the message in hand belongs to, and its clock
        self._messages: list[bytes] = []  # to be sent as soon as the connection can
        self._scanner, self._table = scanner, table_of(symbols, self._most)
        self._has_trades = trade_flags_of(self._table, len(symbols))
        self._header = np.zeros(scan.HEADER_WORDS, np.int64)
        self._words = self._header.data
        self._message = self._words[: scan.RECEIVED + 1]

    @property
    def counters(self) -> Counters:
        counters, words = self._counters, self._words
        counters.trades, counters.quotes, counters.frames = words[scan.TRADES], words[scan.QUOTES], words[scan.FRAMES]
        counters.levels += words[scan.LEVELS]  # the others are counted in the book
        words[scan.LEVELS] = 0
        return counters

    def book_state(self, instrument: int) -> BookState:
        return self._books[instrument].state if self._has_depth else self._slow.tops[instrument].book.state

    @property
    def routes(self) -> tuple[Route, ...]:
        """USD-M has books at one path and what is told of a market at another."""
        return tuple(Route(self._path(*part), part[1]) for part in self.market.parted(self.channels))

    def _path(self, prefix: str, channels: Sequence[str]) -> str:
        streams = "/".join(self._streams(channels))
        stamp = ["stamp=ns"] if self.is_stamped else []
        named = [] if len(streams) > PATH_BYTES_MOST else [f"streams={streams}"]
        query = "&".join(named + stamp)
        return f"{prefix}/stream?{query}" if query else f"{prefix}/stream"

    def subscribe(self, route: Route) -> list[bytes]:
        streams = self._streams(route.channels)
        if len("/".join(streams)) <= PATH_BYTES_MOST:
            return []
        return [
            messages.request_of("SUBSCRIBE", streams[start : start + STREAMS_A_MESSAGE], start)
            for start in range(0, len(streams), STREAMS_A_MESSAGE)
        ]

    def connected(self, received_ns: int, ring: Ring) -> None:
        self.wants_rotation = False
        self._messages.clear()
        if self._has_depth:
            for book in self._books:
                book.connect(received_ns, ring)
        else:
            for top in self._slow.tops:
                top.connect(received_ns, ring, is_live=not self._slow.has_partial)  # else nothing to synchronise

    def disconnected(self, received_ns: int, ring: Ring) -> None:
        books = self._books if self._has_depth else [top.book for top in self._slow.tops]
        for book in books:
            book.disconnect(received_ns, ring)

    def renew(self, instrument: int, received_ns: int, ring: Ring) -> None:
        self._books[instrument].lose(received_ns, ring)

    def books_in(self, frame: bytes) -> list[int]:
        depths = {symbol: f'"{symbol}@{DEPTH_BASE}'.encode() for symbol in self._index} if self._has_depth else {}
        return [self._index[symbol] for symbol, depth in depths.items() if depth in frame]

    def place_of(self, frame: bytes) -> Place | None:
        return place_of(frame)

    @property
    def ping(self) -> Ping | None:
        """A question whose answer shows that the link lives, where the venue's own pings are minutes apart."""
        every_s = self.market.beat_every_s
        return Ping(BEAT, every_s) if every_s and not self.is_stamped else None

    def outgoing(self, now_ns: int) -> list[bytes]:
        messages, self._messages = self._messages, []
        return messages

    def rows_of_frame(self, frame: bytes) -> int:
        """A bracket for every level; partial depth also removes levels of the message before."""
        spare = SPARE_ROWS if self._has_depth else SPARE_ROWS + ROWS_MOST
        return min(len(frame) // ROW_BYTES_MIN, frame.count(b"[")) + spare

    def rows_of_answer(self, request: SnapshotRequest, body: bytes) -> int:
        return body.count(b"[") + SPARE_ROWS + self._books[request.instrument].rows_kept

    def decode(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        self.decode_read((frame,), received_ns, ring)

    def decode_read(self, frames: Sequence[bytes], received_ns: int, ring: Ring) -> None:
        """In one call of the scanner, as far as it knows them; what it does not is taken one by one."""
        count = len(frames)
        text = frames[0] if count == 1 else b"".join(frames)
        ring.has_room(len(text))  # a row takes several bytes: beyond that nobody asks
        if self._scanner is None or not text:
            for frame in frames:
                self._words[scan.FRAMES] += 1
                self._hand_over(frame, received_ns, ring)
                self._judge(self._clock_ns, ring)
            return
        words, clock_ns = self._words, 0 if self.is_stamped else received_ns
        lengths = NO_LENGTHS if count == 1 else np.fromiter(map(len, frames), np.int64, count)
        words[scan.DONE] = words[scan.AT] = 0
        while True:
            code = self._scanner(
                text, lengths, count, ring.events, ring.written, ring.end, clock_ns, self._table, self._places, self._header
            )  # fmt: skip
            ring.written = words[scan.SEQUENCE]
            if code == COMMITTED:
                return
            self._take_over(code, frames, received_ns, ring)

    def _take_over(self, code: int, frames: Sequence[bytes], received_ns: int, ring: Ring) -> None:
        """What the scanner leaves to us: it stands at a frame that it cannot commit, or behind one, to judge silence."""
        words = self._words
        if code == JUDGE:
            self._judge(words[scan.RECEIVED], ring)
            return
        frame = frames[words[scan.DONE]]
        if code == HANDED_OVER:
            self._hand_over(frame, received_ns, ring)
            self._judge(self._clock_ns, ring)
        else:
            instrument, after, last, stamped_ns = self._message.tolist()
            self._books[instrument].offer(after, last, code - scan.DEPTH, stamped_ns, ring)
            self._judge(stamped_ns, ring)
        words[scan.DONE] += 1
        words[scan.AT] += len(frame)

    def _judge(self, clock_ns: int, ring: Ring) -> None:
        """Frames of other symbols excuse nobody: a LIVE book that hears nothing for long is asked for anew."""
        words = self._words
        if clock_ns < words[scan.JUDGE_AT]:
            return
        words[scan.JUDGE_AT] = clock_ns + JUDGE_EVERY_NS
        if not self._has_depth:
            return
        heard = self._places[:, HEARD]
        heard[heard == 0] = clock_ns  # the market's clock is known from now on
        silent = np.flatnonzero(clock_ns - heard > DEPTH_SILENCE_S * NS_PER_S)
        for instrument in silent.tolist():
            book = self._books[instrument]
            if book.state == BookState.LIVE and ring.has_room(ROWS_OF_A_SILENCE):
                book.fall_silent(clock_ns, ring)
                depths = [channel for channel in self.channels if base_of(channel) == DEPTH_BASE]
                streams = streams_of(self.instruments[instrument], depths)
                methods = ("UNSUBSCRIBE", "SUBSCRIBE")
                self._messages += [messages.request_of(method, streams, RESUBSCRIPTION_ID) for method in methods]

    def requests(self) -> list[SnapshotRequest]:
        wanted = [book for book in self._books if book.is_wanted and not book.is_asked]
        for book in wanted:
            book.is_wanted, book.is_asked = False, True
        return [self._request(book.instrument) for book in wanted]

    def respond(self, request: SnapshotRequest, status: int, body: bytes, received_ns: int, ring: Ring) -> None:
        book = self._books[request.instrument]
        try:
            if status != 200:
                raise BadMessage(f"snapshot of {request.symbol}: status {status}")
            data = messages.snapshot_of(body, self._most[request.instrument])
            if not ring.has_room(len(data.bids) + len(data.asks) + book.rows_kept + SPARE_ROWS):
                raise BadMessage(f"snapshot of {request.symbol}: no room in the ring")
        except BadMessage as error:
            self._counters.snapshots_failed += 1
            self._counters.last_error = str(error)[:200]
            book.refuse()
            return
        book.snapshot(data.lastUpdateId, nanoseconds(data.T), received_ns, data.bids, data.asks, ring)

    def _streams(self, channels: Sequence[str]) -> list[str]:
        return [stream for each in self.instruments for stream in streams_of(each, channels)]

    def _request(self, instrument: int) -> SnapshotRequest:
        symbol = self.instruments[instrument].symbol
        weight = self.market.snapshot_weight
        return SnapshotRequest(instrument, symbol, self.market.depth_path(symbol, LEVELS_ASKED), weight)

    def _hand_over(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        counters = self._counters
        counters.handed_over += 1
        self._suspect = -1
        try:
            self._decode_slowly(frame, received_ns, ring)
        except UnknownMessage as error:
            counters.unknown += 1
            counters.last_error = str(error)[:200]
        except BadMessage as error:
            counters.rejected += 1
            counters.last_error = str(error)[:200]
            if self._suspect >= 0 and ring.has_room(SPARE_ROWS):
                self._books[self._suspect].lose(self._clock_ns, ring)

    def _decode_slowly(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        if frame.startswith(b"["):
            raise UnknownMessage("a list, where combined streams send objects")
        envelope = messages.envelope_of(frame)
        symbol, _, channel = envelope.stream.partition("@")
        instrument = self._index.get(symbol, -1)
        if not envelope.stream or instrument < 0:
            self._take_notice(envelope)
            return
        if self.is_stamped:
            if not 0 < envelope.ns < 2**63:
                raise BadMessage("a frame without the market's stamp")
            received_ns = envelope.ns
        base, most, self._clock_ns = base_of(channel), self._most[instrument], received_ns
        if self._has_depth and base == DEPTH_BASE:
            self._suspect = instrument
        if not ring.has_room(self.rows_of_frame(frame)):
            raise BadMessage("no room in the ring: the caller must wait for it")
        if base == TRADE:
            self._write_trade(messages.trade_of(envelope.data, most), instrument, received_ns, ring)
        elif base == AGGREGATE:
            self._write_aggregate(messages.aggregate_of(envelope.data, most), instrument, received_ns, ring)
        elif base == TICKER:
            self._write_quote(messages.ticker_of(envelope.data, most), instrument, received_ns, ring)
        elif base == DEPTH_BASE:
            self._write_depth(messages.depth_of(envelope.data, most), instrument, received_ns, ring)
        else:
            self._slow.read(channel, envelope.data, instrument, received_ns, ring)

    def _take_notice(self, envelope: messages.Envelope) -> None:
        """Answers to our requests, errors, and the announcement that the venue ends the connection."""
        kind = envelope.e
        for part in (envelope.event, envelope.data):
            if part and not kind:
                kind = messages.notice_of(part).e
        if kind == "serverShutdown":
            self.wants_rotation = True
        elif envelope.error or envelope.code:
            self._counters.errors += 1
            self._counters.last_error = bytes(envelope.error or envelope.code)[:200].decode(errors="replace")
        elif envelope.result:
            self._counters.notices += 1
        else:
            self._counters.unknown += 1

    def _write_trade(self, data: messages.TradeData, instrument: int, received_ns: int, ring: Ring) -> None:
        check_symbol(data.s, self.instruments[instrument])
        if data.X != messages.OF_THE_MARKET:
            self._counters.notices += 1
            return
        self._has_trades[instrument][0] = 1
        clocks = (nanoseconds(data.T), received_ns)
        ring.write(Kind.TRADE, instrument, int(data.m), 0, *clocks, data.p, data.q, id=data.t)
        self._words[scan.TRADES] += 1

    def _write_aggregate(self, data: messages.AggregateData, instrument: int, received_ns: int, ring: Ring) -> None:
        check_symbol(data.s, self.instruments[instrument])
        if self._has_trades[instrument][0]:
            self._counters.notices += 1
            return
        clocks = (nanoseconds(data.T), received_ns)
        ring.write(Kind.TRADE, instrument, int(data.m), 0, *clocks, data.p, data.q, id=data.a)
        self._words[scan.TRADES] += 1

    def _write_quote(self, data: messages.TickerData, instrument: int, received_ns: int, ring: Ring) -> None:
        check_symbol(data.s, self.instruments[instrument])
        clocks = (nanoseconds(data.T), received_ns)
        ring.write(Kind.QUOTE, instrument, 0, 0, *clocks, data.b, data.B, data.a, data.A, data.u)
        self._words[scan.QUOTES] += 1

    def _write_depth(self, data: messages.DepthData, instrument: int, received_ns: int, ring: Ring) -> None:
        check_symbol(data.s, self.instruments[instrument])
        clocks = (nanoseconds(data.T or data.E), received_ns)
        rows, start = len(data.b) + len(data.a), ring.written
        for side, levels in ((BID, data.b), (ASK, data.a)):
            for price, size in levels:
                ring.write(Kind.BOOK, instrument, side, MORE, *clocks, price, size, id=data.u)
        if rows:
            ring.events[(ring.written - 1) & ring.mask]["flags"] = 0
        ring.written = start  # the book decides whether they count
        self._books[instrument].offer(data.after, data.u, rows, received_ns, ring)
