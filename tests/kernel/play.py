"""Markets written as a script, engines to play them, and what came of it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np

from streamtrader.events import ASK, BID, EVENT, MORE, TOP, BookState, Kind
from streamtrader.instruments import Instrument
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.runtime.assembly import Placement, Terms, assemble
from streamtrader.runtime.loading import class_sources, loop_sources
from tests.kernel import players

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
SECOND = 1_000_000_000
BTC = Instrument("test", "BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.001"), Decimal(5), 1.0, 5.0)
ETH = Instrument("test", "ETHUSDT", "ETH", "USDT", Decimal("0.1"), Decimal("0.01"), Decimal(5), -0.5, 4.0)
NAMES = ("venue_ns", "received_ns", "a", "b", "c", "d", "id", "instrument", "kind", "side", "flags")


class Script:
    """Events in the order in which they are written; `at` sets the clock in milliseconds since the start."""

    def __init__(self) -> None:
        self.rows = []
        self.now_ns = START_NS

    def at(self, milliseconds):
        self.now_ns = START_NS + round(milliseconds * MS)
        return self

    def add(self, kind, *words, side=0, flags=0, id=0, instrument=0):  # noqa: A002 - the field's name
        a, b, c, d = [*map(float, words), 0.0, 0.0, 0.0, 0.0][:4]
        self.rows.append((self.now_ns, self.now_ns, a, b, c, d, id, instrument, int(kind), side, flags))
        return self

    def trade(self, price, size, side, *, is_volume_only=False, **more):
        return self.add(Kind.TRADE, price, size, is_volume_only, side=side, **more)

    def level(self, side, price, size, *, more=False, top=False, **rest):
        flags = (MORE if more else 0) | (TOP if top else 0)
        return self.add(Kind.BOOK, price, size, side=side, flags=flags, **rest)

    def message(self, levels, **rest):
        """Levels (side, price, size) of one message."""
        for at, (side, price, size) in enumerate(levels):
            self.level(side, price, size, more=at + 1 < len(levels), **rest)
        return self

    def book(self, bids, asks, **rest):
        """A snapshot: (price, size) of each side, best first; the book is live afterwards."""
        self.add(Kind.BOOK_CLEAR, flags=MORE, **rest)
        self.message([(BID, *level) for level in bids] + [(ASK, *level) for level in asks], **rest)
        return self.link(BookState.LIVE, **rest)

    def quotes(self, bid, bid_size, ask, ask_size, **rest):
        """Both sides of a best-quote feed, as levels."""
        self.level(BID, bid, bid_size, more=True, top=True, **rest)
        return self.level(ASK, ask, ask_size, top=True, **rest)

    def link(self, state, **rest):
        return self.add(Kind.LINK, float(state), **rest)

    def timer(self):
        return self.add(Kind.TIMER)

    def command(self, code):
        return self.add(Kind.COMMAND, float(code))

    def events(self):
        events = np.zeros(len(self.rows), EVENT)
        for name, column in zip(NAMES, zip(*self.rows, strict=True), strict=True):
            events[name] = column
        return events


def planned(*plan):
    """A strategy that follows (milliseconds, what, side, size, limit, options); missing ends are zero."""
    lines = [(line[0] * MS, *line[1:], *[0.0] * (6 - len(line))) for line in plan]
    return players.Planned(lines, START_NS)


def engine_of(placements, terms=None, *, instruments=(BTC, ETH), interpreted=False):
    """An engine; compiled kernels are kept on disk, under one name for all tests."""
    terms = terms or Terms()
    if interpreted:
        return assemble(instruments, placements, terms, interpreted=True)
    return assemble(
        instruments, placements, terms,
        loop_sources=loop_sources(), class_sources=[*class_sources(()), Path(players.__file__)],
    )  # fmt: skip


def play(engine, events, *, mask=-1, start=0, stop=None, cuts=()):
    """Play up to each cut and then to the end, draining whenever the engine pauses; returns what it said."""
    said = [engine.drain()]
    stop = len(events) if stop is None else stop
    for upto in [*sorted(cut for cut in cuts if start < cut < stop), stop]:
        while start < upto:
            start = engine.play(events, mask, start, upto)
            said.append(engine.drain())
    return np.concatenate(said)


def states(engine):
    return {name: array.tobytes() for name, array in engine.arrays().items()}


class Outcome(NamedTuple):
    engine: object
    said: np.ndarray

    @property
    def seat(self):
        return self.engine.state.seats[0]

    @property
    def venue(self):
        return self.engine.state.seats[0].venue

    @property
    def strategy(self):
        box = self.engine.strategy_boxes[0]
        return box[0]

    def rows(self, *kinds, seat=0):
        """What the engine said of these kinds."""
        return self.said[np.isin(self.said["kind"], [int(kind) for kind in kinds]) & (self.said["seat"] == seat)]

    def fills(self, seat=0):
        """(milliseconds, ticks, lots) of every fill."""
        rows = self.rows(OutboxKind.FILLED, seat=seat)
        return [((int(at) - START_NS) / MS, int(t), int(n)) for at, t, n in rows[["at_ns", "ticks", "lots"]].tolist()]

    def refusals(self, seat=0):
        return self.rows(OutboxKind.REFUSED, seat=seat)["code"].tolist()

    def seen(self, kind=None):
        """What a planned strategy wrote down: (kind, milliseconds, word, word, position, cash)."""
        rows = self.strategy.seen[: int(self.strategy.seen_count)]
        rows = rows[rows[:, 0] == float(kind)] if kind is not None else rows
        return [(int(row[0]), row[1] / MS, *row[2:].tolist()) for row in rows]


# The venue of the tests that are worked out by hand: an order is 20 ms on its way, its answer 10 ms.
TERMS = Terms(cash_quote=100_000.0)


def run(script, *strategies, rules=lambda: (), terms=TERMS, instruments=(BTC, ETH)):
    """A seat a strategy on the first instrument; compiled and uncompiled must agree in every byte.

    `strategies` are functions that make them, so that each engine has its own.
    """
    events = script.events() if isinstance(script, Script) else script
    outcomes = []
    for interpreted in (False, True):
        placements = [Placement(make(), 0, rules()) for make in strategies]
        engine = engine_of(placements, terms, instruments=instruments, interpreted=interpreted)
        outcomes.append(Outcome(engine, play(engine, events)))
    fast, slow = outcomes
    assert fast.said.tobytes() == slow.said.tobytes()
    assert states(fast.engine) == states(slow.engine)
    assert not fast.engine.state.seats["blotter"]["illegal_count"].any()
    return fast
