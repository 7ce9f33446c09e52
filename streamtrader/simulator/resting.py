"""An order as the venue has it, and the words in which the venue and the seat speak of it."""

from __future__ import annotations

from streamtrader.events import BUY
from streamtrader.kernel.orders import Order
from streamtrader.kernel.record import Record
from streamtrader.kernel.triggers import Trigger

NEW, CANCEL, AMEND, TELL = 1, 2, 3, 4  # requests
ACCEPTED, FILLED_AS_MAKER, FILLED_AS_TAKER, CANCELLED, REJECTED = 1, 2, 3, 4, 5  # reports
AMENDED, AMEND_REJECTED, FIRED = 6, 7, 8
# Bits of a NEW request's code; the kind of the trigger stands above them.
POST_ONLY, IMMEDIATE, IS_BUY, ALL_OR_NONE, REDUCE_ONLY, TRIGGER_SHIFT = 1, 2, 4, 8, 16, 5


def code_of(order: Order) -> int:
    """What an order is, in one word."""
    code = (POST_ONLY if order.post_only else 0) | (IMMEDIATE if order.immediate else 0)
    code |= (IS_BUY if order.side == BUY else 0) | (ALL_OR_NONE if order.all_or_none else 0)
    code |= REDUCE_ONLY if order.reduce_only else 0
    return code | order.trigger.kind << TRIGGER_SHIFT


class Resting(Record):
    """`ahead_lots` stand before it at its price; `lots` are still to fill, `shown_lots` of them are displayed."""

    def __init__(self) -> None:
        self.id = 0
        self.side = 0
        self.ticks = 0  # 0: no limit
        self.lots = 0
        self.filled_lots = 0
        self.ahead_lots = 0.0
        self.traded_lots = 0.0  # at its level since the book last showed it
        self.shown_lots = 0
        self.display_lots = 0  # 0: all
        self.expires_ns = 0  # 0: never
        self.is_resting = False
        self.post_only = False
        self.immediate = False
        self.all_or_none = False
        self.reduce_only = False
        self.trigger = Trigger()  # of a kind while it waits for its price

    def read_code(self, code: int) -> None:
        self.post_only = code & POST_ONLY != 0
        self.immediate = code & IMMEDIATE != 0
        self.side = 0 if code & IS_BUY != 0 else 1
        self.all_or_none = code & ALL_OR_NONE != 0
        self.reduce_only = code & REDUCE_ONLY != 0
        self.trigger.clear()
        self.trigger.kind = code >> TRIGGER_SHIFT

    def reaches(self, ticks: int) -> bool:
        """Whether its limit lies at the price or beyond it."""
        return self.ticks == 0 or (ticks <= self.ticks if self.side == BUY else ticks >= self.ticks)

    def show_next(self) -> None:
        """The part of it that is displayed from now on."""
        self.shown_lots = self.lots if self.display_lots == 0 else min(self.lots, self.display_lots)
