"""Foreign times as nanoseconds since 1970 in UTC: which unit a number is in, texts of ISO 8601, New York's wall clock.

A time that could be read in two ways is refused rather than guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import numpy as np

from streamtrader.errors import MarketFileError
from streamtrader.storage.importers.digits import Integers
from streamtrader.storage.importers.table import Table
from streamtrader.units import NS_PER_DAY, NS_PER_MS, NS_PER_S, NS_PER_US

# A count of seconds between 1973 and 2100 in one unit is none in another: the ranges are a thousand apart.
FIRST_S, LAST_S = 10**8, 4_102_444_800
FIRST_YEAR, LAST_YEAR = 1970, 2100  # the latter not included
UNITS = {"s": NS_PER_S, "ms": NS_PER_MS, "us": NS_PER_US, "ns": 1}
BACKWARD_MOST_NS = 60 * NS_PER_S  # disorder within a minute is a feed's; beyond it the file is not in order
_UTC_TEXT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?(?:Z|\+00:?00)?")
_PARTS = (slice(0, 4), slice(5, 7), slice(8, 10), slice(11, 13), slice(14, 16), slice(17, 19))  # year to second
_UTC_SUFFIX = re.compile(r"(?:Z|\+00:?00)$")


def epoch_ns(table: Table, column: str, allowed: Collection[str] = tuple(UNITS)) -> Integers:
    """Whole numbers since 1970 as nanoseconds; the unit, one for all rows, is told by their size."""
    counts = table.integers(column)
    for name, unit_ns in UNITS.items():
        per_s = NS_PER_S // unit_ns
        if FIRST_S * per_s <= counts[0] <= LAST_S * per_s:
            is_other = (counts < FIRST_S * per_s) | (counts > LAST_S * per_s)
            if is_other.any():
                raise table.refused(int(is_other.argmax()), column, f"while the rows before it are in {name}")
            if name not in allowed:
                raise table.refused(0, column, f"in {name}; this format has {' or '.join(allowed)}")
            return counts * unit_ns
    raise table.refused(0, column, f"of no known unit: {', '.join(UNITS)} since 1970, of the years 1973 to 2100")


def optional_epoch_ns(table: Table, column: str, allowed: Collection[str]) -> Integers:
    """The same, and 0 where nothing stands."""
    is_told = ~table.is_empty(column)
    times = np.zeros(len(table), np.int64)
    if is_told.any():
        times[is_told] = epoch_ns(table.chosen(is_told), column, allowed)
    return times


def text_ns(table: Table, column: str) -> Integers:
    """Texts like `2020-01-01 00:00:00.123Z` as nanoseconds; those without a zone are UTC."""
    times = _regular_ns(table, column)
    if times is not None:
        return times
    texts = table.texts(column)
    for row, text in enumerate(texts):
        if not _UTC_TEXT.fullmatch(text):
            why = "no time in UTC like 2020-01-31 23:59:59.123 (Z, +00:00 or nothing behind it) and no epoch number"
            raise table.refused(row, column, why)
        if not FIRST_YEAR <= int(text[:4]) < LAST_YEAR:  # what is far out would come back as another century
            raise table.refused(row, column, f"not of the years {FIRST_YEAR} to {LAST_YEAR - 1}")
    try:
        times = np.array([_UTC_SUFFIX.sub("", text) for text in texts], "M8[ns]")
    except ValueError:
        row = next(row for row, text in enumerate(texts) if not _is_date(text))
        raise table.refused(row, column, "which is no date") from None
    return times.astype(np.int64)


def _regular_ns(table: Table, column: str) -> Integers | None:
    """The same where all rows are written as the first is: digit by digit, a whole column at once."""
    first = table.chosen(slice(0, 1)).texts(column)[0]
    suffix = _UTC_SUFFIX.search(first)
    end = suffix.start() if suffix else len(first)
    marks = [(at, mark) for at, mark in enumerate(first[:end]) if not mark.isdigit()] + [(end, first[end:])]
    if not _UTC_TEXT.fullmatch(first) or table.common_length(column) != len(first):
        return None
    if not all(table.has_everywhere(column, at, text) for at, text in marks):
        return None
    parts = [table.numbering(column, part) for part in _PARTS if part.start < end]
    fraction = table.numbering(column, slice(20, end)) if end > 20 else None
    values = [part for part in parts if part is not None]
    if len(values) < len(parts) or (end > 20 and fraction is None):
        return None
    months = (values[0] - 1970) * 12 + values[1] - 1
    days = months.astype("M8[M]").astype("M8[D]") + (values[2] - 1)
    is_bad = (values[1] < 1) | (values[1] > 12) | (days.astype("M8[M]").astype(np.int64) != months) | (values[2] < 1)
    is_bad |= (values[0] < FIRST_YEAR) | (values[0] >= LAST_YEAR)
    for value, most in zip(values[3:], (23, 59, 59), strict=False):
        is_bad |= value > most
    if is_bad.any():
        return None
    times: Integers = days.astype(np.int64) * NS_PER_DAY
    for value, unit_ns in zip(values[3:], (3_600 * NS_PER_S, 60 * NS_PER_S, NS_PER_S), strict=False):
        times += value * unit_ns
    return times if fraction is None else times + fraction * 10 ** (29 - end)


def _is_date(text: str) -> bool:
    try:
        np.datetime64(_UTC_SUFFIX.sub("", text), "ns")
    except ValueError:
        return False
    return True


def any_ns(table: Table, column: str) -> Integers:
    """Epoch numbers or texts, by what the first row holds."""
    first = table.chosen(slice(0, 1)).texts(column)[0]
    return epoch_ns(table, column) if first.isdigit() else text_ns(table, column)


class WallClock:
    """Wall-clock times of one zone, as UTC; the offset is looked up once for each day, by the hour where it changes."""

    def __init__(self, zone: str) -> None:
        self.zone: tzinfo = UTC if zone == "UTC" else ZoneInfo(zone)

    def utc_ns(self, day: date, ms: Integers) -> Integers:
        """Milliseconds since midnight of one day."""
        start_ns, stop_ns = self.midnight_ns(day), self.midnight_ns(day + timedelta(days=1))
        if stop_ns - start_ns == 86_400 * NS_PER_S:
            return start_ns + ms * NS_PER_MS
        hours = np.array([self._wall_ns(day, hour) - hour * 3_600 * NS_PER_S for hour in range(24)])
        return hours[np.minimum(ms // 3_600_000, 23)] + ms * NS_PER_MS

    def midnight_ns(self, day: date) -> int:
        return self._wall_ns(day, 0)

    def _wall_ns(self, day: date, hour: int) -> int:
        wall = datetime(day.year, day.month, day.day, hour, tzinfo=self.zone)
        return round(wall.timestamp()) * NS_PER_S


class Order:
    """Keeps the clock of one stream from running backwards, and counts where it would."""

    __slots__ = ("disordered", "last_ns")

    def __init__(self) -> None:
        self.last_ns = 0
        self.disordered = 0

    def forward(self, received_ns: Integers, complain: Callable[[int, str], MarketFileError]) -> Integers:
        """The same times, those that go back a little replaced by the time before.

        Those that go back far are refused: `complain` gets the row and what is wrong with it.
        """
        if received_ns.min() <= 0:
            raise complain(int(received_ns.argmin()), "before 1970, when the clock of tapes begins")
        latest = np.maximum(np.maximum.accumulate(received_ns), self.last_ns)
        behind_ns = latest - received_ns
        worst = int(behind_ns.argmax())
        if behind_ns[worst] > BACKWARD_MOST_NS:
            raise complain(worst, f"{behind_ns[worst] / NS_PER_S:g} s before what stands above it")
        self.disordered += int(np.count_nonzero(behind_ns))
        self.last_ns = int(latest[-1])
        return latest


def in_table(table: Table, column: str) -> Callable[[int, str], MarketFileError]:
    """Complain of a time by its line and column."""
    return lambda row, why: table.refused(row, column, f"{why}; sort the file by time")


def day_of(text: str, name: str) -> date:
    """`20131007` as a date."""
    try:
        day = datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).date()
        if 1970 < day.year < LAST_YEAR:
            return day
    except ValueError:
        pass
    raise MarketFileError(f"{name}: {text!r} is no date of the form yyyymmdd, of the years 1971 to {LAST_YEAR - 1}.")
