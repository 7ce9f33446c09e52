"""Data sets of other programs and vendors become tapes, and tapes their files."""

from __future__ import annotations

import errno
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from streamtrader.errors import ConfigError, MarketFileError
from streamtrader.instruments import Instrument, names_of
from streamtrader.storage.files import place_whole, refused
from streamtrader.storage.importers.csv_export import export_csv
from streamtrader.storage.importers.detecting import IMPORTERS, common_format
from streamtrader.storage.importers.hftbacktest_export import hftbacktest_rows, write_npz
from streamtrader.storage.importers.lean_actions import ADJUSTMENTS
from streamtrader.storage.importers.markets import Intake
from streamtrader.storage.importers.writing import write_tape
from streamtrader.storage.tape import Tape

EXPORTS = ("hftbacktest", "csv")
AUTO = "auto"
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class DatasetResult:
    """What an import of a data set found and wrote; the same names as those of an import of captures."""

    format: str
    files: list[str]
    instruments: tuple[Instrument, ...] = ()
    rows: int = 0
    frames: int = 0  # the same: what a frame is to a capture, a row is to a table
    events: dict[str, int] = field(default_factory=dict)
    unknown: int = 0
    rejected: int = 0  # rows left out
    left_out: dict[str, int] = field(default_factory=dict)  # the same by reason
    errors: list[str] = field(default_factory=list)  # always empty: a row that cannot be is an error of the whole
    gaps: int = 0
    resyncs: int = 0  # snapshots after the first of each book
    snapshots: int = 0
    disordered: int = 0  # rows with an earlier clock than the one before; they take its clock
    checksums: dict[str, int] = field(default_factory=dict)
    books_not_live: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)  # what the data set does not tell and was inferred
    first_ns: int = 0
    last_ns: int = 0
    seconds: float = 0.0
    rows_per_s: int = 0


@dataclass(slots=True)
class ExportResult:
    """What an export wrote, and which events the format has no place for."""

    format: str
    files: list[str]
    events: dict[str, int]
    left_out: dict[str, int]
    moved_local_ns: int = 0  # hftbacktest knows no negative latency
    split_rows: int = 0


def dataset_format(files: Sequence[Path], wanted: str = AUTO) -> str | None:
    """The name of the importer for these files; None if they are of no data set that is known."""
    if wanted != AUTO:
        return wanted if wanted in IMPORTERS else None
    return common_format(files) if all(path.is_file() for path in files) else None


def import_dataset(
    files: Sequence[Path],
    out: Path,
    *,
    wanted_format: str = AUTO,
    symbols: Collection[str] = (),
    adjust: str = "none",
    on_progress: Progress | None = None,
) -> DatasetResult:
    """Write one tape from files of one data set; `on_progress` gets (bytes read, all bytes) now and then.

    Raises `MarketFileError` for bad input, `StorageError` for a disk that refuses; no part of a tape is left then.
    """
    name = dataset_format(files, wanted_format)
    if name is None:
        known = ", ".join(IMPORTERS)
        raise MarketFileError(f"{', '.join(path.name for path in files)}: of no data set that is known ({known}).")
    if adjust not in ADJUSTMENTS or (adjust != "none" and name != "lean"):
        raise ConfigError(f"--adjust {adjust}: one of {', '.join(ADJUSTMENTS)}, and for LEAN's equities only")
    started = time.perf_counter()
    intake = Intake(symbols=tuple(symbols), adjust=adjust)
    total = sum(path.stat().st_size for path in files if path.is_file())

    def report() -> None:
        if on_progress is not None:
            on_progress(min(sum(intake.bytes_read.values()), total), total)

    metadata = {"source": name, "files": [path.name for path in files]}
    streams = IMPORTERS[name](files, intake)
    if not streams:
        wanted = ", ".join(symbols)
        raise MarketFileError(f"nothing of {wanted} in {', '.join(path.name for path in files)}.")
    written = write_tape(streams, intake, out, metadata, report)
    return _result(
        name, files, intake, time.perf_counter() - started, written.by_kind, (written.first_ns, written.last_ns)
    )


def _result(
    name: str, files: Sequence[Path], intake: Intake, seconds: float, events: dict[str, int], between: tuple[int, int]
) -> DatasetResult:
    left_out = {reason: count for reason, count in intake.left_out.items() if count}
    books = [found for found in intake.found.values() if found.has_book]
    return DatasetResult(
        format=name,
        files=[path.name for path in files],
        instruments=intake.instruments(),
        rows=intake.rows,
        frames=intake.rows,
        events=events,
        rejected=sum(left_out.values()),
        left_out=left_out,
        gaps=intake.gaps,
        resyncs=max(0, intake.snapshots - len(books)),
        snapshots=intake.snapshots,
        disordered=intake.disordered,
        checksums={"verified": intake.checksums_verified, "failed": 0, "missing": intake.checksums_missing},
        books_not_live=[found.symbol for found in books if not found.is_book_live],
        notes=intake.notes,
        first_ns=between[0],
        last_ns=between[1],
        seconds=round(seconds, 3),
        rows_per_s=round(intake.rows / seconds) if seconds > 0.0 else 0,
    )


def export_dataset(tape_path: Path, out: Path, *, wanted_format: str, symbols: Collection[str] = ()) -> ExportResult:
    """Write a tape as files of another program; existing files are never touched, a failed export leaves none."""
    if out.is_dir():
        raise MarketFileError(f"{out} is a folder; name a file to write.")
    tape = Tape.open(tape_path)
    tape.verify()
    chosen = _chosen(tape, symbols)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.partial-", dir=out.parent) as folder:
            result, made = _written(tape, Path(folder) / out.name, chosen, wanted_format)
            for path in made:
                if (out.parent / path.name).exists():
                    raise FileExistsError(errno.EEXIST, "exists already", path.name)
            for path in made:
                place_whole(path, out.parent / path.name)
                result.files.append(path.name)
    except FileExistsError as error:
        raise MarketFileError(f"{error.filename} exists already; an export never overwrites.") from error
    except OSError as error:
        raise refused(f"{out} cannot be written", error, out) from error
    return result


def _chosen(tape: Tape, symbols: Collection[str]) -> list[int]:
    """The numbers of the instruments that are meant, each once; a name that several bear is refused."""
    names = names_of(tape.instruments)
    known: dict[str, list[int]] = {}
    for index, (name, instrument) in enumerate(zip(names, tape.instruments, strict=True)):
        for word in {name.casefold(), instrument.symbol.casefold()}:
            known.setdefault(word, []).append(index)
    missing = [symbol for symbol in symbols if symbol.casefold() not in known]
    if missing:
        raise MarketFileError(f"{tape.path} has no {', '.join(missing)}; it has {', '.join(names)}.")
    for symbol in symbols:
        if len(meant := known[symbol.casefold()]) > 1:
            several = " or ".join(names[index] for index in meant)
            raise MarketFileError(f"{tape.path} has several of {symbol}: say {several}.")
    chosen = dict.fromkeys(known[symbol.casefold()][0] for symbol in symbols)
    return list(chosen) or list(range(len(names)))


def _written(tape: Tape, out: Path, chosen: Sequence[int], name: str) -> tuple[ExportResult, list[Path]]:
    if name == "csv":
        made, events, left_behind = export_csv(tape, out, chosen)
        return ExportResult("csv", [], events, dict(left_behind)), made
    if len(chosen) != 1:
        names = ", ".join(names_of([tape.instruments[index] for index in chosen]))
        raise MarketFileError(f"{tape.path} has {names}; hftbacktest's files hold one each: choose it with --symbol.")
    data, exported = hftbacktest_rows(tape, chosen[0])
    write_npz(out, data)
    left_out = dict(exported.left_out)
    return ExportResult(name, [], exported.events, left_out, exported.moved_local_ns, exported.split_rows), [out]
