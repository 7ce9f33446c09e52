"""The market of Avellaneda and Stoikov (2008, section 3.3) as events for the engine, and many paths of it.

The paper gives, in each step of dt, an order of ours at the distance d from the middle a chance of A exp(-k d) dt to
be filled whole, bid and ask independently, and then moves the middle by sigma sqrt(dt) up or down. Here a step is
four rows: the best bid and ask, so far from the middle that no quote reaches them; then a buyer and a seller, who go
to the distance D = (ln(A dt) - ln U) / k beyond the middle, U uniform. D >= d has exactly that chance (1 where it is
more): with probability A dt they come as far as the middle and then go exponentially far, and a quote that inventory
has driven to the wrong side of the middle meets more of them, as in the paper.

Without latency an order that is asked for at the book of a step is at the venue before the next row: orders meet the
next event. So the two traders of a step meet the quotes of that step, and the fills are known at the next book.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from streamtrader.events import ASK, BID, BUY, EVENT, MORE, SELL, TOP, Kind
from streamtrader.instruments import Instrument
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.runtime.assembly import Placement, Terms, assemble
from streamtrader.runtime.loading import class_sources, loop_sources
from streamtrader.strategies import AvellanedaStoikov

PRICE, SIGMA, A, K, STEPS = 100.0, 2.0, 140.0, 1.5, 200
STEP_NS = 5_000_000  # 0.005 of the session of one second: the unit of time is the second
START_NS = 1_700_000_000_000_000_000
TICKS_PER_UNIT = 100_000
FAR = 50.0  # of the displayed touches from the middle
ROWS = 4 * STEPS + 1
NO_FEES = Terms(cash_quote=1e6, up_latency_ns=0, down_latency_ns=0, maker_fee_bps=0.0, taker_fee_bps=0.0)
UNIT = Instrument("test", "UNIT", "UNIT", "USD", Decimal(1) / TICKS_PER_UNIT, Decimal(1))


class Outcomes(NamedTuple):
    """One number a path."""

    profits: np.ndarray
    positions: np.ndarray


def market_of(paths, generator):
    """Events of so many paths, [path, row], and the middle after the last step of each."""
    dt = STEP_NS / 1e9
    moves = np.where(generator.random((paths, STEPS)) < 0.5, 1.0, -1.0) * SIGMA * math.sqrt(dt)
    middles = PRICE + np.concatenate((np.zeros((paths, 1)), moves.cumsum(axis=1)), axis=1)
    distances = (math.log(A * dt) - np.log1p(-generator.random((paths, STEPS, 2)))) / K
    events = np.zeros((paths, ROWS), EVENT)
    steps = events[:, :-1].reshape(paths, STEPS, 4)
    clock = START_NS + np.arange(STEPS)[:, None] * STEP_NS + np.array([0, 0, 1_000, 2_000])
    middle = middles[:, :-1]
    steps["venue_ns"] = steps["received_ns"] = clock
    steps["kind"] = (Kind.BOOK, Kind.BOOK, Kind.TRADE, Kind.TRADE)
    steps["side"] = (BID, ASK, BUY, SELL)
    steps["flags"] = (TOP | MORE, TOP, 0, 0)
    steps["b"] = 1.0  # as much as an order of ours
    reached = middle + distances[..., 0], middle - distances[..., 1]
    steps["a"] = np.stack((middle - FAR, middle + FAR, *reached), axis=2)
    last = events[:, -1]  # the answers to the last step come with time
    last["venue_ns"] = last["received_ns"] = START_NS + STEPS * STEP_NS - 1
    last["kind"] = Kind.TIMER
    return events, middles[:, -1]


def engine_of(strategy, *, interpreted=False):
    sources = {} if interpreted else {"loop_sources": loop_sources(), "class_sources": class_sources(())}
    return assemble([UNIT], [Placement(strategy, 0)], NO_FEES, interpreted=interpreted, **sources)


def maker(gamma, *, is_symmetric=False):
    return AvellanedaStoikov(
        gamma=gamma, k=K, volatility=SIGMA, horizon_s=1.0, size=1.0, limit=1_000.0, is_symmetric=is_symmetric
    )


def play(engine, events):
    """What the engine said over one path; a batch stops where its outbox is half full."""
    at, said = 0, []
    while at < len(events):
        at = engine.play(events, -1, at, len(events))
        said.append(engine.drain())
    return np.concatenate(said)


def outcome_of(said, last_middle):
    """Profit and position from the fills alone."""
    fills = said[said["kind"] == OutboxKind.FILLED]
    signed = np.where(fills["side"] == BUY, 1.0, -1.0) * fills["lots"]
    position = signed.sum()
    return position * last_middle - (signed * (fills["ticks"] / TICKS_PER_UNIT)).sum(), position


def simulate(strategy, paths, seed):
    """Play every path from the same first bytes of the engine."""
    engine = engine_of(strategy)
    first = {name: array.copy() for name, array in engine.arrays().items()}
    generator = np.random.default_rng(seed)
    outcomes = []
    for start in range(0, paths, 500):
        events, lasts = market_of(min(500, paths - start), generator)
        for path, last in zip(events, lasts, strict=True):
            engine.restore(first)
            outcomes.append(outcome_of(play(engine, path), last))
    return Outcomes(*np.array(outcomes).T)
