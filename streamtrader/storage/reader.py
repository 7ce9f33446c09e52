"""Reading a run's database from any process, also while the engine writes it. Never changes it, never waits long."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from streamtrader.errors import DatabaseFailed
from streamtrader.storage import schema
from streamtrader.storage.database import IDENTITY, check_identity, explained_errors


class DatabaseReader:
    """Plain, synchronous and read-only; rows are dictionaries in the order in which they were decided."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path | str) -> Self:
        path = Path(path)
        if not path.is_file():
            raise DatabaseFailed(f"{path} does not exist; the run has no database yet.", path=str(path))
        with explained_errors(path):
            try:
                return cls._opened(path, "mode=ro")
            except sqlite3.OperationalError:
                # In a folder that cannot be written SQLite has nowhere to keep its shared memory. Without a log
                # beside it the file is complete and may be read as it is.
                if Path(f"{path}-wal").exists():
                    raise
                return cls._opened(path, "immutable=1")

    @classmethod
    def _opened(cls, path: Path, options: str) -> Self:
        connection = sqlite3.connect(f"file:{quote(str(path))}?{options}", uri=True, timeout=1.0)
        try:
            connection.row_factory = sqlite3.Row
            application_id, version, table_count = connection.execute(IDENTITY).fetchone()
            check_identity(path, application_id, version, table_count)
            if 0 < version < schema.VERSION:
                connection = _grown(connection, version)
        except BaseException:
            connection.close()
            raise
        return cls(path, connection)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that is read meanwhile is of one moment; keep it short, because the writer's log grows as long."""
        with explained_errors(self.path):
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def select(self, statement: str, values: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
        with explained_errors(self.path):
            return [dict(row) for row in self._connection.execute(statement, values)]

    def each(self, statement: str, values: tuple[Any, ...] = ()) -> Iterator[dict[str, Any]]:
        """The same, one by one: for tables that are as long as the run."""
        with explained_errors(self.path):
            for row in self._connection.execute(statement, values):
                yield dict(row)

    def sessions(self) -> list[dict[str, Any]]:
        return self.select("SELECT * FROM sessions ORDER BY id")

    def seats(self) -> list[dict[str, Any]]:
        return self.select("SELECT * FROM seats ORDER BY id")

    def intents(self) -> list[dict[str, Any]]:
        return self.select("SELECT * FROM intents ORDER BY sequence")

    def orders(self) -> list[dict[str, Any]]:
        return self.select("SELECT * FROM orders ORDER BY seat, order_id")

    def open_orders(self) -> list[dict[str, Any]]:
        return self.select(schema.SELECT_OPEN_ORDERS)

    def fills(self) -> list[dict[str, Any]]:
        return self.select("SELECT * FROM fills ORDER BY sequence")

    def charges(self) -> list[dict[str, Any]]:
        return self.select("SELECT * FROM charges ORDER BY sequence")

    def balances(self) -> list[dict[str, Any]]:
        return self.select("SELECT * FROM balances ORDER BY seat, account, currency")

    def instruments(self) -> list[dict[str, Any]]:
        return self.select("SELECT * FROM instruments ORDER BY id")

    def refusals(self) -> list[dict[str, Any]]:
        return self.select("SELECT * FROM refusals ORDER BY sequence")

    def halts(self) -> list[dict[str, Any]]:
        return self.select("SELECT * FROM halts ORDER BY sequence")

    def positions(self) -> list[dict[str, Any]]:
        return self.select("SELECT * FROM positions ORDER BY seat")

    def equity_samples(self, seat: int, *, limit: int = 1_000) -> list[dict[str, Any]]:
        """The newest samples of a seat, oldest first."""
        newest = "SELECT * FROM equity_samples WHERE seat = ? ORDER BY at_ns DESC LIMIT ?"
        return self.select(f"SELECT * FROM ({newest}) ORDER BY at_ns", (seat, limit))  # noqa: S608 - fixed text

    def commands(self) -> list[dict[str, Any]]:
        return self.select("SELECT * FROM commands ORDER BY sequence")

    def feed_events(self) -> list[dict[str, Any]]:
        return self.select("SELECT * FROM feed_events ORDER BY sequence")

    def last_sequence(self) -> int:
        found = self.select(schema.SELECT_PROGRESS, (schema.OUTBOX,))
        return int(found[0]["value"]) if found else -1

    def counts(self) -> dict[str, int]:
        """How many rows each table has, and what became of the orders (`orders_filled`, ...)."""
        tables = {
            table: int(self.select(f"SELECT count(*) AS n FROM {table}")[0]["n"])  # noqa: S608 - names of ours
            for table in schema.COLUMNS
        }
        by_status = self.select("SELECT status, count(*) AS n FROM orders GROUP BY status ORDER BY status")
        return tables | {f"orders_{row['status']}": int(row["n"]) for row in by_status}


def _grown(connection: sqlite3.Connection, version: int) -> sqlite3.Connection:
    """An older database as the newest version has it, in memory: whoever only reads changes no file."""
    copy = sqlite3.connect(":memory:")
    try:
        connection.backup(copy)
        for step in schema.MIGRATIONS[version:]:
            copy.executescript(step)
        copy.execute("PRAGMA query_only = ON")
    except BaseException:
        copy.close()
        raise
    copy.row_factory = sqlite3.Row
    connection.close()
    return copy
