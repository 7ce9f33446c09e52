"""A small seeded market for strategies: best quotes every 100 ms, trades between them, written straight as events."""

from decimal import Decimal

import numpy as np

from streamtrader.events import ASK, BID, BUY, EVENT, MORE, SELL, TOP, BookState, Kind
from streamtrader.instruments import Instrument
from streamtrader.runtime.assembly import Placement, Terms, assemble
from streamtrader.runtime.loading import class_sources, loop_sources

INSTRUMENT = Instrument(
    venue="test", symbol="BTCUSDT", base="BTC", quote="USDT", price_tick=Decimal("0.1"), size_lot=Decimal("0.0001"),
    minimum_notional=Decimal(5), maker_fee_bps=1.0, taker_fee_bps=5.0,
)  # fmt: skip
START_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000


def row(now_ns, kind, *, a=0.0, b=0.0, c=0.0, side=0, flags=0):
    return (now_ns, now_ns, a, b, c, 0.0, 0, 0, kind, side, flags)


def link(now_ns, state):
    return [row(now_ns, Kind.LINK, a=float(state))]


def quotes(now_ns, bid, bid_size, ask, ask_size):
    return [
        row(now_ns, Kind.BOOK, a=bid, b=bid_size, side=BID, flags=TOP | MORE),
        row(now_ns, Kind.BOOK, a=ask, b=ask_size, side=ASK, flags=TOP),
    ]


def trade(now_ns, price, size, side, *, is_volume_only=False):
    return [row(now_ns, Kind.TRADE, a=price, b=size, c=float(is_volume_only), side=side)]


def events_of(rows):
    names = ("venue_ns", "received_ns", "a", "b", "c", "d", "id", "instrument", "kind", "side", "flags")
    events = np.zeros(len(rows), EVENT)
    for name, column in zip(names, zip(*rows, strict=True), strict=True):
        events[name] = column
    return events


def lively_market(steps, seed):
    """A walk of the touches by up to three ticks; sizes at them that are often thin; a trade at either side."""
    generator = np.random.default_rng(seed)
    rows, middle, now_ns = link(START_NS, BookState.LIVE), 600_000, START_NS
    for _ in range(steps):
        now_ns += STEP_NS
        middle += int(generator.integers(-3, 4))
        bid, ask = (middle - 1) / 10, (middle + 1) / 10
        sizes = generator.integers(1, 120, 2) / 1e4
        rows += quotes(now_ns, bid, sizes[0], ask, sizes[1])
        side = BUY if generator.random() < 0.5 else SELL
        size = int(generator.integers(1, 60)) / 1e4
        rows += trade(now_ns + STEP_NS // 2, ask if side == BUY else bid, size, side)
    return events_of(rows)


def play(events, *strategies, rules=(), interpreted=False, candle_ns=0):
    """One seat a strategy; the engine afterwards, and all that it said.

    Kernels are kept on disk, but for classes that no file can be told of.
    """
    placements = [Placement(strategy, 0, rules) for strategy in strategies]
    classes = {type(each) for each in (*strategies, *rules)}
    kept = all(cls.__module__.startswith("streamtrader.") for cls in classes)
    engine = assemble(
        [INSTRUMENT], placements, Terms(candle_ns=candle_ns), interpreted=interpreted,
        loop_sources=loop_sources(), class_sources=class_sources(classes) if kept else (),
    )  # fmt: skip
    at, said = 0, []
    while at < len(events):
        at = engine.play(events, -1, at, len(events))
        said.append(engine.drain())
    return engine, np.concatenate(said)
