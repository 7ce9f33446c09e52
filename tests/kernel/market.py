"""Markets that hypothesis makes up: like recorded ones, prices bounded and no book crossed at a message's end."""

from __future__ import annotations

from hypothesis import strategies as st

from streamtrader.events import ASK, BID, BookState, Command, Kind
from tests.kernel.play import Script

# Milliseconds between messages: bursts, the latencies themselves, a quiet spell, a clock that runs backwards.
GAPS = (0, 0, 0.001, 0.5, 3, 10, 20, 25, 400, 1_500, 7_000, -2)
STEPS = st.tuples(st.sampled_from(GAPS), st.integers(0, 15), st.integers(-4, 4), st.integers(1, 900))
WALKS = st.lists(STEPS, min_size=15, max_size=90)
TICKS, LOTS = (100, 10), (1000, 100)


class Sketch:
    """Draws one step of a walk after the other into a script. Instrument 0 has depth, 1 best quotes only."""

    def __init__(self, *, has_commands=True) -> None:
        self.script = Script().at(1)
        self.books = {BID: {}, ASK: {}}
        self.middle = 10_000
        self.touch = 10_000
        self.now_ms = 1.0
        self.id = 0
        self.has_commands = has_commands
        self.snapshot()

    def price(self, ticks, instrument=0):
        return ticks / TICKS[instrument]

    def levels(self, changes):
        """One message about the deep book; the levels that it runs through go in the same message."""
        rows = []
        for side, ticks, lots in changes:
            other = self.books[1 - side]
            for gone in [each for each in other if lots and (each <= ticks if side == BID else each >= ticks)]:
                del other[gone]
                rows.append((1 - side, self.price(gone), 0.0))
            if lots:
                self.books[side][ticks] = lots
            else:
                self.books[side].pop(ticks, None)
            rows.append((side, self.price(ticks), lots / 1000))
        self.id += 1
        self.script.message(rows, id=self.id)

    def snapshot(self):
        self.books = {
            side: {self.middle + sign * step: 300 + 170 * step for step in range(1, 6)}
            for side, sign in ((BID, -1), (ASK, 1))
        }
        bids, asks = (
            sorted(
                ((self.price(ticks), lots / 1000) for ticks, lots in self.books[side].items()), reverse=side == BID
            )
            for side in (BID, ASK)
        )
        self.script.book(bids, asks)

    def best(self, side):
        levels = self.books[side]
        return (max if side == BID else min)(levels) if levels else self.middle

    def step(self, gap_ms, what, offset, size):
        self.now_ms += gap_ms
        script = self.script.at(self.now_ms)
        side = size % 2
        if what <= 3:  # a trade at a touch, sometimes through it
            ticks = self.best(1 - side) + (offset if what == 3 else 0)
            script.trade(self.price(ticks), size / 1000, side, is_volume_only=size % 5 == 0, id=self.id)
        elif what <= 6:
            sign = -1 if side == BID else 1
            self.levels([(side, self.middle + sign * (1 + abs(offset)), size if what < 6 else 0)])
        elif what == 7:
            self.middle = min(max(self.middle + offset, 9_000), 11_000)
            self.levels([(BID, self.middle - 1, size), (ASK, self.middle + 1, size + 5)])
        elif what <= 9:
            self.touch = min(max(self.touch + offset, 9_000), 11_000)
            script.quotes(self.price(self.touch, 1), size / 100, self.price(self.touch + 2, 1), 3.0, instrument=1)
        elif what <= 11:
            script.trade(self.price(self.touch + 2 * (1 - side), 1), size / 100, side, instrument=1)
        elif what == 12:
            script.add(Kind.QUOTE, self.price(self.middle - 1), 1.0, self.price(self.middle + 1), 1.0)
        elif what == 13:
            script.timer()
        elif what == 14:
            states = (BookState.LIVE, BookState.LIVE, BookState.GAP, BookState.STALE)
            script.link(states[size % 4], instrument=size % 2)
        elif offset == 0:
            self.snapshot()
        elif self.has_commands:
            script.command((Command.RESUME, Command.PAUSE, Command.RESUME, Command.FLATTEN)[size % 4])


def events_of(walk, **options):
    sketch = Sketch(**options)
    for step in walk:
        sketch.step(*step)
    return sketch.script.at(sketch.now_ms + 100).timer().events()
