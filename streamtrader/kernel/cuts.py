"""Where the loop is cut into parts that are compiled apart and called by address.

Numba links a function's whole tree of callees into it and optimises all of it again, at every level. Cut at the
three places below, the parts together compile in half the time, each can be compiled in a process of its own, and
a call by address costs about a nanosecond. Uncompiled, the same names are plain calls.
"""

from __future__ import annotations

from typing import Any

from streamtrader.events import MORE
from streamtrader.kernel.calls import call_at
from streamtrader.kernel.compiler import compiled_as
from streamtrader.kernel.seat import note_due
from streamtrader.kernel.turn import settle as settle_whole
from streamtrader.kernel.waiting import watch

NO_MOMENT = -1


def settle_part(seat: Any, market: Any, account: Any, outbox: Any, call: Any) -> int:
    settle_whole(seat, market, account, outbox, call)
    return 0


def match_part(seat: Any, event: Any, market: Any, until_ns: int) -> int:
    """What comes to the seat's simulated venue until a moment; without one, what the event does there and to orders held
    back, and when the seat hears of it. Both take from the book: apart, that would be compiled twice.
    """
    if until_ns != NO_MOMENT:
        seat.venue.arrivals(until_ns, market)
        return 0
    seat.venue.match(event, market)
    if seat.armed_count > 0 and event.flags & MORE == 0:
        watch(seat, market)
    note_due(seat, market)
    return 0


def settle(seat: Any, market: Any, account: Any, outbox: Any, call: Any) -> None:
    settle_whole(seat, market, account, outbox, call)


def match(seat: Any, event: Any, market: Any, call: Any) -> None:
    match_part(seat, event, market, NO_MOMENT)


def arrive(seat: Any, event: Any, market: Any, until_ns: int, call: Any) -> None:
    """The event is any; nobody looks at it."""
    match_part(seat, event, market, until_ns)


@compiled_as(settle)
def _settle(seat: Any, market: Any, account: Any, outbox: Any, call: Any) -> Any:
    def by_address(seat, market, account, outbox, call):  # type: ignore[no-untyped-def]
        call_at(call.settle_code, (seat, market, account, outbox, call))

    return by_address


@compiled_as(match)
def _match(seat: Any, event: Any, market: Any, call: Any) -> Any:
    def by_address(seat, event, market, call):  # type: ignore[no-untyped-def]
        call_at(call.match_code, (seat, event, market, NO_MOMENT))

    return by_address


@compiled_as(arrive)
def _arrive(seat: Any, event: Any, market: Any, until_ns: Any, call: Any) -> Any:
    def by_address(seat, event, market, until_ns, call):  # type: ignore[no-untyped-def]
        call_at(call.match_code, (seat, event, market, until_ns))

    return by_address

