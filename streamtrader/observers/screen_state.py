"""What a person sees of a run: plain figures that the runtime fills in whenever the screen is drawn anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketLine:
    """One instrument. Prices are text already, with the venue's own number of decimals; `state` as in BOOK_STATES."""

    symbol: str
    bid: str = "-"
    ask: str = "-"
    spread_bps: float | None = None
    lag_ms: float | None = None
    state: str = "syncing"
    position: float = 0.0
    pnl_quote: float = 0.0
    fills: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Something that happened to an order: `kind` is one of the keys of screen.GLYPHS."""

    time: str  # of the market, HH:MM:SS
    kind: str
    symbol: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenState:
    """Everything that the live screen shows, taken now."""

    mode: str = "PAPER"
    venue: str = "EMBEDDED"
    market_time: str = ""
    elapsed_s: float = 0.0
    progress_ratio: float | None = None  # of a market that ends
    markets: Sequence[MarketLine] = ()
    equity_quote: float = 0.0
    equity_start_quote: float = 0.0
    realized_quote: float = 0.0
    fees_quote: float = 0.0
    orders: int = 0
    open_orders: int = 0
    fills: int = 0
    partial_fills: int = 0
    refused: int = 0
    activity: Sequence[Activity] = ()  # the newest last
    decision_p50_us: float | None = None
    decision_p99_us: float | None = None
    events_per_s: float = 0.0
    loop_lag_ms: float | None = None
    memory_mib: float | None = None
    notice: str = ""  # what needs attention, shown until it is gone
    is_halted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What is said once, before the first event: what runs on what, and where it is kept."""

    version: str
    kernels: str
    market: str
    strategies: Sequence[str]  # each with the streams that it is attached to
    rules: Sequence[str]
    directory: str
    metrics_url: str = ""
    mode: str = "PAPER"
    venue: str = "EMBEDDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyLine:
    """What one strategy did on one instrument."""

    strategy: str
    symbol: str
    orders: int = 0
    fills: int = 0
    position: float = 0.0
    fees_quote: float = 0.0
    pnl_quote: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is said once, after the last event."""

    reason: str
    elapsed_s: float
    equity_quote: float
    equity_start_quote: float
    fees_quote: float
    drawdown_quote: float
    orders: int
    fills: int
    partial_fills: int
    refused: int
    events: int
    strategies: Sequence[StrategyLine]
    directory: str
    next_commands: Sequence[str] = ()
    mode: str = "PAPER"


TakeState = Callable[[], ScreenState]
