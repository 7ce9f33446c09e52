"""What a venue's REST interface tells of the past: requests as text, answers as rows. No socket, no clock.

Each venue's `history.py` exports `HISTORY`. A download walks from cursor to cursor: `begin`, then `request` and `read`
until a page is the last. A cursor is a few numbers that can be written down and gone on from. What a page holds twice,
out of order or not at all is no concern of these modules: `venues/joining.py` puts pages together.
"""

from __future__ import annotations

import abc
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from streamtrader.errors import BadMessage, ConfigError
from streamtrader.events import EVENT, Kind
from streamtrader.instruments import BELIEVED, Instrument
from streamtrader.units import ABSURD_VOLUME, NS_PER_S
from streamtrader.venues.listing import Listing
from streamtrader.venues.registry import listing_of

TRADES, CANDLES = "trades", "candles"
FOREVER_NS = 2**62  # the end of a query that goes as far as the venue does
HISTORIES = ("alpaca", "binance", "coinbase", "kraken")

Rows = np.ndarray[Any, np.dtype[Any]]
Cursor = dict[str, int]


@dataclass(frozen=True, slots=True)
class Query:
    """What is wanted: `[start_ns, stop_ns)` by the venue's clock; candles of `interval_ns`, named by their starts."""

    what: str
    symbol: str
    start_ns: int
    stop_ns: int = FOREVER_NS
    interval_ns: int = 0
    kind: str = "spot"
    feed: str = ""  # where a venue has several; none: its usual one

    @property
    def interval_s(self) -> int:
        return self.interval_ns // NS_PER_S


class Request(NamedTuple):
    """A GET: path with query, and what it weighs in the venue's own units."""

    path: str
    weight: float


class Page(NamedTuple):
    """What an answer says. `cursor` goes on behind it; `is_last` when the venue has no more now."""

    rows: Rows
    cursor: Cursor
    is_last: bool = False
    rejected: int = 0  # records whose values cannot be true


@dataclass(frozen=True, slots=True)
class RestLimits:
    """What we allow ourselves of the venue's published limits: others may share the address.

    `weight_per_day` is ours alone: no download shall ever be why a venue bans the address that trades.
    """

    weight_per_minute: float
    requests_per_s: float
    weight_per_day: int


class History(abc.ABC):
    """One venue's past."""

    name: str
    kinds: tuple[str, ...] = ("spot",)
    intervals_s: tuple[int, ...]
    has_empty_candles = True  # it tells candles of intervals without a trade too
    has_counting_ids = True  # trade ids count without holes; else its pages must hold nothing twice
    rules_weight = 1.0  # of the request for the rules of an instrument

    @property
    def listing(self) -> Listing:
        return listing_of(self.name)

    @abc.abstractmethod
    def limits(self, kind: str) -> RestLimits: ...

    @abc.abstractmethod
    def begin(self, query: Query) -> Cursor: ...

    @abc.abstractmethod
    def request(self, query: Query, cursor: Cursor) -> Request: ...

    @abc.abstractmethod
    def read(self, query: Query, cursor: Cursor, body: bytes) -> Page:
        """The page that answers `request(query, cursor)`.

        Raises BadMessage for what is no such answer, LinkLost with status 429 where the venue says "too fast" in
        its own words, ConfigError where it says that there is no such thing.
        """

    def headers(self) -> Mapping[str, str]:
        """What goes with every request, such as a key."""
        return self.listing.rest_headers()

    def rest_urls(self, kind: str) -> tuple[str, ...]:
        return tuple(endpoints.rest for endpoints in self.listing.endpoints(kind))

    def rules(self, query: Query) -> Request:
        return Request(self.listing.instruments_path(query.kind, (query.symbol,)), self.rules_weight)

    def instrument_of(self, body: bytes, query: Query) -> Instrument:
        return self.listing.instruments_of(body, query.kind, (query.symbol,))[0]

    def check(self, query: Query) -> None:
        """Refuse what this venue does not have."""
        if query.what not in (TRADES, CANDLES):
            raise ConfigError(f"there are downloads of {TRADES} and {CANDLES}, not of {query.what!r}")
        if query.kind not in self.kinds:
            raise ConfigError(f"{self.name} is asked for {' and '.join(self.kinds)} only, not for {query.kind!r}")
        self.listing.check_wire(query.feed, "", [query.symbol])
        if query.what == CANDLES and query.interval_s not in self.intervals_s:
            known = ", ".join(map(str, self.intervals_s))
            raise ConfigError(f"{self.name} has no candles of {query.interval_s} s; it has, in seconds: {known}")
        if query.start_ns >= query.stop_ns:
            raise ConfigError("--from must lie before --to, and before now")
        if query.start_ns < 0:
            raise ConfigError("--from must not lie before 1970")


def history_of(name: str) -> History:
    """The history of one venue."""
    if name not in HISTORIES:
        raise ConfigError(f"there are no downloads from {name!r}; there are from: {', '.join(HISTORIES)}")
    history = importlib.import_module(f"streamtrader.venues.{name}.history").HISTORY
    assert isinstance(history, History)
    return history


def counted(page: Page, instrument: Instrument) -> Page:
    """The page without trades that the instrument's own ticks and lots cannot count."""
    rows, most = page.rows, instrument.most
    is_beyond = (rows["kind"] == Kind.TRADE) & ((rows["a"] > most.price) | (rows["b"] > most.size))
    if not is_beyond.any():
        return page
    return page._replace(rows=rows[~is_beyond], rejected=page.rejected + int(np.count_nonzero(is_beyond)))


def trade_rows(
    ids: Sequence[int],
    clocks_ns: Sequence[int],
    prices: Sequence[float],
    sizes: Sequence[float],
    sides: Sequence[int],
) -> tuple[Rows, int]:
    """TRADE rows of instrument 0, and how many records were left out because they cannot be true."""
    rows = np.zeros(len(ids), EVENT)
    rows["kind"] = Kind.TRADE
    try:
        rows["id"], rows["venue_ns"], rows["received_ns"] = ids, clocks_ns, clocks_ns
    except OverflowError as error:
        raise BadMessage("an id or a clock outside of its range") from error
    rows["a"], rows["b"], rows["side"] = prices, sizes, sides
    true = (rows["a"] > 0) & (rows["a"] <= BELIEVED.price) & (rows["b"] > 0) & (rows["b"] <= BELIEVED.size)  # no NaN
    true &= (rows["id"] >= 0) & (rows["id"] < FOREVER_NS) & (rows["venue_ns"] > 0) & (rows["venue_ns"] < FOREVER_NS)
    return rows[true], int(len(rows) - np.count_nonzero(true))


def candle_rows(
    starts_ns: Sequence[int], prices: Sequence[Sequence[float]], volumes: Sequence[float], interval_ns: int
) -> tuple[Rows, int]:
    """CANDLE rows of instrument 0 from (open, high, low, close), and how many records cannot be true."""
    rows = np.zeros(len(starts_ns), EVENT)
    rows["kind"] = Kind.CANDLE
    try:
        rows["venue_ns"] = starts_ns
    except OverflowError as error:
        raise BadMessage("a clock outside of its range") from error
    rows["received_ns"] = rows["venue_ns"] + interval_ns
    table = np.array(prices, np.float64).reshape(len(rows), 4)
    for column, word in enumerate("abcd"):
        rows[word] = table[:, column]
    volume = np.array(volumes, np.float64)
    rows["id"] = volume.view(np.int64)  # the last word of a candle is its volume, a double
    true = (table > 0).all(axis=1) & (table <= BELIEVED.price).all(axis=1) & (volume >= 0) & (volume <= ABSURD_VOLUME)
    true &= (table[:, 1] >= table.max(axis=1)) & (table[:, 2] <= table.min(axis=1)) & (rows["venue_ns"] > 0)
    true &= (rows["venue_ns"] < FOREVER_NS) & (rows["venue_ns"] % interval_ns == 0)
    return rows[true], int(len(rows) - np.count_nonzero(true))
