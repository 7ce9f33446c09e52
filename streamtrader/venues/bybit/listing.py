"""Bybit in the registry: spot and linear contracts, each at an address of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from streamtrader.instruments import Instrument
from streamtrader.venues.bybit import markets
from streamtrader.venues.bybit.adapter import Bybit
from streamtrader.venues.listing import Listing, Recorded, Sighting, Terms, texts_of
from streamtrader.venues.venue import Endpoints, Venue


class BybitListing(Listing):
    """Symbols do not tell spot from contracts (both have a BTCUSDT); addresses do."""

    name = "bybit"
    title = "Bybit"
    kinds = ("spot", "perpetual")
    channels = markets.ALL_CHANNELS
    limits = markets.LIMITS
    proof = "update ids that count one by one"
    hosts = ("bybit.com", "bytick.com")

    def endpoints(self, kind: str) -> tuple[Endpoints, ...]:
        return markets.ENDPOINTS

    def spoken(self, kind: str, candle_s: int) -> Mapping[str, tuple[str, ...]]:
        spot = {
            "trade": (markets.TRADE,), "quote": (markets.BEST,), "book": (markets.BOOK,), "candle": (markets.CANDLE,),
        }  # fmt: skip
        return spot if kind == "spot" else spot | {"mark": (markets.TICKER,), "liquidation": (markets.LIQUIDATION,)}

    def for_session(self, instruments: Sequence[Instrument], kind: str, terms: Terms) -> Venue:
        channels = terms.channels or (markets.SPOT_CHANNELS if kind == "spot" else markets.LINEAR_CHANNELS)
        return Bybit(instruments, kind, channels=channels, endpoints=terms.endpoints, is_stamped=terms.is_stamped)

    def for_capture(self, instruments: Sequence[Instrument], kind: str, recorded: Recorded) -> Venue:
        """A recording of ours has books of the session's depth; of others the depth is learnt."""
        if recorded.channels:
            return Bybit(instruments, kind, channels=recorded.channels)
        every = markets.ALL_CHANNELS if recorded.has_books else markets.ALL_CHANNELS[1:]
        silence_s = {markets.BOOK: markets.SILENCE_S[markets.BOOK]}  # what was not subscribed to may be silent
        return Bybit(instruments, kind, channels=every, silence_s=silence_s, depth=markets.AS_TOLD)

    def fees_bps(self, kind: str) -> tuple[float, float]:
        return markets.FEES_BPS[kind]

    def instruments_path(self, kind: str, symbols: Sequence[str]) -> str:
        return markets.instruments_path(kind, symbols)

    def instruments_of(self, body: bytes, kind: str, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        return markets.instruments_of(body, symbols)

    def kind_of(self, url: str) -> str:
        if "public/spot" in url or "category=spot" in url:
            return "spot"
        return "perpetual" if "public/linear" in url or "category=linear" in url else ""

    def split(self, symbol: str) -> tuple[str, str]:
        return markets.split(symbol)

    def sightings(self, frame: bytes) -> Iterator[Sighting]:
        document = texts_of(frame)
        channel, _, symbol = document["topic"].rpartition(".")
        data = document["data"]
        levels: list[tuple[str, str]] = []
        if channel.startswith(markets.BOOK + "."):
            levels = [(price, size) for side in ("b", "a") for price, size in data[side]]
        elif channel == markets.TRADE:
            levels = [(each["p"], each["v"]) for each in data]
        elif channel == markets.TICKER:
            levels = [(data.get(f"{side}1Price", "0"), data.get(f"{side}1Size", "0")) for side in ("bid", "ask")]
        elif not channel.startswith(markets.CANDLE + "."):
            return
        is_book = channel.startswith(markets.BOOK + ".") and channel != markets.BEST
        yield Sighting(symbol, levels, is_book=is_book, kind="future" if "-" in symbol else "")


LISTING = BybitListing()
