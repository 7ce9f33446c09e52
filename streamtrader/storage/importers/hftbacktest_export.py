"""A tape as hftbacktest's npz, one instrument a file.

Their exchange sees a row at the venue's time, their strategy at the local one; each must run forward. Where a venue's
clock went back, a row is given twice: once for each of the two, at its place. They know no negative latency either:
where the venue's clock was ahead of ours, all local times are moved by as much as it takes, and how much is told.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from streamtrader.errors import MarketFileError
from streamtrader.events import BUY, Kind
from streamtrader.storage.importers.digits import Integers
from streamtrader.storage.importers.hftbacktest import (
    BEST,
    CLEAR,
    DEPTH,
    IS_BUY,
    IS_SELL,
    ROW,
    SEEN_BY_EXCHANGE,
    SEEN_LOCALLY,
    SNAPSHOT,
    TRADE,
)
from streamtrader.storage.importers.messages import in_snapshot
from streamtrader.storage.importers.rows import Events
from streamtrader.storage.tape import Tape

COMPRESSION = 1  # a higher one takes several times as long for a few per cent
Rows = np.ndarray[Any, np.dtype[Any]]


@dataclass(slots=True)
class Exported:
    """What was written; `left_out` counts events by kind that the format has no row for."""

    rows: int = 0
    events: dict[str, int] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    moved_local_ns: int = 0  # added to every local time
    split_rows: int = 0  # given twice, as the venue's clock went back


def hftbacktest_rows(tape: Tape, instrument: int) -> tuple[Rows, Exported]:
    """All rows of one instrument."""
    exported = Exported()
    has_book = any(np.any(_own(events, instrument)["kind"] == Kind.BOOK) for events in tape.events())
    parts = [
        part for events in tape.events() for part in _rows(_own(events, instrument), exported, has_book=has_book)
    ]
    if not parts:
        raise MarketFileError(f"{tape.path} has no trade, quote or book of that instrument.")
    data = np.concatenate(parts)
    exported.moved_local_ns = max(0, -int((data["local_ts"] - data["exch_ts"]).min()))
    data["local_ts"] += exported.moved_local_ns
    data = _in_both_orders(data)
    exported.split_rows = len(data) - sum(map(len, parts))
    exported.rows = len(data)
    return data, exported


def write_npz(path: Path, data: Rows) -> None:
    """The file that `BacktestAsset.data` takes."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION) as archive,
        archive.open("data.npy", "w", force_zip64=True) as member,
    ):
        np.lib.format.write_array(member, data, allow_pickle=False)


def _own(events: Events, instrument: int) -> Events:
    own: Events = events[events["instrument"] == instrument]
    return own


def _rows(own: Events, exported: Exported, *, has_book: bool) -> Iterator[Rows]:
    kinds = own["kind"]
    is_book, is_trade = kinds == Kind.BOOK, kinds == Kind.TRADE
    is_clear = kinds == Kind.BOOK_CLEAR
    is_quote = (kinds == Kind.QUOTE) & (not has_book)
    is_told = is_book | is_trade | is_clear | is_quote
    for kind in np.unique(kinds[~is_told]).tolist():
        exported.left_out[Kind(kind).name.lower()] += int(np.count_nonzero(kinds == kind))
    for kind in np.unique(kinds[is_told]).tolist():
        name = Kind(kind).name.lower()
        exported.events[name] = exported.events.get(name, 0) + int(np.count_nonzero(kinds == kind))
    if not is_told.any():
        return
    code = np.select([is_trade, is_clear, is_book & in_snapshot(own)], [TRADE, CLEAR, SNAPSHOT], DEPTH)
    side = np.where(own["side"] == BUY, IS_BUY, IS_SELL)
    rows = _plain(own, code | np.where(is_clear, 0, side))
    rows["px"], rows["qty"] = own["a"], own["b"]
    rows["px"][is_clear] = rows["qty"][is_clear] = 0.0
    order = np.flatnonzero(is_told)
    if is_quote.any():
        rows["ev"][is_quote] = BEST | IS_BUY
        asks = _plain(own[is_quote], BEST | IS_SELL)
        asks["px"], asks["qty"] = own["c"][is_quote], own["d"][is_quote]
        rows = np.concatenate((rows, asks))
        order = np.concatenate((order, np.arange(len(own), len(rows))))
        at = np.concatenate((np.flatnonzero(is_told), np.flatnonzero(is_quote)))
        order = order[np.argsort(at, kind="stable")]
    told = rows[order]
    yield told[(told["px"] > 0.0) | (told["ev"] & 0xFF == CLEAR)]  # a side of a quote that is empty has no row


def _plain(own: Events, code: Any) -> Rows:
    rows = np.zeros(len(own), ROW)
    rows["ev"] = code
    rows["local_ts"] = own["received_ns"]
    rows["exch_ts"] = np.where(own["venue_ns"] > 0, own["venue_ns"], own["received_ns"])
    rows["ival"] = own["id"]
    return rows


def _in_both_orders(data: Rows) -> Rows:
    """Mark who sees each row; those whose venue time went back are taken apart."""
    exchange_ns: Integers = data["exch_ts"]
    is_late = exchange_ns < np.maximum.accumulate(exchange_ns)
    data["ev"] |= SEEN_LOCALLY
    data["ev"][~is_late] |= SEEN_BY_EXCHANGE
    if not is_late.any():
        return data
    late = data[is_late]
    late["ev"] = (late["ev"] & ~np.uint64(SEEN_LOCALLY)) | np.uint64(SEEN_BY_EXCHANGE)
    late = late[np.argsort(late["exch_ts"], kind="stable")]
    regular = np.flatnonzero(~is_late)
    places = np.searchsorted(exchange_ns[regular], late["exch_ts"], side="right")
    return np.insert(data, np.append(regular, len(data))[places], late)
