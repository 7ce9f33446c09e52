"""Which streams come from which path: USD-M has routed its own since 2026-04-23, spot has one path for all.

https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Important-WebSocket-Change-Notice
A stream that a path does not serve is acknowledged and never sent. The old path without a route goes on serving what
`/public` does (github.com/binance/binance-public-data/issues/472).
"""

from __future__ import annotations

from streamtrader.exchange.market import MarketKind

STREAM_PATHS = ("/stream", "/ws", "/ws/{streams:.+}")
PUBLIC, MARKET = "/public", "/market"
PUBLIC_FEEDS = frozenset(("trade", "bookTicker", "depth", "depth5", "depth10", "depth20"))


def stream_paths(kind: MarketKind) -> tuple[str, ...]:
    """Where streams of such a market are asked for."""
    prefixes = ("",) if kind == "spot" else ("", PUBLIC, MARKET)
    return tuple(prefix + path for prefix in prefixes for path in STREAM_PATHS)


def is_served(kind: MarketKind, path: str, feed: str) -> bool:
    """Whether frames of a feed are sent to who connected to `path`."""
    return kind == "spot" or (feed in PUBLIC_FEEDS) != path.startswith(MARKET)
