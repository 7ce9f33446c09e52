"""What borrowing costs: by the clock of the events, by the venue's own way of counting."""

from __future__ import annotations

import re

import pytest

from streamtrader.config import load_settings
from streamtrader.errors import ConfigError
from streamtrader.events import BUY, SELL
from streamtrader.kernel.account import AccountKind
from streamtrader.kernel.interest import SINGLE_PERIODS
from streamtrader.kernel.outbox import Charge, OutboxKind
from streamtrader.runtime.accounts import AccountTerms, InterestTerms
from streamtrader.runtime.assembly import Terms
from tests.kernel.play import BTC, ETH, MS, START_NS, Script, planned, run
from tests.kernel.players import ORDER
from tests.kernel.purses import run_shared
from tests.kernel.test_accounts import PERPETUAL
from tests.simulator.scenes import beats

HOUR_MS = 3_600_000
FIRST = 2_800_000  # milliseconds from the start, 22:13:20, to the first whole hour
HOURLY = InterestTerms(1, money_rate=0.10, coin_rate=0.05, coin_rates=(("BTC", 0.20),))
HOUR = 1 / 8_760  # of a year of 365 days


def deep(*beats_ms):
    """100 is bid and 101 asked for fifty each."""
    return beats(Script().at(0).book([(100.0, 50.0)], [(101.0, 50.0)]), *beats_ms)


def played(script, *plan, interest=HOURLY, cash=1_000.0, instruments=(BTC,), **terms):
    terms = {"leverage": 10.0} | terms
    return run(
        script, lambda: planned(*plan), instruments=instruments,
        terms=Terms(cash_quote=cash, account=AccountTerms(interest=interest, **terms), taker_fee_bps=0.0),
    )  # fmt: skip


def charged(outcome, seat=0):
    """(code, milliseconds, amount) of every charge."""
    rows = outcome.rows(OutboxKind.CHARGED, seat=seat)
    return [((int(row["code"])), (int(row["at_ns"]) - START_NS) / MS, float(row["fee"])) for row in rows]


def test_money_that_is_lacking_costs_every_hour_and_so_does_its_interest():
    script = deep(1, 50, FIRST + 500, FIRST + HOUR_MS + 500)

    outcome = played(script, (1, ORDER, BUY, 20.0))

    lacking = 20 * 101.0 - 1_000.0
    first = lacking * 0.10 * HOUR
    assert charged(outcome) == [
        (Charge.INTEREST, FIRST, pytest.approx(first, rel=1e-12)),
        (Charge.INTEREST, FIRST + HOUR_MS, pytest.approx((lacking + first) * 0.10 * HOUR, rel=1e-12)),
    ]  # fmt: skip
    assert float(outcome.seat.cash) == pytest.approx(-lacking - float(outcome.seat.charges), rel=1e-15)
    assert outcome.rows(OutboxKind.CHARGED)[["side", "lots", "ticks"]].tolist() == [(BUY, 20_000, 10_050)] * 2


def test_coins_that_are_sold_short_cost_by_what_they_are_worth_now():
    script = deep(1, 50)
    script.at(FIRST - 9).book([(120.0, 50.0)], [(122.0, 50.0)])

    outcome = played(beats(script, FIRST + 500), (1, ORDER, SELL, 5.0))

    assert charged(outcome) == [(Charge.BORROW, FIRST, pytest.approx(5.0 * 121.0 * 0.20 * HOUR))]
    assert outcome.rows(OutboxKind.CHARGED)[["side", "lots", "ticks"]].tolist() == [(SELL, 5_000, 12_100)]


def test_a_coin_without_a_rate_of_its_own_costs_what_others_do():
    script = deep(1, 50, FIRST + 500)

    outcome = played(script, (1, ORDER, SELL, 5.0), interest=InterestTerms(1, coin_rate=0.05))

    assert charged(outcome) == [(Charge.BORROW, FIRST, pytest.approx(5.0 * 100.5 * 0.05 * HOUR))]


def test_what_is_paid_back_in_time_costs_nothing():
    script = deep(1, 50, FIRST - 100, FIRST + 500, FIRST + HOUR_MS + 500)

    assert charged(played(script, (1, ORDER, BUY, 20.0), (FIRST - 100, ORDER, SELL, 15.0))) == []


def test_a_long_silence_costs_every_period_that_passed_in_it():
    outcome = played(deep(1, 50, FIRST + 5 * HOUR_MS + 1), (1, ORDER, BUY, 20.0))

    assert [at for _, at, _ in charged(outcome)] == [FIRST + hour * HOUR_MS for hour in range(6)]


def test_a_silence_without_end_is_charged_in_one_row():
    outcome = played(deep(1, 50, FIRST + 5_000 * HOUR_MS), (1, ORDER, BUY, 20.0))

    ((_, at, amount),) = charged(outcome)
    assert 5_000 > SINGLE_PERIODS
    assert (at, amount) == (FIRST, pytest.approx(1_020.0 * 0.10 * HOUR * 5_001))


def test_the_example_of_binance_is_charged_for_two_hours():
    """1,000 borrowed at 22:20 and paid back at 23:15, at 0.02 % a day: at once, and at 23:00."""
    borrow, repay = 400_000, 3_700_000
    binance = InterestTerms(1, money_rate=0.0002 * 365, is_first_at_once=True)

    outcome = played(
        deep(borrow, borrow + 50, FIRST + 1, repay, repay + 50, FIRST + 2 * HOUR_MS), (borrow, ORDER, BUY, 2_000 / 101),
        (repay, ORDER, SELL, 2_000 / 101), interest=binance,
    )  # fmt: skip

    (first, second) = charged(outcome)
    lots = int(2_000 / 101 * 1_000)
    assert first == (Charge.INTEREST, borrow + 30, pytest.approx((lots * 0.101 - 1_000) * 0.0002 / 24, rel=1e-12))
    assert second[:2] == (Charge.INTEREST, FIRST)
    assert first[2] + second[2] == pytest.approx(0.01666667, rel=1e-4)


KRAKEN = InterestTerms(
    4, money_rate=0.0002 * 6 * 365, coin_rate=0.0001 * 6 * 365, opening_rate=0.0002, lends_positions=True, is_from_opening=True
)


def test_kraken_lends_the_whole_position_and_rolls_it_over_every_four_hours_from_its_opening():
    """Although there is cash enough: the opening fee of what is added, then the rollover of all of it."""
    script = deep(1, 50, HOUR_MS, HOUR_MS + 50, 4 * HOUR_MS + 2_000, 8 * HOUR_MS + 2_000)

    outcome = played(script, (1, ORDER, BUY, 2.0), (HOUR_MS, ORDER, BUY, 1.0), interest=KRAKEN)

    assert charged(outcome) == [
        (Charge.OPENING, 31.0, pytest.approx(202.0 * 0.0002)),
        (Charge.OPENING, HOUR_MS + 30.0, pytest.approx(101.0 * 0.0002)),
        (Charge.INTEREST, 4 * HOUR_MS + 1_000.0, pytest.approx(303.0 * 0.0002)),
        (Charge.INTEREST, 8 * HOUR_MS + 1_000.0, pytest.approx(303.0 * 0.0002)),
    ]  # fmt: skip


def test_a_flip_opens_the_other_side_anew():
    script = deep(1, 50, HOUR_MS, HOUR_MS + 50, 4 * HOUR_MS + 2_000)

    outcome = played(script, (1, ORDER, BUY, 2.0), (HOUR_MS, ORDER, SELL, 5.0), interest=KRAKEN)

    assert charged(outcome) == [
        (Charge.OPENING, 31.0, pytest.approx(202.0 * 0.0002)),
        (Charge.OPENING, HOUR_MS + 30.0, pytest.approx(3.0 * 100.5 * 0.0002)),
        (Charge.BORROW, 4 * HOUR_MS + 1_000.0, pytest.approx(3.0 * 100.5 * 0.0001)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "line", "instruments"),
    [
        ({}, (BUY, 9.0), (BTC,)),  # its own money is enough
        ({"kind": AccountKind.SPOT, "leverage": 1.0}, (BUY, 9.0), (BTC,)),
        ({}, (BUY, 90.0), (PERPETUAL,)),
        ({}, (SELL, 90.0), (PERPETUAL,)),
        ({"interest": None}, (SELL, 9.0), (BTC,)),
    ],
)
def test_who_borrows_nothing_pays_nothing(terms, line, instruments):
    outcome = played(deep(1, 50, FIRST + 500, FIRST + HOUR_MS), (1, ORDER, *line), instruments=instruments, **terms)

    assert int(outcome.seat.position_lots) != 0
    assert charged(outcome) == []


def test_the_seats_of_an_account_pay_for_what_each_of_them_lacks():
    """They lack 404 and 101, and the deposit covers 300 of it."""
    script = deep(1).book([(100.0, 50.0)], [(101.0, 50.0)], instrument=1).at(2).level(0, 50.0, 1.0, instrument=1)

    outcome = run_shared(
        beats(script, FIRST + 500), (lambda: planned((1, ORDER, BUY, 4.0)), 0), (lambda: planned((2, ORDER, BUY, 1.0)), 1),
        cash=300.0, taker_fee_bps=0.0, account=AccountTerms(is_shared=True, leverage=5.0, interest=HOURLY),
        instruments=(BTC, ETH),
    )  # fmt: skip

    lacking = 505.0 - 300.0
    assert charged(outcome, 0) == [(Charge.INTEREST, FIRST, pytest.approx(lacking * 404 / 505 * 0.10 * HOUR))]
    assert charged(outcome, 1) == [(Charge.INTEREST, FIRST, pytest.approx(lacking * 101 / 505 * 0.10 * HOUR))]


def test_the_speed_of_a_session_does_not_change_what_it_costs():
    """The wall clock is not asked: the same events, however they are cut, end in the same bytes (`run` compares)."""
    script = deep(1, 50, FIRST + 500)

    twice = [charged(played(script, (1, ORDER, BUY, 20.0))) for _ in range(2)]

    assert twice[0] == twice[1] != []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("account.interest.quote_rate=-0.1", "must be greater than or equal to 0"),
        ("account.interest.every_h=0", "must be greater than or equal to 1"),
        ("account.interest.borrowed=some", "account.interest.borrowed"),
        ("account.interest.base_rates={ DOGE = nan }", "account.interest.base_rates.DOGE"),
    ],
)
def test_impossible_interest_is_refused(text, words, tmp_path):
    with pytest.raises(ConfigError, match=re.escape(words)):
        load_settings([], [text], {}, directory=tmp_path)
