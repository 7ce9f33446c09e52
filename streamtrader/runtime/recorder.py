"""Keeps what happened, in the one order that survives a crash: tape first, then database, then checkpoint.

One task does it in turns. A turn takes the events that the engine has played since the last one and the rows that it
said about them, writes the events to the tape and makes them durable, commits the rows in one transaction, and only
then gives the ring's slots free. A slow disk therefore holds up the socket, never the loop, and the database never
knows of an order whose cause is not on the tape.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from streamtrader.events import BookState, Command, Kind
from streamtrader.kernel.memory import copied
from streamtrader.observers.histogram import Histogram
from streamtrader.runtime.seat_ledgers import SeatLedgers
from streamtrader.storage import checkpoint
from streamtrader.units import NS_PER_S, decimal_size, decimal_text

if TYPE_CHECKING:
    from streamtrader.kernel.ring import Ring
    from streamtrader.ledger import Ledger
    from streamtrader.runtime.engine import Engine
    from streamtrader.storage.database import Database
    from streamtrader.storage.rows import Journal, Row
    from streamtrader.storage.run_directory import RunDirectory
    from streamtrader.storage.tape import TapeWriter


class Recorder:
    """`notify` after each turn of the engine; `run` until `finish`."""

    def __init__(
        self,
        engine: Engine,
        ring: Ring,
        tape: TapeWriter,
        database: Database,
        journal: Journal,
        directory: RunDirectory,
        *,
        layout_key: str,
        flush_every_s: float,
        checkpoint_every_s: float,
        on_room: Callable[[], None],
    ) -> None:
        self.engine, self.ring, self.tape = engine, ring, tape
        self.database, self.journal, self.directory = database, journal, directory
        self.layout_key = layout_key
        self.books = SeatLedgers(journal.instruments, journal.seats)
        self.commits = Histogram()
        self.kind_counts = np.zeros(256, np.int64)  # of the events that this session wrote
        self.reasons: dict[int, str] = {}  # why the operator said what, by the number of the command's event
        self.on_rows: Callable[[list[Row]], None] = lambda _rows: None
        self._flush_every_s, self._checkpoint_every_s = flush_every_s, checkpoint_every_s
        self._on_room = on_room
        self._said: list[np.ndarray[Any, Any]] = []
        self._news = asyncio.Event()
        self._finishing = asyncio.Event()
        self._next_checkpoint_s = 0.0
        self._sampled_ns = 0

    # --- what the loop calls ---

    def hear(self, rows: np.ndarray[Any, Any]) -> None:
        """Take what the engine said; called from the loop, costs no more than an append."""
        if len(rows):
            self._said.append(rows)

    def notify(self) -> None:
        self._news.set()

    @property
    def backlog(self) -> int:
        return sum(map(len, self._said)) + self.ring.played - self.ring.taped

    def finish(self) -> None:
        self._finishing.set()
        self._news.set()

    async def run(self) -> None:
        """Write in turns until `finish`; then write the rest, and a last checkpoint."""
        self._next_checkpoint_s = time.monotonic() + self._checkpoint_every_s
        while not self._finishing.is_set():
            await self._news.wait()
            self._news.clear()
            await self.turn()
            if self.ring.fill_ratio < 0.5:  # small turns cost as much as large ones
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._flush_every_s):
                        await self._finishing.wait()
        await self.turn(is_last=True)

    async def turn(self, *, is_last: bool = False) -> None:
        """Events, then rows, then room."""
        ring, started_ns = self.ring, time.perf_counter_ns()
        stop, said = ring.played, self._said
        self._said = []
        now_ns = int(self.engine.state.clock[0].now_ns)
        state = self._state_copy(is_last=is_last)
        # As the state is now: the loop goes on while the tape is written, and a crash would undo what it saw since.
        samples = self._samples(now_ns, is_last=is_last)
        parts = ring.slices(ring.taped, stop)
        first = self.tape.event_count
        await asyncio.to_thread(self._write_tape, parts)
        rows: list[Row] = []
        for batch in said:
            rows += self.journal.rows(batch)
        self.books.book_rows(rows)
        if rows:
            rows += self.books.rows(now_ns, self.journal.last_sequence)
        rows += samples
        for part in parts:
            rows += feed_rows(part, first, self.reasons)
            first += len(part)
        await self.database.write(rows)
        ring.taped = stop
        if rows or parts:
            self.commits.record(time.perf_counter_ns() - started_ns)
        self.on_rows(rows)
        if state is not None:
            await asyncio.to_thread(self._save, *state)
        self._on_room()

    def _write_tape(self, parts: list[np.ndarray[Any, Any]]) -> None:
        for part in parts:
            self.tape.append(part)
            self.kind_counts += np.bincount(part["kind"], minlength=256)
        if parts:
            self.tape.sync()

    # --- checkpoints ---

    def _state_copy(self, *, is_last: bool) -> tuple[dict[str, np.ndarray[Any, Any]], int, dict[str, Any]] | None:
        """The state as it is now, which is that of the last event played; copied before anything is awaited."""
        if not is_last and time.monotonic() < self._next_checkpoint_s:
            return None
        self._next_checkpoint_s = time.monotonic() + self._checkpoint_every_s
        arrays = {name: copied(array) for name, array in self.engine.arrays().items()}
        notes = {"outbox_written": int(self.engine.outbox[0].written)}
        return arrays, int(self.engine.state.clock[0].event_count), notes

    def _save(self, arrays: dict[str, np.ndarray[Any, Any]], event_count: int, notes: dict[str, Any]) -> None:
        checkpoint.save(self.directory.checkpoint, arrays, event_count, self.layout_key, notes=notes)

    # --- rows beside those of orders ---

    def book_stored(self, fills: list[dict[str, Any]], charges: list[dict[str, Any]]) -> None:
        """Rebuild the ledgers from what the database has."""
        stored = [("fills", row) for row in fills] + [("charges", row) for row in charges]
        for table, row in sorted(stored, key=lambda each: each[1]["sequence"]):
            self.books.book(table, row)

    @property
    def ledgers(self) -> list[Ledger]:
        """The exact ledger of each seat."""
        return self.books.ledgers

    def _samples(self, now_ns: int, *, is_last: bool) -> list[Row]:
        """Equity once a second of the market's time, with the number of the last row that was said before."""
        if now_ns == self._sampled_ns or (now_ns - self._sampled_ns < NS_PER_S and not is_last):
            return []
        self._sampled_ns = now_ns
        last_sequence = int(self.engine.outbox[0].written) - 1
        rows: list[Row] = []
        for at in range(len(self.ledgers)):
            seat = self.engine.state.seats[at]
            market = self.engine.state.markets[int(seat.instrument)]
            instrument = self.journal.instruments[int(seat.instrument)]
            lots, cash, mark = int(seat.position_lots), float(seat.cash), float(market.mark_price())
            size = decimal_text(decimal_size(lots, instrument))
            # Not the seat's own equity: that is of the last event that the seat had to look at.
            equity = cash + lots / float(market.lots_per_unit) * mark if mark > 0.0 else float(seat.equity)
            figures = (f"{cash:.8f}", size, f"{mark:.8f}", f"{equity:.8f}")
            rows.append(("equity_samples", (at, now_ns, *figures, last_sequence)))
        return rows


def feed_rows(events: np.ndarray[Any, Any], first: int, reasons: Mapping[int, str] | None = None) -> list[Row]:
    """States of books and commands of the operator, by the number of their event on the tape."""
    rows: list[Row] = []
    for at in np.flatnonzero((events["kind"] == Kind.LINK) | (events["kind"] == Kind.COMMAND)).tolist():
        event = events[at]
        now_ns, code = int(event["received_ns"]), int(event["a"])
        if event["kind"] == Kind.COMMAND:
            rows.append(("commands", (first + at, now_ns, Command(code).name.lower(), "operator", (reasons or {}).get(first + at))))
            continue
        state = BookState(code).name.lower()
        rows.append(("feed_events", (first + at, now_ns, int(event["instrument"]), state, int(event["id"]))))
    return rows
