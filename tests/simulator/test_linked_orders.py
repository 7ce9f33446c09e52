"""Orders that hang together: one cancels the other, and brackets of the size of what was filled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamtrader.events import BUY, SELL, BookState
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.runtime.abilities import FEATURES
from tests.kernel.play import TERMS, planned, run
from tests.kernel.players import (
    CANCEL,
    EXPIRE_AFTER_MS,
    LINK,
    ORDER,
    POST_ONLY,
    PROTECT,
    STOP_AT,
)
from tests.simulator.rows import ends, told
from tests.simulator.scenes import beats, falling, scene

EMULATED = replace(TERMS, emulated=FEATURES)
BOTH = pytest.mark.parametrize("terms", [TERMS, EMULATED], ids=["native", "emulated"])


# --- one cancels the other ---


def test_a_cancel_that_a_fill_has_sent_is_there_before_what_comes_later_in_the_same_silence():
    """Filled at 21 ms and heard at 31, so the other one is cancelled at 51: its own end at 61 never comes."""
    plan = planned(
        (1, ORDER, BUY, 0.5, 101.0), (1, ORDER, SELL, 0.5, 103.0), (1, EXPIRE_AFTER_MS, 1, 60), (1, LINK, 0, 1),
    )  # fmt: skip

    outcome = run(beats(scene(), 1, 200), lambda: plan)

    assert told(outcome, OutboxKind.CANCELLED) == [(61.0, 2, 10_300, 500, 0)]


def test_what_one_fills_the_other_loses():
    plan = planned((1, ORDER, BUY, 0.5, 100.5), (1, ORDER, BUY, 0.5, 100.4), (1, LINK, 0, 1))
    script = beats(scene(), 1, 30).at(40).trade(100.5, 0.2, SELL)

    outcome = run(beats(script, 60, 100, 200), lambda: plan)

    assert outcome.fills() == [(50.0, 10_050, 200)]
    assert [row[1:4] for row in told(outcome, OutboxKind.AMENDED)] == [(2, 10_040, 300)]
    assert outcome.seat.working_buy_lots == 600


def test_when_one_is_filled_the_other_is_cancelled():
    plan = planned((1, ORDER, BUY, 0.5, 100.5), (1, ORDER, SELL, 0.5, 100.8), (1, LINK, 0, 1))
    script = beats(scene(), 1, 30).at(40).trade(100.5, 0.6, SELL).at(75).trade(100.8, 5.0, BUY)

    outcome = run(beats(script, 100, 200), lambda: plan)

    assert outcome.fills() == [(50.0, 10_050, 500)]
    assert ends(outcome) == [(2, 0)]


@BOTH
def test_a_stop_that_fires_takes_back_its_partner(terms):
    plan = planned((1, ORDER, SELL, 0.5), (1, STOP_AT, 0, 99.0), (1, ORDER, SELL, 0.5, 101.5), (1, LINK, 0, 2))

    outcome = run(falling(beats(scene(), 1, 30)), lambda: plan, terms=terms)

    assert [lots for _, _, lots in outcome.fills()] == [500]
    assert ends(outcome) == [(2, 0)]


# --- brackets ---


def bracket(script):
    """A bid of 0.5 at 100.5 that is filled by 0.2 at 40 ms and by 0.1 at 80 ms; stop at 99, target at 102."""
    script.at(40).trade(100.5, 0.2, SELL)
    return beats(script, 70).at(80).trade(100.5, 0.1, SELL)


ENTRY = (1, ORDER, BUY, 0.5, 100.5)


@BOTH
def test_protection_has_the_size_of_what_was_filled(terms):
    plan = planned(ENTRY, (1, PROTECT, 0, 99.0, 102.0))

    outcome = run(beats(bracket(beats(scene(), 1, 30)), 110, 200), lambda: plan, terms=terms)

    entry, stop, target = outcome.seat.blotter.orders[:3]
    assert (entry.filled_lots, stop.lots, target.lots) == (300, 300, 300)
    assert outcome.seat.working_sell_lots == 300, "only the target works; the stop waits"


@BOTH
def test_what_the_target_earns_the_stop_need_not_protect(terms):
    plan = planned(ENTRY, (1, PROTECT, 0, 99.0, 102.0), (150, CANCEL, 0, 1))
    script = beats(bracket(beats(scene(), 1, 30)), 110, 150, 190).at(200).trade(102.0, 2.1, BUY)
    script.at(260).trade(99.0, 0.001, SELL)

    outcome = run(beats(script, 300, 400), lambda: plan, terms=terms)

    assert [(ticks, lots) for _, ticks, lots in outcome.fills()] == [
        (10_050, 200), (10_050, 100), (10_200, 100), (10_000, 200),
    ]  # fmt: skip
    assert outcome.seat.position_lots == 0
    assert outcome.seat.blotter.count == 0


def test_without_a_fill_the_protection_goes_with_its_order():
    plan = planned(ENTRY, (1, PROTECT, 0, 99.0, 102.0), (40, CANCEL, 0, 1))

    outcome = run(beats(scene(), 1, 30, 40, 100), lambda: plan)

    assert ends(outcome) == [(1, 0), (2, 0), (3, 0)]
    assert outcome.seat.blotter.count == 0


def test_protection_stays_when_the_rest_of_its_order_is_cancelled():
    plan = planned(ENTRY, (1, PROTECT, 0, 99.0), (150, CANCEL, 0, 1))

    outcome = run(beats(bracket(beats(scene(), 1, 30)), 110, 150, 190, 300), lambda: plan)

    assert outcome.seat.position_lots == 300
    assert outcome.seat.blotter.orders[0].lots == 300


def test_a_refused_order_leaves_no_protection_behind():
    plan = planned((1, ORDER, BUY, 0.5, 100.5, POST_ONLY), (1, PROTECT, 0, 99.0, 102.0))

    outcome = run(beats(scene().link(BookState.GAP), 1, 30, 100), lambda: plan)

    assert outcome.refusals() == [Refusal.BOOK_NOT_LIVE, Refusal.WITHDRAWN, Refusal.WITHDRAWN]
    assert outcome.seat.blotter.count == 0
