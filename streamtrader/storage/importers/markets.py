"""What an import finds besides events: the instruments, how fine their prices and sizes are, and what was left out.

A data set seldom carries a venue's filters. The finest decimal that is not zero, over the whole of it, is a tick that
every price in it fits; the venue's own may be finer, never coarser. It is coarser only where the engine could not count
the highest price in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from streamtrader.errors import MarketFileError
from streamtrader.events import BUY, SELL
from streamtrader.instruments import Instrument
from streamtrader.storage.importers.digits import Floats, Integers
from streamtrader.storage.importers.opening import Content
from streamtrader.storage.importers.table import PLACES_MOST, Table, tables
from streamtrader.units import STEPS_MOST, decimal_of_places

QUOTES = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USD", "EUR", "GBP", "JPY", "TRY", "BRL", "BTC", "ETH", "BNB")

SHOWN_MOST = 8  # symbols in a message


@dataclass(slots=True, eq=False)
class Found:
    """An instrument as far as it is known by now."""

    index: int
    venue: str
    symbol: str
    base: str
    quote: str
    kind: str = "spot"
    fee_bps: tuple[float, float] = (10.0, 10.0)  # maker, taker
    price_tick: Decimal | None = None  # where the data set states it
    size_lot: Decimal | None = None
    price_places: int = 0
    size_places: int = 0
    price_highest: float = 0.0
    size_highest: float = 0.0
    trade_count: int = 0
    last_price: float = 0.0
    last_side: int = BUY
    has_book: bool = False  # rows of a book came
    is_book_live: bool = False
    in_snapshot: bool = False  # the last row read was of one

    def note(self, table: Table, prices: tuple[str, ...], sizes: tuple[str, ...] = ()) -> None:
        """Take the finest places, and the largest values, of columns that were read."""
        for column in prices:
            self.note_prices(table.places(column), table.highest(column))
        for column in sizes:
            self.note_sizes(table.places(column), table.highest(column))

    def note_prices(self, places: int, highest: float) -> None:
        self.price_places, self.price_highest = max(self.price_places, places), max(self.price_highest, highest)

    def note_sizes(self, places: int, highest: float) -> None:
        self.size_places, self.size_highest = max(self.size_places, places), max(self.size_highest, highest)

    def next_ids(self, count: int) -> Integers:
        """Running trade ids, for data sets without any."""
        first = self.trade_count + 1
        self.trade_count += count
        return np.arange(first, first + count)

    def tick_rule(self, prices: Floats) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Aggressors where the data set names none: a buyer above the last different price, a seller below it.

        Lee and Ready, "Inferring trade direction from intraday data", 1991. It is an inference, not a record.
        """
        steps = np.diff(prices, prepend=self.last_price or prices[0])
        sides = np.where(steps > 0.0, BUY, SELL).astype(np.uint8)
        moved = np.where(steps != 0.0, np.arange(len(prices)), -1)
        at = np.maximum.accumulate(moved)
        sides = np.where(at >= 0, sides[at], self.last_side).astype(np.uint8)
        self.last_price, self.last_side = float(prices[-1]), int(sides[-1])
        return sides

    def as_instrument(self) -> Instrument:
        """Raises `MarketFileError` where the data set's own steps cannot count its prices or sizes."""
        instrument = Instrument(
            venue=self.venue,
            symbol=self.symbol,
            base=self.base,
            quote=self.quote,
            price_tick=self.price_tick or _step(self.price_places, self.price_highest),
            size_lot=self.size_lot or _step(self.size_places, self.size_highest),
            maker_fee_bps=self.fee_bps[0],
            taker_fee_bps=self.fee_bps[1],
            kind=self.kind,
        )
        most = instrument.most
        if self.price_highest > most.price or self.size_highest > most.size:
            raise MarketFileError(
                f"{self.symbol}: a price of {self.price_highest:g} or a size of {self.size_highest:g} is more than ticks of "
                f"{instrument.price_tick} and lots of {instrument.size_lot} can count: {most.price:g} and {most.size:g}."
            )
        return instrument


@dataclass(slots=True)
class Intake:
    """What is being imported: the wishes, and what was found so far. No `symbols`: all of them."""

    symbols: Collection[str] = ()
    adjust: str = "none"
    found: dict[tuple[str, str], Found] = field(default_factory=dict)
    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)  # rows by reason
    passed_over: Counter[str] = field(default_factory=Counter)  # symbols that nobody asked for
    disordered: int = 0
    snapshots: int = 0
    gaps: int = 0
    checksums_verified: int = 0
    checksums_missing: int = 0
    notes: dict[str, str] = field(default_factory=dict)  # for the tape's metadata: what was inferred
    bytes_read: dict[str, int] = field(default_factory=dict)

    def find(self, venue: str, symbol: str, *, kind: str = "spot", **more: Any) -> Found:
        """The instrument of that name, new or known."""
        known = self.found.get((venue, symbol))
        if known is None:
            base, quote = pair_of(symbol)
            more = {"base": base, "quote": quote} | more
            known = Found(index=len(self.found), venue=venue, symbol=symbol, kind=kind, **more)
            self.found[venue, symbol] = known
        return known

    def wants(self, symbol: str) -> bool:
        """Whether the user asked for that one, or for all."""
        is_wanted = not self.symbols or symbol.casefold() in {each.casefold() for each in self.symbols}
        if not is_wanted:
            self.passed_over[symbol] += 1
        return is_wanted

    def why_nothing(self) -> str:
        """Why not one event came of the files, as far as that is known."""
        if self.passed_over:
            there, more = list(self.passed_over)[:SHOWN_MOST], len(self.passed_over) - SHOWN_MOST
            others = f" and {more} more" if more > 0 else ""
            return f"nothing of {', '.join(self.symbols)} in the files; there is: {', '.join(there)}{others}."
        reasons = ", ".join(f"{count} rows: {reason}" for reason, count in self.left_out.items() if count)
        return f"not one usable event in the files ({reasons or f'{self.rows} rows'})."

    def named(self, otherwise: str) -> str:
        """The symbol of a file that does not tell it: the one that the user gave."""
        return next(iter(self.symbols)) if len(self.symbols) == 1 else otherwise

    def pieces(self, content: Content, columns: Sequence[str] | None = None, delimiter: str = ",") -> Iterator[Table]:
        """The rows of an open file, counted."""
        for table in tables(content, columns, delimiter):
            self.rows += len(table)
            self.bytes_read[content.path.name] = content.below.tell()
            yield table

    def instruments(self) -> tuple[Instrument, ...]:
        return tuple(found.as_instrument() for found in self.found.values())


def _step(places: int, highest: float) -> Decimal:
    """The step of so many decimals, or the finest in which the highest value can be counted."""
    places = min(places, PLACES_MOST)
    while places and highest * 10.0**places > STEPS_MOST:
        places -= 1
    return decimal_of_places(places)


def pair_of(symbol: str) -> tuple[str, str]:
    """Base and quote currency of a symbol, as far as its text tells them."""
    for mark in "-/_":
        base, found, quote = symbol.partition(mark)
        if found and quote.isalpha() and quote.upper() not in ("PERP", "PERPETUAL", "SWAP"):
            return base, quote
    for quote in QUOTES:
        if symbol.upper().endswith(quote) and len(symbol) > len(quote):
            return symbol[: -len(quote)], symbol[-len(quote) :]
    return symbol, ""
