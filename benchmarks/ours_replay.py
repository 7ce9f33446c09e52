"""Our side of the replay, one mode a process: what `streamtrader bench replay` measures, as `run_peers` wants it."""

from __future__ import annotations

import argparse
import time
from typing import Any

from benchmarks.results import emit, seconds_of
from streamtrader.bench.data import ROWS_PER_TICK, fingerprint, make_rows, make_ticks
from streamtrader.bench.events import row_events, tick_events
from streamtrader.bench.replay import MODES, engine_for, play


def main() -> None:
    started_cpu_s = time.process_time()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=MODES, default="trade")
    parser.add_argument("--count", type=int, default=2_000_000, help="ticks, or rows with --mode book")
    options = parser.parse_args()
    is_book = options.mode == "book"
    source: Any = make_rows(options.count) if is_book else make_ticks(options.count)
    events = row_events(source) if is_book else tick_events(source)
    compile_s, _ = seconds_of(lambda: play(engine_for(options.mode), events[: 100 * ROWS_PER_TICK]))
    engine = engine_for(options.mode)
    run_s = play(engine, events)
    seat = engine.state.seats[0]
    emit(
        {
            "bench": "replay", "who": "streamtrader", "mode": options.mode, "data": fingerprint(source),
            "events": int(engine.state.clock[0].event_count), "orders": int(seat.order_count),
            "fills": int(seat.fill_count), "refused": int(seat.refused_count), "fees": float(seat.fees),
            "rows_per_s": round(len(events) / run_s), "ticks_per_s": None if is_book else round(options.count / run_s),
            "run_s": round(run_s, 4), "compile_s": round(compile_s, 3), "start_cpu_s": round(started_cpu_s, 3),
        }
    )  # fmt: skip


if __name__ == "__main__":
    main()
