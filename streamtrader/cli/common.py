"""What every command shares: its options, how settings are found, how results and errors are told."""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from streamtrader.errors import ConfigError, StreamTraderError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from streamtrader.config import Settings

WIDTH_OF_A_FILE = 200  # what goes to a file or a pipe is not folded at 80 columns
ENDED_BY_SIGNAL = 128  # and its number: what a shell says of a process that a signal ended
DONE, FAILED, USAGE, NOT_RUNNING, REFUSED, TIMED_OUT, DISK_FULL = range(7)

ConfigOption = Annotated[list[Path] | None, typer.Option("-c", "--config", help="A settings file; repeatable.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="section.key=value, or strategy.parameter=value.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")]
PlainOption = Annotated[bool, typer.Option("--plain", help="Lines instead of a live screen.")]
VerboseOption = Annotated[bool, typer.Option("-v", "--verbose", help="Debug lines; tracebacks of our own errors.")]
StrategyOption = Annotated[
    str | None, typer.Option("--strategy", help="A built-in name, path/to/file.py:Class or module:Class.")
]


@dataclass(frozen=True, slots=True)
class Common:
    """The shared options as they were given."""

    files: Sequence[Path] = ()
    overrides: Sequence[str] = ()
    strategy: str | None = None
    is_json: bool = False
    is_plain: bool = False
    is_verbose: bool = False
    parameters: dict[str, str] = field(default_factory=dict)


def common(
    files: Sequence[Path] | None,
    overrides: Sequence[str] | None,
    *,
    strategy: str | None = None,
    is_json: bool = False,
    is_plain: bool = False,
    is_verbose: bool = False,
) -> Common:
    """Part `--set strategy.x=y` from the settings proper."""
    own, parameters = [], {}
    for text in overrides or ():
        name, mark, value = text.partition("=")
        if name.startswith("strategy.") and mark:
            parameters[name.removeprefix("strategy.")] = value
        else:
            own.append(text)
    return Common(tuple(files or ()), tuple(own), strategy, is_json, is_plain, is_verbose, parameters)


def settings_of(options: Common, *more: str) -> Settings:
    """All settings, with the strategy of the command line in place of those of the files."""
    from streamtrader.config import StrategySettings, load_settings

    settings = load_settings(options.files, [*more, *options.overrides], os.environ)
    if options.strategy is None:
        if options.parameters:
            raise ConfigError("--set strategy.… sets parameters of the strategy given with --strategy; give one")
        return settings
    parameters = {name: _number(name, value) for name, value in options.parameters.items()}
    wanted = StrategySettings.model_construct(
        name=_lasting(options.strategy), instruments=(), parameters=parameters
    )
    return settings.model_copy(update={"strategies": (wanted,)})


def _lasting(name: str) -> str:
    """A class in a file is kept by its whole path, so that the run can be repeated from any folder."""
    place, mark, cls = name.rpartition(":") if not name.endswith(".py") else (name, "", "")
    return f"{Path(place).resolve()}{mark}{cls}" if place.endswith(".py") and Path(place).is_file() else name


def _number(name: str, text: str) -> bool | int | float:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if math.isfinite(number):
            return number
    raise ConfigError(f"--set strategy.{name}={text}: a parameter is a finite number, true or false")


def tell(document: dict[str, Any], *, is_json: bool, show: Callable[[], None] | None = None) -> None:
    """The result: one JSON document, or for people."""
    if is_json:
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
    elif show is not None:
        show()
    else:
        for name, value in document.items():
            sys.stdout.write(f"{name:24} {value}\n")
    sys.stdout.flush()


def console_for_people() -> Console:
    """For results on standard output. Brackets are brackets: paths and errors of users may hold some."""
    from rich.console import Console

    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)


def table_of(titles: Sequence[str], rows: Iterable[Sequence[str]], *, texts: Collection[str]) -> Table:
    """Numbers stand to the right, the columns of `texts` to the left."""
    from rich.table import Table

    table = Table(box=None, header_style="bright_black")
    for title in titles:
        table.add_column(title, justify="left" if title in texts else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


@contextmanager
def told_errors(options: Common) -> Iterator[None]:
    """One of our own errors is a message and an exit code, not a traceback."""
    try:
        yield
    except StreamTraderError as error:
        if options.is_verbose:
            raise
        _tell_error(error, is_json=options.is_json)
        raise typer.Exit(error.exit_code) from None
    except BaseExceptionGroup as group:
        own = _first_of_ours(group)
        if own is None or options.is_verbose:
            raise
        _tell_error(own, is_json=options.is_json)
        raise typer.Exit(own.exit_code) from None


@contextmanager
def ended_in_order() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does, so that what is half written is taken away."""

    def end(number: int, _: object) -> None:
        raise SystemExit(ENDED_BY_SIGNAL + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell_error(error: StreamTraderError, *, is_json: bool) -> None:
    if is_json:
        tell({"error": type(error).__name__, "message": str(error)}, is_json=True)
    sys.stderr.write(f"{type(error).__name__}: {error}\n")


def _first_of_ours(group: BaseExceptionGroup[BaseException]) -> StreamTraderError | None:
    for error in group.exceptions:
        if isinstance(error, StreamTraderError):
            return error
        if isinstance(error, BaseExceptionGroup):
            found = _first_of_ours(error)
            if found is not None:
                return found
    return None
