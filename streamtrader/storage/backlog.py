"""Rows on their way to the database: bounded, and with a stated answer to "full".

What was decided or done is never dropped: when the backlog is full the runtime stops playing events until the writer
has caught up (`is_full`). Telemetry can be measured again, so it is dropped instead, and counted.
"""

from __future__ import annotations

from collections.abc import Iterable

from streamtrader.storage.database import Database
from streamtrader.storage.rows import Row

TELEMETRY = frozenset({"equity_samples"})
LIMIT = 65_536


class Backlog:
    """One producer and one `flush` at a time, both on the event loop."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.dropped_count = 0  # rows of telemetry
        self.written_count = 0
        self._rows: list[Row] = []

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def is_full(self) -> bool:
        return len(self._rows) >= self.limit

    def put(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if row[0] in TELEMETRY and self.is_full:
                self.dropped_count += 1
            else:
                self._rows.append(row)

    async def flush(self, database: Database) -> int:
        """Write what waits in one transaction; rows that came meanwhile wait for the next.

        When the database refuses, all rows stay here in their order.
        """
        rows, self._rows = self._rows, []
        try:
            await database.write(rows)
        except BaseException:
            self._rows = rows + self._rows
            raise
        self.written_count += len(rows)
        return len(rows)
