"""Which queue model explains best which resting orders of a session were filled, and when.

The orders are placed once more at their times, by a seat for each candidate, all in one pass over the tapes; the venue
is the simulator itself. A candidate's loss is, averaged over the orders, how far its curve of what is filled lies from
the recorded one (`fits.filled_area`), from the order's arrival to its end, or, where it was filled, to twice as late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from streamtrader.analysis.costs import UNKNOWN, Order
from streamtrader.analysis.fits import Choice, choose, filled_area
from streamtrader.kernel.outbox import POST_ONLY, OutboxKind
from streamtrader.runtime.assembly import Placement, Terms, assemble
from streamtrader.runtime.loading import class_sources, loop_sources
from streamtrader.runtime.replay import play_tape
from streamtrader.simulator.queue import Queue
from streamtrader.strategies.echo import PLAN_SLOTS, Echo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamtrader.runtime.order_records import OrderRecords

Floats = np.ndarray[Any, np.dtype[np.float64]]
POWERS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0)
NAMED = (Queue.PESSIMISTIC, Queue.LOG, Queue.TRADES, Queue.OPTIMISTIC)
FINER = 9  # candidates of the second look
ORDERS_MOST = PLAN_SLOTS // 2  # of one seat: each has a line for its beginning and one for its end
LEAST = 5
SHORTEST_NS = 1_000_000
CASH_QUOTE = 1e15  # that no echo is refused for want of money


@dataclass(slots=True)
class Resting:
    """A recorded order that rested: when it came to the venue, until when it is watched, what was filled when."""

    order: Order
    arrived_ns: int
    until_ns: int
    is_cancelled: bool
    is_post_only: bool
    fills: list[tuple[float, float]]  # nanoseconds since the arrival, share


@dataclass(frozen=True, slots=True)
class QueueFit:
    """The best power with the range of a resampling, the losses of all candidates, and what they come from."""

    power: float
    low: float
    high: float
    is_told: bool
    losses: dict[str, float]
    orders: int

    @property
    def best(self) -> str:
        """The model of the least loss; one that has no parameter where it is no worse than the power."""
        return min(self.losses, key=lambda name: (self.losses[name], name.startswith("power")))


def resting_orders(records: OrderRecords, down_ns: int) -> list[Resting]:
    """Plain limit orders that rested and were never changed; without acknowledgements there are none."""
    said = records.said
    kinds = said["kind"]
    intents = {(seat, order): code for seat, order, code in said[kinds == OutboxKind.INTENT][["seat", "order", "code"]].tolist()}
    changed = {tuple(row) for row in said[kinds == OutboxKind.AMENDED][["seat", "order"]].tolist()}
    fills: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for fill in records.fills:
        fills.setdefault((fill.order.seat, fill.order.order_id), []).append((fill.at_ns - down_ns, fill.lots))
    found = []
    for order in records.orders:
        key = (order.seat, order.order_id)
        code = intents.get(key, -1)
        if order.accepted_ns == UNKNOWN or order.limit_ticks <= 0 or code & ~POST_ONLY or key in changed:
            continue
        arrived_ns, end_ns = order.accepted_ns - down_ns, order.end_ns - down_ns
        own = [(float(at - arrived_ns), lots / order.lots) for at, lots in fills.get(key, [])]
        is_filled = order.status == "filled"
        until_ns = end_ns + max(end_ns - arrived_ns, SHORTEST_NS) if is_filled else max(end_ns, arrived_ns + 1)
        found.append(Resting(order, arrived_ns, until_ns, order.status == "cancelled" or is_filled, bool(code & POST_ONLY), own))
    return found


def fit_queue(records: OrderRecords, up_ns: int, down_ns: int) -> QueueFit | None:
    """None where fewer than LEAST orders rested."""
    by_seat: dict[int, list[Resting]] = {}
    for one in resting_orders(records, down_ns):
        by_seat.setdefault(one.order.seat, []).append(one)
    for seat, orders in by_seat.items():
        chosen = np.linspace(0, len(orders) - 1, min(len(orders), ORDERS_MOST)).astype(np.int64)
        by_seat[seat] = [orders[at] for at in np.unique(chosen).tolist()]
    if sum(map(len, by_seat.values())) < LEAST:
        return None
    candidates = [(Queue.POWER, power) for power in POWERS] + [(queue, 1.0) for queue in NAMED]
    first = losses_of(records, by_seat, candidates, up_ns, down_ns)
    if len(first) < LEAST:
        return None
    coarse = choose(first[:, : len(POWERS)])
    finer = np.geomspace(POWERS[max(coarse.low - 1, 0)], POWERS[min(coarse.high + 1, len(POWERS) - 1)], FINER)
    powers = sorted({*POWERS, *(float(f"{power:.3g}") for power in finer)})
    second = losses_of(records, by_seat, [(Queue.POWER, power) for power in powers], up_ns, down_ns)
    choice: Choice = choose(second)
    named = first[:, len(POWERS) :].mean(axis=0)
    losses = {queue.name.lower(): float(loss) for queue, loss in zip(NAMED, named, strict=True)}
    losses |= {f"power {power:g}": float(loss) for power, loss in zip(powers, second.mean(axis=0), strict=True)}
    # The truth may lie between two candidates: the range goes on to the next one.
    low, high = powers[max(choice.low - 1, 0)], powers[min(choice.high + 1, len(powers) - 1)]
    is_told = choice.is_told or float(np.ptp(first.mean(axis=0))) > 0.0
    return QueueFit(powers[choice.best], low, high, is_told, losses, len(second))


def losses_of(
    records: OrderRecords,
    by_seat: dict[int, list[Resting]],
    candidates: Sequence[tuple[Queue, float]],
    up_ns: int,
    down_ns: int,
) -> Floats:
    """Orders by candidates."""
    placed = [(orders, candidate) for orders in by_seat.values() for candidate in candidates]
    placed.sort(key=lambda each: each[0][0].order.group[1])  # as `assemble` sorts its seats
    placements = [
        Placement(Echo(plan_of(orders, up_ns)), orders[0].order.group[1]) for orders, _ in placed
    ]
    terms = Terms(cash_quote=CASH_QUOTE, up_latency_ns=up_ns, down_latency_ns=down_ns)
    engine = assemble(
        records.tapes[0].instruments, placements, terms,
        loop_sources=loop_sources(), class_sources=class_sources({Echo}),
    )  # fmt: skip
    for at, (_, (queue, power)) in enumerate(placed):
        engine.state.seats["venue"]["queue"][at] = int(queue)
        engine.state.seats["venue"]["power"][at] = power
    filled: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for tape in records.tapes:
        for said, _ in play_tape(engine, tape):
            rows = said[said["kind"] == OutboxKind.FILLED]
            for at_ns, seat, order, lots in rows[["at_ns", "seat", "order", "lots"]].tolist():
                filled.setdefault((seat, order), []).append((at_ns - down_ns, lots))
    columns: dict[tuple[Queue, float], list[float]] = {candidate: [] for candidate in candidates}
    (box,) = engine.strategy_boxes
    for at, (orders, candidate) in enumerate(placed):
        for number, one in enumerate(orders):
            again = [
                (float(at_ns - one.arrived_ns), lots / one.order.lots)
                for at_ns, lots in filled.get((at, int(box["ids"][at, number])), [])
            ]
            is_refused = box["ids"][at, number] == 0  # as when too many are open at once
            area = filled_area(one.fills, again, float(one.until_ns - one.arrived_ns))
            columns[candidate].append(np.nan if is_refused else area)
    losses: Floats = np.array([columns[candidate] for candidate in candidates]).T
    comparable = np.flatnonzero(np.isfinite(losses.sum(axis=1)))
    return np.ascontiguousarray(losses[comparable])


def plan_of(orders: Sequence[Resting], up_ns: int) -> np.ndarray[Any, Any]:
    """Lines of `Echo`: each order at its time, and its end where it had one."""
    lines = []
    for number, one in enumerate(orders):
        order = one.order
        side = 0 if order.sign > 0 else 1
        lines.append((one.arrived_ns - up_ns, number, side, order.lots, order.limit_ticks, int(one.is_post_only)))
        if one.is_cancelled:
            lines.append((one.until_ns - up_ns, number, 0, 0, 0, 0))
    return np.array(sorted(lines), np.int64)
