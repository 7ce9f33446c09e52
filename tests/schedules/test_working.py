"""Large orders at work: what is due is done, never more, never a slice too late, and nothing is left at the end."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrader.errors import ConfigError
from streamtrader.events import ASK, BID, BUY, SELL
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.schedules import AlmgrenChriss, PeggedSchedule, PovSchedule, TwapSchedule, VwapSchedule, slices_lots
from streamtrader.strategies import Pegged, Pov, Shortfall, Twap, Vwap
from tests.kernel.play import SECOND, START_NS, Script, run

MINUTE = {"duration_s": 60.0, "slice_s": 10.0}


def market(seconds=90, *, trade_size=0.4, drift=0, start=100.0):
    """A book that is shown anew every half second, with a trade on each side in between; `drift` ticks a second."""
    script = Script().at(0).book([(start, 5.0)], [(start + 0.02, 5.0)])
    for step in range(1, 2 * seconds):
        middle = round(start * 100) + drift * step // 2
        before = round(start * 100) + drift * (step - 1) // 2
        levels = [(BID, before / 100, 0.0), (ASK, before / 100 + 0.02, 0.0)] if middle != before else []
        script.at(500 * step).message([*levels, (BID, middle / 100, 5.0), (ASK, middle / 100 + 0.02, 5.0)])
        script.at(500 * step + 100).trade(middle / 100, trade_size, SELL).trade(middle / 100 + 0.02, trade_size, BUY)
    return script


def fills(outcome):
    """(seconds, lots, is taker)"""
    rows = outcome.rows(OutboxKind.FILLED)
    seconds = (rows["at_ns"] - START_NS) / SECOND
    return list(zip(seconds.tolist(), rows["lots"].tolist(), (rows["code"] & 1).tolist(), strict=True))


def done_by(outcome, second):
    return sum(lots for at, lots, _ in fills(outcome) if at <= second)


@pytest.mark.parametrize("size", [0.6, -0.6])
def test_an_impatient_order_is_taken_slice_by_slice(size):
    outcome = run(market(), lambda: Twap(size=size, is_patient=False, **MINUTE))

    assert [lots for _, lots, _ in fills(outcome)] == [100] * 6
    assert [round(at, 1) for at, _, _ in fills(outcome)] == pytest.approx([0.5, 10.5, 20.5, 30.5, 40.5, 50.5], abs=0.6)
    assert all(is_taker for _, _, is_taker in fills(outcome))
    assert outcome.seat.position_lots == size * 1_000


def test_a_patient_order_is_done_at_the_touch_where_the_market_comes_to_it():
    outcome = run(market(trade_size=6.0), lambda: Twap(size=0.6, **MINUTE))

    assert outcome.seat.position_lots == 600
    assert not any(is_taker for _, _, is_taker in fills(outcome))


def test_a_patient_order_takes_what_a_slice_did_not_bring():
    outcome = run(market(trade_size=0.001), lambda: Twap(size=0.6, **MINUTE))

    assert outcome.seat.position_lots == 600
    assert all(is_taker for _, _, is_taker in fills(outcome))
    for slices in range(1, 6):
        assert done_by(outcome, 10 * slices + 2) == 100 * slices, "one slice late, and no later"


def test_a_resting_order_moves_with_the_touch():
    outcome = run(market(drift=1, trade_size=0.001), lambda: Pegged(size=0.6, duration_s=20.0))

    amended = outcome.rows(OutboxKind.AMENDED)["ticks"]
    assert (np.diff(amended) > 0).all()
    assert len(amended) >= 15
    assert outcome.seat.position_lots == 600, "taken at the end"


def test_pegged_may_stand_further_back():
    outcome = run(market(10), lambda: Pegged(size=0.6, duration_s=5.0, behind_ticks=3))

    assert outcome.rows(OutboxKind.SENT)["ticks"][0] == 9_997


@pytest.mark.slow
def test_the_volume_profile_gives_the_pace():
    outcome = run(market(), lambda: Vwap(size=0.6, is_patient=False, profile=(3.0, 1.0, 1.0, 1.0, 0.0, 0.0), **MINUTE))

    assert [lots for _, lots, _ in fills(outcome)] == [300, 100, 100, 100]


def test_the_pace_of_almgren_and_chriss_is_their_trajectory():
    terms = {"volatility": 0.5, "eta": 0.4, "risk_aversion": 0.003}
    outcome = run(market(), lambda: Shortfall(size=3.0, is_patient=False, **terms, **MINUTE))

    plan = AlmgrenChriss(3.0, 60.0, 6, **terms)
    wanted = slices_lots(3_000, [plan.sold(index) for index in range(1, 7)]).tolist()
    assert [lots for _, lots, _ in fills(outcome)] == wanted
    assert wanted[0] > 2 * wanted[-1]


@pytest.mark.slow
def test_a_share_of_the_volume_is_a_share_of_the_volume():
    """1.6 lots a second trade; a tenth of the whole is a ninth of that."""
    outcome = run(market(), lambda: Pov(size=100.0, participation=0.1, is_patient=False, duration_s=1_000.0))

    traded = 0.4 * 2 * 2 * 80
    assert done_by(outcome, 80) == pytest.approx(traded / 9 * 1_000, rel=0.03)


def test_a_share_of_the_volume_ends_with_the_order():
    outcome = run(market(), lambda: Pov(size=1.0, participation=0.3, duration_s=1_000.0))

    assert outcome.seat.position_lots == 1_000


@settings(max_examples=25, deadline=None)
@given(
    moves=st.lists(st.tuples(st.integers(-2, 2), st.integers(1, 900)), min_size=40, max_size=80),
    lots=st.integers(60, 3_000), slice_s=st.integers(1, 9),
)  # fmt: skip
@pytest.mark.slow
def test_never_more_is_done_than_is_due_and_all_is_done_in_the_end(moves, lots, slice_s):
    script = Script().at(0).book([(100.0, 50.0)], [(100.02, 50.0)])
    bid = 10_000
    for second, (move, size) in enumerate(moves, 1):
        levels = [(BID, bid / 100, 0.0), (ASK, bid / 100 + 0.02, 0.0)] if move else []
        bid += move
        script.at(1_000 * second).message([*levels, (BID, bid / 100, 50.0), (ASK, bid / 100 + 0.02, 50.0)])
        script.at(1_000 * second + 300).trade(bid / 100, size / 100, SELL)

    outcome = run(script, lambda: Twap(size=lots / 1_000, duration_s=30.0, slice_s=slice_s))

    slices = 30 // slice_s
    for (at, _, _), done in zip(fills(outcome), accumulate(lots for _, lots, _ in fills(outcome)), strict=True):
        # Begun within the first second; what is due rounds to the nearest lot, and up to all where a rest is too small.
        due = lots * (1 + int(at // slice_s)) / slices + 0.5
        assert done <= (due if lots - due > 60 else lots)
    assert lots - 60 < outcome.seat.position_lots <= lots, "a rest below the venue's minimum may stay"
    assert outcome.seat.blotter.count == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: TwapSchedule(0.5, 1.0),
        lambda: TwapSchedule(60.0, 0.0),
        lambda: TwapSchedule(float("nan"), 1.0),
        lambda: TwapSchedule(float("inf"), 1.0),
        lambda: VwapSchedule(profile=(0.0, 0.0)),
        lambda: VwapSchedule(profile=(1.0, -1.0)),
        lambda: VwapSchedule(profile=(1.0, float("nan"))),
        lambda: VwapSchedule(profile=(1.0,) * 97),
        lambda: PovSchedule(0.0),
        lambda: PovSchedule(1.0),
        lambda: PeggedSchedule(behind_ticks=-1),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(make):
    with pytest.raises(ConfigError):
        make()


@pytest.mark.parametrize("size", [0.0004, 0.04])
def test_an_order_that_the_venue_would_not_take_never_begins(size):
    outcome = run(market(10), lambda: Twap(size=size, **MINUTE))

    assert len(outcome.said) == 0


def test_slices_below_the_smallest_order_are_put_together():
    """0.12 in six slices of 0.02, worth 2 each, where the venue takes 5 and more."""
    outcome = run(market(), lambda: Twap(size=0.12, is_patient=False, **MINUTE))

    assert [lots for _, lots, _ in fills(outcome)] == [60, 60]
