"""Delimited text as columns: fields are located for a whole piece of the file at once and read when asked for.

Every complaint names the file, the line and the column, and shows what stands there.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from streamtrader.errors import MarketFileError
from streamtrader.storage.importers.digits import (
    MARGIN,
    WORD,
    Flags,
    Floats,
    Integers,
    Text,
    decimals,
    finest_place,
    integers,
)
from streamtrader.storage.importers.opening import Content
from streamtrader.units import ABSURD_PRICE, ABSURD_SIZE, ABSURD_VOLUME

PIECE_BYTES = 512 << 10  # the arrays of a piece stay in the processor's cache: measured best of 128 KiB to 8 MiB
PLACES_MOST = 8  # a tick or lot of an instrument is never finer; more places are noise of somebody's arithmetic
SHOWN = 40  # characters of a bad field that are shown
_COMMA, _NEWLINE, _POINT = ord(","), ord("\n"), ord(".")

Chosen = slice | Flags | Integers  # some rows


class Table:
    """Some rows of a file. `starts` and `ends` are where each field lies in `text`, a row for a row of the file."""

    __slots__ = ("_columns", "_highest", "_places", "_points", "_text", "ends", "first_line", "lines", "name", "starts")

    def __init__(
        self, name: str, columns: Mapping[str, int], text: Text, starts: Integers, ends: Integers, lines: Integers
    ) -> None:
        self.name = name
        self.starts, self.ends = starts, ends
        self.lines = lines  # the line of each row in the file
        self._columns, self._text = columns, text
        self._points: Integers | None = None
        self._places: dict[str, int] = {}
        self._highest: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self.starts)

    def __contains__(self, column: str) -> bool:
        return column in self._columns

    def chosen(self, rows: Chosen) -> Table:
        """Only some of the rows."""
        table = Table(self.name, self._columns, self._text, self.starts[rows], self.ends[rows], self.lines[rows])
        table._points = None if self._points is None else self._points[rows]
        return table

    def refused(self, row: int, column: str, why: str) -> MarketFileError:
        """Complain of one field."""
        at = self._columns[column]
        shown = self._field(row, at)[: SHOWN + 1].decode("utf-8", "replace")
        shown = shown[:SHOWN] + "…" if len(shown) > SHOWN else shown
        return MarketFileError(
            f"{self.name}:{self.lines[row]}: {column} is {shown!r}, {why}.", line=int(self.lines[row]), column=column
        )

    def integers(self, column: str, part: slice | None = None) -> Integers:
        """Whole numbers from 0; `part` of each field only, where given."""
        values, is_bad = self._integers(column, part)
        if is_bad.any():
            raise self.refused(int(is_bad.argmax()), column, "which is no whole number")
        return values

    def numbers(self, column: str, *, empty: float | None = None) -> Floats:
        """Finite decimals of any sign, the nearest double to each; `empty` is what an empty field means."""
        at = self._columns[column]
        starts, ends, points = self.starts[:, at], self.ends[:, at], self._located_points()[:, at]
        values, is_bad = decimals(self._text, starts, points, ends)
        places = 0
        for row in np.flatnonzero(is_bad).tolist():
            values[row], place = self._slowly(row, column, empty)
            places = max(places, place)
        if is_bad.any():
            fine = ~is_bad
            points, ends = points[fine], ends[fine]
        self._places[column] = max(finest_place(self._text, points, ends), places)
        self._highest[column] = float(np.fmax.reduce(values, initial=0.0))
        return values

    def places(self, column: str) -> int:
        """The finest decimal place that `numbers` found not to be zero, 8 at most."""
        return self._places[column]

    def highest(self, column: str) -> float:
        """The largest value that `numbers` found, 0 where none is above it."""
        return self._highest[column]

    def prices(self, column: str, *, empty: float | None = None, scale: float = 1.0) -> Floats:
        """Numbers above zero that a price can be; `scale` is what the file multiplied them by."""
        values = self.numbers(column, empty=empty)
        if scale != 1.0:
            values = values / scale
        return self._within(column, values, empty, f"no price: above 0 and below {ABSURD_PRICE:g}", ABSURD_PRICE)

    def sizes(self, column: str, *, empty: float | None = None) -> Floats:
        """Numbers from zero that a size can be."""
        values = self.numbers(column, empty=empty)
        return self._within(column, values, 0.0, f"no size: from 0 and below {ABSURD_SIZE:g}", ABSURD_SIZE)

    def volumes(self, column: str) -> Floats:
        """Numbers from zero that an interval's volume can be."""
        return self._within(column, self.numbers(column), 0.0, f"no volume: from 0 and below {ABSURD_VOLUME:g}", ABSURD_VOLUME)

    def codes(self, column: str, meanings: Mapping[str, int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """What each word means, by a list of at most eight letters each, in any case."""
        at = self._columns[column]
        starts, lengths = self.starts[:, at], self.ends[:, at] - self.starts[:, at]
        unwanted = ((WORD - np.clip(lengths, 0, WORD)) << 3).astype(np.uint64)
        words = ((self._text.words[starts] | np.uint64(0x2020202020202020)) << unwanted) >> unwanted
        codes = np.full(len(words), 255, np.uint8)
        for word, code in meanings.items():
            letters = bytes(letter | 0x20 for letter in word.encode())
            codes[words == np.uint64(int.from_bytes(letters, "little"))] = code
        is_bad = (codes == 255) | (lengths > WORD)
        if is_bad.any():
            raise self.refused(int(is_bad.argmax()), column, f"not one of {', '.join(filter(None, meanings))}")
        return codes

    def texts(self, column: str) -> list[str]:
        at = self._columns[column]
        return [self._field(row, at).decode("utf-8", "replace") for row in range(len(self))]

    def is_empty(self, column: str) -> Flags:
        """Which rows have nothing there."""
        at = self._columns[column]
        return np.equal(self.ends[:, at], self.starts[:, at])

    def numbering(self, column: str, part: slice | None = None) -> Integers | None:
        """Whole numbers if every field is one, as the ids of some venues are; None where they are names."""
        values, is_bad = self._integers(column, part)
        return None if is_bad.any() else values

    def has_everywhere(self, column: str, at: int, text: str) -> bool:
        """Whether every field has these characters, from its character `at` on."""
        starts = self.starts[:, self._columns[column]] + at
        return all(np.all(self._text.data[starts + step] == ord(text[step])) for step in range(len(text)))

    def common_length(self, column: str) -> int:
        """How long all fields are; 0 where they differ."""
        lengths = self.ends[:, self._columns[column]] - self.starts[:, self._columns[column]]
        return int(lengths[0]) if np.all(lengths == lengths[0]) else 0

    def groups(self, column: str) -> list[tuple[str, Chosen]]:
        """Which rows have each different text, in the order of first appearance; the common case of one is quick."""
        at = self._columns[column]
        starts, lengths = self.starts[:, at], self.ends[:, at] - self.starts[:, at]
        first = self._field(0, at)
        is_same = lengths == len(first)
        for done in range(0, len(first), WORD):
            count = min(WORD, len(first) - done)
            unwanted = np.uint64((WORD - count) * 8)
            wanted = np.uint64(int.from_bytes(first[done : done + count], "little"))
            is_same &= (self._text.words[starts + done] << unwanted) >> unwanted == wanted
        if is_same.all():
            return [(first.decode("utf-8", "replace"), slice(None))]
        rows: dict[str, list[int]] = {}
        for row, text in enumerate(self.texts(column)):
            rows.setdefault(text, []).append(row)
        return [(text, np.array(those)) for text, those in rows.items()]

    def _integers(self, column: str, part: slice | None) -> tuple[Integers, Flags]:
        at = self._columns[column]
        starts, ends = self.starts[:, at], self.ends[:, at]
        if part is not None:
            starts, ends = starts + part.start, np.minimum(starts + part.stop, ends)
        return integers(self._text, starts, ends)

    def _within(self, column: str, values: Floats, least: float | None, why: str, most: float) -> Floats:
        """Bounds; `least` None: above zero, else zero is allowed too, and so is the value itself."""
        is_bad = ~((values > 0.0) & (values < most))
        if least is not None:
            is_bad &= ~((values == least) | (math.isnan(least) & np.isnan(values)))
        if is_bad.any():
            raise self.refused(int(is_bad.argmax()), column, f"which is {why}")
        return values

    def _slowly(self, row: int, column: str, empty: float | None) -> tuple[float, int]:
        """One number that has a sign, an exponent or many digits: value and finest place."""
        field = self._field(row, self._columns[column]).strip()
        if not field and empty is not None:
            return empty, 0
        try:
            value = float(field)
            if not math.isfinite(value) or b"_" in field:
                raise ValueError
        except ValueError:
            raise self.refused(row, column, "which is no number") from None
        if value == 0.0:
            return value, 0  # an exponent without end is none for a decimal
        exponent = Decimal(field.decode("ascii")).normalize().as_tuple().exponent
        return value, min(max(0, -int(exponent)), PLACES_MOST)

    def _located_points(self) -> Integers:
        """Where the decimal point of each field is, or the field's end."""
        if self._points is None:
            self._points = self.ends.copy()
            if len(self):
                begin, end = int(self.starts[0, 0]), int(self.ends[-1, -1])
                points = np.flatnonzero(self._text.data[begin:end] == _POINT) + begin
                fields = np.searchsorted(self.ends.reshape(-1), points)
                flat = self._points.reshape(-1)
                is_own = points >= self.starts.reshape(-1)[fields]  # not of a row that was left out
                flat[fields[is_own]] = points[is_own]
        return self._points

    def _field(self, row: int, at: int) -> bytes:
        return self._text.data[self.starts[row, at] : self.ends[row, at]].tobytes()


def tables(content: Content, columns: Sequence[str] | None = None, delimiter: str = ",") -> Iterator[Table]:
    """The rows of a file in pieces; its first line names the columns unless they are given."""
    carried, line = content.read(PIECE_BYTES), 1
    carried = carried.removeprefix(b"\xef\xbb\xbf")
    names = columns
    is_ended = False
    while not is_ended:
        more = content.read(PIECE_BYTES)
        is_ended = not more
        whole, carried = _whole_lines(carried + more, is_ended=is_ended)
        if names is None:
            header, _, whole = whole.partition(b"\n")
            names = header_names(header, delimiter)
            line += 1
        if whole:
            yield (table := _located(content.name, names, _plain(whole, delimiter, content.name), line))
            line += len(table)


def header_names(header: bytes, delimiter: str = ",") -> list[str]:
    """The names of the columns, as they are written."""
    text = header.decode("utf-8", "replace").strip().removeprefix("\ufeff")
    try:
        return [name.strip() for name in next(csv.reader([text], delimiter=delimiter), [])]
    except csv.Error:  # a carriage return or a quote out of place: no names that anybody knows
        return text.split(delimiter)


def _whole_lines(data: bytes, *, is_ended: bool) -> tuple[bytes, bytes]:
    if is_ended:
        data = data.rstrip(b"\r\n")
        return (data + b"\n" if data else b""), b""
    end = data.rfind(b"\n") + 1
    return data[:end], data[end:]


def _plain(data: bytes, delimiter: str, name: str) -> bytes:
    """Commas, newlines and bare fields, whatever the writer used."""
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b'"' in data:
        rows = csv.reader(io.StringIO(data.decode("utf-8", "replace")), delimiter=delimiter)
        try:
            return "".join(",".join(field.replace(",", "") for field in row) + "\n" for row in rows).encode()
        except csv.Error as error:
            raise MarketFileError(f"{name}: its quotes are damaged ({error}); fetch the file again.") from error
    return data if delimiter == "," else data.replace(delimiter.encode(), b",")


def _located(name: str, names: Sequence[str], data: bytes, first_line: int) -> Table:
    text = Text(data)
    inside = text.data[MARGIN:-MARGIN]
    ends = np.flatnonzero((inside == _COMMA) | (inside == _NEWLINE))
    is_last = inside[ends] == _NEWLINE
    width = len(names)
    if len(ends) % width or not is_last[width - 1 :: width].all() or np.count_nonzero(is_last) * width != len(ends):
        raise _wrong_widths(name, names, np.flatnonzero(is_last), first_line)
    ends += MARGIN
    starts = np.empty_like(ends)
    starts[0] = MARGIN
    np.add(ends[:-1], 1, out=starts[1:])
    rows = len(ends) // width
    lines = np.arange(first_line, first_line + rows)
    columns = {column: at for at, column in enumerate(names)}
    return Table(name, columns, text, starts.reshape(rows, width), ends.reshape(rows, width), lines)


def _wrong_widths(name: str, names: Sequence[str], separators: Integers, first_line: int) -> MarketFileError:
    """`separators` are the indices of the newlines among all separators."""
    widths = np.diff(separators, prepend=-1)
    row = int((widths != len(names)).argmax())
    return MarketFileError(
        f"{name}:{first_line + row}: {widths[row]} columns, where there should be {len(names)} "
        f"({', '.join(names)[:200]}).",
        line=first_line + row,
    )
