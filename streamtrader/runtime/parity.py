"""Parity: the tape of a session, replayed in one call, must say what the session said, row by row, and end alike.

Compared are every intent, refusal, halt, fill, charge and change of an order with all their values, the final state
of every order, the books' states, and the hash of the engine's bytes. A session that was killed may have told less to
its database than its tape knows; what is missing at the end is then a note, and written when the run is continued.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamtrader.errors import RunDirectoryError
from streamtrader.runtime.recorder import feed_rows
from streamtrader.runtime.recovery import seat_terms, settings_of
from streamtrader.runtime.replay import engine_for, play_tape
from streamtrader.storage.reader import DatabaseReader
from streamtrader.storage.rows import Journal
from streamtrader.storage.run_directory import RunDirectory, code_sha256
from streamtrader.storage.schema import COLUMNS
from streamtrader.storage.tape import Tape

if TYPE_CHECKING:
    from collections.abc import Iterable

TOLD_MOST = 100  # differences that are told in full; all are counted
# The key of each table that is compared, in the order of its columns; `orders` holds the newest state of each order.
KEYS = {
    "intents": 1, "refusals": 1, "halts": 1, "fills": 1, "charges": 1, "order_changes": 1, "feed_events": 1, "orders": 2,
}  # fmt: skip
LAST_OF_ORDER = COLUMNS["orders"].index("last_sequence")


@dataclass(slots=True)
class ParityReport:
    """No difference means: the same tape decides the same."""

    run: str
    events: int = 0
    rows_compared: int = 0
    difference_count: int = 0
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    state_sha256: str = ""
    counts: dict[str, int] = field(default_factory=dict)

    def differ(self, text: str) -> None:
        self.difference_count += 1
        if len(self.differences) < TOLD_MOST:
            self.differences.append(text)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(path: Path) -> ParityReport:
    """Replay the run's tape with the run's own settings and hold the result against its records."""
    directory = RunDirectory.open(path)
    holder = directory.holder()
    if holder is not None:
        raise RunDirectoryError(f"{directory.path} is running (process {holder}); end it, then compare")
    if not directory.tape.exists():
        raise RunDirectoryError(f"{directory.path} has no tape: the session ended before its first event")
    tape, manifest, settings = Tape.open(directory.tape), directory.read_manifest(), settings_of(directory)
    report = ParityReport(str(directory.path))
    if manifest["code_sha256"] != code_sha256():
        report.notes.append("the code has changed since the session was recorded; differences may come from that")
    if tape.torn_bytes:
        report.notes.append(f"{tape.torn_bytes} bytes at the tape's end are of an interrupted write")
    engine = engine_for(settings, tape.instruments)
    journal = Journal(tape.instruments, seat_terms(engine, settings))
    replayed: dict[str, dict[tuple[Any, ...], tuple[Any, ...]]] = {table: {} for table in KEYS}
    for said, _ in play_tape(engine, tape):
        _keep(replayed, journal.rows(said))
    at = 0
    for events in tape.events():
        _keep(replayed, feed_rows(events, at))
        at += len(events)
    report.events = int(engine.state.clock[0].event_count)
    report.state_sha256 = engine.state_sha256()
    _compare_rows(report, replayed, directory, is_ended=manifest.get("ended") is not None)
    _compare_ends(report, manifest, tape)
    return report


def _keep(
    replayed: dict[str, dict[tuple[Any, ...], tuple[Any, ...]]], rows: Iterable[tuple[str, tuple[Any, ...]]]
) -> None:
    for table, values in rows:
        if table in KEYS:
            replayed[table][values[: KEYS[table]]] = values


def _compare_rows(
    report: ParityReport,
    replayed: dict[str, dict[tuple[Any, ...], tuple[Any, ...]]],
    directory: RunDirectory,
    *,
    is_ended: bool,
) -> None:
    with DatabaseReader.open(directory.database) as reader:
        last = reader.last_sequence()
        for table, width in KEYS.items():
            stored = {tuple(row.values())[:width]: tuple(row.values()) for row in reader.select(f"SELECT * FROM {table}")}  # noqa: S608 - names of our own
            report.counts[table] = len(stored)
            report.rows_compared += len(stored)
            for key in sorted(stored.keys() | replayed[table].keys()):
                _compare_row(report, table, key, stored.get(key), replayed[table].get(key), last, is_ended=is_ended)


def _compare_row(
    report: ParityReport,
    table: str,
    key: tuple[Any, ...],
    stored: tuple[Any, ...] | None,
    replayed: tuple[Any, ...] | None,
    last: int,
    *,
    is_ended: bool,
) -> None:
    if stored == replayed:
        return
    newest = replayed[LAST_OF_ORDER] if table == "orders" and replayed is not None else key[0]
    if not is_ended and replayed is not None and (table == "feed_events" or newest > last):
        text = "the session was killed: its tape knows more than its database"
        if text not in report.notes:
            report.notes.append(text)
        return
    name = f"{table} {'/'.join(map(str, key))}"
    if stored is None:
        report.differ(f"{name}: only in the replay: {replayed}")
    elif replayed is None:
        report.differ(f"{name}: only in the session: {stored}")
    else:
        report.differ(f"{name}: session {stored}, replay {replayed}")


def _compare_ends(report: ParityReport, manifest: dict[str, Any], tape: Tape) -> None:
    """The bytes of the state, when the session ended in order and nothing was added since."""
    ended = manifest.get("ended")
    if ended is None:
        report.notes.append("the session was not ended in order; its final bytes are not known")
        return
    if ended["data_sha256"] != tape.data_sha256:
        report.differ("the tape is not the one that the session wrote")
    if ended["events"] != report.events:
        report.differ(f"events: session {ended['events']}, replay {report.events}")
    if ended["state_sha256"] != report.state_sha256:
        report.differ(f"state: session {ended['state_sha256']}, replay {report.state_sha256}")
