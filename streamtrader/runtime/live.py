"""A session: one event loop, from the socket to the disk, in paper or live.

    socket -> Connection.decode -> ring -> on_events: advance -> outbox -> Recorder -> tape, database, checkpoint

`on_events` runs in the callback that read the socket, so a decision waits for nothing. Starting is recovering: a run
directory that has a tape is continued from its checkpoint and the tail of the tape, a new one from nothing; there is
no other way in. Everything ends in order: the socket first, then what was heard is played, written and checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog

from streamtrader.errors import ConfigError, EngineStopped
from streamtrader.events import Command, Kind
from streamtrader.kernel.ring import Ring
from streamtrader.observers.health import MonitorServer
from streamtrader.observers.histogram import Histogram
from streamtrader.observers.loop_lag import watch_loop_lag
from streamtrader.runtime.failover import Move, settled, told_of
from streamtrader.runtime.limits import message_end
from streamtrader.runtime.raw_recorder import RawRecorder
from streamtrader.runtime.recorder import Recorder
from streamtrader.runtime.recovery import Opened, open_run
from streamtrader.runtime.residence import settled_objects
from streamtrader.runtime.setup import Feed, connection_settings, open_feed, ring_for
from streamtrader.runtime.warm_start import check_past, write_past
from streamtrader.venues.connection import Connection
from streamtrader.venues.tap import tapped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streamtrader.config import Settings
    from streamtrader.runtime.engine import Engine
    from streamtrader.storage.run_directory import RunDirectory

SILENT_S = 1.0  # a market that says nothing for so long still has its clock moved
RENEW_EVERY_S = 0.25
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a command line says beside the settings."""

    directory: Path | None = None  # a run to go on with
    for_s: float | None = None
    max_events: int | None = None
    resume_reason: str = ""
    is_raw: bool = False  # keep the raw frames too


@dataclass(slots=True)
class Session:
    """A running session, for those who watch it."""

    settings: Settings
    directory: RunDirectory
    feed: Feed
    engine: Engine
    ring: Ring
    connection: Connection
    recorder: Recorder
    started_s: float
    events_before: int
    decisions: Histogram = field(default_factory=Histogram)
    loop_lag: Histogram = field(default_factory=Histogram)
    reason: str = ""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    is_written: bool = False  # all of it: only those who look on remain
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    limit: int | None = None  # of events in the ring
    raw: RawRecorder | None = None
    monitor: MonitorServer | None = None
    first_fill_s: float | None = None
    started_monotonic_s: float = field(default_factory=time.monotonic)

    def on_events(self) -> None:
        """Play whatever has arrived. Called in the socket's own callback, and by whoever made room."""
        ring, engine = self.ring, self.engine
        stop = ring.written if self.limit is None else message_end(ring, self.limit)
        if ring.played >= stop:
            self._stop_when_done()
            return
        started_ns = time.perf_counter_ns()
        while ring.played < stop:
            ring.played = engine.play(ring.events, ring.mask, ring.played, stop)
            if engine.has_news:
                self.recorder.hear(engine.drain())
        self.decisions.record(time.perf_counter_ns() - started_ns)
        self.recorder.notify()
        self._stop_when_done()

    def _stop_when_done(self) -> None:
        if self.limit is not None and self.ring.played >= self.limit:
            self.end("event limit reached")

    def end(self, reason: str) -> None:
        """Ask the session to end; the first reason stays."""
        self.reason = self.reason or reason
        self.stop.set()

    def command(self, command: Command, reason: str) -> None:
        """An operator's word goes on the tape before it is obeyed, so that a replay repeats it."""
        self.recorder.reasons[self.events_before + self.ring.written] = reason
        now_ns = max(int(self.engine.state.clock[0].now_ns), 0)
        self.ring.write(Kind.COMMAND, 0, 0, 0, 0, now_ns, float(command))
        self.on_events()


async def run_paper(settings: Settings, options: RunOptions, watch: Any, stage: Callable[[str], None]) -> Session:
    """Run a paper session to its end and return it, closed. `watch` is entered while it runs; `stage` is told
    what start-up is doing.
    """
    started_s = time.perf_counter()
    opened: Opened | None = None
    session: Session | None = None
    try:
        async with AsyncExitStack() as stack:
            moves: tuple[Move, ...] = ()
            if options.directory is None:
                if settings.candles.warmup:
                    check_past(settings)
                settings, moves = await settled(settings)
            opened = await open_run(stack, settings, options.directory, time.time_ns)
            stage("starting the market and compiling kernels")
            if moves:
                opened.directory.update_manifest(failover=[move._asdict() for move in moves])
            told = told_of(moves)
            feed = await stack.enter_async_context(
                open_feed(opened.settings, after_ns=opened.resume_after_ns, moves=told)
            )
            session = await _assemble(stack, opened, feed, started_s, options)
            stack.push_async_callback(opened.close, session)
            if session.settings.candles.warmup and not session.events_before:
                stage("asking for the candles of the past")
                await write_past(session.settings, feed, session.ring, time.time_ns)
                session.on_events()
            _prepare(session, options, opened)
            _on_signals(stack, session)
            stack.enter_context(settled_objects())
            async with watch(session):
                await _run_to_the_end(session, options)
                await opened.close(session)
                await _linger(session)
            return session
    except BaseException:
        if opened is not None and opened.is_new and (session is None or not session.ring.played):
            opened.discard()
        raise


async def _linger(session: Session) -> None:
    """All is written; whoever scrapes may still come. Ctrl-C ends the wait."""
    if session.monitor is None:
        return
    session.is_written = True
    waits = [
        asyncio.create_task(session.monitor.linger(session.settings.metrics.linger_s)),
        asyncio.create_task(session.hurry.wait()),
    ]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _assemble(
    stack: AsyncExitStack, opened: Opened, feed: Feed, started_s: float, options: RunOptions
) -> Session:
    settings = opened.settings
    ring = ring_for(feed.adapter)
    engine, writer, database, journal, key = await opened.engine_for(stack, feed)
    recorder = Recorder(
        engine, ring, writer, database, journal, opened.directory, layout_key=key,
        flush_every_s=settings.run.flush_every_ms / 1e3, checkpoint_every_s=settings.run.checkpoint_every_s,
        on_room=lambda: connection.resume(),  # noqa: PLW0108 - there is none yet
    )  # fmt: skip
    raw = RawRecorder(opened.directory.path / "raw", feed, ring) if options.is_raw else None
    adapter = feed.adapter if raw is None else tapped(feed.adapter, raw.log)
    connection = Connection(
        adapter,
        ring,
        lambda: session.on_events(),  # noqa: PLW0108 - there is none yet
        opener=feed.opener,
        settings=connection_settings(settings),
        not_before_ns=0 if adapter.is_stamped else max(int(engine.state.clock[0].now_ns), 0),
    )
    session = Session(
        settings, opened.directory, feed, engine, ring, connection, recorder, started_s,
        int(engine.state.clock[0].event_count),
    )  # fmt: skip
    session.raw = raw
    if options.max_events is not None:
        session.limit = max(0, options.max_events - session.events_before)
    engine.on_failure = _tell_failure
    await opened.catch_up(recorder)
    return session


def _tell_failure(name: str, error: Exception) -> None:
    log.error("strategy failed", strategy=name, why=f"{type(error).__name__}: {error}", exc_info=error)


def _prepare(session: Session, options: RunOptions, opened: Opened) -> None:
    """What the operator said on the command line, as events."""
    is_dry = session.settings.engine.is_dry
    if options.resume_reason and is_dry:
        raise ConfigError("--resume releases a kill switch; a dry run has none, it refuses every order")
    if options.resume_reason:
        log.warning("resumed by the operator", reason=options.resume_reason)
        session.command(Command.RESUME, options.resume_reason)
    elif (session.engine.state.seats["halted"] != 0).any() and not is_dry:
        log.warning("the kill switch is still pulled; `--resume REASON` releases it", run=str(opened.directory.path))


def _on_signals(stack: AsyncExitStack, session: Session) -> None:
    """Once: end in order. Twice: at once."""
    loop = asyncio.get_running_loop()

    def asked() -> None:
        if session.is_written:
            session.hurry.set()
            return
        if session.stop.is_set():
            os._exit(130)
        session.end("stopped by the operator")

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, asked)
            stack.callback(loop.remove_signal_handler, number)


async def _run_to_the_end(session: Session, options: RunOptions) -> None:
    """All tasks of a session have one owner, this group, and one reason to end, `session.stop`."""
    async with asyncio.TaskGroup() as writing:
        writing.create_task(session.recorder.run())
        if session.raw is not None:
            writing.create_task(session.raw.run())
        try:
            async with asyncio.TaskGroup() as running:
                tasks = [
                    running.create_task(_listen(session)),
                    running.create_task(_keep_time(session)),
                    running.create_task(_renew_books(session)),
                    running.create_task(watch_loop_lag(session.loop_lag, time.monotonic_ns)),
                ]
                if options.for_s is not None:
                    tasks.append(running.create_task(_end_after(session, options.for_s)))
                if session.settings.engine.is_spinning:
                    tasks.append(running.create_task(_spin()))
                await session.stop.wait()
                for task in tasks:
                    task.cancel()
            await _play_the_rest(session)
        finally:
            session.recorder.finish()
            if session.raw is not None:
                session.raw.finish()


async def _listen(session: Session) -> None:
    await session.connection.run()
    session.end("market ended")


async def _keep_time(session: Session) -> None:
    """A silent market still has a clock: candles end and `on_timer` comes. A stamped market keeps its own time."""
    if session.feed.adapter.is_stamped:
        return
    ring, seen = session.ring, -1
    while True:
        await asyncio.sleep(SILENT_S)
        if ring.written == seen and ring.free > 0:
            now_ns = max(session.connection.now_ns(), int(session.engine.state.clock[0].now_ns))
            ring.write(Kind.TIMER, 0, 0, 0, 0, now_ns)
            session.on_events()
        seen = ring.written


async def _renew_books(session: Session) -> None:
    """A book that ran past the levels that the engine keeps (`kernel/book.py`) is begun anew, on the tape too."""
    markets = session.engine.state.markets
    seen = markets["worn_count"].copy()
    while True:
        await asyncio.sleep(RENEW_EVERY_S)
        for at in np.flatnonzero(markets["worn_count"] != seen).tolist():
            if session.connection.renew(at):
                seen[at] = markets["worn_count"][at]
                symbol = session.feed.instruments[at].symbol
                log.warning("the price came to levels that the book had forgotten; it begins anew", symbol=symbol)


async def _end_after(session: Session, for_s: float) -> None:
    await asyncio.sleep(for_s)
    session.end("time limit reached")


async def _spin() -> None:
    """Keep the loop polling: it never sleeps, so nothing has to wake it. Costs one core."""
    while True:  # noqa: ASYNC110 - not sleeping is its purpose
        await asyncio.sleep(0)


async def _play_the_rest(session: Session) -> None:
    """What was heard before the end counts, unless a limit of events was asked for."""
    session.on_events()
    if int(session.engine.outbox[0].lost):
        raise EngineStopped("the outbox lost rows; the session cannot be trusted beyond this point")
