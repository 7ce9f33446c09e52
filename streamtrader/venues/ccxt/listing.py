"""ccxt in the registry: `ccxt` for what all its exchanges have in common, `ccxt:kucoin` for one of them.

The rules of instruments come through ccxt too (`venues/ccxt_venue.py`); only recordings of ours can be imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from streamtrader.errors import ConfigError
from streamtrader.instruments import Instrument
from streamtrader.venues.ccxt.adapter import LIMITS, LIVE_CHANNELS, Ccxt
from streamtrader.venues.ccxt.markets import TIMEFRAMES
from streamtrader.venues.ccxt.messages import ALL_CHANNELS, BOOK, CANDLE, QUOTE, TRADE
from streamtrader.venues.listing import Listing, Recorded, Sighting, Terms, texts_of
from streamtrader.venues.venue import Endpoints, Venue


class CcxtListing(Listing):
    """`exchange` is ccxt's id of it, "" for none in particular."""

    title = "any other, through ccxt.pro"
    kinds = ("spot", "perpetual")
    channels = ALL_CHANNELS
    candles_s = tuple(TIMEFRAMES)
    limits = LIMITS
    proof = "not proved here: ccxt's own book, told whole, never crossed, never silent"
    hosts = ()

    def __init__(self, exchange: str = "") -> None:
        self.exchange = exchange
        self.name = f"ccxt:{exchange}" if exchange else "ccxt"

    def endpoints(self, kind: str) -> tuple[Endpoints, ...]:
        return (Endpoints(self.name, self.name),)

    def spoken(self, kind: str, candle_s: int) -> Mapping[str, tuple[str, ...]]:
        return {"trade": (TRADE,), "quote": (QUOTE,), "book": (BOOK,), "candle": (CANDLE,)}

    def for_session(self, instruments: Sequence[Instrument], kind: str, terms: Terms) -> Venue:
        return Ccxt(
            instruments, name=self.name, endpoints=terms.endpoints, channels=terms.channels or LIVE_CHANNELS
        )  # fmt: skip

    def for_capture(self, instruments: Sequence[Instrument], kind: str, recorded: Recorded) -> Venue:
        channels = recorded.channels or (ALL_CHANNELS if recorded.has_books else (TRADE, QUOTE, CANDLE))
        return Ccxt(instruments, name=self.name, channels=channels)

    def instruments_path(self, kind: str, symbols: Sequence[str]) -> str:
        return ""  # no recording holds an answer with them

    def instruments_of(self, body: bytes, kind: str, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        raise ConfigError(f"{self.name}: the rules of its instruments are asked for through ccxt")

    def sightings(self, frame: bytes) -> Iterator[Sighting]:
        document = texts_of(frame)
        channel, symbol = document["channel"], document["symbol"]
        if channel == BOOK and "is_snapshot" in document:
            yield Sighting(
                symbol, [tuple(level) for side in ("bids", "asks") for level in document[side]], is_book=True
            )
        elif channel == TRADE and "trades" in document:
            yield Sighting(symbol, [(trade[3], trade[4]) for trade in document["trades"]])
        elif channel == QUOTE and "bid_size" in document:
            yield Sighting(symbol, [(document["bid"], document["bid_size"])])


LISTING = CcxtListing()
