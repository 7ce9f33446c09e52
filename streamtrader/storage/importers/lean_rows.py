"""Rows of LEAN's files as events: one `Series` for each symbol, kind and resolution, through all its files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta

import numpy as np

from streamtrader.errors import MarketFileError
from streamtrader.events import EVENT
from streamtrader.storage.importers import rows
from streamtrader.storage.importers.clocks import Order, WallClock, day_of, in_table
from streamtrader.storage.importers.digits import Flags, Floats, Integers
from streamtrader.storage.importers.markets import Found, Intake
from streamtrader.storage.importers.merging import whole_moments
from streamtrader.storage.importers.rows import Events
from streamtrader.storage.importers.table import Table
from streamtrader.units import NS_PER_S, rounded

PRICE_SCALE, SCALE_PLACES = 10_000.0, 4
BAR_NS = {"second": NS_PER_S, "minute": 60 * NS_PER_S, "hour": 3_600 * NS_PER_S}
MS_PER_HOUR, MS_PER_MINUTE = 3_600_000, 60_000
TRADE_BAR = ("time", "open", "high", "low", "close", "volume")
QUOTE_BAR = (
    *("time", "bid_open", "bid_high", "bid_low", "bid_price", "bid_size"),
    *("ask_open", "ask_high", "ask_low", "ask_price", "ask_size"),
)
# By (is_quote, is_equity): crypto has no exchanges and no conditions, and older files of it no flag either.
TICKS: dict[tuple[bool, bool], tuple[tuple[str, ...], ...]] = {
    (False, True): (("time", "price", "size", "exchange", "condition", "suspicious"),),
    (False, False): (("time", "price", "size", "suspicious"), ("time", "price", "size")),
    (True, True): (
        ("time", "bid_price", "bid_size", "ask_price", "ask_size", "exchange", "condition", "suspicious"),
    ),
    (True, False): (
        ("time", "bid_price", "bid_size", "ask_price", "ask_size", "suspicious"),
        ("time", "bid_price", "bid_size", "ask_price", "ask_size"),
    ),
}
Sides = tuple[Floats, Floats]
HAS_BID, HAS_ASK = 1, 2  # in the flags of quotes, until those of one update are brought together


class Series:
    """Remembers from row to row what LEAN leaves out: the other side of a quote, the aggressor, the clock."""

    def __init__(self, found: Found, intake: Intake, *, resolution: str, is_quote: bool, is_equity: bool) -> None:
        self.found, self.intake = found, intake
        self.order = Order()
        self.ratios: Callable[[Integers], tuple[Floats, Floats]] | None = None
        self._resolution, self._is_quote = resolution, is_quote
        self._is_equity = is_equity
        self._scale = PRICE_SCALE if is_equity else 1.0
        self._wall = WallClock("America/New_York" if is_equity else "UTC")
        self._sides: list[tuple[float, float]] = [(0.0, 0.0), (0.0, 0.0)]  # the last known bid and ask

    def columns(self, start: bytes, name: str) -> tuple[str, ...]:
        """The names of a file's columns, by how many its first row has."""
        width = start.split(b"\n", 1)[0].count(b",") + 1
        known = (QUOTE_BAR if self._is_quote else TRADE_BAR,)
        choices = TICKS[self._is_quote, self._is_equity] if self._resolution == "tick" else known
        for names in choices:
            if len(names) == width:
                return names
        wanted = " or ".join(str(len(names)) for names in choices)
        kind = "quotes" if self._is_quote else "trades"
        raise MarketFileError(f"{name}:1: {width} columns; {self._resolution} {kind} of LEAN have {wanted}.")

    def events(self, table: Table, day: date | None) -> Events:
        """`day` is that of all rows, or None where each has its own."""
        if "suspicious" in table:
            is_suspicious = table.codes("suspicious", {"0": 0, "1": 1, "false": 0, "true": 1}) == 1
            if is_suspicious.any():
                self.intake.left_out["suspicious"] += int(np.count_nonzero(is_suspicious))
                table = table.chosen(~is_suspicious)
        if not len(table):
            return np.zeros(0, EVENT)
        start_ns, end_ns, days = self._times(table, day)
        end_ns = self.order.forward(end_ns, in_table(table, "time"))
        ratios = (1.0, 1.0) if self.ratios is None else self.ratios(days)
        if self._is_quote:
            return self._quotes(table, end_ns, ratios)  # type: ignore[arg-type]
        if self._resolution == "tick":
            return self._trades(table, end_ns, ratios)  # type: ignore[arg-type]
        prices = [self._prices(table, column, ratios[0]) for column in TRADE_BAR[1:5]]  # type: ignore[arg-type]
        rows.check_candles(table, prices)
        volume = self._sizes(table, "volume", table.volumes("volume"), ratios[1])  # type: ignore[arg-type]
        return rows.candles(self.found, start_ns, end_ns, tuple(prices), volume)  # type: ignore[arg-type]

    def _times(self, table: Table, day: date | None) -> tuple[Integers, Integers, Integers]:
        """When each row began, when it was known, and its day as yyyymmdd."""
        if day is not None:
            ms = table.integers("time")
            is_bad = ms >= 25 * MS_PER_HOUR  # the longest day of the year
            if is_bad.any():
                raise table.refused(int(is_bad.argmax()), "time", "no time of a day in milliseconds since midnight")
            start_ns = self._wall.utc_ns(day, ms)
            end_ns = start_ns + BAR_NS.get(self._resolution, 0)
            return start_ns, end_ns, np.array([int(f"{day:%Y%m%d}")])
        days = table.integers("time", slice(0, 8))
        hours, minutes = table.integers("time", slice(9, 11)), table.integers("time", slice(12, 14))
        is_bad = (hours > 23) | (minutes > 59)
        if is_bad.any():
            raise table.refused(int(is_bad.argmax()), "time", "no hour of a day")
        ms = hours * MS_PER_HOUR + minutes * MS_PER_MINUTE
        start_ns, end_ns = np.empty_like(days), np.empty_like(days)
        edges = np.flatnonzero(np.diff(days, prepend=-1))
        for first, stop in zip(edges.tolist(), [*edges[1:].tolist(), len(days)], strict=True):
            this = day_of(str(days[first]), f"{table.name}:{table.lines[first]}")
            start_ns[first:stop] = self._wall.utc_ns(this, ms[first:stop])
            end_ns[first:stop] = self._wall.midnight_ns(this + timedelta(days=1))
        return start_ns, (start_ns + BAR_NS["hour"] if self._resolution == "hour" else end_ns), days

    def _prices(self, table: Table, column: str, ratio: Floats, *, empty: float | None = None) -> Floats:
        values = table.prices(column, empty=empty, scale=self._scale)
        places = scaled_places(values) if self._is_equity else table.places(column)
        if self.ratios is not None:
            places, values = SCALE_PLACES, rounded(values * ratio, SCALE_PLACES)
        self.found.note_prices(places, float(values.max()))
        return values

    def _sizes(self, table: Table, column: str, values: Floats, ratio: Floats) -> Floats:
        places = table.places(column)
        if self.ratios is not None and np.any(ratio != 1.0):
            places, values = SCALE_PLACES, rounded(values / ratio, SCALE_PLACES)
        self.found.note_sizes(places, float(values.max()))
        return values

    def _trades(self, table: Table, received_ns: Integers, ratios: Sides) -> Events:
        price = self._prices(table, "price", ratios[0])
        size = self._sizes(table, "size", table.sizes("size"), ratios[1])
        self.intake.notes["aggressor"] = "tick rule"
        clocks = (received_ns, received_ns)
        ids = self.found.next_ids(len(price))
        return rows.trades(self.found, clocks, price, size, side=self.found.tick_rule(price), trade_id=ids)

    def _quotes(self, table: Table, received_ns: Integers, ratios: Sides) -> Events:
        known, carried = [], []
        for at, side in enumerate(("bid", "ask")):
            price = self._prices(table, f"{side}_price", ratios[0], empty=0.0)
            size = self._sizes(table, f"{side}_size", table.sizes(f"{side}_size", empty=0.0), ratios[1])
            has_side = price > 0.0
            known.append(has_side)
            carried.append((self._carried(price, has_side, at, 0), self._carried(size, has_side, at, 1)))
            self._sides[at] = (float(carried[at][0][-1]), float(carried[at][1][-1]))
        bid, ask = carried
        events = rows.quotes(self.found, (received_ns, received_ns), bid, ask, 0)
        events["flags"] = known[0] * HAS_BID + known[1] * HAS_ASK
        return events

    def _carried(self, values: Floats, has_side: Flags, at: int, word: int) -> Floats:
        """A side as it was last told."""
        told = np.maximum.accumulate(np.where(has_side, np.arange(len(values)), -1))
        return np.where(told >= 0, values[told], self._sides[at][word])


def whole_updates(parts: Iterator[Events]) -> Iterator[Events]:
    """Quotes without the first halves: a bid alone, at once followed by an ask alone, is one update of both."""
    for events in whole_moments(parts):
        told, received_ns = events["flags"], events["received_ns"]
        is_half = np.zeros(len(events), bool)
        is_half[:-1] = (told[:-1] == HAS_BID) & (told[1:] == HAS_ASK) & (received_ns[1:] == received_ns[:-1])
        events["flags"] = 0
        yield events[~is_half]


def scaled_places(prices: Floats) -> int:
    """How many decimals prices use that are given as whole numbers of ten-thousandths."""
    values = rounded(prices * PRICE_SCALE, 0)
    for places, step in ((4, 10.0), (3, 100.0), (2, 1_000.0), (1, 10_000.0)):
        if np.any(values % step != 0.0):
            return places
    return 0
