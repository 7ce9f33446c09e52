"""A database of an earlier version grows when it is written to, and is read as if it had when it is only read."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from streamtrader.errors import DatabaseFailed
from streamtrader.storage import schema
from streamtrader.storage.database import Database
from streamtrader.storage.reader import DatabaseReader
from streamtrader.storage.rows import Journal, Row

from .naming import BTCUSDT, SEATS

FILLS = 14


def fill_row(sequence: int) -> Row:
    return "fills", (sequence, sequence, 0, sequence, "buy", "1", 100, "1", 1, 0, "0", "taker", "USDT", 0)


@pytest.fixture
def first_version(tmp_path: Path) -> Path:
    """What a session of the first version left."""
    path = tmp_path / "session.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript((Path(__file__).parent / "version_1.sql").read_text(encoding="utf-8"))
    return path


def version_of(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def layout_of(path: Path) -> dict[str, list[tuple[str, str, int]]]:
    """Name, type and place of each column of each table."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {
            table: [(row[1], row[2], row[0]) for row in connection.execute(f"PRAGMA table_info({table})")]
            for table in schema.COLUMNS
        }


async def test_a_first_database_becomes_one_of_the_newest_version_with_all_that_was_in_it(
    first_version: Path, tmp_path: Path
) -> None:
    assert version_of(first_version) == 1
    async with Database.open(first_version) as database:
        fills = await database.select("SELECT * FROM fills ORDER BY sequence")
        assert len(fills) == FILLS
        assert {(fill["fee_asset"], fill["forced"]) for fill in fills} == {("USDT", 0)}
        assert await database.select("SELECT * FROM charges") == []
        (position, *_) = await database.select("SELECT * FROM positions ORDER BY seat")
        assert (position["funding"], position["interest"]) == ("0", "0")
        assert {row["last_sequence"] for row in await database.select("SELECT * FROM equity_samples")} == {None}
    async with Database.open(tmp_path / "new.sqlite"):
        pass

    assert version_of(first_version) == schema.VERSION
    assert layout_of(first_version) == layout_of(tmp_path / "new.sqlite")


def test_the_columns_of_a_new_row_are_those_of_the_table_in_their_order(tmp_path: Path) -> None:
    """Parity compares rows by place."""
    with contextlib.closing(sqlite3.connect(tmp_path / "x.sqlite")) as connection:
        for step in schema.MIGRATIONS:
            connection.executescript(step)

    columns = {table: tuple(name for name, _, _ in found) for table, found in layout_of(tmp_path / "x.sqlite").items()}
    assert columns == schema.COLUMNS


async def test_open_orders_of_the_first_version_go_on_in_the_newest(first_version: Path) -> None:
    async with Database.open(first_version) as database:
        open_orders = await database.open_orders()
        journal = Journal([BTCUSDT], SEATS[:1], open_orders=[row for row in open_orders if row["seat"] == 0])

        assert sorted(row["status"] for row in open_orders) == ["accepted", "accepted", "accepted", "sent"]
        assert sorted(journal.open) == [(0, 12), (0, 15), (0, 16)]
        plan = await database.select(f"EXPLAIN QUERY PLAN {schema.SELECT_OPEN_ORDERS}")
        assert any("open_orders" in row["detail"] for row in plan), "the open orders are found by their index"


def test_whoever_only_reads_sees_the_newest_version_and_changes_nothing(first_version: Path) -> None:
    before = first_version.read_bytes()

    with DatabaseReader.open(first_version) as reader:
        assert [fill["fee_asset"] for fill in reader.fills()] == ["USDT"] * FILLS
        assert (reader.charges(), reader.balances()) == ([], [])
        with pytest.raises(DatabaseFailed, match="readonly"):
            reader.select("DELETE FROM fills RETURNING sequence")

    assert first_version.read_bytes() == before


async def test_a_snapshot_is_of_one_moment(tmp_path: Path) -> None:
    row = ("balances", (0, "cash", "USDT", "1", 1))
    async with Database.open(tmp_path / "x.sqlite") as database:
        await database.write([row])
        with DatabaseReader.open(tmp_path / "x.sqlite") as reader:
            with reader.snapshot():
                assert len(reader.balances()) == 1
                await database.write([("balances", (1, "cash", "USDT", "1", 2))])
                assert len(list(reader.each("SELECT * FROM balances"))) == 1
            assert len(reader.balances()) == 2


async def test_a_migration_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.sqlite"
    async with Database.open(path) as database:
        await database.write([fill_row(1)])
    broken = "CREATE TABLE later (x INTEGER);\nCREATE TABLE fills (twice INTEGER);\n"

    with monkeypatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
        patched.setattr(schema, "VERSION", schema.VERSION + 1)
        with pytest.raises(DatabaseFailed, match="fills already exists"):
            async with Database.open(path):
                pass

    async with Database.open(path) as database:  # the old version still opens it, with all that was in it
        assert len(await database.select("SELECT * FROM fills")) == 1
        assert await database.select("SELECT name FROM sqlite_schema WHERE name = 'later'") == []


async def test_an_older_database_grows_to_the_newest_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.sqlite"
    async with Database.open(path) as database:
        await database.write([fill_row(1)])

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE later (x INTEGER);\n"))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    async with Database.open(path) as database:
        assert await database.select("SELECT * FROM later") == []
        assert len(await database.select("SELECT * FROM fills")) == 1
