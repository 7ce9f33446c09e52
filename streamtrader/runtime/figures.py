"""A session in figures, for those who watch: metrics, health, screen, the closing summary. Reads, never changes."""

from __future__ import annotations

import platform
import time
from dataclasses import fields
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

import streamtrader
from streamtrader.events import ASK, BID, BookState, Kind
from streamtrader.kernel.table import HANDLERS
from streamtrader.observers.health import Health
from streamtrader.observers.screen_state import Beginning, Ending, MarketLine, ScreenState, StrategyLine
from streamtrader.observers.snapshot import (
    AccountFigures,
    BookFigures,
    Build,
    ChannelFigures,
    ConnectionFigures,
    PositionFigures,
    RingFigures,
    Snapshot,
)
from streamtrader.runtime.residence import resident_mib
from streamtrader.runtime.tally import clock_text
from streamtrader.units import NS_PER_S, decimal_price

if TYPE_CHECKING:
    from streamtrader.instruments import Instrument
    from streamtrader.runtime.live import Session
    from streamtrader.runtime.tally import Tally

STATES = {int(state): state.name.lower() for state in BookState}


def build() -> Build:
    try:
        from uvloop._version import __version__ as loop
    except ImportError:  # optional: the loop of the standard library serves
        loop = "none"
    return Build(
        version=streamtrader.__version__, python=platform.python_version(), numba=metadata.version("numba"), uvloop=loop
    )


def snapshot(session: Session, tally: Tally) -> Snapshot:
    """For Prometheus."""
    venue, state = session.feed.adapter.name, session.engine.state
    counters, ring = session.feed.adapter.counters, session.ring
    seats = state.seats
    return Snapshot(
        build=build(),
        channels=(
            ChannelFigures(venue=venue, channel="all", messages=counters.frames, rejected=counters.rejected,
                           gaps=counters.gaps, resyncs=counters.resyncs, unknown=counters.unknown,
                           silences=counters.silences, checksums_verified=counters.checksums_verified,
                           checksums_failed=counters.checksums_failed),
        ),
        reconnects={venue: _reconnects(session)},
        connections=(_connection_figures(session),),
        books=tuple(_book_figures(session, at) for at in range(len(state.markets))),
        rings=(
            RingFigures(name="events", fill_ratio=ring.fill_ratio, delayed=session.connection.counters.delayed),
            RingFigures(name="outbox", dropped=int(session.engine.outbox[0].lost)),
        ),
        tick_to_decision=session.decisions,
        loop_lag=session.loop_lag,
        commit=session.recorder.commits,
        orders=dict(tally.orders) | {"sent": int((seats["order_count"]).sum())},
        fills=dict(tally.fills),
        partial_fills=int(seats["partial_fill_count"].sum()),
        refusals=dict(tally.refusals),
        positions=tuple(_position_figures(session, at) for at in range(len(seats))),
        accounts=tuple(_account_figures(session, at) for at in range(len(seats))),
        is_halted=bool((seats["halted"] != 0).any()),
        events_total=int(state.clock[0].event_count),
        journal_backlog_events=session.recorder.backlog,
        db_size_bytes=_size_of(session.directory.database),
        tape_size_bytes=session.recorder.tape.size_bytes,
        stopped_seats=int((seats["failure_count"] > 0).sum()),
    )  # fmt: skip


def _reconnects(session: Session) -> int:
    return max(0, session.connection.counters.connects - session.settings.venue.connections)


def _connection_figures(session: Session) -> ConnectionFigures:
    counters = session.connection.counters
    names = [field.name for field in fields(ConnectionFigures) if field.name not in ("venue", "clock_ahead_s")]
    told = {name: getattr(counters, name) for name in names}
    return ConnectionFigures(
        venue=session.feed.adapter.name, clock_ahead_s=counters.clock_ahead_ns / NS_PER_S, **told
    )


def _size_of(path: Any) -> int:
    try:
        return int(path.stat().st_size)
    except OSError:
        return 0


def _book_figures(session: Session, at: int) -> BookFigures:
    market = session.engine.state.markets[at]
    return BookFigures(
        venue=session.feed.adapter.name,
        symbol=session.feed.instruments[at].symbol,
        state=STATES.get(int(market.state), "syncing"),
        last_message_s=float(market.book_ns) / NS_PER_S,
        forgotten=int(market.book.forgotten_count),
        worn=int(market.worn_count),
    )


def _position_figures(session: Session, at: int) -> PositionFigures:
    seat = session.engine.state.seats[at]
    market = session.engine.state.markets[int(seat.instrument)]
    size = float(seat.position_lots) / float(market.lots_per_unit)
    return PositionFigures(
        account=str(at),
        symbol=session.feed.instruments[int(seat.instrument)].symbol,
        size=size,
        exposure_quote=size * float(market.mark_price()),
    )


def _account_figures(session: Session, at: int) -> AccountFigures:
    seat, ledger = session.engine.state.seats[at], session.recorder.ledgers[at]
    realized, start = float(ledger.realized), float(seat.initial_cash)
    stake = start + float(session.engine.state.accounts[int(seat.account)].deposit)
    return AccountFigures(
        account=str(at),
        strategy=session.recorder.journal.seats[at].strategy,
        equity_quote=float(seat.equity),
        pnl_realized_quote=realized,
        pnl_unrealized_quote=float(seat.equity) - start - realized + float(seat.fees) + float(seat.charges),
        fees_paid_quote=float(seat.fees),
        drawdown_ratio=float(seat.drawdown_worst) / stake,
    )


def health(session: Session) -> Health:
    """`live` is about this process alone; `ready` also about the venue."""
    state = session.engine.state
    now_s = time.monotonic()
    waiting = () if int(state.clock[0].event_count) > 0 else ("no event yet",)
    books = tuple(
        f"{session.feed.instruments[at].symbol} is {STATES.get(int(market.state), 'unknown')}"
        for at, market in enumerate(state.markets)
        if int(market.state) not in (0, BookState.LIVE)
    )
    details = {"run": session.directory.path.name, "events": int(state.clock[0].event_count), "uptime_s": round(
        now_s - session.started_monotonic_s, 3
    )}
    return Health(not_started=waiting, not_ready=books, details=details)


def screen_state(session: Session, tally: Tally) -> ScreenState:
    """For the live screen."""
    state, seats = session.engine.state, session.engine.state.seats
    elapsed_s = time.monotonic() - session.started_monotonic_s
    events = session.ring.played
    return ScreenState(
        venue=session.feed.label,
        market_time=clock_text(int(state.clock[0].now_ns)),
        elapsed_s=elapsed_s,
        markets=tuple(_market_line(session, at) for at in range(len(state.markets))),
        equity_quote=session.engine.equity,
        equity_start_quote=session.engine.initial_equity,
        realized_quote=float(sum(ledger.realized for ledger in session.recorder.ledgers)),
        fees_quote=float(seats["fees"].sum()),
        orders=int(seats["order_count"].sum()),
        open_orders=int(seats["blotter"]["count"].sum()),
        fills=int(seats["fill_count"].sum()),
        partial_fills=int(seats["partial_fill_count"].sum()),
        refused=int(seats["refused_count"].sum()),
        activity=tuple(tally.activity),
        decision_p50_us=_micros(session.decisions.percentile_ns(50)),
        decision_p99_us=_micros(session.decisions.percentile_ns(99)),
        events_per_s=events / elapsed_s if elapsed_s > 0 else 0.0,
        loop_lag_ms=session.loop_lag.percentile_ns(99) / 1e6 if session.loop_lag.count else None,
        memory_mib=resident_mib(),
        notice=session.connection.counters.last_error,
        is_halted=bool((seats["halted"] != 0).any()),
    )


def _micros(nanoseconds: float) -> float | None:
    return nanoseconds / 1e3 if np.isfinite(nanoseconds) else None


def _market_line(session: Session, at: int) -> MarketLine:
    market, instrument = session.engine.state.markets[at], session.feed.instruments[at]
    first, stop = int(market.first_seat), int(market.stop_seat)
    own = session.engine.state.seats[first:stop]
    bid, ask = int(market.book.top[BID]), int(market.book.top[ASK])
    is_known = bid >= 0 and ask >= 0
    event = session.ring.events[(session.ring.written - 1) & session.ring.mask]
    lag_ms = (int(event["received_ns"]) - int(event["venue_ns"])) / 1e6 if int(event["venue_ns"]) else None
    return MarketLine(
        symbol=instrument.symbol,
        bid=_price_text(bid, instrument),
        ask=_price_text(ask, instrument),
        spread_bps=(ask - bid) / (0.5 * (ask + bid)) * 1e4 if is_known else None,
        lag_ms=lag_ms,
        state=STATES.get(int(market.state), "syncing"),
        position=float(own["position_lots"].sum()) / float(market.lots_per_unit),
        pnl_quote=float((own["equity"] - own["initial_cash"]).sum()),
        fills=int(own["fill_count"].sum()),
    )


def _price_text(ticks: int, instrument: Instrument) -> str:
    """With as many decimals as a tick has; venues write it with zeros behind."""
    exponent = instrument.price_tick.normalize().as_tuple().exponent
    places = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return f"{decimal_price(ticks, instrument):,.{places}f}" if ticks >= 0 else "-"


def attachments(session: Session) -> list[dict[str, Any]]:
    """Which strategy listens to what of which instrument."""
    calls = session.engine.calls
    names = {int(kind): handler for handler, kind in HANDLERS.items()}
    found = []
    for at, placement in enumerate(session.engine.placements):
        kinds = int(calls[at]["kinds"])
        heard = [name for kind, name in names.items() if kinds >> kind & 1]
        symbol = session.feed.instruments[placement.instrument].symbol
        found.append({"strategy": placement.name, "symbol": symbol, "hears": heard})
    return found


def beginning(session: Session) -> Beginning:
    """The first lines of a run."""
    lines = [f"{each['strategy']} on {each['symbol']} ({', '.join(each['hears'])})" for each in attachments(session)]
    rules = [type(rule).__name__ for rule in session.engine.placements[0].rules]
    metrics = session.settings.metrics
    warm = f"ready in {session.feed.warm_s:.1f} s"
    return Beginning(
        version=streamtrader.__version__,
        kernels=warm if session.feed.warm_s < 3.0 else f"{warm} (compiled; kept for the next start)",
        market=session.feed.market,
        strategies=lines,
        rules=rules,
        directory=str(session.directory.path),
        metrics_url=f"http://{metrics.host}:{metrics.port}/metrics" if metrics.is_enabled and metrics.port else "",
        venue=session.feed.label,
    )


def strategy_lines(session: Session) -> tuple[StrategyLine, ...]:
    lines = []
    for at, placement in enumerate(session.engine.placements):
        seat = session.engine.state.seats[at]
        market = session.engine.state.markets[int(seat.instrument)]
        lines.append(
            StrategyLine(
                strategy=placement.name,
                symbol=session.feed.instruments[int(seat.instrument)].symbol,
                orders=int(seat.order_count),
                fills=int(seat.fill_count),
                position=float(seat.position_lots) / float(market.lots_per_unit),
                fees_quote=float(seat.fees),
                pnl_quote=float(seat.equity - seat.initial_cash),
            )
        )
    return tuple(lines)


def ending(session: Session, elapsed_s: float) -> Ending:
    """The last lines of a run."""
    seats, name = session.engine.state.seats, str(session.directory.path)
    return Ending(
        reason=session.reason,
        elapsed_s=elapsed_s,
        equity_quote=session.engine.equity,
        equity_start_quote=session.engine.initial_equity,
        fees_quote=float(seats["fees"].sum()),
        drawdown_quote=float(seats["drawdown_worst"].max()),
        orders=int(seats["order_count"].sum()),
        fills=int(seats["fill_count"].sum()),
        partial_fills=int(seats["partial_fill_count"].sum()),
        refused=int(seats["refused_count"].sum()),
        events=int(session.engine.state.clock[0].event_count),
        strategies=strategy_lines(session),
        directory=name,
        next_commands=(f"streamtrader parity {name}", f"streamtrader replay {name}/session.tape"),
    )


def as_json(session: Session, tally: Tally) -> dict[str, Any]:
    """The one document that `run --json` prints."""
    engine, counters, connection = session.engine, session.feed.adapter.counters, session.connection.counters
    seats = engine.state.seats
    return {
        "run": str(session.directory.path),
        "mode": session.settings.engine.mode,
        "venue": session.feed.label.lower(),
        "market": session.feed.market,
        "reason": session.reason,
        "frames": {
            "consumed": counters.frames, "unknown": counters.unknown, "rejected": counters.rejected,
            "delayed": connection.delayed, "oversized": connection.oversized,
        },
        "events": int(engine.state.clock[0].event_count),
        "events_by_kind": {
            kind.name.lower(): int(session.recorder.kind_counts[kind]) for kind in Kind if session.recorder.kind_counts[kind]
        },
        "events_before": session.events_before,
        "gaps": counters.gaps,
        "resyncs": counters.resyncs,
        "silences": counters.silences,
        "levels_forgotten": int(engine.state.markets["book"]["forgotten_count"].sum()),
        "books_worn": int(engine.state.markets["worn_count"].sum()),
        "checksums": {"verified": counters.checksums_verified, "failed": counters.checksums_failed},
        "reconnects": _reconnects(session),
        "connection": connection.as_dict(),
        "orders": int(seats["order_count"].sum()),
        "fills": int(seats["fill_count"].sum()),
        "partial_fills": int(seats["partial_fill_count"].sum()),
        "refused": int(seats["refused_count"].sum()),
        "refusals_by_rule": dict(tally.refusals),
        "halted_seats": int((seats["halted"] != 0).sum()),
        "failed_seats": int((seats["failure_count"] > 0).sum()),
        "equity": engine.equity,
        "pnl": engine.equity - engine.initial_equity,
        "fees": float(seats["fees"].sum()),
        "state_sha256": engine.state_sha256(),
        "first_fill_s": session.first_fill_s,
        "decision_us": {str(percent): _micros(session.decisions.percentile_ns(percent)) for percent in (50, 99)},
        "memory_mib": round(resident_mib(), 1),
    }  # fmt: skip
