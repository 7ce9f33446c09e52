"""The live screen: drawn four times a second on a terminal, replaced by log lines everywhere else.

The loop only takes the figures; drawing happens on another thread. What is drawn is in `drawing`.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

import structlog
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from streamtrader.observers.drawing import beginning, ending, screen
from streamtrader.observers.log_pipe import Line, LogPipe
from streamtrader.observers.screen_state import ScreenState, TakeState

__all__ = [
    "Terminal",
    "beginning",
    "console_for",
    "ending",
    "is_live_possible",
    "log_status",
    "progress",
    "show_live",
]
WIDTH_MIN = 80
DRAW_EVERY_S = 0.25
STATUS_EVERY_S = 10.0


def is_live_possible(console: Console, environ: Mapping[str, str], *, is_plain: bool = False) -> bool:
    """Whether somebody can watch: a terminal of at least 80 columns, and nobody who asked for plain lines."""
    return console.is_terminal and not is_plain and console.width >= WIDTH_MIN and environ.get("TERM") != "dumb"


class Terminal(Console):
    """A console whose end is not the end of the program: rich itself would exit."""

    def on_broken_pipe(self) -> None:
        raise ConnectionAbortedError("whoever read this output has gone")


def console_for(stream: TextIO, environ: Mapping[str, str]) -> Terminal:
    """A console that keeps to NO_COLOR, whatever its value, and to the characters that the terminal has."""
    if isinstance(stream, io.TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
        stream.reconfigure(errors="replace")
    return Terminal(file=stream, no_color="NO_COLOR" in environ, highlight=False, soft_wrap=False)


async def show_live(take: TakeState, console: Console, logs: LogPipe | None = None) -> None:
    """Draw until cancelled, and once more then, so that the last figures stay on the terminal.

    Log lines from warnings upward appear above the screen in the meantime; all of them are in the run's file. A
    terminal that goes away ends the drawing and nothing else.
    """
    live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
    if logs is not None:
        logs.divert(lambda line, text: _print_above(console, line, text))
    try:
        with live:
            await _keep_drawing(live, take)
    except OSError as error:
        structlog.get_logger().warning("the terminal is gone: going on without the screen", error=error)
    finally:
        if logs is not None:
            logs.divert(None)


async def _keep_drawing(live: Live, take: TakeState) -> None:
    try:
        while True:
            await asyncio.to_thread(_draw, live, take())
            await asyncio.sleep(DRAW_EVERY_S)
    finally:
        _draw(live, take())


async def log_status(take: TakeState, every_s: float = STATUS_EVERY_S) -> None:
    """The same figures as a log line now and then, for those who read logs instead."""
    log = structlog.get_logger()
    while True:
        await asyncio.sleep(every_s)
        state = take()
        log.info(
            "status",
            mode=state.mode,
            venue=state.venue,
            equity_quote=state.equity_quote,
            fees_quote=state.fees_quote,
            orders=state.orders,
            fills=state.fills,
            refused=state.refused,
            events_per_s=state.events_per_s,
            books={market.symbol: market.state for market in state.markets},
        )


@contextmanager
def progress(console: Console, what: str, total: int, *, is_shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar for long replays and imports: call what you get with how much is done. None is drawn off a terminal."""
    if not (is_shown and console.is_terminal):
        yield lambda _done: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def _draw(live: Live, state: ScreenState) -> None:
    width, height = live.console.size
    live.update(screen(state, width, height), refresh=True)


def _print_above(console: Console, line: Line, text: str) -> None:
    if line.get("level") in ("warning", "error", "critical"):
        console.print(Text.from_ansi(text), soft_wrap=True)
