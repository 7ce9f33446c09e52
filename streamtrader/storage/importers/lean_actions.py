"""LEAN's factor files (splits and dividends) and map files (changes of ticker), applied point-in-time.

A row of a factor file holds up to and including its date, which is the last trading day before the event. Its factors
scale the prices of that day to those of today: whoever uses them so has put every later dividend into the past. Here
prices are carried forward instead. The first day of an import stands as it was traded, and each later price is scaled
by the ratio of its day's factor to the first day's. That ratio knows only events that had happened by then: an import
that ends earlier has the same prices. Differences of returns to LEAN's own adjusted prices: none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamtrader.errors import MarketFileError
from streamtrader.storage.importers.digits import Floats, Integers
from streamtrader.storage.importers.markets import Intake
from streamtrader.storage.importers.opening import opened
from streamtrader.storage.importers.table import Table

ADJUSTMENTS = ("none", "splits", "all")
FACTOR_COLUMNS = ("date", "price factor", "split factor", "reference price")
MAP_COLUMNS = ("date", "ticker", "exchange")
_NAME = re.compile(r"(?:factor_files?_|map_files?_)?(.+)\.csv", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Factors:
    """The factors of one ticker; `days` are yyyymmdd, each the last day on which its row holds."""

    name: str
    days: Integers
    prices: Floats
    splits: Floats

    def ratios(self, days: Integers, first_day: int, adjust: str) -> tuple[Floats, Floats]:
        """By what prices are multiplied and sizes divided on these days, against the first day of the import."""
        splits = self._on(days, self.splits) / self._on(np.array([first_day]), self.splits)
        if adjust == "splits":
            return splits, splits
        dividends = self._on(days, self.prices) / self._on(np.array([first_day]), self.prices)
        return splits * dividends, splits

    def _on(self, days: Integers, factors: Floats) -> Floats:
        at = np.searchsorted(self.days, days)  # the first row that is not before the day
        known = np.append(factors, 1.0)[np.minimum(at, len(factors))]
        if not np.all(np.isfinite(known) & (known > 0.0)):
            day = int(days[~(np.isfinite(known) & (known > 0.0))][0])
            raise MarketFileError(f"{self.name} has no usable factor for {day}; import from a later day, or without.")
        return known


@dataclass(frozen=True, slots=True)
class Tickers:
    """The tickers that one security has had; each up to and including its day, the first row is the listing."""

    name: str
    days: Sequence[int]
    tickers: Sequence[str]

    def on(self, day: int) -> str | None:
        """The ticker on a day; None before the listing and after the end."""
        if day < self.days[0]:
            return None
        later = (ticker for last, ticker in zip(self.days[1:], self.tickers[1:], strict=True) if day <= last)
        return next(later, None)


class Actions:
    """What is known of splits, dividends and tickers, from files that were given or that lie where LEAN keeps them."""

    def __init__(self, files: Iterable[Path]) -> None:
        self.factors: dict[str, Factors] = {}
        self.tickers: dict[str, Tickers] = {}
        for path in files:
            self._take(path)

    def find(self, path: Path, ticker: str) -> None:
        """Look for a ticker's files in the folders `factor_files` and `map_files` beside its data."""
        for kind, known in (("factor_files", self.factors), ("map_files", self.tickers)):
            if ticker.lower() in known:
                continue
            places = (parent / kind / f"{ticker.lower()}.csv" for parent in list(path.resolve().parents)[:4])
            found = next((place for place in places if place.is_file()), None)
            if found is not None:
                self._take(found)

    def symbol_of(self, ticker: str, day: int, name: str) -> str:
        """Today's ticker of what was called `ticker` on a day."""
        for tickers in self.tickers.values():
            if tickers.on(day) == ticker.lower():
                return tickers.tickers[-1].upper()
        own = self.tickers.get(ticker.lower())
        if own is not None:
            was = own.on(day)
            why = f"it was {was} then" if was else "it was not listed then"
            raise MarketFileError(f"{name}: {own.name} says of {ticker} on {day}: {why}. Leave that file out.")
        return ticker.upper()

    def ratios(self, symbol: str, days: Integers, first_day: int, intake: Intake) -> tuple[Floats, Floats]:
        """See `Factors.ratios`."""
        factors = self.factors.get(symbol.lower())
        if factors is None:
            raise MarketFileError(
                f"no factor file for {symbol}: give factor_files/{symbol.lower()}.csv among the files, "
                "keep LEAN's folders, or import without --adjust."
            )
        return factors.ratios(days, first_day, intake.adjust)

    def _take(self, path: Path) -> None:
        found = _NAME.fullmatch(path.name)
        with opened(path) as content:
            width = content.read(4096).split(b"\n", 1)[0].count(b",") + 1
        if found is None or width not in (len(FACTOR_COLUMNS), len(MAP_COLUMNS)):
            raise MarketFileError(
                f"{path.name} is neither a zip of LEAN nor a factor file ({', '.join(FACTOR_COLUMNS)}) "
                f"nor a map file ({', '.join(MAP_COLUMNS)})."
            )
        ticker = found.group(1).lower()
        if width == len(FACTOR_COLUMNS):
            table = _whole(path, FACTOR_COLUMNS)
            days = _rising(table)
            self.factors[ticker] = Factors(path.name, days, _factors(table, 1), _factors(table, 2))
        else:
            table = _whole(path, MAP_COLUMNS)
            names = [name.lower() for name in table.texts("ticker")]
            self.tickers[ticker] = Tickers(path.name, _rising(table).tolist(), names)


def is_action_file(path: Path) -> bool:
    """Whether a file looks like a factor or map file: yyyymmdd, then three or two columns more."""
    with opened(path) as content:
        first = content.read(4096).split(b"\n", 1)[0].split(b",")
    return len(first) in (len(FACTOR_COLUMNS), len(MAP_COLUMNS)) and len(first[0]) == 8 and first[0].isdigit()


def _whole(path: Path, columns: Sequence[str]) -> Table:
    with opened(path) as content:
        return next(Intake().pieces(content, columns))


def _rising(table: Table) -> Integers:
    days = table.integers("date")
    is_wrong = np.diff(days, prepend=0) < 0
    if is_wrong.any():
        raise table.refused(int(is_wrong.argmax()), "date", "before the row above")
    return days


def _factors(table: Table, at: int) -> Floats:
    """LEAN writes `inf` where so many splits follow that no price can be told: days before it cannot be adjusted."""
    column = FACTOR_COLUMNS[at]
    values: list[Any] = [np.inf if text.lower() == "inf" else text for text in table.texts(column)]
    try:
        return np.array(values, np.float64)
    except ValueError:
        row = next(row for row, value in enumerate(values) if not _is_number(value))
        raise table.refused(row, column, "which is no number") from None


def _is_number(text: Any) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
