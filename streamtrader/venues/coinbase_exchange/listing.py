"""Coinbase Exchange in the registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from streamtrader.instruments import Instrument
from streamtrader.venues.coinbase_exchange import markets
from streamtrader.venues.coinbase_exchange.adapter import CoinbaseExchange
from streamtrader.venues.listing import Listing, Recorded, Sighting, Terms, texts_of
from streamtrader.venues.venue import Endpoints, Venue


class CoinbaseExchangeListing(Listing):
    """Spot. The same orders as Advanced Trade's, in another protocol."""

    name = "coinbase-exchange"
    title = "Coinbase Exchange"
    kinds = ("spot",)
    channels = (*markets.BOOKS, *markets.OTHER_CHANNELS)
    always = (markets.HEARTBEAT,)
    candles_s = ()
    limits = markets.LIMITS
    compression = "offered and recommended"
    proof = "none by number: no unknown removals, no crossing, the ticker's best prices; trade ids"
    hosts = ("exchange.coinbase.com", "pro.coinbase.com", "gdax.com")

    def endpoints(self, kind: str) -> tuple[Endpoints, ...]:
        return markets.ENDPOINTS

    def spoken(self, kind: str, candle_s: int) -> Mapping[str, tuple[str, ...]]:
        return {"trade": (markets.MATCHES,), "quote": (markets.TICKER,), "book": (markets.BOOK_BATCH,)}

    def for_session(self, instruments: Sequence[Instrument], kind: str, terms: Terms) -> Venue:
        return CoinbaseExchange(
            instruments, channels=terms.channels or markets.CHANNELS, endpoints=terms.endpoints,
            is_stamped=terms.is_stamped,
        )  # fmt: skip

    def for_capture(self, instruments: Sequence[Instrument], kind: str, recorded: Recorded) -> Venue:
        told = (*((markets.BOOK_BATCH,) if recorded.has_books else ()), *markets.OTHER_CHANNELS)
        return CoinbaseExchange(instruments, channels=recorded.channels or told)

    def fees_bps(self, kind: str) -> tuple[float, float]:
        return markets.MAKER_FEE_BPS, markets.TAKER_FEE_BPS

    def instruments_path(self, kind: str, symbols: Sequence[str]) -> str:
        return markets.instruments_path(symbols)

    def instruments_of(self, body: bytes, kind: str, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        return markets.instruments_of(body, symbols)

    def sightings(self, frame: bytes) -> Iterator[Sighting]:
        document = texts_of(frame)
        kind, symbol = document["type"], document.get("product_id", "")
        if kind == "snapshot":
            yield Sighting(
                symbol, [(price, size) for side in ("bids", "asks") for price, size in document[side]], True
            )
        elif kind == "l2update":
            yield Sighting(symbol, [(price, size) for _, price, size in document["changes"]], True)
        elif kind in ("match", "last_match"):
            yield Sighting(symbol, [(document["price"], document["size"])])
        elif kind == "ticker":
            yield Sighting(symbol, [(document["best_bid"], "0"), (document["best_ask"], "0")])


LISTING = CoinbaseExchangeListing()
