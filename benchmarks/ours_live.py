"""Our side of the live path on loopback: connection, adapter, ring, engine, from the socket to the orders.

The same server and frames as `peers/live_client`: the connection reads, the adapter's scanner fills the ring, and the
compiled engine plays it: EmaCross on trades, with orders that four risk rules pass and the simulated venue fills from a
book that stands still; a reader of the best prices on depth. A latency ends when the engine has played the event. What a session adds in other tasks (tape, database, metrics) is not in here. Every frame must arrive,
be taken by the scanner and reach the engine, or the run fails.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from typing import Any

import numpy as np

from benchmarks.ours_replay import INSTRUMENT, engine_for
from benchmarks.peers.frames import KINDS, STAMP_BASE_NS
from benchmarks.peers.live_client import Clock, loop_factory, percentiles, serving, spin
from benchmarks.results import emit
from streamtrader.events import ASK, BID, MORE, TOP, Kind
from streamtrader.kernel.ring import Ring
from streamtrader.runtime.assembly import Engine
from streamtrader.venues.binance.adapter import Binance
from streamtrader.venues.binance.scan import compiled_scanner
from streamtrader.venues.connection import Connection
from streamtrader.venues.venue import Endpoints

CHANNELS = {"trade": "trade", "book": "bookTicker", "depth10": "depth@100ms", "depth20": "depth@100ms"}


class Loopback(Binance):
    """The adapter as it is, but for the path that tells the benchmark's server what to send."""

    path = ""

    def stream_path(self) -> str:
        return self.path


class Session:
    """Plays what each read brought, and notes when that was done."""

    def __init__(self, engine: Engine, count: int) -> None:
        self.ring = Ring()
        self.engine = engine
        self.clock = Clock()
        self.latency_ns: list[np.ndarray[Any, Any]] = []
        self.count = count
        self.said = 0

    def on_events(self) -> None:
        """Called by the connection after each read."""
        ring = self.ring
        first, last = ring.played, ring.written
        if first == last:
            return
        if self.clock.wall_s == 0.0 and int(ring.events[(last - 1) & ring.mask]["received_ns"]) >= STAMP_BASE_NS:
            self.clock.start()
        at = first
        while at < last:
            at = self.engine.play(ring.events, ring.mask, at, last)
            self.said += len(self.engine.drain())
        done_ns = STAMP_BASE_NS + time.monotonic_ns()
        for part in ring.slices(first, last):
            self.latency_ns.append(done_ns - part["received_ns"])
        ring.played = ring.taped = last


def adapter_of(options: argparse.Namespace, port: int) -> Loopback:
    venue = Loopback(
        [INSTRUMENT],
        scanner=compiled_scanner(),
        channels=(CHANNELS[options.kind],),
        endpoints=(Endpoints(f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{port}"),),
        is_stamped=True,
    )
    venue.path = "/" + "/".join([options.mode, options.kind, str(options.count), *map(str, options.extra)])
    return venue


async def play(connection: Connection, clock: Clock, *, is_spinning: bool) -> None:
    async with asyncio.TaskGroup() as tasks:
        if is_spinning:
            tasks.create_task(spin(clock))
        await connection.run()
        clock.stop()


def place_book(ring: Ring) -> None:
    """The best bid and ask that market orders meet while only trades are sent."""
    for side, price, flags in ((BID, 49_999.99, TOP | MORE), (ASK, 50_000.01, TOP)):
        ring.write(Kind.BOOK, 0, side, flags, 0, STAMP_BASE_NS - 1, price, 1e6)


def measure(port: int, options: argparse.Namespace) -> dict[str, Any]:
    engine = engine_for("book" if options.kind.startswith("depth") else "trade")
    session = Session(engine, options.count)
    if options.kind == "trade":
        place_book(session.ring)
    venue = adapter_of(options, port)
    connection = Connection(venue, session.ring, session.on_events)
    gc.collect()
    gc.freeze()
    with asyncio.Runner(loop_factory=loop_factory(options.loop)) as runner:
        runner.run(play(connection, session.clock, is_spinning=options.spin))
    counters = venue.counters
    if counters.frames != options.count or counters.handed_over or counters.gaps:
        raise SystemExit(f"not every frame was taken: {counters}")
    latency_ns = np.concatenate(session.latency_ns)
    return {
        "bench": "ours_live", "who": "streamtrader", "loop": options.loop, "kind": options.kind,
        "mode": venue.path.strip("/"), "spin": options.spin, "reads": connection.counters.reads,
        "delayed": connection.counters.delayed, "events": int(engine.state.clock[0].event_count), "fills": int(engine.state.seats[0].fill_count), "outbox_rows": session.said,
        "messages_per_s": round(options.count / session.clock.wall_s),
        "cpu_us": round(session.clock.cpu_s / options.count * 1e6, 3),
        **(percentiles(latency_ns[latency_ns < STAMP_BASE_NS // 2]) if options.mode != "flood" else {}),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument("--kind", choices=KINDS, default="trade")
    parser.add_argument("--mode", choices=("flood", "paced", "burst"), default="flood")
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--spin", action="store_true", help="poll instead of sleeping")
    parser.add_argument("extra", nargs="*", type=int, help="paced: frames a second; burst: frames, period in us")
    options = parser.parse_args()
    with serving() as port:
        emit(measure(port, options))


if __name__ == "__main__":
    main()
