"""What the database says of orders that wait for a price, are changed, or are sent anew: always what they are now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamtrader.events import BUY, SELL
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.runtime.abilities import FEATURES
from streamtrader.storage.rows import Journal, SeatTerms
from streamtrader.storage.schema import COLUMNS
from tests.kernel.play import BTC, START_NS, TERMS, planned, run
from tests.kernel.players import AMEND, ORDER, STOP_AT, TRAIL_BY
from tests.simulator.rows import told
from tests.simulator.scenes import beats, falling, scene

EMULATED = replace(TERMS, emulated=FEATURES)
BOTH = pytest.mark.parametrize("terms", [TERMS, EMULATED], ids=["native", "emulated"])


def stored(outcome, table="orders", until_ms=None):
    """Rows of a table as they are after all that was said, or after so many milliseconds."""
    said = outcome.said if until_ms is None else outcome.said[outcome.said["at_ns"] <= START_NS + until_ms * 1_000_000]
    rows = Journal([BTC], [SeatTerms("planned", 0, 1.0, 5.0)]).rows(said)
    return [dict(zip(COLUMNS[name], values, strict=True)) for name, values in rows if name == table]


def test_an_order_that_is_sent_anew_has_its_new_price_and_size():
    """0.5 at 99.5 becomes 0.4 at 100.5, and later 0.3 at 100.4: the venue knows only cancels."""
    plan = planned((1, ORDER, BUY, 0.5, 99.5), (40, AMEND, 0, 0.4, 100.5), (110, AMEND, 0, 0.3, 100.4))

    outcome = run(beats(scene(), 1, 30, 40, 75, 110, 150, 200), lambda: plan, terms=EMULATED)

    assert [row[2:4] for row in told(outcome, OutboxKind.SENT)] == [(9_950, 500), (10_050, 400), (10_040, 300)]
    assert outcome.rows(OutboxKind.SENT)["remaining_lots"].tolist() == [500, 400, 300]
    (order,) = stored(outcome)
    assert (order["price"], order["size"], order["status"]) == ("100.4", "0.3", "accepted")


def test_an_order_that_is_sent_anew_after_a_part_was_filled_says_what_is_open():
    plan = planned((1, ORDER, BUY, 0.5, 100.5), (60, AMEND, 0, 0.4, 100.6))
    script = beats(scene(), 1, 30).at(40).trade(100.5, 0.1, SELL)

    outcome = run(beats(script, 60, 100, 150), lambda: plan, terms=EMULATED)

    (row,) = outcome.rows(OutboxKind.SENT)[1:]
    assert (row["ticks"], row["lots"], row["remaining_lots"]) == (10_060, 400, 300)
    (order,) = stored(outcome)
    assert (order["price"], order["size"], order["filled"]) == ("100.6", "0.4", "0.1")


@BOTH
def test_a_stop_tells_the_price_that_it_waits_for(terms):
    """A stop-limit at 99 with its limit at 98.8, whoever holds it back."""
    plan = planned((1, ORDER, SELL, 0.5, 98.8), (1, STOP_AT, 0, 99.0))

    outcome = run(falling(beats(scene(), 1, 30)), lambda: plan, terms=terms)

    waiting, fired = stored(outcome, until_ms=40)[0], stored(outcome)[0]
    assert (waiting["trigger_price"], waiting["price"]) == ("99", "98.8")
    assert waiting["status"] == ("accepted" if terms is TERMS else "armed")
    assert (fired["trigger_price"], fired["price"]) == ("99", "98.8")
    assert [(row["change"], row["price"]) for row in stored(outcome, "order_changes")] == [("armed", "99"), ("triggered", "99")]


@BOTH
def test_a_trailing_stop_tells_where_it_fired(terms):
    """It comes within 2 of 105 and fires at 103."""
    plan = planned((1, ORDER, SELL, 0.5), (1, TRAIL_BY, 0, 2.0))
    script = beats(scene(), 1, 30)
    for at, price in ((40, 101.0), (50, 105.0), (60, 104.0), (90, 90.0)):
        script.at(at).trade(price, 0.001, BUY)

    outcome = run(beats(script, 200), lambda: plan, terms=terms)

    (order,) = stored(outcome)
    assert (order["status"], order["trigger_price"]) == ("filled", "103")


def test_a_refused_change_is_no_end_of_an_order_that_was_sent():
    """Nobody can pay for 2,000: neither the stop at the venue nor the resting order becomes so large."""
    plan = planned(
        (1, ORDER, SELL, 0.5, 98.8), (1, STOP_AT, 0, 99.0), (1, ORDER, BUY, 0.5, 99.5),
        (40, AMEND, 0, 2_000.0), (40, AMEND, 2, 2_000.0),
    )  # fmt: skip

    outcome = run(beats(scene(), 1, 30, 40, 100), lambda: plan)

    assert outcome.refusals() == [Refusal.INSUFFICIENT_FUNDS] * 2
    orders = [(order["price"], order["size"], order["status"], order["reason"]) for order in stored(outcome)]
    assert orders == [("98.8", "0.5", "accepted", None), ("99.5", "0.5", "accepted", None)]
