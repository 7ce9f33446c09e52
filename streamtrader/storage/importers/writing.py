"""The one way from streams of events to a tape: merged by time, written aside, named at the end or not at all.

A tape begins with its instruments, and how fine their ticks are is known only when the last row was read. So the
events wait in a file beside the tape: reading the source twice would cost more than writing 64 bytes twice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from streamtrader.errors import MarketFileError
from streamtrader.events import EVENT, Kind
from streamtrader.storage.files import begin_aside, place_whole, refused
from streamtrader.storage.importers.markets import Intake
from streamtrader.storage.importers.merging import merged
from streamtrader.storage.importers.rows import Events
from streamtrader.storage.tape import TapeWriter

EVENTS_AT_ONCE = 1 << 20
Progress = Callable[[], object]


@dataclass(slots=True)
class Written:
    """What went onto the tape."""

    events: int = 0
    by_kind: dict[str, int] = field(default_factory=dict)
    first_ns: int = 0
    last_ns: int = 0


def write_tape(
    streams: Sequence[Iterator[Events]],
    intake: Intake,
    out: Path,
    metadata: dict[str, Any],
    on_progress: Progress = lambda: None,
) -> Written:
    """Write the tape `out`, which must not exist; whatever goes wrong, nothing of it is left behind.

    Raises what the streams raise (`MarketFileError` for bad input), `StorageError` where the disk refuses.
    """
    waiting, partial = begin_aside(out, "waiting", "partial")
    try:
        with waiting.open("wb", buffering=0) as file:
            written = _spool(streams, file, on_progress)
        if not written.events:
            raise MarketFileError(intake.why_nothing())
        _copy(waiting, partial, intake, metadata | intake.notes)
        place_whole(partial, out)
    except FileExistsError as error:
        raise MarketFileError(f"{out} exists already; an import never overwrites.") from error
    except OSError as error:
        raise refused(f"{out} cannot be written", error, out) from error
    finally:
        with contextlib.suppress(OSError):
            waiting.unlink(missing_ok=True)
            partial.unlink(missing_ok=True)
    return written


def _spool(streams: Sequence[Iterator[Events]], file: BinaryIO, on_progress: Progress) -> Written:
    written, counts = Written(), np.zeros(256, np.int64)
    for events in merged(streams):
        data = np.ascontiguousarray(events).view(np.uint8).data
        while len(data):
            data = data[file.write(data) :]
        written.first_ns = written.first_ns or int(events["received_ns"][0])
        written.last_ns = int(events["received_ns"][-1])
        counts += np.bincount(events["kind"], minlength=256)
        on_progress()
    written.events = int(counts.sum())
    written.by_kind = {kind.name.lower(): int(counts[kind]) for kind in Kind if counts[kind]}
    return written


def _copy(waiting: Path, partial: Path, intake: Intake, metadata: dict[str, Any]) -> None:
    rows = np.memmap(waiting, EVENT, "r")
    with TapeWriter.create(partial, intake.instruments(), metadata) as writer:
        for start in range(0, len(rows), EVENTS_AT_ONCE):
            writer.append(rows[start : start + EVENTS_AT_ONCE])
        if writer.held_count:
            raise AssertionError("an importer left a message without its last row")
