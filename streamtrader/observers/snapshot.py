"""What the runtime tells the observers: plain figures, taken at the moment somebody looks.

The runtime passes one callable that returns a `Snapshot`; nothing here knows where the figures live, and nothing on
the hot path waits for a scrape. Histograms are the live ones: they are copied, not emptied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from streamtrader.observers.histogram import Histogram

BOOK_STATES = ("syncing", "live", "stale", "crossed", "gap")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFigures:
    """One channel of one venue, all symbols together: `trade`, `depth`, `quote`."""

    venue: str
    channel: str
    messages: int = 0
    rejected: int = 0
    gaps: int = 0
    resyncs: int = 0
    unknown: int = 0
    silences: int = 0
    checksums_verified: int = 0
    checksums_failed: int = 0
    lag: Histogram | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFigures:
    """The links to one venue: what was lost, delayed, repeated or replaced on the way."""

    venue: str
    links_open: int = 0
    connect_failures: int = 0
    silences: int = 0
    rotations: int = 0
    pauses: int = 0
    delayed: int = 0
    conflated: int = 0
    oversized: int = 0
    overflows: int = 0
    duplicates: int = 0
    misfits: int = 0
    held: int = 0
    forced: int = 0
    clock_jumps: int = 0
    clock_ahead_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BookFigures:
    """One instrument's book; `state` is one of BOOK_STATES, `last_message_s` since the epoch (0: none yet)."""

    venue: str
    symbol: str
    state: str
    last_message_s: float = 0.0
    forgotten: int = 0  # levels too far from the best to be kept
    worn: int = 0  # times that the price came to such levels


@dataclass(frozen=True, slots=True, kw_only=True)
class RingFigures:
    """A bounded buffer: how full, what it dropped, what it held up."""

    name: str
    fill_ratio: float = 0.0
    dropped: int = 0
    delayed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionFigures:
    """What one account holds of one instrument."""

    account: str
    symbol: str
    size: float = 0.0
    exposure_quote: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFigures:
    """Money by strategy. PnL may fall, so it is never a counter."""

    account: str
    strategy: str
    equity_quote: float = 0.0
    pnl_realized_quote: float = 0.0
    pnl_unrealized_quote: float = 0.0
    fees_paid_quote: float = 0.0
    drawdown_ratio: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What is running."""

    version: str = ""
    python: str = ""
    numba: str = ""
    uvloop: str = ""
    mode: str = "paper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that can be measured about a run, now."""

    build: Build = Build()
    channels: Sequence[ChannelFigures] = ()
    reconnects: Mapping[str, int] = field(default_factory=dict)  # by venue
    connections: Sequence[ConnectionFigures] = ()
    books: Sequence[BookFigures] = ()
    rings: Sequence[RingFigures] = ()
    decode: Histogram | None = None
    tick_to_decision: Histogram | None = None
    loop_lag: Histogram | None = None
    commit: Histogram | None = None
    orders: Mapping[str, int] = field(default_factory=dict)  # by status
    fills: Mapping[str, int] = field(default_factory=dict)  # by liquidity: maker, taker
    partial_fills: int = 0
    refusals: Mapping[str, int] = field(default_factory=dict)  # by rule
    positions: Sequence[PositionFigures] = ()
    accounts: Sequence[AccountFigures] = ()
    is_halted: bool = False
    events_total: int = 0
    journal_backlog_events: int = 0
    db_size_bytes: int = 0
    tape_size_bytes: int = 0
    log_dropped: int = 0
    log_failed: int = 0
    stopped_seats: int = 0


TakeSnapshot = Callable[[], Snapshot]
