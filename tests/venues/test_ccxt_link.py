"""ccxt.pro's own `binance` over real sockets, behind a `Connection` like any venue's websocket."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest
from aiohttp import web

from streamtrader.errors import ConfigError, LinkLost, SequenceGap, VenueError, VenueRestricted
from streamtrader.events import BookState, Kind
from streamtrader.kernel.ring import Ring
from streamtrader.venues.ccxt import Ccxt
from streamtrader.venues.connection import Connection
from streamtrader.venues.settings import ConnectionSettings
from tests.venues.ccxt_frames import Market, serving
from tests.venues.streamed import is_sane, states

pytest.importorskip("ccxt", reason="the extra `venues` is not installed")
from streamtrader.venues import ccxt_venue
from streamtrader.venues.ccxt_venue import CcxtSockets, error_of

QUICK = ConnectionSettings(backoff_base_s=0.01, backoff_cap_s=0.05, watch_s=0.005)
SYMBOLS = ("BTC/USDT", "ETHUSDT")  # ccxt's name, and the exchange's own
SILENCE_S = dict.fromkeys(("book", "quote", "trade"), 3.0)


class Client:
    """A running connection; everything that it wrote stays in the ring."""

    def __init__(self, venue: Ccxt, sockets: CcxtSockets, slots: int) -> None:
        self.venue = venue
        self.ring = Ring(slots)
        self.connection = Connection(venue, self.ring, self.play, settings=QUICK, opener=sockets.open)
        self.is_held = False

    def play(self) -> None:
        if not self.is_held:
            self.ring.played = self.ring.taped = self.ring.written

    def count(self, kind: Kind, instrument: int) -> int:
        events = self.ring.events[: self.ring.written]
        return int(np.sum((events["kind"] == kind) & (events["instrument"] == instrument)))

    async def until(self, is_so: Callable[[], bool], seconds: float = 20.0) -> None:
        async with asyncio.timeout(seconds):
            while not is_so():
                await asyncio.sleep(0.01)

    def is_live(self) -> bool:
        return all(self.venue.book_state(index) is BookState.LIVE for index in range(len(SYMBOLS)))


@asynccontextmanager
async def client_of(market: Market, slots: int = 1 << 16):
    sockets = CcxtSockets("binance", "spot", market.endpoints)
    try:
        instruments = await sockets.load(SYMBOLS)
        client = Client(Ccxt(instruments, name="ccxt:binance", silence_s=SILENCE_S), sockets, slots)
        running = asyncio.create_task(client.connection.run())
        try:
            yield client
        finally:
            running.cancel()
            await asyncio.wait([running])
    finally:
        await sockets.close()


async def test_trades_quotes_and_books_come_through_ccxt():
    async with serving() as market, client_of(market) as client:
        await client.until(client.is_live)
        await client.until(
            lambda: all(client.count(kind, index) > 5 for kind in (Kind.TRADE, Kind.QUOTE) for index in (0, 1))
        )

        assert client.venue.counters.rejected == client.venue.counters.faults == client.venue.counters.errors == 0
        assert [BookState.SYNCING, BookState.LIVE] == states(client.ring, 0)
        is_sane(client.ring, 0, client.venue)
        assert ["BTC/USDT", "ETHUSDT"] == [instrument.symbol for instrument in client.venue.instruments]


@pytest.mark.parametrize(("stream", "channel"), [("ethusdt@depth@100ms", "book"), ("ethusdt@trade", "trade")])
@pytest.mark.slow
async def test_a_watch_that_hangs_is_begun_anew_and_no_other(stream, channel):
    async with serving() as market, client_of(market) as client:
        await client.until(client.is_live)
        await client.until(lambda: client.count(Kind.TRADE, 1) > 5)

        market.freeze(stream)
        await client.until(lambda: market.subscribed[stream] == 2)
        trades = client.count(Kind.TRADE, 1)
        await client.until(client.is_live)
        await client.until(lambda: client.count(Kind.TRADE, 1) > trades)

        assert {1} == {count for name, count in market.subscribed.items() if name != stream}
        assert [BookState.SYNCING, BookState.LIVE] == states(client.ring, 0)
        again = [BookState.STALE, BookState.LIVE] if channel == "book" else []
        assert [BookState.SYNCING, BookState.LIVE, *again] == states(client.ring, 1)
        assert client.venue.counters.silences == 1
        assert client.connection.counters.connects == 1


async def test_dropped_sockets_are_told_and_come_back():
    async with serving() as market, client_of(market) as client:
        await client.until(client.is_live)
        before = market.connections

        await market.drop_all()
        await client.until(lambda: client.venue.counters.errors >= 2 * len(SYMBOLS))
        await client.until(client.is_live)

        assert "LinkLost" in client.venue.counters.last_error
        assert market.connections > before
        assert client.venue.counters.faults == 0


async def test_while_the_ring_is_full_books_wait_and_lose_nothing():
    async with serving() as market, client_of(market, slots=256) as client:
        await client.until(client.is_live)
        client.is_held = True
        await client.until(lambda: client.connection.is_paused)
        await asyncio.sleep(0.2)
        backlog = client.connection.counters.backlog_bytes
        await asyncio.sleep(0.2)

        assert client.connection.counters.backlog_bytes == backlog
        client.is_held = False
        client.play()
        await client.until(lambda: not client.connection.is_paused)
        await client.until(client.is_live)
        assert client.venue.counters.rejected == client.venue.counters.gaps == 0


@pytest.mark.parametrize(
    ("exchange", "channels", "candle_s", "found"),
    [
        ("binance", (), 60, ["book", "trade", "quote"]),
        ("binance", ("candle", "trade"), 300, ["candle", "trade"]),
        ("coinbaseexchange", ("candle",), 60, "ccxt streams book, trade, quote of x, no candle"),
        ("bitstamp", ("quote",), 60, "ccxt streams book, trade of x, no quote"),
    ],
)
def test_channels_are_those_that_ccxt_streams_of_the_exchange(exchange, channels, candle_s, found):
    made = getattr(ccxt_venue.library().pro, exchange)()
    if isinstance(found, list):
        channels, timeframe = ccxt_venue.streamed("x", made, channels, candle_s)
        assert (channels, timeframe) == (found, "5m" if candle_s == 300 else "")
    else:
        with pytest.raises(ConfigError, match=f"venue.channels: {found}"):
            ccxt_venue.streamed("x", made, channels, candle_s)


def test_a_length_of_candles_that_the_exchange_lacks_is_refused_with_those_it_has():
    made = ccxt_venue.library().pro.kucoin()

    with pytest.raises(ConfigError, match=r"interval_s = 1: x has candles of, in seconds: 60, 180, 300"):
        ccxt_venue.streamed("x", made, ("candle",), 1)


async def test_an_exchange_that_ccxt_has_not_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"no exchange 'nowhere'.*kucoin"):
        await CcxtSockets("nowhere", "spot").load(SYMBOLS)


async def test_a_symbol_that_is_not_listed_is_refused_by_name():
    async with serving() as market:
        sockets = CcxtSockets("binance", "spot", market.endpoints)
        try:
            with pytest.raises(ConfigError, match="DOGE/USDT"):
                await sockets.load(["DOGE/USDT"])
        finally:
            await sockets.close()


async def test_a_country_that_is_not_served_is_told_as_such():
    async with serving() as market:
        market.refusals.append(web.json_response({"code": 0, "msg": "restricted location"}, status=451))
        sockets = CcxtSockets("binance", "spot", market.endpoints)
        try:
            with pytest.raises(VenueRestricted):
                await sockets.load(SYMBOLS)
        finally:
            await sockets.close()


def test_errors_of_ccxt_become_ours():
    errors = ccxt_venue.library()
    expected = {
        errors.RequestTimeout("x"): LinkLost, errors.ChecksumError("x"): SequenceGap,
        errors.AuthenticationError("x"): ConfigError, errors.NotSupported("x"): ConfigError,
        errors.RestrictedLocation("x"): VenueRestricted, errors.ExchangeError("x"): VenueError,
        KeyError("x"): VenueError, asyncio.CancelledError(): LinkLost,
    }  # fmt: skip

    assert list(expected.values()) == [type(error_of(error, "ccxt:x")) for error in expected]


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ccxt.pro", None)

    with pytest.raises(ConfigError, match=r"streamtrader\[venues\]"):
        ccxt_venue.library()
