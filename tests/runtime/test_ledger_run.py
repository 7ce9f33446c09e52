"""A run with charges, fees in another asset and a liquidation: what is stored, rebuilt and compared."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from streamtrader.kernel.outbox import FEE_IN_ASSET, FORCED, TAKER, Charge, OutboxKind
from streamtrader.ledger import Method
from streamtrader.runtime.ledger_run import ledger_of_run
from streamtrader.runtime.ledgers import LedgerReport, Options
from streamtrader.runtime.seat_ledgers import SeatLedgers
from streamtrader.storage.database import Database
from streamtrader.storage.rows import Journal, Row, static_rows
from streamtrader.storage.run_directory import RunDirectory
from streamtrader.units import NS_PER_DAY, NS_PER_S
from tests.storage.naming import BTCUSDT, ETHUSDT, SEATS, outbox, said

INSTRUMENTS = [BTCUSDT, ETHUSDT]
TERMS = [replace(SEATS[0], fee_asset="BNB"), replace(SEATS[1], cash=Decimal(10_000), strategy="EmaCross")]
FILLED, CHARGED, INTENT = OutboxKind.FILLED, OutboxKind.CHARGED, OutboxKind.INTENT
NOON_NS = 20_000 * NS_PER_DAY + NS_PER_DAY // 2
SAID = outbox(
    said(INTENT, 1, 100_000, at_ns=NOON_NS),
    said(FILLED, 1, 100_000, ticks=5_000_000, code=TAKER | FEE_IN_ASSET, fee=0.05, at_ns=NOON_NS + 1),
    said(CHARGED, 0, 100_000, ticks=5_000_000, code=Charge.OPENING, fee=2.0, at_ns=NOON_NS + 1),
    said(CHARGED, 0, 100_000, ticks=5_100_000, code=Charge.FUNDING, fee=5.1, at_ns=NOON_NS + 2 * NS_PER_S),
    said(CHARGED, 0, 0, code=Charge.INTEREST, fee=0.1 + 0.2, at_ns=NOON_NS + NS_PER_DAY),
    said(INTENT, 1, 2_000, side=1, seat=1, at_ns=NOON_NS + NS_PER_DAY),
    said(FILLED, 1, 2_000, ticks=40_000, code=TAKER, side=1, seat=1, fee=1.6, at_ns=NOON_NS + NS_PER_DAY + 1),
    said(CHARGED, 0, 2_000, ticks=40_000, code=Charge.BORROW, seat=1, side=1, fee=0.4, at_ns=NOON_NS + NS_PER_DAY + 2),
    said(
        FILLED, 0, 100_000, ticks=4_000_000, code=TAKER | FORCED, side=1, fee=30.0,
        at_ns=NOON_NS + NS_PER_DAY + NS_PER_S,
    ),
    said(
        CHARGED, 0, 100_000, ticks=4_000_000, code=Charge.LIQUIDATION, fee=50.0,
        at_ns=NOON_NS + NS_PER_DAY + NS_PER_S,
    ),
)  # fmt: skip


def sample(seat: int, at_ns: int, cash: str, size: str, mark: str, last_sequence: int) -> Row:
    equity = Decimal(cash) + Decimal(size) * Decimal(mark)
    return "equity_samples", (seat, at_ns, cash, size, mark, str(equity), last_sequence)


SAMPLES = [
    sample(0, NOON_NS - 1, "10000", "0", "50000", -1),  # nothing was said yet
    sample(1, NOON_NS - 1, "10000", "0", "2000", -1),
    sample(0, NOON_NS + NS_PER_S, "-40002", "1", "50500", 2),
    sample(1, NOON_NS + NS_PER_S, "10000", "0", "0", 2),
    sample(0, NOON_NS + NS_PER_DAY + 5, "-40007.4", "1", "41000", 7),
    sample(1, NOON_NS + NS_PER_DAY + 5, "13998", "-2", "2000", 7),
    sample(0, NOON_NS + NS_PER_DAY + 2 * NS_PER_S, "-87.4", "0", "40000", 9),
    sample(1, NOON_NS + NS_PER_DAY + 2 * NS_PER_S, "13998", "-2", "1900", 9),
]


async def write(run: RunDirectory, *, cut: int = 0) -> None:
    """As a session writes: in two sessions, where it was cut."""
    async with Database.open(run.database) as database:
        await database.write(static_rows(INSTRUMENTS, TERMS))
    for part in (SAID[:cut], SAID[cut:]):
        async with Database.open(run.database) as database:
            journal = Journal(
                INSTRUMENTS, TERMS, last_sequence=await database.last_sequence(),
                open_orders=await database.open_orders(),
            )  # fmt: skip
            books = SeatLedgers(INSTRUMENTS, TERMS)
            for table in ("fills", "charges"):
                for row in await database.select(f"SELECT * FROM {table} ORDER BY sequence"):
                    books.book(table, row)
            rows = journal.rows(part)
            books.book_rows(rows)
            await database.write([*rows, *books.rows(NOON_NS, journal.last_sequence)])
    async with Database.open(run.database) as database:
        await database.write(SAMPLES)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    directory = RunDirectory.create(tmp_path, now_ns=NOON_NS, manifest={"settings": {}})
    asyncio.run(write(directory))
    return directory


def rebuilt(run: RunDirectory, *marks: str, **more: object) -> LedgerReport:
    return ledger_of_run(run.path, Options(marks=marks, **more))  # type: ignore[arg-type]


def test_charges_and_fees_in_another_asset_are_rebuilt_exactly(run: RunDirectory) -> None:
    report = rebuilt(run, "BNB=600")

    assert report.differences == []
    assert (report.fill_count, report.charge_count) == (3, 5)
    assert report.valuation is not None
    whole = report.valuation.whole
    assert (whole.realized, whole.unrealized) == (-10_000, 200)
    assert whole.fees == Decimal("0.05") * 600 + 2 + Decimal("1.6") + 30 + 50
    assert whole.funding == Decimal("5.1")
    assert whole.interest == Decimal("0.30000000000000004") + Decimal("0.4")
    assert whole.equity == whole.explained


def test_days_tell_what_was_paid_on_each(run: RunDirectory) -> None:
    first, second = rebuilt(run, "BNB=600").as_json()["days"]

    assert (first["day"], first["start"], first["fees"], first["funding"]) == ("2024-10-04T00:00", "20000", "32", "0")
    assert (second["fees"], second["funding"], second["realized"]) == ("81.6", "5.1", "-10000")
    assert (first["end"], second["drawdown_worst"]) == (second["start"], "10387.40000000000000004")


def test_a_day_begins_at_the_hour_that_the_run_was_set_to(run: RunDirectory) -> None:
    run.update_manifest(settings={"risk": {"daily_loss": {"reset_hour_utc": 13}}})

    assert [day["day"] for day in rebuilt(run, "BNB=600").as_json()["days"]] == ["2024-10-03T13:00", "2024-10-04T13:00"]
    told = rebuilt(run, "BNB=600", reset_hour_utc=1).as_json()["days"]
    assert [day["day"] for day in told] == ["2024-10-04T01:00", "2024-10-05T01:00"]


def test_without_a_mark_for_the_fee_asset_all_is_compared_and_nothing_valued(run: RunDirectory) -> None:
    report = rebuilt(run)
    document = report.as_json()

    assert (report.differences, report.valuation, document["equity"], document["days"]) == ([], None, None, [])
    assert report.notes == ["not valued: there is money in BNB and no mark to value it at in USDT; give one with --mark BNB=PRICE"]
    assert document["balances"]["BNB"] == "-0.05"


def test_two_seats_of_one_strategy_are_one_line_and_two_positions(run: RunDirectory) -> None:
    document = rebuilt(run, "BNB=600").as_json()

    (line,) = document["strategies"]
    assert (line["strategy"], line["equity"]) == ("EmaCross", document["equity"])
    assert [(one["seat"], one["symbol"], one["size"]) for one in document["positions"]] == [
        (0, "BTCUSDT", "0"), (1, "ETHUSDT", "-2"),
    ]  # fmt: skip


def test_a_closed_position_realizes_the_same_by_either_method(run: RunDirectory) -> None:
    first = rebuilt(run, "BNB=600", method=Method.FIFO)

    assert first.differences == []
    assert first.valuation == rebuilt(run, "BNB=600").valuation


@pytest.mark.parametrize("cut", range(len(SAID) + 1))
def test_a_run_that_goes_on_stores_what_one_session_would_have(tmp_path: Path, cut: int) -> None:
    directory = RunDirectory.create(tmp_path, now_ns=NOON_NS)
    asyncio.run(write(directory, cut=cut))

    report = rebuilt(directory, "BNB=600")

    assert (report.differences, report.charge_count) == ([], 5)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE charges SET amount = '5.2' WHERE sequence = 3", "positions 0: funding is 5.1, but 5.2 by fills and charges"),
        ("UPDATE charges SET kind = 'interest' WHERE sequence = 3", "positions 0: funding is 5.1, but 0 by fills and charges"),
        ("UPDATE fills SET fee = '0.06' WHERE sequence = 1", "balances 0/cash/BNB: amount is -0.05, but -0.06 by fills and charges"),
        (f"UPDATE equity_samples SET cash = '10000.1' WHERE seat = 1 AND at_ns = {NOON_NS - 1}",
         f"equity_samples 1/{NOON_NS - 1}: cash is 10000.1, but 10000 by fills and charges"),
        ("UPDATE orders SET asset_fees = '1' WHERE seat = 0", "orders 0/1: asset_fees is 1, but 0.05 by the sum of its fills"),
        ("UPDATE fills SET order_id = 7 WHERE sequence = 6", "orders 1/7: missing, and 1 fills of it are there"),
    ],
)  # fmt: skip
def test_a_changed_charge_or_fee_is_named(run: RunDirectory, statement: str, told: str) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(run.database)) as connection:
        connection.execute(statement)
        connection.commit()

    assert told in rebuilt(run, "BNB=600").differences
