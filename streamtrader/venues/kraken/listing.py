"""Kraken in the registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from streamtrader.instruments import Instrument
from streamtrader.venues.kraken import markets
from streamtrader.venues.kraken.adapter import Kraken
from streamtrader.venues.listing import Listing, Recorded, Sighting, Terms, texts_of
from streamtrader.venues.venue import Endpoints, Venue

ALL_CHANNELS = (markets.BOOK, markets.TRADE, markets.TICKER, markets.CANDLE, markets.INSTRUMENT)


class KrakenListing(Listing):
    """Spot; the futures of the same house are another venue with another protocol."""

    name = "kraken"
    title = "Kraken"
    kinds = ("spot",)
    channels = ALL_CHANNELS
    limits = markets.LIMITS
    compression = "offered"
    proof = "CRC32 over the best ten of each side, in the venue's own text"
    hosts = ("kraken.com",)

    def endpoints(self, kind: str) -> tuple[Endpoints, ...]:
        return markets.ENDPOINTS

    def spoken(self, kind: str, candle_s: int) -> Mapping[str, tuple[str, ...]]:
        return {
            "trade": (markets.TRADE,), "quote": (markets.TICKER,), "book": (markets.BOOK,), "candle": (markets.CANDLE,),
        }  # fmt: skip

    def for_session(self, instruments: Sequence[Instrument], kind: str, terms: Terms) -> Venue:
        return Kraken(
            instruments, channels=terms.channels or markets.CHANNELS, endpoints=terms.endpoints,
            is_stamped=terms.is_stamped,
        )  # fmt: skip

    def for_capture(self, instruments: Sequence[Instrument], kind: str, recorded: Recorded) -> Venue:
        channels = recorded.channels or (ALL_CHANNELS if recorded.has_books else ALL_CHANNELS[1:])
        return Kraken(instruments, channels=channels, depth=markets.AS_TOLD)

    def fees_bps(self, kind: str) -> tuple[float, float]:
        return markets.MAKER_FEE_BPS, markets.TAKER_FEE_BPS

    def instruments_path(self, kind: str, symbols: Sequence[str]) -> str:
        return markets.instruments_path(symbols)

    def instruments_of(self, body: bytes, kind: str, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        return markets.instruments_of(body, symbols)

    def sightings(self, frame: bytes) -> Iterator[Sighting]:
        document = texts_of(frame)
        channel, data = document["channel"], document["data"]
        for each in data if channel in (markets.BOOK, markets.TRADE, markets.TICKER, markets.CANDLE) else ():
            if channel == markets.BOOK:
                levels = [(level["price"], level["qty"]) for side in ("bids", "asks") for level in each[side]]
            elif channel == markets.TRADE:
                levels = [(each["price"], each["qty"])]
            elif channel == markets.TICKER:
                levels = [(each["bid"], each["bid_qty"]), (each["ask"], each["ask_qty"])]
            else:
                levels = []
            yield Sighting(each["symbol"], levels, is_book=channel == markets.BOOK)


LISTING = KrakenListing()
