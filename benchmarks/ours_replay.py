"""Our side of the replay: the same ticks and rows through the engine that live and paper trading use.

    trade    EmaCross(12, 26) with market orders, four risk rules, simulated venue and account, a fee of 0.1 %
    book     every row kept in the book, best bid and ask read after each by a compiled strategy
    python   a plain Python strategy called on every trade
    candles  a plain Python strategy woken by one-minute candles and its fills only

Compiled kernels come from the disk cache when they are there; `compile_s` is what making the engine ready took.
"""

from __future__ import annotations

import argparse
import time
from decimal import Decimal
from typing import Any, NamedTuple

from benchmarks.data import ORDER_SIZE, ROWS_PER_TICK, fingerprint, make_rows, make_ticks
from benchmarks.events import Events, row_events, tick_events
from benchmarks.results import emit, seconds_of
from benchmarks.strategies import CountTrades, ReadBest
from streamtrader.instruments import Instrument
from streamtrader.risk import MaxNotional, MaxOrderRate, MaxPosition, PriceBand, RiskRule
from streamtrader.runtime.assembly import Engine, Placement, Terms, assemble
from streamtrader.runtime.loading import class_sources, loop_sources
from streamtrader.strategies import CandleMomentum, EmaCross, PythonStrategy, Strategy
from streamtrader.units import NS_PER_S

INSTRUMENT = Instrument("benchmark", "BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.001"))
CASH_QUOTE = 10_000_000.0
MODES = ("trade", "book", "python", "candles")


class Played(NamedTuple):
    """What one pass over the events came to."""

    orders: int
    fills: int
    refused: int
    fees: float


def rules() -> list[RiskRule]:
    """Four that are asked on every order and refuse none here."""
    return [MaxPosition(1.0), MaxNotional(1_000_000.0), PriceBand(50.0), MaxOrderRate(1000, NS_PER_S)]


def strategy_for(mode: str) -> Strategy | PythonStrategy:
    match mode:
        case "trade":
            return EmaCross(size=ORDER_SIZE)
        case "book":
            return ReadBest()
        case "python":
            return CountTrades()
        case _:
            return CandleMomentum(size=ORDER_SIZE)


def engine_for(mode: str) -> Engine:
    """One seat on one instrument, no latency, as the rivals are set up."""
    strategy, asked = strategy_for(mode), rules()
    candle_ns = 60 * NS_PER_S if mode == "candles" else 0
    return assemble(
        [INSTRUMENT],
        [Placement(strategy, 0, asked)],
        Terms(cash_quote=CASH_QUOTE, up_latency_ns=0, down_latency_ns=0, candle_ns=candle_ns),
        loop_sources=loop_sources(),
        class_sources=class_sources({type(strategy), *map(type, asked)}),
    )


def play(engine: Engine, events: Events) -> Played:
    """Play everything, emptying the outbox whenever the engine pauses for it, as a replay does."""
    at = 0
    while at < len(events):
        at = engine.play(events, -1, at, len(events))
        engine.drain()
    seat = engine.state.seats[0]
    return Played(int(seat.order_count), int(seat.fill_count), int(seat.refused_count), float(seat.fees))


def main() -> None:
    started_cpu_s = time.process_time()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=MODES, default="trade")
    parser.add_argument("--count", type=int, default=2_000_000, help="ticks, or rows with --mode book")
    options = parser.parse_args()
    is_book = options.mode == "book"
    source: Any = make_rows(options.count) if is_book else make_ticks(options.count)
    events = row_events(source) if is_book else tick_events(source)
    compile_s, _ = seconds_of(lambda: play(engine_for(options.mode), events[: 100 * ROWS_PER_TICK]))
    engine = engine_for(options.mode)
    run_s, played = seconds_of(lambda: play(engine, events))
    emit(
        {
            "bench": "replay", "who": "streamtrader", "mode": options.mode, "data": fingerprint(source),
            "events": int(engine.state.clock[0].event_count), **played._asdict(),
            "rows_per_s": round(len(events) / run_s), "ticks_per_s": None if is_book else round(options.count / run_s),
            "run_s": round(run_s, 4), "compile_s": round(compile_s, 3), "start_cpu_s": round(started_cpu_s, 3),
        }
    )  # fmt: skip


if __name__ == "__main__":
    main()
