"""What an operator may ask of a running engine, seat by seat."""

from __future__ import annotations

from typing import Any

from streamtrader.events import Command
from streamtrader.kernel.account import Account
from streamtrader.kernel.cuts import settle
from streamtrader.kernel.market import Market
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import Outbox, OutboxKind
from streamtrader.kernel.seat import Seat

# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
HALTED, PAUSED, KILLED = int(OutboxKind.HALTED), int(Refusal.PAUSED), int(Refusal.KILLED)


def obey(command: int, seat: Seat, market: Market, account: Account, outbox: Outbox, call: Any) -> None:
    """The operator's word, for one seat. Cancelling and reducing stay possible in every state."""
    if command == Command.RESUME:
        seat.resume()
        return
    code = KILLED if command == Command.KILL else PAUSED
    if seat.halt(code):
        outbox.put(HALTED, seat.index, market.now_ns, 0, 0, code, 0, 0, 0, 0.0)
    if command == Command.PAUSE:
        return
    for at in range(seat.blotter.count):
        order = seat.blotter.orders[at]
        if not order.wants_cancel:
            order.wants_cancel = True
            seat.intent_count += 1
    seat.is_flattening = True
    seat.is_forced = False
    seat.keep_lots = 0
    seat.target_retry_ns = 0
    seat.has_target = True
    settle(seat, market, account, outbox, call)
