"""What was asked of a venue today, kept on disk: all downloads of this machine share one budget a day for each venue.

The day is the venue's own, as its answers tell it (UTC).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from streamtrader.errors import StorageError, VenueError
from streamtrader.storage.files import explained, replace_whole, take_lock
from streamtrader.units import NS_PER_DAY


class DailyBudget:
    """At most `limit` of weight a day; `spend` before each request."""

    def __init__(self, folder: Path, venue: str, limit: float) -> None:
        self.limit = limit
        self._venue = venue
        self._path = folder / f"{venue}.json"
        self._day = 0  # not known until the venue has answered once
        self._owed = 0.0  # spent before the day was known
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{folder} cannot be used for daily budgets: {explained(error)}") from error

    def learn_clock(self, now_ns: int) -> None:
        """The venue's clock, from an answer of its; 0 tells nothing."""
        self._day = max(self._day, now_ns // NS_PER_DAY)

    def spend_unasked(self, weight: float) -> None:
        """Count a request that is made whatever is left: the one that, among other things, tells the venue's clock."""
        self._owed += weight

    def spend(self, weight: float) -> None:
        """Count a request, durably, before it is made; VenueError where the day has no room for it. Blocks."""
        spent = self._add(weight)
        if spent is not None:
            raise VenueError(
                f"{self._venue}: the budget of this day is used up ({spent:,.0f} of {self.limit:,.0f} in the venue's "
                "weight). What was downloaded is kept: give the same command again after 00:00 UTC, or raise "
                "--daily-weight."
            )

    def settle(self) -> None:
        """Count what was spent unasked, where nothing else was spent since. Blocks."""
        if self._owed:
            self._add(0.0)

    def _add(self, weight: float) -> float | None:
        """What was spent before, where the day has no room for `weight`; else None, and it is counted."""
        with self._held() as (day, spent):
            spent = (spent if day >= self._day else 0.0) + self._owed
            self._owed = 0.0
            has_room = spent + weight <= self.limit
            content = {"day": max(day, self._day), "spent": spent + (weight if has_room else 0.0)}
            replace_whole(self._path, json.dumps(content).encode())
        return None if has_room else spent

    @contextlib.contextmanager
    def _held(self) -> Iterator[tuple[int, float]]:
        """Day and sum so far, and nobody else changes them meanwhile."""
        try:
            lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StorageError(f"{self._path}: {explained(error)}") from error
        try:
            take_lock(lock, waits=True)  # held for the time of one small write
            yield self._read()
        except OSError as error:
            raise StorageError(f"{self._path}: {explained(error)}") from error
        finally:
            os.close(lock)

    def _read(self) -> tuple[int, float]:
        try:
            kept = json.loads(self._path.read_bytes())
            return int(kept["day"]), float(kept["spent"])
        except FileNotFoundError:
            return 0, 0.0
        except (ValueError, KeyError, TypeError) as error:
            raise StorageError(f"{self._path} is damaged ({error!r}); delete it to begin the day anew.") from error
