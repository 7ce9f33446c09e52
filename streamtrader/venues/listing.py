"""What the rest of the engine must know of a venue before it has an adapter of it: one `Listing` each, no sockets.

A venue's package exports its listing as `LISTING`; `venues/registry.py` finds it by the venue's name.
"""

from __future__ import annotations

import abc
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from streamtrader.errors import BadMessage, ConfigError
from streamtrader.instruments import Instrument
from streamtrader.venues.venue import Endpoints, Limits, Venue

Scanner = Callable[..., int]
Rule = TypeVar("Rule")


class Sighting(NamedTuple):
    """What a frame of a capture tells about an instrument: its symbol, and prices and sizes as the venue wrote them.

    An empty symbol: the message does not say whose it is (Binance's REST snapshot).
    """

    symbol: str
    levels: Sequence[tuple[str, str]] = ()  # (price, size) texts
    is_book: bool = False
    kind: str = ""  # "spot", "perpetual" where the frame itself tells it


class Terms(NamedTuple):
    """How a session wants its adapter."""

    endpoints: Sequence[Endpoints]
    channels: tuple[str, ...]  # none: the venue's usual ones
    is_stamped: bool
    scanner: Scanner | None  # for whom has one
    feed: str = ""  # where the venue has several; none: its usual one
    encoding: str = ""


class Recorded(NamedTuple):
    """What is known of a capture beforehand."""

    channels: tuple[str, ...]  # none: anything may be in it
    has_books: bool
    scanner: Scanner | None


class Listing(abc.ABC):
    """One venue. `kind` is that of instruments ("spot", "perpetual"): a venue may have other addresses for each."""

    name: str  # as in `--venue` and in `Instrument.venue`
    title: str
    kinds: tuple[str, ...]
    channels: tuple[str, ...]  # all that the adapter reads
    limits: Limits
    proof: str  # how its books are proved, for the table of capabilities
    hosts: tuple[str, ...]  # ends of the host names that captures of it name
    needs_key: bool = False  # market data only with a key
    compression: str = "not documented"  # what the venue says of permessage-deflate; see venues/links.py for what we do
    always: tuple[str, ...] = ()  # channels that every session needs, such as heartbeats
    candles_s: tuple[int, ...] = (60,)  # of the candles that a session can have
    encodings: tuple[str, ...] = ("json",)  # the usual one first

    @abc.abstractmethod
    def endpoints(self, kind: str) -> tuple[Endpoints, ...]: ...

    @abc.abstractmethod
    def spoken(self, kind: str, candle_s: int) -> Mapping[str, tuple[str, ...]]:
        """The venue's channels behind our names: trade, quote, book, candle, mark, liquidation; what it lacks is left out."""

    def channels_of(self, names: Sequence[str], kind: str, candle_s: int) -> tuple[str, ...]:
        """The venue's channels that bring what is asked for; none where nothing is: then the venue's usual ones.

        `ConfigError` for what it does not tell.
        """
        if not names:
            return ()
        spoken = self.spoken(kind, candle_s)
        missing = [name for name in names if name not in spoken]
        if missing:
            told = f"{self.title} tells nothing of {', '.join(missing)} for {kind} instruments"
            raise ConfigError(f"venue.channels: {told}; there are: {', '.join(spoken)}")
        if "candle" in names and candle_s not in self.candles_s:
            lengths = ", ".join(map(str, self.candles_s))
            raise ConfigError(f"candles.interval_s = {candle_s}: {self.title} streams candles of, in seconds: {lengths}")
        found = [channel for name in names for channel in spoken[name]]
        return tuple(dict.fromkeys((*self.always, *found)))

    def feeds_of(self, symbols: Sequence[str]) -> tuple[str, ...]:
        """The feeds that tell of these symbols, the usual one first; none where the venue has no choice of them."""
        return ()

    def check_wire(self, feed: str, encoding: str, symbols: Sequence[str]) -> None:
        """`ConfigError` for a feed or an encoding that the venue does not have; an empty one is its usual one."""
        feeds = self.feeds_of(symbols)
        if feed and feed not in feeds:
            known = f"has, for {', '.join(symbols)}: {', '.join(feeds)}" if feeds else "has one feed: leave it empty"
            raise ConfigError(f"venue.feed = {feed!r}: {self.title} {known}")
        if encoding and encoding not in self.encodings:
            raise ConfigError(f"venue.encoding = {encoding!r}: {self.title} speaks {' and '.join(self.encodings)}")

    def make(
        self,
        instruments: Sequence[Instrument],
        kind: str,
        *,
        endpoints: Sequence[Endpoints] = (),
        is_stamped: bool = False,
        scanner: Scanner | None = None,
        channels: Sequence[str] = (),
        feed: str = "",
        encoding: str = "",
    ) -> Venue:
        """An adapter for a live session with these channels, feed and encoding of the venue, or with its usual ones."""
        terms = Terms(endpoints or self.endpoints(kind), tuple(channels), is_stamped, scanner, feed, encoding)
        return self.for_session(instruments, kind, terms)

    def make_for_capture(
        self,
        instruments: Sequence[Instrument],
        kind: str,
        *,
        has_books: bool = True,
        channels: Sequence[str] = (),
        scanner: Scanner | None = None,
    ) -> Venue:
        """An adapter that reads whatever a capture may hold; without books where the connection carried none.

        `channels` are those that a recording of ours lists: then the adapter is the one that the session had.
        """
        return self.for_capture(instruments, kind, Recorded(tuple(channels), has_books, scanner))

    @abc.abstractmethod
    def for_session(self, instruments: Sequence[Instrument], kind: str, terms: Terms) -> Venue:
        """What `make` gives."""

    @abc.abstractmethod
    def for_capture(self, instruments: Sequence[Instrument], kind: str, recorded: Recorded) -> Venue:
        """What `make_for_capture` gives."""

    @abc.abstractmethod
    def instruments_path(self, kind: str, symbols: Sequence[str]) -> str:
        """Path and query of the REST request for the rules of some symbols."""

    @abc.abstractmethod
    def instruments_of(self, body: bytes, kind: str, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        """The instruments of the answer in the order of `symbols`, all of them where none is named.

        `ConfigError` for symbols that are not listed.
        """

    @abc.abstractmethod
    def sightings(self, frame: bytes) -> Iterator[Sighting]:
        """What a recorded frame tells about instruments; nothing where it is not of this venue. May raise ValueError,
        KeyError, TypeError, IndexError, AttributeError: a first pass over a capture takes what it understands.
        """

    def rest_headers(self) -> Mapping[str, str]:
        """What goes with every REST request: the key, where the venue tells nothing without one. Never shown."""
        return {}

    def fees_bps(self, kind: str) -> tuple[float, float]:
        """Maker and taker fee of the lowest tier, for instruments whose rules a capture does not hold."""
        return 10.0, 10.0

    def kind_of(self, url: str) -> str:
        """The kind of the instruments behind a websocket's address; "" where the address does not tell."""
        return self.kinds[0] if len(self.kinds) == 1 else ""

    def split(self, symbol: str) -> tuple[str, str]:
        """Base and quote of a symbol, where the venue's way to write it tells."""
        for mark in "/-_":
            if mark in symbol:
                base, _, rest = symbol.partition(mark)
                return base, rest.partition(mark)[0]
        return symbol, ""

    def knows_url(self, url: str) -> bool:
        host = urlsplit(url).hostname or ""
        return any(host == known or host.endswith("." + known) for known in self.hosts)


def chosen(listed: Mapping[str, Rule], symbols: Sequence[str], venue: str, written: str = "") -> list[Rule]:
    """What is listed under the symbols that are asked for, in their order; all of it where none is named.

    `ConfigError` for symbols that the venue does not list; `written` tells how it writes them.
    """
    missing = [symbol for symbol in symbols if symbol not in listed]
    if missing:
        raise ConfigError(f"{venue} does not list {', '.join(missing)}{written and '; '}{written}")
    return [listed[symbol] for symbol in symbols or listed]


def texts_of(frame: bytes) -> Any:
    """A frame as Python objects in which every number is the venue's own text."""
    try:
        return json.loads(frame, parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"no JSON: {error}") from error
