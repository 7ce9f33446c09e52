"""A table of fills that somebody else wrote: `trade_id,time,symbol,side,size,price,fee,fee_asset`, and `strategy` if told.

Every line is read before one is believed, and all mistakes are told at once. A trade id that is there twice is one
trade, which venues number by symbol; told twice in different words it is a mistake. Lines that stand in the reverse
order of time are turned round, and others are sorted by it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from streamtrader.errors import LedgerError, MarketFileError
from streamtrader.events import Side
from streamtrader.ledger import Fill, Pair
from streamtrader.ledger.symbols import pair_of
from streamtrader.runtime.times import time_ns
from streamtrader.storage.importers.opening import opened

COLUMNS = ("trade_id", "time", "symbol", "side", "size", "price", "fee", "fee_asset")
STRATEGY = "strategy"
MISTAKES_TOLD = 20
_SIDES = {"buy": Side.BUY, "b": Side.BUY, "sell": Side.SELL, "s": Side.SELL}
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_ASSET = re.compile(r"[A-Za-z0-9][A-Za-z0-9.]{0,19}")


@dataclass(slots=True)
class FillsFile:
    """The fills of a file in the order of time, and to which strategy each belongs."""

    fills: list[tuple[str, Fill]] = field(default_factory=list)
    repeated_count: int = 0
    notes: list[str] = field(default_factory=list)


class _Mistake(Exception):
    def __init__(self, column: str, why: str) -> None:
        super().__init__(why)
        self.column = column


def read_fills(path: Path, quotes: Sequence[str] = ()) -> FillsFile:
    """The fills of a file, plain or packed; a `MarketFileError` names lines, columns and remedies."""
    with opened(path) as content:
        data = b"".join(iter(lambda: content.read(1 << 20), b""))
    try:
        text = data.decode("utf-8-sig")
        delimiter = max(",;\t", key=text.partition("\n")[0].count)
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        titles = [title.strip().lower() for title in next(rows)]
        reader = _Reader(path.name, titles, quotes)
        for cells in rows:
            if any(cell.strip() for cell in cells):
                reader.take(rows.line_num, cells)
    except UnicodeDecodeError as error:
        raise MarketFileError(f"{path.name} is no text in UTF-8 ({error.reason}); save it as CSV in UTF-8.") from error
    except csv.Error as error:
        raise MarketFileError(f"{path.name}:{rows.line_num}: no table of fills ({error}); save it as CSV.") from error
    return reader.finish()


def _places(titles: Sequence[str], name: str) -> dict[str, int]:
    missing = [column for column in COLUMNS if column not in titles]
    twice = [column for column in (*COLUMNS, STRATEGY) if titles.count(column) > 1]
    wanted = f"the first line must name the columns {','.join(COLUMNS)}"
    if missing:
        raise MarketFileError(f"{name}:1: no column {', '.join(missing)}; {wanted}.", path=name)
    if twice:
        raise MarketFileError(f"{name}:1: the column {', '.join(twice)} is there twice; {wanted}, each once.", path=name)
    return {column: titles.index(column) for column in (*COLUMNS, STRATEGY) if column in titles}


class _Reader:
    """Takes lines; keeps mistakes until the end."""

    def __init__(self, name: str, titles: Sequence[str], quotes: Sequence[str]) -> None:
        self.name, self.places, self.quotes = name, _places(titles, name), quotes
        self.width = len(titles)
        self.found = FillsFile()
        self.mistakes: list[str] = []
        self.mistake_count = 0
        self._pairs: dict[str, Pair] = {}
        self._told: dict[tuple[str, str], tuple[int, str, Fill]] = {}  # by symbol and trade id

    def take(self, line: int, cells: list[str]) -> None:
        try:
            if len(cells) != self.width:
                why = f"{len(cells)} cells and {self.width} columns; a number has a point, and no comma in it"
                raise _Mistake("", why)
            values = {column: cells[at].strip() for column, at in self.places.items()}
            self._keep(line, values.get(STRATEGY, ""), self._fill(values))
        except _Mistake as mistake:
            self.mistake_count += 1
            if len(self.mistakes) < MISTAKES_TOLD:
                column = f" {mistake.column}:" if mistake.column else ""
                self.mistakes.append(f"{self.name}:{line}:{column} {mistake}")

    def _fill(self, values: dict[str, str]) -> Fill:
        if not values["trade_id"]:
            raise _Mistake("trade_id", "empty; give each trade the venue's id, by which a repeated one is known")
        side = _SIDES.get(values["side"].lower())
        if side is None:
            raise _Mistake("side", f"{values['side']!r} is no side; write buy or sell")
        if values["fee_asset"] and not _ASSET.fullmatch(values["fee_asset"]):
            raise _Mistake("fee_asset", f"{values['fee_asset']!r} is no currency; write one such as BNB, or nothing for the quote")
        pair = self._pair(values["symbol"])
        try:
            at_ns = time_ns(values["time"])
        except ValueError as error:
            raise _Mistake("time", str(error)) from None
        price, size = (_number(values, column, is_positive=True) for column in ("price", "size"))
        fee = _number(values, "fee", is_positive=False)
        try:
            return Fill(values["trade_id"], at_ns, pair, side, price, size, fee, values["fee_asset"].upper())
        except LedgerError as error:
            raise _Mistake("price, size or fee", f"{error}; write the number that the venue gave") from None

    def _pair(self, symbol: str) -> Pair:
        pair = self._pairs.get(symbol)
        if pair is None:
            try:
                pair = self._pairs[symbol] = pair_of(symbol, self.quotes)
            except LedgerError as error:
                raise _Mistake("symbol", str(error)) from None
        return pair

    def _keep(self, line: int, strategy: str, fill: Fill) -> None:
        key = fill.pair.symbol, str(fill.key)
        before = self._told.setdefault(key, (line, strategy, fill))
        if before[0] == line:
            self.found.fills.append((strategy, fill))
        elif before[1:] == (strategy, fill):
            self.found.repeated_count += 1
        else:
            raise _Mistake(
                "trade_id", f"{fill.key} of {fill.pair.symbol} is another trade in line {before[0]}; keep the true one"
            )

    def finish(self) -> FillsFile:
        if self.mistake_count:
            more = self.mistake_count - len(self.mistakes)
            rest = [f"and {more} more"] if more else []
            what = "a mistake" if self.mistake_count == 1 else f"{self.mistake_count} mistakes"
            raise MarketFileError("\n  ".join([f"{what} in the fills, nothing was booked:", *self.mistakes, *rest]))
        times = [fill.at_ns for _, fill in self.found.fills]
        if any(later < sooner for sooner, later in pairwise(times)):
            is_reverse = all(later <= sooner for sooner, later in pairwise(times))
            if is_reverse:
                self.found.fills.reverse()
            self.found.fills.sort(key=lambda each: each[1].at_ns)
            how = "from the last to the first" if is_reverse else "out of order"
            self.found.notes.append(f"the lines were {how} and were booked in the order of time")
        return self.found


def _number(values: dict[str, str], column: str, *, is_positive: bool) -> Decimal:
    text = values[column]
    if not _NUMBER.fullmatch(text):
        none = " or 0 for none" if column == "fee" else ""
        raise _Mistake(column, f"{text!r} is no number; write digits with a point, such as 0.25{none}")
    number = Decimal(text)
    if is_positive and number <= 0:
        raise _Mistake(column, f"{text} must be above zero; the column side says which way")
    return number
