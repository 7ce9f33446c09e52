"""The shared market data as the engine's own 64-byte events."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtrader.bench.data import ROWS_PER_TICK, TOUCH_SIZE, Rows, Ticks
from streamtrader.events import ASK, BID, BUY, EVENT, MORE, SELL, TOP, Kind

Events = NDArray[Any]


def tick_events(ticks: Ticks) -> Events:
    """Three rows a tick, as the rivals get them: the best bid, the best ask, the trade; both clocks the same.

    The bid says that the ask follows, as a best-quote message does: between the two the book may look crossed.
    """
    events = np.zeros(ROWS_PER_TICK * len(ticks.ns), EVENT)
    for row in range(ROWS_PER_TICK):
        events["venue_ns"][row::ROWS_PER_TICK] = ticks.ns
        events["received_ns"][row::ROWS_PER_TICK] = ticks.ns
        events["id"][row::ROWS_PER_TICK] = np.arange(1, len(ticks.ns) + 1)
    for side, price_cents, flags in ((BID, ticks.price_cents - 1, TOP | MORE), (ASK, ticks.price_cents, TOP)):
        best = events[side::ROWS_PER_TICK]
        best["kind"], best["side"], best["flags"] = Kind.BOOK, side, flags
        best["a"], best["b"] = price_cents / 100.0, TOUCH_SIZE
    trades = events[2::ROWS_PER_TICK]
    trades["kind"] = Kind.TRADE
    trades["side"] = np.where(ticks.is_buy == 1, BUY, SELL)
    trades["a"], trades["b"] = ticks.price_cents / 100.0, ticks.size_thousandths / 1000.0
    return events


def row_events(rows: Rows) -> Events:
    """One BOOK event a row."""
    events = np.zeros(len(rows.ns), EVENT)
    events["venue_ns"] = rows.ns
    events["received_ns"] = rows.ns
    events["kind"] = Kind.BOOK
    events["side"] = np.where(rows.is_bid == 1, BID, ASK)
    events["a"], events["b"] = rows.price_cents / 100.0, rows.size_thousandths / 1000.0
    events["id"] = np.arange(1, len(rows.ns) + 1)
    return events
