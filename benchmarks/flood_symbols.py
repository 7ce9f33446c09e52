"""A mixed flood of 50 symbols over loopback: trades, best quotes and depth, as fast as TCP brings them; none may be lost.

    python -m benchmarks.flood_symbols --frames 200000

The whole way of a session's market data: socket, connection, adapter, ring, and the engine that keeps 50 books.
"""

from __future__ import annotations

import argparse
import asyncio
import time

import numpy as np

from benchmarks.results import busy_share, emit
from streamtrader.bench.frames import mixed_symbols
from streamtrader.bench.live import Loopback
from streamtrader.bench.replay import INSTRUMENT, engine_for
from streamtrader.bench.serving import serving
from streamtrader.bench.timing import loop_factory
from streamtrader.events import Kind
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.runtime.loading import scanner_for_frames
from streamtrader.venues.binance import SPOT
from streamtrader.venues.connection import Connection
from streamtrader.venues.venue import Endpoints

SYMBOLS = mixed_symbols(50)
CHANNELS = ("trade", "bookTicker", "depth@100ms")


class Player:
    """Plays what each read brought, and counts it by kind."""

    def __init__(self) -> None:
        self.ring = Ring()
        self.engine = engine_for("book", instruments=len(SYMBOLS))
        self.counts = np.zeros(32, np.int64)
        self.first_s = self.last_s = 0.0
        self.fill_ratio_max = 0.0

    def on_events(self) -> None:
        ring = self.ring
        first, last = ring.played, ring.written
        if first == last:
            return
        self.fill_ratio_max = max(self.fill_ratio_max, ring.fill_ratio)
        at = first
        while at < last:
            at = self.engine.play(ring.events, ring.mask, at, last)
            if self.engine.has_news:
                self.engine.drain()
        for part in ring.slices(first, last):
            self.counts += np.bincount(part["kind"], minlength=32)
        ring.played = ring.taped = last
        self.last_s = time.perf_counter()
        if not self.first_s and self.counts[Kind.TRADE]:
            self.first_s = self.last_s


def flood(port: int, count: int) -> dict:
    player = Player()
    listed = [
        Instrument("binance", name, name[:3], "USDT", INSTRUMENT.price_tick, INSTRUMENT.size_lot) for name in SYMBOLS
    ]
    venue = Loopback(
        listed,
        SPOT,
        scanner=scanner_for_frames(),
        channels=CHANNELS,
        endpoints=(Endpoints(f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{port}"),),
        is_stamped=True,
    )
    venue.path = f"/flood/mixed50/{count}"
    connection = Connection(venue, player.ring, player.on_events)
    cpu_s = -time.process_time()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(connection.run())
    cpu_s += time.process_time()
    counters, wall_s = venue.counters, player.last_s - player.first_s
    rounds, rest = divmod(count, 10 * len(SYMBOLS))
    assert rest == 0, "a multiple of 500"
    return {
        "frames": counters.frames,
        "lost": count - counters.frames,
        "trades_lost": rounds * 4 * len(SYMBOLS) - int(player.counts[Kind.TRADE]),
        "quotes_lost": rounds * 3 * len(SYMBOLS) - int(player.counts[Kind.QUOTE]),
        "levels_lost": rounds * 3 * len(SYMBOLS) * 20 + 2 * len(SYMBOLS) - int(player.counts[Kind.BOOK]),
        "gaps": counters.gaps,
        "rejected": counters.rejected,
        "books_synchronised": counters.snapshots,
        "delayed": connection.counters.delayed,
        "pauses": connection.counters.pauses,
        "ring_fill_max": round(player.fill_ratio_max, 3),
        "events": int(player.counts.sum()),
        "messages_per_s": round(count / wall_s),
        "events_per_s": round(player.counts.sum() / wall_s),
        "cpu_us_a_message": round(cpu_s / count * 1e6, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=200_000, help="a multiple of 500")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with serving() as port:
        flood(port, 5_000)  # compiles
        runs = [flood(port, options.frames) for _ in range(options.repeats)]
    runs.sort(key=lambda run: run["messages_per_s"])
    emit({"bench": "flood_symbols", "symbols": len(SYMBOLS), "busy": busy_share(), **runs[len(runs) // 2],
          "all_messages_per_s": [run["messages_per_s"] for run in runs]})  # fmt: skip


if __name__ == "__main__":
    main()
