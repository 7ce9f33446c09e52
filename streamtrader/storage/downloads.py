"""A download that can be stopped at any moment: rows go to a partial tape, and a bookmark says how far it is.

The order is always: write the rows, make them durable, then replace the bookmark, durable too. What lies beyond the
bookmark after a crash is cut off and fetched again, so the end is the same bytes as without the crash. A finished
download is written anew in blocks of a fixed size, however the pages were, and gets its name in one step: the tape is
there whole or not at all.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np

from streamtrader.errors import StorageError
from streamtrader.instruments import Instrument
from streamtrader.storage.files import open_locked, refused, replace_whole, sync_folder
from streamtrader.storage.tape import BLOCK_EVENTS, TapeWriter
from streamtrader.storage.tape_layout import Slots
from streamtrader.storage.tape_reader import Tape

SCHEMA = 1
PARTIAL, BOOKMARK, WHOLE = ".partial", ".bookmark", ".whole"
QUERY = "query"


class Download:
    """One tape on its way. `progress` is what the last `keep` said; empty at the beginning."""

    def __init__(self, out: Path, query: dict[str, Any], writer: TapeWriter, lock: int) -> None:
        self.out = out
        self.query = query
        self.progress: dict[str, Any] = {}
        self.is_resumed = False
        self._writer = writer
        self._lock = lock

    @classmethod
    def open(cls, out: Path | str, query: dict[str, Any], instrument: Instrument) -> Self:
        """Begin a download, or go on with the one of the same query."""
        out = Path(out)
        partial = _beside(out, PARTIAL)
        bookmark = _read_bookmark(out)
        if bookmark is not None and bookmark[QUERY] != query:
            raise StorageError(
                f"{out}: another download was begun under this name ({_told(bookmark[QUERY])}). Finish that one, choose "
                f"another name, or delete {partial.name} and {_beside(out, BOOKMARK).name}."
            )
        if bookmark is None and partial.exists():  # stopped before its first page
            os.close(_locked(partial))
            partial.unlink()
        if bookmark is None:
            TapeWriter.create(partial, [instrument], {QUERY: query}).close()
        try:
            lock = _locked(partial)
            if bookmark is not None:
                os.truncate(partial, bookmark["bytes"])
        except OSError as error:
            raise refused(f"{partial} cannot be written", error, partial) from error
        download = cls(out, query, TapeWriter.reopen(partial), lock)
        if bookmark is None:
            download._mark()
        else:
            download.progress, download.is_resumed = bookmark["progress"], True
        return download

    @property
    def event_count(self) -> int:
        return self._writer.event_count

    def keep(self, rows: Slots, progress: dict[str, Any]) -> None:
        """Make rows durable, and then that they are. Blocks: call it in a thread."""
        if len(rows):
            self._writer.append(rows)
            self._writer.sync()
        self.progress = progress
        self._mark()

    def finish(self, found: dict[str, Any]) -> None:
        """Give the tape its name; `found` goes into its header beside the query."""
        self._writer.close()
        tape, whole = Tape.open(self._writer.path), _beside(self.out, WHOLE)
        whole.unlink(missing_ok=True)
        with TapeWriter.create(whole, tape.instruments, {QUERY: self.query, "found": found}) as writer:
            for rows in _blocks(tape):
                writer.append(rows)
        del tape
        try:
            whole.rename(self.out)
            sync_folder(self.out.parent)
        except OSError as error:
            raise refused(f"{self.out} cannot be written", error, self.out) from error
        self.close()
        _clear(self.out)

    def close(self) -> None:
        """Stop here; the next `open` goes on from the bookmark."""
        self._writer.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _mark(self) -> None:
        bookmark = {
            "schema": SCHEMA,
            QUERY: self.query,
            "events": self._writer.event_count,
            "bytes": self._writer.size_bytes,
            "progress": self.progress,
        }
        place = _beside(self.out, BOOKMARK)
        try:
            replace_whole(place, json.dumps(bookmark, allow_nan=False).encode())
        except OSError as error:
            raise refused(str(place), error, place) from error


def finished(out: Path | str, query: dict[str, Any]) -> Tape | None:
    """The tape of a query that was downloaded before; None where there is none. Any other file is refused."""
    out = Path(out)
    if not out.exists():
        return None
    tape = Tape.open(out)
    if tape.metadata.get(QUERY) != query:
        raise StorageError(f"{out} exists already and is no download of {_told(query)}. Choose another name.")
    _clear(out)  # of a download that was stopped between its last step and its last but one
    return tape


def _beside(out: Path, suffix: str) -> Path:
    return out.with_name(out.name + suffix)


def _clear(out: Path) -> None:
    for suffix in (BOOKMARK, PARTIAL, WHOLE):
        with contextlib.suppress(OSError):
            _beside(out, suffix).unlink(missing_ok=True)


def _read_bookmark(out: Path) -> dict[str, Any] | None:
    place = _beside(out, BOOKMARK)
    try:
        bookmark = json.loads(place.read_bytes())
        if not _beside(out, PARTIAL).is_file():
            return None
        if bookmark["schema"] > SCHEMA:
            raise StorageError(f"{place} was written by a newer streamtrader; update streamtrader to go on with it.")
        return {name: bookmark[name] for name in (QUERY, "events", "bytes", "progress")}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{place} is damaged ({error!r}). Delete it and {out.name}{PARTIAL}.") from error


def _told(query: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in query.items())


def _blocks(tape: Tape) -> Iterator[Slots]:
    """All events in blocks of one size: the bytes of the tape do not tell where the pages ended."""
    held: list[Slots] = []
    count = 0
    for rows in tape.events():
        held.append(rows)
        count += len(rows)
        if count >= BLOCK_EVENTS:
            joined = np.concatenate(held)
            whole = count - count % BLOCK_EVENTS
            yield joined[:whole]
            held, count = [joined[whole:]], count - whole
    if count:
        yield np.concatenate(held)


def _locked(path: Path) -> int:
    return open_locked(path, os.O_RDWR, f"{path} is being written by another process.")
