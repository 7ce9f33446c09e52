"""Replay, measured: the same seeded ticks and rows through the engine that live and paper trading use.

    trade    EmaCross(12, 26) with market orders, four risk rules, simulated venue and account, a fee of 0.1 %
    resting  the same with four orders resting all the time, the probabilistic queue, and a margin account at 5 x
    book     every row kept in the book, best bid and ask read after each by a compiled strategy
    python   a plain Python strategy called on every trade
    candles  a plain Python strategy woken by one-minute candles and its fills only

A rate is that of the loop alone, as medians over repeats in one process; other programs on the machine show.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np

from streamtrader.bench.data import ORDER_SIZE, ROWS_PER_TICK, make_rows, make_ticks
from streamtrader.bench.events import Events, row_events, tick_events
from streamtrader.bench.strategies import CountTrades, CrossAndRest, OrderOnEveryTrade, ReadBest
from streamtrader.events import BUY, SELL, Kind
from streamtrader.instruments import Instrument
from streamtrader.risk import MaxNotional, MaxOrderRate, MaxPosition, PriceBand, RiskRule
from streamtrader.runtime.accounts import AccountTerms
from streamtrader.runtime.assembly import Placement, Terms, assemble
from streamtrader.runtime.engine import Engine
from streamtrader.runtime.loading import class_sources, loop_sources
from streamtrader.simulator.queue import Queue
from streamtrader.strategies import CandleMomentum, EmaCross, PythonStrategy, Strategy
from streamtrader.units import NS_PER_S

INSTRUMENT = Instrument("benchmark", "BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.001"))
CASH_QUOTE = 10_000_000.0
MODES = ("trade", "resting", "book", "python", "candles", "orders")
SCALE_EVENTS = 300_000
ORDER_SAMPLE = 10_000


def rules() -> list[RiskRule]:
    """Four that are asked on every order and refuse none here."""
    return [MaxPosition(1.0), MaxNotional(1_000_000.0), PriceBand(50.0), MaxOrderRate(1000, NS_PER_S)]


def strategy_for(mode: str) -> Strategy | PythonStrategy:
    """What the mode is about."""
    match mode:
        case "trade":
            return EmaCross(size=ORDER_SIZE)
        case "resting":
            return CrossAndRest(ORDER_SIZE)
        case "book":
            return ReadBest()
        case "python":
            return CountTrades()
        case "orders":
            return OrderOnEveryTrade(ORDER_SIZE)
        case _:
            return CandleMomentum(size=ORDER_SIZE)


def engine_for(mode: str, *, instruments: int = 1, copies: int = 1) -> Engine:
    """A seat for every copy on every instrument; no latency, as rivals are set up."""
    asked = rules()
    placements = [Placement(strategy_for(mode), at, rules()) for at in range(instruments) for _ in range(copies)]
    candle_ns = 60 * NS_PER_S if mode == "candles" else 0
    terms = Terms(cash_quote=CASH_QUOTE, up_latency_ns=0, down_latency_ns=0, candle_ns=candle_ns)
    if mode == "resting":
        terms = replace(terms, queue=int(Queue.POWER), account=AccountTerms(leverage=5.0))
    return assemble(
        [INSTRUMENT] * instruments,
        placements,
        terms,
        loop_sources=loop_sources(),
        class_sources=class_sources({type(placements[0].strategy), *map(type, asked)}),
    )


def play(engine: Engine, events: Events, start: int = 0, stop: int | None = None) -> float:
    """Play everything, emptying the outbox whenever the engine pauses for it, as a replay does; seconds taken."""
    at, end = start, len(events) if stop is None else stop
    started_s = time.perf_counter()
    while at < end:
        at = engine.play(events, -1, at, end)
        engine.drain()
    return time.perf_counter() - started_s


def rate_of(mode: str, events: Events, repeats: int) -> tuple[float, Engine]:
    """Events a second, the median of several runs over fresh engines; and the last engine."""
    play(engine_for(mode), events[: 100 * ROWS_PER_TICK])
    seconds = []
    for _ in range(repeats):
        engine = engine_for(mode)
        seconds.append(play(engine, events))
    return len(events) / statistics.median(seconds), engine


def order_cost(ticks: int) -> dict[str, float]:
    """What an order costs at the beginning and at the end of very many: their ratio should be one."""
    events = tick_events(make_ticks(ticks))
    engine = engine_for("orders")
    play(engine, events[:0])
    sample = ORDER_SAMPLE * ROWS_PER_TICK
    warm = sample  # the first orders also warm the caches
    play(engine, events, 0, warm)
    first_s = play(engine, events, warm, warm + sample)
    play(engine, events, warm + sample, len(events) - sample)
    last_s = play(engine, events, len(events) - sample, len(events))
    orders = int(engine.state.seats[0].order_count)
    return {"orders": orders, "first_ns": first_s / ORDER_SAMPLE * 1e9, "last_ns": last_s / ORDER_SAMPLE * 1e9}


def feed_of(count: int) -> Events:
    """A feed as venues send them: nineteen rows of the book for every trade, at the middle of it."""
    events = row_events(make_rows(count))
    trades = make_ticks(len(events[::20]))
    picked = events[::20]
    picked["kind"], picked["flags"] = Kind.TRADE, 0
    picked["side"] = np.where(trades.is_buy == 1, BUY, SELL)
    picked["a"] = 50_000.0 + (trades.price_cents % 100) / 100.0
    picked["b"] = trades.size_thousandths / 1000.0
    return events


def lasting_s(engine: Engine, events: Events) -> float:
    """Seconds for these events the second time, later: the first time the system brings the memory, a page at a time."""
    again = events.copy()
    span_ns = int(events["received_ns"][-1] - events["received_ns"][0]) + 1
    for clock in ("received_ns", "venue_ns"):
        again[clock] += span_ns
    play(engine, events)
    return play(engine, again)


def scale(repeats: int) -> dict[str, dict[str, float]]:
    """Nanoseconds an event by number of instruments, and by instances on one feed."""
    base = feed_of(SCALE_EVENTS)
    by_instruments, by_instances = {}, {}
    for count in (1, 50, 500):
        events = np.repeat(base[: len(base) // count], count)
        events["instrument"] = np.tile(np.arange(count, dtype=np.uint32), len(events) // count)
        engines = [engine_for("trade", instruments=count) for _ in range(repeats)]
        by_instruments[str(count)] = statistics.median(lasting_s(engine, events) for engine in engines) / len(events) * 1e9
    for count in (1, 100, 500):
        engines = [engine_for("trade", copies=count) for _ in range(repeats)]
        by_instances[str(count)] = statistics.median(play(engine, base) for engine in engines) / len(base) * 1e9
    return {"ns_per_event_by_instruments": by_instruments, "ns_per_event_by_instances": by_instances}


def measure(*, ticks: int, book_rows: int, repeats: int) -> dict[str, Any]:
    """Everything, as one document."""
    tick_rows, rows = tick_events(make_ticks(ticks)), row_events(make_rows(book_rows))
    trade_rate, engine = rate_of("trade", tick_rows, repeats)
    resting_rate, resting = rate_of("resting", tick_rows, repeats)
    book_rate, _ = rate_of("book", rows, repeats)
    some = tick_rows[: min(len(tick_rows), 200_000 * ROWS_PER_TICK)]
    python_rate, _ = rate_of("python", some, repeats)
    candle_rate, _ = rate_of("candles", tick_rows, repeats)
    cost = order_cost(min(ticks, 1_000_000))
    return {
        "ticks_per_s": round(trade_rate / ROWS_PER_TICK),
        "rows_per_s": round(trade_rate),
        "orders": int(engine.state.seats[0].order_count),
        "fills": int(engine.state.seats[0].fill_count),
        "resting_rows_per_s": round(resting_rate),
        "resting_share_of_rows_per_s": round(resting_rate / trade_rate, 3),
        "resting_orders": round(float(resting.strategy_boxes[0][0].rested) / ticks, 2),
        "book_rows_per_s": round(book_rate),
        "python_every_tick_ticks_per_s": round(python_rate / ROWS_PER_TICK),
        "python_candles_rows_per_s": round(candle_rate),
        "python_candles_share_of_compiled": round(candle_rate / trade_rate, 3),
        "order_cost": {name: round(value, 1) for name, value in cost.items()},
        "order_cost_last_over_first": round(cost["last_ns"] / cost["first_ns"], 3),
        "scale": {
            name: {count: round(value, 1) for count, value in values.items()}
            for name, values in scale(max(1, repeats // 2)).items()
        },
    }
