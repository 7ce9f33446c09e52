"""One connection to Alpaca: the login, the subscriptions, and arrays of messages in either encoding.

An array is several messages: one that is unknown or wrong leaves the others alone, and `rejected` and `unknown` count
messages, not frames. The venue numbers nothing and sends no checksum: a frame that cannot be taken apart makes the
order books start again that it names. Rows are made in `rows`, the way in is in `login`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from streamtrader.errors import ConfigError, UnknownMessage
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.venues.alpaca import markets, messages
from streamtrader.venues.alpaca.login import ALREADY_IN, Login, Stage
from streamtrader.venues.alpaca.messages import Encoding, encoding_of
from streamtrader.venues.alpaca.rows import MarketReader, Reader
from streamtrader.venues.credentials import Credentials
from streamtrader.venues.streamed_venue import REFUSED, SPARE_ROWS, StreamedVenue
from streamtrader.venues.venue import Ageing, Endpoints, Limits, Ping, Route

SYMBOLS_A_MESSAGE = 100
BYTES_A_ROW = 4  # no message and no level is shorter, in either encoding
ENCODINGS = ("json", "msgpack")


class Alpaca(StreamedVenue):
    """Stocks or crypto; a capture may hold both.

    `encoding` is what the venue is asked to send, `feed` one of the feeds of the class; none: the usual ones. An endpoint
    whose address has a path names the feed by it: `wss://stream.data.alpaca.markets/v2/sip`.
    """

    name = "alpaca"

    def __init__(
        self,
        instruments: Sequence[Instrument],
        *,
        channels: Sequence[str] = markets.CHANNELS,
        endpoints: Sequence[Endpoints] = markets.ENDPOINTS,
        limits: Limits = markets.LIMITS,
        credentials: Credentials | None = None,
        feed: str = "",
        encoding: str = "",
        is_stamped: bool = False,
    ) -> None:
        if encoding not in ("", *ENCODINGS):
            raise ConfigError(f"alpaca sends {' or '.join(ENCODINGS)}, not {encoding!r}")
        classes = {markets.is_crypto(instrument.symbol) for instrument in instruments}
        there_are = {channel for is_crypto in classes for channel in markets.channels_of(is_crypto=is_crypto)}
        channels = [channel for channel in channels if channel in there_are]
        self.book_channel = markets.BOOKS if markets.BOOKS in channels else markets.QUOTES
        silence_s = markets.SILENCE_S if classes == {True} else {}  # a stock has no book that could fall silent
        super().__init__(
            instruments, channels=channels, endpoints=endpoints, limits=limits, silence_s=silence_s,
            is_stamped=is_stamped,
        )  # fmt: skip
        self.login = Login(credentials)
        self.feed = feed
        self.encoding = encoding or ENCODINGS[0]
        self._encode = msgspec.msgpack.encode if self.encoding == "msgpack" else msgspec.json.encode
        self._market = MarketReader(self)
        self._readers: dict[type, Reader] = self._market.readers | {
            messages.Success: self._take_success,
            messages.Error: self._take_error,
            messages.Subscription: self._take_subscription,
        }

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Content-Type": f"application/{self.encoding}"}

    @property
    def refusal(self) -> str:
        return self.login.refusal

    @property
    def routes(self) -> tuple[Route, ...]:
        if len(set(self._market.is_crypto)) > 1:
            raise ConfigError("one alpaca connection carries stocks or crypto, not both: run a session for each")
        return (Route(self._path(), self.channels),)

    def _path(self) -> str:
        """The feed's path; nothing where the address that was given has one."""
        feeds = markets.feeds_of(is_crypto=all(self._market.is_crypto))
        if self.feed and self.feed not in feeds:
            raise ConfigError(f"alpaca has the feeds {', '.join(feeds)} here, not {self.feed!r}")
        if not urlsplit(self.endpoints[0].stream).path.strip("/"):
            return feeds[self.feed or next(iter(feeds))]
        if self.feed:
            raise ConfigError(
                "venue.feed and the path of venue.websocket_url both name a feed: leave one of them out"
            )
        return ""

    # What is said to the venue.

    def connected(self, received_ns: int, ring: Ring) -> None:
        super().connected(received_ns, ring)
        self.login.restart()

    def subscribe(self, route: Route) -> list[bytes]:
        """Nothing yet: the venue greets, takes the login, and only then hears what is wanted."""
        return []

    def outgoing(self, now_ns: int) -> list[bytes]:
        if self.login.stage is not Stage.READY:
            return self.login.take_message(now_ns, self._encode)
        return super().outgoing(now_ns)

    def resubscription(self, instrument: int, channel: str) -> list[bytes]:
        symbols = [self.instruments[instrument].symbol]
        return [self._encode({"action": action, channel: symbols}) for action in ("unsubscribe", "subscribe")]

    @property
    def ping(self) -> Ping | None:
        """The venue has no heartbeat: what is subscribed to already is asked for again, and answered."""
        if self.login.stage is not Stage.READY:
            return None
        return Ping(self._subscriptions(self.instruments[:1])[0], markets.ASK_EVERY_S)

    def _subscriptions(self, instruments: Sequence[Instrument]) -> list[bytes]:
        """What not every feed has is asked for apart: a request with one such channel is refused as a whole."""
        asked = []
        added = [channel for channel in self.channels if channel in markets.ADDED_CHANNELS]
        usual = [channel for channel in self.channels if channel not in added]
        for channels in filter(None, (usual, added)):
            for start in range(0, len(instruments), SYMBOLS_A_MESSAGE):
                symbols = [instrument.symbol for instrument in instruments[start : start + SYMBOLS_A_MESSAGE]]
                asked.append(self._encode({"action": "subscribe"} | dict.fromkeys(channels, symbols)))
        return asked

    # What the venue says.

    def ageing(self, frame: bytes) -> Ageing | None:
        """An array of nothing but quotes, by the symbols in it."""
        with contextlib.suppress(*REFUSED):
            told = encoding_of(frame).messages_of(frame)
            quoted = [message.S for message in told if isinstance(message, messages.Quote)]
            return Ageing(" ".join(sorted(set(quoted)))) if quoted and len(quoted) == len(told) else None
        return None

    def named_in(self, frame: bytes) -> list[int]:
        """A symbol is a text of its own, in either encoding; msgpack begins it with its length."""
        return [
            index
            for symbol, index in self.index.items()
            if f'"{symbol}"'.encode() in frame or msgspec.msgpack.encode(symbol) in frame
        ]

    def rows_of_frame(self, frame: bytes) -> int:
        return len(frame) // BYTES_A_ROW + SPARE_ROWS

    def read(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        encoding = encoding_of(frame)
        try:
            told = encoding.messages_of(frame)
        except msgspec.ValidationError:
            self._read_one_by_one(frame, encoding, received_ns, ring)
            return
        except REFUSED as error:
            self._refuse_frame(frame, error, received_ns, ring)
            return
        if not told:
            raise UnknownMessage("an empty array")
        readers = self._readers
        for message in told:
            self._read_message(readers[type(message)], message, received_ns, ring)

    def _read_one_by_one(self, frame: bytes, encoding: Encoding, received_ns: int, ring: Ring) -> None:
        """At least one message is not as it should be; first of all it must be an array of messages."""
        try:
            raws = encoding.raws_of(frame)
            kinds = [encoding.kind_of(raw) for raw in raws]
        except REFUSED as error:
            self._refuse_frame(frame, error, received_ns, ring)
            return
        for raw, kind in zip(raws, kinds, strict=True):
            self._read_message(self._read_raw, (encoding, raw, kind), received_ns, ring)

    def _read_raw(self, told: tuple[Encoding, msgspec.Raw, messages.Kind], received_ns: int, ring: Ring) -> None:
        encoding, raw, kind = told
        if kind.T not in messages.KINDS:
            raise UnknownMessage(f"a message of type {self.login.hide(kind.T)[:40]!r}")
        index = self.index.get(kind.S, -1)
        if kind.T == messages.BOOK and index >= 0 and self._market.has_depth[index]:
            self.suspect = self.books[index]
        message = encoding.message_of(raw)
        self._readers[type(message)](message, received_ns, ring)

    def _read_message(self, reader: Reader, told: Any, received_ns: int, ring: Ring) -> None:
        """One message of an array: what is wrong with it is its own affair."""
        start, self.suspect = ring.written, None
        try:
            reader(told, received_ns, ring)
        except UnknownMessage as error:
            ring.written = start
            self._counters.unknown += 1
            self._counters.last_error = str(error)[:200]
        except REFUSED as error:
            ring.written = start
            self._refuse(f"{type(error).__name__}: {error}", received_ns, ring)

    def _refuse_frame(self, frame: bytes, error: Exception, received_ns: int, ring: Ring) -> None:
        """What it would have said of an order book is lost with it."""
        self.suspect = None
        self._refuse(f"{type(error).__name__}: {error}", received_ns, ring)
        for instrument in self.named_in(frame) if self.has_books else ():
            self.lose_book(self.books[instrument], received_ns, ring)

    # The conversation.

    def _take_success(self, told: messages.Success, received_ns: int, ring: Ring) -> None:
        if told.msg == "connected":
            self.login.greet()
        elif told.msg == "authenticated":
            if self.login.accept():
                self.messages += self._subscriptions(self.instruments)
        else:
            raise UnknownMessage(f"a success named {self.login.hide(told.msg)[:40]!r}")
        self._counters.notices += 1

    def _take_error(self, told: messages.Error, received_ns: int, ring: Ring) -> None:
        sentence = self.login.take_error(told, received_ns)
        if told.code == ALREADY_IN:
            self._counters.notices += 1
            return
        self._counters.errors += 1
        self._counters.last_error = sentence
        self.wants_rotation = self.wants_rotation or bool(self.refusal)  # the connection ends, and says why

    def _take_subscription(self, told: messages.Subscription, received_ns: int, ring: Ring) -> None:
        self._counters.notices += 1
