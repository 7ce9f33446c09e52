"""What a run stored, held against the ledger that was rebuilt from its fills and charges: each difference by name.

Exact where exact decimals were stored: ticks and lots of fills, orders, positions, balances, and what the manifest says
of the end. Within a billionth where the engine's own doubles were stored: the samples of equity.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from typing import Any

from streamtrader.instruments import Instrument
from streamtrader.ledger import Ledger, Pair
from streamtrader.ledger.money import ZERO, plus, times, total
from streamtrader.ledger.positions import Position
from streamtrader.runtime.ledgers import LedgerReport
from streamtrader.runtime.seat_ledgers import MONEY_TABLES, SeatLedgers, money_of
from streamtrader.storage.reader import DatabaseReader
from streamtrader.storage.rows import AVERAGE
from streamtrader.units import decimal_price, decimal_size, decimal_text

Row = dict[str, Any]
SHOWN = 1e-8  # the decimals of a sample
RELATIVE = 1e-9
OLDER = "the run was begun by an older streamtrader, which kept no balances; its positions were compared"


def compare_fills(report: LedgerReport, instrument: Instrument, row: Row) -> None:
    """A fill's decimals are those of its ticks and lots."""
    name = f"fills {row['sequence']}"
    _hold(report, f"{name}: price", row["price"], decimal_price(row["price_ticks"], instrument), "by its ticks")
    _hold(report, f"{name}: size", row["size"], decimal_size(row["size_lots"], instrument), "by its lots")


def compare_sample(report: LedgerReport, pair: Pair, ledger: Ledger, row: Row) -> None:
    """The engine's own money and position, as they were after the same fills."""
    name = f"equity_samples {row['seat']}/{row['at_ns']}"
    size = ledger.position(pair.symbol).size
    _hold(report, f"{name}: size", row["size"], size, "by the fills")
    worth = times(Decimal(row["size"]), Decimal(row["mark"]))
    _near(report, f"{name}: cash", row["cash"], ledger.cash, "by fills and charges")
    if ledger.currencies() <= {ledger.currency} and Decimal(row["mark"]) > 0:
        _near(report, f"{name}: equity", row["equity"], plus(Decimal(row["cash"]), worth), "by cash and size at the mark")


def compare_state(
    report: LedgerReport, books: SeatLedgers, reader: DatabaseReader, ended: dict[str, Any] | None
) -> None:
    """What was stored as the newest state."""
    last = reader.last_sequence()
    for table in MONEY_TABLES:
        newest = reader.select(f"SELECT coalesce(max(sequence), -1) AS sequence FROM {table}")[0]["sequence"]  # noqa: S608 - names of our own
        if newest > last:
            report.differ(f"{table} {newest}: was never said, the engine's last row is {last}")
    _compare_positions(report, books, reader)
    _compare_balances(report, books, reader)
    _compare_orders(report, books, reader)
    if ended is not None and "ledger" in ended:
        told = {
            (seat["seat"], account, currency): amount
            for seat in ended["ledger"]
            for account, currency, amount in seat["balances"]
        }
        _compare_accounts(report, books, "manifest", told)


def _compare_positions(report: LedgerReport, books: SeatLedgers, reader: DatabaseReader) -> None:
    stored = {row["seat"]: row for row in reader.positions()}
    for seat, ledger in enumerate(books.ledgers):
        position, instrument = ledger.position(books.pairs[seat].symbol), books.instruments[seat]
        row = stored.pop(seat, None)
        name = f"positions {seat}"
        if row is None:
            if position.fill_count:
                report.differ(f"{name}: missing, and {position.fill_count} fills of this seat are there")
            continue
        for column, amount in money_of(ledger).items():
            _hold(report, f"{name}: {column}", row[column], amount, "by fills and charges")
        _hold(report, f"{name}: size", row["size"], position.size, "by the fills")
        _hold(report, f"{name}: size_lots", row["size_lots"], position.size / instrument.size_lot, "by the size")
        _compare_average(report, name, row, position)
    for seat in stored:
        report.differ(f"positions {seat}: there is no such seat")


def _compare_average(report: LedgerReport, name: str, row: Row, position: Position) -> None:
    average = position.average_price
    if row["average_price"] is None or average is None:
        if (row["average_price"] is None) != (average is None):
            report.differ(f"{name}: average_price is {row['average_price']}, but {average} by the fills")
        return
    _hold(report, f"{name}: average_price", row["average_price"], average, "by the fills")


def _compare_balances(report: LedgerReport, books: SeatLedgers, reader: DatabaseReader) -> None:
    stored = {(row["seat"], row["account"], row["currency"]): row["amount"] for row in reader.balances()}
    if stored:
        _compare_accounts(report, books, "balances", stored)
    elif report.fill_count:
        report.notes.append(OLDER)


def _compare_accounts(
    report: LedgerReport, books: SeatLedgers, table: str, stored: dict[tuple[int, str, str], str]
) -> None:
    """Accounts of seats, either way; a seat that never moved may be left out."""
    rebuilt = {
        (seat, account, currency): amount
        for seat, ledger in enumerate(books.ledgers)
        for account, currency, amount in ledger.balances()
    }
    for key in sorted(rebuilt.keys() | stored.keys()):
        name = f"{table} {'/'.join(map(str, key))}"
        if key not in stored:
            report.differ(f"{name}: missing, but {decimal_text(rebuilt[key])} by fills and charges")
        else:
            _hold(report, f"{name}: amount", stored[key], rebuilt.get(key, ZERO), "by fills and charges")


def _compare_orders(report: LedgerReport, books: SeatLedgers, reader: DatabaseReader) -> None:
    """What an order says of its fills is their sum. Fills without an order are those of a liquidation."""
    sums = groupby(
        reader.each("SELECT * FROM fills WHERE order_id > 0 ORDER BY seat, order_id, sequence"),
        key=lambda row: (row["seat"], row["order_id"]),
    )
    filled = ((key, list(rows)) for key, rows in sums)
    for row, fills in _joined(reader, filled):
        key = (row or fills[0])["seat"], (row or fills[0])["order_id"]
        name = f"orders {key[0]}/{key[1]}"
        if row is None:
            if not all(fill["forced"] for fill in fills):
                report.differ(f"{name}: missing, and {len(fills)} fills of it are there")
            continue
        instrument, quote = books.instruments[key[0]], books.pairs[key[0]].quote
        _hold(report, f"{name}: size", row["size"], decimal_size(row["size_lots"], instrument), "by its lots")
        if row["price"] is not None:
            _hold(report, f"{name}: price", row["price"], decimal_price(row["price_ticks"] or 0, instrument), "by its ticks")
        sizes = total(Decimal(fill["size"]) for fill in fills)
        notional = total(times(Decimal(fill["price"]), Decimal(fill["size"])) for fill in fills)
        expected = {
            "filled": sizes,
            "filled_lots": Decimal(sum(fill["size_lots"] for fill in fills)),
            "notional": notional,
            "fees": total(Decimal(fill["fee"]) for fill in fills if fill["fee_asset"] == quote),
            "asset_fees": total(Decimal(fill["fee"]) for fill in fills if fill["fee_asset"] != quote),
        }
        if sizes and row["average_price"] is not None:
            expected["average_price"] = AVERAGE.divide(notional, sizes)
        for column, amount in expected.items():
            _hold(report, f"{name}: {column}", row[column], amount, "by the sum of its fills")


def _joined(
    reader: DatabaseReader, filled: Iterator[tuple[tuple[int, int], list[Row]]]
) -> Iterator[tuple[Row | None, list[Row]]]:
    """Orders and the fills of each, in the order of their keys; either may be missing."""
    fills = next(filled, None)
    for order in reader.each("SELECT * FROM orders ORDER BY seat, order_id"):
        key = order["seat"], order["order_id"]
        while fills is not None and fills[0] < key:
            yield None, fills[1]
            fills = next(filled, None)
        if fills is not None and fills[0] == key:
            yield order, fills[1]
            fills = next(filled, None)
        else:
            yield order, []
    while fills is not None:
        yield None, fills[1]
        fills = next(filled, None)


def _hold(report: LedgerReport, name: str, stored: str | int, expected: Decimal, what: str) -> None:
    if Decimal(stored) != expected:
        report.differ(f"{name} is {stored}, but {decimal_text(expected)} {what}")


def _near(report: LedgerReport, name: str, stored: str, expected: Decimal, what: str) -> None:
    off = abs(float(Decimal(stored) - expected))
    if not off <= SHOWN + RELATIVE * abs(float(expected)):
        report.differ(f"{name} is {stored}, but {decimal_text(expected)} {what}")
