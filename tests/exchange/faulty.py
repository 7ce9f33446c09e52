"""A whole client against the embedded exchange on a bad day: the real adapter and connection, real sockets, no sleep.

Time is scaled, not left out: what the venue publishes (messages a second, connections within a window) holds for both
sides by the same factor, and the server counts. The market plays as fast as the client reads, and waits while nobody
is connected, so a test ends in a second or two.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from streamtrader.events import BookState, Kind
from streamtrader.exchange.audience import Audience
from streamtrader.exchange.dialects import opened_dialect
from streamtrader.exchange.dialects.audience import TranslatedAudience
from streamtrader.exchange.faults import faults_of
from streamtrader.exchange.limits import BINANCE, Published
from streamtrader.exchange.pump import CHUNK_FRAMES, Pump
from streamtrader.exchange.saboteur import Saboteur
from streamtrader.exchange.server import Exchange
from streamtrader.exchange.synthetic import SyntheticMarket
from streamtrader.kernel.ring import Ring
from streamtrader.runtime.setup import ask_for_instruments
from streamtrader.venues.alpaca import Alpaca
from streamtrader.venues.alpaca.listing import ANYBODY
from streamtrader.venues.binance import Binance
from streamtrader.venues.bybit import Bybit
from streamtrader.venues.coinbase import Coinbase
from streamtrader.venues.coinbase_exchange import CoinbaseExchange
from streamtrader.venues.connection import Connection
from streamtrader.venues.kraken import Kraken
from streamtrader.venues.okx import Okx
from streamtrader.venues.registry import listing_of
from streamtrader.venues.settings import ConnectionSettings
from streamtrader.venues.venue import Endpoints, Venue

NAMES = {
    "binance": ("BTCUSDT", "ETHUSDT"),
    "kraken": ("BTC/USD", "ETH/USD"),
    "coinbase": ("BTC-USD", "ETH-USD"),
    "coinbase-exchange": ("BTC-USD", "ETH-USD"),
    "okx": ("BTC-USDT", "ETH-USDT"),
    "bybit": ("BTCUSDT", "ETHUSDT"),
    "alpaca": ("BTC/USD", "ETH/USD"),
}
ADAPTERS = {
    "binance": Binance,
    "kraken": Kraken,
    "coinbase": Coinbase,
    "coinbase-exchange": CoinbaseExchange,
    "okx": Okx,
    "bybit": Bybit,
    "alpaca": Alpaca,
}
FASTER = 100.0  # than the venue's own time
SEED = 5
QUICK = ConnectionSettings(
    connect_timeout_s=1.0,
    rest_timeout_s=1.0,
    silence_s=10.0,  # a machine that is busy with other tests is not a dead link
    backoff_base_s=0.002,
    backoff_cap_s=0.02,
    watch_s=0.005,
    steady_s=0.5,
)


@dataclass
class Client:
    """An adapter, its connection, and all that it wrote."""

    venue: Venue
    connection: Connection
    ring: Ring
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    is_held: bool = False  # the engine stands still

    def play(self) -> None:
        if self.is_held:
            return
        ring = self.ring
        for events in ring.slices(ring.played, ring.written):
            names = ("kind", "instrument", "a", "id", "venue_ns", "received_ns")
            self.rows += list(zip(*(events[name].tolist() for name in names), strict=True))
        ring.played = ring.taped = ring.written

    @property
    def is_live(self) -> bool:
        return all(self.venue.book_state(at) == BookState.LIVE for at in range(len(self.venue.instruments)))

    def states(self, instrument: int = 0) -> list[BookState]:
        """What the tape says of a book."""
        return [BookState(int(row[2])) for row in self.rows if row[0] == Kind.LINK and row[1] == instrument]

    def trade_ids(self, instrument: int) -> list[int]:
        return [row[3] for row in self.rows if row[0] == Kind.TRADE and row[1] == instrument]

    def trades_lost(self, instrument: int) -> int:
        """The synthetic market numbers its trades without a hole."""
        ids = self.trade_ids(instrument)
        assert ids == sorted(set(ids)), "a trade came twice, or out of order"
        return ids[-1] - ids[0] + 1 - len(ids)


@dataclass
class BadDay:
    """One exchange and one client on it."""

    dialect: str
    pump: Pump
    exchange: Exchange
    saboteur: Saboteur
    client: Client
    port: int

    def is_over(self, extra_s: float = 2.0) -> bool:
        """Whether every fault has struck, some market time has gone by, and all books are LIVE."""
        struck_ns = self.saboteur.done[-1]["stamp_ns"] if self.saboteur.done else 2**63
        is_later = self.pump.position_ns > struck_ns + int(extra_s * 1e9)
        return self.saboteur.next_ns is None and is_later and self.client.is_live

    async def run_until(self, condition: Callable[[], bool], limit_s: float = 120.0) -> None:
        async with asyncio.TaskGroup() as tasks:
            playing = tasks.create_task(self.pump.run())
            listening = tasks.create_task(self.client.connection.run())
            try:
                async with asyncio.timeout(limit_s):
                    while not condition() and not listening.done():
                        await asyncio.sleep(0.002)
            finally:
                listening.cancel()
                playing.cancel()
        self.client.play()

    async def described(self) -> dict[str, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.port}/embedded/market") as answer,
        ):
            return dict(await answer.json())


def plain(name: str) -> str:
    return name.replace("/", "").replace("-", "")


def scaled(published: Published, faster: float) -> Published:
    return Published(
        published.connections,
        published.connections_window_s / faster,
        int(published.messages_per_s * faster),
        published.is_closing,
    )


@asynccontextmanager
async def bad_day(
    dialect: str,
    faults: Sequence[str],
    *,
    speed: float | None = None,
    settings: ConnectionSettings = QUICK,
    faster: float = FASTER,
    listening: Callable[[Venue, Ring], Venue] = lambda venue, _ring: venue,
    slots: int = 1 << 16,
    is_stamped: bool = True,
    chunk_frames: int = CHUNK_FRAMES,
) -> AsyncIterator[BadDay]:
    """`chunk_frames`: the fewer, the less of the market goes by, and has to be made and read, while a client connects."""
    names = {plain(name): name for name in NAMES[dialect]}
    market = SyntheticMarket(list(names), seed=SEED)
    saboteur = Saboteur(faults_of(faults), market.start_ns)
    translator = opened_dialect(dialect, market, names)
    audience = Audience(saboteur) if translator is None else TranslatedAudience(translator, saboteur)
    pump = Pump(market, audience, speed=speed)
    pump.chunk_frames = chunk_frames
    published = scaled(BINANCE if translator is None else translator.published, faster)
    exchange = Exchange(pump, audience, speed="max", published=published, is_stamped=is_stamped, ping_every_s=0.1)
    async with exchange.listening("127.0.0.1", 0) as port:
        client = await client_of(dialect, port, published, settings, listening, Ring(slots), is_stamped=is_stamped)
        yield BadDay(dialect, pump, exchange, saboteur, client, port)


async def client_of(
    dialect: str,
    port: int,
    published: Published,
    settings: ConnectionSettings,
    listening: Callable[[Venue, Ring], Venue],
    ring: Ring,
    *,
    is_stamped: bool,
) -> Client:
    """`listening` may put something between the connection and the adapter."""
    endpoints = (Endpoints(f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{port}"),)
    listing = listing_of(dialect)
    instruments = await ask_for_instruments(endpoints, listing, "spot", NAMES[dialect], is_ours=True)
    limits = dataclasses.replace(
        listing.limits,
        messages_per_s=float(published.messages_per_s),
        connections_window_s=published.connections_window_s,
        weight_per_minute=1_000_000,
    )
    more = {"credentials": ANYBODY} if dialect == "alpaca" else {}
    venue = ADAPTERS[dialect](instruments, endpoints=endpoints, is_stamped=is_stamped, limits=limits, **more)  # type: ignore[operator]
    client: Client
    between = listening(venue, ring)
    connection = Connection(between, ring, lambda: client.play(), settings=settings, seed=1)  # noqa: PLW0108 - not yet
    client = Client(venue, connection, ring)
    return client
