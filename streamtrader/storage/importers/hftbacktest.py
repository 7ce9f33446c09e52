"""hftbacktest's npz files (version 2) as events: https://hftbacktest.readthedocs.io/en/latest/data.html.

One array `data` of 64-byte rows. The low byte of `ev` says what a row is, its high bits which side it is of, and who
sees it: rows of the exchange's clock alone are for their simulator and are passed over. A tape is in the order of the
local clock.

A clear with a side takes away the levels from the best to `px`; a clear without one, all. Where there was no book
before, and where all is cleared, a snapshot begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from streamtrader.errors import MarketFileError
from streamtrader.events import BID, EVENT, MORE, BookState, Kind
from streamtrader.storage.importers import rows
from streamtrader.storage.importers.clocks import Order
from streamtrader.storage.importers.digits import Flags, Floats
from streamtrader.storage.importers.markets import Found, Intake
from streamtrader.storage.importers.merging import whole_moments
from streamtrader.storage.importers.opening import Content, broken, opened
from streamtrader.storage.importers.rows import Events
from streamtrader.storage.importers.table import PLACES_MOST
from streamtrader.units import ABSURD_PRICE, ABSURD_SIZE, rounded

ROW = np.dtype(
    [
        *(("ev", "<u8"), ("exch_ts", "<i8"), ("local_ts", "<i8"), ("px", "<f8"), ("qty", "<f8")),
        *(("order_id", "<u8"), ("ival", "<i8"), ("fval", "<f8")),
    ]
)
DEPTH, TRADE, CLEAR, SNAPSHOT, BEST = 1, 2, 3, 4, 5
OF_ORDERS = (10, 11, 12, 13)  # market by order: adds, cancels, modifies, fills
SEEN_BY_EXCHANGE, SEEN_LOCALLY, IS_BUY, IS_SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28
PIECE_ROWS = 1 << 16
VENUE = "hftbacktest"
_NO_SIDE = 2
_KINDS = {DEPTH: Kind.BOOK, CLEAR: Kind.BOOK, SNAPSHOT: Kind.BOOK, TRADE: Kind.TRADE, BEST: Kind.QUOTE}


def hftbacktest_streams(files: Sequence[Path], intake: Intake) -> list[Iterator[Events]]:
    """One stream: the files continue each other. The symbol is what the user says, else how the first file is called."""
    starts = sorted((_first_ns(path), path) for path in files)
    symbol = intake.named(starts[0][1].name.split(".")[0].split("_")[0].upper())
    found = intake.find(VENUE, symbol)
    return [_stream(found, [path for _, path in starts], intake)]


def _first_ns(path: Path) -> int:
    for batch in _batches(path, Intake()):
        return int(batch["local_ts"][0])
    raise MarketFileError(f"{path.name} holds no row.", path=str(path))


def _stream(found: Found, files: Sequence[Path], intake: Intake) -> Iterator[Events]:
    book, order = _Book(found, intake), Order()
    for events in whole_moments(_parts(found, files, intake, order)):
        yield from book.take(events)
    intake.disordered += order.disordered


def _parts(found: Found, files: Sequence[Path], intake: Intake, order: Order) -> Iterator[Events]:
    """Rows as events whose kind and price are right; `flags` holds what the row was, for `_Book`."""
    done = 0
    for path in files:
        for batch in _batches(path, intake):
            numbers = np.flatnonzero(batch["ev"] & SEEN_LOCALLY) + done
            done += len(batch)
            own = batch[batch["ev"] & SEEN_LOCALLY != 0]
            if len(own):
                yield _as_events(found, own, path.name, numbers, order)


def _as_events(
    found: Found, own: np.ndarray[Any, Any], name: str, numbers: np.ndarray[Any, Any], order: Order
) -> Events:
    def complain(row: int, why: str) -> MarketFileError:
        return MarketFileError(f"{name}: row {numbers[row]} is {why}.", row=int(numbers[row]))

    code = (own["ev"] & 0xFF).astype(np.int64)
    is_known = np.isin(code, list(_KINDS))
    if not is_known.all():
        wrong = int((~is_known).argmax())
        what = "of a market by order; give its source" if code[wrong] in OF_ORDERS else f"of kind {code[wrong]}"
        raise complain(wrong, f"{what}: depth, trades and best prices are imported")
    side = np.where(own["ev"] & IS_BUY, 0, np.where(own["ev"] & IS_SELL, 1, _NO_SIDE))
    needs_values = code != CLEAR
    is_bad = needs_values & ~((own["px"] > 0.0) & (own["px"] < ABSURD_PRICE))
    is_bad |= needs_values & ~((own["qty"] >= 0.0) & (own["qty"] < ABSURD_SIZE))
    is_bad |= (side == _NO_SIDE) & (code != CLEAR) & (code != TRADE)
    if is_bad.any():
        wrong = int(is_bad.argmax())
        raise complain(
            wrong, f"price {own['px'][wrong]}, size {own['qty'][wrong]}, side {side[wrong]}: none that can be"
        )
    events = np.zeros(len(own), EVENT)
    events["kind"] = np.array([_KINDS.get(each, 0) for each in range(BEST + 1)])[code]
    events["instrument"] = found.index
    events["received_ns"] = order.forward(own["local_ts"], complain)
    events["venue_ns"], events["id"] = own["exch_ts"], own["ival"]
    events["a"], events["b"] = own["px"], np.where(needs_values, own["qty"], 0.0)
    events["side"], events["flags"] = side, code
    prices, sizes = own["px"][needs_values], own["qty"][needs_values]
    found.note_prices(_places(prices, found.price_places), float(prices.max(initial=0.0)))
    found.note_sizes(_places(sizes, found.size_places), float(sizes.max(initial=0.0)))
    return events


def _places(values: Floats, known: int) -> int:
    """With how many decimals all these numbers can be written."""
    while known < PLACES_MOST and not np.array_equal(rounded(values, known), values):
        known += 1
    return known


class _Book:
    """Gives rows their messages; knows the levels, so that a clear of a part of one side can be spelt out."""

    def __init__(self, found: Found, intake: Intake) -> None:
        self.found, self.intake = found, intake
        self.levels: tuple[dict[float, float], dict[float, float]] = ({}, {})
        self._best = np.zeros(4)

    def take(self, events: Events) -> Iterator[Events]:
        """Whole moments in, whole messages out."""
        code = events["flags"].copy()
        events["flags"] = 0
        self._infer_sides(events, code)
        self._complete_quotes(events, code)
        is_special = (code == CLEAR) | (code == SNAPSHOT)
        received_ns = events["received_ns"]
        done = 0
        for start in np.flatnonzero(is_special).tolist():
            if start < done:
                continue
            first = int(np.searchsorted(received_ns, received_ns[start]))
            stop = int(np.searchsorted(received_ns, received_ns[start], side="right"))
            yield self._plain(events[done:first])
            yield self._special(events[first:stop], code[first:stop])
            done = stop
        yield self._plain(events[done:])

    def _plain(self, events: Events) -> Events:
        """Levels of one time at both clocks, one behind the other, are one message."""
        is_book = events["kind"] == Kind.BOOK
        if not is_book.any():
            return events
        goes_on = is_book[:-1] & is_book[1:]
        for clock in ("received_ns", "venue_ns"):
            goes_on &= events[clock][1:] == events[clock][:-1]
        events["flags"][:-1][goes_on] = MORE
        self._remember(events[is_book])
        if self.found.has_book:
            return events
        self.found.has_book = True
        start = rows.linked(self.found, int(events["received_ns"][0]), BookState.SYNCING)
        return np.concatenate((start, events))

    def _special(self, events: Events, code: np.ndarray[Any, Any]) -> Events:
        """A moment with clears or snapshots: one message that ends with the book LIVE. Its trades come before."""
        is_book = events["kind"] == Kind.BOOK
        book, code = events[is_book], code[is_book]
        is_whole = not self.found.has_book or bool(np.any((code == CLEAR) & (book["side"] == _NO_SIDE)))
        clocks = int(book["venue_ns"][0]), int(book["received_ns"][0])
        parts = [events[~is_book]]
        if not self.found.has_book:
            parts.append(rows.linked(self.found, clocks[1], BookState.SYNCING))
            self.found.has_book = True
        if is_whole:
            self.intake.snapshots += 1
            self.levels = ({}, {})
            parts.append(rows.forgotten(self.found, *clocks, int(book["id"][0])))
        else:
            parts += [self._cleared(book[at], clocks) for at in np.flatnonzero(code == CLEAR).tolist()]
        own = book[code != CLEAR]
        own["flags"] = MORE
        self._remember(own)
        return np.concatenate([*parts, own, rows.linked(self.found, clocks[1], BookState.LIVE)])

    def _cleared(self, row: Any, clocks: tuple[int, int]) -> Events:
        """The levels of a side from its best to a price, each removed."""
        side, limit = int(row["side"]), float(row["a"])
        prices = [
            price
            for price, size in self.levels[side].items()
            if size > 0.0 and (price >= limit if side == BID else price <= limit)
        ]
        self.levels[side].update(dict.fromkeys(prices, 0.0))
        events = rows.levels(self.found, clocks, side, np.array(prices, np.float64), 0.0, False)
        events["id"] = int(row["id"])
        return events

    def _remember(self, book: Events) -> None:
        for side in (0, 1):
            own = book[book["side"] == side][::-1]
            prices, at = np.unique(own["a"], return_index=True)  # the first of the reversed is the newest
            self.levels[side].update(zip(prices.tolist(), own["b"][at].tolist(), strict=True))
        if len(self.levels[0]) + len(self.levels[1]) > PIECE_ROWS:
            for levels in self.levels:
                for price in [price for price, size in levels.items() if size == 0.0]:
                    del levels[price]

    def _infer_sides(self, events: Events, code: np.ndarray[Any, Any]) -> None:
        is_trade: Flags = code == TRADE
        if not is_trade.any():
            return
        trades = events[is_trade]
        inferred = self.found.tick_rule(trades["a"])
        is_unknown = trades["side"] == _NO_SIDE
        if is_unknown.any():
            self.intake.notes["aggressor"] = "tick rule where unknown"
        events["side"][is_trade] = np.where(is_unknown, inferred, trades["side"])
        ids = self.found.next_ids(len(trades))
        events["id"][is_trade] = np.where(trades["id"] == 0, ids, trades["id"])

    def _complete_quotes(self, events: Events, code: np.ndarray[Any, Any]) -> None:
        """A best price of one side leaves the other as it was."""
        for at in np.flatnonzero(code == BEST).tolist():
            word = 2 * int(events["side"][at])
            self._best[word], self._best[word + 1] = events["a"][at], events["b"][at]
            for name, value in zip("abcd", self._best.tolist(), strict=True):
                events[name][at] = value
            events["side"][at] = 0


def _batches(path: Path, intake: Intake) -> Iterator[np.ndarray[Any, Any]]:
    with opened(path) as content:
        count = _row_count(content)
        carried = b""
        while count > 0:
            piece = content.read(PIECE_ROWS * ROW.itemsize)
            if not piece:
                raise MarketFileError(f"{content.name} breaks off, {count} rows before its end.", path=str(path))
            data = carried + piece
            whole = min(len(data) // ROW.itemsize, count)
            carried = data[whole * ROW.itemsize :]
            count -= whole
            intake.rows += whole
            intake.bytes_read[path.name] = content.below.tell()
            if whole:
                yield np.frombuffer(data, ROW, whole)


def _row_count(content: Content) -> int:
    """Read the header of the array inside; anything but rows of theirs is refused."""
    try:
        version = np.lib.format.read_magic(content.stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(content.stream)
    except Exception as error:
        raise broken(content.name, error) from error
    if dtype != ROW or len(shape) != 1:
        raise MarketFileError(
            f"{content.name} is an array of {dtype} and shape {shape}, not of hftbacktest 2's events "
            "(its `data.utils.migration2` converts those of version 1)."
        )
    return int(shape[0])
