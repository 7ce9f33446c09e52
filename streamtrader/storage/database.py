"""The truth of what was decided and done: one SQLite file a run, one writer, one transaction for each turn.

`synchronous=FULL` in WAL mode: a transaction that `write` returned from survives a power cut. All work happens in
aiosqlite's thread; a lock that another program holds is waited for there, the event loop goes on. It must never be
given a secret.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import aiosqlite

from streamtrader.errors import DatabaseFailed, LayoutChanged
from streamtrader.storage import schema
from streamtrader.storage.rows import Row

BUSY_S = 1.0  # one wait for a lock, inside SQLite, with its own backing off
BUSY_LIMIT_S = 300.0  # after that a write fails; its rows are still the caller's
_REMEDIES = {
    "SQLITE_FULL": "the disk is full; free some space and start again with the same run directory",
    "SQLITE_READONLY": "the file or its folder cannot be written; change its permissions or choose another run directory",
    "SQLITE_CANTOPEN": "it cannot be opened; check that the folder exists and that this user may use it",
    "SQLITE_CORRUPT": "it is damaged; restore it from a copy (the tape of the run can be replayed meanwhile)",
    "SQLITE_NOTADB": "it is not a SQLite database; choose another run directory",
    "SQLITE_IOERR": "the disk reports an input/output error; check it before the next session",
    "SQLITE_BUSY": "another program holds its lock for too long; end that program (a backup tool?)",
}


def failed(path: Path, error: Exception) -> DatabaseFailed:
    """SQLite's error with the file and what to do about it."""
    name = getattr(error, "sqlite_errorname", "")
    remedy = next((words for start, words in _REMEDIES.items() if name.startswith(start)), "")
    return DatabaseFailed(f"{path}: {error}" + (f" - {remedy}." if remedy else "."), path=str(path), code=name)


@contextmanager
def explained_errors(path: Path) -> Iterator[None]:
    """SQLite's errors leave as `DatabaseFailed`."""
    try:
        yield
    except sqlite3.Error as error:
        raise failed(path, error) from error


def is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def check_identity(path: Path, application_id: int, version: int, table_count: int) -> None:
    """Refuse a database of somebody else, and one of a newer streamtrader."""
    if application_id != schema.APPLICATION_ID and (application_id or version or table_count):
        raise LayoutChanged(
            f"{path} is a SQLite database, but not one of streamtrader; choose another run directory."
        )
    if version > schema.VERSION:
        raise LayoutChanged(
            f"{path} was written by a newer streamtrader (database version {version}, this one knows "
            f"{schema.VERSION}). Update streamtrader to use it."
        )


IDENTITY = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_application_id, pragma_user_version"


class Database:
    """The one writer. `async with Database.open(path) as database: await database.write(rows)`."""

    def __init__(self, path: Path, *, busy_limit_s: float) -> None:
        self.path = path
        self.commit_count = 0
        self.busy_count = 0  # transactions that had to wait for another program's lock
        self.last_commit_s = 0.0  # how long the last transaction took
        self._refusal: sqlite3.Error | None = None
        self._connection = aiosqlite.Connection(self._connected, iter_chunk_size=64)
        self._busy_limit_s = busy_limit_s
        self._turn = asyncio.Lock()
        self._inode = 0

    @classmethod
    def open(cls, path: Path | str, *, busy_limit_s: float = BUSY_LIMIT_S) -> Self:
        """For `async with`: the file is opened, checked and brought to the newest version on entering."""
        return cls(Path(path), busy_limit_s=busy_limit_s)

    def _connected(self) -> sqlite3.Connection:
        try:
            return sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
        except sqlite3.Error as error:
            # aiosqlite leaves its thread behind when this raises; an empty database can be closed in order.
            self._refusal = error
            return sqlite3.connect(":memory:")

    async def __aenter__(self) -> Self:
        with explained_errors(self.path):
            await self._connection
            try:
                if self._refusal is not None:
                    raise self._refusal
                await self._prepare()
            except BaseException:
                await self._connection.close()
                raise
        return self

    async def __aexit__(self, *_: object) -> None:
        async with self._turn:
            await self._connection.close()

    async def _prepare(self) -> None:
        connection = self._connection
        connection.row_factory = sqlite3.Row
        await self._patiently("PRAGMA schema_version")
        (identity,) = await connection.execute_fetchall(IDENTITY)
        check_identity(self.path, *identity)
        (sound,) = await connection.execute_fetchall("PRAGMA quick_check(1)")
        if sound[0] != "ok":
            raise DatabaseFailed(f"{self.path} is damaged ({sound[0]}); restore it from a copy.", path=str(self.path))
        await self._patiently("PRAGMA journal_mode = WAL")
        await connection.execute("PRAGMA synchronous = FULL")
        await connection.execute("PRAGMA journal_size_limit = 16777216")
        for version in range(identity[1], schema.VERSION):
            await self._migrate(version)
        self._inode = self.path.stat().st_ino

    async def _migrate(self, version: int) -> None:
        """One version further, wholly or not at all."""
        await self._patiently("BEGIN IMMEDIATE")
        try:
            for statement in schema.MIGRATIONS[version].split(";\n"):
                await self._connection.execute(statement)
            await self._connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            await self._connection.execute(f"PRAGMA user_version = {version + 1}")
            await self._connection.commit()
        except BaseException:
            await self._connection.rollback()
            raise

    async def _patiently(self, statement: str) -> None:
        """Run a statement that needs a lock, waiting up to the limit for it; the waiting is in SQLite's thread."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._busy_limit_s
        is_first = True
        while True:
            try:
                await self._connection.execute(statement)
                return
            except sqlite3.OperationalError as error:
                if not is_busy(error) or loop.time() > deadline_s:
                    raise
                self.busy_count += is_first
                is_first = False

    async def write(self, rows: Iterable[Row]) -> None:
        """Commit all these rows in one durable transaction, or none of them.

        A row that is there already changes nothing. When this raises nothing was written and the rows may be given
        again; they were not lost.
        """
        tables: dict[str, list[tuple[Any, ...]]] = {}
        for table, values in rows:
            tables.setdefault(table, []).append(values)
        if not tables:
            return
        async with self._turn:
            loop = asyncio.get_running_loop()
            started_s = loop.time()
            await self._commit((schema.INSERTS[table], values) for table, values in tables.items())
            self.commit_count += 1
            self.last_commit_s = loop.time() - started_s

    async def _commit(self, statements: Iterable[tuple[str, list[tuple[Any, ...]]]]) -> None:
        self._refuse_a_lost_file()
        with explained_errors(self.path):
            try:
                await self._patiently("BEGIN IMMEDIATE")
                for statement, values in statements:
                    await self._connection.executemany(statement, values)
                await self._connection.commit()
            except BaseException:  # also a cancelled task: the transaction must not stay open
                await self._connection.rollback()
                raise

    def _refuse_a_lost_file(self) -> None:
        """SQLite would go on writing to a file that has no name any more, and all would be lost at the end."""
        try:
            is_there = self.path.stat().st_ino == self._inode
        except OSError:
            is_there = False
        if not is_there:
            raise DatabaseFailed(
                f"{self.path} was deleted, moved or replaced while in use; put it back and start again.",
                path=str(self.path),
            )

    async def begin_session(
        self, *, run: str, mode: str, started_ns: int, config_sha256: str, code_sha256: str, first_event: int
    ) -> int:
        """A new row of `sessions`; returns its number, 1 for the first start of a run."""
        (newest,) = await self.select("SELECT coalesce(max(id), 0) AS id FROM sessions")
        number = int(newest["id"]) + 1
        values = (number, run, mode, started_ns, None, None, config_sha256, code_sha256, first_event)
        await self.write([("sessions", values)])
        return number

    async def end_session(self, number: int, *, ended_ns: int, reason: str) -> None:
        statement = "UPDATE sessions SET ended_ns = ?, reason = ? WHERE id = ?"
        async with self._turn:
            await self._commit([(statement, [(ended_ns, reason, number)])])

    async def select(self, statement: str, values: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
        with explained_errors(self.path):
            found = await self._connection.execute_fetchall(statement, values)
        return [dict(row) for row in found]

    async def last_sequence(self) -> int:
        """The newest outbox row that is stored with all its effects; -1 for none."""
        found = await self.select(schema.SELECT_PROGRESS, (schema.OUTBOX,))
        return int(found[0]["value"]) if found else -1

    async def open_orders(self) -> list[dict[str, Any]]:
        return await self.select(schema.SELECT_OPEN_ORDERS)
