"""The ledger of a run: rebuilt from its fills and charges alone, then held against everything else that was stored.

Fills and charges are booked in the order in which the engine said them. In between come the samples of equity, which
tell marks and what the engine's own doubles were just then. Stored positions, balances and orders are never used to
rebuild, only to compare (`ledger_compare`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from heapq import merge
from itertools import groupby
from pathlib import Path
from typing import Any

from streamtrader.errors import LedgerError, NoMark
from streamtrader.instruments import Instrument
from streamtrader.ledger import Days, Ledger, Marks, Valuation, value
from streamtrader.runtime.ledger_compare import compare_fills, compare_sample, compare_state
from streamtrader.runtime.ledgers import GivenMark, LedgerReport, Options, Part, only_currency
from streamtrader.runtime.seat_ledgers import SeatLedgers
from streamtrader.storage.reader import DatabaseReader
from streamtrader.storage.rows import SeatTerms
from streamtrader.storage.run_directory import RunDirectory
from streamtrader.units import NS_PER_S

NS_PER_HOUR = 3_600 * NS_PER_S
Row = dict[str, Any]


def ledger_of_run(path: Path, options: Options) -> LedgerReport:
    """Rebuild and compare; reads one moment of the database, also while the run goes on."""
    directory = RunDirectory.open(path)
    manifest = directory.read_manifest()
    with DatabaseReader.open(directory.database) as reader, reader.snapshot():
        try:
            rebuilt = _Rebuilt.of(reader, options, directory.path, _reset_hour(options, manifest))
            rebuilt.play(reader)
            compare_state(rebuilt.report, rebuilt.stored, reader, manifest.get("ended"))
        except (InvalidOperation, KeyError, IndexError) as error:
            raise LedgerError(
                f"{directory.database} holds something in the place of a number or name that is none ({error!r}); "
                "restore it from a copy"
            ) from error
    return rebuilt.report


def _reset_hour(options: Options, manifest: dict[str, Any]) -> int:
    """When a day begins: as told, else as the run's own rule of daily losses had it."""
    if options.reset_hour_utc is not None:
        return options.reset_hour_utc
    return int(manifest.get("settings", {}).get("risk", {}).get("daily_loss", {}).get("reset_hour_utc", 0))


@dataclass(slots=True)
class _Rebuilt:
    """`stored` is kept by the method that the database keeps; `chosen` by the one that was asked for."""

    report: LedgerReport
    stored: SeatLedgers
    chosen: SeatLedgers
    given: list[GivenMark]
    now_ns: int = 0

    @classmethod
    def of(cls, reader: DatabaseReader, options: Options, path: Path, reset_hour: int) -> _Rebuilt:
        instruments = [_instrument(row) for row in reader.instruments()]
        seats = [
            SeatTerms(row["strategy"], row["instrument"], 0.0, 0.0, Decimal(row["cash"]), fee_asset=row["fee_asset"])
            for row in reader.seats()
        ]
        stored = SeatLedgers(instruments, seats)
        is_same = options.method is stored.method
        chosen = stored if is_same else SeatLedgers(instruments, seats, options.method)
        given = [GivenMark.of(text) for text in options.marks]
        currency = only_currency((pair.quote for pair in chosen.pairs), options.currency)
        limit_ns = None if options.age_limit_s is None else int(options.age_limit_s * NS_PER_S)
        parts = [Part(seat.strategy, ledger, at) for at, (seat, ledger) in enumerate(zip(seats, chosen.ledgers, strict=True))]
        days = Days(reset_hour * NS_PER_HOUR)
        report = LedgerReport(str(path), options, parts, currency, Marks(age_limit_ns=limit_ns), days=days)
        return cls(report, stored, chosen, given)

    def play(self, reader: DatabaseReader) -> None:
        """Book everything, value at each sample, and once more in the end."""
        report = self.report
        for mark in self.given:
            mark.put(report.marks, self.chosen.pairs, report.currency)
        facts = _Facts(reader)
        for at_ns, samples in groupby(_samples(reader), key=lambda row: int(row["at_ns"])):
            group = list(samples)
            for fact in facts.until(at_ns, group[0]["last_sequence"]):
                self._book(*fact)
            for row in group:
                self._mark(row, at_ns)
            self.now_ns = max(self.now_ns, at_ns)
            self._observe(at_ns)
        for fact in facts.until(1 << 63, None):
            self._book(*fact)
        for mark in self.given:
            mark.put(report.marks, self.chosen.pairs, report.currency)
        report.valuation = self._observe(self.now_ns)
        report.repeated_count = sum(ledger.repeated_count for ledger in self.chosen.ledgers)

    def _book(self, table: str, row: Row) -> None:
        if table == "fills":
            self.report.fill_count += 1
            compare_fills(self.report, self.chosen.instruments[row["seat"]], row)
        else:
            self.report.charge_count += 1
        for books in {id(books): books for books in (self.stored, self.chosen)}.values():
            books.book(table, row)
        self.now_ns = max(self.now_ns, int(row["at_ns"]))

    def _mark(self, row: Row, at_ns: int) -> None:
        seat, price = row["seat"], Decimal(row["mark"])
        if price > 0:
            self.report.marks.set_price(self.chosen.pairs[seat], price, at_ns)
        if row["last_sequence"] is not None:
            compare_sample(self.report, self.chosen.pairs[seat], self.chosen.ledgers[seat], row)

    def _observe(self, at_ns: int) -> Valuation | None:
        try:
            valuation = value(self._ledgers(), self.report.marks, self.report.currency, at_ns)
        except NoMark as error:
            note = f"not valued: {error}"
            if note not in self.report.notes:
                self.report.notes.append(note)
            return None
        self.report.days.observe(valuation)
        return valuation

    def _ledgers(self) -> list[Ledger]:
        return self.chosen.ledgers


class _Facts:
    """Fills and charges in the order in which they were said, handed out up to a point."""

    def __init__(self, reader: DatabaseReader) -> None:
        fills = (("fills", row) for row in reader.each("SELECT * FROM fills ORDER BY sequence"))
        charges = (("charges", row) for row in reader.each("SELECT * FROM charges ORDER BY sequence"))
        self._rows = merge(fills, charges, key=lambda fact: int(fact[1]["sequence"]))
        self._next = next(self._rows, None)

    def until(self, at_ns: int, last_sequence: int | None) -> Iterator[tuple[str, Row]]:
        """Those up to a sequence; up to a time where the sequence was not kept."""
        while self._next is not None:
            row = self._next[1]
            if row["at_ns"] > at_ns if last_sequence is None else row["sequence"] > last_sequence:
                return
            yield self._next
            self._next = next(self._rows, None)


def _samples(reader: DatabaseReader) -> Iterator[Row]:
    return reader.each("SELECT * FROM equity_samples ORDER BY at_ns, seat")


def _instrument(row: Row) -> Instrument:
    return Instrument(
        row["venue"], row["symbol"], row["base"], row["quote"], Decimal(row["price_tick"]), Decimal(row["size_lot"]),
        kind=row["kind"],
    )  # fmt: skip
