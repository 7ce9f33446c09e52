"""What the engine says: every intent, refusal, order and fill as one 64-byte row, in the order of decision.

A row is output, not state. The runtime drains the rows after each turn of the loop; database, metrics, screen and
parity all read the same rows. The loop returns early while half of the rows wait, so that nothing is lost; should one
event alone ask for more than the other half, `lost` counts it and the runtime stops the engine.
"""

from __future__ import annotations

import enum
from typing import Any

import numpy as np

from streamtrader.kernel.record import Record

OUTBOX_SLOTS = 1 << 15


class OutboxKind(enum.IntEnum):
    INTENT = 1
    REFUSED = 2
    SENT = 3
    ACCEPTED = 4
    FILLED = 5
    CANCELLED = 6
    REJECTED = 7
    HALTED = 8  # a rule pulled the kill switch of the seat
    FAILED = 9  # the strategy of the seat raised and was stopped
    CHARGED = 10  # money moved without a fill
    AMENDED = 11
    ARMED = 12  # held back until its trigger is reached, here or, where SENT follows, by the venue
    TRIGGERED = 13


class Charge(enum.IntEnum):
    """What a CHARGED row is for; its `fee` is paid when positive, received when negative."""

    FUNDING = 1  # of a perpetual position
    INTEREST = 2  # on borrowed quote currency
    BORROW = 3  # on borrowed base currency: a short position
    OPENING = 4  # once, for a position that was opened on margin
    LIQUIDATION = 5  # the venue's fee for closing a position by force


TAKER, FEE_IN_ASSET, FORCED = 1, 2, 4  # bits of a FILLED row's code; the fee is in units of the fee asset; a liquidation
IMMEDIATE, POST_ONLY, ALL_OR_NONE, REDUCE_ONLY = 1, 2, 4, 8  # bits of an INTENT row's code
ICEBERG, TIMED, STOP, TAKE_PROFIT, TRAILING, LINKED, PROTECTING = 16, 32, 64, 128, 256, 512, 1024


class OutboxRow(Record):
    """`ticks` is the limit, or the price of a fill or charge; `code` a refusal, liquidity or order bits, or a charge."""

    def __init__(self) -> None:
        self.sequence = 0
        self.at_ns = 0
        self.order = 0
        self.ticks = 0
        self.lots = 0
        self.remaining_lots = 0
        self.fee = 0.0
        self.seat = np.uint32(0)
        self.kind = np.uint8(0)
        self.side = np.uint8(0)
        self.code = np.uint16(0)


OUTBOX_ROW: np.dtype[Any] = OutboxRow().dtype


class Outbox(Record):
    """A bounded buffer of rows: `written` counts all there ever were, `drained` those that were taken."""

    def __init__(self, slots: int = OUTBOX_SLOTS) -> None:
        self.written = 0
        self.drained = 0
        self.lost = 0
        self.rows = np.zeros(slots, OUTBOX_ROW)

    def is_half_full(self) -> bool:
        return (self.written - self.drained) * 2 > len(self.rows)

    def put(
        self, kind: int, seat: int, at_ns: int, order: int, side: int, code: int,
        ticks: int, lots: int, remaining_lots: int, fee: float,
    ) -> None:  # fmt: skip
        if self.written - self.drained >= len(self.rows):
            self.lost += 1
            return
        row = self.rows[self.written & (len(self.rows) - 1)]
        row.sequence = self.written
        row.at_ns = at_ns
        row.order = order
        row.ticks = ticks
        row.lots = lots
        row.remaining_lots = remaining_lots
        row.fee = fee
        row.seat = seat
        row.kind = kind
        row.side = side
        row.code = code
        self.written += 1
