"""The live path, measured: frame bytes in to order bytes out in process, and the whole way over a loopback socket.

In process: the adapter decodes a frame into the ring, the engine plays it, rules and simulated venue included, and the
outbox is drained; an order rests on the way in one of a few hundred frames. Over loopback the server is `bench.server`,
on another core where there is one, and a latency ends when the engine has played the event. What a session adds
in other tasks (tape, database, metrics) is not in here.
"""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import numpy as np

from streamtrader.bench.frames import STAMP_BASE_NS, heads, message
from streamtrader.bench.replay import INSTRUMENT, engine_for
from streamtrader.bench.serving import serving
from streamtrader.bench.timing import loop_factory, percentiles
from streamtrader.events import ASK, BID, MORE, TOP, Kind
from streamtrader.kernel.ring import Ring
from streamtrader.runtime.engine import Engine
from streamtrader.runtime.loading import scanner_for_frames
from streamtrader.venues.binance import SPOT, Binance
from streamtrader.venues.connection import Connection
from streamtrader.venues.venue import Endpoints, Route

CHANNELS = {"trade": "trade", "book": "bookTicker", "depth10": "depth@100ms", "depth20": "depth@100ms"}
SNAPSHOT = b'{"lastUpdateId":0,"bids":[["49999.00000000","1.00000000"]],"asks":[["50001.00000000","1.00000000"]]}'


class Loopback(Binance):
    """The adapter as it is, but for the path that tells the server what to send."""

    path = ""

    @property
    def routes(self) -> tuple[Route, ...]:
        return (Route(self.path, self.channels),)


class Turns:
    """Plays what each read brought, and notes when that was done."""

    def __init__(self, engine: Engine) -> None:
        self.ring = Ring()
        self.engine = engine
        self.latency_ns: list[np.ndarray[Any, Any]] = []
        self.said = 0
        self.first_s = self.last_s = 0.0

    def on_events(self) -> None:
        """Called by the connection after each read."""
        ring = self.ring
        first, last = ring.played, ring.written
        if first == last:
            return
        at = first
        while at < last:
            at = self.engine.play(ring.events, ring.mask, at, last)
            if self.engine.has_news:
                self.said += len(self.engine.drain())
        self.last_s = time.perf_counter()
        if not self.first_s and ring.events[(last - 1) & ring.mask]["received_ns"] >= STAMP_BASE_NS:
            self.first_s = self.last_s  # the first that the server sent; what synchronises the book is older
        done_ns = STAMP_BASE_NS + time.monotonic_ns()
        for part in ring.slices(first, last):
            self.latency_ns.append(done_ns - part["received_ns"])
        ring.played = ring.taped = last


def turns_for(kind: str) -> Turns:
    """An engine for a kind of frame; trades need a standing book that market orders can meet."""
    turns = Turns(engine_for("book" if kind.startswith("depth") else "trade"))
    if kind == "trade":
        for side, price, flags in ((BID, 49_999.99, TOP | MORE), (ASK, 50_000.01, TOP)):
            turns.ring.write(Kind.BOOK, 0, side, flags, 0, STAMP_BASE_NS - 1, price, 1e6)
    return turns


def in_process(kind: str, count: int) -> dict[str, Any]:
    """A frame at a time, from its bytes to what the engine says."""
    turns = turns_for(kind)
    venue = Loopback([INSTRUMENT], SPOT, scanner=scanner_for_frames(), channels=(CHANNELS[kind],), is_stamped=True)
    ring, engine = turns.ring, turns.engine
    venue.connected(0, ring)
    for request in venue.requests():
        venue.respond(request, 200, SNAPSHOT, STAMP_BASE_NS - 1, ring)
    turns.on_events()
    frames = [message(head, STAMP_BASE_NS + at * 1_000_000) for at, head in enumerate(heads(kind, count))]
    taken_ns = np.zeros(count, np.int64)
    gc.collect()
    gc.disable()
    for at, frame in enumerate(frames):
        started_ns = time.perf_counter_ns()
        venue.decode(frame, 0, ring)
        engine.play(ring.events, ring.mask, ring.played, ring.written)
        if engine.has_news:
            engine.drain()
        taken_ns[at] = time.perf_counter_ns() - started_ns
        ring.played = ring.taped = ring.written
    gc.enable()
    lost = count - (venue.counters.trades if kind == "trade" else venue.counters.levels // (2 * int(kind[5:])))
    seat = engine.state.seats[0]
    return percentiles(taken_ns) | {"frames": count, "lost": lost, "orders": int(seat.order_count)}


async def _connect(connection: Connection, *, is_spinning: bool) -> None:
    async with asyncio.TaskGroup() as tasks:
        spinning = tasks.create_task(_spin()) if is_spinning else None
        await connection.run()
        if spinning is not None:
            spinning.cancel()


async def _spin() -> None:
    while True:  # noqa: ASYNC110 - not sleeping is its purpose
        await asyncio.sleep(0)


def over_loopback(
    port: int, kind: str, mode: str, count: int, *extra: int, is_spinning: bool = False
) -> dict[str, Any]:
    """The whole way: socket, connection, adapter, ring, engine. Every frame must arrive."""
    turns = turns_for(kind)
    venue = Loopback(
        [INSTRUMENT],
        SPOT,
        scanner=scanner_for_frames(),
        channels=(CHANNELS[kind],),
        endpoints=(Endpoints(f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{port}"),),
        is_stamped=True,
    )
    venue.path = "/" + "/".join([mode, kind, str(count), *map(str, extra)])
    connection = Connection(venue, turns.ring, turns.on_events)
    gc.collect()
    cpu_s = -time.process_time()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_connect(connection, is_spinning=is_spinning))
    cpu_s += time.process_time()
    counters = venue.counters
    latency_ns = np.concatenate(turns.latency_ns)
    found: dict[str, Any] = {"frames": counters.frames, "lost": count - counters.frames, "gaps": counters.gaps}
    if mode == "flood":
        wall_s = turns.last_s - turns.first_s
        return found | {"messages_per_s": round(count / wall_s), "cpu_us": round(cpu_s / count * 1e6, 2)}
    return found | percentiles(latency_ns[latency_ns < STAMP_BASE_NS // 2])


def measure(*, frames: int) -> dict[str, Any]:
    """Everything, as one document."""
    document: dict[str, Any] = {
        "in_process": {"trade": in_process("trade", frames), "depth_2x10": in_process("depth10", frames)}
    }
    with serving() as port:
        document["loopback"] = {
            "flood_trade": over_loopback(port, "trade", "flood", frames * 5),
            "flood_depth_2x10": over_loopback(port, "depth10", "flood", frames),
            "paced_trade_5000_per_s": over_loopback(port, "trade", "paced", frames, 5_000),
            "paced_trade_5000_per_s_spinning": over_loopback(port, "trade", "paced", frames, 5_000, is_spinning=True),
            "bursts_of_1000_trades": over_loopback(port, "trade", "burst", frames, 1_000, 100_000),
        }
    return document
