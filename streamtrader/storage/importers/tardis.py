"""Tardis CSV files: https://docs.tardis.dev/downloadable-csv-files/data-types names their columns.

`local_timestamp` is when Tardis received a message, `timestamp` the venue's; both are microseconds (copies in
nanoseconds are about, and read too). Rows of a book with one `local_timestamp` are one message.

    trades, liquidations        TRADE, LIQUIDATION: told apart by the file's name, as their columns are the same
    quotes, book_ticker         QUOTE
    incremental_book_L2         BOOK; `amount` is the level's new size
    book_snapshot_N             BOOK: the changes from each picture to the next
    derivative_ticker           MARK
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from streamtrader.errors import MarketFileError
from streamtrader.events import ASK, BID, BUY, EVENT, SELL, Kind
from streamtrader.storage.importers import rows
from streamtrader.storage.importers.clocks import Order, epoch_ns, in_table, optional_epoch_ns
from streamtrader.storage.importers.digits import Floats, Integers
from streamtrader.storage.importers.markets import Found, Intake
from streamtrader.storage.importers.merging import in_order
from streamtrader.storage.importers.messages import SNAPSHOT, TopLevels, as_pictures, book_messages
from streamtrader.storage.importers.opening import first_bytes, opened
from streamtrader.storage.importers.rows import Events
from streamtrader.storage.importers.table import Table, header_names, tables

SHARED = ("exchange", "symbol", "timestamp", "local_timestamp")
TRADES = (*SHARED, "id", "side", "price", "amount")
LEVELS = (*SHARED, "is_snapshot", "side", "price", "amount")
QUOTES = (*SHARED, "ask_amount", "ask_price", "bid_price", "bid_amount")
TICKER = (
    *SHARED,
    *("funding_timestamp", "funding_rate", "predicted_funding_rate", "open_interest"),
    *("last_price", "index_price", "mark_price"),
)
UNITS = ("us", "ns")
BOOKS, TRADED, OTHERS = 1, 0, 2  # of rows at one time a trade comes before the change of the book that it caused
_DERIVATIVE = re.compile(
    r"futures|swap|perp|delivery|options|bitmex|deribit|cryptofacilities|phemex|derivatives", re.IGNORECASE
)


def is_tardis(header: Sequence[str]) -> bool:
    return tuple(header[:4]) == SHARED


def tardis_streams(files: Sequence[Path], intake: Intake) -> list[Iterator[Events]]:
    """One stream for each kind of file; files of one kind are read in the order of their first rows."""
    groups: dict[tuple[int, str], list[tuple[int, Path]]] = {}
    for path in files:
        kind, priority = _kind_of(path)
        groups.setdefault((priority, kind), []).append((_first_ns(path), path))
    if sum(priority == BOOKS for priority, _ in groups) > 1:
        raise MarketFileError("two kinds of book among the files: give incremental_book_L2 or one book_snapshot_N.")
    return [_stream(kind, [path for _, path in sorted(parts)], intake) for (_, kind), parts in sorted(groups.items())]


def _kind_of(path: Path) -> tuple[str, int]:
    header = header_names(first_bytes(path).split(b"\n", 1)[0])
    if tuple(header) == TRADES:
        return ("liquidations", OTHERS) if "liquidations" in path.name else ("trades", TRADED)
    for columns, kind, priority in (
        (LEVELS, "levels", BOOKS),
        (QUOTES, "quotes", OTHERS),
        (TICKER, "ticker", OTHERS),
    ):
        if tuple(header) == columns:
            return kind, priority
    depth = (len(header) - len(SHARED)) // 4
    if is_tardis(header) and depth and set(header[len(SHARED) :]) == set(_picture_columns(depth)):
        return f"pictures {depth}", BOOKS
    raise MarketFileError(
        f"{path.name}:1: no file of Tardis that is imported; its columns are {', '.join(header)[:200]}. "
        "trades, liquidations, quotes, book_ticker, incremental_book_L2, book_snapshot_N and derivative_ticker are.",
        path=str(path),
    )


def _picture_columns(depth: int) -> list[str]:
    words = ("price", "amount")
    return [f"{side}[{level}].{word}" for level in range(depth) for side in ("asks", "bids") for word in words]


def _first_ns(path: Path) -> int:
    with opened(path) as content:
        first = next(tables(content), None)
    if first is None:
        raise MarketFileError(f"{path.name} holds no row below the names of its columns.", path=str(path))
    return int(epoch_ns(first, "local_timestamp", UNITS)[0])


def _stream(kind: str, files: Sequence[Path], intake: Intake) -> Iterator[Events]:
    reader = _Reader(kind, intake)
    parts = reader.parts(files)
    if kind == "levels":
        yield from book_messages(parts, reader.found, intake)
    else:
        yield from parts
    intake.disordered += reader.order.disordered


class _Reader:
    """Reads files of one kind."""

    def __init__(self, kind: str, intake: Intake) -> None:
        self.intake = intake
        self.order = Order()
        self.found: dict[int, Found] = {}
        self._levels: dict[int, TopLevels] = {}
        self._funding_rates: dict[int, float] = {}
        self._kind = Kind.LIQUIDATION if kind == "liquidations" else Kind.TRADE
        readers: dict[str, Callable[[Found, Table, Integers, Integers], Events]] = {
            "trades": self._trades,
            "liquidations": self._trades,
            "levels": self._level_rows,
            "quotes": self._quotes,
            "ticker": self._marks,
        }
        self._depth = int(kind.partition(" ")[2] or 0)
        self._read = readers.get(kind, self._pictures)

    def parts(self, files: Sequence[Path]) -> Iterator[Events]:
        for path in files:
            with opened(path) as content:
                for table in self.intake.pieces(content):
                    received_ns = epoch_ns(table, "local_timestamp", UNITS)
                    received_ns = self.order.forward(received_ns, in_table(table, "local_timestamp"))
                    yield self._by_symbol(table, received_ns)

    def _by_symbol(self, table: Table, received_ns: Integers) -> Events:
        parts = []
        for symbol, chosen in table.groups("symbol"):
            if not self.intake.wants(symbol):
                continue
            own = table.chosen(chosen)
            exchange = own.groups("exchange")[0][0]
            kind = "perpetual" if _DERIVATIVE.search(f"{exchange} {symbol}") else "spot"
            found = self.intake.find(exchange, symbol, kind=kind)
            self.found[found.index] = found
            parts.append(self._read(found, own, epoch_ns(own, "timestamp", UNITS), received_ns[chosen]))
        return in_order(parts) if parts else np.zeros(0, EVENT)

    def _trades(self, found: Found, table: Table, venue_ns: Integers, received_ns: Integers) -> Events:
        price, size = table.prices("price"), table.sizes("amount")
        found.note(table, ("price",), ("amount",))
        side = table.codes("side", {"buy": BUY, "sell": SELL, "unknown": 2})
        is_unknown = side == 2
        if is_unknown.any():
            self.intake.notes["aggressor"] = "tick rule where unknown"
        side = np.where(is_unknown, found.tick_rule(price), side)
        ids = table.numbering("id")
        if ids is None:  # some venues have names for trades, not numbers
            ids = found.next_ids(len(table))
        events = rows.trades(found, (venue_ns, received_ns), price, size, side=side, trade_id=ids)
        events["kind"] = self._kind
        return events

    def _level_rows(self, found: Found, table: Table, venue_ns: Integers, received_ns: Integers) -> Events:
        price, size = table.prices("price"), table.sizes("amount")
        found.note(table, ("price",), ("amount",))
        side = table.codes("side", {"bid": BID, "ask": ASK, "buy": BID, "sell": ASK})
        events = rows.levels(found, (venue_ns, received_ns), side, price, size, True)
        is_snapshot = table.codes("is_snapshot", {"true": 1, "false": 0})
        events["flags"] = np.where(is_snapshot == 1, SNAPSHOT, 0)
        return events

    def _quotes(self, found: Found, table: Table, venue_ns: Integers, received_ns: Integers) -> Events:
        sides: list[tuple[Floats, Floats]] = []
        for side in ("bid", "ask"):
            price, size = table.prices(f"{side}_price", empty=0.0), table.sizes(f"{side}_amount", empty=0.0)
            found.note(table, (f"{side}_price",), (f"{side}_amount",))
            has_side = (price > 0.0) & (size > 0.0)
            sides.append((np.where(has_side, price, 0.0), np.where(has_side, size, 0.0)))
        return rows.quotes(found, (venue_ns, received_ns), sides[0], sides[1], 0)

    def _marks(self, found: Found, table: Table, venue_ns: Integers, received_ns: Integers) -> Events:
        mark = table.prices("mark_price", empty=0.0)
        index = table.prices("index_price", empty=0.0)
        found.note(table, ("mark_price",))
        rate = table.numbers("funding_rate", empty=np.nan)
        known = np.maximum.accumulate(np.where(np.isnan(rate), -1, np.arange(len(rate))))
        rate = np.where(known >= 0, rate[known], self._funding_rates.get(found.index, 0.0))
        self._funding_rates[found.index] = float(rate[-1])
        events = rows.rows_of(Kind.MARK, found, len(table), venue_ns, received_ns)
        events["a"], events["b"], events["c"] = mark, index, rate
        events["id"] = optional_epoch_ns(table, "funding_timestamp", UNITS)
        has_mark = mark > 0.0
        self.intake.left_out["no mark price"] += int(np.count_nonzero(~has_mark))
        return events[has_mark]

    def _pictures(self, found: Found, table: Table, venue_ns: Integers, received_ns: Integers) -> Events:
        """A book in pictures: the first is a snapshot, then what changed."""
        levels = self._levels.setdefault(found.index, TopLevels())
        parts = []
        for side, name in ((BID, "bids"), (ASK, "asks")):
            columns = [(f"{name}[{level}].price", f"{name}[{level}].amount") for level in range(self._depth)]
            prices = np.stack([table.prices(price, empty=np.nan) for price, _ in columns], axis=1)
            sizes = np.stack([table.sizes(size, empty=0.0) for _, size in columns], axis=1)
            found.note(table, tuple(price for price, _ in columns), tuple(size for _, size in columns))
            row, changed, size_now = levels.changes(side, prices, sizes)
            events = rows.levels(found, (venue_ns[row], received_ns[row]), side, changed, size_now, True)
            parts.append((row, events))
        row = np.concatenate([part[0] for part in parts])
        order = np.argsort(row, kind="stable")
        return as_pictures(found, row[order], np.concatenate([part[1] for part in parts])[order], self.intake)
