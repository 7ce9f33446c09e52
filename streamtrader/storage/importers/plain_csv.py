"""Any table with named columns: trades, quotes, levels of a book or candles, told by which columns there are.

    trades    time, price, size      and side (buy, sell, b, s), id
    quotes    time, bid, ask         and bid_size, ask_size, id
    candles   time, open, high, low, close, volume
    levels    time, price, size, side (bid, ask), is_snapshot, and id
    all       and received, symbol

Names are read in any case, with their usual synonyms (`SYNONYMS`). Times are epoch numbers (s, ms, us, ns by their
size) or ISO 8601 in UTC. A candle's time is its start; how long it is, is the smallest step between two of them. What
a file does not tell is inferred and noted on the tape: sides of trades by the tick rule, sizes of quotes as 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from streamtrader.errors import MarketFileError
from streamtrader.events import ASK, BID, BUY, EVENT, SELL
from streamtrader.storage.importers import rows
from streamtrader.storage.importers.clocks import Order, any_ns, in_table
from streamtrader.storage.importers.digits import Floats, Integers
from streamtrader.storage.importers.markets import Found, Intake
from streamtrader.storage.importers.merging import in_order
from streamtrader.storage.importers.messages import SNAPSHOT, book_messages
from streamtrader.storage.importers.opening import first_bytes, opened
from streamtrader.storage.importers.rows import Events
from streamtrader.storage.importers.table import Table, header_names
from streamtrader.units import NS_PER_S

VENUE = "csv"
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "time": (
        *("venue_ns", "timestamp", "time", "datetime", "date", "ts", "ts_event", "open_time", "start", "start_ns"),
        *("event_time", "transact_time"),
    ),
    "received": ("received_ns", "received", "local_timestamp", "ts_recv", "receive_time"),
    "symbol": ("symbol", "ticker", "instrument", "market", "pair"),
    "price": ("price", "trade_price", "px"),
    "size": ("size", "qty", "quantity", "amount", "volume", "trade_size"),
    "side": ("side", "aggressor", "taker_side", "direction"),
    "is_buyer_maker": ("is_buyer_maker",),
    "is_snapshot": ("is_snapshot",),
    "id": ("id", "trade_id", "update_id", "sequence"),
    "bid": ("bid", "bid_price", "best_bid", "best_bid_price"),
    "ask": ("ask", "ask_price", "offer", "best_ask", "best_ask_price"),
    "bid_size": ("bid_size", "bid_qty", "bid_amount", "bid_quantity", "bid_volume", "best_bid_qty"),
    "ask_size": ("ask_size", "ask_qty", "ask_amount", "ask_quantity", "ask_volume", "best_ask_qty"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "volume": ("volume", "vol", "size", "qty"),
}
CANDLE = ("open", "high", "low", "close")
WANTED = {
    "candles": ("time", *CANDLE),
    "quotes": ("time", "bid", "ask"),
    "levels": ("time", "price", "size", "side", "is_snapshot"),
    "trades": ("time", "price", "size"),
}
Columns = Mapping[str, str]  # what a column is called in the file, by what it is


def csv_streams(files: Sequence[Path], intake: Intake) -> list[Iterator[Events]]:
    """One stream for each kind; files of one kind continue each other in the order in which they are given."""
    groups: dict[str, list[Path]] = {}
    for path in files:
        groups.setdefault(layout_of(path)[0], []).append(path)
    order = ("trades", "levels", "quotes", "candles")
    return [_stream(kind, groups[kind], intake) for kind in order if kind in groups]


def layout_of(path: Path) -> tuple[str, Columns, str]:
    """Which kind a file is, what its columns are called, and what stands between them."""
    header = first_bytes(path, 1 << 16).split(b"\n", 1)[0]
    delimiter = max(",;\t", key=lambda mark: header.count(mark.encode()))
    names = header_names(header, delimiter)
    columns = _columns(names)
    repeated = next((name for name in columns.values() if names.count(name) > 1), None)
    if repeated is not None:
        raise MarketFileError(f"{path.name}:1: two columns are called {repeated}; rename one.", path=str(path))
    for kind, wanted in WANTED.items():
        if all(column in columns for column in wanted):
            return kind, columns, delimiter
    nearest = (
        "quotes" if {"bid", "ask"} & set(columns) else "candles" if {"open", "high"} & set(columns) else "trades"
    )
    missing = ", ".join(
        f"{column} ({', '.join(SYNONYMS[column][:6])})" for column in WANTED[nearest] if column not in columns
    )
    raise MarketFileError(
        f"{path.name}:1: no columns of trades, quotes, levels or candles: {', '.join(names)[:200]}. "
        f"For {nearest} it lacks {missing}.",
        path=str(path),
    )


def _columns(names: Sequence[str]) -> Columns:
    plain = {re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_"): name for name in reversed(names)}
    found = {}
    for meaning, words in SYNONYMS.items():
        word = next((word for word in words if word in plain), None)
        if word is not None:
            found[meaning] = plain[word]
    return found


def _stream(kind: str, files: Sequence[Path], intake: Intake) -> Iterator[Events]:
    reader = _Reader(kind, intake)
    parts = reader.parts(files)
    yield from (book_messages(parts, reader.found, intake) if kind == "levels" else parts)
    intake.disordered += reader.order.disordered


class _Reader:
    """Reads files of one kind."""

    def __init__(self, kind: str, intake: Intake) -> None:
        self.intake, self.order = intake, Order()
        self.found: dict[int, Found] = {}
        self._kind = kind
        self._columns: Columns = {}
        self._interval_ns = 0

    def parts(self, files: Sequence[Path]) -> Iterator[Events]:
        for path in files:
            _, self._columns, delimiter = layout_of(path)
            symbol = self.intake.named(_symbol_of(path))
            with opened(path) as content:
                for table in self.intake.pieces(content, delimiter=delimiter):
                    yield self._events(table, symbol)

    def _events(self, table: Table, symbol: str) -> Events:
        column = self._columns["time"]
        venue_ns = any_ns(table, column)
        received_ns = venue_ns
        if "received" in self._columns:
            column = self._columns["received"]
            received_ns = any_ns(table, column)
        if self._kind == "candles":
            received_ns = venue_ns + self._interval(table, venue_ns)
        received_ns = self.order.forward(received_ns, in_table(table, column))
        groups = table.groups(self._columns["symbol"]) if "symbol" in self._columns else [(symbol, slice(None))]
        parts = []
        for name, chosen in groups:
            if not name.strip():
                row = 0 if isinstance(chosen, slice) else int(chosen[0])
                raise table.refused(row, self._columns["symbol"], "which is no symbol")
            if self.intake.wants(name):
                found = self.intake.find(VENUE, name)
                self.found[found.index] = found
                read = {
                    "trades": self._trades,
                    "quotes": self._quotes,
                    "levels": self._levels,
                    "candles": self._candles,
                }[self._kind]
                parts.append(read(found, table.chosen(chosen), venue_ns[chosen], received_ns[chosen]))
        return in_order(parts) if parts else np.zeros(0, EVENT)

    def _interval(self, table: Table, start_ns: Integers) -> int:
        """The smallest step; every start must be a whole number of steps from the first."""
        if not self._interval_ns:
            steps = np.diff(np.unique(start_ns))
            if not len(steps):
                why = "the only time: one candle does not tell how long it is"
                raise table.refused(0, self._columns["time"], why)
            self._interval_ns = int(steps.min())
        is_between = (start_ns - start_ns[0]) % self._interval_ns != 0
        if is_between.any():
            why = f"between two candles of {self._interval_ns / NS_PER_S:g} s, which is the smallest step"
            raise table.refused(int(is_between.argmax()), self._columns["time"], why)
        return self._interval_ns

    def _trades(self, found: Found, table: Table, venue_ns: Integers, received_ns: Integers) -> Events:
        price, size = self._level(found, table, "price", "size")
        inferred = found.tick_rule(price)
        if "is_buyer_maker" in self._columns:
            side = table.codes(self._columns["is_buyer_maker"], {"true": SELL, "false": BUY, "1": SELL, "0": BUY})
        elif "side" in self._columns:
            words = {"buy": BUY, "sell": SELL, "b": BUY, "s": SELL, "bid": BUY, "ask": SELL, "1": BUY, "-1": SELL}
            told = table.codes(self._columns["side"], words | {"": 2, "unknown": 2, "none": 2, "n": 2})
            side = np.where(told == 2, inferred, told).astype(np.uint8)
        else:
            self.intake.notes["aggressor"] = "tick rule"
            side = inferred
        ids = table.numbering(self._columns["id"]) if "id" in self._columns else None
        if ids is None:
            ids = found.next_ids(len(table))
        return rows.trades(found, (venue_ns, received_ns), price, size, side=side, trade_id=ids)

    def _quotes(self, found: Found, table: Table, venue_ns: Integers, received_ns: Integers) -> Events:
        sides: list[tuple[Floats, Floats]] = []
        for side in ("bid", "ask"):
            price = table.prices(self._columns[side], empty=0.0)
            found.note(table, (self._columns[side],))
            size = np.ones(len(price))
            if f"{side}_size" in self._columns:
                size = table.sizes(self._columns[f"{side}_size"], empty=0.0)
                found.note(table, (), (self._columns[f"{side}_size"],))
            else:
                self.intake.notes["quote_sizes"] = "not in the files: 1"
            has_side = (price > 0.0) & (size > 0.0)
            sides.append((np.where(has_side, price, 0.0), np.where(has_side, size, 0.0)))
        update = table.numbering(self._columns["id"]) if "id" in self._columns else None
        return rows.quotes(found, (venue_ns, received_ns), sides[0], sides[1], 0 if update is None else update)

    def _levels(self, found: Found, table: Table, venue_ns: Integers, received_ns: Integers) -> Events:
        price, size = self._level(found, table, "price", "size")
        side = table.codes(
            self._columns["side"], {"bid": BID, "ask": ASK, "buy": BID, "sell": ASK, "b": BID, "a": ASK}
        )
        events = rows.levels(found, (venue_ns, received_ns), side, price, size, True)
        is_snapshot = table.codes(self._columns["is_snapshot"], {"true": 1, "false": 0, "1": 1, "0": 0})
        events["flags"] = np.where(is_snapshot == 1, SNAPSHOT, 0)
        ids = table.numbering(self._columns["id"]) if "id" in self._columns else None
        events["id"] = 0 if ids is None else ids
        return events

    def _candles(self, found: Found, table: Table, venue_ns: Integers, received_ns: Integers) -> Events:
        names = tuple(self._columns[column] for column in CANDLE)
        opening, high, low, closing = prices = [table.prices(name) for name in names]
        found.note(table, names)
        rows.check_candles(table, prices, self._columns["high"])
        volume = np.zeros(len(table))
        if "volume" in self._columns:
            volume = table.volumes(self._columns["volume"])
            found.note(table, (), (self._columns["volume"],))
        else:
            self.intake.notes["volume"] = "not in the files: 0"
        return rows.candles(found, venue_ns, received_ns, (opening, high, low, closing), volume)

    def _level(self, found: Found, table: Table, price: str, size: str) -> tuple[Floats, Floats]:
        names = self._columns[price], self._columns[size]
        values = table.prices(names[0]), table.sizes(names[1])
        found.note(table, (names[0],), (names[1],))
        return values


def _symbol_of(path: Path) -> str:
    """How the file is called, up to the first mark that is no letter or digit."""
    found = re.match(r"[A-Za-z0-9]+", path.name)
    return found.group().upper() if found else path.name
