"""What holds for whatever orders there are: no liquidity twice, no more than was there, and every order as it was meant.

It reads the engine's rows beside what the market displayed and traded, both at times that no two events share. A fill
happened when its row was told, less the way of the answer.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from streamtrader.events import BUY
from streamtrader.kernel.outbox import ALL_OR_NONE, IMMEDIATE, POST_ONLY, PROTECTING, REDUCE_ONLY, TAKER, OutboxKind


@dataclass
class Meant:
    """An order as it was asked for last. One that protects another has no size before that is filled."""

    side: int
    ticks: int
    lots: int
    bits: int
    filled: int = 0
    first_fill_ns: int = 0


class Audit:
    def __init__(self, up_ns: int, down_ns: int) -> None:
        self.up_ns, self.down_ns = up_ns, down_ns
        self.shown: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)  # level: since when, lots
        self.events: dict[int, dict[tuple[int, int], int]] = defaultdict(dict)  # when: levels that were shown
        self.trades: dict[int, tuple[int, int, int]] = {}  # when: aggressor's side, ticks, lots
        self.taken: dict[tuple[int, int, int], int] = defaultdict(int)  # level and since when: lots
        self.traded: dict[int, int] = defaultdict(int)  # when: lots that makers got of the trade
        self.orders: dict[int, Meant] = {}
        self.position = 0

    # --- the market ---

    def show(self, at_ns: int, side: int, ticks: int, lots: int) -> None:
        self.shown[side, ticks].append((at_ns, lots))
        self.events[at_ns][side, ticks] = lots

    def forget(self, at_ns: int, *which: int) -> None:
        """All levels of these sides are gone."""
        for (side, _), since in self.shown.items():
            if side in which:
                since.append((at_ns, 0))

    def trade(self, at_ns: int, side: int, ticks: int, lots: int) -> None:
        self.trades[at_ns] = (side, ticks, lots)

    def before(self, level: tuple[int, int], at_ns: int) -> tuple[int, int]:
        """A level as an order meets it that arrives then: without a way up it was sent at an event, and comes after it."""
        seen = [(since, lots) for since, lots in self.shown[level] if since < at_ns or (since == at_ns and self.up_ns == 0)]
        return seen[-1] if seen else (0, 0)

    # --- the engine's rows ---

    def hear(self, row: Any) -> None:
        kind, order_id = row["kind"], int(row["order"])
        if kind == OutboxKind.INTENT:
            words = (int(row[name]) for name in ("side", "ticks", "lots", "code"))
            self.orders[order_id] = Meant(*words)
        elif kind in (OutboxKind.AMENDED, OutboxKind.SENT):  # also in the place of one that was cancelled
            self.orders[order_id].ticks, self.orders[order_id].lots = int(row["ticks"]), int(row["lots"])
        elif kind == OutboxKind.FILLED:
            self.fill(self.orders[order_id], row)
        elif kind == OutboxKind.CANCELLED:
            order = self.orders[order_id]
            assert not (order.bits & ALL_OR_NONE and order.filled), "all or none was filled in part"

    def fill(self, order: Meant, row: Any) -> None:
        at_ns, ticks, lots = int(row["at_ns"]) - self.down_ns, int(row["ticks"]), int(row["lots"])
        order.filled += lots
        assert 0 < order.filled <= order.lots, "more was filled than was asked for"
        limit_is_kept = ticks <= order.ticks if order.side == BUY else ticks >= order.ticks
        assert order.ticks == 0 or limit_is_kept, "filled beyond its limit"
        signed = lots if order.side == BUY else -lots
        if order.bits & REDUCE_ONLY:
            assert self.position * signed < 0 and abs(signed) <= abs(self.position), "it was to reduce only"
        self.position += signed
        if order.bits & ALL_OR_NONE:
            order.first_fill_ns = order.first_fill_ns or at_ns
            assert order.first_fill_ns == at_ns, "all at once, or nothing"
        if row["code"] & TAKER:
            assert not order.bits & POST_ONLY, "post-only has taken"
            self.take((1 - order.side, ticks), at_ns, lots)
        else:
            assert not order.bits & IMMEDIATE or order.bits & PROTECTING, "an immediate order has rested"
            self.make(order, at_ns, lots)

    def take(self, level: tuple[int, int], at_ns: int, lots: int) -> None:
        since_ns, shown = self.before(level, at_ns)
        self.taken[(*level, since_ns)] += lots
        assert self.taken[(*level, since_ns)] <= shown, "displayed liquidity was filled twice"

    def make(self, order: Meant, at_ns: int, lots: int) -> None:
        """By a trade at its price or beyond, or by a level that came to be displayed on the other side."""
        if at_ns in self.trades:
            side, ticks, traded = self.trades[at_ns]
            assert side != order.side and (ticks <= order.ticks if order.side == BUY else ticks >= order.ticks)
            self.traded[at_ns] += lots
            assert self.traded[at_ns] <= traded, "more was filled than was traded"
            return
        reached = {
            level: shown for level, shown in self.events[at_ns].items()
            if level[0] != order.side and (level[1] <= order.ticks if order.side == BUY else level[1] >= order.ticks)
        }  # fmt: skip
        for level, shown in reached.items():
            given = min(lots, shown - self.taken[(*level, at_ns)])
            self.taken[(*level, at_ns)] += given
            lots -= given
        assert lots == 0, "more was filled than was displayed"
