"""Messages of Coinbase Exchange made by hand, and its recorded capture."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from streamtrader.events import BookState
from streamtrader.venues.coinbase_exchange import CoinbaseExchange, markets
from tests.venues.streamed import NOW_NS, instruments_of, ring_of, venue_of

SECOND = 1_000_000_000
TIME = "2021-04-17T16:43:37.075687Z"
BUY, SELL = 0, 1
LOST = [BookState.GAP, BookState.SYNCING]
BIDS, ASKS = [["0.7901", "1548.0"], ["0.7900", "20.0"]], [["0.7910", "985.1"], ["0.7920", "1.0"]]
CAPTURE = "wire/coinbase/cryptofeed_COINBASE_EXCHANGE_2021.ws.txt.gz"
SYMBOLS = (
    "BAND-GBP", "SKL-GBP", "NU-GBP", "YFI-BTC", "SKL-BTC", "CRV-EUR", "BAND-BTC", "DASH-BTC", "NMR-EUR", "SKL-USD",
)  # fmt: skip


def message(kind: str, symbol: str = "SKL-USD", **other: object) -> bytes:
    return json.dumps({"type": kind, "product_id": symbol} | other, separators=(",", ":")).encode()


def snapshot(bids=BIDS, asks=ASKS, symbol: str = "SKL-USD") -> bytes:
    return message("snapshot", symbol, asks=asks, bids=bids)


def changes(*each: tuple[str, str, str], symbol: str = "SKL-USD") -> bytes:
    return message("l2update", symbol, changes=each, time=TIME)


def match(identity: int, side: str = "sell", kind: str = "match", **other: object) -> bytes:
    told = {"trade_id": identity, "side": side, "size": "985", "price": "0.7910", "sequence": 177, "time": TIME}
    return message(kind, **(told | other))


def heartbeat(sequence: int, last_trade_id: int) -> bytes:
    return message("heartbeat", sequence=sequence, last_trade_id=last_trade_id, time=TIME)


def ticker(bid: str, ask: str, **other: str) -> bytes:
    return message("ticker", sequence=1, price="0.79", best_bid=bid, best_ask=ask, time=TIME, **other)


def subscribed(*channels: str) -> bytes:
    told = [{"name": channel, "product_ids": ["SKL-USD"]} for channel in channels]
    return json.dumps({"type": "subscriptions", "channels": told}).encode()


def live_books(*symbols: str, channel: str = markets.BOOK):
    """An adapter whose books are all LIVE with the same two levels a side, and its ring."""
    symbols = symbols or ("SKL-USD",)
    venue = CoinbaseExchange(
        instruments_of("coinbase-exchange", symbols), channels=(channel, *markets.OTHER_CHANNELS)
    )
    ring = ring_of(venue)
    for symbol in symbols:
        venue.decode(snapshot(symbol=symbol), NOW_NS, ring)
    return venue, ring


def recorded(shared_data: Path) -> Iterator[tuple[int, bytes]]:
    """Clock and bytes of each frame of the capture."""
    for line in gzip.decompress((shared_data / CAPTURE).read_bytes()).splitlines():
        clock, mark, text = line.partition(b": ")
        if mark and not clock.startswith(b"wss:"):
            yield int(float(clock) * 1e9), text


def played(shared_data: Path, damage=lambda frames: frames):
    """The capture through an adapter, damaged before."""
    venue = venue_of("coinbase-exchange", *SYMBOLS)
    ring = ring_of(venue, 1 << 15)
    for clock, frame in damage(list(recorded(shared_data))):
        venue.decode(frame, clock, ring)
    return venue, ring
