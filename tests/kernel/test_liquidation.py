"""What becomes of an account that cannot keep its positions: closed by the venue, told in rows, and never turned round."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamtrader.events import BUY, SELL, Command, Kind
from streamtrader.instruments import Instrument
from streamtrader.kernel.orders import OrderState, Refusal
from streamtrader.kernel.outbox import FORCED, TAKER, Charge, OutboxKind
from streamtrader.risk import MaxOrderRate, PriceBand
from streamtrader.runtime.accounts import AccountTerms, Tier
from streamtrader.runtime.assembly import Placement, Terms
from tests.kernel.market import WALKS, events_of
from tests.kernel.play import MS, SECOND, START_NS, Script, engine_of, planned, play, run, states
from tests.kernel.players import ORDER, Maker, Taker
from tests.kernel.purses import check_sums, run_shared
from tests.kernel.test_accounts import PERPETUAL

LIQUIDATED = Refusal.LIQUIDATED


# 100 is bid and 101 asked for five each.

CALM = [(100.0, 5.0)], [(101.0, 5.0)]


def market_of(*steps):
    """(milliseconds, bid, ask) of a book of five each; a small trade at the bid makes everybody look."""
    script = Script().at(0).book(*CALM)
    for at_ms, bid, ask in steps:
        script.at(at_ms).book([(bid, 5.0)], [(ask, 5.0)])
        script.trade(bid, 0.001, SELL)
    return script


def short_of(script, *plan, cash=20.0, rules=lambda: (), **terms):
    """A seat with leverage 10 that must keep 1 %: a long of 1.9 costs 191.9 and falls short below some 91."""
    terms = {"leverage": 10.0, "tiers": (("", (Tier(math.inf, 0.01, 0.0, 50.0),)),)} | terms
    return run(
        script, lambda: planned(*plan), terms=Terms(cash_quote=cash, account=AccountTerms(**terms)),
        rules=rules, instruments=(PERPETUAL,),
    )  # fmt: skip


LONG = (1, ORDER, BUY, 1.9)


def test_an_account_that_falls_short_is_closed_by_the_venue_and_told_so():
    script = market_of((1, 100.0, 101.0), (50, 100.0, 101.0), (1_000, 91.0, 91.5), (1_100, 91.0, 91.5))

    outcome = short_of(script, LONG, liquidation_fee_rate=0.0125)

    rows = outcome.said[outcome.said["at_ns"] >= START_NS + 1_000 * MS]
    assert rows["kind"].tolist() == [
        OutboxKind.HALTED, OutboxKind.INTENT, OutboxKind.SENT, OutboxKind.FILLED, OutboxKind.CHARGED,
    ]  # fmt: skip
    halted, _, sent, filled, charged = rows
    assert (halted["code"], sent["lots"], sent["side"]) == (LIQUIDATED, 1_900, SELL)
    assert (filled["code"], filled["ticks"], filled["lots"]) == (TAKER | FORCED, 9_100, 1_900)
    assert (int(filled["at_ns"]) - START_NS) / MS == 1_030  # through the venue, as any other order
    assert (charged["code"], charged["side"], charged["lots"]) == (Charge.LIQUIDATION, BUY, 1_900)
    assert float(charged["fee"]) == pytest.approx(91.0 * 1.9 * 0.0125)
    assert (int(outcome.seat.position_lots), int(outcome.seat.halted)) == (0, LIQUIDATED)
    fees = (101.0 + 91.0) * 1.9 * 10e-4
    assert float(outcome.seat.cash) == pytest.approx(20.0 - 19.0 - fees - 91.0 * 1.9 * 0.0125)


def test_an_account_that_can_keep_its_positions_is_left_alone():
    outcome = short_of(market_of((1, 100.0, 101.0), (50, 100.0, 101.0), (1_000, 91.7, 91.9), (1_100, 91.7, 91.9)), LONG)

    assert (int(outcome.seat.position_lots), int(outcome.seat.halted)) == (1_900, 0)


def test_a_buffer_closes_earlier():
    script = market_of((1, 100.0, 101.0), (50, 100.0, 101.0), (1_000, 91.7, 91.9), (1_100, 91.7, 91.9))

    assert int(short_of(script, LONG, liquidation_buffer=0.5).seat.position_lots) == 0


def test_own_orders_are_taken_back_and_nothing_new_is_let_through_until_the_operator_says_so():
    script = market_of((1, 100.0, 101.0), (50, 100.0, 101.0), (1_000, 91.0, 91.5), (1_200, 91.0, 91.5))
    script.at(1_300).command(Command.RESUME)
    script.at(1_400).trade(91.0, 0.001, SELL).at(1_500).trade(91.0, 0.001, SELL)
    plan = (LONG, (50, ORDER, SELL, 0.05, 120.0), (1_200, ORDER, BUY, 0.1), (1_400, ORDER, BUY, 0.06))

    outcome = short_of(script, *plan)

    assert outcome.refusals() == [LIQUIDATED]
    assert outcome.rows(OutboxKind.CANCELLED)["order"].tolist() == [2]
    assert (int(outcome.seat.halted), int(outcome.seat.position_lots), int(outcome.seat.blotter.count)) == (0, 60, 0)
    # The own sale might still have been filled: only what it left was asked for at first.
    fills = [(int(lots), bool(code & FORCED)) for lots, code in outcome.rows(OutboxKind.FILLED)[["lots", "code"]].tolist()]
    assert fills == [(1_900, False), (1_850, True), (50, True), (60, False)]


def test_a_position_of_a_higher_tier_is_reduced_to_the_end_of_the_tier_below():
    tiers = (("", (Tier(90.0, 0.01, 0.0, 50.0), Tier(math.inf, 0.05, 3.6, 10.0))),)
    script = market_of((1, 100.0, 101.0), (50, 100.0, 101.0), (1_000, 94.0, 94.5), (1_100, 94.0, 94.5))

    outcome = short_of(script, LONG, tiers=tiers)

    # 20 - 0.19 of fee - 1.9 x (101 - 94.25) = 6.98 is less than 1.9 x 94.25 x 5 % - 3.6 = 5.35 only with a buffer
    assert int(outcome.seat.position_lots) == 1_900
    outcome = short_of(script, LONG, tiers=tiers, liquidation_buffer=0.4)
    kept = int(90.0 / 94.25 * 1_000)
    assert int(outcome.seat.position_lots) == kept
    assert int(outcome.seat.halted) == LIQUIDATED


def test_what_is_left_is_closed_when_it_falls_short_again():
    tiers = (("", (Tier(90.0, 0.01, 0.0, 50.0), Tier(math.inf, 0.05, 3.6, 10.0))),)
    script = market_of((1, 100.0, 101.0), (50, 100.0, 101.0), (1_000, 94.0, 94.5), (1_100, 85.0, 86.0), (1_200, 85.0, 86.0))

    outcome = short_of(script, LONG, tiers=tiers, liquidation_buffer=0.4)

    assert outcome.rows(OutboxKind.FILLED)["lots"].tolist() == [1_900, 1_900 - 954, 954]
    assert int(outcome.seat.position_lots) == 0


def test_a_position_that_nobody_takes_is_offered_again_until_somebody_does():
    script = market_of((1, 100.0, 101.0), (50, 100.0, 101.0))
    script.at(1_000).book([(91.0, 0.5)], [(91.5, 1.0)]).trade(91.0, 0.001, SELL)
    script.at(1_015).book([], [(91.5, 1.0)])
    script.at(1_500).trade(91.0, 0.001, BUY)
    script.at(2_500).book([(90.0, 5.0)], [(91.5, 1.0)])
    script.at(3_200).trade(90.0, 0.001, SELL).at(3_300).trade(90.0, 0.001, SELL)

    outcome = short_of(script, LONG)

    assert outcome.rows(OutboxKind.CANCELLED)["code"].tolist() == [Refusal.NO_LIQUIDITY]
    assert int(outcome.seat.position_lots) == 0
    assert len(outcome.rows(OutboxKind.HALTED)) == 1


def test_a_gap_leaves_less_than_nothing_and_says_so():
    script = market_of((1, 100.0, 101.0), (50, 100.0, 101.0), (1_000, 80.0, 80.5), (1_100, 80.0, 80.5), (9_000, 70.0, 71.0))

    outcome = short_of(script, LONG)

    assert int(outcome.seat.position_lots) == 0
    assert float(outcome.seat.equity) == pytest.approx(20.0 - 1.9 * 21.0 - (101 + 80) * 1.9 * 1e-3)
    assert len(outcome.rows(OutboxKind.HALTED)) == 1


def test_rules_of_ours_do_not_hold_the_venue_back():
    script = market_of((1, 100.0, 101.0), (50, 100.0, 101.0), (1_000, 85.0, 91.5), (1_100, 85.0, 91.5))

    outcome = short_of(script, LONG, rules=lambda: (PriceBand(100.0), MaxOrderRate(1, 3600 * SECOND)))

    assert int(outcome.seat.position_lots) == 0


def test_a_short_position_is_bought_back():
    script = market_of((1, 100.0, 101.0), (50, 100.0, 101.0), (1_000, 109.0, 110.0), (1_100, 109.0, 110.0))

    outcome = short_of(script, (1, ORDER, SELL, 1.9))

    (filled,) = outcome.rows(OutboxKind.FILLED)[1:]
    assert (filled["side"], filled["lots"], filled["code"]) == (BUY, 1_900, TAKER | FORCED)


def test_the_mark_of_the_venue_decides_while_it_is_young():
    """The book says 100; the venue says 90: that is what it judges by, until it has been silent for too long."""
    script = market_of((1, 100.0, 101.0), (50, 100.0, 101.0))
    script.at(1_000).add(Kind.MARK, 90.0, 0.0, 0.0, 0.0)
    script.at(1_100).trade(100.0, 0.001, SELL)
    assert int(short_of(script, LONG).seat.position_lots) == 0

    script = market_of((1, 100.0, 101.0)).at(2).add(Kind.MARK, 100.5, 0.0, 0.0, 0.0)
    script.at(40).trade(100.0, 0.001, SELL)
    for at_ms in (900, 61_000, 62_100):
        script.at(at_ms).book([(90.0, 5.0)], [(91.0, 5.0)]).trade(90.0, 0.001, SELL)
    outcome = short_of(script, LONG)
    assert [(int(at) - START_NS) / MS for at in outcome.rows(OutboxKind.HALTED)["at_ns"]] == [61_000]


def test_a_market_that_moves_without_a_trade_is_looked_at_every_second():
    script = market_of((1, 100.0, 101.0), (50, 100.0, 101.0))
    script.at(1_200).book([(90.0, 5.0)], [(91.0, 5.0)])
    script.at(2_500).timer().at(2_600).timer()

    outcome = short_of(script, LONG)

    assert [(int(at) - START_NS) / MS for at in outcome.rows(OutboxKind.HALTED)["at_ns"]] == [2_000]
    assert int(outcome.seat.position_lots) == 0


def test_of_an_account_that_is_shared_the_heaviest_position_goes_first():
    """Two longs; closing the larger one is enough, and the smaller one stays; both are stopped."""
    tiers = (("", (Tier(math.inf, 0.05, 0.0, 20.0),)),)
    script = Script().at(0).book(*CALM).book([(100.0, 5.0)], [(101.0, 5.0)], instrument=1)
    script.at(1).trade(100.0, 0.001, SELL).trade(100.0, 0.001, SELL, instrument=1)
    script.at(1_000).book([(92.0, 5.0)], [(93.0, 5.0)]).trade(92.0, 0.001, SELL)
    script.at(1_100).trade(92.0, 0.001, SELL).at(1_200).trade(92.0, 0.001, SELL)
    other = Instrument("test", "ETHUSDT", "ETH", "USDT", Decimal("0.01"), Decimal("0.001"), kind="perpetual")

    outcome = run_shared(
        script, (lambda: planned((1, ORDER, BUY, 1.5)), 0), (lambda: planned((1, ORDER, BUY, 0.5)), 1), cash=22.0,
        instruments=(PERPETUAL, other), account=AccountTerms(is_shared=True, leverage=10.0, tiers=tiers),
    )  # fmt: skip

    seats = outcome.engine.state.seats
    assert seats["position_lots"].tolist() == [0, 500]
    assert seats["halted"].tolist() == [LIQUIDATED, LIQUIDATED]


FRAIL = AccountTerms(
    is_shared=True, leverage=20.0, liquidation_fee_rate=0.01,
    tiers=(("", (Tier(100.0, 0.03, 0.0, 20.0), Tier(math.inf, 0.045, 1.5, 20.0))),),
)  # fmt: skip


def wild(walk):
    """The market of a walk, every move of it 25 times as large."""
    events = events_of(walk, has_commands=False)
    start = np.where(events["instrument"] == 0, 100.0, 1_000.0)
    for kinds, words in (((Kind.BOOK, Kind.TRADE), ("a",)), ((Kind.QUOTE,), ("a", "c"))):
        moved = np.isin(events["kind"], kinds)
        for word in words:
            events[word][moved] = np.round(start + 25.0 * (events[word] - start), 2)[moved]
    return events


def frail_engine(**options):
    """Two accounts with hardly enough for what their seats like to do."""
    placements = [
        Placement(make, at, owner=owner)
        for make, at, owner in ((Taker(2, 2.0), 0, 0), (Maker(0.4), 1, 0), (Taker(3, 0.2), 1, 1), (Maker(0.5), 0, 1))
    ]
    return engine_of(placements, Terms(cash_quote=14.0, account=FRAIL, taker_fee_bps=20.0), **options)


# A seat that was stopped asks for an order that reduces: it may.
STOPPED_AND_LEAVING = [
    (0, 0, 0, 1), (0, 0, 3, 1), *[(0, 0, 0, 1)] * 3, *[(0, 10, 0, 1)] * 4, (0, 10, 0, 2), (400, 7, -3, 495),
    (0, 10, 0, 1), (400, 8, 4, 1), (0, 10, 0, 1), (0, 4, 0, 1),
]


@settings(max_examples=60)
@given(WALKS)
@example(STOPPED_AND_LEAVING)
@pytest.mark.slow
def test_a_liquidation_never_turns_a_position_round_and_leaves_no_order_of_ours(walk):
    engine = frail_engine()
    said = play(engine, wild(walk))

    check_sums(engine)
    held = dict.fromkeys(range(4), 0)
    stopped = set()
    for row in said:
        seat, lots = int(row["seat"]), int(row["lots"])
        signed = lots if row["side"] == BUY else -lots
        if row["kind"] == OutboxKind.HALTED:
            stopped.add(seat)
        if row["kind"] == OutboxKind.FILLED:
            before, held[seat] = held[seat], held[seat] + signed
            if row["code"] & FORCED:
                assert seat in stopped
                assert abs(held[seat]) == abs(before) - lots
    for at, seat in enumerate(engine.state.seats):
        assert int(seat.position_lots) == held[at]
        assert (int(seat.halted) == LIQUIDATED) == (at in stopped)
        if at in stopped:
            open_orders = [seat.blotter.orders[index] for index in range(int(seat.blotter.count))]
            assert all(is_forced_or_leaves(order, seat) for order in open_orders)


def is_forced_or_leaves(order, seat):
    """The venue's own, on its way out, or one that was asked for afterwards: those may only reduce."""
    if int(order.id) == int(seat.forced_order) or int(order.state) == OrderState.CANCELLING:
        return True
    return (order.side == SELL) == (seat.position_lots > 0) and int(order.open_lots()) <= abs(int(seat.position_lots))


def test_the_made_up_markets_do_liquidate():
    """Or else the property above would prove little."""
    generator, forced, partial, halted = np.random.default_rng(3), 0, 0, 0
    for _ in range(12):
        walk = [
            (float(generator.choice((0.5, 3, 20, 400))), *map(int, (generator.integers(13), generator.integers(-4, 5))),
             int(generator.integers(1, 900)))
            for _ in range(300)
        ]  # fmt: skip
        engine = frail_engine()
        said = play(engine, wild(walk))
        forced += int(((said["kind"] == OutboxKind.FILLED) & (said["code"] & FORCED > 0)).sum())
        partial += int((engine.state.seats["keep_lots"] > 0).sum())
        halted += int((engine.state.seats["halted"] == LIQUIDATED).sum())

    assert min(forced, halted) >= 5
    assert partial >= 1


@settings(max_examples=20)
@given(WALKS, st.lists(st.integers(1, 200), max_size=4))
@pytest.mark.slow
def test_a_restart_in_the_middle_of_a_liquidation_ends_in_the_same_bytes(walk, crashes):
    """In one call, in several with a restart between them, and uncompiled."""
    events = wild(walk)
    reference, slow = frail_engine(), frail_engine(interpreted=True)
    said = play(reference, events)

    parts, last = [], frail_engine()
    for start, stop in pairwise([0, *sorted({min(crash, len(events)) for crash in crashes}), len(events)]):
        parts.append(play(last, events, start=start, stop=stop))
        kept = {name: np.frombuffer(data, np.uint8) for name, data in states(last).items()}
        written, last = int(last.outbox[0].written), frail_engine()
        last.restore(kept)
        last.outbox[0].written = last.outbox[0].drained = written

    assert said.tobytes() == np.concatenate(parts).tobytes() == play(slow, events).tobytes()
    assert states(reference) == states(last) == states(slow)
