"""Coinbase Advanced Trade in the registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from streamtrader.instruments import Instrument
from streamtrader.venues.coinbase import markets
from streamtrader.venues.coinbase.adapter import Coinbase, check_books
from streamtrader.venues.listing import Listing, Recorded, Sighting, Terms, texts_of
from streamtrader.venues.venue import Endpoints, Venue


class CoinbaseListing(Listing):
    """Spot, and the futures of two houses, over one address."""

    name = "coinbase"
    title = "Coinbase Advanced Trade"
    kinds = markets.KINDS
    channels = markets.ALL_CHANNELS
    always = (markets.HEARTBEAT,)
    candles_s = (markets.CANDLE_MINUTES * 60,)
    limits = markets.LIMITS
    proof = "sequence_num of the connection without a hole, and no book that crosses itself"
    hosts = ("advanced-trade-ws.coinbase.com", "advanced-trade-ws-user.coinbase.com", "api.coinbase.com")

    def endpoints(self, kind: str) -> tuple[Endpoints, ...]:
        return markets.ENDPOINTS

    def spoken(self, kind: str, candle_s: int) -> Mapping[str, tuple[str, ...]]:
        return {
            "trade": (markets.TRADE,), "quote": (markets.TICKER,), "book": (markets.BOOK,), "candle": (markets.CANDLE,),
        }  # fmt: skip

    def for_session(self, instruments: Sequence[Instrument], kind: str, terms: Terms) -> Venue:
        check_books([instrument.symbol for instrument in instruments])
        return Coinbase(
            instruments, channels=terms.channels or markets.CHANNELS, endpoints=terms.endpoints,
            is_stamped=terms.is_stamped,
        )  # fmt: skip

    def for_capture(self, instruments: Sequence[Instrument], kind: str, recorded: Recorded) -> Venue:
        told = [channel for channel in markets.ALL_CHANNELS if recorded.has_books or channel != markets.BOOK]
        return Coinbase(instruments, channels=recorded.channels or told)

    def fees_bps(self, kind: str) -> tuple[float, float]:
        return markets.FEES_BPS.get(kind, markets.OTHER_FEES_BPS)

    def instruments_path(self, kind: str, symbols: Sequence[str]) -> str:
        return markets.instruments_path(kind, symbols)

    def instruments_of(self, body: bytes, kind: str, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        return markets.instruments_of(body, kind, symbols)

    def sightings(self, frame: bytes) -> Iterator[Sighting]:
        document = texts_of(frame)
        channel = document["channel"]
        for event in document["events"]:
            if channel == "l2_data":
                symbol = event["product_id"]
                levels = [(update["price_level"], update["new_quantity"]) for update in event["updates"]]
                yield Sighting(symbol, levels, is_book=True, kind=markets.kind_of_symbol(symbol))
            elif channel == markets.TRADE:
                for trade in event["trades"]:
                    symbol = trade["product_id"]
                    yield Sighting(symbol, [(trade["price"], trade["size"])], kind=markets.kind_of_symbol(symbol))
            elif channel in (markets.TICKER, markets.TICKER_BATCH):
                for ticker in event["tickers"]:
                    symbol = ticker["product_id"]
                    yield Sighting(symbol, [(ticker["price"], "0")], kind=markets.kind_of_symbol(symbol))
            elif channel == markets.CANDLE:
                for candle in event["candles"]:
                    yield Sighting(candle["product_id"], kind=markets.kind_of_symbol(candle["product_id"]))


LISTING = CoinbaseListing()
