"""Reading a lake back: the rows of many files as events in the order in which they were on their tapes.

The files of one tape are merged by `sequence`. Several tapes are merged by the engine's clock, which never runs
backwards, whole messages at a time; at the same instant the tape that began first comes first. Some batches of each
file are in memory, never a whole day.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from streamtrader.errors import StorageError
from streamtrader.events import MORE
from streamtrader.instruments import Instrument
from streamtrader.storage.extras import arrow, library
from streamtrader.storage.lake_manifest import LakeFile, Manifest, day_of
from streamtrader.storage.lake_place import LakePlace
from streamtrader.storage.lake_schema import BY_NAME, Events, Numbers, events_of

ROWS_IN_MEMORY = 1 << 21  # over the files of one day of one tape
ROWS_OF_BATCH = (1 << 12, 1 << 17)  # of one file, at least and at most
FOREVER = (-(2**63), 2**63 - 1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read: all venues and symbols unless some are named; message times from `from_ns` up to `to_ns`.

    Venues as the lake's folders name them: `binance` is its spot market alone, `binance-perpetual` the other.
    """

    venues: Collection[str] = ()
    symbols: Collection[str] = ()
    from_ns: int = FOREVER[0]
    to_ns: int = FOREVER[1]

    @property
    def is_everything(self) -> bool:
        return not self.venues and not self.symbols and (self.from_ns, self.to_ns) == FOREVER

    def takes(self, instrument: Instrument) -> bool:
        is_venue = not self.venues or instrument.market in self.venues
        return is_venue and (not self.symbols or instrument.symbol in self.symbols)


@dataclass(slots=True)
class _Rows:
    """Rows in order: the events, their numbers on the tape, and those of the first events of their messages."""

    events: Events
    sequences: Numbers
    messages: Numbers

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, part: Any) -> _Rows:
        return _Rows(self.events[part], self.sequences[part], self.messages[part])

    @staticmethod
    def joined(parts: Collection[_Rows]) -> _Rows:
        if len(parts) == 1:
            return next(iter(parts))
        fields = zip(*((rows.events, rows.sequences, rows.messages) for rows in parts), strict=True)
        return _Rows(*(np.concatenate(each) for each in fields))


def instruments_of(manifests: Iterable[Manifest], wanted: Wanted) -> tuple[Instrument, ...]:
    """Every market that is wanted, once, in the order in which the tapes list them.

    Where two tapes list a market with other steps the finest is taken; the newest tape's fees hold.
    """
    found: dict[tuple[str, str, str], Instrument] = {}
    for manifest in manifests:
        for instrument in filter(wanted.takes, manifest.instruments):
            key = (instrument.venue, instrument.symbol, instrument.kind)
            both = (found.get(key, instrument), instrument)
            found[key] = replace(
                instrument, price_tick=_finest("price_tick", *both), size_lot=_finest("size_lot", *both)
            )
    return tuple(found.values())


def _finest(name: str, *instruments: Instrument) -> Decimal:
    """The least of some steps, which must divide the others."""
    steps: list[Decimal] = [getattr(instrument, name) for instrument in instruments]
    finest = min(steps)
    if any(step % finest for step in steps):
        raise StorageError(
            f"{instruments[0].symbol}: the tapes of the lake disagree about {name} "
            f"({' and '.join(map(str, steps))}), and no step fits both. Import them one by one, with --from and --to."
        )
    return finest


def events_in(
    place: LakePlace, manifests: Collection[Manifest], wanted: Wanted, instruments: tuple[Instrument, ...]
) -> Iterator[Events]:
    """Batches of whole messages of all tapes, renumbered to `instruments`."""
    index = {(each.venue, each.symbol, each.kind): number for number, each in enumerate(instruments)}
    sources = []
    for manifest in manifests:
        numbers = {
            own: index[each.venue, each.symbol, each.kind]
            for own, each in enumerate(manifest.instruments)
            if wanted.takes(each)
        }
        sources.append(_clocked(_whole_messages(_rows_of(place, manifest, wanted, numbers)), wanted))
    return _merged_by_clock(sources)


def _rows_of(place: LakePlace, manifest: Manifest, wanted: Wanted, numbers: Mapping[int, int]) -> Iterator[_Rows]:
    """The rows of one tape in order, day after day."""
    first_day = day_of(max(wanted.from_ns, 0)) if wanted.from_ns != FOREVER[0] else FOREVER[0]
    last_day = day_of(wanted.to_ns - 1) if wanted.to_ns != FOREVER[1] else FOREVER[1]
    files = [file for file in manifest.files if file.instrument in numbers and first_day <= file.day <= last_day]
    files.sort(key=lambda file: (file.day, file.first_sequence))
    for _, of_day in itertools.groupby(files, key=lambda file: file.day):
        group = list(of_day)
        least, most = ROWS_OF_BATCH
        batch = min(max(ROWS_IN_MEMORY // len(group), least), most)
        yield from _merged_by_number([_rows_in(place, file, numbers[file.instrument], batch) for file in group])


def _rows_in(place: LakePlace, file: LakeFile, instrument: int, batch: int) -> Iterator[_Rows]:
    """One file; its rows must be those that the manifest counts."""
    channel, count = BY_NAME[file.channel], 0
    pa, parquet = arrow(), library("pyarrow.parquet", extra="lake", what="the Parquet lake")
    try:
        with parquet.ParquetFile(place.readable(file.name)) as opened:
            for record in opened.iter_batches(batch_size=batch):
                table = pa.Table.from_batches([record])
                count += table.num_rows
                numbers = (table[name].to_numpy() for name in ("sequence", "message"))
                yield _Rows(events_of(channel, table, instrument), *numbers)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise StorageError(f"{place.url}/{file.name} cannot be read ({error}); export its tape again") from error
    if count != file.rows:
        raise StorageError(f"{place.url}/{file.name} has {count} rows instead of {file.rows}; export its tape again")


def _merged_by_number(files: Collection[Iterator[_Rows]]) -> Iterator[_Rows]:
    """Up to the last number that every open file has shown, again and again."""
    waiting: list[tuple[_Rows, Iterator[_Rows]]] = []
    for file in files:
        first = next(file, None)
        if first is not None:
            waiting.append((first, file))
    while waiting:
        bound = min(int(rows.sequences[-1]) for rows, _ in waiting)
        taken, later = [], []
        for rows, file in waiting:
            stop = int(np.searchsorted(rows.sequences, bound, side="right"))
            taken.append(rows[:stop])
            rest: _Rows | None = rows[stop:] if stop < len(rows) else next(file, None)
            if rest is not None:
                later.append((rest, file))
        waiting = later
        rows = _Rows.joined([part for part in taken if len(part)])
        yield rows[np.argsort(rows.sequences, kind="stable")]


def _whole_messages(batches: Iterator[_Rows]) -> Iterator[_Rows]:
    """Cut where a message ends; the last row that is left of each says so, whatever followed it on its tape."""
    held: list[_Rows] = []
    for batch in batches:
        if held and held[0].messages[0] != batch.messages[-1]:
            rows = _Rows.joined([*held, batch])
        elif held:
            held.append(batch)
            continue
        else:
            rows = batch
        stop = int(np.searchsorted(rows.messages, rows.messages[-1], side="left"))
        held = [rows[stop:]]
        if stop:
            yield _ended(rows[:stop])
    if held:
        yield _ended(_Rows.joined(held))


def _ended(rows: _Rows) -> _Rows:
    is_last = np.append(rows.messages[1:] != rows.messages[:-1], True)
    rows.events["flags"][is_last] &= np.uint16(0xFFFF ^ MORE)
    return rows


@dataclass(slots=True)
class _Clocked:
    """Rows with the clock of their message: the latest receive time seen up to its first row."""

    rows: _Rows
    clocks: Numbers

    def __getitem__(self, part: slice) -> _Clocked:
        return _Clocked(self.rows[part], self.clocks[part])


def _clocked(batches: Iterator[_Rows], wanted: Wanted) -> Iterator[_Clocked]:
    clock = np.iinfo(np.int64).min
    for rows in batches:
        clocks = np.maximum(np.maximum.accumulate(rows.events["received_ns"]), clock)
        clock = int(clocks[-1])
        is_start = np.append(True, rows.messages[1:] != rows.messages[:-1])
        clocks = clocks[np.flatnonzero(is_start)[np.cumsum(is_start) - 1]]
        start, stop = np.searchsorted(clocks, (wanted.from_ns, wanted.to_ns)).tolist()
        if wanted.to_ns == FOREVER[1]:
            stop = len(clocks)
        if start < stop:
            yield _Clocked(rows[start:stop], clocks[start:stop])


@dataclass(slots=True)
class _Source:
    """One tape on its way into the merge."""

    part: _Clocked
    batches: Iterator[_Clocked]
    is_open: bool = True

    def extend(self) -> None:
        following = next(self.batches, None)
        if following is None:
            self.is_open = False
            return
        rows = _Rows.joined([self.part.rows, following.rows])
        self.part = _Clocked(rows, np.concatenate((self.part.clocks, following.clocks)))


def _merged_by_clock(sources: Collection[Iterator[_Clocked]]) -> Iterator[Events]:
    """What is older than all that may still come, again and again; an instant is given whole, tape by tape."""
    waiting = [_Source(first, source) for source in sources if (first := next(source, None)) is not None]
    while len(waiting) > 1:
        bounds = [int(source.part.clocks[-1]) for source in waiting if source.is_open]
        taken = []
        for source in waiting:
            part = source.part
            stop = int(np.searchsorted(part.clocks, min(bounds), side="left")) if bounds else len(part.clocks)
            taken.append(part[:stop])
            source.part = part[stop:]
            if source.is_open and part.clocks[-1] == min(bounds):
                source.extend()
        clocks = np.concatenate([part.clocks for part in taken])
        if len(clocks):
            events = np.concatenate([part.rows.events for part in taken])
            yield events[np.argsort(clocks, kind="stable")]
        waiting = [source for source in waiting if source.is_open or len(source.part.clocks)]
    for source in waiting:
        if len(source.part.clocks):
            yield source.part.rows.events
        yield from (part.rows.events for part in source.batches)
