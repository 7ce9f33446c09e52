"""The files of a lake in the making: rows sorted out by channel and instrument, a day at a time, and their names.

A file is named by its tape and by the hash of its rows, so the same rows are the same file. `date` is the UTC day of
the engine's clock, which never runs backwards: rows of one message, and rows in order, stay together however the
receive times jump.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from streamtrader.errors import StorageError
from streamtrader.events import MORE
from streamtrader.storage import lake_manifest as manifests
from streamtrader.storage.extras import arrow, library
from streamtrader.storage.lake_manifest import LakeFile
from streamtrader.storage.lake_place import LakePlace
from streamtrader.storage.lake_schema import CHANNEL_OF_KIND, CHANNELS, Channel, Events, Lineage, schema_of, table_of
from streamtrader.storage.tape_reader import Tape
from streamtrader.units import NS_PER_DAY

ROWS_OF_GROUP = 1 << 17
ROWS_HELD = 1 << 21  # over all files that are being written
_STEPPED = ("sequence", "message", "received_at", "venue_at")  # neighbours differ little: deltas beat a dictionary


@dataclass(slots=True)
class LakeExport:
    """What an export did. `files_kept` were there already; `files_removed` were of the tape when it was shorter."""

    tape: str
    lake: str
    events: int = 0
    files_written: int = 0
    files_kept: int = 0
    files_removed: int = 0
    bytes_written: int = 0


@dataclass(slots=True)
class _Rows:
    """Rows that wait to be written, numbered and dated."""

    events: list[Events] = field(default_factory=list)
    sequences: list[Events] = field(default_factory=list)
    messages: list[Events] = field(default_factory=list)
    count: int = 0


class _File:
    """One file in the making."""

    def __init__(self, aside: Path, channel: Channel, instrument: int, day: int, lineage: Lineage) -> None:
        self.aside = aside
        self.channel, self.instrument, self.day = channel, instrument, day
        self.first_sequence = self.last_sequence = -1
        self.rows = 0
        self.held = _Rows()
        self._lineage = lineage
        self._digest = hashlib.sha256(f"{lineage.transform_id} {channel.name}".encode())
        parquet = library("pyarrow.parquet", extra="lake", what="the Parquet lake")
        schema = schema_of(channel)
        numbers = [word.name for word in channel.words if word.labels is None]
        named = [each.name for each in schema if arrow().types.is_dictionary(each.type)]
        stepped = [*_STEPPED, *(name for name in numbers if schema.field(name).type != arrow().float64())]
        self._writer = parquet.ParquetWriter(
            str(aside), schema, compression="zstd", compression_level=3,
            use_dictionary=[*named, *(name for name in numbers if name not in stepped), "flags", "ingested_at"],
            column_encoding=dict.fromkeys(stepped, "DELTA_BINARY_PACKED"),
        )  # fmt: skip

    def hold(self, events: Events, sequences: Events, messages: Events) -> None:
        self._digest.update(sequences.tobytes() + messages.tobytes())
        self._digest.update(np.ascontiguousarray(events).view(np.uint8).data)
        self.first_sequence = int(sequences[0]) if self.first_sequence < 0 else self.first_sequence
        self.last_sequence = int(sequences[-1])
        self.rows += len(events)
        held = self.held
        held.events.append(events)
        held.sequences.append(sequences)
        held.messages.append(messages)
        held.count += len(events)

    def flush(self) -> None:
        held, self.held = self.held, _Rows()
        if held.count:
            events, sequences, messages = map(np.concatenate, (held.events, held.sequences, held.messages))
            table = table_of(self.channel, events, sequences, messages, self._lineage)
            self._writer.write_table(table, row_group_size=ROWS_OF_GROUP)

    def finish(self) -> str:
        """Close the file; the hash of its rows."""
        self.flush()
        self._writer.close()
        return self._digest.hexdigest()[:16]

    def abandon(self) -> None:
        if self._writer.is_open:
            self._writer.close()


class LakeWriter:
    """Takes the events of one tape in order and makes files of them, a day at a time."""

    def __init__(self, place: LakePlace, tape: Tape, lineage: Lineage, spool: Path) -> None:
        self.identity = manifests.identity_of(tape)
        self.instruments = tape.instruments
        self.files: list[LakeFile] = []
        self.report = LakeExport(self.identity, place.url)
        self._place, self._lineage, self._spool = place, lineage, spool
        self._open: dict[tuple[int, int], _File] = {}
        self._there: set[str] = set()
        self._looked: set[str] = set()
        self._clock_ns = np.iinfo(np.int64).min
        self._day: int | None = None
        self._held = self._made = 0

    def append(self, events: Events, first_sequence: int) -> None:
        """Whole messages; the first event has this number."""
        clocks = np.maximum(np.maximum.accumulate(events["received_ns"]), self._clock_ns)
        self._clock_ns = int(clocks[-1])
        is_start = np.concatenate(([True], (events["flags"][:-1] & MORE) == 0))
        starts = np.flatnonzero(is_start)[np.cumsum(is_start) - 1]
        days = clocks[starts] // NS_PER_DAY
        sequences = np.arange(first_sequence, first_sequence + len(events), dtype=np.int64)
        cuts = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(events)]
        for start, stop in pairwise(cuts):
            day = int(days[start])
            if self._day is not None and day != self._day:
                self._finish_day()
            self._day = day
            part = slice(start, stop)
            self._sort_out(events[part], sequences[part], starts[part] + first_sequence)
        self.report.events += len(events)

    def close(self) -> None:
        """Finish what is open; on an error abandon it instead."""
        self._finish_day()

    def abandon(self) -> None:
        for file in self._open.values():
            file.abandon()

    def stale(self) -> list[str]:
        """Files of this tape that are not part of it any more: it was shorter then, or an export broke off."""
        current = {file.name for file in self.files}
        mark = f"/{self.identity}-"
        for venue in sorted({file.name.partition("/")[0] for file in self.files}):
            self._look(venue)
        return sorted(name for name in self._there if mark in name and name not in current)

    def _sort_out(self, events: Events, sequences: Events, messages: Events) -> None:
        channels = CHANNEL_OF_KIND[events["kind"]].astype(np.int64)
        keys = events["instrument"].astype(np.int64) * len(CHANNELS) + channels
        order = np.argsort(keys, kind="stable")
        found, starts = np.unique(keys[order], return_index=True)
        for key, rows in zip(found.tolist(), np.split(order, starts[1:]), strict=True):
            instrument, channel = divmod(key, len(CHANNELS))
            file = self._open.get((channel, instrument)) or self._begin(channel, instrument)
            file.hold(events[rows], sequences[rows], messages[rows])
            self._held += len(rows)
            if file.held.count >= ROWS_OF_GROUP:
                self._flush(file)
        while self._held > ROWS_HELD:
            self._flush(max(self._open.values(), key=lambda each: each.held.count))

    def _begin(self, channel: int, instrument: int) -> _File:
        if instrument >= len(self.instruments):
            raise StorageError(
                f"an event belongs to instrument {instrument}, and the tape has {len(self.instruments)}: damaged"
            )
        aside = self._spool / f"{self.identity}-{self._made}.part"
        self._made += 1
        assert self._day is not None
        file = _File(aside, CHANNELS[channel], instrument, self._day, self._lineage)
        self._open[channel, instrument] = file
        return file

    def _flush(self, file: _File) -> None:
        self._held -= file.held.count
        file.flush()

    def _finish_day(self) -> None:
        while self._open:
            file = self._open.pop(next(iter(self._open)))
            self._held -= file.held.count
            self._publish(file, file.finish())

    def _publish(self, file: _File, digest: str) -> None:
        folder = manifests.folder_of(self.instruments[file.instrument], file.channel.name, file.day)
        name = f"{folder}/{self.identity}-{digest}.parquet"
        self._look(folder.partition("/")[0])
        if name in self._there:
            self.report.files_kept += 1
            file.aside.unlink()
        else:
            self.report.bytes_written += file.aside.stat().st_size
            self._place.publish(file.aside, name)
            self.report.files_written += 1
        first, last = file.first_sequence, file.last_sequence
        self.files.append(LakeFile(name, file.channel.name, file.instrument, file.day, file.rows, first, last))

    def _look(self, venue: str) -> None:
        """Which files of a venue are there, asked once."""
        if venue not in self._looked:
            self._looked.add(venue)
            self._there |= set(self._place.names(venue))
