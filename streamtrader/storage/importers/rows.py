"""Columns as events: one function for each kind of row, and the two marks that a book from a file needs."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamtrader.events import EVENT, MORE, BookState, Kind
from streamtrader.storage.importers.digits import Floats
from streamtrader.storage.importers.markets import Found
from streamtrader.storage.importers.table import Table

Events = np.ndarray[Any, np.dtype[Any]]
Column = Any  # an array of numbers, or one for all rows


def rows_of(kind: Kind, found: Found, count: int, venue_ns: Column, received_ns: Column) -> Events:
    """Events of one kind with clocks, instrument and nothing else."""
    events = np.zeros(count, EVENT)
    events["kind"] = kind
    events["instrument"] = found.index
    events["venue_ns"] = venue_ns
    events["received_ns"] = received_ns
    return events


def trades(
    found: Found, clocks: tuple[Column, Column], price: Column, size: Column, *, side: Column, trade_id: Column
) -> Events:
    """`clocks` are those of the venue and of the receiver; `side` is the aggressor's."""
    events = rows_of(Kind.TRADE, found, len(price), *clocks)
    events["a"], events["b"] = price, size
    events["side"], events["id"] = side, trade_id
    return events


def quotes(
    found: Found,
    clocks: tuple[Column, Column],
    bid: tuple[Column, Column],
    ask: tuple[Column, Column],
    update: Column,
) -> Events:
    """Best bid and offer, each a price and a size."""
    events = rows_of(Kind.QUOTE, found, len(bid[0]), *clocks)
    events["a"], events["b"] = bid
    events["c"], events["d"] = ask
    events["id"] = update
    return events


def candles(
    found: Found, start_ns: Column, end_ns: Column, prices: tuple[Column, Column, Column, Column], volume: Column
) -> Events:
    """Closed intervals: open, high, low and close; they are known at their end."""
    events = rows_of(Kind.CANDLE, found, len(prices[0]), start_ns, end_ns)
    for word, column in zip("abcd", prices, strict=True):
        events[word] = column
    events["id"].view(np.float64)[:] = volume
    return events


def levels(
    found: Found, clocks: tuple[Column, Column], side: Column, price: Column, size: Column, is_last: Column
) -> Events:
    """Levels set to `size`; `is_last` where a message ends."""
    events = rows_of(Kind.BOOK, found, len(price), *clocks)
    events["a"], events["b"], events["side"] = price, size, side
    events["flags"] = np.where(is_last, 0, MORE)
    return events


def forgotten(found: Found, venue_ns: int, received_ns: int, update: int = 0) -> Events:
    """The mark before a snapshot; the snapshot's own rows follow in the same message."""
    events = rows_of(Kind.BOOK_CLEAR, found, 1, venue_ns, received_ns)
    events["flags"], events["id"] = MORE, update
    return events


def linked(found: Found, received_ns: int, state: BookState, update: int = 0) -> Events:
    """The book's state changes; ends the message that it stands behind."""
    events = rows_of(Kind.LINK, found, 1, 0, received_ns)
    events["a"], events["id"] = float(state), update
    found.is_book_live = state == BookState.LIVE
    return events


def check_candles(table: Table, prices: list[Floats], column: str = "high") -> None:
    """A high below, or a low above, any other price of its interval cannot be."""
    opened, high, low, closed = prices
    is_bad = (high < np.maximum(opened, closed)) | (low > np.minimum(opened, closed))
    if is_bad.any():
        raise table.refused(int(is_bad.argmax()), column, "a high or low that open or close go beyond")
