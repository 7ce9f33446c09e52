"""What the loop calls: strategies and rules, by address when compiled, as objects when not.

The table is made anew at every start and is not part of the state. Both forms answer to the same three functions, so
the loop has one source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from streamtrader.events import MORE, Event, Kind
from streamtrader.kernel.account import Account
from streamtrader.kernel.broker import Broker
from streamtrader.kernel.calls import address_of, call_at, record_at
from streamtrader.kernel.compiler import compiled_as
from streamtrader.kernel.market import Market
from streamtrader.kernel.orders import Order
from streamtrader.kernel.record import Record
from streamtrader.kernel.seat import Seat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RULE_SLOTS = 16
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


class Call(Record):
    """Compiled: where the code and the record of a seat's strategy and rules are. Made at every start, never state."""

    def __init__(self) -> None:
        self.code = 0  # 0: plain Python, which the loop cannot call
        self.record = 0
        self.kinds = 0
        self.settle_code = 0
        self.match_code = 0
        self.deliver_code = 0
        self.liquidate_code = 0
        self.rule_count = 0
        self.rule_codes = np.zeros(RULE_SLOTS, np.int64)
        self.rule_records = np.zeros(RULE_SLOTS, np.int64)


class Interpreted(NamedTuple):
    """Uncompiled: the objects themselves."""

    strategy: Any
    kinds: int
    rules: list[Any]


def play(strategy: Any, event: Event, seat: Seat, market: Market, account: Account) -> int:
    """Compiled alone for each strategy class, always with this signature."""
    try:
        strategy.on_event(event, Broker(seat, market, account))
    except Exception:  # noqa: BLE001 - a wrong index, say: the seat stops and says so, the engine goes on
        return 1
    return 0


def refuses(rule: Any, order: Order, seat: Seat, market: Market, account: Account) -> int:
    """The same for each class of rule: its code, or 0."""
    try:
        if rule.refuses(order, Broker(seat, market, account)):
            return rule.code
    except Exception:  # noqa: BLE001 - a rule that cannot answer refuses
        return rule.code
    return 0


def kinds_of(cls: type, bases: Sequence[type]) -> int:
    """The bits of the kinds that a strategy class has its own handlers for."""
    plain = {name: {getattr(base, name, None) for base in bases} for name in HANDLERS}
    handlers = ((name, kind) for name, kind in HANDLERS.items() if getattr(cls, name, None) not in plain[name])
    return sum(1 << kind for _, kind in handlers)


_VIEWS = {"on_trade": "trade", "on_quote": "quote", "on_book": "level", "on_candle": "candle"}
_VIEWS |= {"on_fill": "fill", "on_order": "order", "on_link": "link"}


def view_of(event: Any, handler: str) -> Any:
    """The event as a handler sees it."""
    return getattr(event, _VIEWS[handler]) if handler in _VIEWS else event


def on_event_of(cls: type, base: type) -> Callable[[Any, Event, Broker], None]:
    """The `on_event` of a strategy class: only the handlers that it has, so that only they are compiled."""
    lines = ["def on_event(self, event, broker):", "    kind = event.kind"]
    for name, kind in HANDLERS.items():
        if getattr(cls, name) is getattr(base, name):
            continue
        told = f"event.{_VIEWS[name]}" if name in _VIEWS else "event"
        last_row = f" and event.flags & {MORE} == 0" if kind == Kind.BOOK else ""
        lines += [f"    if kind == {int(kind)}{last_row}:", f"        self.{name}({told}, broker)", "        return"]
    names: dict[str, Any] = {}
    exec(compile("\n".join(lines), f"<on_event of {cls.__qualname__}>", "exec"), names)
    names["on_event"].__module__ = cls.__module__
    return names["on_event"]


def is_python(call: Any) -> bool:
    """Whether the loop must return for this strategy; the uncompiled loop does the same, so that bytes agree."""
    return not isinstance(call.strategy, Record)


def call_strategy(call: Any, event: Event, seat: Seat, market: Market, account: Account) -> int:
    return play(call.strategy, event, seat, market, account)


def refusal_by_rules(call: Any, order: Order, seat: Seat, market: Market, account: Account) -> int:
    """The code of the first rule that refuses, or 0."""
    for rule in call.rules:
        code = refuses(rule, order, seat, market, account)
        if code != 0:
            return code
    return 0


@compiled_as(is_python)
def _is_python(call: Any) -> Any:
    return lambda call: call.code == 0


@compiled_as(call_strategy)
def _call_strategy(call: Any, event: Any, seat: Any, market: Any, account: Any) -> Any:
    def by_address(call, event, seat, market, account):  # type: ignore[no-untyped-def]
        return call_at(call.code, (record_at(call.record, event), event, seat, market, account))

    return by_address


@compiled_as(refusal_by_rules)
def _refusal_by_rules(call: Any, order: Any, seat: Any, market: Any, account: Any) -> Any:
    def by_address(call, order, seat, market, account):  # type: ignore[no-untyped-def]
        for at in range(call.rule_count):
            rule = record_at(call.rule_records[at], order)
            code = call_at(call.rule_codes[at], (rule, order, seat, market, account))
            if code != 0:
                return code
        return 0

    return by_address


def address_for(function: Any, record_dtype: Any, layouts: Sequence[Any], *, cache: bool) -> int:
    """Where `function` is, compiled for a record of this layout."""
    return address_of(function, (record_dtype, *layouts), cache=cache)
