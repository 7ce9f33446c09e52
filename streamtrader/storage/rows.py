"""From what the engine said to what the database keeps: outbox rows become rows of tables, in exact decimals.

Pure: no file, no clock. The floats of a row (its fee) are not used; money is computed from ticks, lots and the fee
in basis points. Rows that are stored already are passed over, so the engine may say them again after a crash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from typing import Any

import numpy as np

from streamtrader.errors import StorageError
from streamtrader.events import SELL
from streamtrader.instruments import Instrument
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import IMMEDIATE, POST_ONLY, TAKER, OutboxKind
from streamtrader.storage.schema import OUTBOX
from streamtrader.units import decimal_price, decimal_size, decimal_text

Row = tuple[str, tuple[Any, ...]]
EXACT = Context(prec=120, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
AVERAGE = Context(prec=28)  # a quotient need not end; the exact notional stands beside it
_REFUSALS = {int(refusal): refusal.name for refusal in Refusal}
_ENDS = {OutboxKind.REFUSED: "refused", OutboxKind.CANCELLED: "cancelled", OutboxKind.REJECTED: "rejected"}


@dataclass(frozen=True, slots=True)
class SeatTerms:
    """What the rows of a seat need: its instrument, its fees, and the names of rules that have no code of ours."""

    strategy: str
    instrument: int
    maker_fee_bps: float
    taker_fee_bps: float
    cash: Decimal = Decimal(0)
    rule_names: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Units:
    """What one tick times one lot is, and costs, in quote currency: exact, and computed once a seat."""

    notional: Decimal
    maker_fee: Decimal
    taker_fee: Decimal

    @classmethod
    def of(cls, terms: SeatTerms, instrument: Instrument) -> Units:
        notional = EXACT.multiply(instrument.price_tick, instrument.size_lot)
        rates = [EXACT.scaleb(Decimal(repr(float(bps))), -4) for bps in (terms.maker_fee_bps, terms.taker_fee_bps)]
        return cls(notional, *(EXACT.multiply(notional, rate) for rate in rates))


@dataclass(slots=True)
class OpenOrder:
    """An order that is not done, with its sums so far; `ticks_lots` is the sum of ticks times lots of its fills."""

    seat: int
    order_id: int
    side: str
    ticks: int
    lots: int
    asked_ns: int
    status: str = "intent"
    reason: str | None = None
    filled_lots: int = 0
    ticks_lots: int = 0
    fees: Decimal = Decimal(0)
    changed_ns: int = 0
    last_sequence: int = -1


def side_name(side: int) -> str:
    return "sell" if side == SELL else "buy"


def static_rows(instruments: Sequence[Instrument], seats: Sequence[SeatTerms]) -> list[Row]:
    """The tables that do not change during a run."""
    rows: list[Row] = []
    for index, one in enumerate(instruments):
        steps = (decimal_text(one.price_tick), decimal_text(one.size_lot), decimal_text(one.minimum_notional))
        rows.append(("instruments", (index, one.venue, one.symbol, one.base, one.quote, one.kind, *steps)))
    for index, seat in enumerate(seats):
        fees = (repr(seat.maker_fee_bps), repr(seat.taker_fee_bps))
        rows.append(("seats", (index, seat.strategy, seat.instrument, *fees, decimal_text(seat.cash))))
    return rows


class Journal:
    """Turns drained outbox rows into database rows; remembers open orders only, so it does not grow.

    `last_sequence` and `open_orders` come from the database of a run that goes on (`Database.last_sequence`,
    `Database.open_orders`).
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        seats: Sequence[SeatTerms],
        *,
        last_sequence: int = -1,
        open_orders: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        self.instruments = instruments
        self.seats = seats
        self.last_sequence = last_sequence
        self.open: dict[tuple[int, int], OpenOrder] = {}
        self._units = [Units.of(terms, instruments[terms.instrument]) for terms in seats]
        for values in open_orders:
            order = self._restored(values)
            self.open[order.seat, order.order_id] = order

    def rows(self, outbox: np.ndarray[Any, Any]) -> list[Row]:
        """The database rows of these outbox rows, to be written in one transaction."""
        rows: list[Row] = []
        changed: dict[tuple[int, int], OpenOrder] = {}
        before = self.last_sequence
        for values in outbox.tolist():
            sequence = values[0]
            if sequence <= self.last_sequence:
                continue
            row = self._history(values)
            if row is not None:
                rows.append(row)
            order = self._followed(values)
            if order is not None:
                changed[order.seat, order.order_id] = order
            self.last_sequence = sequence
        rows.extend(self._order_row(order) for order in changed.values())
        if self.last_sequence > before:
            rows.append(("progress", (OUTBOX, self.last_sequence)))
        return rows

    def _history(self, values: tuple[Any, ...]) -> Row | None:
        sequence, at_ns, order_id, ticks, lots, remaining, _, seat, kind, side, code = values
        instrument = self.instruments[self.seats[seat].instrument]
        size = decimal_text(decimal_size(lots, instrument))
        limit = (decimal_text(decimal_price(ticks, instrument)), ticks) if ticks > 0 else (None, None)
        head = (sequence, at_ns, seat)
        match OutboxKind(kind):
            case OutboxKind.INTENT:
                bits = (int(bool(code & POST_ONLY)), int(bool(code & IMMEDIATE)))
                type_name = "limit" if ticks > 0 else "market"
                return "intents", (*head, order_id, side_name(side), type_name, *limit, size, lots, *bits)
            case OutboxKind.REFUSED | OutboxKind.REJECTED:
                rule = self.rule_name(seat, code)
                return "refusals", (*head, order_id, side_name(side), *limit, size, lots, code, rule)
            case OutboxKind.FILLED:
                price = decimal_text(decimal_price(ticks, instrument))
                fee = decimal_text(self.fee_of(seat, ticks, lots, code))
                liquidity = "taker" if code == TAKER else "maker"
                sizes = (price, ticks, size, lots, remaining, fee, liquidity)
                return "fills", (*head, order_id, side_name(side), *sizes)
            case OutboxKind.HALTED | OutboxKind.FAILED:
                return "halts", (*head, code, self.rule_name(seat, code))
            case OutboxKind.SENT | OutboxKind.ACCEPTED | OutboxKind.CANCELLED:
                return None  # only the order changes

    def rule_name(self, seat: int, code: int) -> str:
        """The name of what refused: the rule's own where it has one, else that of the code."""
        named = self.seats[seat].rule_names.get(code)
        if named is not None:
            return named
        return _REFUSALS.get(code, f"USER_{code}")

    def fee_of(self, seat: int, ticks: int, lots: int, code: int) -> Decimal:
        """The exact fee: price times size times basis points."""
        units = self._units[seat]
        return EXACT.multiply(Decimal(ticks * lots), units.taker_fee if code == TAKER else units.maker_fee)

    def _notional(self, seat: int, ticks_lots: int) -> Decimal:
        return EXACT.multiply(Decimal(ticks_lots), self._units[seat].notional)

    def _followed(self, values: tuple[Any, ...]) -> OpenOrder | None:
        """Take a step of an order's life; the order as it is then."""
        sequence, at_ns, order_id, ticks, lots, remaining, _, seat, kind, side, code = values
        if order_id == 0 or kind in (OutboxKind.HALTED, OutboxKind.FAILED):
            return None
        key = (seat, order_id)
        if kind == OutboxKind.INTENT:
            self.open[key] = OpenOrder(seat, order_id, side_name(side), ticks, lots, at_ns)
        order = self.open.get(key)
        if order is None:
            raise StorageError(
                f"outbox row {sequence}: order {order_id} of seat {seat} was never asked for, or is done already"
            )
        order.last_sequence, order.changed_ns = sequence, at_ns
        if kind == OutboxKind.FILLED:
            order.filled_lots += lots
            order.ticks_lots += ticks * lots
            order.fees = EXACT.add(order.fees, self.fee_of(seat, ticks, lots, code))
            order.status = "filled" if remaining == 0 else "partly_filled"
        elif kind in _ENDS:
            order.status = _ENDS[OutboxKind(kind)]
            order.reason = self.rule_name(seat, code) if code else None
        elif kind == OutboxKind.ACCEPTED and order.filled_lots == 0:  # a fill may overtake the acknowledgement
            order.status = "accepted"
        elif kind == OutboxKind.SENT:
            order.status = "sent"
        if order.status == "filled" or kind in _ENDS:
            del self.open[key]
        return order

    def _order_row(self, order: OpenOrder) -> Row:
        instrument = self.instruments[self.seats[order.seat].instrument]
        limit = (
            (decimal_text(decimal_price(order.ticks, instrument)), order.ticks) if order.ticks > 0 else (None, None)
        )
        filled = decimal_size(order.filled_lots, instrument)
        notional = self._notional(order.seat, order.ticks_lots)
        average = decimal_text(AVERAGE.divide(notional, filled)) if order.filled_lots else None
        return "orders", (
            order.seat, order.order_id, order.side, "limit" if order.ticks > 0 else "market", *limit,
            decimal_text(decimal_size(order.lots, instrument)), order.lots, order.status, order.reason,
            decimal_text(filled), order.filled_lots, decimal_text(notional), average, decimal_text(order.fees),
            order.asked_ns, order.changed_ns, order.last_sequence,
        )  # fmt: skip

    def _restored(self, values: Mapping[str, Any]) -> OpenOrder:
        seat = int(values["seat"])
        return OpenOrder(
            seat=seat,
            order_id=int(values["order_id"]),
            side=str(values["side"]),
            ticks=int(values["price_ticks"] or 0),
            lots=int(values["size_lots"]),
            asked_ns=int(values["asked_ns"]),
            status=str(values["status"]),
            reason=values["reason"],
            filled_lots=int(values["filled_lots"]),
            ticks_lots=int(EXACT.divide(Decimal(values["notional"]), self._units[seat].notional)),
            fees=Decimal(values["fees"]),
            changed_ns=int(values["changed_ns"]),
            last_sequence=int(values["last_sequence"]),
        )
