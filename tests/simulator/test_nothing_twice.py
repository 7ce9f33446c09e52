"""Orders of every kind, hanging together or alone, held by the venue or by the engine: the audit finds nothing.

Where the twin of `test_twin` follows each order exactly, this asks less of more: brackets, pairs of which one cancels
the other, targets, every model of the queue, and what the engine does for a venue that cannot.
"""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from streamtrader.events import BID, Kind
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.runtime.abilities import FEATURES
from streamtrader.simulator.queue import Queue
from tests.kernel.play import MS
from tests.kernel.purses import check_sums
from tests.twin.audit import Audit
from tests.twin.kernel import Kernel
from tests.twin.market import (
    DEPTH,
    QUOTES,
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
)  # fmt: skip
from tests.twin.money import HOUR_NS
from tests.twin.seat import Amend, Ask, Bracket, Cancel, Hold, Pair
from tests.twin.venue import TAKER
from tests.twin.world import Terms, World

CAMPAIGN = int(os.environ.get("STREAMTRADER_TWIN", "0"))
ends_ns = st.sampled_from((0, 0, 15, 60, 2_000)).map(lambda ms: ms * MS)
asks = st.builds(
    Ask, sides, limits, sizes, seldom, seldom, seldom, rarely, st.sampled_from((0, 0, 1, 2)), ends_ns,
    st.one_of(st.none(), st.none(), triggers),
)  # fmt: skip


class Zoo(Market):
    """Every order there is, and an audit of what came of it."""

    interpreted = False
    least_ns = 1_000
    is_sound = False

    @initialize(
        ways=st.sampled_from(WAYS_MS), self_trade=st.integers(0, 3), queue=st.sampled_from(Queue),
        emulated=st.frozensets(st.sampled_from(sorted(FEATURES))),
    )  # fmt: skip
    def begin(self, ways, self_trade, queue, emulated) -> None:
        terms = Terms(ways[0] * MS, ways[1] * MS, self_trade)
        self.world = World(terms)
        self.kernel = Kernel(terms, interpreted=self.interpreted, queue=int(queue), emulated=emulated)
        self.audit = Audit(terms.up_ns, terms.down_ns)
        self.open()

    def play(self, script) -> None:
        self.is_sound = False
        self.note(script)
        for row in self.kernel.rows(script):
            self.audit.hear(row)
            if row["kind"] == OutboxKind.FILLED:
                words = (int(row[name]) for name in ("side", "ticks", "lots"))
                fee = self.world.money.fill(*words, is_taker=bool(row["code"] & TAKER))
                assert float(row["fee"]) == pytest.approx(float(fee), rel=1e-12)
            elif row["kind"] == OutboxKind.CHARGED:
                self.world.money.charge(int(row["at_ns"]), int(row["code"]), Fraction(float(row["fee"])))
        self.check()
        self.is_sound = True

    def note(self, script) -> None:
        """The market's events, as they are about to be played."""
        for _, at_ns, price, size, third, fourth, _, _, kind, side, _ in script.rows:
            ticks, lots = round(price * 100), round(size * 10)
            if kind == Kind.BOOK_CLEAR:
                self.audit.forget(at_ns, 0, 1)
            elif kind == Kind.BOOK:
                if self.feed != DEPTH:
                    self.audit.forget(at_ns, side)
                self.audit.show(at_ns, side, ticks, lots)
            elif kind == Kind.QUOTE:
                self.audit.forget(at_ns, 0, 1)
                self.audit.show(at_ns, BID, ticks, lots)
                self.audit.show(at_ns, 1 - BID, round(third * 100), round(fourth * 10))
            elif kind == Kind.TRADE and not third:
                self.audit.trade(at_ns, side, ticks, lots)

    def check(self) -> None:
        seat, money, ledger = self.kernel.seat, self.world.money, self.kernel.ledger
        position = ledger.position("BTCUSDT")
        assert int(seat.position_lots) == self.audit.position == money.lots
        assert position.size == money.position
        assert int(seat.blotter.illegal_count) == 0
        assert money.cash + money.position * money.mark() == money.explained()
        for engine, exact in (
            (seat.cash, money.cash), (seat.cost, money.cost), (seat.fees, money.fees), (ledger.cash, money.cash),
            (position.realized, money.realized), (seat.charges, sum(money.charged.values())),
        ):  # fmt: skip
            assert float(engine) == pytest.approx(float(exact), rel=0.0, abs=1e-9)
        for side, working in enumerate((seat.working_buy_lots, seat.working_sell_lots)):
            blotter = [seat.blotter.orders[at] for at in range(int(seat.blotter.count))]
            assert int(working) == sum(int(order.reserved_lots) for order in blotter if order.side == side)

    @rule(gap=gaps, ticks=prices, rate=st.integers(-3, 3), hours=st.integers(0, 2), is_settled=rarely)
    def mark(self, gap, ticks, rate, hours, is_settled) -> None:
        script, price = self.script(gap), ticks / 100
        next_ns = self.now_ns - self.now_ns % HOUR_NS + hours * HOUR_NS
        self.world.told_mark = (self.now_ns, Fraction(price))
        self.play(script.add(Kind.MARK, price, 0.0, rate / 1024, float(is_settled), id=next_ns))

    # --- what the strategy asks for ---

    def wish(self, *wishes, is_late=False) -> None:
        strategy = self.kernel.strategy
        if int(self.kernel.seat.blotter.count) + 3 * len(strategy.wishes + strategy.late_wishes) < 20:
            (strategy.late_wishes if is_late else strategy.wishes).extend(wishes)

    @rule(wishes=st.lists(asks, min_size=1, max_size=3), is_late=rarely)
    def ask(self, wishes, is_late) -> None:
        self.wish(*wishes, is_late=is_late)

    @rule(first=asks, second=asks)
    def ask_for_a_pair(self, first, second) -> None:
        self.wish(Pair(first, replace(second, side=first.side)))

    @rule(entry=asks, stop=st.integers(1, 3), gain=st.integers(0, 3))
    def ask_for_a_bracket(self, entry, stop, gain) -> None:
        sign = 1 if entry.side == 0 else -1
        near = entry.ticks or 10_000
        self.wish(Bracket(replace(entry, reduce_only=False), near - sign * stop, near + sign * gain if gain else 0))

    @rule(lots=st.integers(-6, 6), is_late=rarely)
    def hold(self, lots, is_late) -> None:
        self.wish(Hold(lots), is_late=is_late)

    @rule(back=st.integers(0, 9), is_late=rarely)
    def cancel(self, back, is_late) -> None:
        self.wish(Cancel(int(self.kernel.seat.order_count) - back), is_late=is_late)

    @rule(back=st.integers(0, 9), lots=st.integers(1, 8), ticks=limits)
    def amend(self, back, lots, ticks) -> None:
        self.wish(Amend(int(self.kernel.seat.order_count) - back, lots, ticks))

    @precondition(lambda self: self.is_sound)
    @rule()
    def sums_are_sums(self) -> None:
        check_sums(self.kernel.engine)


class ZooOfQuotes(Zoo):
    feed = QUOTES


@pytest.mark.parametrize("machine", [Zoo, ZooOfQuotes])
@pytest.mark.slow
def test_whatever_is_ordered_nothing_is_filled_twice_and_all_money_is_accounted_for(machine):
    examples = CAMPAIGN or (40 if machine is Zoo else 20)

    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=60))
