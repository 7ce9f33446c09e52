"""What a session needs before its first event: a market to listen to, its instruments, and warm kernels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from streamtrader.errors import ConfigError, StreamTraderError, VenueError
from streamtrader.exchange.process import ExchangeProcess, start_exchange
from streamtrader.runtime.residence import release_compiler
from streamtrader.runtime.warmup import warm
from streamtrader.venues.binance import MARKETS, Binance, Market, instruments_of
from streamtrader.venues.links import PicowsLink, WebsocketsLink
from streamtrader.venues.venue import Endpoints

if TYPE_CHECKING:
    from streamtrader.config import Settings
    from streamtrader.instruments import Instrument

LINKS = {"picows": PicowsLink.open, "websockets": WebsocketsLink.open}
ASK_TIMEOUT_S = 10.0
BODY_BYTES_MOST = 32 << 20
_KINDS = {"spot": "spot", "perpetual": "usdm"}


@dataclass(frozen=True, slots=True)
class Feed:
    """Where the market comes from, and what is traded there."""

    label: str  # EMBEDDED, BINANCE
    market: str
    instruments: tuple[Instrument, ...]
    adapter: Binance
    exchange: ExchangeProcess | None
    warm_s: float


@asynccontextmanager
async def open_feed(settings: Settings, *, after_ns: int | None = None) -> AsyncIterator[Feed]:
    """Start the embedded exchange where it is wanted, compile beside that, and ask for the instruments."""
    async with AsyncExitStack() as stack:
        exchange: ExchangeProcess | None = None
        async with _told_plainly(), asyncio.TaskGroup() as starting:
            warming = starting.create_task(asyncio.to_thread(warm, settings))
            if settings.venue.name == "embedded":
                exchange = await stack.enter_async_context(_exchange_of(settings, after_ns))
        scanner, warm_s = warming.result()
        release_compiler()
        market = MARKETS[_KINDS[settings.venue.kind] if exchange is None else exchange.kind]
        endpoints = _endpoints(settings, market, exchange)
        symbols = exchange.symbols if exchange is not None else wanted_symbols(settings)
        instruments = await ask_for_instruments(endpoints, market, symbols)
        adapter = Binance(
            instruments, market, scanner=scanner, endpoints=endpoints, is_stamped=exchange is not None
        )
        label = "EMBEDDED" if exchange is not None else settings.venue.name.upper()
        told = _market_text(settings, market, exchange)
        yield Feed(label, told, instruments, adapter, exchange, warm_s)


def wanted_symbols(settings: Settings) -> tuple[str, ...]:
    """What the strategies name, else what the settings list."""
    named = [symbol for strategy in settings.strategies for symbol in strategy.instruments]
    return tuple(dict.fromkeys(named)) or settings.exchange.symbols


def _exchange_of(settings: Settings, after_ns: int | None) -> AbstractAsyncContextManager[ExchangeProcess]:
    wanted = settings.exchange
    return start_exchange(
        market=wanted.market,
        seed=wanted.seed,
        speed=str(wanted.speed),
        symbols=wanted.symbols,
        port=wanted.port,
        after_ns=after_ns,
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


def _endpoints(settings: Settings, market: Market, exchange: ExchangeProcess | None) -> tuple[Endpoints, ...]:
    if exchange is not None:
        return (Endpoints(exchange.stream_url, exchange.rest_url),)
    venue = settings.venue
    if bool(venue.websocket_url) != bool(venue.rest_url):
        raise ConfigError("venue.websocket_url and venue.rest_url belong together: set both or none")
    return (Endpoints(venue.websocket_url, venue.rest_url),) if venue.rest_url else market.endpoints


async def ask_for_instruments(
    endpoints: tuple[Endpoints, ...], market: Market, symbols: tuple[str, ...]
) -> tuple[Instrument, ...]:
    """The venue's own rules, from the first endpoint that answers."""
    refusals = []
    timeout = aiohttp.ClientTimeout(total=ASK_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for endpoint in endpoints:
            url = endpoint.rest + market.instruments_path(symbols)
            try:
                async with session.get(url) as response:
                    body = await response.content.read(BODY_BYTES_MOST)
                    if response.status == 200:
                        return instruments_of(body, market, symbols)
                    refusals.append(f"{endpoint.rest}: status {response.status}")
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                refusals.append(f"{endpoint.rest}: {str(error) or type(error).__name__}")
    raise VenueError(
        f"no answer with the rules of {', '.join(symbols)} ({'; '.join(refusals)}). "
        "Without a network, use the embedded exchange: --venue embedded"
    )


def _market_text(settings: Settings, market: Market, exchange: ExchangeProcess | None) -> str:
    if exchange is None:
        return f"{market.name}, live public data"
    speed = settings.exchange.speed
    pace = "as fast as it goes" if speed == "max" else f"speed {speed:g}"
    seed = f", seed {settings.exchange.seed}" if settings.exchange.market == "synthetic" else ""
    return f"{exchange.market} market on loopback{seed}, {pace}"
