"""What the adapters of all venues share whose books begin with a snapshot in the stream; Binance is the other kind.

An adapter below it reads frames (`read`), says how one book is asked for again (`resubscription`), and leaves the
rest to this class: counting, refusing whole messages, room in the ring, the market's own clock, silence, and what must
be sent. The rules for `read`:

* Check everything in a message before its first row is written; raise `BadMessage` for what cannot be true, and
  `UnknownMessage` for kinds and symbols that nobody asked for. What becomes ticks and lots is checked against the
  instrument's own bounds (`self.most`).
* Set `self.suspect` to the book whose message is being read: should it be refused, that book alone starts again.
* Set `self.heard[channel][instrument] = received_ns` for every message of a channel that has a silence deadline.
* At a venue that is relayed (`Overlap.RELAY`), ask `self.relay.passes_over` before anything is made of a message.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence

import msgspec

from streamtrader.errors import BadMessage, ConfigError, UnknownMessage
from streamtrader.events import BookState, Kind
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.units import NS_PER_S
from streamtrader.venues.relay import ALL, Relay, Told
from streamtrader.venues.streamed_book import StreamedBook
from streamtrader.venues.values import word_of
from streamtrader.venues.venue import Counters, Endpoints, Limits, SnapshotRequest, Venue

ROWS_OF_A_LOSS = 2  # GAP and SYNCING
SPARE_ROWS = 8  # a frame may also change the states of some books
STAMP_KEY, STAMP_DIGITS = b'"ns":', 19
STAMP_TAIL_BYTES = STAMP_DIGITS + 3  # the stamp is the last value of the frame: `}` or `}]` follows
JUDGE_EVERY_NS = NS_PER_S
REFUSED = (BadMessage, msgspec.MsgspecError, ValueError, OverflowError, RecursionError)
_TRADE, _QUOTE, _CANDLE = int(Kind.TRADE), int(Kind.QUOTE), int(Kind.CANDLE)


class StreamedVenue(Venue):
    """One connection's worth of channels for a fixed list of instruments.

    `silence_s` gives the seconds after which a channel of a symbol counts as dead although the link lives; a
    channel that is not in it may be silent for ever. The silence of `book_channel` makes the book STALE.
    """

    book_channel = "book"

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
        self._counters = Counters()
        self.instruments = tuple(instruments)
        self.channels = tuple(channels)
        self.endpoints = tuple(endpoints)
        self.limits = limits
        self.is_stamped = is_stamped
        self.wants_rotation = False
        self.index = {instrument.symbol: index for index, instrument in enumerate(self.instruments)}
        self.most = [instrument.most for instrument in self.instruments]  # what is believed of each
        if len(self.index) * len(self.channels) > limits.streams:
            raise ConfigError(f"one {self.name} connection carries {limits.streams} subscriptions at most")
        self.has_books = self.book_channel in self.channels
        self.books = [StreamedBook(index, self._counters) for index in range(len(self.instruments))]
        self.suspect: StreamedBook | None = None
        self.messages: list[bytes] = []  # to be sent as soon as the connection can
        self.heard = {channel: [0] * len(self.instruments) for channel in (*self.channels, self.book_channel)}
        self._deadlines_ns = {
            channel: int(silence * NS_PER_S) for channel, silence in silence_s.items() if channel in self.channels
        }
        self._judge_at_ns = 0
        self._stamped_ns = 0  # one of two links may be behind, our clock never is
        self.relay = Relay(len(self.instruments), self._counters)

    # What an adapter says.

    @abc.abstractmethod
    def read(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        """Write the rows of one frame, or raise one of `REFUSED`."""

    @abc.abstractmethod
    def resubscription(self, instrument: int, channel: str) -> list[bytes]:
        """Messages that make the venue send one channel of one symbol anew, with its snapshot."""

    # What the connection calls.

    @property
    def counters(self) -> Counters:
        return self._counters

    def book_state(self, instrument: int) -> BookState:
        return self.books[instrument].state

    def connected(self, received_ns: int, ring: Ring) -> None:
        self.wants_rotation = False
        self.messages.clear()
        self.relay.begin()
        for heard in self.heard.values():
            heard[:] = [received_ns] * len(heard)
        self._judge_at_ns = received_ns + JUDGE_EVERY_NS
        for book in self.books:
            if self.has_books:
                book.connect(received_ns, ring)
            else:
                book.become(BookState.LIVE, received_ns, ring)  # nothing to synchronise

    def disconnected(self, received_ns: int, ring: Ring) -> None:
        for book in self.books:
            book.disconnect(received_ns, ring)

    def turn_to(self, link: int) -> None:
        self.relay.turn_to(link)

    def left(self, link: int, heir: int, received_ns: int, ring: Ring) -> None:
        for instrument in self.relay.told_by(link, self.book_channel) if self.has_books else ():
            self.lose_book(self.books[instrument], received_ns, ring)
        self.relay.hand_on(link, heir, received_ns)
        before = ALL if heir > link else 0  # an older link is still to bring what lies before those that wait
        for instrument in range(len(self.instruments)):
            for told in self.relay.released(instrument, received_ns, before=before):
                self._put_trade(instrument, told, ring)

    def is_told_by(self, link: int) -> bool:
        told = self.relay.told_by(link, self.book_channel)
        return not self.has_books or all(each.instrument in told for each in self.books if each.state is BookState.LIVE)

    def decode(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        counters, start = self._counters, ring.written
        counters.frames += 1
        self.suspect = None
        try:
            if self.is_stamped:
                received_ns = self._stamped_ns = max(self.stamp_of(frame), self._stamped_ns)
            if not ring.has_room(len(frame) + SPARE_ROWS):
                self.need_rows(self.rows_of_frame(frame), ring)
            self.read(frame, received_ns, ring)
        except UnknownMessage as error:
            ring.written = start
            counters.unknown += 1
            counters.last_error = str(error)[:200]
        except REFUSED as error:
            ring.written = start
            self._refuse(f"{type(error).__name__}: {error}", received_ns, ring)
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not end the session, nor leave a wrong book
            ring.written = start
            counters.faults += 1
            self._refuse(repr(error), received_ns, ring)
            for book in self.books:
                if ring.has_room(ROWS_OF_A_LOSS):
                    book.lose(received_ns, ring)
        if received_ns >= self._judge_at_ns:
            self._judge_silence(received_ns, ring)

    def renew(self, instrument: int, received_ns: int, ring: Ring) -> None:
        self.books[instrument].lose(received_ns, ring)

    def outgoing(self, now_ns: int) -> list[bytes]:
        messages, self.messages = self.messages, []
        for book in self.books:
            if book.ask_at_ns and book.take_wish(now_ns):
                messages += self.resubscription(book.instrument, self.book_channel)
        return messages

    def books_in(self, frame: bytes) -> list[int]:
        """Those that it names, all where it names none; of two links, what the one in hand tells."""
        if not self.has_books:
            return []
        told, named = self.relay.told_by(self.relay.link, self.book_channel), self.named_in(frame)
        return [instrument for instrument in named if instrument in told] if named else told

    @property
    def rows_held(self) -> int:
        return self.relay.held

    def requests(self) -> list[SnapshotRequest]:
        return []

    def respond(self, request: SnapshotRequest, status: int, body: bytes, received_ns: int, ring: Ring) -> None:
        """Nothing is asked for over REST."""

    def rows_of_frame(self, frame: bytes) -> int:
        """An object or a list for every level, and one row more for the level that it pushes out of the book."""
        return min(len(frame), 2 * (frame.count(b"{") + frame.count(b"["))) + SPARE_ROWS

    def rows_of_answer(self, request: SnapshotRequest, body: bytes) -> int:
        return 0

    # What an adapter uses.

    def instrument_of(self, symbol: str) -> int:
        """The index of a symbol; a message of any other counts as unknown."""
        index = self.index.get(symbol, -1)
        if index < 0:
            raise UnknownMessage(f"{symbol[:40]!r} was not subscribed to")
        return index

    def need_rows(self, rows: int, ring: Ring) -> None:
        """Refuse a message that would become more rows than it has bytes, where the ring has no room for them."""
        if not ring.has_room(rows):
            raise BadMessage("no room in the ring: the caller must wait for it")

    def write_quote(
        self, instrument: int, clocks: tuple[int, int], bid: tuple[float, float], ask: tuple[float, float], ring: Ring,
        id: int = 0,  # noqa: A002 - the name of the field
    ) -> None:  # fmt: skip
        """The best bid and ask, (price, size) each, checked."""
        ring.write(_QUOTE, instrument, 0, 0, *clocks, *bid, *ask, id)
        self._counters.quotes += 1

    def write_trade(
        self, instrument: int, side: int, clocks: tuple[int, int], price: float, size: float, ring: Ring,
        id: int = 0,  # noqa: A002 - the name of the field
    ) -> None:  # fmt: skip
        """One checked trade; `side` is the aggressor's, `clocks` are (venue_ns, received_ns)."""
        relay = self.relay
        if relay.is_on:
            for told in relay.trades(instrument, Told(id, side, clocks, price, size)):
                self._put_trade(instrument, told, ring)
            return
        relay.newest_trades[instrument] = id
        ring.write(_TRADE, instrument, side, 0, *clocks, price, size, 0.0, 0.0, id)
        self._counters.trades += 1

    def _put_trade(self, instrument: int, told: Told, ring: Ring) -> None:
        """A trade that may have waited: its own message had room in the ring, this one may have none."""
        if not ring.has_room(1):
            self._counters.gaps += 1
            return
        ring.write(_TRADE, instrument, told.side, 0, *told.clocks, told.price, told.size, 0.0, 0.0, told.id)
        self._counters.trades += 1

    def lose_book(self, book: StreamedBook, received_ns: int, ring: Ring) -> None:
        """Updates of it are missing; where there is no room to say so, the end of the link will."""
        if ring.has_room(ROWS_OF_A_LOSS):
            book.lose(received_ns, ring)
        elif book.state is BookState.LIVE:
            book.become(BookState.SYNCING, 0, ring)
            self.wants_rotation = True

    def write_candle(
        self,
        instrument: int,
        clocks: tuple[int, int],
        words: tuple[float, float, float, float],
        volume: float,
        ring: Ring,
    ) -> None:
        """A closed candle, checked: its start and the time it was told, its open, high, low and close."""
        ring.write(_CANDLE, instrument, 0, 0, *clocks, *words, id=word_of(volume))
        self._counters.candles += 1

    def stamp_of(self, frame: bytes) -> int:
        """The market's own receive time at the end of a frame: `"ns":` and 19 digits, then brackets."""
        at = frame.rfind(STAMP_KEY, -STAMP_TAIL_BYTES - len(STAMP_KEY))
        digits = frame[at + len(STAMP_KEY) : at + len(STAMP_KEY) + STAMP_DIGITS]
        if at < 0 or len(digits) != STAMP_DIGITS or not digits.isdigit() or not 0 < int(digits) < 2**63:
            raise BadMessage("a frame without the market's stamp")
        return int(digits)

    def named_in(self, frame: bytes) -> list[int]:
        """The instruments whose symbols a frame quotes, be it broken."""
        return [index for symbol, index in self.index.items() if f'"{symbol}"'.encode() in frame]

    # How it is done.

    def _refuse(self, why: str, received_ns: int, ring: Ring) -> None:
        self.counters.rejected += 1
        self.counters.last_error = why[:200]
        if self.suspect is not None and ring.has_room(ROWS_OF_A_LOSS):
            self.suspect.lose(received_ns, ring)

    def _judge_silence(self, received_ns: int, ring: Ring) -> None:
        """Heartbeats of the connection excuse nobody: each channel of each symbol answers for itself."""
        self._judge_at_ns = received_ns + JUDGE_EVERY_NS
        for channel, deadline_ns in self._deadlines_ns.items():
            heard = self.heard[channel]
            for instrument, heard_ns in enumerate(heard):
                if channel == self.book_channel and self.books[instrument].state is not BookState.LIVE:
                    heard_ns = self.books[instrument].since_ns  # deltas are no news while the snapshot is missing
                if heard_ns == 0:
                    heard[instrument] = self.books[instrument].since_ns = (
                        received_ns  # the clock is known from now on
                    )
                elif received_ns - heard_ns > deadline_ns and ring.has_room(1):
                    heard[instrument] = received_ns
                    self._fall_silent(channel, instrument, received_ns, ring)

    def _fall_silent(self, channel: str, instrument: int, received_ns: int, ring: Ring) -> None:
        if channel == self.book_channel:
            self.books[instrument].fall_silent(received_ns, ring)
        else:
            self.counters.silences += 1
            self.messages += self.resubscription(instrument, channel)
