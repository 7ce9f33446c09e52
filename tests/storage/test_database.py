"""The database keeps every row once, waits for locks without blocking the loop, and says what is wrong in words."""

import asyncio
import contextlib
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from streamtrader.errors import DatabaseFailed, LayoutChanged
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.storage import schema
from streamtrader.storage.database import Database
from streamtrader.storage.reader import DatabaseReader
from streamtrader.storage.rows import Row, static_rows

from .naming import BTCUSDT, ETHUSDT, SEATS, journal, life_of_an_order, outbox, said


def fill_row(sequence: int) -> Row:
    return "fills", (sequence, sequence, 0, sequence, "buy", "1", 100, "1", 1, 0, "0", "taker", "USDT", 0)


async def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "x.sqlite") as database:
        await database.write(static_rows([BTCUSDT, ETHUSDT], SEATS))
        await database.write(journal().rows(life_of_an_order()))
        await database.write(
            [
                ("positions", (0, 5, "0.003", 300, "59999.66", "0", "0.05", "9820", 4, "0.1", "0.2")),
                ("balances", (0, "cash", "USDT", "9820", 4)),
                ("charges", (3, 5, 0, "funding", "-0.25", "USDT", "buy", 6_000_000, 300)),
                ("equity_samples", (0, 5, "9820", "0.003", "60000", "10000", 4)),
                ("commands", (17, 5, "PAUSE", "terminal", "lunch")),
                ("feed_events", (3, 5, 0, "GAP", 12)),
            ]
        )
        assert await database.last_sequence() == 4

    with DatabaseReader.open(tmp_path / "x.sqlite") as reader:
        assert [fill["fee"] for fill in reader.fills()] == ["0.04499925", "0.012"]
        assert [order["average_price"] for order in reader.orders()] == ["59999.66666666666666666666667"]
        assert reader.positions()[0]["average_price"] == "59999.66"
        assert reader.commands()[0]["reason"] == "lunch"
        assert reader.feed_events()[0]["state"] == "GAP"
        assert reader.seats()[1]["strategy"] == "ImbalanceMaker"
        assert reader.equity_samples(0)[0]["equity"] == "10000"
        assert reader.last_sequence() == 4
        counts = reader.counts()
        assert (counts["intents"], counts["fills"], counts["orders_filled"], counts["refusals"]) == (1, 2, 1, 0)
        assert reader.intents()[0]["size"] == "0.003"
        assert reader.charges()[0]["amount"] == "-0.25"
        assert reader.balances()[0]["amount"] == "9820"
        assert (reader.refusals(), reader.halts(), reader.open_orders()) == ([], [], [])


async def test_writing_the_same_rows_again_changes_nothing(tmp_path: Path) -> None:
    rows = journal().rows(life_of_an_order())
    async with Database.open(tmp_path / "x.sqlite") as database:
        await database.write(rows)
        await database.write(rows)
        await database.write(journal().rows(life_of_an_order()[:3]))  # older news of the same order

    with DatabaseReader.open(tmp_path / "x.sqlite") as reader:
        assert len(reader.fills()) == 2
        assert reader.orders()[0]["status"] == "filled"
        assert reader.last_sequence() == 4


async def test_a_run_that_goes_on_finds_its_open_orders(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "x.sqlite") as database:
        await database.write(journal().rows(life_of_an_order()[:4]))
    async with Database.open(tmp_path / "x.sqlite") as database:
        (order,) = await database.open_orders()

        assert (order["status"], order["filled_lots"], await database.last_sequence()) == ("partly_filled", 100, 3)


async def test_each_start_of_a_run_is_a_session(tmp_path: Path) -> None:
    values = {"run": "r", "mode": "paper", "config_sha256": "c", "code_sha256": "d"}
    async with Database.open(tmp_path / "x.sqlite") as database:
        assert await database.last_sequence() == -1
        first = await database.begin_session(**values, started_ns=1, first_event=0)
        await database.end_session(first, ended_ns=9, reason="the market ended")
        second = await database.begin_session(**values, started_ns=10, first_event=500)

    with DatabaseReader.open(tmp_path / "x.sqlite") as reader:
        assert [(row["id"], row["ended_ns"], row["reason"]) for row in reader.sessions()] == [
            (first, 9, "the market ended"),
            (second, None, None),
        ]


async def test_the_file_is_durable_and_versioned(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "x.sqlite") as database:
        for pragma, expected in (
            ("journal_mode", "wal"), ("synchronous", 2), ("user_version", schema.VERSION),
            ("application_id", schema.APPLICATION_ID),
        ):  # fmt: skip
            (row,) = await database.select(f"PRAGMA {pragma}")
            assert next(iter(row.values())) == expected


async def test_a_failed_batch_leaves_nothing_behind(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "x.sqlite") as database:
        with pytest.raises(DatabaseFailed, match="NOT NULL"):
            await database.write([fill_row(1), ("halts", (2, None, 0, 0, "x"))])
        assert await database.select("SELECT * FROM fills") == []
        await database.write([fill_row(1)])

    with DatabaseReader.open(tmp_path / "x.sqlite") as reader:
        assert len(reader.fills()) == 1


async def test_a_cancelled_write_leaves_no_open_transaction(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "x.sqlite") as database:
        for delay_us in range(0, 3_000, 300):
            task = asyncio.create_task(database.write([fill_row(number) for number in range(500)]))
            await asyncio.sleep(delay_us / 1e6)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await database.write([fill_row(number) for number in range(600)])

        assert len(await database.select("SELECT * FROM fills")) == 600


async def test_a_lock_held_by_another_program_loses_nothing_and_does_not_block_the_loop(tmp_path: Path) -> None:
    other = None
    async with Database.open(tmp_path / "x.sqlite") as database:
        other = sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(database.write([fill_row(1)]))
        for _ in range(
            120
        ):  # longer than one wait inside SQLite; a blocked loop would never come to release the lock
            await asyncio.sleep(0.01)
        assert not writing.done()
        other.execute("COMMIT")
        await writing

        assert database.busy_count == 1
        assert len(await database.select("SELECT * FROM fills")) == 1
    other.close()


async def test_a_lock_that_is_never_released_is_an_error_after_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamtrader.storage.database.BUSY_S", 0.05)
    async with Database.open(tmp_path / "x.sqlite", busy_limit_s=0.1) as database:
        with contextlib.closing(sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseFailed, match="another program holds its lock"):
                await database.write([fill_row(1)])
        await database.write([fill_row(1)])


async def test_a_newer_database_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    async with Database.open(path):
        pass
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")

    with pytest.raises(LayoutChanged, match="newer streamtrader"):
        async with Database.open(path):
            pass
    with pytest.raises(LayoutChanged, match="newer streamtrader"):
        DatabaseReader.open(path)


async def test_a_database_of_another_program_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE precious (x)")

    with pytest.raises(LayoutChanged, match="not one of streamtrader"):
        async with Database.open(path):
            pass

    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert [row[0] for row in connection.execute("SELECT name FROM sqlite_schema")] == ["precious"]


async def test_what_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_text("not a database " * 500)

    with pytest.raises(DatabaseFailed, match="choose another run directory"):
        async with Database.open(tmp_path / "x.sqlite"):
            pass
    with pytest.raises(DatabaseFailed, match=r"unable to open.*check that the folder exists"):
        async with Database.open(tmp_path / "none" / "x.sqlite"):
            pass
    with pytest.raises(DatabaseFailed, match="no database yet"):
        DatabaseReader.open(tmp_path / "none.sqlite")


async def test_a_damaged_page_is_found_on_opening(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    async with Database.open(path) as database:
        await database.write([fill_row(number) for number in range(2_000)])
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
    path.write_bytes(data)

    with pytest.raises(DatabaseFailed, match="damaged"):
        async with Database.open(path):
            pass


async def test_a_deleted_or_replaced_file_is_noticed_by_the_next_write(tmp_path: Path) -> None:
    """SQLite itself would go on writing to a file that has no name any more."""
    path = tmp_path / "x.sqlite"
    async with Database.open(path) as database:
        path.rename(tmp_path / "moved.sqlite")
        with pytest.raises(DatabaseFailed, match="deleted, moved or replaced"):
            await database.write([fill_row(1)])
        path.write_bytes(b"")
        with pytest.raises(DatabaseFailed, match="deleted, moved or replaced"):
            await database.write([fill_row(1)])


async def test_a_full_disk_is_an_error_and_the_rows_can_be_given_again(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    rows = [fill_row(number) for number in range(5_000)]
    try:
        async with Database.open(path) as database:
            await database.write([fill_row(-1)])
            resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, limits[1]))
            with pytest.raises(DatabaseFailed, match="disk"):
                await database.write(rows)
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            assert len(await database.select("SELECT * FROM fills")) == 1
            await database.write(rows)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)

    with DatabaseReader.open(path) as reader:
        assert len(reader.fills()) == 5_001


async def test_a_reader_of_another_process_does_not_disturb_the_writer(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "x.sqlite") as database:
        await database.write([fill_row(1)])
        with DatabaseReader.open(tmp_path / "x.sqlite") as reader:
            assert len(reader.fills()) == 1
            await database.write([fill_row(2)])
            assert len(reader.fills()) == 2
            with pytest.raises(DatabaseFailed, match="readonly"):
                reader.select("DELETE FROM fills RETURNING sequence")


async def test_a_database_without_log_is_read_where_nothing_may_be_written(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "x.sqlite") as database:
        await database.write([fill_row(1)])

    with DatabaseReader._opened(tmp_path / "x.sqlite", "immutable=1") as reader:
        assert len(reader.fills()) == 1


CHILD = """
    import asyncio, sys
    from streamtrader.storage.database import Database

    async def write():
        async with Database.open(sys.argv[1]) as database:
            for number in range(1_000_000):
                row = ("fills", (number, 0, 0, 0, "buy", "1", 1, "1", 1, 0, "0", "maker", "USDT", 0))
                await database.write([row, ("progress", ("outbox", number))])
                print(number, flush=True)

    asyncio.run(write())
"""


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.slow
async def test_what_was_confirmed_survives_kill_9(tmp_path: Path, seed: int) -> None:
    """Every confirmed row is there, rows and progress agree, and the next start writes on."""
    path = tmp_path / "x.sqlite"
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(path)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    confirmed, enough = -1, random.Random(seed).randrange(1, 60)
    assert child.stdout is not None
    for line in child.stdout:
        confirmed = int(line)
        if confirmed == enough:
            child.kill()
    child.stdout.close()
    child.wait(10)

    async with Database.open(path) as database:
        stored = await database.last_sequence()
        assert stored >= confirmed >= enough
        assert len(await database.select("SELECT * FROM fills")) == stored + 1
        await database.write([fill_row(stored + 1)])


def test_an_order_number_begins_anew_in_each_seat() -> None:
    rows = journal().rows(
        outbox(said(OutboxKind.INTENT, 1, 5, ticks=9), said(OutboxKind.INTENT, 1, 5, ticks=9, seat=1))
    )

    assert [values[:2] for table, values in rows if table == "orders"] == [(0, 1), (1, 1)]


async def test_a_numpy_number_is_refused_and_not_kept_as_bytes(tmp_path: Path) -> None:
    import numpy as np

    async with Database.open(tmp_path / "x.sqlite") as database:
        with pytest.raises(DatabaseFailed):
            await database.write([("halts", (np.int64(1), 1, 0, 7, "DRAWDOWN"))])
