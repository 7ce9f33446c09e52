"""The public dumps of data.binance.vision, as https://github.com/binance/binance-public-data describes them.

    SYMBOL-trades-DAY        TRADE      spot files have 7 columns, those of futures 6
    SYMBOL-aggTrades-DAY     TRADE      the id is that of the aggregate; 8 columns, and 7
    SYMBOL-INTERVAL-DAY      CANDLE     12 columns
    SYMBOL-bookTicker-DAY    QUOTE      futures only; received when Binance sent it, as nothing else is known
    …depth_snap, …depth_update   BOOK   futures only, see `binance_depth`

Times are milliseconds, on spot microseconds from 2025 on: told apart by their size. Files of futures begin with the
names of their columns, most of spot do not. `<file>.CHECKSUM` beside a file is verified first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamtrader.errors import MarketFileError
from streamtrader.events import BUY, SELL
from streamtrader.storage.importers import rows
from streamtrader.storage.importers.binance_depth import DEPTH, DEPTH_UNPROVED, DepthFile, depth_stream
from streamtrader.storage.importers.clocks import Order, epoch_ns, in_table
from streamtrader.storage.importers.markets import Found, Intake
from streamtrader.storage.importers.opening import first_bytes, opened, verify_checksum
from streamtrader.storage.importers.rows import Events
from streamtrader.storage.importers.table import Table, header_names
from streamtrader.units import NS_PER_MS, NS_PER_US

UNITS = ("ms", "us")
VENUE = "binance"
FEES_BPS = {"spot": (10.0, 10.0), "perpetual": (2.0, 5.0)}  # maker and taker of the lowest tier
TRADES = ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker")
AGGREGATES = (
    *("agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id"),
    *("transact_time", "is_buyer_maker"),
)
CANDLES = (
    *("open_time", "open", "high", "low", "close", "volume", "close_time"),
    *("quote_volume", "count", "taker_buy_volume", "taker_buy_quote_volume", "ignore"),
)
QUOTES = (
    *("update_id", "best_bid_price", "best_bid_qty", "best_ask_price", "best_ask_qty"),
    *("transaction_time", "event_time"),
)
_SPOT_ONLY = "is_best_match"
_LAYOUTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "trades": ((*TRADES, _SPOT_ONLY), TRADES),
    "aggTrades": ((*AGGREGATES, _SPOT_ONLY), AGGREGATES),
    "candles": (CANDLES,),
    "bookTicker": (QUOTES,),
    "depth": (DEPTH, DEPTH_UNPROVED),
}
_TIMES = {"trades": "time", "aggTrades": "transact_time", "candles": "open_time", "bookTicker": "transaction_time"}
_NAME = re.compile(
    r"([A-Z0-9]+(?:_[A-Z0-9]+)?)-(trades|aggTrades|bookTicker|\d+(?:s|m|h|d|w|mo))-\d{4}-\d\d(?:-\d\d)?\.(?:zip|csv)"
)
_DEPTH_NAME = re.compile(r"([A-Za-z0-9]+)[_-].*?depth[_-](snap|update)\S*\.(?:zip|csv)", re.IGNORECASE)
_OTHERS = re.compile(
    r"bookDepth|metrics|fundingRate|markPriceKlines|indexPriceKlines|premiumIndexKlines|BVOLIndex|EOHSummary"
)


@dataclass(frozen=True, slots=True)
class DumpFile:
    """One file of the dumps, as its name and its first row tell."""

    path: Path
    symbol: str
    kind: str
    columns: tuple[str, ...]
    has_header: bool
    is_spot: bool


def is_dump(path: Path) -> bool:
    """Whether a file is called as the dumps are."""
    return any(pattern.fullmatch(path.name) for pattern in (_NAME, _DEPTH_NAME)) or bool(_OTHERS.search(path.name))


def dump_streams(files: Sequence[Path], intake: Intake) -> list[Iterator[Events]]:
    """One stream for each symbol and kind; of events at one time trades come first, then books, quotes, candles."""
    groups: dict[tuple[int, str, str], list[DumpFile]] = {}
    for path in files:
        if path.name.endswith(".CHECKSUM"):
            continue  # read beside its file
        if verify_checksum(path):
            intake.checksums_verified += 1
        else:
            intake.checksums_missing += 1
        file = described(path)
        if intake.wants(file.symbol):
            order = ("trades", "aggTrades", "depth", "bookTicker", "candles").index(file.kind)
            groups.setdefault((order, file.symbol, file.kind), []).append(file)
    streams = []
    for (_, symbol, kind), parts in sorted(groups.items()):
        market = "spot" if parts[0].is_spot else "perpetual"
        found = intake.find(VENUE, symbol, kind=market, fee_bps=FEES_BPS[market])
        if kind == "depth":
            streams.append(
                depth_stream(
                    found, [DepthFile(part.path, None if part.has_header else part.columns) for part in parts], intake
                )
            )
        else:
            streams.append(_stream(found, sorted(parts, key=_first_ns), intake))
    return streams


def described(path: Path) -> DumpFile:
    """Symbol, kind, columns and market of a file."""
    other = _OTHERS.search(path.as_posix())
    if other is not None:
        raise MarketFileError(f"{path.name}: {other.group()} of Binance's dumps is not imported.", path=str(path))
    named, depth = _NAME.fullmatch(path.name), _DEPTH_NAME.fullmatch(path.name)
    if named is None and depth is None:
        raise MarketFileError(
            f"{path.name} is not called as Binance's dumps are: SYMBOL-KIND-YYYY-MM[-DD].zip with trades, aggTrades, "
            "bookTicker or an interval as kind, or SYMBOL_…_depth_snap.csv and SYMBOL_…_depth_update.csv."
        )
    if named is not None:
        symbol, word = named.group(1), named.group(2)
        kind = word if word in _LAYOUTS else "candles"
    else:
        symbol, kind = depth.group(1).upper() if depth else "", "depth"
    first = first_bytes(path).split(b"\n", 1)[0]
    has_header = not first[:1].isdigit()
    columns = _columns(path, kind, [name.lower() for name in header_names(first)], has_header=has_header)
    return DumpFile(path, symbol, kind, columns, has_header, _is_spot(path, kind, columns, has_header=has_header))


def _columns(path: Path, kind: str, first: Sequence[str], *, has_header: bool) -> tuple[str, ...]:
    """The layout that a file has: by the names in its first row, or by how many columns it has."""
    for layout in _LAYOUTS[kind]:
        if set(layout) <= set(first) if has_header else len(layout) == len(first):
            return tuple(first) if has_header else layout
    wanted = " or ".join(f"{', '.join(layout)} ({len(layout)})" for layout in _LAYOUTS[kind])
    found = ", ".join(first)[:200] if has_header else f"{len(first)} columns"
    raise MarketFileError(f"{path.name}:1: {found}; {kind} of Binance's dumps have {wanted}.", path=str(path))


def _is_spot(path: Path, kind: str, columns: Sequence[str], *, has_header: bool) -> bool:
    """By the folder that Binance keeps it in, else by what only one of the markets has."""
    folders = path.resolve().parts
    if "spot" in folders or "futures" in folders:
        return "futures" not in folders
    if kind in ("trades", "aggTrades"):
        return _SPOT_ONLY in columns
    return kind == "candles" and not has_header


def _first_ns(file: DumpFile) -> int:
    for table in _tables(file, Intake()):
        return int(epoch_ns(table.chosen(slice(0, 1)), _TIMES[file.kind], UNITS)[0])
    raise MarketFileError(f"{file.path.name} holds no row.", path=str(file.path))


def _tables(file: DumpFile, intake: Intake) -> Iterator[Table]:
    with opened(file.path) as content:
        yield from intake.pieces(content, None if file.has_header else file.columns)


def _stream(found: Found, files: Sequence[DumpFile], intake: Intake) -> Iterator[Events]:
    order = Order()
    readers = {"trades": _trades, "aggTrades": _aggregates, "candles": _candles, "bookTicker": _quotes}
    read = readers[files[0].kind]
    for file in files:
        for table in _tables(file, intake):
            yield read(found, table, order)
    intake.disordered += order.disordered


def _trades(found: Found, table: Table, order: Order) -> Events:
    return _traded(found, table, order, ("id", "qty", "time"))


def _aggregates(found: Found, table: Table, order: Order) -> Events:
    return _traded(found, table, order, ("agg_trade_id", "quantity", "transact_time"))


def _traded(found: Found, table: Table, order: Order, columns: tuple[str, str, str]) -> Events:
    number, size_column, time_column = columns
    venue_ns = epoch_ns(table, time_column, UNITS)
    price, size = table.prices("price"), table.sizes(size_column)
    found.note(table, ("price",), (size_column,))
    side = table.codes("is_buyer_maker", {"true": SELL, "false": BUY})
    clocks = venue_ns, order.forward(venue_ns, in_table(table, time_column))
    return rows.trades(found, clocks, price, size, side=side, trade_id=table.integers(number))


def _candles(found: Found, table: Table, order: Order) -> Events:
    start_ns, last_ns = epoch_ns(table, "open_time", UNITS), epoch_ns(table, "close_time", UNITS)
    unit_ns = NS_PER_US if np.any(last_ns % NS_PER_MS) else NS_PER_MS
    opening, high, low, closing = prices = [table.prices(column) for column in CANDLES[1:5]]
    volume = table.volumes("volume")
    found.note(table, CANDLES[1:5], ("volume",))
    rows.check_candles(table, prices)
    end_ns = order.forward(
        last_ns + unit_ns, in_table(table, "close_time")
    )  # it is the last instant within the interval
    return rows.candles(found, start_ns, end_ns, (opening, high, low, closing), volume)


def _quotes(found: Found, table: Table, order: Order) -> Events:
    bid = table.prices("best_bid_price"), table.sizes("best_bid_qty")
    ask = table.prices("best_ask_price"), table.sizes("best_ask_qty")
    found.note(table, ("best_bid_price", "best_ask_price"), ("best_bid_qty", "best_ask_qty"))
    venue_ns = epoch_ns(table, "transaction_time", UNITS)
    received_ns = np.maximum(epoch_ns(table, "event_time", UNITS), venue_ns)
    clocks = venue_ns, order.forward(received_ns, in_table(table, "event_time"))
    return rows.quotes(found, clocks, bid, ask, table.integers("update_id"))
