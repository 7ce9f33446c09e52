"""Everything that looks on while a session runs: metrics server, live screen or log lines, and the log file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog

from streamtrader.observers.health import MonitorServer
from streamtrader.observers.screen import log_status, show_live
from streamtrader.runtime import figures
from streamtrader.runtime.loading import label_of, places_of
from streamtrader.units import NS_PER_S

if TYPE_CHECKING:
    from rich.console import Console

    from streamtrader.observers.logs import Logs
    from streamtrader.runtime.live import Session
    from streamtrader.runtime.tally import Tally
    from streamtrader.storage.rows import Row

NO_EVENT_WARNING_S = 10.0
CLOCK_EVERY_S = 1.0
log = structlog.get_logger()


@asynccontextmanager
async def watching(session: Session, tally: Tally, logs: Logs, console: Console | None) -> AsyncIterator[None]:
    """Watch until the context is left; `console` None means that nobody sees a screen."""
    settings = session.settings

    def on_rows(rows: list[Row]) -> None:
        if session.first_fill_s is None and any(table == "fills" for table, _ in rows):
            session.first_fill_s = round(time.perf_counter() - session.started_s, 3)
        tally.take(session, rows)

    session.recorder.on_rows = on_rows
    logs.bind(run_id=session.directory.path.name)
    logs.open_file(session.directory.path / settings.log.file)
    async with AsyncExitStack() as stack:
        if settings.metrics.is_enabled:
            session.monitor = MonitorServer(
                lambda: figures.snapshot(session, tally),
                lambda: figures.health(session),
                host=settings.metrics.host,
                port=settings.metrics.port,
                is_chosen=settings.is_chosen("metrics.port"),
            )
            await stack.enter_async_context(session.monitor)
        async with asyncio.TaskGroup() as looking:
            take = lambda: figures.screen_state(session, tally)  # noqa: E731 - passed on, named for the line's sake
            shown: Any = log_status(take) if console is None else show_live(take, console, logs.pipe)
            tasks = [looking.create_task(shown), looking.create_task(_warn_of_silence(session))]
            tasks.append(looking.create_task(_warn_of_the_clock(session)))
            await asyncio.sleep(0)  # a screen has taken its place now: what follows is for the log alone
            if session.monitor is not None and session.monitor.port is not None:
                log.info("metrics served", url=session.monitor.url)
            _tell_attachments(session)
            try:
                yield
            finally:
                _tell_end(session)
                for task in tasks:
                    task.cancel()


def _tell_end(session: Session) -> None:
    log.info("session ended", reason=session.reason, events=int(session.engine.state.clock[0].event_count))


def _tell_attachments(session: Session) -> None:
    """Which strategy listens to what: one that is attached to nothing would otherwise be silent for ever."""
    for line in figures.attachments(session):
        log.info("strategy attached", **line)
    placed = {placement.name for placement in session.engine.placements}
    for wanted in session.settings.strategies:
        missing = set(wanted.instruments) - set(places_of(session.feed.instruments))
        if label_of(wanted) not in placed or missing:
            log.warning("strategy not attached", strategy=label_of(wanted), missing=sorted(missing))


async def _warn_of_silence(session: Session) -> None:
    """A strategy that hears nothing is told, once."""
    await asyncio.sleep(NO_EVENT_WARNING_S)
    for at, market in enumerate(session.engine.state.markets):
        if int(market.trade_count) == 0 and int(market.message_count) == 0:
            symbol = session.feed.instruments[at].symbol
            log.warning("no event since the start", symbol=symbol, after_s=NO_EVENT_WARNING_S)


async def _warn_of_the_clock(session: Session) -> None:
    """A jump of the wall clock is told when it is seen, and what becomes of it."""
    clock, told = session.connection.clock, 0
    while True:
        await asyncio.sleep(CLOCK_EVERY_S)
        if clock.jumps > told:
            told = clock.jumps
            log.warning(
                "the wall clock jumped; the session's own clock goes on evenly until no link is open",
                by_s=round(clock.last_jump_ns / NS_PER_S, 3),
                ahead_s=round(clock.ahead_ns / NS_PER_S, 3),
                jumps=told,
            )
