"""The backlog is bounded: telemetry is dropped and counted, decisions never."""

from pathlib import Path

import pytest

from streamtrader.errors import DatabaseFailed
from streamtrader.storage.backlog import Backlog
from streamtrader.storage.database import Database
from streamtrader.storage.rows import Row


def sample(number: int) -> Row:
    return "equity_samples", (0, number, "1", "0", "1", "1", -1)


def halt(number: int) -> Row:
    return "halts", (number, number, 0, 7, "DRAWDOWN")


async def test_telemetry_is_dropped_and_counted_when_nobody_writes(tmp_path: Path) -> None:
    backlog = Backlog(limit=10)

    backlog.put(sample(number) for number in range(1_000_000))
    assert (len(backlog), backlog.dropped_count, backlog.is_full) == (10, 999_990, True)
    backlog.put([halt(1), halt(2)])
    assert (len(backlog), backlog.dropped_count) == (12, 999_990)

    async with Database.open(tmp_path / "x.sqlite") as database:
        assert await backlog.flush(database) == 12
        assert await backlog.flush(database) == 0
        assert len(await database.select("SELECT * FROM halts")) == 2
    assert (len(backlog), backlog.written_count, backlog.is_full) == (0, 12, False)


async def test_rows_that_could_not_be_written_wait_in_their_order(tmp_path: Path) -> None:
    path, backlog = tmp_path / "x.sqlite", Backlog()
    async with Database.open(path) as database:
        backlog.put([halt(1), halt(2)])
        path.rename(tmp_path / "away")
        with pytest.raises(DatabaseFailed):
            await backlog.flush(database)
        backlog.put([halt(3)])
        (tmp_path / "away").rename(path)
        assert await backlog.flush(database) == 3
        found = await database.select("SELECT sequence FROM halts ORDER BY rowid")

    assert [row["sequence"] for row in found] == [1, 2, 3]
