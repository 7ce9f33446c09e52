"""A tape as tables with named columns, which `plain_csv` reads back: one file for each kind of event.

Numbers are the shortest text that reads back as the same double. Levels keep which of them were of a snapshot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from streamtrader.events import BID, BUY, Kind
from streamtrader.instruments import names_of
from streamtrader.storage.importers.digits import Flags
from streamtrader.storage.importers.messages import in_snapshot
from streamtrader.storage.importers.rows import Events
from streamtrader.storage.tape import Tape

SHARED = ("venue_ns", "received_ns", "symbol")
COLUMNS = {
    Kind.TRADE: ("trades", ("id", "side", "price", "size")),
    Kind.QUOTE: ("quotes", ("id", "bid", "bid_size", "ask", "ask_size")),
    Kind.BOOK: ("levels", ("id", "is_snapshot", "side", "price", "size")),
    Kind.CANDLE: ("candles", ("open", "high", "low", "close", "volume")),
}


def export_csv(tape: Tape, out: Path, instruments: Sequence[int]) -> tuple[list[Path], dict[str, int], Counter[str]]:
    """Write the tables of some instruments: `out` itself for one kind of event, else `out` with its kind in the name.

    Returns the files, how many events of each kind they hold, and what was left out, by kind.
    """
    counts = np.zeros(256, np.int64)
    for events in tape.events():
        counts += np.bincount(events["kind"][np.isin(events["instrument"], instruments)], minlength=256)
    kinds = [kind for kind in COLUMNS if counts[kind]]
    marks = {Kind.BOOK_CLEAR, Kind.LINK}  # told by `is_snapshot`
    left_out = Counter(
        {kind.name.lower(): int(counts[kind]) for kind in Kind if counts[kind] and kind not in {*COLUMNS, *marks}}
    )
    paths = [out if len(kinds) == 1 else out.with_suffix(f".{COLUMNS[kind][0]}{out.suffix}") for kind in kinds]
    names = names_of([tape.instruments[index] for index in instruments])
    symbols = dict(zip(instruments, names, strict=True))
    for kind, path in zip(kinds, paths, strict=True):
        with path.open("x", encoding="utf-8", newline="\n") as file:
            _write(file, kind, tape.events(), instruments, symbols)
    return paths, {COLUMNS[kind][0]: int(counts[kind]) for kind in kinds}, left_out


def _write(
    file: TextIO, kind: Kind, batches: Iterable[Events], instruments: Sequence[int], symbols: Mapping[int, str]
) -> None:
    file.write(",".join((*SHARED, *COLUMNS[kind][1])) + "\n")
    for events in batches:
        own = events[np.isin(events["instrument"], instruments)]
        is_kind = own["kind"] == kind
        if not is_kind.any():
            continue
        is_snapshot = in_snapshot(own)[is_kind] if kind == Kind.BOOK else np.zeros(0, bool)
        own = own[is_kind]
        columns = [own["venue_ns"].tolist(), own["received_ns"].tolist(), map(symbols.__getitem__, own["instrument"].tolist())]
        columns += _WORDS[kind](own, is_snapshot)
        rows = zip(*(map(str, column) for column in columns), strict=True)
        file.write("\n".join(map(",".join, rows)) + "\n")


def _trade_words(own: Events, _: Flags) -> list[Iterable[object]]:
    side = np.where(own["side"] == BUY, "buy", "sell")
    return [own["id"].tolist(), side.tolist(), own["a"].tolist(), own["b"].tolist()]


def _quote_words(own: Events, _: Flags) -> list[Iterable[object]]:
    return [own["id"].tolist(), *(own[word].tolist() for word in "abcd")]


def _level_words(own: Events, is_snapshot: Flags) -> list[Iterable[object]]:
    side = np.where(own["side"] == BID, "bid", "ask")
    told = np.where(is_snapshot, "true", "false")
    return [own["id"].tolist(), told.tolist(), side.tolist(), own["a"].tolist(), own["b"].tolist()]


def _candle_words(own: Events, _: Flags) -> list[Iterable[object]]:
    return [*(own[word].tolist() for word in "abcd"), own["id"].view(np.float64).tolist()]


_WORDS: dict[Kind, Callable[[Events, Flags], list[Iterable[object]]]] = {
    Kind.TRADE: _trade_words,
    Kind.QUOTE: _quote_words,
    Kind.BOOK: _level_words,
    Kind.CANDLE: _candle_words,
}
