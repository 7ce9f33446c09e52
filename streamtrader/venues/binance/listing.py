"""Binance in the registry: spot and USD-M futures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

import msgspec

from streamtrader.instruments import Instrument
from streamtrader.venues.binance.adapter import Binance
from streamtrader.venues.binance.markets import (
    ALL_CHANNELS,
    CHANNELS,
    DEPTH,
    FUTURE,
    INTERVALS,
    KLINE,
    LIQUIDATION,
    MARK,
    PARTIAL,
    SPOT,
    TICKER,
    TRADE,
    USDM,
    Market,
    base_of,
    instruments_of,
)
from streamtrader.venues.listing import Listing, Recorded, Sighting, Terms
from streamtrader.venues.venue import Endpoints, Venue

QUOTES = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USD", "EUR", "TRY", "BRL", "JPY", "BTC", "ETH", "BNB")
_MARKETS = {SPOT.kind: SPOT, USDM.kind: USDM, FUTURE: USDM}


Levels = list[tuple[str, str]]


class _Candle(msgspec.Struct, gc=False):
    h: str
    l: str  # noqa: E741 - the venue's own name
    v: str


class _Forced(msgspec.Struct, gc=False):
    s: str
    p: str
    q: str


class _Data(msgspec.Struct, gc=False):
    s: str = ""
    pu: int | None = None
    p: str | None = None
    q: str | None = None
    b: str | int | Levels | None = None
    B: str | None = None
    a: str | int | Levels | None = None
    A: str | None = None
    bids: Levels | None = None
    asks: Levels | None = None
    k: _Candle | None = None
    o: str | _Forced | None = None


class _Line(msgspec.Struct, gc=False):
    stream: str = ""
    data: _Data | None = None
    lastUpdateId: int | None = None  # noqa: N815 - the venue's own name
    bids: Levels = []
    asks: Levels = []


_line_of = msgspec.json.Decoder(_Line, strict=False).decode


class BinanceListing(Listing):
    """Both markets speak one protocol at different addresses."""

    name = "binance"
    title = "Binance"
    kinds = ("spot", "perpetual")
    channels = ALL_CHANNELS
    candles_s = tuple(INTERVALS)
    limits = SPOT.limits
    compression = "offered"
    proof = "update ids without a hole, from a REST snapshot that they bridge"
    hosts = ("binance.com", "binance.vision", "binance.us")

    def market(self, kind: str) -> Market:
        return _MARKETS[kind]

    def endpoints(self, kind: str) -> tuple[Endpoints, ...]:
        return self.market(kind).endpoints

    def spoken(self, kind: str, candle_s: int) -> Mapping[str, tuple[str, ...]]:
        spot = {"trade": (TRADE,), "quote": (TICKER,), "book": (DEPTH,), "candle": (f"{KLINE}{INTERVALS.get(candle_s)}",)}
        return spot if kind == SPOT.kind else spot | {"mark": (f"{MARK}@1s",), "liquidation": (LIQUIDATION,)}

    def for_session(self, instruments: Sequence[Instrument], kind: str, terms: Terms) -> Venue:
        return Binance(
            instruments, self.market(kind), scanner=terms.scanner, channels=terms.channels or CHANNELS,
            endpoints=terms.endpoints, is_stamped=terms.is_stamped,
        )  # fmt: skip

    def for_capture(self, instruments: Sequence[Instrument], kind: str, recorded: Recorded) -> Venue:
        """It reads all that is known whatever the channels, but for books: whole depth, else partial depth."""
        usual = tuple(name for name in CHANNELS if recorded.has_books or not name.startswith("depth"))
        channels = recorded.channels or usual
        market = self.market(kind)
        limits = replace(market.limits, streams=len(instruments) * len(channels))  # who recorded it kept them
        return Binance(
            instruments, market, scanner=recorded.scanner, channels=channels, endpoints=market.endpoints, limits=limits
        )  # fmt: skip

    def fees_bps(self, kind: str) -> tuple[float, float]:
        return self.market(kind).maker_fee_bps, self.market(kind).taker_fee_bps

    def instruments_path(self, kind: str, symbols: Sequence[str]) -> str:
        return self.market(kind).instruments_path(symbols)

    def instruments_of(self, body: bytes, kind: str, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        return instruments_of(body, self.market(kind), symbols)

    def kind_of(self, url: str) -> str:
        host = urlsplit(url).hostname or ""
        return USDM.kind if host.startswith(("fstream.", "fapi.")) else SPOT.kind if host else ""

    def split(self, symbol: str) -> tuple[str, str]:
        quote = next((quote for quote in QUOTES if symbol.endswith(quote) and symbol != quote), "")
        return (symbol.removesuffix(quote), quote) if quote else (symbol, "")

    def sightings(self, frame: bytes) -> Iterator[Sighting]:
        """USD-M is told by the `pu` of its depth messages. Partial depth is no book: it cannot be proved."""
        line = _line_of(frame)
        data = line.data
        if line.lastUpdateId is not None and not line.stream:
            yield Sighting("", line.bids + line.asks)
        if data is None:
            return
        named, _, channel = line.stream.partition("@")
        is_partial = base_of(channel) in PARTIAL
        forced = data.o if isinstance(data.o, _Forced) else None
        symbol = data.s or (forced.s if forced else named.upper() if is_partial else "")
        if not symbol or symbol.lower() != named:
            return
        is_book = isinstance(data.b, list) and isinstance(data.a, list) and not is_partial
        yield Sighting(
            symbol, _levels_of(data, forced), is_book=is_book, kind=USDM.kind if data.pu is not None else ""
        )  # fmt: skip


def _levels_of(data: _Data, forced: _Forced | None) -> Levels:
    """Prices and sizes of a message; not those that the venue averages or computes."""
    bids, asks = data.b, data.a
    if isinstance(bids, list) and isinstance(asks, list):
        return bids + asks
    if data.bids is not None and data.asks is not None:
        return data.bids + data.asks
    if isinstance(bids, str) and isinstance(asks, str) and data.B is not None and data.A is not None:
        return [(bids, data.B), (asks, data.A)]
    if data.p is not None and data.q is not None:
        return [(data.p, data.q)]
    if data.k is not None:
        return [(data.k.h, data.k.v), (data.k.l, data.k.v)]
    return [(forced.p, forced.q)] if forced else []


LISTING = BinanceListing()
