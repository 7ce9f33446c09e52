"""A market that hypothesis makes up, told to a twin and to an engine in the same words: a book that is never crossed."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from streamtrader.events import BID, MORE, BookState, Kind
from tests.kernel.play import MS, START_NS, Script
from tests.twin.kernel import Kernel
from tests.twin.venue import STOP, TAKE_PROFIT, TRAILING
from tests.twin.world import World

LOW, HIGH = 9_998, 10_002
DEPTH, TOPS, QUOTES = "depth", "tops", "quotes"
WAYS_MS = ((0, 0), (20, 10), (1, 40), (0, 10), (10, 0))
gaps = st.sampled_from((0, 0, 1, 5, 10, 20, 35, 1_000, 3_600_000))
sides = st.sampled_from((0, 1))
prices = st.integers(LOW, HIGH)
limits = st.one_of(st.just(0), prices, prices)
sizes = st.integers(1, 6)
rarely = st.sampled_from((False, False, False, True))
seldom = st.sampled_from((False,) * 7 + (True,))
triggers = st.one_of(
    st.tuples(st.sampled_from((STOP, TAKE_PROFIT)), prices, st.just(0)),
    st.tuples(st.just(TRAILING), st.just(0), st.integers(1, 3)),
)


class Market(RuleBasedStateMachine):
    """`world` has the clock and the book of the twin; `kernel` is the engine beside it."""

    feed = DEPTH
    least_ns = 0  # between two events, beside the gap
    world: World
    kernel: Kernel

    def open(self) -> None:
        """The first events: the book is believed and a price is known."""
        self.now_ns = START_NS
        if self.feed == DEPTH:
            self.play(self.script(0).add(Kind.BOOK_CLEAR, flags=MORE).link(BookState.LIVE))
        else:
            self.show(0, BID, 10_000, 1)
        self.trade(0, 0, 10_000, 1, is_volume_only=False)

    def script(self, gap_ms) -> Script:
        """At the next moment, with all that happens before it done by the twin."""
        self.now_ns += gap_ms * MS + self.least_ns
        self.world.pass_until(self.now_ns)
        return Script().at((self.now_ns - START_NS) / MS)

    def play(self, script) -> None:
        """Play it with the engine, and check what that says."""
        raise AssertionError("each machine checks something else")

    def tell(self, script) -> None:
        """An event that gives the strategy a turn."""
        self.world.turn(self.world.wishes)
        self.play(script)

    def display(self, levels, how) -> list[tuple[int, float, float]]:
        """Row by row: an answer that is due at the same moment comes before the next row."""
        for level in levels:
            self.world.pass_until(self.now_ns)
            how(self.now_ns, *level)
        return [(side, ticks / 100, size / 10) for side, ticks, size in levels]

    @rule(gap=gaps, side=sides, ticks=prices, size=st.integers(0, 6))
    def show(self, gap, side, ticks, size) -> None:
        """A level is shown; what it would cross goes, or moves, in the same message."""
        script, venue = self.script(gap), self.world.venue
        if self.feed == QUOTES:
            tops = self.tops(side, ticks, size)
            venue.quote(self.now_ns, tops)
            (bid, bid_lots), (ask, ask_lots) = tops
            script.add(Kind.QUOTE, bid / 100, bid_lots / 10, ask / 100, ask_lots / 10)
        elif self.feed == TOPS:
            levels = [(at, *top) for at, top in enumerate(self.tops(side, ticks, size))]
            script.message(self.display(levels, venue.show_only), top=True)
        else:
            crossed = [at for at in venue.shown[1 - side] if size and (at <= ticks if side == BID else at >= ticks)]
            levels = [(1 - side, at, 0) for at in sorted(crossed)] + [(side, ticks, size)]
            script.message(self.display(levels, venue.show))
        self.tell(script)

    def tops(self, side, ticks, size):
        """Both best levels when one of them changes."""
        other = next(iter(self.world.venue.shown[1 - side].items()), (ticks + 1 - 2 * side, 0))
        sign = 1 if side == BID else -1
        if (other[0] - ticks) * sign <= 0:
            other = (ticks + sign, other[1])
        return ((ticks, size), other) if side == BID else (other, (ticks, size))

    @precondition(lambda self: self.feed == DEPTH)
    @rule(gap=gaps, middle=prices, shown=st.lists(sizes, min_size=2, max_size=6))
    def show_all(self, gap, middle, shown) -> None:
        script = self.script(gap).add(Kind.BOOK_CLEAR, flags=MORE)
        self.world.venue.clear()
        levels = [(at % 2, middle + (1 + at // 2) * (2 * (at % 2) - 1), size) for at, size in enumerate(shown)]
        self.tell(script.message(self.display(levels, self.world.venue.show)))

    @rule(gap=gaps, side=sides, ticks=prices, size=st.integers(1, 8), is_volume_only=rarely)
    def trade(self, gap, side, ticks, size, is_volume_only) -> None:
        script = self.script(gap).trade(ticks / 100, size / 10, side, is_volume_only=is_volume_only)
        if not is_volume_only:
            self.world.venue.trade(self.now_ns, side, ticks, size)
        self.tell(script)

    @rule(gap=gaps, which=st.integers(0, 15), size=st.integers(1, 8))
    def trade_with_own(self, gap, which, size) -> None:
        """At the price of an own order, where most happens."""
        venue = self.kernel.seat.venue
        own = [venue.orders[at] for at in range(int(venue.count)) if venue.orders[at].is_resting]
        if own:
            order = own[which % len(own)]
            self.trade(gap, 1 - int(order.side), int(order.ticks), size, is_volume_only=False)

    @rule(gap=gaps)
    def wait(self, gap) -> None:
        self.play(self.script(gap).timer())
