"""Fills of one strategy on one tape, order by order: ours, and hftbacktest's on the same rows.

The strategy asks for the same orders whatever is filled: at every whole second it cancels what stands and rests a
post-only order of `SIZE` at each touch. So orders can be compared one by one, by the second and the side. Both clocks
of the rows are the received one, and both ways of an order take `LATENCY_NS`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from streamtrader.events import ASK, BID, Event
from streamtrader.kernel.broker import Broker
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.runtime.assembly import Placement, Terms, assemble
from streamtrader.runtime.loading import class_sources, loop_sources
from streamtrader.simulator.queue import Queue
from streamtrader.storage.importers.hftbacktest import SEEN_BY_EXCHANGE, SEEN_LOCALLY
from streamtrader.storage.importers.hftbacktest_export import hftbacktest_rows, write_npz
from streamtrader.storage.tape import Tape
from streamtrader.strategies.strategy import Strategy
from streamtrader.units import NS_PER_S

LATENCY_NS = 10_000_000
SIZE = 0.001


class Clockwork(Strategy):
    """A new pair of quotes at every whole second; `asked` remembers for which second and side each order was."""

    def __init__(self, size: float = SIZE) -> None:
        self.size = size

    def on_timer(self, event: Event, broker: Broker) -> None:
        broker.cancel_all()
        if broker.is_live() and broker.spread_ticks() > 0:
            broker.quote(BID, self.size, broker.market.book.top[BID])
            broker.quote(ASK, self.size, broker.market.book.top[ASK])


def fills_of(tape: Tape, queue: str, power: float) -> dict[str, list[float]]:
    """By "second side": limit price, size that was filled, and the second of the first fill."""
    terms = Terms(
        1e9, LATENCY_NS, LATENCY_NS, queue=int(Queue[queue.upper()]), queue_power=power, maker_fee_bps=0.0, taker_fee_bps=0.0
    )
    sources = {"loop_sources": loop_sources(), "class_sources": [*class_sources(()), Path(__file__)]}
    engine = assemble(tape.instruments, [Placement(Clockwork(), 0)], terms, **sources)
    said = []
    for events in tape.events():
        start = 0
        while start < len(events):
            start = engine.play(events, -1, start, len(events))
            said.append(engine.drain())
    rows, instrument = np.concatenate(said), tape.instruments[0]
    sent = rows[rows["kind"] == OutboxKind.SENT]
    found = {
        int(row["order"]): (f"{int(row['at_ns']) // NS_PER_S} {int(row['side'])}", [int(row["ticks"]) / instrument.ticks_per_unit, 0.0, 0.0])
        for row in sent
    }
    for row in rows[rows["kind"] == OutboxKind.FILLED]:
        fill = found[int(row["order"])][1]
        fill[1] += int(row["lots"]) / instrument.lots_per_unit
        fill[2] = fill[2] or (int(row["at_ns"]) - LATENCY_NS) / NS_PER_S
    return dict(found.values())


def export(tape: Tape, path: Path) -> None:
    """The rows as hftbacktest reads them, all on the received clock."""
    rows, exported = hftbacktest_rows(tape, 0)
    rows = rows[rows["ev"] & SEEN_LOCALLY != 0]
    rows["ev"] |= np.uint64(SEEN_BY_EXCHANGE)
    rows["local_ts"] -= exported.moved_local_ns
    rows["exch_ts"] = rows["local_ts"]
    write_npz(path, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tape", type=Path)
    parser.add_argument("--export", type=Path)
    parser.add_argument("--queue", choices=[queue.name.lower() for queue in Queue], default="pessimistic")
    parser.add_argument("--power", type=float, default=2.0, help="of the model of that name")
    options = parser.parse_args()
    tape = Tape.open(options.tape)
    if options.export:
        export(tape, options.export)
    print(json.dumps(fills_of(tape, options.queue, options.power)))


if __name__ == "__main__":
    main()
