"""Any sequence of orders and events: the engine fills, tells and pays what the slow exact twin does, step by step.

`nox -s twin` (STREAMTRADER_TWIN) makes a campaign of the short variant that the suite runs.
"""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from streamtrader.events import Kind
from tests.kernel.play import MS
from tests.kernel.purses import check_sums
from tests.twin.kernel import Kernel
from tests.twin.market import (
    QUOTES,
    TOPS,
    WAYS_MS,
    Market,
    gaps,
    limits,
    prices,
    rarely,
    seldom,
    sides,
    sizes,
    triggers,
)
from tests.twin.money import HOUR_NS, Loans
from tests.twin.seat import Amend, Ask, Cancel
from tests.twin.world import Terms, World

CAMPAIGN = int(os.environ.get("STREAMTRADER_TWIN", "0"))
LOANS = (
    None,
    Loans(Fraction(0.5), Fraction(0.25), Fraction(0.125)),
    Loans(Fraction(0.25), Fraction(0.5), is_first_at_once=True),
)
displays = st.sampled_from((0, 0, 1, 2))
ends_ns = st.sampled_from((0, 0, 0, 0, 1, 15, 60, 2_000)).map(lambda ms: ms * MS)
resting = st.builds(Ask, sides, prices, sizes, rarely, reduce_only=rarely, display=displays, lasts_ns=ends_ns)
taking = st.builds(
    Ask, sides, limits, st.integers(1, 12), immediate=st.just(True), all_or_none=st.booleans(), reduce_only=seldom
)
anything = st.builds(
    Ask, sides, limits, sizes, rarely, rarely, rarely, rarely, displays, ends_ns, st.one_of(st.none(), triggers)
)
MOST_OPEN = 16


def plain(row):
    """How much of it was rejected is not told in one way."""
    return row._replace(lots=0) if row.what == "rejected" else row


class Beside(Market):
    """The engine and its twin hear the same events and the same wishes."""

    interpreted = False  # both end in the same bytes, as other tests show
    is_agreed = False  # whether both said the same of the last event

    @initialize(ways=st.sampled_from(WAYS_MS), self_trade=st.integers(0, 3), loans=st.sampled_from(LOANS))
    def begin(self, ways, self_trade, loans) -> None:
        if self.feed == QUOTES:  # both sides at one moment: which of two own orders that cross comes first is nobody's word
            self_trade = self_trade or 1
        terms = Terms(ways[0] * MS, ways[1] * MS, self_trade, loans=loans)
        self.world, self.kernel = World(terms), Kernel(terms, interpreted=self.interpreted)
        self.open()

    def play(self, script) -> None:
        self.is_agreed = False
        heard = self.kernel.play(script)
        rows, self.world.rows = self.world.rows, []
        in_order = [sorted(map(plain, each), key=lambda row: (row.at_ns, row.order)) for each in (rows, heard.rows)]
        assert in_order[1] == in_order[0], f"\nengine {in_order[1]}\n  twin {in_order[0]}"
        fees, self.world.fees = self.world.fees, []
        assert sorted(heard.fees) == pytest.approx(sorted(map(float, fees)), rel=1e-12, abs=1e-15)
        charges, self.world.money.rows = self.world.money.rows, []
        assert [row[:2] for row in heard.charges] == [row[:2] for row in charges]
        assert [row[2] for row in heard.charges] == pytest.approx([float(row[2]) for row in charges], rel=1e-9)
        self.check_sizes()
        self.check_money()
        self.is_agreed = True

    def check_sizes(self) -> None:
        seat, world = self.kernel.seat, self.world
        assert int(seat.position_lots) == world.seat.position == world.money.lots
        assert int(seat.venue.position_lots) == world.venue.position
        assert self.kernel.ledger.position("BTCUSDT").size == world.money.position
        assert int(seat.blotter.illegal_count) == int(seat.venue.withheld_count) == 0
        assert int(seat.blotter.count) == len(world.seat.open)
        for side, working in enumerate((seat.working_buy_lots, seat.working_sell_lots)):
            assert int(working) == sum(o.working for o in world.seat.open.values() if o.is_sent and o.ask.side == side)

    def check_money(self) -> None:
        """Cash and position at the mark are what was there, realized and not, less fees and charges."""
        seat, money, ledger = self.kernel.seat, self.world.money, self.kernel.ledger
        assert money.equity() == money.explained()
        mark = float(self.kernel.market.mark_price())
        assert mark == pytest.approx(float(money.mark()), rel=1e-12)
        position, charged = ledger.position("BTCUSDT"), sum(money.charged.values())
        lots = int(seat.position_lots) * float(self.world.terms.lot)
        for engine, exact in (
            (seat.cash, money.cash), (seat.cost, money.cost), (seat.fees, money.fees), (seat.charges, charged),
            (float(seat.cash) + lots * mark, money.explained()), (ledger.cash, money.cash), (ledger.fees, money.fees),
            (position.realized, money.realized), (position.cost, money.cost),
        ):  # fmt: skip
            assert float(engine) == pytest.approx(float(exact), rel=0.0, abs=1e-9)

    # --- what the venue says of money ---

    @precondition(lambda self: self.world.terms.loans is None)
    @rule(gap=gaps, ticks=prices, rate=st.integers(-3, 3), hours=st.integers(0, 2), is_settled=rarely)
    def mark(self, gap, ticks, rate, hours, is_settled) -> None:
        """Rates are multiples of 1 / 1024; the forecast is for the end of this hour or a later one."""
        script, world, price = self.script(gap), self.world, ticks / 100
        next_ns = self.now_ns - self.now_ns % HOUR_NS + hours * HOUR_NS

        def take() -> None:
            world.told_mark = (self.now_ns, Fraction(price))

        world.money.hear_mark(self.now_ns, Fraction(rate, 1024), next_ns, is_settled=is_settled, take=take)
        self.play(script.add(Kind.MARK, price, 0.0, rate / 1024, float(is_settled), id=next_ns))

    # --- what the strategy asks for ---

    def wish(self, wish, is_late) -> None:
        for each in (self.world, self.kernel.strategy):
            (each.late_wishes if is_late else each.wishes).append(wish)

    def ask(self, wishes, *, is_late=False) -> None:
        waiting = len(self.world.wishes) + len(self.world.late_wishes)
        for wish in wishes[: max(0, MOST_OPEN - waiting - len(self.world.seat.open))]:
            self.wish(wish, is_late)

    @rule(wishes=st.lists(resting, min_size=1, max_size=3))
    def ask_to_rest(self, wishes) -> None:
        self.ask(wishes)

    @rule(one=resting, lots=st.lists(sizes, min_size=2, max_size=3))
    def ask_to_rest_together(self, one, lots) -> None:
        self.ask([replace(one, lots=each) for each in lots])

    @rule(wishes=st.lists(taking, min_size=1, max_size=2))
    def ask_to_take(self, wishes) -> None:
        self.ask(wishes)

    @rule(wishes=st.lists(anything, min_size=1, max_size=3))
    def ask_for_anything(self, wishes) -> None:
        self.ask(wishes)

    @rule(wishes=st.lists(st.one_of(resting, taking), min_size=1, max_size=3))
    def ask_when_an_answer_comes(self, wishes) -> None:
        self.ask(wishes, is_late=True)

    @rule(wishes=st.lists(st.one_of(resting, taking, anything), min_size=2, max_size=5))
    def ask_for_several(self, wishes) -> None:
        self.ask(wishes)

    @rule(which=st.integers(0, 15), is_late=rarely)
    def cancel(self, which, is_late) -> None:
        if self.world.seat.open:
            self.wish(Cancel(list(self.world.seat.open)[which % len(self.world.seat.open)]), is_late)

    @rule(which=st.integers(0, 15), size=st.integers(1, 8), ticks=limits, is_late=rarely)
    def amend(self, which, size, ticks, is_late) -> None:
        if self.world.seat.open:
            self.wish(Amend(list(self.world.seat.open)[which % len(self.world.seat.open)], size, ticks), is_late)

    def teardown(self) -> None:
        if self.is_agreed:
            self.play(self.script(10_000).timer())
            check_sums(self.kernel.engine)


class BesideTops(Beside):
    feed = TOPS


class BesideQuotes(Beside):
    feed = QUOTES


@pytest.mark.parametrize("machine", [Beside, BesideTops, BesideQuotes])
@pytest.mark.slow
def test_the_engine_does_what_the_exact_twin_does(machine):
    examples = CAMPAIGN or (80 if machine is Beside else 40)

    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=60))
