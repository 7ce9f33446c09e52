"""`data export --format lake` and `data import --format lake`: what the commands take, in the lake's own words."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import typer

from streamtrader.cli.common import Common, tell
from streamtrader.errors import ConfigError

LAKE = "lake"
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?Z?")


def export_lake(tape: Path, out: str, options: Common) -> None:
    """Add a tape to a lake, a folder or a URL that fsspec knows. The clock is read where rows enter the lake."""
    from streamtrader.runtime.lake import export_to_lake

    ingested_ns = time.time_ns()
    with _progress("export, per cent", options) as move:
        report = export_to_lake(tape, out, ingested_ns=ingested_ns, on_progress=_in_percent(move))
    tell(asdict(report), is_json=options.is_json)


def import_lake(
    places: Sequence[str],
    out: Path,
    options: Common,
    *,
    venues: Collection[str] = (),
    symbols: Collection[str] = (),
    between: tuple[str, str] = ("", ""),
) -> None:
    """Make one tape of what a lake holds of some venues and symbols, from a time up to another."""
    from streamtrader.runtime.lake import import_from_lake
    from streamtrader.storage.lake_reader import FOREVER, Wanted

    if len(places) != 1:
        raise typer.BadParameter("a lake is one folder or one URL")
    from_ns, to_ns = (utc_ns(text) if text else always for text, always in zip(between, FOREVER, strict=True))
    if from_ns >= to_ns:
        raise ConfigError("--from must lie before --to")
    wanted = Wanted(tuple(venues), tuple(symbols), from_ns, to_ns)
    with _progress("import, per cent", options) as move:
        result = import_from_lake(places[0], out, wanted, on_progress=_in_percent(move))
    document = asdict(result) | {"instruments": [each.as_dict() for each in result.instruments]}
    tell(document, is_json=options.is_json)


def utc_ns(text: str) -> int:
    """`2024-08-09`, `2024-08-09T12:30`, `2024-08-09T12:30:00.5Z` as nanoseconds since 1970; all times are UTC."""
    try:
        if not _TIME.fullmatch(text):
            raise ValueError
        return int(np.datetime64(text.removesuffix("Z"), "ns").astype(np.int64))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time; write 2024-08-09 or 2024-08-09T12:30:00, in UTC") from None


def _progress(what: str, options: Common) -> AbstractContextManager[Callable[[int], None]]:
    from streamtrader.observers.screen import console_for, progress

    is_shown = not (options.is_json or options.is_plain)
    return progress(console_for(sys.stderr, os.environ), what, 100, is_shown=is_shown)


def _in_percent(move: Callable[[int], None]) -> Callable[[int, int], None]:
    return lambda done, all_: move(100 * done // max(all_, 1))
