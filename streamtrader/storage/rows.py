"""From what the engine said to what the database keeps: outbox rows become rows of tables, in exact decimals.

Pure: no file, no clock. Money is computed from ticks, lots and rates (`exact`). Rows that are stored already are
passed over, so the engine may say them again after a crash.

What an ARMED row carries in `ticks` is the price that its order waits for, here or, where a SENT row follows, at the
venue; a TRIGGERED row carries the price that came, which a trailing one had followed to there. An AMENDED row carries the order's new limit and its new whole size, and so does a SENT row that says what is open of it:
protecting orders get their size from what they protect. A refusal ends an order that was not sent yet; of one that was,
it refuses a change, and the order stands as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any

import numpy as np

from streamtrader.errors import StorageError
from streamtrader.events import SELL
from streamtrader.instruments import Instrument
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import FEE_IN_ASSET, FORCED, IMMEDIATE, POST_ONLY, TAKER, Charge, OutboxKind
from streamtrader.storage.exact import EXACT, Units, decimal_of
from streamtrader.storage.schema import OUTBOX
from streamtrader.units import decimal_price, decimal_size, decimal_text

Row = tuple[str, tuple[Any, ...]]
AVERAGE = Context(prec=28)  # a quotient need not end; the exact notional stands beside it
_REFUSALS = {int(refusal): refusal.name for refusal in Refusal}
_ENDS = {OutboxKind.REFUSED: "refused", OutboxKind.CANCELLED: "cancelled", OutboxKind.REJECTED: "rejected"}
_CHANGES = {OutboxKind.ARMED: "armed", OutboxKind.TRIGGERED: "triggered", OutboxKind.AMENDED: "amended"}
_UNSENT = ("intent", "armed")
_OF_NO_ORDER = (OutboxKind.HALTED, OutboxKind.FAILED, OutboxKind.CHARGED)


@dataclass(frozen=True, slots=True)
class SeatTerms:
    """What the rows of a seat need: its instrument, its fees, and the names of rules that have no code of ours.

    `fee_asset` is what fees are paid in where a fill says that they are not in quote currency.
    """

    strategy: str
    instrument: int
    maker_fee_bps: float
    taker_fee_bps: float
    cash: Decimal = Decimal(0)
    rule_names: Mapping[int, str] = field(default_factory=dict)
    fee_asset: str = ""


@dataclass(slots=True)
class OpenOrder:
    """An order that is not done, with its sums so far; `ticks_lots` is the sum of ticks times lots of its fills.

    `fees` are those in quote currency, `asset_fees` those in the seat's fee asset.
    """

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
    asset_fees: Decimal = Decimal(0)
    trigger_ticks: int = 0


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
        money = (decimal_text(seat.cash), seat.fee_asset)
        rows.append(("seats", (index, seat.strategy, seat.instrument, *fees, *money)))
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
        self._units = [
            Units.of(instruments[terms.instrument], terms.maker_fee_bps, terms.taker_fee_bps) for terms in seats
        ]
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
        size = decimal_text(decimal_size(lots, self.instruments[self.seats[seat].instrument]))
        limit = self._limit(seat, ticks)
        head = (sequence, at_ns, seat)
        match OutboxKind(kind):
            case OutboxKind.INTENT:
                bits = (int(bool(code & POST_ONLY)), int(bool(code & IMMEDIATE)), code)
                type_name = "limit" if ticks > 0 else "market"
                return "intents", (*head, order_id, side_name(side), type_name, *limit, size, lots, *bits)
            case OutboxKind.REFUSED | OutboxKind.REJECTED:
                rule = self.rule_name(seat, code)
                return "refusals", (*head, order_id, side_name(side), *limit, size, lots, code, rule)
            case OutboxKind.FILLED | OutboxKind.CHARGED:
                return self._money(values, size)
            case OutboxKind.ARMED | OutboxKind.TRIGGERED | OutboxKind.AMENDED:
                change = _CHANGES[OutboxKind(kind)]
                return "order_changes", (*head, order_id, change, *limit, size, lots, remaining)
            case OutboxKind.HALTED | OutboxKind.FAILED:
                return "halts", (*head, code, self.rule_name(seat, code))
            case OutboxKind.SENT | OutboxKind.ACCEPTED | OutboxKind.CANCELLED:
                return None  # only the order changes

    def _money(self, values: tuple[Any, ...], size: str) -> Row:
        """What moves money: a fill or a charge."""
        sequence, at_ns, order_id, ticks, lots, remaining, said, seat, kind, side, code = values
        head = (sequence, at_ns, seat)
        instrument = self.instruments[self.seats[seat].instrument]
        if kind == OutboxKind.CHARGED:
            amount = decimal_text(decimal_of(said))
            return "charges", (
                *head, Charge(code).name.lower(), amount, instrument.quote, side_name(side), ticks, lots,
            )  # fmt: skip
        price = decimal_text(decimal_price(ticks, instrument))
        fee, asset = self.fee_of(seat, ticks, lots, code, said)
        liquidity = "taker" if code & TAKER else "maker"
        paid = (decimal_text(fee), liquidity, asset, int(bool(code & FORCED)))
        return "fills", (*head, order_id, side_name(side), price, ticks, size, lots, remaining, *paid)

    def _limit(self, seat: int, ticks: int) -> tuple[str, int] | tuple[None, None]:
        """A price as it is stored: text and ticks, nothing for none."""
        if ticks <= 0:
            return None, None
        return decimal_text(decimal_price(ticks, self.instruments[self.seats[seat].instrument])), ticks

    def rule_name(self, seat: int, code: int) -> str:
        """The name of what refused: the rule's own where it has one, else that of the code."""
        named = self.seats[seat].rule_names.get(code)
        if named is not None:
            return named
        return _REFUSALS.get(code, f"USER_{code}")

    def fee_of(self, seat: int, ticks: int, lots: int, code: int, said: float) -> tuple[Decimal, str]:
        """The exact fee of a fill and what it is paid in; `said` is the double of its row."""
        terms = self.seats[seat]
        if not code & FEE_IN_ASSET:
            fee = self._units[seat].fee_of(ticks, lots, said, is_taker=bool(code & TAKER))
            return fee, self.instruments[terms.instrument].quote
        if not terms.fee_asset:
            raise StorageError(f"a fill of seat {seat} is paid for in a fee asset, but the seat has none")
        return decimal_of(said), terms.fee_asset

    def _followed(self, values: tuple[Any, ...]) -> OpenOrder | None:
        """Take a step of an order's life; the order as it is then."""
        sequence, at_ns, order_id, ticks, lots, _, _, seat, kind, side, code = values
        if order_id == 0 or kind in _OF_NO_ORDER:
            return None
        key = (seat, order_id)
        if kind == OutboxKind.INTENT:
            self.open[key] = OpenOrder(seat, order_id, side_name(side), ticks, lots, at_ns)
        order = self.open.get(key)
        if order is None:
            if kind == OutboxKind.FILLED and code & FORCED:
                return None  # a venue closes positions without being asked
            raise StorageError(
                f"outbox row {sequence}: order {order_id} of seat {seat} was never asked for, or is done already"
            )
        order.last_sequence, order.changed_ns = sequence, at_ns
        self._step(order, values)
        if order.status == "filled" or order.status in _ENDS.values():
            del self.open[key]
        return order

    def _step(self, order: OpenOrder, values: tuple[Any, ...]) -> None:
        _, _, _, ticks, lots, remaining, said, seat, kind, _, code = values
        match OutboxKind(kind):
            case OutboxKind.FILLED:
                order.filled_lots += lots
                order.ticks_lots += ticks * lots
                fee, _ = self.fee_of(seat, ticks, lots, code, said)
                if code & FEE_IN_ASSET:
                    order.asset_fees = EXACT.add(order.asset_fees, fee)
                else:
                    order.fees = EXACT.add(order.fees, fee)
                order.status = "filled" if remaining == 0 else "partly_filled"
            case OutboxKind.REFUSED if order.status not in _UNSENT:
                return
            case OutboxKind.REFUSED | OutboxKind.CANCELLED | OutboxKind.REJECTED:
                order.status = _ENDS[OutboxKind(kind)]
                order.reason = self.rule_name(seat, code) if code else None
            case OutboxKind.ACCEPTED if order.filled_lots == 0:  # a fill may overtake the acknowledgement
                order.status = "accepted"
            case OutboxKind.SENT:
                order.status = "partly_filled" if order.filled_lots else "sent"
                if remaining > 0:
                    order.ticks, order.lots = ticks, lots
            case OutboxKind.ARMED:
                order.status, order.trigger_ticks = "armed", ticks
            case OutboxKind.TRIGGERED:
                order.status, order.trigger_ticks = "triggered", ticks or order.trigger_ticks
            case OutboxKind.AMENDED:
                order.ticks, order.lots = ticks, lots
            case _:
                return

    def _order_row(self, order: OpenOrder) -> Row:
        instrument = self.instruments[self.seats[order.seat].instrument]
        limit = self._limit(order.seat, order.ticks)
        filled = decimal_size(order.filled_lots, instrument)
        notional = self._units[order.seat].notional_of(order.ticks_lots)
        average = decimal_text(AVERAGE.divide(notional, filled)) if order.filled_lots else None
        return "orders", (
            order.seat, order.order_id, order.side, "limit" if order.ticks > 0 else "market", *limit,
            decimal_text(decimal_size(order.lots, instrument)), order.lots, order.status, order.reason,
            decimal_text(filled), order.filled_lots, decimal_text(notional), average, decimal_text(order.fees),
            order.asked_ns, order.changed_ns, order.last_sequence, decimal_text(order.asset_fees),
            *self._limit(order.seat, order.trigger_ticks),
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
            asset_fees=Decimal(values["asset_fees"]),
            trigger_ticks=int(values["trigger_ticks"] or 0),
        )
