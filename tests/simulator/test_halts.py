"""A market that the venue has halted: nothing matches, new orders are turned away, cancels pass."""

from __future__ import annotations

import pytest

from streamtrader.events import BUY, SELL, Kind, TradingStatus
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import OutboxKind
from tests.kernel.play import planned, run
from tests.kernel.players import CANCEL, FILL_OR_KILL, IMMEDIATE, ORDER
from tests.simulator.scenes import beats, scene

BID = (1, ORDER, BUY, 0.5, 100.5)  # first at its price


def status(script, code, at):
    return script.at(at).add(Kind.STATUS, float(code))


@pytest.mark.parametrize("code", [TradingStatus.HALTED, TradingStatus.CLOSED, TradingStatus.AUCTION])
def test_a_resting_order_is_not_filled_until_trading_goes_on(code):
    script = status(beats(scene(), 1, 30), code, 35).at(40).trade(99.0, 0.2, SELL)
    script = status(script, TradingStatus.TRADING, 50).at(60).trade(99.0, 0.1, SELL)

    outcome = run(beats(script, 100), lambda: planned(BID))

    assert outcome.fills() == [(70.0, 10_050, 100)]


@pytest.mark.parametrize("code", [TradingStatus.HALTED, TradingStatus.CLOSED])
def test_an_order_on_its_way_is_rejected_and_the_next_one_never_leaves(code):
    script = status(beats(scene(), 1), code, 10)

    outcome = run(beats(script, 50, 100), lambda: planned((1, ORDER, BUY, 0.5), (50, ORDER, BUY, 0.5)))

    assert [Refusal(row) for row in outcome.rows(OutboxKind.REJECTED)["code"]] == [Refusal.MARKET_HALTED]
    assert [Refusal(row) for row in outcome.refusals()] == [Refusal.NOT_TRADING]


def test_a_halted_market_still_cancels():
    script = status(beats(scene(), 1, 35), TradingStatus.HALTED, 40)

    outcome = run(beats(script, 50, 100), lambda: planned(BID, (50, CANCEL, 0, 1)))

    assert len(outcome.rows(OutboxKind.CANCELLED)) == 1


def test_what_reduces_leaves_and_is_turned_away_by_the_venue():
    script = status(beats(scene(), 1, 40), TradingStatus.HALTED, 45)

    outcome = run(beats(script, 50, 100), lambda: planned((1, ORDER, BUY, 0.5), (50, ORDER, SELL, 0.5)))

    assert outcome.refusals() == []
    assert [Refusal(row) for row in outcome.rows(OutboxKind.REJECTED)["code"]] == [Refusal.MARKET_HALTED]


def test_an_auction_takes_orders_and_matches_none():
    script = status(beats(scene()), TradingStatus.AUCTION, 0.5)
    plan = [
        (1, ORDER, BUY, 0.5, 101.0),  # would take, and waits
        (1, ORDER, BUY, 0.5, 101.0, IMMEDIATE),
        (1, ORDER, BUY, 0.5, 101.0), (1, FILL_OR_KILL, 2),
    ]  # fmt: skip

    outcome = run(beats(script, 1, 100), lambda: planned(*plan))

    assert outcome.fills() == []
    assert [row["order"] for row in outcome.rows(OutboxKind.ACCEPTED)] == [1]
    assert sorted(Refusal(code) for code in outcome.rows(OutboxKind.CANCELLED)["code"]) == [
        Refusal.NO_LIQUIDITY, Refusal.KILLED_UNFILLED
    ]


def test_a_status_that_the_venue_does_not_explain_halts_nothing():
    script = status(beats(scene()), TradingStatus.UNKNOWN, 0.5)

    assert len(run(beats(script, 1, 100), lambda: planned((1, ORDER, BUY, 0.5))).fills()) == 1
