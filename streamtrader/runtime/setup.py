"""What a session needs before its first event: a market to listen to, its instruments, and warm kernels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from streamtrader.config import EMBEDDED
from streamtrader.errors import ConfigError, StreamTraderError, VenueError
from streamtrader.exchange.process import ExchangeProcess, start_exchange
from streamtrader.kernel.ring import Ring
from streamtrader.runtime.residence import release_compiler
from streamtrader.runtime.warmup import warm
from streamtrader.venues.addresses import Addresses
from streamtrader.venues.clients import OPENERS
from streamtrader.venues.links import Opener
from streamtrader.venues.listing import Listing
from streamtrader.venues.picows_link import PicowsLink
from streamtrader.venues.registry import CCXT, listing_of
from streamtrader.venues.settings import ConnectionSettings
from streamtrader.venues.snapshots import body_of
from streamtrader.venues.venue import Endpoints, Venue

if TYPE_CHECKING:
    from streamtrader.config import Settings
    from streamtrader.instruments import Instrument
    from streamtrader.venues.ccxt_venue import CcxtSockets

RING_SLOTS, LARGE_RING_SLOTS = 1 << 16, 1 << 18
ASK_TIMEOUT_S = 10.0
BODY_BYTES_MOST = 32 << 20
_EVERYWHERE = ("trade", "quote", "book")
_EMBEDDED_KINDS = {"spot": "spot", "usdm": "perpetual"}


@dataclass(frozen=True, slots=True)
class Feed:
    """Where the market comes from, and what is traded there."""

    label: str  # EMBEDDED, BINANCE
    market: str
    instruments: tuple[Instrument, ...]
    adapter: Venue
    exchange: ExchangeProcess | None
    warm_s: float
    opener: Opener = PicowsLink.open


@asynccontextmanager
async def open_feed(settings: Settings, *, after_ns: int | None = None, moves: str = "") -> AsyncIterator[Feed]:
    """Start the embedded exchange where it is wanted, compile beside that, and ask for the instruments.

    `moves` tells of venues that the session could not begin with; it is told wherever the market is.
    """
    async with AsyncExitStack() as stack:
        exchange: ExchangeProcess | None = None
        async with _told_plainly(), asyncio.TaskGroup() as starting:
            warming = starting.create_task(asyncio.to_thread(warm, settings))
            if settings.venue.name == EMBEDDED:
                exchange = await stack.enter_async_context(_exchange_of(settings, after_ns))
        scanner, warm_s = warming.result()
        release_compiler()
        listing, kind = _listing_of(settings, exchange)
        ours = None if exchange is None else Endpoints(exchange.stream_url, exchange.rest_url)
        channels = _channels_of(settings, listing, kind)
        endpoints = endpoints_of(settings, settings.venue.name) if ours is None else (ours,)
        symbols = exchange.symbols if exchange is not None else wanted_symbols(settings)
        wire = _wire_of(settings, listing, symbols)
        told, label = _market_text(settings, kind, exchange) + moves, settings.venue.name.upper()
        if label.startswith(CCXT.upper()):
            sockets = await _ccxt_sockets(stack, settings, kind)
            instruments = await sockets.load(symbols)
            talker = sockets.adapter(instruments, channels=channels, candle_s=settings.candles.interval_s)
            connection_settings(settings).check(talker)
            yield Feed(label, told, instruments, talker, None, warm_s, sockets.open)
            return
        instruments = await ask_for_instruments(endpoints, listing, kind, symbols, is_ours=exchange is not None)
        adapter = listing.make(
            instruments,
            kind,
            scanner=scanner,
            endpoints=endpoints,
            is_stamped=exchange is not None,
            channels=channels,
            **wire,
        )
        connection_settings(settings).check(adapter)
        yield Feed(label, told, instruments, adapter, exchange, warm_s, OPENERS[settings.venue.client])


async def _ccxt_sockets(stack: AsyncExitStack, settings: Settings, kind: str) -> CcxtSockets:
    """What talks to an exchange of ccxt's, in place of sockets of ours; loaded here and not before."""
    from streamtrader.venues.ccxt_venue import CcxtSockets

    venue = settings.venue
    address = Endpoints(venue.websocket_url, venue.rest_url) if venue.rest_url else None
    sockets = CcxtSockets(venue.name.removeprefix(CCXT), kind, address)
    stack.push_async_callback(sockets.close)
    return sockets


def _listing_of(settings: Settings, exchange: ExchangeProcess | None) -> tuple[Listing, str]:
    """The venue, and which of its markets; the embedded exchange speaks the words of one of them."""
    if exchange is not None:
        dialect = settings.exchange.dialect
        return listing_of(dialect), _EMBEDDED_KINDS[exchange.kind] if dialect == "binance" else "spot"
    listing = listing_of(settings.venue.name)
    if settings.venue.kind not in listing.kinds:
        raise ConfigError(f"venue.kind: {listing.title} has {' and '.join(listing.kinds)}, no {settings.venue.kind}")
    return listing, settings.venue.kind


def _channels_of(settings: Settings, listing: Listing, kind: str) -> tuple[str, ...]:
    """What the session listens to, in the venue's words; none: what it usually does."""
    names = settings.venue.channels
    others = [name for name in names if name not in _EVERYWHERE]
    if others and settings.venue.name == EMBEDDED:
        raise ConfigError(
            f"venue.channels: the embedded exchange tells {', '.join(_EVERYWHERE)}; no {', '.join(others)}"
        )
    return listing.channels_of(names, kind, settings.candles.interval_s)


def _wire_of(settings: Settings, listing: Listing, symbols: Sequence[str]) -> dict[str, str]:
    """Which feed, and in which encoding; to be known before anybody is asked for anything."""
    venue = settings.venue
    if venue.name == EMBEDDED and (venue.feed or venue.encoding not in ("", "json")):
        raise ConfigError("venue.feed, venue.encoding: the embedded exchange has one feed, in JSON; leave them empty")
    listing.check_wire(venue.feed, venue.encoding, symbols)
    return {"feed": venue.feed, "encoding": venue.encoding}


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """What no log may ever show."""
    is_ours = settings.venue.name == EMBEDDED
    return () if is_ours else tuple(listing_of(settings.venue.name).rest_headers().values())


def wanted_symbols(settings: Settings) -> tuple[str, ...]:
    """What the settings list where somebody chose it and no strategy; else what the strategies name."""
    if settings.is_chosen("exchange.symbols") and not settings.is_chosen("strategies"):
        return settings.exchange.symbols
    named = [symbol for strategy in settings.strategies for symbol in strategy.instruments]
    once: dict[str, str] = {}
    for symbol in named:
        once.setdefault("".join(filter(str.isalnum, symbol)), symbol)  # BTC/USDT is BTCUSDT
    return tuple(once.values()) or settings.exchange.symbols


def _exchange_of(settings: Settings, after_ns: int | None) -> AbstractAsyncContextManager[ExchangeProcess]:
    wanted = settings.exchange
    return start_exchange(
        market=wanted.market,
        seed=wanted.seed,
        speed=str(wanted.speed),
        symbols=wanted.symbols,
        port=wanted.port,
        after_ns=after_ns,
        dialect=wanted.dialect,
        faults=wanted.faults,
    )


@asynccontextmanager
async def _told_plainly() -> AsyncIterator[None]:
    """One of our own errors leaves a task group as itself."""
    try:
        yield
    except BaseExceptionGroup as group:
        for error in group.exceptions:
            if isinstance(error, StreamTraderError):
                raise error from group
        raise


def endpoints_of(settings: Settings, name: str) -> tuple[Endpoints, ...]:
    """Where a venue is reached: at the addresses of the settings where they name it, else at its own."""
    venue = settings.venue
    if bool(venue.websocket_url) != bool(venue.rest_url):
        raise ConfigError("venue.websocket_url and venue.rest_url belong together: set both or none")
    if venue.rest_url and name == venue.name:
        return (Endpoints(venue.websocket_url, venue.rest_url),)
    return listing_of(name).endpoints(venue.kind)


def ring_for(adapter: Venue) -> Ring:
    """A ring that the largest message of the venue fits into: a snapshot of a whole book is a row a level."""
    return Ring(RING_SLOTS if adapter.limits.frame_bytes_most <= 1 << 20 else LARGE_RING_SLOTS)


def connection_settings(settings: Settings) -> ConnectionSettings:
    """What the settings say about the connection."""
    return ConnectionSettings(connections=settings.venue.connections)


async def ask_for_instruments(
    endpoints: tuple[Endpoints, ...],
    listing: Listing,
    kind: str,
    symbols: tuple[str, ...],
    *,
    is_ours: bool = False,
) -> tuple[Instrument, ...]:
    """The venue's own rules, from the first endpoint that answers. No key is shown to an exchange of ours."""
    refusals = []
    addresses = Addresses(listing.name, endpoints)
    timeout = aiohttp.ClientTimeout(total=ASK_TIMEOUT_S)
    headers = {} if is_ours else listing.rest_headers()
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        for endpoint in endpoints:
            url = endpoint.rest + listing.instruments_path(kind, symbols)
            try:
                async with session.get(url, allow_redirects=False) as response:  # headers may hold a key
                    body = await body_of(response, BODY_BYTES_MOST, "rules: ")
                    if response.status == 200:
                        return listing.instruments_of(body, kind, symbols)
                    addresses.fail(response.status)
                    refusals.append(f"{endpoint.rest}: status {response.status}")
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                addresses.fail()
                refusals.append(f"{endpoint.rest}: {str(error) or type(error).__name__}")
    if addresses.is_restricted:
        raise addresses.restriction()
    raise VenueError(
        f"no answer with the rules of {', '.join(symbols)} ({'; '.join(refusals)}). "
        "Without a network, use the embedded exchange: --venue embedded"
    )


def _market_text(settings: Settings, kind: str, exchange: ExchangeProcess | None) -> str:
    if exchange is None:
        return f"{kind}, live public data"
    speed = settings.exchange.speed
    pace = "as fast as it goes" if speed == "max" else f"speed {speed:g}"
    seed = f", seed {settings.exchange.seed}" if settings.exchange.market == "synthetic" else ""
    return f"{exchange.market} market on loopback{seed}, {pace}"
