"""The life of an order, as one table; nothing else decides what may follow what.

An order begins as an intent: a strategy asked for it. Risk rules refuse it or let it pass; only then it is sent.
What the venue says (accepted, filled in part or whole, rejected, cancelled) arrives as reports, late and, on a real
venue, in any order: a fill may overtake the acknowledgement, and a cancel may lose its race against a fill.

                 pass            accept                 fill the rest
      INTENT ----------> SENT ----------> ACCEPTED ------------------> FILLED
        |                 |                |    |  fill a part: stays
        | refuse          | reject         |    | ask to cancel
        v                 v                |    v
      REFUSED          REJECTED            | CANCELLING --fill the rest--> FILLED
                                           |    | confirm
                                           v    v
                                          CANCELLED   (also: what an immediate order left over, at once)

An order that is done leaves the blotter; its id is never used again. A step that the table does not know is
counted (`Blotter.illegal_count`) and changes nothing: in the simulated venue that counter must stay 0.
"""

from __future__ import annotations

import enum

import numpy as np

from streamtrader.events import BUY
from streamtrader.kernel.record import Record

ORDER_SLOTS = 32  # open orders of one seat; asking for more is refused with TOO_MANY_ORDERS


class OrderState(enum.IntEnum):
    NONE = 0
    INTENT = 1
    SENT = 2
    ACCEPTED = 3
    CANCELLING = 4
    FILLED = 5
    CANCELLED = 6
    REJECTED = 7
    REFUSED = 8


class Step(enum.IntEnum):
    """What can happen to an order."""

    PASS = 0
    REFUSE = 1
    ACCEPT = 2
    REJECT = 3
    FILL_PART = 4
    FILL_REST = 5
    ASK_CANCEL = 6
    CANCEL = 7


class Refusal(enum.IntEnum):
    """Why an order was not sent (1 to 99) or not accepted (from 100)."""

    NONE = 0
    POSITION = 1
    NOTIONAL = 2
    ORDER_RATE = 3
    PRICE_BAND = 4
    STALE_BOOK = 5
    DAILY_LOSS = 6
    DRAWDOWN = 7
    PAUSED = 20
    KILLED = 21
    STRATEGY_FAILED = 22
    BOOK_NOT_LIVE = 30
    SIZE_BELOW_LOT = 31
    NOTIONAL_BELOW_MINIMUM = 32
    TOO_MANY_ORDERS = 33
    PRICE_INVALID = 34
    REQUESTS_FULL = 35
    DRY_RUN = 23
    WITHDRAWN = 36  # cancelled in the turn that asked for it
    USER = 50  # rules that are not ours
    WOULD_TAKE = 100  # post-only, but it would have traded at once
    NO_LIQUIDITY = 101


_LIFE = {
    OrderState.INTENT: {Step.PASS: OrderState.SENT, Step.REFUSE: OrderState.REFUSED},
    OrderState.SENT: {
        Step.ACCEPT: OrderState.ACCEPTED,
        Step.REJECT: OrderState.REJECTED,
        Step.FILL_PART: OrderState.ACCEPTED,
        Step.FILL_REST: OrderState.FILLED,
        Step.ASK_CANCEL: OrderState.CANCELLING,
        Step.CANCEL: OrderState.CANCELLED,
    },
    OrderState.ACCEPTED: {
        Step.ACCEPT: OrderState.ACCEPTED,  # a fill was faster than the acknowledgement
        Step.FILL_PART: OrderState.ACCEPTED,
        Step.FILL_REST: OrderState.FILLED,
        Step.ASK_CANCEL: OrderState.CANCELLING,
        Step.CANCEL: OrderState.CANCELLED,
    },
    OrderState.CANCELLING: {
        Step.ACCEPT: OrderState.CANCELLING,
        Step.REJECT: OrderState.REJECTED,
        Step.FILL_PART: OrderState.CANCELLING,
        Step.FILL_REST: OrderState.FILLED,
        Step.CANCEL: OrderState.CANCELLED,
    },
}

NEXT_STATE = np.zeros((len(OrderState), len(Step)), np.int64)
"""The table as the kernel reads it: [state, step] -> state, 0 where the step is illegal."""
for _state, _steps in _LIFE.items():
    for _step, _next in _steps.items():
        NEXT_STATE[_state, _step] = _next
NEXT_STATE.setflags(write=False)


class Order(Record):
    """One open order as its owner knows it; the venue has its own copy of the truth."""

    def __init__(self) -> None:
        self.id = 0
        self.side = 0
        self.ticks = 0  # the limit; 0: none, a market order
        self.lots = 0  # asked for
        self.filled_lots = 0
        self.state = 0
        self.sent_ns = 0
        self.post_only = False
        self.immediate = False  # what does not fill at once is cancelled
        self.wants_cancel = False

    def signed_lots(self) -> int:
        """What is still open of it, negative for a sale."""
        open_lots = self.lots - self.filled_lots
        return open_lots if self.side == BUY else -open_lots


class Blotter(Record):
    """The open orders of one seat, dense and in the order in which they were asked for."""

    def __init__(self, slots: int = ORDER_SLOTS) -> None:
        self.count = 0
        self.illegal_count = 0
        self.orders = np.zeros(slots, Order().dtype)

    def find(self, order_id: int) -> int:
        for index in range(self.count):
            if self.orders[index].id == order_id:
                return index
        return -1

    def remove(self, index: int) -> None:
        self.count -= 1
        for at in range(index, self.count):
            self.orders[at] = self.orders[at + 1]

    def step(self, order: Order, step: int) -> bool:
        """Take the step if the table allows it."""
        state = NEXT_STATE[order.state, step]
        if state == 0:
            self.illegal_count += 1
            return False
        order.state = state
        return True
