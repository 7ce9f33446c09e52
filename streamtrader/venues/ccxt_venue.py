"""ccxt.pro as a link: the one place that knows ccxt. It owns its sockets; to a `Connection` it is a websocket.

    Connection --send--> one task a watch --> exchange.watch_*() --> frame of ours --on_read--> Connection

The adapter (`venues/ccxt`) asks for watches and judges their silence, so the states of books, deadlines and
back-offs are those of every venue. What an exchange and channel was asked for again gets an exchange object of its
own, with its own socket: ccxt subscribes once a socket, so asking the old one again would wait on the same dead
stream. The others keep theirs.

Back-pressure: a paused link looks at no result. ccxt goes on reading; books and quotes are then told as they are at
the end of the pause, nothing is lost of them, and trades are kept up to ccxt's own limit (`tradesLimit`, 1,000): a
result that is as long as that is told as overfull.

ccxt is imported when a session asks for it, in a thread: it takes a second and 100 MB.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from streamtrader.errors import ConfigError, LinkLost, SequenceGap, StreamTraderError, VenueError, VenueRestricted
from streamtrader.instruments import Instrument
from streamtrader.venues.ccxt.adapter import LIVE_CHANNELS, Ccxt
from streamtrader.venues.ccxt.conversion import BookDiff, TradeSieve, candles_frame, quote_frame, told_frame
from streamtrader.venues.ccxt.markets import TIMEFRAMES, instrument_of, moved_urls, narrowed
from streamtrader.venues.ccxt.messages import BOOK, CANDLE, QUOTE, TRADE, Order, order_of
from streamtrader.venues.links import LOST, Ending, Handler, Link
from streamtrader.venues.pacing import Backoff
from streamtrader.venues.venue import Endpoints

CLOSE_S = 5.0
SLOW_DOWN_S = 30.0  # an exchange that says "too many requests" is left alone for so long
TRADES_KEPT = 1000  # ccxt's own default of `tradesLimit`
METHODS = {
    BOOK: ("watchOrderBook",),
    TRADE: ("watchTrades",),
    QUOTE: ("watchBidsAsks", "watchTicker"),
    CANDLE: ("watchOHLCV",),
}


def library() -> Any:
    """ccxt with ccxt.pro, imported now if it was not."""
    try:
        importlib.import_module("ccxt.pro")
        return importlib.import_module("ccxt")
    except ImportError as error:
        raise ConfigError(
            "venues named ccxt:... need the package ccxt: pip install 'streamtrader[venues]'"
        ) from error


def error_of(error: BaseException, name: str) -> StreamTraderError:
    """ccxt's error as one of ours: ConfigError where trying again would never help."""
    if isinstance(error, StreamTraderError):
        return error
    ccxt = library()
    told = f"{type(error).__name__}: {error}"[:200]
    if isinstance(error, ccxt.RestrictedLocation) or (
        isinstance(error, ccxt.ExchangeNotAvailable) and " 451 " in told
    ):
        return VenueRestricted(name, [name])
    if isinstance(error, ccxt.AuthenticationError):
        told = f"it tells this only to accounts with a key, which is not supported here ({told})"
    kinds: tuple[tuple[tuple[type[BaseException], ...], type[StreamTraderError]], ...] = (
        ((ccxt.AuthenticationError, ccxt.BadSymbol, ccxt.NotSupported, ccxt.ArgumentsRequired), ConfigError),
        ((ccxt.InvalidNonce,), SequenceGap),  # ChecksumError is one of them
        ((ccxt.NetworkError, OSError, TimeoutError, asyncio.CancelledError), LinkLost),
    )
    ours = next((ours for theirs, ours in kinds if isinstance(error, theirs)), VenueError)
    return ours(f"{name}: {told}")


def method_of(exchange: Any, channel: str) -> str:
    """ccxt's way to watch a channel of this exchange; "" where it has none."""
    return next((method for method in METHODS[channel] if exchange.has.get(method) is True), "")


def streamed(name: str, exchange: Any, channels: Sequence[str], candle_s: int) -> tuple[list[str], str]:
    """The channels to watch of those that are wanted, and the length of candles in ccxt's words.

    `ConfigError` for a wanted one that ccxt does not stream; where none is named, the usual ones that it does.
    """
    there_are = [channel for channel in METHODS if method_of(exchange, channel)]
    found = list(channels) or [channel for channel in LIVE_CHANNELS if channel in there_are]
    missing = [channel for channel in found if channel not in there_are]
    if missing or not found:
        raise ConfigError(f"venue.channels: ccxt streams {', '.join(there_are) or 'nothing'} of {name}, no {', '.join(missing)}")
    timeframe = TIMEFRAMES[candle_s] if CANDLE in found else ""
    known = exchange.timeframes or {}
    if timeframe and known and timeframe not in known:
        told = ", ".join(str(seconds) for seconds, words in TIMEFRAMES.items() if words in known)
        raise ConfigError(f"candles.interval_s = {candle_s}: {name} has candles of, in seconds: {told}")
    return found, timeframe


class CcxtSockets:
    """One exchange of ccxt for one session: its rules, and as many exchange objects as there are watches to part."""

    def __init__(self, exchange: str, kind: str, endpoints: Endpoints | None = None) -> None:
        self.name = f"ccxt:{exchange}"
        self._id = exchange
        self._kind = kind
        self._endpoints = endpoints
        self._first: Any = None  # the one that loaded the markets; the others share them
        self._open: list[Any] = []

    async def load(self, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        """Ask for all markets and return the instruments of `symbols`, ccxt's names or the exchange's own."""
        await asyncio.to_thread(library)
        self._first = await self.make()
        try:
            await self._first.load_markets()
            return tuple(instrument_of(self._first, symbol, self._kind, self.name) for symbol in symbols)
        except Exception as error:
            raise error_of(error, self.name) from error

    def adapter(
        self,
        instruments: Sequence[Instrument],
        endpoints: Sequence[Endpoints] = (),
        *,
        channels: Sequence[str] = (),
        candle_s: int = 60,
    ) -> Ccxt:
        """With these channels, or with those of the usual ones that ccxt has of this exchange."""
        found, timeframe = streamed(self.name, self._first, channels, candle_s)
        return Ccxt(instruments, name=self.name, channels=found, endpoints=endpoints, timeframe=timeframe)

    async def make(self) -> Any:
        """Another exchange object, with sockets of its own; made in a thread, it takes some ten milliseconds."""
        exchange = await asyncio.to_thread(self._make)
        exchange.asyncio_loop = asyncio.get_running_loop()
        self._open.append(exchange)
        return exchange

    def _make(self) -> Any:
        pro = library().pro
        if self._id not in pro.exchanges:
            raise ConfigError(f"ccxt.pro has no exchange {self._id!r}; it has {', '.join(pro.exchanges)}")
        options = {"defaultType": "swap" if self._kind == "perpetual" else "spot"}
        exchange = getattr(pro, self._id)({"newUpdates": True, "enableRateLimit": True, "options": options})
        narrowed(exchange.options, self._kind)
        if self._endpoints is not None:
            exchange.urls["api"] = moved_urls(exchange.urls["api"], self._endpoints)
        if self._first is not None:
            exchange.set_markets_from_exchange(self._first)
        return exchange

    async def end(self, exchange: Any) -> None:
        """Close its sockets; whatever it says to that, it is not used again."""
        if exchange in self._open:
            self._open.remove(exchange)
            with contextlib.suppress(Exception):
                async with asyncio.timeout(CLOSE_S):
                    await exchange.close()

    async def close(self) -> None:
        for exchange in list(self._open):
            await self.end(exchange)

    async def open(self, url: str, handler: Handler, frame_bytes_most: int, headers: Mapping[str, str]) -> Link:
        """An `Opener`: the link is open at once, each watch dials by itself."""
        exchange = await self.make()
        link = CcxtLink(self, exchange, handler, {channel: method_of(exchange, channel) for channel in METHODS})
        handler.on_open(link)
        return link


class CcxtLink:
    """All watches of a session. A watch that fails says so in a frame, waits and goes on; the others never notice."""

    def __init__(self, sockets: CcxtSockets, exchange: Any, handler: Handler, methods: Mapping[str, str]) -> None:
        self._sockets = sockets
        self._shared = exchange
        self._handler = handler
        self._methods = methods
        self._watches: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._sieves: dict[str, TradeSieve] = {}
        self._group: asyncio.TaskGroup | None = None
        self._ended = asyncio.Event()
        self._may_look = asyncio.Event()
        self._may_look.set()

    async def run(self) -> Ending:
        try:
            async with asyncio.TaskGroup() as self._group:
                await self._ended.wait()
                for task in self._watches.values():
                    task.cancel()
        finally:
            await self._sockets.end(self._shared)
        return Ending(LOST, "ccxt was closed")

    async def send(self, message: bytes) -> None:
        """Begin a watch; one that is there already is ended, and begins anew on a socket of its own."""
        order = order_of(message)
        key = order.watch, order.symbol
        assert self._group is not None
        if self._ended.is_set():
            raise LinkLost("the link is closed")
        running = self._watches.get(key)
        if running is not None:
            running.cancel()
        watch = self._watch(order, has_own=running is not None)
        self._watches[key] = self._group.create_task(watch, name=":".join(key))

    def pong(self, payload: bytes) -> None:
        """ccxt answers pings by itself."""

    def pause(self) -> None:
        self._may_look.clear()

    def resume(self) -> None:
        self._may_look.set()

    def close(self, *, is_dead: bool = False) -> None:
        self._ended.set()

    async def _watch(self, order: Order, *, has_own: bool) -> None:
        exchange = await self._sockets.make() if has_own else self._shared
        try:
            look, forget = self._look_of(exchange, order)
            backoff = Backoff(0.5, 60.0)
            while True:
                await self._may_look.wait()
                frame, wait_s = await self._next(look, order, backoff)
                self._handler.on_read([frame])
                if wait_s:
                    forget()
                    await asyncio.sleep(wait_s)
        finally:
            if has_own:
                await self._sockets.end(exchange)

    async def _next(
        self, look: Callable[[], Awaitable[bytes]], order: Order, backoff: Backoff
    ) -> tuple[bytes, float]:
        """The next frame, and how long to wait after it: above 0 after a failure."""
        try:
            frame = await look()
        except asyncio.CancelledError as error:
            # ccxt cancels what waits on a socket that it closes: that is no end of this task.
            task = asyncio.current_task()
            if task is None or task.cancelling() or self._ended.is_set():
                raise
            failure: BaseException = error
        except Exception as error:  # noqa: BLE001 - of a hundred exchanges, each with its own mistakes
            failure = error
        else:
            backoff.reset()
            return frame, 0.0
        ours = error_of(failure, self._sockets.name)
        is_final = isinstance(ours, ConfigError | VenueRestricted)
        is_hurried = isinstance(failure, library().DDoSProtection | library().RateLimitExceeded)
        told = told_frame(order.symbol, order.watch, f"{type(ours).__name__}: {ours}", is_final=is_final)
        return told, backoff.next_s(least_s=SLOW_DOWN_S if is_hurried else 0.01)

    def _look_of(self, exchange: Any, order: Order) -> tuple[Callable[[], Awaitable[bytes]], Callable[[], None]]:
        """How to wait for the next frame of a watch, and how to make the next one whole after a failure."""
        symbol, unified = order.symbol, exchange.market(order.symbol)["symbol"]
        if order.watch == BOOK:
            diff = BookDiff(symbol)

            async def look() -> bytes:
                return diff.frame(await exchange.watch_order_book(unified))

            return look, diff.forget
        return self._other_look_of(exchange, order, unified), lambda: None

    def _other_look_of(self, exchange: Any, order: Order, unified: str) -> Callable[[], Awaitable[bytes]]:
        symbol = order.symbol
        if order.watch == TRADE:
            sieve = self._sieves.setdefault(symbol, TradeSieve(symbol))
            kept = int(exchange.options.get("tradesLimit") or TRADES_KEPT)

            async def look() -> bytes:
                trades = await exchange.watch_trades(unified)
                return sieve.frame(trades, is_overfull=len(trades) >= kept)
        elif order.watch == CANDLE:

            async def look() -> bytes:
                return candles_frame(symbol, await exchange.watch_ohlcv(unified, order.timeframe))
        elif self._methods[QUOTE] == "watchBidsAsks":

            async def look() -> bytes:
                return quote_frame(symbol, (await exchange.watch_bids_asks([unified]))[unified])
        else:

            async def look() -> bytes:
                return quote_frame(symbol, await exchange.watch_ticker(unified))

        return look
