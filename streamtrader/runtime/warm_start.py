"""The past at the head of a session's tape, so that strategies begin with their windows full.

The closed candles of the venue's REST history are written as CANDLE events before anything else: one message, so that a
torn tape has all of them or none. They reach `on_candle` through the same loop as everything, and a replay or a
recovery finds them where the session did. What a strategy asks for on them is refused: nothing of the present was heard.

A run that is gone on with has its past already, and is not warmed again.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import msgspec
import numpy as np
import structlog

from streamtrader.config import EMBEDDED
from streamtrader.errors import ConfigError, VenueError
from streamtrader.events import EVENT, MORE, NEWEST, WARM
from streamtrader.runtime.getting import GetOptions, budget_folder, state_folder
from streamtrader.runtime.setup import wanted_symbols
from streamtrader.runtime.warm_candles import closed_candles
from streamtrader.units import NS_PER_S
from streamtrader.venues.history import CANDLES, FOREVER_NS, Query, RestLimits, Rows, history_of
from streamtrader.venues.registry import listing_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamtrader.config import Settings
    from streamtrader.exchange.process import ExchangeProcess
    from streamtrader.kernel.ring import Ring
    from streamtrader.runtime.setup import Feed

SOON_S = 10.0  # a candle that is about to close is waited for, so that none is missing at the beginning
CLOSED_S = 1.0  # and so long the venue gets to tell it
ASK_TIMEOUT_S = 10.0
OWN_LIMITS = RestLimits(weight_per_minute=1e6, requests_per_s=500.0, weight_per_day=10**9)
log = structlog.get_logger()


def check_past(settings: Settings) -> None:
    """`ConfigError` where there is no such history; to be known before anything is started."""
    is_ours = settings.venue.name == EMBEDDED
    if is_ours and settings.exchange.dialect != "binance":
        raise ConfigError("candles.warmup: the embedded exchange has a past in the dialect of binance only")
    try:
        history = history_of("binance" if is_ours else settings.venue.name)
        kind, feed = ("spot", "") if is_ours else (settings.venue.kind, settings.venue.feed)
        history.check(replace(_query(settings), symbol=wanted_symbols(settings)[0], kind=kind, feed=feed))
    except ConfigError as error:
        raise ConfigError(f"candles.warmup: {error}") from error


async def write_past(settings: Settings, feed: Feed, ring: Ring, clock_ns: Callable[[], int]) -> None:
    """Ask for the candles of every instrument and write them."""
    count = settings.candles.warmup
    if count * len(feed.instruments) > ring.free:
        most = ring.free // len(feed.instruments)
        raise ConfigError(f"candles.warmup = {count}: for {len(feed.instruments)} instruments at most {most} each")
    if feed.exchange is None:
        await _wait_for_close(settings.candles.interval_s, clock_ns)
        found = await _past_of_venue(settings, feed)
    else:
        found = await _past_of_exchange(settings, feed, feed.exchange)
    for instrument, rows in zip(feed.instruments, found, strict=True):
        if len(rows) < count:
            log.warning("less of the past than asked for", symbol=instrument.symbol, wanted=count, found=len(rows))
    _write(ring, merged(found))


async def _wait_for_close(interval_s: int, clock_ns: Callable[[], int]) -> None:
    left_s = interval_s - clock_ns() / NS_PER_S % interval_s
    if left_s < min(SOON_S, interval_s / 4):
        await asyncio.sleep(left_s + CLOSED_S)


async def _past_of_venue(settings: Settings, heard: Feed) -> list[Rows]:
    """From the venue's own history, within the budgets of its downloads; whole blocks are kept for the next start."""
    venue = settings.venue
    kept = None if venue.rest_url else state_folder() / "candles"
    limits = history_of(venue.name).limits(venue.kind)
    options, query, found = GetOptions(budget_folder(), venue.rest_url), _query(settings), []
    for at, instrument in enumerate(heard.instruments):
        if at:
            await asyncio.sleep(1.0 / limits.requests_per_s)  # each has a pace of its own; this is the one of all
        feeds = listing_of(venue.name).feeds_of([instrument.symbol])  # the past of the feed that the session hears
        feed = venue.feed or (feeds[0] if feeds else "")
        query = replace(query, symbol=instrument.symbol, kind=venue.kind, feed=feed)
        found.append((await closed_candles(venue.name, query, settings.candles.warmup, options, kept=kept))[1])
    return found


async def _past_of_exchange(settings: Settings, feed: Feed, exchange: ExchangeProcess) -> list[Rows]:
    """From the embedded exchange: up to where its market begins, by its own clock; no budget of a venue is touched."""
    position_ns = await _position_ns(exchange)  # just before the first frame
    query, found = replace(_query(settings), stop_ns=position_ns + 1), []
    with tempfile.TemporaryDirectory(prefix="streamtrader-") as folder:
        options = GetOptions(Path(folder), exchange.rest_url, limits=OWN_LIMITS)
        for instrument in feed.instruments:
            query = replace(query, symbol=instrument.symbol, kind=instrument.kind)
            rows = (await closed_candles("binance", query, settings.candles.warmup, options))[1]
            rows["received_ns"] = np.minimum(rows["received_ns"], position_ns)  # no later than the books
            found.append(rows)
    return found


def _query(settings: Settings) -> Query:
    return Query(CANDLES, "", 0, FOREVER_NS, settings.candles.interval_s * NS_PER_S)


async def _position_ns(exchange: ExchangeProcess) -> int:
    """The clock of its market; it stands still until somebody listens."""
    timeout = aiohttp.ClientTimeout(total=ASK_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{exchange.rest_url}/embedded/market") as got,
        ):
            return int(msgspec.json.decode(await got.read())["position_ns"])
    except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError, KeyError) as error:
        raise VenueError(f"the embedded exchange does not tell where its market is: {error!r}") from error


def merged(found: list[Rows]) -> Rows:
    """The candles of all instruments in the order of their ends, as one message."""
    parts = []
    for at, rows in enumerate(found):
        part = rows.copy()
        part["instrument"], part["flags"] = at, WARM | MORE
        part["flags"][-1:] |= NEWEST
        parts.append(part)
    rows = np.concatenate([np.zeros(0, EVENT), *parts])
    rows = rows[np.argsort(rows["received_ns"], kind="stable")]
    rows["flags"][-1:] &= ~np.uint16(MORE)
    return rows


def _write(ring: Ring, rows: Rows) -> None:
    for row in rows:
        ring.write(
            row["kind"], row["instrument"], 0, row["flags"], row["venue_ns"], row["received_ns"],
            row["a"], row["b"], row["c"], row["d"], row["id"],
        )  # fmt: skip
