"""The life of an order, as one table; nothing else decides what may follow what.

An order begins as an intent: a strategy asked for it. Risk rules refuse it or let it pass; only then it is sent.
What the venue says (accepted, filled in part or whole, rejected, cancelled) arrives as reports, late and, on a real
venue, in any order: a fill may overtake the acknowledgement, and a cancel may lose its race against a fill.

                 pass            accept                 fill the rest
      INTENT ----------> SENT ----------> ACCEPTED ------------------> FILLED
       |  |               | ^              |  |  |  fill a part, amend: stays
       |  | refuse        | |     resend   |  |  | ask to cancel
       |  v        reject | +--------------+  |  v
       |REFUSED           v                   | CANCELLING --fill the rest--> FILLED
       |  ^            REJECTED               |  |  |
       |  | refuse                            |  |  | resend: cancelled and sent anew, where a venue cannot amend
   arm |  |                                   v  v  +----> SENT
       +->ARMED --cancel------------------> CANCELLED   (also: what an immediate order left over, at once)
          waits for its trigger, or for the fills of the order that it protects; pass: SENT

An order that is done leaves the blotter; its id is never used again. A step that the table does not know is
counted (`Blotter.illegal_count`) and changes nothing: in the simulated venue that counter must stay 0.
"""

from __future__ import annotations

import enum

import numpy as np

from streamtrader.kernel.record import Record
from streamtrader.kernel.triggers import Trigger

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
    ARMED = 9  # the engine holds it back


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
    ARM = 8
    AMEND = 9
    RESEND = 10


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
    LIQUIDATED = 24  # the account had too little collateral, and the venue closed its positions
    WITHDRAWN = 36  # cancelled in the turn that asked for it
    NOTHING_TO_REDUCE = 37
    TRIGGER_INVALID = 38
    NOT_OPEN = 39  # the order to change is not there any more
    INSUFFICIENT_FUNDS = 40  # the account cannot pay for it, or has too little collateral
    SHORT_NOT_ALLOWED = 41  # a spot account sells what it has
    HARD_TO_BORROW = 42
    LEVERAGE = 43  # the venue allows less for a position so large
    STALE_MARK = 44  # nobody knows what it is worth
    NOT_TRADING = 45  # the venue has halted the market
    USER = 50  # rules that are not ours
    WOULD_TAKE = 100  # post-only, but it would have traded at once
    NO_LIQUIDITY = 101
    KILLED_UNFILLED = 102  # fill-or-kill, and not all of it could be had
    EXPIRED = 103
    SELF_TRADE = 104  # it would have met an own order
    POSITION_CLOSED = 105  # reduce-only, and nothing was left to reduce
    MARKET_HALTED = 106
    PRICE_FILTER = 110  # filters of the venue, in Binance's words
    LOT_SIZE = 111
    MARKET_LOT_SIZE = 112
    PERCENT_PRICE = 113
    NOTIONAL_FILTER = 114
    MAX_NUM_ORDERS = 115
    MAX_POSITION = 116
    MAX_NUM_ALGO_ORDERS = 117
    ICEBERG_PARTS = 118


_LIFE = {
    OrderState.INTENT: {
        Step.PASS: OrderState.SENT,
        Step.REFUSE: OrderState.REFUSED,
        Step.ARM: OrderState.ARMED,
    },
    OrderState.ARMED: {
        Step.PASS: OrderState.SENT,
        Step.REFUSE: OrderState.REFUSED,
        Step.AMEND: OrderState.ARMED,
        Step.ASK_CANCEL: OrderState.CANCELLING,
        Step.CANCEL: OrderState.CANCELLED,
    },
    OrderState.SENT: {
        Step.ACCEPT: OrderState.ACCEPTED,
        Step.REJECT: OrderState.REJECTED,
        Step.FILL_PART: OrderState.ACCEPTED,
        Step.FILL_REST: OrderState.FILLED,
        Step.ASK_CANCEL: OrderState.CANCELLING,
        Step.CANCEL: OrderState.CANCELLED,
        Step.AMEND: OrderState.SENT,
        Step.RESEND: OrderState.SENT,
    },
    OrderState.ACCEPTED: {
        Step.ACCEPT: OrderState.ACCEPTED,  # a fill was faster than the acknowledgement
        Step.FILL_PART: OrderState.ACCEPTED,
        Step.FILL_REST: OrderState.FILLED,
        Step.ASK_CANCEL: OrderState.CANCELLING,
        Step.CANCEL: OrderState.CANCELLED,
        Step.AMEND: OrderState.ACCEPTED,
        Step.RESEND: OrderState.SENT,  # the next part of an order that shows only a part of itself
    },
    OrderState.CANCELLING: {
        Step.ACCEPT: OrderState.CANCELLING,
        Step.AMEND: OrderState.CANCELLING,
        Step.RESEND: OrderState.SENT,
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


# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
INTENT, SENT, ACCEPTED, CANCELLING = (int(state) for state in list(OrderState)[1:5])
FILLED, REFUSED, ARMED = int(OrderState.FILLED), int(OrderState.REFUSED), int(OrderState.ARMED)


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
        self.all_or_none = False  # all of it fills at once, or nothing
        self.reduce_only = False
        self.wants_cancel = False
        self.wants_amend = False  # to `new_ticks` and `new_lots`
        self.is_amending = False  # an answer is awaited
        self.is_replacing = False  # it is being cancelled to be sent anew
        self.is_released = False  # armed, and what it waited for has come
        self.is_parent = False  # others live by its fills
        self.is_timed_here = False  # its end is watched here, because the venue knows no such ends
        self.new_ticks = 0
        self.new_lots = 0
        self.reserved_lots = 0  # how much of it the seat counts as working
        self.display_lots = 0  # an iceberg shows no more than these; 0: all
        self.expires_ns = 0  # 0: never
        self.parent = 0  # the order whose fills give this one its size
        self.group = 0  # what one order of a group fills, the others lose
        self.trigger = Trigger()

    def begin(self, order_id: int, side: int, ticks: int, lots: int) -> None:
        """A new order in a place where another has been."""
        self.id = order_id
        self.side = side
        self.ticks = ticks
        self.lots = lots
        self.filled_lots = 0
        self.state = INTENT
        self.sent_ns = 0
        self.post_only = False
        self.immediate = ticks == 0
        self.all_or_none = False
        self.reduce_only = False
        self.wants_cancel = False
        self.wants_amend = False
        self.is_amending = False
        self.is_replacing = False
        self.is_released = False
        self.is_parent = False
        self.is_timed_here = False
        self.reserved_lots = 0
        self.display_lots = 0
        self.expires_ns = 0
        self.parent = 0
        self.group = 0
        self.trigger.clear()

    def open_lots(self) -> int:
        return self.lots - self.filled_lots

    def is_done(self) -> bool:
        return self.state >= FILLED and self.state <= REFUSED

    def is_at_venue(self) -> bool:
        return self.state == SENT or self.state == ACCEPTED or self.state == CANCELLING


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

    def order_of(self, order_id: int) -> Order:
        """The open order of that id; whoever asks has found it before."""
        return self.orders[self.find(order_id)]

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
