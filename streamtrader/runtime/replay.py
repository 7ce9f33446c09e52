"""Replay: the loop over history, as fast as it goes, with every block of the tape checked on the way.

A second thread checks the sums of the next blocks while this one plays (both release the GIL), so the check costs
no time of its own on two cores. No socket can be opened by anything in here: what happened is all there is.
"""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from streamtrader.errors import ConfigError
from streamtrader.kernel.orders import Refusal
from streamtrader.runtime.assembly import assemble
from streamtrader.runtime.engine import Engine
from streamtrader.runtime.loading import class_sources, classes_of, loop_sources, placements_of, terms_of
from streamtrader.runtime.warmup import prepare
from streamtrader.storage.tape import Tape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from streamtrader.config import Settings
    from streamtrader.instruments import Instrument

BLOCKS_AT_ONCE = 16  # about a million events: the size of one bite of the loop, and of what is checked ahead


@dataclass(slots=True)
class ReplayResult:
    """What a replay ends in; `pnl` is equity less what all accounts began with, after fees, in their currency."""

    events: int = 0
    seconds: float = 0.0
    orders: int = 0
    fills: int = 0
    partial_fills: int = 0
    taker_fills: int = 0
    refused: int = 0
    rejected: int = 0
    cancelled: int = 0
    failed_seats: int = 0
    pnl: float = 0.0
    fees: float = 0.0
    turnover: float = 0.0
    drawdown_worst: float = 0.0
    state_sha256: str = ""
    decisions_sha256: str = ""
    data_sha256: list[str] = field(default_factory=list)
    start_ns: int = 0
    stop_ns: int = 0
    seats: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    bounds: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def events_per_s(self) -> float:
        return self.events / self.seconds if self.seconds > 0.0 else 0.0

    def as_json(self) -> dict[str, Any]:
        names = [name for name in self.__dataclass_fields__ if name != "seconds"]
        values = {name: getattr(self, name) for name in names}
        return {"events_per_s": round(self.events_per_s), "seconds": round(self.seconds, 6)} | values


def engine_for(settings: Settings, instruments: Sequence[Instrument], *, interpreted: bool = False) -> Engine:
    """The engine that these settings make for these instruments: the same in every mode."""
    placements = placements_of(settings, instruments)
    if interpreted:
        return _dry(assemble(instruments, placements, terms_of(settings), interpreted=True), settings)
    prepare(settings)
    sources = class_sources(classes_of(placements))
    engine = assemble(
        instruments, placements, terms_of(settings), loop_sources=loop_sources(), class_sources=sources
    )
    return _dry(engine, settings)


def _dry(engine: Engine, settings: Settings) -> Engine:
    """A dry run is halted from its first event, in every mode, so that a replay of it is one too."""
    if settings.engine.is_dry:
        engine.state.seats["halted"] = int(Refusal.DRY_RUN)
    return engine


def replay(
    paths: Sequence[Path],
    settings: Settings,
    *,
    interpreted: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> ReplayResult:
    """Play whole tapes, one after the other, and say what came of it. `on_progress` gets (played, all) events."""
    tapes = [Tape.open(path) for path in paths]
    instruments = shared_instruments(tapes)
    engine = engine_for(settings, instruments, interpreted=interpreted)
    result = ReplayResult(data_sha256=[tape.data_sha256 for tape in tapes])
    engine.on_failure = lambda name, error: result.notes.append(f"{name} raised {type(error).__name__}: {error}")
    for tape in tapes:
        if tape.torn_bytes:
            result.notes.append(f"{tape.path}: {tape.torn_bytes} bytes of an interrupted write were left out")
    total = sum(tape.event_count for tape in tapes)
    digest = hashlib.sha256()
    for tape in tapes:
        for rows, seconds in play_tape(engine, tape):
            digest.update(rows.view(np.uint8).data)
            result.seconds += seconds
            if on_progress is not None:
                on_progress(int(engine.state.clock[0].event_count), total)
    result.decisions_sha256 = digest.hexdigest()
    result.start_ns = tapes[0].first_received_ns
    result.stop_ns = tapes[-1].last_received_ns
    for at in np.flatnonzero(engine.state.markets["worn_count"]).tolist():
        count = int(engine.state.markets["worn_count"][at])
        result.notes.append(
            f"{instruments[at].symbol}: {count} times the price came to levels that the book had forgotten; "
            f"from there to the next snapshot orders could only reduce"
        )
    return summed_up(engine, result)


def shared_instruments(tapes: Sequence[Tape]) -> Sequence[Instrument]:
    """Tapes that continue each other have one list of instruments."""
    if not tapes:
        raise ConfigError("there is no tape to replay")
    for tape in tapes[1:]:
        if tape.instruments != tapes[0].instruments:
            raise ConfigError(f"{tape.path} has other instruments than {tapes[0].path}; replay them apart")
    return tapes[0].instruments


def play_tape(engine: Engine, tape: Tape, start: int = 0) -> Iterator[tuple[np.ndarray[Any, Any], float]]:
    """Play a tape from event number `start`; yields (what the engine said, seconds that its loop took) at each pause."""
    first_block = int(np.searchsorted(tape.blocks["first_sequence"], start, side="right")) - 1 if start else 0
    at = tape.slot_of(start) if start else 0
    with ThreadPoolExecutor(1, thread_name_prefix="verify") as verifier:
        waiting = verifier.submit(tape.verify, first_block, first_block + BLOCKS_AT_ONCE)
        for block in range(first_block, tape.block_count, BLOCKS_AT_ONCE):
            waiting.result()
            stop_block = block + BLOCKS_AT_ONCE
            waiting = verifier.submit(tape.verify, stop_block, stop_block + BLOCKS_AT_ONCE)
            stop = int(tape.starts[stop_block]) if stop_block < tape.block_count else len(tape.slots)
            while at < stop:
                started = time.perf_counter()
                at = engine.play(tape.slots, -1, at, stop)
                seconds = time.perf_counter() - started
                yield engine.drain(), seconds
        waiting.result()


def summed_up(engine: Engine, result: ReplayResult) -> ReplayResult:
    """The figures of all seats, read from the state."""
    seats = engine.state.seats
    result.events = int(engine.state.clock[0].event_count)
    result.orders = int(seats["order_count"].sum())
    result.fills = int(seats["fill_count"].sum())
    result.partial_fills = int(seats["partial_fill_count"].sum())
    result.taker_fills = int(seats["taker_fill_count"].sum())
    result.refused = int(seats["refused_count"].sum())
    result.rejected = int(seats["rejected_count"].sum())
    result.cancelled = int(seats["cancelled_count"].sum())
    result.failed_seats = int((seats["failure_count"] > 0).sum())
    result.pnl = engine.equity - engine.initial_equity
    result.fees = float(seats["fees"].sum())
    result.turnover = float(seats["turnover"].sum())
    result.drawdown_worst = float(seats["drawdown_worst"].max())
    result.state_sha256 = engine.state_sha256()
    result.seats = [seat_summary(engine, at) for at in range(len(seats))]
    return result


def seat_summary(engine: Engine, at: int) -> dict[str, Any]:
    seat, market = engine.state.seats[at], engine.state.markets[int(engine.state.seats[at].instrument)]
    return {
        "seat": at,
        "strategy": engine.placements[at].name or type(engine.placements[at].strategy).__name__,
        "instrument": int(seat.instrument),
        "position": float(seat.position_lots / market.lots_per_unit),
        "cash": float(seat.cash),
        "equity": float(seat.equity),
        "pnl": float(seat.equity - seat.initial_cash),
        "fees": float(seat.fees),
        "orders": int(seat.order_count),
        "fills": int(seat.fill_count),
        "partial_fills": int(seat.partial_fill_count),
        "refused": int(seat.refused_count),
        "halted": int(seat.halted),
    }
