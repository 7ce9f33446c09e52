"""A tape as a market: its events written out again as the venue's frames.

A tape keeps what was decoded, not the text, so the frames are not the recorded bytes; decoded again they give the
same events. Snapshots on the tape answer snapshot requests. Where the recorded book lost its sequence, an empty
depth message with a hole in its ids makes the client lose it too, at the same place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from streamtrader.errors import MarketFileError, StorageError
from streamtrader.events import BID, BUY, MORE, BookState, Kind
from streamtrader.exchange.frames import combined, levels_text
from streamtrader.exchange.market import SNAPSHOT, Channel, Frame, MarketKind, channel_of
from streamtrader.exchange.rules import padded
from streamtrader.instruments import Instrument
from streamtrader.storage.tape import Tape
from streamtrader.units import NS_PER_MS, decimal_price, decimal_size, lots_of, ticks_of

_TEXTS_KEPT = 1 << 17
_COLUMNS = ("kind", "instrument", "side", "flags", "venue_ns", "received_ns", "a", "b", "c", "d", "id")


class Row(NamedTuple):
    """One event as plain Python values."""

    kind: int
    instrument: int
    side: int
    flags: int
    venue_ns: int
    received_ns: int
    a: float
    b: float
    c: float
    d: float
    id: int


class TapeMarket:
    """The frames of one tape."""

    seed: int | None = None
    skipped_lines = 0

    def __init__(self, name: str) -> None:
        path = Path(name).expanduser()
        if not path.is_file():
            raise MarketFileError(f"market file {path} does not exist; give a raw capture or a tape", path=str(path))
        try:
            self._tape = Tape.open(path)
        except StorageError as error:
            raise MarketFileError(f"{path} cannot be played: {error}", path=str(path)) from error
        kinds = {instrument.kind for instrument in self._tape.instruments}
        if len(kinds) != 1:
            raise MarketFileError(f"{path} must hold instruments of one kind, it has {sorted(kinds) or 'none'}")
        self.name = path.name
        self.kind: MarketKind = "spot" if kinds == {"spot"} else "usdm"
        self.instruments: Mapping[str, Instrument] = {each.symbol: each for each in self._tape.instruments}
        self._snapshots, self.frames_total = self._counted()
        self.start_ns = self._tape.first_received_ns

    def _counted(self) -> tuple[dict[str, int], int | None]:
        """The stamp of each symbol's last snapshot. How many frames follow from the events shows on the way."""
        last: dict[str, int] = {}
        for events in self._tape.events():
            for event in events[events["kind"] == Kind.BOOK_CLEAR]:
                last[self._tape.instruments[int(event["instrument"])].symbol] = int(event["received_ns"])
        return last, None

    def opening_book(self, symbol: str) -> bytes | None:
        return None

    def has_snapshot_after(self, symbol: str, stamp_ns: int) -> bool:
        return self._snapshots.get(symbol, 0) > stamp_ns

    def frames(self) -> Iterator[list[Frame]]:
        writers = [_SymbolWriter(instrument, self.kind) for instrument in self._tape.instruments]
        stamp_ns = 0
        for events in self._tape.events():
            batch = []
            for rows in _groups(events):
                for channel, text in writers[rows[0].instrument].write(rows):
                    stamp_ns = max(rows[0].received_ns, stamp_ns + 1)
                    batch.append(Frame(stamp_ns, channel, text))
            yield batch


def _groups(events: np.ndarray[Any, np.dtype[Any]]) -> Iterator[list[Row]]:
    """Rows that make one frame: a snapshot with its levels, the levels of one update, or a lone event."""
    group: list[Row] = []
    for row in map(Row._make, zip(*(events[name].tolist() for name in _COLUMNS), strict=True)):
        if group and not (
            row.kind == Kind.BOOK
            and group[-1].kind in (Kind.BOOK, Kind.BOOK_CLEAR)
            and group[-1].flags & MORE
            and (row.instrument, row.id) == (group[-1].instrument, group[-1].id)
        ):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


class _StepTexts(dict[int, str]):
    """Exact texts of prices or sizes by number of steps; bounded."""

    def __init__(self, instrument: Instrument, kind: MarketKind, *, is_price: bool) -> None:
        self._instrument, self._kind, self._is_price = instrument, kind, is_price

    def __missing__(self, steps: int) -> str:
        if len(self) >= _TEXTS_KEPT:
            self.clear()
        number = (decimal_price if self._is_price else decimal_size)(steps, self._instrument)
        text = self[steps] = padded(number, self._kind)
        return text


class _SymbolWriter:
    """Writes one symbol's rows in the venue's words."""

    def __init__(self, instrument: Instrument, kind: MarketKind) -> None:
        self._kind = kind
        self._symbol = instrument.symbol
        self._ticks_per_unit, self._lots_per_unit = instrument.ticks_per_unit, instrument.lots_per_unit
        self._prices = _StepTexts(instrument, kind, is_price=True)
        self._sizes = _StepTexts(instrument, kind, is_price=False)
        self._last_id: int | None = None
        name = instrument.symbol.lower()
        self._trade, self._quote, self._depth, self._snapshot = (
            channel_of(f"{name}@{feed}") for feed in ("trade", "bookTicker", "depth@100ms", SNAPSHOT)
        )

    def write(self, rows: list[Row]) -> Iterator[tuple[Channel, bytes]]:
        """The frame of a group of rows, or none where the wire has no word for it."""
        first = rows[0]
        match first.kind:
            case Kind.TRADE:
                yield self._trade, combined(self._trade.stream, self._trade_text(first))
            case Kind.QUOTE:
                yield self._quote, combined(self._quote.stream, self._quote_text(first))
            case Kind.BOOK_CLEAR:
                yield self._snapshot, self._snapshot_text(rows)
            case Kind.BOOK:
                yield self._depth, combined(self._depth.stream, self._depth_text(rows, first.id))
            case Kind.LINK if first.a == BookState.GAP and self._last_id is not None:
                self._last_id += 1
                yield self._depth, combined(self._depth.stream, self._depth_text(rows[:0], self._last_id + 1))
            case _:
                pass  # candles, timers, other states: a venue does not send them

    def _price(self, price: float) -> str:
        return self._prices[ticks_of(price, self._ticks_per_unit)]

    def _size(self, size: float) -> str:
        return self._sizes[lots_of(size, self._lots_per_unit)]

    def _trade_text(self, row: Row) -> str:
        at_ms, is_maker_buyer = row.venue_ns // NS_PER_MS, "false" if row.side == BUY else "true"
        price, size = self._price(row.a), self._size(row.b)
        if self._kind == "spot":
            head = f'"E":{at_ms},"s":"{self._symbol}","t":{row.id},"p":"{price}","q":"{size}","T":{at_ms}'
            is_priced = "false" if row.c else "true"  # "M" means nothing to Binance's clients
            return f'{{"e":"trade",{head},"m":{is_maker_buyer},"M":{is_priced}}}'
        head = f'"E":{at_ms},"T":{at_ms},"s":"{self._symbol}","t":{row.id},"p":"{price}","q":"{size}"'
        return f'{{"e":"trade",{head},"X":"MARKET","m":{is_maker_buyer}}}'

    def _quote_text(self, row: Row) -> str:
        best = (
            f'"u":{row.id},"s":"{self._symbol}","b":"{self._price(row.a)}","B":"{self._size(row.b)}",'
            f'"a":"{self._price(row.c)}","A":"{self._size(row.d)}"'
        )
        if self._kind == "spot":
            return f"{{{best}}}"
        at_ms = row.venue_ns // NS_PER_MS
        return f'{{"e":"bookTicker",{best},"T":{at_ms},"E":{at_ms}}}'

    def _sides(self, rows: list[Row]) -> tuple[str, str]:
        bids: list[tuple[str, str]] = []
        asks: list[tuple[str, str]] = []
        for row in rows:
            (bids if row.side == BID else asks).append((self._price(row.a), self._size(row.b)))
        return levels_text(bids), levels_text(asks)

    def _depth_text(self, rows: list[Row], update_id: int) -> str:
        before = update_id - 1 if self._last_id is None else self._last_id
        self._last_id = last_id = max(update_id, before + 1)
        at_ms = rows[0].venue_ns // NS_PER_MS if rows else 0
        bids, asks = self._sides(rows)
        times, previous = (
            (f'"E":{at_ms}', "") if self._kind == "spot" else (f'"E":{at_ms},"T":{at_ms}', f'"pu":{before},')
        )
        return (
            f'{{"e":"depthUpdate",{times},"s":"{self._symbol}","U":{before + 1},"u":{last_id},{previous}'
            f'"b":{bids},"a":{asks}}}'
        )

    def _snapshot_text(self, rows: list[Row]) -> bytes:
        self._last_id = max(rows[0].id, self._last_id or 0)
        bids, asks = self._sides(rows[1:])
        at_ms = rows[0].venue_ns // NS_PER_MS
        times = "" if self._kind == "spot" else f'"E":{at_ms},"T":{at_ms},'
        return f'{{"lastUpdateId":{self._last_id},{times}"bids":{bids},"asks":{asks}}}'.encode()
