"""Messages of Coinbase Advanced Trade made by hand, and the conversations that were recorded."""

from __future__ import annotations

import json
import re
from pathlib import Path

from streamtrader.events import BookState
from streamtrader.venues.coinbase import Coinbase, markets
from tests.venues.streamed import NOW_NS, instruments_of, ring_of

SECOND = 1_000_000_000
TIME = "2026-04-07T14:30:01.456789Z"
TIME_NS = 1_775_572_201_456_789_000
BUY, SELL = 0, 1
START = 1_775_571_900  # of a candle, in seconds
LOST = [BookState.GAP, BookState.SYNCING]
BIDS, ASKS = (("100.10", "1.5"), ("100.00", "0.02")), (("100.20", "3.0"), ("100.40", "0.1"))


def message(channel: str, sequence: int, *events: dict) -> bytes:
    head = {"channel": channel, "client_id": "", "timestamp": TIME, "sequence_num": sequence}
    return json.dumps(head | {"events": events}, separators=(",", ":")).encode()


def book(sequence: int, kind: str, bids=(), asks=(), symbol: str = "BTC-USD") -> bytes:
    updates = [
        {"side": side, "event_time": "1970-01-01T00:00:00Z", "price_level": price, "new_quantity": size}
        for side, levels in (("bid", bids), ("offer", asks))
        for price, size in levels
    ]
    return message("l2_data", sequence, {"type": kind, "product_id": symbol, "updates": updates})


def trade(identity: str, side: str = "BUY", symbol: str = "BTC-USD", **other: str) -> dict:
    told = {"trade_id": identity, "product_id": symbol, "price": "100.10", "size": "0.3", "side": side, "time": TIME}
    return told | other


def trades(sequence: int, *each: dict, kind: str = "update") -> bytes:
    return message("market_trades", sequence, {"type": kind, "trades": each})


def candle(sequence: int, *starts_and_closes: tuple[int, str], kind: str = "update") -> bytes:
    told = [
        {"start": str(start), "high": "110", "low": "90", "open": "100", "close": close, "volume": "12.5"}
        | {"product_id": "BTC-USD"}
        for start, close in starts_and_closes
    ]
    return message("candles", sequence, {"type": kind, "candles": told})


def beat(sequence: int, counter: int) -> bytes:
    return message(
        "heartbeats", sequence, {"current_time": "2026-04-07 14:30:10 +0000 UTC", "heartbeat_counter": counter}
    )


def live_books(*symbols: str, channels=markets.ALL_CHANNELS):
    """An adapter whose books are all LIVE, its ring, and the number of the next message."""
    symbols = symbols or ("BTC-USD",)
    venue = Coinbase(instruments_of("coinbase", symbols), channels=channels)
    ring = ring_of(venue)
    for sequence, symbol in enumerate(symbols):
        venue.decode(book(sequence, "snapshot", BIDS, ASKS, symbol), NOW_NS, ring)
    return venue, ring, len(symbols)


def conversation(path: Path) -> tuple[list[dict], list[bytes]]:
    """What a client says in a fixture, and what the venue answers."""
    parts = re.split(r"(?m)^([<>=])\d* ?", path.read_text())
    spoken = list(zip(parts[1::2], parts[2::2], strict=True))
    return [json.loads(text) for mark, text in spoken if mark == ">"], [
        text.strip().encode() for mark, text in spoken if mark != ">"
    ]


def counted(venue) -> tuple[int, int, int, int]:
    counters = venue.counters
    return counters.rejected, counters.unknown, counters.errors, counters.faults
