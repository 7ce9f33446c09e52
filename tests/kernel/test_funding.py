"""Funding of perpetuals: who pays whom, when, for which position, and never twice."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from streamtrader.events import BUY, SELL, Kind
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import Charge, OutboxKind
from streamtrader.runtime.accounts import AccountTerms
from streamtrader.runtime.assembly import Placement, Terms
from tests.kernel.play import BTC, MS, START_NS, engine_of, planned, play, run, states
from tests.kernel.players import ORDER
from tests.kernel.test_accounts import PERPETUAL
from tests.simulator.scenes import beats, scene

HOUR_MS = 3_600_000
FIRST, SECOND = HOUR_MS, 2 * HOUR_MS
LONG, SHORT = (1, ORDER, BUY, 1.0), (1, ORDER, SELL, 1.0)


def due(at_ms):
    return START_NS + round(at_ms * MS)


def forecast(script, at_ms, price, rate, for_ms):
    script.at(at_ms).add(Kind.MARK, price, 0.0, rate, 0.0, id=due(for_ms))
    return script


def settled(script, at_ms, price, rate, next_ms):
    script.at(at_ms).add(Kind.MARK, price, 0.0, rate, 1.0, id=due(next_ms))
    return script


def played(script, *plan, instruments=(PERPETUAL,), **terms):
    return run(
        script, lambda: planned(*plan), instruments=instruments,
        terms=Terms(cash_quote=100_000.0, account=AccountTerms(**{"max_mark_age_s": 1e6} | terms)),
    )  # fmt: skip


def paid(outcome):
    """(milliseconds, side, lots, amount) of every payment."""
    rows = outcome.rows(OutboxKind.CHARGED)
    assert set(rows["code"].tolist()) <= {Charge.FUNDING}
    told = [(int(row["at_ns"]), int(row["side"]), int(row["lots"]), float(row["fee"])) for row in rows]
    return [((at - START_NS) / MS, *rest) for at, *rest in told]


@pytest.mark.parametrize(
    ("line", "rate", "amount"),
    [
        (LONG, 0.0001, 0.012), (LONG, -0.0001, -0.012), (SHORT, 0.0001, -0.012), (SHORT, -0.0001, 0.012),
        (LONG, 0.0075, 0.9), (SHORT, -0.0075, 0.9), ((1, ORDER, BUY, 2.0), 0.0003, 0.072),
    ],
)  # fmt: skip
def test_a_long_position_pays_a_positive_rate_on_its_value_at_the_mark(line, rate, amount):
    script = forecast(beats(scene(), 1, 50), 60, 120.0, rate, FIRST)

    outcome = played(beats(script, FIRST + 500), line)

    side, lots = line[2], round(line[3] * 1000)
    assert paid(outcome) == [(float(FIRST), side, lots, pytest.approx(amount))]
    assert float(outcome.seat.charges) == pytest.approx(amount)
    assert outcome.rows(OutboxKind.CHARGED)["ticks"].tolist() == [12_000]
    fees = float(outcome.seat.fees)
    bought = -sum(
        (1 if row["side"] == BUY else -1) * row["ticks"] * row["lots"] / 1e5 for row in outcome.rows(OutboxKind.FILLED)
    )
    assert float(outcome.seat.cash) == pytest.approx(100_000.0 + bought - fees - amount)


def test_nothing_is_paid_for_a_rate_of_nothing_or_without_a_position():
    script = forecast(forecast(beats(scene(), 1, 50), 60, 120.0, 0.0, FIRST), FIRST + 10, 120.0, 0.01, SECOND)

    assert paid(played(beats(script, FIRST + 500), LONG)) == []
    assert paid(played(beats(script, SECOND + 500))) == []


def test_the_position_of_that_moment_counts_and_the_last_rate_told_before():
    """Bought in time, sold too late: the sale of 30 ms before the time reaches the books 10 ms before it."""
    script = forecast(beats(scene(), 1, 50), 60, 120.0, 0.001, FIRST)
    forecast(script, FIRST - 100, 110.0, 0.002, FIRST)
    beats(script, FIRST - 40, FIRST - 20, FIRST + 2_000)

    outcome = played(script, LONG, (FIRST - 40, ORDER, SELL, 0.4), (FIRST - 20, ORDER, SELL, 0.6))

    assert paid(outcome) == [(float(FIRST), BUY, 600, pytest.approx(0.6 * 110.0 * 0.002))]
    assert int(outcome.seat.position_lots) == 0


def test_each_time_is_paid_once_however_often_it_is_told():
    script = forecast(beats(scene(), 1, 50), 60, 100.0, 0.001, FIRST)
    for late_ms in (0, 1, 900, 5_000):
        forecast(script, FIRST + late_ms, 100.0, 0.005, FIRST)
    forecast(script, FIRST + 6_000, 100.0, 0.003, SECOND)
    forecast(script, SECOND + 10, 100.0, 0.004, SECOND + HOUR_MS)

    outcome = played(beats(script, SECOND + 500), LONG)

    assert [(at, amount) for at, *_, amount in paid(outcome)] == [
        (FIRST, pytest.approx(0.1)), (SECOND, pytest.approx(0.3)),
    ]  # fmt: skip


def test_a_venue_that_is_past_the_time_has_paid_although_our_clock_is_behind():
    script = forecast(beats(scene(), 1, 50), 60, 100.0, 0.001, FIRST)
    forecast(script, FIRST - 800, 100.0, 0.002, SECOND)

    outcome = played(beats(script, FIRST + 500), LONG)

    assert paid(outcome) == [(FIRST - 800.0, BUY, 1_000, pytest.approx(0.1))]


def test_a_time_that_is_moved_is_not_paid_at_the_old_one():
    script = forecast(beats(scene(), 1, 50), 60, 100.0, 0.001, SECOND)
    forecast(script, 70, 100.0, 0.001, FIRST)
    beats(script, FIRST + 500)
    later = forecast(forecast(beats(scene(), 1, 50), 60, 100.0, 0.001, FIRST), 70, 100.0, 0.001, SECOND)

    assert [at for at, *_ in paid(played(script, LONG))] == [FIRST]
    assert [at for at, *_ in paid(played(beats(later, FIRST + 500, SECOND + 500), LONG))] == [SECOND]


def test_what_the_venue_says_it_has_paid_is_paid_at_once_with_its_rate():
    unforeseen = settled(beats(scene(), 1, 50), 500, 100.0, 0.002, FIRST)
    foreseen = settled(forecast(beats(scene(), 1, 50), 60, 100.0, 0.001, FIRST), FIRST - 20, 100.0, 0.002, SECOND)

    assert paid(played(beats(unforeseen, 600), LONG)) == [(500.0, BUY, 1_000, pytest.approx(0.2))]
    assert paid(played(beats(foreseen, FIRST + 500), LONG)) == [(FIRST - 20.0, BUY, 1_000, pytest.approx(0.2))]


def test_a_second_word_about_the_same_time_settles_the_difference_for_the_positions_of_then():
    script = forecast(beats(scene(), 1, 50), 60, 100.0, 0.001, FIRST)
    beats(script, FIRST + 100, FIRST + 200)
    settled(script, FIRST + 3_000, 105.0, 0.0013, SECOND)
    settled(script, FIRST + 4_000, 105.0, 0.0013, SECOND)
    settled(script, FIRST + 5_000, 105.0, 0.0009, SECOND)

    outcome = played(beats(script, FIRST + 6_000), LONG, (FIRST + 100, ORDER, SELL, 1.0))

    assert [(at, lots, amount) for at, _, lots, amount in paid(outcome)] == [
        (FIRST, 1_000, pytest.approx(0.1)), (FIRST + 3_000, 1_000, pytest.approx(0.03)),
        (FIRST + 5_000, 1_000, pytest.approx(-0.04)),
    ]  # fmt: skip


def test_a_spot_position_is_not_funded_by_what_a_perpetual_says():
    script = forecast(beats(scene(), 1, 50), 60, 120.0, 0.001, FIRST)

    outcome = played(beats(script, FIRST + 500), LONG, instruments=(BTC,))

    assert paid(outcome) == []
    assert float(outcome.engine.state.markets[0].mark_price()) == 100.5


def test_a_funding_that_leaves_too_little_closes_the_position():
    script = forecast(beats(scene(), 1, 50), 60, 100.0, 0.1, FIRST)

    outcome = run(
        beats(script, FIRST + 500, FIRST + 600), lambda: planned((1, ORDER, BUY, 0.9)), instruments=(PERPETUAL,),
        terms=Terms(cash_quote=10.0, account=AccountTerms(leverage=10.0, max_mark_age_s=1e6)),
    )  # fmt: skip

    assert paid(outcome) == [(FIRST, BUY, 900, pytest.approx(9.0))]
    assert (int(outcome.seat.position_lots), int(outcome.seat.halted)) == (0, Refusal.LIQUIDATED)


@pytest.mark.parametrize("cuts", [(), (3,), (4, 5), (5, 6), (6, 7, 8)])
def test_a_restart_beside_the_time_changes_nothing(cuts):
    script = forecast(beats(scene(), 1, 50), 60, 100.0, 0.001, FIRST)
    settled(beats(script, FIRST - 1, FIRST, FIRST + 1), FIRST + 10, 100.0, 0.002, SECOND)
    forecast(beats(script, FIRST + 100), FIRST + 200, 100.0, 0.003, SECOND)
    events = beats(script, SECOND + 100).events()

    def engine():
        return engine_of([Placement(planned(LONG), 0)], Terms(cash_quote=1e5), instruments=(PERPETUAL,))

    reference = engine()
    said = play(reference, events)
    parts, last = [], engine()
    for start, stop in pairwise([0, *(len(scene().rows) + cut for cut in cuts), len(events)]):
        parts.append(play(last, events, start=start, stop=stop))
        kept = {name: np.frombuffer(data, np.uint8) for name, data in states(last).items()}
        written, last = int(last.outbox[0].written), engine()
        last.restore(kept)
        last.outbox[0].written = last.outbox[0].drained = written

    assert said.tobytes() == np.concatenate(parts).tobytes()
    assert states(reference) == states(last)
    assert said[said["kind"] == OutboxKind.CHARGED]["fee"].tolist() == pytest.approx([0.1005, 0.1005, 0.3015])
