"""What the loop calls: strategies and rules, by address when compiled, as objects when not.

The table is made anew at every start and is not part of the state. Both forms answer to the same five functions, so
the loop has one source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from streamtrader.events import Event, Kind
from streamtrader.kernel.broker import Broker
from streamtrader.kernel.calls import address_of, call_at, record_at
from streamtrader.kernel.compiler import compiled_as
from streamtrader.kernel.market import Market
from streamtrader.kernel.orders import Blotter, Order
from streamtrader.kernel.seat import Seat

if TYPE_CHECKING:
    from collections.abc import Sequence

HANDLERS = {
    "on_trade": Kind.TRADE,
    "on_quote": Kind.QUOTE,
    "on_book": Kind.BOOK,
    "on_candle": Kind.CANDLE,
    "on_fill": Kind.FILL,
    "on_order": Kind.ORDER,
    "on_timer": Kind.TIMER,
    "on_link": Kind.LINK,
}


class Called(NamedTuple):
    """Compiled: rows of (address of the machine code, address of the record, kinds handled)."""

    strategies: np.ndarray
    rules: np.ndarray
    first_rule: np.ndarray


class Interpreted(NamedTuple):
    """Uncompiled: the records themselves, and the rules of each seat."""

    strategies: list[tuple[Any, int]]
    rules: list[list[Any]]


def play(strategy: Any, event: Event, seat: Seat, blotter: Blotter, market: Market) -> int:
    """Compiled alone for each strategy class, always with this signature."""
    try:
        strategy.on_event(event, Broker(seat, blotter, market))
    except Exception:  # noqa: BLE001 - a wrong index, say: the seat stops and says so, the engine goes on
        return 1
    return 0


def refuses(rule: Any, order: Order, seat: Seat, blotter: Blotter, market: Market) -> int:
    """The same for each class of rule: its code, or 0."""
    try:
        if rule.refuses(order, Broker(seat, blotter, market)):
            return rule.code  # type: ignore[no-any-return]
    except Exception:  # noqa: BLE001 - a rule that cannot answer refuses
        return rule.code  # type: ignore[no-any-return]
    return 0


def kinds_of(cls: type, bases: Sequence[type]) -> int:
    """The bits of the kinds that a strategy class has its own handlers for."""
    plain = {name: {getattr(base, name, None) for base in bases} for name in HANDLERS}
    handlers = ((name, kind) for name, kind in HANDLERS.items() if getattr(cls, name, None) not in plain[name])
    return sum(1 << kind for _, kind in handlers)


def handles(called: Any, index: int, kind: int) -> Any:
    return called.strategies[index][1] >> int(kind) & 1


def is_python(called: Any, index: int) -> bool:
    return False


def call_strategy(called: Any, index: int, event: Event, seat: Seat, blotter: Blotter, market: Market) -> int:
    return play(called.strategies[index][0], event, seat, blotter, market)


def refusal_by_rules(called: Any, order: Order, seat: Seat, blotter: Blotter, market: Market) -> int:
    """The code of the first rule that refuses, or 0."""
    for rule in called.rules[seat.index]:
        code = refuses(rule, order, seat, blotter, market)
        if code != 0:
            return code
    return 0


@compiled_as(handles)
def _handles(called: Any, index: Any, kind: Any) -> Any:
    return lambda called, index, kind: called.strategies[index, 2] >> kind & 1


@compiled_as(is_python)
def _is_python(called: Any, index: Any) -> Any:
    return lambda called, index: called.strategies[index, 0] == 0


@compiled_as(call_strategy)
def _call_strategy(called: Any, index: Any, event: Any, seat: Any, blotter: Any, market: Any) -> Any:
    def by_address(called, index, event, seat, blotter, market):  # type: ignore[no-untyped-def]
        row = called.strategies[index]
        return call_at(row[0], (record_at(row[1], event), event, seat, blotter, market))

    return by_address


@compiled_as(refusal_by_rules)
def _refusal_by_rules(called: Any, order: Any, seat: Any, blotter: Any, market: Any) -> Any:
    def by_address(called, order, seat, blotter, market):  # type: ignore[no-untyped-def]
        for at in range(called.first_rule[seat.index], called.first_rule[seat.index + 1]):
            row = called.rules[at]
            code = call_at(row[0], (record_at(row[1], order), order, seat, blotter, market))
            if code != 0:
                return code
        return 0

    return by_address


def address_for(function: Any, record_dtype: Any, layouts: Sequence[Any], *, cache: bool) -> int:
    """Where `function` is, compiled for a record of this layout."""
    return address_of(function, (record_dtype, *layouts), cache=cache)
