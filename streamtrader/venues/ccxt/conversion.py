"""From what ccxt's `watch_*` returns to frames of ours. Pure: no ccxt, no socket, no clock.

A book comes whole each time; `BookDiff` tells what changed since the last one that was told. So results that were
missed while the ring was full lose nothing: the next difference holds them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from streamtrader.venues.ccxt.messages import Book, Candle, Candles, Level, Quote, Told, Trade, Trades
from streamtrader.venues.values import IDENTITY_MOST

DEPTH = 100  # levels of each side that are told: to compare a thousand would cost ten times as much
KNOWN_IDS = 4096
HISTORY_MS = 1000  # what the first result holds besides the newest trades is history
encode = msgspec.json.Encoder().encode


def whole(value: Any) -> int:
    """A clock or a number of an update: 0 where there is none that counts."""
    number = value if isinstance(value, int) else 0
    return number if 0 < number < IDENTITY_MOST else 0


def told_frame(symbol: str, channel: str, error: str, *, is_final: bool = False) -> bytes:
    return encode(Told(symbol, channel, error[:200], is_final))


def quote_frame(symbol: str, ticker: Mapping[str, Any]) -> bytes:
    """Of a ticker; many exchanges give no sizes with it, and then it is no quote."""
    numbers = (ticker.get(name) or 0.0 for name in ("bid", "bidVolume", "ask", "askVolume"))
    return encode(Quote(symbol, whole(ticker.get("timestamp")), *numbers))


def candles_frame(symbol: str, candles: Sequence[Sequence[Any]]) -> bytes:
    return encode(Candles(symbol, [Candle(*candle[:6]) for candle in candles]))


class TradeSieve:
    """Trades of one symbol, each once: after a restart an exchange may tell its last ones again.

    Trades without an id cannot be told apart and all pass.
    """

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self._known: dict[str, None] = {}
        self._has_begun = False

    def frame(self, trades: Sequence[Mapping[str, Any]], *, is_overfull: bool = False) -> bytes:
        if not self._has_begun and trades:
            self._has_begun = True
            newest_ms = max(whole(trade.get("timestamp")) for trade in trades)
            trades = [trade for trade in trades if whole(trade.get("timestamp")) >= newest_ms - HISTORY_MS]
        kept = [_trade(trade) for trade in trades if self._is_new(trade.get("id"))]
        return encode(Trades(self.symbol, kept, is_overfull))

    def _is_new(self, identity: Any) -> bool:
        if identity is None:
            return True
        known = self._known
        if identity in known:
            return False
        known[identity] = None
        if len(known) > KNOWN_IDS:
            del known[next(iter(known))]
        return True


def _trade(trade: Mapping[str, Any]) -> Trade:
    text = str(trade.get("id") or "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    side = trade.get("side") or ""
    return Trade(whole(number), whole(trade.get("timestamp")), side, trade["price"], trade["amount"])


class BookDiff:
    """One symbol's book as it was told last: the best `depth` levels of each side."""

    def __init__(self, symbol: str, depth: int = DEPTH) -> None:
        self.symbol = symbol
        self.depth = depth
        self._bids: dict[float, float] = {}
        self._asks: dict[float, float] = {}
        self._is_told = False

    def forget(self) -> None:
        """The next one is told whole."""
        self._is_told = False

    def frame(self, book: Mapping[str, Any]) -> bytes:
        """A frame, of no level where nothing changed within the depth: it still says that the book is alive."""
        bids, asks = _sizes(book["bids"][: self.depth]), _sizes(book["asks"][: self.depth])
        if bids and asks and not max(bids) < min(asks):
            self.forget()
            return told_frame(self.symbol, "book", "SequenceGap: ccxt's book is crossed")
        is_snapshot = not self._is_told
        if is_snapshot:
            levels = list(bids.items()), list(asks.items())
        else:
            levels = _changes(self._bids, bids), _changes(self._asks, asks)
        self._bids, self._asks, self._is_told = bids, asks, True
        update, time_ms = whole(book.get("nonce")), whole(book.get("timestamp"))
        return encode(Book(self.symbol, is_snapshot, update, time_ms, *levels))


def _sizes(levels: Sequence[Sequence[float]]) -> dict[float, float]:
    """Size by price; books of orders have a price several times."""
    sizes = {level[0]: level[1] for level in levels}
    if len(sizes) < len(levels):
        sizes = dict.fromkeys(sizes, 0.0)
        for level in levels:
            sizes[level[0]] += level[1]
    return sizes


def _changes(before: Mapping[float, float], now: Mapping[float, float]) -> list[Level]:
    """Removals first: the sides of a book never cross on the way."""
    return [(price, 0.0) for price in before if price not in now] + [
        (price, size) for price, size in now.items() if before.get(price) != size
    ]
