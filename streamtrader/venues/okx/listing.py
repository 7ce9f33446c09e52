"""OKX in the registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from streamtrader.instruments import Instrument
from streamtrader.venues.listing import Listing, Recorded, Sighting, Terms, texts_of
from streamtrader.venues.okx import markets
from streamtrader.venues.okx.adapter import Okx
from streamtrader.venues.venue import Endpoints, Venue


class OkxListing(Listing):
    """Spot, perpetuals and dated futures speak one protocol at one address; symbols tell them apart."""

    name = "okx"
    title = "OKX"
    kinds = ("spot", "perpetual")
    channels = markets.ALL_CHANNELS
    limits = markets.LIMITS
    proof = "sequence ids without a hole, and the signed CRC32 over 25 levels where the venue still sends it"
    hosts = ("okx.com",)

    def endpoints(self, kind: str) -> tuple[Endpoints, ...]:
        return markets.ENDPOINTS

    def spoken(self, kind: str, candle_s: int) -> Mapping[str, tuple[str, ...]]:
        spot = {
            "trade": (markets.TRADE,), "quote": (markets.BEST,), "book": (markets.BOOK,), "candle": (markets.CANDLE,),
        }  # fmt: skip
        derivative = {"mark": (markets.MARK, markets.FUNDING), "liquidation": (markets.LIQUIDATION,)}
        return spot if kind == "spot" else spot | derivative

    def for_session(self, instruments: Sequence[Instrument], kind: str, terms: Terms) -> Venue:
        channels = terms.channels or (markets.SPOT_CHANNELS if kind == "spot" else markets.SWAP_CHANNELS)
        return Okx(instruments, channels=channels, endpoints=terms.endpoints, is_stamped=terms.is_stamped)

    def for_capture(self, instruments: Sequence[Instrument], kind: str, recorded: Recorded) -> Venue:
        if recorded.channels:
            return Okx(instruments, channels=recorded.channels)
        every = markets.ALL_CHANNELS if recorded.has_books else markets.ALL_CHANNELS[1:]
        silence_s = {markets.BOOK: markets.SILENCE_S[markets.BOOK]}  # what was not subscribed to may be silent
        return Okx(instruments, channels=every, silence_s=silence_s)

    def fees_bps(self, kind: str) -> tuple[float, float]:
        return markets.FEES_BPS[kind]

    def instruments_path(self, kind: str, symbols: Sequence[str]) -> str:
        return markets.instruments_path(kind, symbols)

    def instruments_of(self, body: bytes, kind: str, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        return markets.instruments_of(body, symbols)

    def sightings(self, frame: bytes) -> Iterator[Sighting]:
        document = texts_of(frame)
        channel, symbol = document["arg"]["channel"], document["arg"]["instId"]
        for each in document["data"]:
            levels = []
            if channel in (markets.BOOK, markets.BOOK5, markets.BEST):
                levels = [(level[0], level[1]) for side in ("bids", "asks") for level in each[side]]
            elif channel == markets.TRADE:
                levels = [(each["px"], each["sz"])]
            elif channel == markets.TICKER:
                levels = [(each["bidPx"], each["bidSz"]), (each["askPx"], each["askSz"])]
            kind = markets.kind_of_symbol(symbol)
            yield Sighting(symbol, levels, is_book=channel == markets.BOOK, kind=kind)


LISTING = OkxListing()
