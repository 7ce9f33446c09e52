"""Nothing is made from nothing: sizes, cash and liquidity add up, whatever the market does and however full it gets."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrader.events import BUY, SELL, Kind
from streamtrader.kernel.outbox import TAKER, OutboxKind
from streamtrader.ledger import Fill, Ledger
from streamtrader.runtime.assembly import Placement, Terms
from streamtrader.runtime.seat_ledgers import pair_of
from streamtrader.units import decimal_price, decimal_size
from tests.kernel.market import WALKS, events_of
from tests.kernel.play import BTC, MS, START_NS, Outcome, engine_of, planned, play, run
from tests.kernel.players import CANCEL_ALL, ORDER, Juggler, Maker, Taker
from tests.simulator.scenes import beats, scene

DOWN_NS = 10 * MS


def traded(walk):
    """A taker, a maker, and one with orders of every kind on the deep book; every event at a time of its own."""
    events = events_of(walk, has_commands=False)
    steps = np.maximum(np.diff(events["received_ns"], prepend=START_NS), 1)
    events["received_ns"] = START_NS + np.cumsum(steps)
    engine = engine_of([Placement(Taker(2, 0.4), 0), Placement(Maker(0.3), 0), Placement(Juggler(0.4), 0)])
    return events, Outcome(engine, play(engine, events))


class Shown:
    """What the feed displayed at each level, and since when: a plain dictionary beside the events."""

    def __init__(self, events) -> None:
        self.history = defaultdict(list)  # (side, ticks) -> [(received_ns, lots)]
        self.traded_lots = {}
        for event in events[events["instrument"] == 0]:
            side, at_ns = int(event["side"]), int(event["received_ns"])
            ticks, lots = round(event["a"] * 100), round(event["b"] * 1000)
            if event["kind"] == Kind.BOOK_CLEAR:
                for shown in self.history.values():
                    shown.append((at_ns, 0))
            elif event["kind"] == Kind.BOOK:
                self.history[side, ticks].append((at_ns, lots))
            if event["kind"] in (Kind.BOOK, Kind.TRADE):
                self.traded_lots[at_ns] = lots

    def before(self, side, ticks, at_ns):
        """(since when, lots) of a level as a request that arrives at that time meets it."""
        return [(0, 0), *[shown for shown in self.history[side, ticks] if shown[0] < at_ns]][-1]


@settings(max_examples=40)
@given(WALKS)
@pytest.mark.slow
def test_no_liquidity_is_taken_twice(walk):
    events, outcome = traded(walk)
    shown, taken = Shown(events), defaultdict(int)

    for seat in range(3):
        for row in outcome.rows(OutboxKind.FILLED, seat=seat):
            if row["code"] == TAKER:
                level = (1 - int(row["side"]), int(row["ticks"]))
                since_ns, lots = shown.before(*level, int(row["at_ns"]) - DOWN_NS)
                taken[seat, level, since_ns] += int(row["lots"])
                assert taken[seat, level, since_ns] <= lots


@settings(max_examples=40)
@given(WALKS)
@pytest.mark.slow
def test_makers_get_no_more_than_was_traded_or_displayed(walk):
    events, outcome = traded(walk)
    shown, given_lots = Shown(events), defaultdict(int)

    for seat in range(3):
        for row in outcome.rows(OutboxKind.FILLED, seat=seat):
            if row["code"] != TAKER:
                at_ns = int(row["at_ns"]) - DOWN_NS
                given_lots[seat, at_ns] += int(row["lots"])
                assert given_lots[seat, at_ns] <= shown.traded_lots[at_ns]


def ledger_of(outcome, seat=0):
    """The exact account of a seat, from its fills alone. The fee is the kernel's own float, as decimal text."""
    ledger = Ledger(Decimal(int(Terms().cash_quote)))
    for row in outcome.rows(OutboxKind.FILLED, seat=seat):
        price, size = decimal_price(int(row["ticks"]), BTC), decimal_size(int(row["lots"]), BTC)
        side = "buy" if row["side"] == BUY else "sell"
        fee = str(float(row["fee"]))
        ledger.apply(
            Fill.of(int(row["sequence"]), int(row["at_ns"]), pair_of(BTC), side, str(price), str(size), fee)
        )
    return ledger


@settings(max_examples=40)
@given(WALKS)
@pytest.mark.slow
def test_position_and_cash_agree_with_the_exact_ledger(walk):
    _, outcome = traded(walk)

    for at, seat in enumerate(outcome.engine.state.seats):
        ledger = ledger_of(outcome, at)
        position = ledger.position(BTC.symbol)
        assert decimal_size(int(seat.position_lots), BTC) == position.size
        assert float(seat.cash) == pytest.approx(float(ledger.cash), rel=1e-9)
        assert float(seat.fees) == pytest.approx(float(ledger.fees), rel=1e-9, abs=1e-9)
        assert float(seat.turnover) == pytest.approx(float(position.turnover), rel=1e-9)
        assert int(seat.fill_count) == position.fill_count


@settings(max_examples=40)
@given(WALKS)
@pytest.mark.slow
def test_every_order_that_was_sent_ends_once_or_is_still_open(walk):
    _, outcome = traded(walk)

    for at, seat in enumerate(outcome.engine.state.seats[:2]):  # the third one changes sizes on the way
        lots, ends = defaultdict(int), defaultdict(int)
        for row in outcome.rows(*OutboxKind, seat=at):
            if row["kind"] in (OutboxKind.SENT, OutboxKind.FILLED, OutboxKind.CANCELLED, OutboxKind.REJECTED):
                order, sign = int(row["order"]), 1 if row["kind"] == OutboxKind.SENT else -1
                lots[order] += sign * int(row["lots"])
                ends[order] += row["kind"] in (OutboxKind.CANCELLED, OutboxKind.REJECTED)
        still_open = [seat.blotter.orders[index] for index in range(seat.blotter.count)]
        open_lots = {int(order.id): int(order.open_lots()) for order in still_open}
        assert {order: left for order, left in lots.items() if left} == open_lots
        assert set(ends.values()) <= {0, 1}
        for side, working in ((BUY, seat.working_buy_lots), (SELL, seat.working_sell_lots)):
            assert sum(int(order.open_lots()) for order in still_open if order.side == side) == working


@settings(max_examples=40)
@given(WALKS)
@pytest.mark.slow
def test_what_fills_of_an_order_is_never_more_than_it_asked_for_last(walk):
    _, outcome = traded(walk)

    asked, filled = defaultdict(int), defaultdict(int)
    for row in outcome.rows(*OutboxKind, seat=2):
        order = int(row["order"])
        if row["kind"] in (OutboxKind.SENT, OutboxKind.AMENDED):
            asked[order] = max(asked[order], int(row["lots"]))
        elif row["kind"] == OutboxKind.FILLED:
            filled[order] += int(row["lots"])
            assert filled[order] <= asked[order]
    seat = outcome.engine.state.seats[2]
    orders = [seat.blotter.orders[index] for index in range(seat.blotter.count)]
    for side, working in ((BUY, seat.working_buy_lots), (SELL, seat.working_sell_lots)):
        assert sum(int(order.reserved_lots) for order in orders if order.side == side) == working
    assert seat.venue.position_lots == seat.position_lots or seat.venue.reports.count > 0


SLOW_ANSWERS = Terms(cash_quote=100_000.0, down_latency_ns=5_000 * MS)


def test_when_no_answer_has_room_any_more_fills_are_withheld_and_nothing_is_lost():
    """Twelve bids and 300 trades of one lot, while the first answer is still on its way. Then cancels arrive, too."""
    orders = [(1, ORDER, BUY, 0.1, 100.5 + at / 100) for at in range(12)]
    script = beats(scene(), 1)
    for at in range(300):
        script.at(30 + at).trade(100.0, 0.001, SELL)
    beats(script, 400, 5_500, 12_000)

    outcome = run(script, lambda: planned(*orders, (330, CANCEL_ALL)), terms=SLOW_ANSWERS)

    filled = outcome.rows(OutboxKind.FILLED)
    assert 50 < len(filled) < 128
    assert outcome.venue.withheld_count >= 300 - len(filled), "counted for each order that could have had it"
    assert outcome.seat.position_lots == filled["lots"].sum()
    ended = outcome.rows(OutboxKind.CANCELLED)
    assert filled["lots"].sum() + ended["lots"].sum() == 1200
    assert outcome.seat.blotter.count == outcome.venue.count == 0


def test_a_venue_that_cannot_answer_yet_lets_requests_wait_and_the_loop_goes_on():
    """The cancels come while the answers are full, at once with the events that follow: none of them is skipped."""
    orders = [(1, ORDER, BUY, 0.1, 100.5) for _ in range(12)]
    script = beats(scene(), 1)
    for at in range(150):
        script.at(30 + at).trade(100.0, 0.001, SELL)
    beats(script, 200, 230, 240)

    outcome = run(script, lambda: planned(*orders, (200, CANCEL_ALL)), terms=SLOW_ANSWERS)

    assert outcome.engine.state.clock[0].event_count == len(script.rows)
    assert outcome.venue.requests.count > 0
    assert outcome.venue.reports.free() >= 2 * outcome.venue.count


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 40), st.integers(-3, 3)), max_size=14))
def test_whatever_is_asked_for_at_once_every_lot_is_accounted_for(asked):
    plan = [(1, ORDER, side, lots / 10, 100.0 + at if at else 0.0) for side, lots, at in asked]
    script = beats(scene(), 1, 30).at(40).trade(99.0, 1.0, SELL).at(50).trade(103.0, 1.0, BUY)
    engine = engine_of([Placement(planned(*plan), 0)], Terms(cash_quote=1e6))

    outcome = Outcome(engine, play(engine, beats(script, 100).events()))

    seat, filled = outcome.seat, outcome.rows(OutboxKind.FILLED)
    signed = np.where(filled["side"] == BUY, filled["lots"], -filled["lots"])
    assert seat.position_lots == signed.sum()
    sent, gone = (outcome.rows(kind)["lots"].sum() for kind in (OutboxKind.SENT, OutboxKind.CANCELLED))
    assert sent == filled["lots"].sum() + gone + seat.working_buy_lots + seat.working_sell_lots
