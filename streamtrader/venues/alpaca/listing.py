"""Alpaca in the registry."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from streamtrader.errors import ConfigError
from streamtrader.instruments import Instrument
from streamtrader.units import decimal_text
from streamtrader.venues.alpaca import markets
from streamtrader.venues.alpaca.adapter import ENCODINGS, Alpaca
from streamtrader.venues.alpaca.login import KEY_NAME, SECRET_NAME
from streamtrader.venues.alpaca.messages import BINARY_HEAD
from streamtrader.venues.credentials import Credentials, Secret, credentials_of
from streamtrader.venues.listing import Listing, Recorded, Sighting, Terms, texts_of
from streamtrader.venues.venue import Endpoints, Venue

ANYBODY = Credentials(Secret("anybody"), Secret("anybody"))  # a stamped market is ours, and asks who, not whether
_BAR = (("o", "v"), ("h", "v"), ("l", "v"), ("c", "v"))
LEVELS = {
    "t": (("p", "s"),), "q": (("bp", "bs"), ("ap", "as")), "b": _BAR, "u": _BAR, "x": (("p", "s"),), "c": (("cp", "cs"),),
}  # fmt: skip


class AlpacaListing(Listing):
    """Stocks and crypto under one name: a symbol with a slash is crypto."""

    name = "alpaca"
    title = "Alpaca"
    kinds = ("spot",)
    channels = markets.ALL_CHANNELS
    always = (markets.STATUSES,)
    limits = markets.LIMITS
    compression = "offered"
    proof = "none: the venue numbers nothing and sends no checksum"
    hosts = ("alpaca.markets",)
    needs_key = True
    encodings = ENCODINGS

    def endpoints(self, kind: str) -> tuple[Endpoints, ...]:
        return markets.ENDPOINTS

    def credentials(self) -> Credentials:
        found = credentials_of(os.environ, KEY_NAME, SECRET_NAME)
        if found is None:
            raise ConfigError(f"alpaca tells nothing without a key: set {KEY_NAME} and {SECRET_NAME}")
        return found

    def rest_headers(self) -> Mapping[str, str]:
        credentials = self.credentials()
        return {"APCA-API-KEY-ID": credentials.key.reveal(), "APCA-API-SECRET-KEY": credentials.secret.reveal()}

    def spoken(self, kind: str, candle_s: int) -> Mapping[str, tuple[str, ...]]:
        return {
            "trade": (markets.TRADES,), "quote": (markets.QUOTES,), "book": (markets.BOOKS,), "candle": (markets.BARS,),
        }  # fmt: skip

    def feeds_of(self, symbols: Sequence[str]) -> tuple[str, ...]:
        """Those of the symbols' class; of stocks and crypto together no feed tells."""
        classes = {markets.is_crypto(symbol) for symbol in symbols}
        if len(classes) > 1:
            raise ConfigError("one alpaca connection carries stocks or crypto, not both: run a session for each")
        return tuple(markets.feeds_of(is_crypto=classes == {True}))

    def for_session(self, instruments: Sequence[Instrument], kind: str, terms: Terms) -> Venue:
        credentials = ANYBODY if terms.is_stamped else self.credentials()
        return Alpaca(
            instruments, channels=terms.channels or markets.CHANNELS, endpoints=terms.endpoints,
            credentials=credentials, feed=terms.feed, encoding=terms.encoding, is_stamped=terms.is_stamped,
        )  # fmt: skip

    def for_capture(self, instruments: Sequence[Instrument], kind: str, recorded: Recorded) -> Venue:
        unheard = () if recorded.has_books else (markets.BOOKS, markets.QUOTES)
        every = [channel for channel in markets.ALL_CHANNELS if channel not in unheard]
        return Alpaca(instruments, channels=recorded.channels or every)

    def instruments_path(self, kind: str, symbols: Sequence[str]) -> str:
        return markets.instruments_path(symbols)

    def instruments_of(self, body: bytes, kind: str, symbols: Sequence[str]) -> tuple[Instrument, ...]:
        return markets.instruments_of(body, symbols)

    def fees_bps(self, kind: str) -> tuple[float, float]:
        """Those of crypto: a capture of stocks names its own with `instruments`."""
        return markets.CRYPTO_FEES_BPS

    def split(self, symbol: str) -> tuple[str, str]:
        base, _, quoted = symbol.partition("/")
        return base, quoted or "USD"

    def sightings(self, frame: bytes) -> Iterator[Sighting]:
        for message in _texts_of(frame):
            kind, symbol = message["T"], message["S"]
            if kind == "o":
                levels = [(level["p"], level["s"]) for side in ("b", "a") for level in message[side]]
            else:
                levels = [(message[price], message[size]) for price, size in LEVELS.get(kind, ())]
            is_book = kind == "o" or (
                kind == "q" and not markets.is_crypto(symbol)
            )  # where the top of book comes from
            yield Sighting(symbol, levels, is_book=is_book)


def _texts_of(frame: bytes) -> Any:
    """Every number as text: msgpack carries doubles, whose shortest text is the one that the venue meant."""
    if not frame or frame[0] < BINARY_HEAD:
        return texts_of(frame)
    messages: list[dict[str, Any]] = msgspec.msgpack.decode(frame, type=list[dict[str, Any]])
    return [_with_texts(message) for message in messages]


def _with_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_texts(inner) for inner in value]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return decimal_text(Decimal(repr(value))) if is_number else value


LISTING = AlpacaListing()
