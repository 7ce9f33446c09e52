"""What stands between a strategy and its venue: the owner's view of open orders, late by the answers' way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.twin.venue import BUY, Resting, Waiting

WITHDRAWN, NOTHING_TO_REDUCE = 36, 37


@dataclass(frozen=True)
class Ask:
    """An order that a strategy asks for; `lasts_ns` 0 is for ever, `waits` (kind, ticks, distance) is a trigger."""

    side: int
    ticks: int
    lots: int
    post_only: bool = False
    immediate: bool = False
    all_or_none: bool = False
    reduce_only: bool = False
    display: int = 0
    lasts_ns: int = 0
    waits: tuple[str, int, int] | None = None


@dataclass(frozen=True)
class Cancel:
    order: int


@dataclass(frozen=True)
class Amend:
    """Another whole size; `ticks` 0 leaves the price."""

    order: int
    lots: int
    ticks: int = 0


@dataclass(frozen=True)
class Hold:
    """A position; the twin's seat does not know this one and the next two."""

    lots: int


@dataclass(frozen=True)
class Pair:
    """One cancels the other."""

    first: Ask
    second: Ask


@dataclass(frozen=True)
class Bracket:
    """An order that a stop and a target (0: none) protect."""

    entry: Ask
    stop: int
    target: int


Wish = Ask | Cancel | Amend
Anything = Wish | Hold | Pair | Bracket


@dataclass(eq=False)
class Open:
    """An order as its owner knows it. `working` of its lots may still be filled."""

    id: int
    ask: Ask
    expires_ns: int
    filled: int = 0
    working: int = 0
    is_sent: bool = False
    is_leaving: bool = False
    wants_cancel: bool = False
    is_changing: bool = False
    wants: tuple[int, int] | None = None  # ticks and whole size

    @property
    def left(self) -> int:
        return self.ask.lots - self.filled

    def at_venue(self) -> Resting:
        ask = self.ask
        return Resting(
            self.id, ask.side, ask.ticks, ask.lots, ask.post_only, ask.immediate or ask.ticks == 0 or ask.all_or_none,
            ask.all_or_none, ask.reduce_only, ask.display if ask.ticks else 0, self.expires_ns,
            Waiting(*ask.waits) if ask.waits else None,
        )  # fmt: skip


class Seat:
    """`send` takes what leaves for the venue, `say` what is told of it (at_ns, what, order, ticks, lots, code)."""

    def __init__(self, send: Callable[..., None], say: Callable[..., None]) -> None:
        self.send, self.say = send, say
        self.open: dict[int, Open] = {}  # by id, which is by age
        self.count = 0
        self.position = 0

    def wish(self, wish: Wish, now_ns: int) -> None:
        if isinstance(wish, Ask):
            self.count += 1
            self.open[self.count] = Open(self.count, wish, now_ns + wish.lasts_ns if wish.lasts_ns else 0)
            return
        order = self.open.get(wish.order)
        if order is None or order.is_leaving:
            return
        if isinstance(wish, Cancel):
            order.wants_cancel = True
        elif not (order.ask.ticks == 0 and wish.ticks):
            ticks = wish.ticks or order.ask.ticks
            if order.is_sent:
                order.wants = (ticks, wish.lots)
            else:
                order.ask = replace(order.ask, ticks=ticks, lots=wish.lots)

    def settle(self, now_ns: int) -> None:
        """The end of a turn: what was asked for leaves, oldest orders first."""
        for order in list(self.open.values()):
            if not order.is_sent:
                self.send_new(order, now_ns)
            elif order.wants_cancel and not order.is_leaving:
                order.is_leaving, order.wants_cancel, order.wants = True, False, None
                self.send("cancel", now_ns, order.id)
            elif order.wants and not order.is_changing and not order.is_leaving:
                self.send_amend(order, now_ns)

    def reducible(self, order: Open) -> int:
        """What it may reduce beside all else that works on its side."""
        side = order.ask.side
        others = sum(o.working for o in self.open.values() if o is not order and o.ask.side == side)
        return max(0, (-self.position if side == BUY else self.position) - others)

    def send_new(self, order: Open, now_ns: int) -> None:
        if order.ask.reduce_only and not order.wants_cancel:
            order.ask = replace(order.ask, lots=min(order.ask.lots, self.reducible(order)))
        if order.wants_cancel or order.ask.lots <= 0:
            code = WITHDRAWN if order.wants_cancel else NOTHING_TO_REDUCE
            self.say(now_ns, "refused", order.id, order.ask.ticks, order.ask.lots, code)
            del self.open[order.id]
            return
        order.is_sent = True
        order.working = order.ask.lots
        if order.ask.waits:
            self.say(now_ns, "armed", order.id, order.ask.waits[1], order.ask.lots, 0)
        self.say(now_ns, "sent", order.id, order.ask.ticks, order.ask.lots, 0)
        self.send("new", now_ns, order.at_venue())

    def send_amend(self, order: Open, now_ns: int) -> None:
        (ticks, lots), order.wants = order.wants, None
        asks_more = lots > order.ask.lots or ticks != order.ask.ticks
        if order.ask.reduce_only and asks_more:
            lots = min(lots, order.filled + self.reducible(order))
            if lots <= order.filled:
                self.say(now_ns, "refused", order.id, ticks, lots, NOTHING_TO_REDUCE)
                return
        order.is_changing = True
        order.working = max(order.working, lots - order.filled)
        self.send("amend", now_ns, order.id, ticks, lots)

    def hear(self, at_ns: int, what: str, order_id: int, ticks: int, lots: int, code: int) -> bool:
        """An answer of the venue; False where its order is not known any more."""
        order = self.open.get(order_id)
        if order is None:
            return False
        if what == "filled":
            order.filled += lots
            order.working = max(0, order.working - lots)
            self.position += lots if order.ask.side == BUY else -lots
        elif what in ("amended", "not amended"):
            order.is_changing = False
            if what == "amended":
                order.ask = replace(order.ask, ticks=ticks, lots=lots)
            order.working = order.left
        self.say(at_ns, what, order_id, ticks, lots, code)
        if what in ("cancelled", "rejected") or (what == "filled" and order.left <= 0):
            del self.open[order_id]
        return True
