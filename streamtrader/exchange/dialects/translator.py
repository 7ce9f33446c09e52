"""What a dialect is: the market's frames in another venue's words, and a conversation with each client.

The market speaks Binance (`exchange/market.py`). A translator takes each of its frames once, in order, keeps every
book as far as it has told it, and gives what a venue would send: `Told`, for whoever subscribed to its key. Clocks are
the market's: a heartbeat is due every second of it, so that a session is the same at every speed.
"""

from __future__ import annotations

import abc
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

import orjson

from streamtrader.exchange.audience import Listener
from streamtrader.exchange.dialects.levels import Levels, TextLevels
from streamtrader.exchange.limits import Published
from streamtrader.exchange.market import DEPTH, SNAPSHOT, Frame, Market
from streamtrader.exchange.rules import split_symbol
from streamtrader.instruments import Instrument
from streamtrader.units import NS_PER_MS, NS_PER_S

TRADE, QUOTE = "trade", "bookTicker"
BOOK = "book:"  # so the keys of all books begin
PING_EVERY_S = 4.0  # shorter than any client's patience: heartbeats stand still with the market, pings do not
BEAT_EVERY_NS = NS_PER_S
TRADES_KEPT = 5
STAMP = b',"ns":%d'


class Told(NamedTuple):
    """One message; what a connection numbers goes between `head` and `tail`."""

    stamp_ns: int
    key: str  # `book:BTC/USD@25`: who follows it gets the message
    head: bytes
    tail: bytes = b""
    symbol: str = ""


class Product(NamedTuple):
    """One instrument under the name that the dialect has for it."""

    name: str
    base: str
    quote: str
    instrument: Instrument
    levels: Levels
    trades: deque[dict[str, Any]]


class Answer(NamedTuple):
    """Of a REST request."""

    status: int
    document: Any


@dataclass(slots=True, eq=False)
class Guest:
    """What a dialect knows of one connection."""

    listener: Listener


GuestOf = TypeVar("GuestOf", bound=Guest)


class Translator(abc.ABC, Generic[GuestOf]):
    """One dialect of one market. `names` are the symbols as they were asked for, where that was so."""

    name: str
    published: Published
    stream_paths: tuple[str, ...]
    separator: str
    ping_every_s = PING_EVERY_S
    has_beats = True

    def __init__(self, market: Market, names: Mapping[str, str] | None = None) -> None:
        self.market = market
        self.now_ns = market.start_ns - 1
        self.guests: dict[Listener, GuestOf] = {}
        self.products: dict[str, Product] = {}  # by the market's symbol
        self.named: dict[str, Product] = {}  # by the dialect's
        for symbol, instrument in market.instruments.items():
            product = self._product(symbol, (names or {}).get(symbol), instrument)
            self.products[symbol] = self.named[product.name] = product
        self._beat_at_ns = market.start_ns + BEAT_EVERY_NS
        self.beats = 0

    def _product(self, symbol: str, name: str | None, instrument: Instrument) -> Product:
        name = name or self.name_of(symbol)
        parts = name.split(self.separator) if self.separator else split_symbol(name)
        base, quote = (parts[0], parts[1]) if len(parts) == 2 else (name, "USD")
        levels = Levels(instrument)
        opening = self.market.opening_book(symbol)
        if opening is not None:
            document = orjson.loads(opening)
            levels.reset(document["bids"], document["asks"])
        elif not self.market.has_snapshot_after(symbol, 0):
            levels.is_known = True  # as known as this market can make it
        return Product(name, base, quote, instrument, levels, deque(maxlen=TRADES_KEPT))

    def name_of(self, symbol: str) -> str:
        """The dialect's name of a market's symbol; one that has a separator keeps its parts."""
        for mark in "/-_":
            if mark in symbol:
                return symbol.replace(mark, self.separator)
        return self.separator.join(split_symbol(symbol))

    # What the market says.

    def told(self, frame: Frame) -> Iterator[Told]:
        """A frame, and the heartbeats that were due before it. To be called once for every frame."""
        while self.has_beats and frame.stamp_ns >= self._beat_at_ns:
            self.now_ns = self._beat_at_ns
            self.beats += 1
            yield from self.beat()
            self._beat_at_ns += BEAT_EVERY_NS
        self.now_ns = frame.stamp_ns
        product = self.products.get(frame.channel.symbol)
        if product is None:
            return
        try:
            yield from self._said(frame, product)
        except (KeyError, TypeError, ValueError, IndexError):
            return  # a capture may hold anything: what cannot be translated is not said

    def _said(self, frame: Frame, product: Product) -> Iterator[Told]:
        document = orjson.loads(frame.text)
        feed = frame.channel.feed
        if feed == SNAPSHOT:
            product.levels.reset(document["bids"], document["asks"])
            yield from self.whole_book(product)
        elif feed == DEPTH:
            data = document["data"]
            if product.levels.is_known:
                yield from self.book(product, data["b"], data["a"], int(data["E"]))
        elif feed == TRADE:
            trade = document["data"]
            product.trades.append(trade)
            yield from self.trade(product, trade)
        elif feed == QUOTE:
            yield from self.quote(product, document["data"])

    @abc.abstractmethod
    def book(self, product: Product, bids: TextLevels, asks: TextLevels, at_ms: int) -> Iterator[Told]:
        """Apply the levels to the product's book and tell what changed."""

    @abc.abstractmethod
    def whole_book(self, product: Product) -> Iterator[Told]:
        """The market began the book anew: tell all who listen."""

    @abc.abstractmethod
    def trade(self, product: Product, trade: dict[str, Any]) -> Iterator[Told]: ...

    @abc.abstractmethod
    def quote(self, product: Product, quote: dict[str, Any]) -> Iterator[Told]: ...

    def beat(self) -> Iterator[Told]:
        return iter(())

    # What is said to one client.

    @abc.abstractmethod
    def greet(self, listener: Listener, path: str) -> list[bytes]:
        """A connection stands: remember it. Payloads to send at once."""

    @abc.abstractmethod
    def answer(self, listener: Listener, message: str | bytes) -> list[bytes]:
        """Do what a message asks for; payloads to send in this order."""

    def shutdown(self, listener: Listener) -> list[bytes]:
        """How the venue announces that it will end a connection; nothing where it just does."""
        return []

    @abc.abstractmethod
    def book_begun_by(self, payload: bytes) -> str:
        """The symbol whose whole book a payload tells; "" for any other payload."""

    def symbol_in(self, text: bytes) -> str:
        return next((name for name in self.named if b'"%b"' % name.encode() in text), "")

    def leave(self, listener: Listener) -> None:
        self.guests.pop(listener, None)

    def payload(self, listener: Listener, told: Told) -> bytes:
        """The message as it goes out on one connection."""
        return self.stamped(listener, told.head + told.tail, told.stamp_ns)

    def stamped(self, listener: Listener, text: bytes, stamp_ns: int) -> bytes:
        """A stamp is the last key of the object."""
        return text[:-1] + STAMP % stamp_ns + text[-1:] if listener.is_stamped else text

    def said_now(self, listener: Listener, document: Any) -> bytes:
        return self.stamped(listener, orjson.dumps(document), self.now_ns)

    @abc.abstractmethod
    def has_all(self, listener: Listener) -> bool:
        """Whether a client has subscribed to all that this market has."""

    # REST.

    @abc.abstractmethod
    def rest_paths(self) -> tuple[str, ...]: ...

    @abc.abstractmethod
    def rest(self, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str]) -> Answer: ...


def object_in(message: str | bytes) -> dict[str, Any] | None:
    """A client's message where it is a JSON object."""
    try:
        request = orjson.loads(message)
    except orjson.JSONDecodeError:
        return None
    return request if isinstance(request, dict) else None


def clock_text(at_ns: int) -> str:
    """RFC 3339 with six decimals: `2026-08-02T03:35:51.660084Z`."""
    second, rest = divmod(at_ns, NS_PER_S)
    return f"{_second_text(second)}.{rest // 1_000:06d}Z"


def clock_text_of_ms(at_ms: int) -> str:
    return clock_text(at_ms * NS_PER_MS)


@lru_cache(maxsize=256)
def _second_text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
