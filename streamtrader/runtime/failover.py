"""Which venue a new session begins with, when the one that was asked for refuses or is out of reach.

The rule. A venue is tried before anything else exists of the session: its rules over REST, then one websocket, as the
session will open it. Status 451 from all its addresses moves on at once, any other failure after `venue.fallback_after_s`
of trying. Then the next of `venue.fallback` is tried in the same way. Symbols are translated by base and quote through the
venues' own lists: `BTCUSDT` becomes `BTC/USDT`, and never `BTC/USD`, which is another market.

A session that has begun does not move. Its tape holds one venue's instruments, its positions are of that venue's prices:
from then on a venue that goes away is waited for, with all books STALE and no new exposure. A run that is gone on with
stays where it was for the same reason.

Every move is told in the log, in the market's line on the screen and in the result, and in the manifest.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import structlog

from streamtrader.config import EMBEDDED
from streamtrader.errors import ConfigError, StreamTraderError, VenueError, VenueRestricted
from streamtrader.runtime.setup import ask_for_instruments, endpoints_of, wanted_symbols
from streamtrader.venues.addresses import Addresses
from streamtrader.venues.clients import OPENERS
from streamtrader.venues.links import Ending, HandshakeRefused, Link
from streamtrader.venues.registry import CCXT, listing_of
from streamtrader.venues.venue import Endpoints, Overlap, Venue

if TYPE_CHECKING:
    from streamtrader.config import Settings
    from streamtrader.instruments import Instrument

CONNECT_TIMEOUT_S = 10.0
PAUSE_S = 2.0
log = structlog.get_logger()


class Move(NamedTuple):
    """A venue that the session did not begin with, and why."""

    venue: str
    why: str


def told_of(moves: Sequence[Move]) -> str:
    """The moves in the line that describes the market; empty where there are none."""
    return "".join(f"; instead of {move.venue}: {move.why}" for move in moves)


Reach = Callable[["Settings", str], tuple[Endpoints, ...]]


async def settled(settings: Settings, *, reach: Reach = endpoints_of) -> tuple[Settings, tuple[Move, ...]]:
    """The settings with the first venue that serves us, and the moves that led there.

    Raises the last venue's error where none does; a mistake in the settings is raised at once.
    """
    name = settings.venue.name
    if name == EMBEDDED or name.startswith(CCXT) or not settings.venue.fallback:
        return settings, ()
    symbols = wanted_symbols(settings)
    moves: list[Move] = []
    candidates = (name, *(other for other in settings.venue.fallback if other != name))
    for at, candidate in enumerate(candidates):
        try:
            found = await _try_for_a_while(settings, candidate, symbols, reach)
        except VenueError as error:
            if at == len(candidates) - 1:
                raise
            why = str(error)
        else:
            return (settings if candidate == name else _moved(settings, candidate, found, symbols)), tuple(moves)
        moves.append(Move(candidate, why))
        log.warning(
            "venue out of reach at the start: the next one is tried",
            venue=candidate,
            next=candidates[at + 1],
            why=why,
        )
    raise AssertionError("there is always a first venue")


async def _try_for_a_while(
    settings: Settings, name: str, symbols: Sequence[str], reach: Reach
) -> tuple[Instrument, ...]:
    """The instruments of a venue that serves us, in the order of `symbols`."""
    until_s = time.monotonic() + settings.venue.fallback_after_s
    while True:
        try:
            return await _try(settings, name, symbols, reach)
        except VenueRestricted:
            raise
        except VenueError:
            if time.monotonic() + PAUSE_S >= until_s:
                raise
            await asyncio.sleep(PAUSE_S)


async def _try(settings: Settings, name: str, symbols: Sequence[str], reach: Reach) -> tuple[Instrument, ...]:
    listing, kind, primary = listing_of(name), settings.venue.kind, settings.venue.name
    if kind not in listing.kinds:
        raise VenueError(f"{listing.title} has no {kind} market")
    endpoints = reach(settings, name)
    if name == primary:
        found = await ask_for_instruments(endpoints, listing, kind, tuple(symbols))
    else:
        found = translated(symbols, primary, await ask_for_instruments(endpoints, listing, kind, ()))
    adapter = listing.make(found, kind, endpoints=endpoints, feed=settings.venue.feed if name == primary else "")
    if settings.venue.connections > 1 and adapter.overlap is not Overlap.MERGE:
        raise VenueError(f"{listing.title} cannot be hedged: venue.connections = 2")
    await _knock(settings, adapter)
    return found


def translated(symbols: Sequence[str], venue: str, listed: Sequence[Instrument]) -> tuple[Instrument, ...]:
    """The instruments with the base and the quote that `symbols` have at `venue`; an error where one has none."""
    by_assets = {(instrument.base.upper(), instrument.quote.upper()): instrument for instrument in reversed(listed)}
    found = []
    for symbol in symbols:
        base, quote = listing_of(venue).split(symbol)
        instrument = by_assets.get((base.upper(), quote.upper()))
        if instrument is None:
            raise VenueError(
                f"no market in {base} against {quote or 'an unknown quote'}, which {symbol} is at {venue}"
            )
        found.append(instrument)
    return tuple(found)


class _Visitor:
    """Takes what a link says at once, and wants none of it."""

    def on_open(self, link: Link) -> None: ...

    def on_read(self, frames: list[bytes]) -> None: ...

    def on_ping(self, payload: bytes) -> None: ...


async def _knock(settings: Settings, adapter: Venue) -> Ending | None:
    """Open the stream at the first address that lets us, and close it."""
    addresses, told = Addresses(adapter.name, adapter.endpoints), ""
    most, opener = adapter.limits.frame_bytes_most, OPENERS[settings.venue.client]
    for endpoint in adapter.endpoints:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                link = await opener(endpoint.stream + adapter.routes[0].path, _Visitor(), most, adapter.headers)
            link.close(is_dead=True)
            return await link.run()
        except (StreamTraderError, OSError, TimeoutError) as error:
            addresses.fail(error.status if isinstance(error, HandshakeRefused) else 0)
            told = f"{endpoint.stream}: {str(error) or type(error).__name__}"
    if addresses.is_restricted:
        raise addresses.restriction()
    raise VenueError(f"no stream from {adapter.name} ({told})")


def _moved(settings: Settings, name: str, found: Sequence[Instrument], symbols: Sequence[str]) -> Settings:
    """The settings of a session at another venue: its name, and every symbol in its words."""
    names = {symbol: instrument.symbol for symbol, instrument in zip(symbols, found, strict=True)}
    if len(set(names.values())) < len(names):
        raise ConfigError(f"{name}: several symbols are one market there: {', '.join(symbols)}")
    venue = settings.venue.model_copy(update={"name": name} | dict.fromkeys(("feed", "encoding", "websocket_url", "rest_url"), ""))
    exchange = settings.exchange.model_copy(update={"symbols": tuple(names.values())})
    strategies = tuple(
        strategy.model_copy(
            update={"instruments": tuple(names.get(symbol, symbol) for symbol in strategy.instruments)}
        )
        for strategy in settings.strategies
    )
    return settings.model_copy(update={"venue": venue, "exchange": exchange, "strategies": strategies})
