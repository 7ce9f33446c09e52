"""What was ordered and what came of it: from a run's own database, or from a replay of tapes.

Neither table nor tape says when the venue acknowledged an order. The loop does: played again over the run's tape with
the run's settings it says every row anew. Where it does not fill what the session filled, as when the code has changed,
those times stay unknown and a note says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from streamtrader.analysis.costs import UNKNOWN, Fill, Order
from streamtrader.errors import ConfigError, RunDirectoryError
from streamtrader.kernel.outbox import OUTBOX_ROW, OutboxKind
from streamtrader.runtime.recovery import seat_terms, settings_of
from streamtrader.runtime.replay import engine_for, play_tape, shared_instruments
from streamtrader.storage.reader import DatabaseReader
from streamtrader.storage.recording import recorded_files
from streamtrader.storage.rows import Journal, static_rows
from streamtrader.storage.run_directory import RunDirectory
from streamtrader.storage.schema import COLUMNS, OPEN_STATES
from streamtrader.storage.tape import Tape
from streamtrader.units import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from streamtrader.config import Settings

Rows = list[dict[str, Any]]


@dataclass(slots=True)
class OrderRecords:
    """Orders and fills in the order of decision, the tapes under them, and the settings that decided."""

    source: str
    tapes: list[Tape]
    settings: Settings
    orders: list[Order] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    seats: Rows = field(default_factory=list)
    charges: Rows = field(default_factory=list)
    said: np.ndarray[Any, Any] = field(default_factory=lambda: np.zeros(0, OUTBOX_ROW))  # empty: not repeatable
    notes: list[str] = field(default_factory=list)

    @property
    def up_ns(self) -> int:
        return round(self.settings.simulator.up_latency_ms * NS_PER_MS)

    @property
    def down_ns(self) -> int:
        return round(self.settings.simulator.down_latency_ms * NS_PER_MS)


def is_run(places: Sequence[Path]) -> bool:
    """Whether it is a run's directory, and no tape or folder of tapes."""
    if len(places) != 1 or not places[0].is_dir():
        return False
    directory = RunDirectory(places[0])
    return not directory.manifest.exists() or "segments" not in directory.manifest.read_text(encoding="utf-8")


def records_of_run(path: Path) -> OrderRecords:
    """A session that has ended. RunDirectoryError: still running, no tape, no order; TapeCorrupt: a damaged tape."""
    directory = RunDirectory.open(path)
    holder = directory.holder()
    if holder is not None:
        raise RunDirectoryError(f"{directory.path} is running (process {holder}); end it first")
    if not directory.tape.exists():
        raise RunDirectoryError(f"{directory.path} has no tape: the session ended before its first event")
    records = OrderRecords(str(directory.path), [Tape.open(directory.tape)], settings_of(directory))
    _note_torn(records)
    with DatabaseReader.open(directory.database) as reader:
        tables = {name: reader.select(f"SELECT * FROM {name}") for name in ("seats", "intents", "orders", "fills")}  # noqa: S608 - names of ours
        has_charges = reader.select("SELECT name FROM sqlite_master WHERE name = 'charges'")
        records.charges = reader.select("SELECT * FROM charges ORDER BY sequence") if has_charges else []
    _take(records, tables)
    if not records.orders:
        raise RunDirectoryError(f"{directory.path} has no orders: there is nothing to analyse")
    said, _ = _played(records)
    stored = [(fill.at_ns, fill.order.seat, fill.order.order_id, fill.lots) for fill in records.fills]
    if _fills_said(said)[: len(stored)] == stored:  # a session that was killed has stored less than its tape knows
        records.said = said
        _take_acknowledgements(records)
    else:
        records.notes.append(
            "a replay does not fill what this session filled, so that queue times are not known; see `parity`"
        )
    return records


def records_of_tapes(places: Sequence[Path], settings: Settings) -> OrderRecords:
    """The same of a replay: tapes, one continuing the other, or folders of them, and the settings to play them with."""
    files = [file for place in places for file in recorded_files(place)]
    tapes = [Tape.open(file) for file in files]
    shared_instruments(tapes)
    records = OrderRecords(", ".join(map(str, files)), tapes, settings)
    _note_torn(records)
    records.said, rows = _played(records)
    _take(records, rows)
    if not records.orders:
        raise ConfigError(f"{records.source}: the strategy asked for no order; there is nothing to analyse")
    _take_acknowledgements(records)
    return records


def _note_torn(records: OrderRecords) -> None:
    for tape in records.tapes:
        if tape.torn_bytes:
            records.notes.append(f"{tape.path}: {tape.torn_bytes} bytes of an interrupted write were left out")
        if tape.event_count == 0:
            raise RunDirectoryError(f"{tape.path} holds no event")


def _played(records: OrderRecords) -> tuple[np.ndarray[Any, Any], dict[str, Rows]]:
    """All that the loop says over the tapes, and the same as rows of tables."""
    settings, instruments = records.settings, records.tapes[0].instruments
    engine = engine_for(settings, instruments)
    terms = seat_terms(engine, settings)
    journal = Journal(instruments, terms)
    newest: dict[str, dict[tuple[Any, ...], tuple[Any, ...]]] = {"intents": {}, "orders": {}, "fills": {}, "charges": {}}
    keys = {"orders": 2}
    batches = []
    for tape in records.tapes:
        for said, _ in play_tape(engine, tape):
            batches.append(said)
            for table, values in journal.rows(said):
                if table in newest:
                    newest[table][values[: keys.get(table, 1)]] = values
    rows = {table: _named(table, kept.values()) for table, kept in newest.items() if table in COLUMNS}
    rows["seats"] = _named("seats", [values for table, values in static_rows(instruments, terms) if table == "seats"])
    return np.concatenate(batches) if batches else np.zeros(0, OUTBOX_ROW), rows


def _named(table: str, rows: Iterable[tuple[Any, ...]]) -> Rows:
    return [dict(zip(COLUMNS[table], values, strict=True)) for values in rows]


def _take(records: OrderRecords, tables: dict[str, Rows]) -> None:
    records.seats = tables["seats"]
    records.charges = tables.get("charges", records.charges)
    quotes = [instrument.quote for instrument in records.tapes[0].instruments]
    last_ns = records.tapes[-1].last_received_ns
    by_key: dict[tuple[int, int], Order] = {}
    for row in sorted(tables["orders"], key=lambda row: (row["asked_ns"], row["seat"], row["order_id"])):
        seat = records.seats[row["seat"]]
        order = Order(
            group=(seat["strategy"], seat["instrument"], row["side"]),
            seat=row["seat"],
            order_id=row["order_id"],
            sign=1 if row["side"] == "buy" else -1,
            lots=row["size_lots"],
            filled_lots=row["filled_lots"],
            status=row["status"],
            asked_ns=row["asked_ns"],
            end_ns=max(row["asked_ns"], last_ns) if row["status"] in OPEN_STATES else row["changed_ns"],
            limit_ticks=row["price_ticks"] or 0,
        )
        by_key[order.seat, order.order_id] = order
    records.orders = list(by_key.values())
    for row in sorted(tables["fills"], key=lambda row: row["sequence"]):
        order = by_key[row["seat"], row["order_id"]]
        asset = row.get("fee_asset", "")
        fill = Fill(
            order=order,
            at_ns=row["at_ns"],
            ticks=row["price_ticks"],
            lots=row["size_lots"],
            is_taker=row["liquidity"] == "taker",
            fee=Decimal(row["fee"]),
            fee_asset="" if asset == quotes[order.group[1]] else asset,
        )
        records.fills.append(fill)
        if order.first_fill_ns == UNKNOWN:
            order.first_fill_ns = fill.at_ns
        if not fill.is_taker and order.first_maker_ns == UNKNOWN:
            order.first_maker_ns = fill.at_ns


def _fills_said(said: np.ndarray[Any, Any]) -> list[tuple[int, ...]]:
    rows = said[said["kind"] == OutboxKind.FILLED]
    return [tuple(row) for row in rows[["at_ns", "seat", "order", "lots"]].tolist()]


def _take_acknowledgements(records: OrderRecords) -> None:
    """The venue's first word that an order rests there; a fill may come before it."""
    rows = records.said[records.said["kind"] == OutboxKind.ACCEPTED]
    accepted: dict[tuple[int, int], int] = {}
    for at_ns, seat, order_id in rows[["at_ns", "seat", "order"]].tolist():
        accepted.setdefault((seat, order_id), at_ns)
    for order in records.orders:
        order.accepted_ns = accepted.get((order.seat, order.order_id), UNKNOWN)
