"""Databento files (extra `databento`): orders, trades, best quotes, bars; definitions for the ticks of instruments.

    mbo                 BOOK and TRADE: orders added up to levels, an event of the venue is one message
    trades              TRADE
    mbp-1, tbbo         QUOTE and TRADE; bbo-1s, bbo-1m: QUOTE
    ohlcv-1s … ohlcv-1d CANDLE
    definition          ticks and currencies for the others

`ts_recv` is when Databento received a message, `ts_event` the venue's time. Files of one kind continue each other: the
orders that live at the end of one are there at the start of the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from streamtrader.errors import MarketFileError
from streamtrader.events import EVENT
from streamtrader.storage.importers import rows
from streamtrader.storage.importers.clocks import Order
from streamtrader.storage.importers.dbn_orders import OrderBooks
from streamtrader.storage.importers.dbn_records import (
    DEFINITION,
    INTERVALS_S,
    LAYOUTS,
    UNDEFINED_PRICE,
    DbnFile,
    Defined,
    Records,
    definitions,
    described,
    records,
)
from streamtrader.storage.importers.dbn_values import prices_of, times_of, trades_of
from streamtrader.storage.importers.markets import Found, Intake
from streamtrader.storage.importers.merging import in_order
from streamtrader.storage.importers.rows import Events
from streamtrader.units import NS_PER_S

DERIVATIVES = ("GLBX", "IFEU", "IFLL", "IFUS", "NDEX", "XEUR", "XEEE", "OPRA")
MBO, TRADES, BEST = 160, 0, (1, 195, 196)


def dbn_streams(files: Sequence[Path], intake: Intake) -> list[Iterator[Events]]:
    """One stream for each type of record."""
    groups: dict[int, list[DbnFile]] = {}
    defined: dict[str, Defined] = {}
    for path in files:
        file = described(path)
        if file.record_type == DEFINITION:
            defined |= definitions(path)
        elif file.record_type in LAYOUTS:
            groups.setdefault(file.record_type, []).append(file)
        else:
            name = file.schema or f"record type {file.record_type}"
            raise MarketFileError(f"{path.name}: {name} is not imported; {', '.join(_schemas())} are.")
    if not groups:
        raise MarketFileError("only definitions among the files: they hold no market.")
    return [
        _Reader(kind, defined, intake).events(sorted(parts, key=lambda file: file.start_ns))
        for kind, parts in sorted(groups.items())
    ]


def _schemas() -> tuple[str, ...]:
    return ("mbo", "trades", "mbp-1", "tbbo", "bbo-1s", "bbo-1m", "ohlcv-1s", "ohlcv-1m", "ohlcv-1h", "ohlcv-1d")


class _Reader:
    """Records of one type, through all their files."""

    def __init__(self, kind: int, defined: dict[str, Defined], intake: Intake) -> None:
        self.kind, self.intake, self._defined = kind, intake, defined
        self._found: dict[int, Found | None] = {}
        self._books = OrderBooks(intake)
        self._order = Order()

    def events(self, files: Sequence[DbnFile]) -> Iterator[Events]:
        for file in files:
            for batch in records(file, self.intake):
                yield from self._batch(batch, file)
        self._books.end()
        self.intake.disordered += self._order.disordered

    def _batch(self, batch: Records, file: DbnFile) -> Iterator[Events]:
        parts = []
        for instrument in np.unique(batch["instrument_id"]).tolist():
            found = self._instrument(instrument, file)
            if found is None:
                continue
            own = batch[batch["instrument_id"] == instrument]
            if self.kind == MBO:
                parts.append(self._books.take(found, own, file.path.name))
            elif self.kind == TRADES:
                parts.append(self._trades(found, own, file))
            elif self.kind in INTERVALS_S:
                parts.append(self._candles(found, own, file))
            else:
                parts.append(self._best(found, own, file))
        events = in_order(parts) if parts else np.zeros(0, EVENT)
        if len(events):
            events["received_ns"] = self._order.forward(
                events["received_ns"],
                lambda _row, why: MarketFileError(f"{file.path.name}: a record is {why}; give the files in order."),
            )
            yield events

    def _instrument(self, number: int, file: DbnFile) -> Found | None:
        if number not in self._found:
            symbol = file.symbols.get(number, str(number))
            found = None
            if self.intake.wants(symbol):
                defined = self._defined.get(symbol)
                is_stock = defined.is_stock if defined else not file.dataset.startswith(DERIVATIVES)
                more: dict[str, Any] = {"base": symbol, "quote": "USD"}
                if defined is not None:
                    more = {"base": defined.base, "quote": defined.quote or "USD", "price_tick": defined.tick}
                kind = "spot" if is_stock else "future"
                found = self.intake.find(file.dataset.lower(), symbol, kind=kind, **more)
            self._found[number] = found
        return self._found[number]

    def _trades(self, found: Found, own: Records, file: DbnFile) -> Events:
        price = prices_of(found, own["price"], file.path.name)
        return trades_of(found, own, price, self.intake)

    def _best(self, found: Found, own: Records, file: DbnFile) -> Events:
        name = file.path.name
        sides = []
        for side in ("bid", "ask"):
            raw, size = own[f"{side}_px_00"], own[f"{side}_sz_00"].astype(np.float64)
            has_side = (raw != UNDEFINED_PRICE) & (size > 0)
            price = np.zeros(len(own))
            price[has_side] = prices_of(found, raw[has_side], name)
            sides.append((price, np.where(has_side, size, 0.0)))
        clocks = times_of(own)
        quotes = rows.quotes(found, clocks, sides[0], sides[1], own["sequence"])
        if "action" not in (own.dtype.names or ()):
            return quotes
        is_trade = own["action"] == b"T"
        if not is_trade.any():
            return quotes
        traded = own[is_trade]
        trades = trades_of(found, traded, prices_of(found, traded["price"], name), self.intake)
        return in_order([trades, quotes])

    def _candles(self, found: Found, own: Records, file: DbnFile) -> Events:
        start_ns = own["ts_event"].astype(np.int64)
        columns = [prices_of(found, own[name], file.path.name) for name in ("open", "high", "low", "close")]
        end_ns = start_ns + INTERVALS_S[self.kind] * NS_PER_S
        opening, high, low, closing = columns
        volume = own["volume"].astype(np.float64)
        return rows.candles(found, start_ns, end_ns, (opening, high, low, closing), volume)
