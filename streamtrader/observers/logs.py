"""Logs: structlog, set up once; for people on a terminal, as JSON lines otherwise, and as JSON in the run's folder.

Standard output belongs to `--json`, so lines go to standard error. The log is for reading; the truth is in the tape
and the database, and nothing here is ever parsed for it.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, Literal, Self, TextIO

import orjson
import structlog

from streamtrader.observers.log_pipe import CAPACITY, Line, LogPipe
from streamtrader.observers.redaction import Redactor

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
# Traceback text keeps its lines, indented, so that none of them can pass for a line of ours.
MULTILINE = ("exception", "stack")


class Logs:
    """What was set up: bind names to every line, add the run's file, register secrets, read the counters, close."""

    def __init__(self, pipe: LogPipe, redactor: Redactor, bound: dict[str, Any]) -> None:
        self.pipe = pipe
        self.redactor = redactor
        self._bound = bound
        self._handler = _Forwarder()
        logging.getLogger().addHandler(self._handler)

    @property
    def dropped_count(self) -> int:
        return self.pipe.dropped_count

    def bind(self, **names: Any) -> None:
        """Add names such as `session` to every line from now on."""
        self._bound.update(names)

    def register_secret(self, secret: str) -> None:
        """Never show this text again, wherever it turns up."""
        self.redactor.register(secret)

    def open_file(self, path: Path) -> None:
        """Keep every line in this file too, as JSON; those already written come first."""
        self.pipe.open_file(path)

    def close(self) -> None:
        """Write what is left and let go of the standard library's logging."""
        logging.getLogger().removeHandler(self._handler)
        self.pipe.close()
        structlog.reset_defaults()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def configure_logs(
    *,
    level: str = "info",
    style: Literal["auto", "console", "json"] = "auto",
    stream: TextIO | None = None,
    bound: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    capacity: int = CAPACITY,
) -> Logs:
    """Set structlog and the standard library's logging up for this process; close the result at its end."""
    stream = sys.stderr if stream is None else stream
    environ = os.environ if environ is None else environ
    is_console = style == "console" or (style == "auto" and stream.isatty())
    has_colors = is_console and stream.isatty() and "NO_COLOR" not in environ and environ.get("TERM") != "dumb"
    pipe = LogPipe(stream, _console(has_colors) if is_console else _json, capacity)
    redactor = Redactor()
    names = dict(bound or {})
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            lambda _logger, _method, line: {**names, **line},
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            lambda _logger, _method, line: _send(line, pipe, redactor),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    return Logs(pipe, redactor, names)


def _send(line: MutableMapping[str, Any], pipe: LogPipe, redactor: Redactor) -> Any:
    """Clean a line, pass it on, and stop there: nothing is rendered on the caller's time."""
    multiline = {name: redactor.text(str(line.pop(name)), is_multiline=True) for name in MULTILINE if name in line}
    pipe.put({**redactor.mapping(line), **multiline})
    raise structlog.DropEvent


def _json(line: Line) -> str:
    return orjson.dumps(line).decode()


def _console(has_colors: bool) -> Any:
    renderer = structlog.dev.ConsoleRenderer(
        colors=has_colors, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
    )

    def render(line: Line) -> str:
        shown = {**line, "timestamp": str(line.get("timestamp", ""))[11:23]}  # a person knows which day it is
        for name in MULTILINE:
            if name in shown:
                shown[name] = "    " + str(shown[name]).replace("\n", "\n    ")
        return str(renderer(None, "", shown))

    return render


class _Forwarder(logging.Handler):
    """What libraries say through `logging`, from warnings upward, goes the same way."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit their format
            message = str(record.msg)
        log = structlog.get_logger()
        method = log.error if record.levelno >= logging.ERROR else log.warning
        method(message, logger=record.name, exc_info=record.exc_info or None)
