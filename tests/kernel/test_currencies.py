"""Several currencies: everything is counted in the account's own, at rates that have an age."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from streamtrader.errors import ConfigError
from streamtrader.events import BUY, SELL, BookState
from streamtrader.instruments import Instrument
from streamtrader.kernel.account import AccountKind
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import Charge, OutboxKind
from streamtrader.runtime.accounts import AccountTerms, InterestTerms
from streamtrader.runtime.assembly import Placement, Terms
from tests.kernel.play import Script, engine_of, planned, run
from tests.kernel.players import ORDER
from tests.kernel.purses import run_shared


def pair(base, quote, kind="spot"):
    return Instrument("test", base + quote, base, quote, Decimal("0.01"), Decimal("0.001"), Decimal(0), 0.0, 0.0, kind)


ETHEUR, BTCUSD, EURUSD, USDEUR = pair("ETH", "EUR"), pair("BTC", "USD"), pair("EUR", "USD"), pair("USD", "EUR")
STALE = Refusal.STALE_MARK
FUNDS = Refusal.INSUFFICIENT_FUNDS


def market_with(*rates, beats_ms=(), instrument=1):
    """100 is bid and 100 + a tick asked for fifty of instrument 0; (milliseconds, rate) of another one."""
    rows = [(at, None) for at in beats_ms] + list(rates)
    script = Script().at(0).book([(99.99, 50.0)], [(100.01, 50.0)])
    for at_ms, rate in sorted(rows, key=lambda row: row[0]):
        script.at(at_ms)
        if rate is None:
            script.level(0, 50.0, 1.0)
        else:
            script.book([(rate - 0.01, 9.0)], [(rate + 0.01, 9.0)], instrument=instrument)
    return script


def played(script, *plan, instruments=(ETHEUR, EURUSD), cash=1_000.0, **terms):
    account = AccountTerms(**{"currency": "USD"} | terms)
    return run(script, lambda: planned(*plan), instruments=instruments, terms=Terms(cash_quote=cash, account=account))


@pytest.mark.parametrize(
    ("instruments", "told", "worth"),
    [((ETHEUR, EURUSD), 1.10, 1.10), ((ETHEUR, USDEUR), 0.80, 1.25), ((ETHEUR, pair("EUR", "USD", "future"), EURUSD), 1.10, 1.10)],
)
def test_money_of_another_currency_is_worth_what_the_market_says_at_whole_seconds(instruments, told, worth):
    source = len(instruments) - 1
    script = market_with((500, told), (1_500, told + 0.10), beats_ms=(1_010, 1_600, 1_700), instrument=source)

    outcome = played(script, (1_010, ORDER, BUY, 2.0), instruments=instruments)

    (account,), (seat,) = outcome.engine.state.accounts, outcome.engine.state.seats
    assert float(seat.cash) == pytest.approx(1_000.0 - 2.0 * 100.01)
    assert float(account.cash[1]) == float(seat.cash)
    assert float(account.equity) == pytest.approx((1_000.0 - 0.02) * worth)
    assert float(account.initial_equity) == pytest.approx(1_000.0 * worth)
    assert float(account.initial()) == pytest.approx(200.0 * worth)


def test_without_a_market_a_mark_of_the_settings_serves_and_never_ages():
    script = market_with(beats_ms=(1, 100_000, 100_050))

    outcome = played(script, (100_000, ORDER, BUY, 2.0), instruments=(ETHEUR,), marks=(("EUR", 1.5),))

    assert outcome.refusals() == []
    assert float(outcome.engine.state.accounts[0].equity) == pytest.approx(999.98 * 1.5)


@pytest.mark.parametrize("instruments", [(ETHEUR,), (ETHEUR, BTCUSD), (ETHEUR, pair("EUR", "GBP"))])
def test_a_currency_without_a_mark_is_refused_with_the_remedy(instruments):
    words = "nothing says what EUR is worth in it. Listen to EURUSD or USDEUR too (exchange.symbols), or set account.marks"

    with pytest.raises(ConfigError, match=re.escape(words)):
        played(market_with(), instruments=instruments)


def test_only_what_is_traded_needs_a_rate_and_the_account_counts_in_what_is_traded_first():
    engine = engine_of([Placement(planned(), 1)], Terms(), instruments=(ETHEUR, BTCUSD, EURUSD))

    assert engine.state.markets["currency"].tolist() == [0, 0, 0]
    assert engine.state.markets["rate_source"].tolist() == [-1, -1, -1]
    assert int(engine.state.clock[0].tick_ns) == 0


def test_nothing_is_bought_before_it_is_known_what_it_costs():
    outcome = played(market_with((500, 1.1), beats_ms=(1, 600, 1_100)), *[(at, ORDER, BUY, 1.0) for at in (1, 600, 1_100)])

    assert outcome.refusals() == [STALE, STALE]


def test_a_rate_that_is_too_old_stops_new_exposure_and_lets_reducing_through():
    script = market_with((500, 1.1), (99_000, 1.2), beats_ms=(1_100, 60_400, 60_600, 60_700, 60_750, 99_100, 99_500, 100_100))
    plan = [(1_100, ORDER, BUY, 2.0), (60_400, ORDER, BUY, 0.5), (60_600, ORDER, BUY, 0.1), (60_700, ORDER, SELL, 1.0)]

    outcome = played(script, *plan, (99_500, ORDER, BUY, 0.1), (100_100, ORDER, BUY, 0.1))

    assert outcome.refusals() == [STALE, STALE]
    assert outcome.rows(OutboxKind.SENT)["lots"].tolist() == [2_000, 500, 1_000, 100]
    assert len(outcome.rows(OutboxKind.FILLED)) == 3


@pytest.mark.parametrize("state", [BookState.GAP, BookState.STALE, BookState.SYNCING])
def test_a_market_in_doubt_says_nothing_about_a_rate(state):
    script = market_with((500, 1.1), beats_ms=(1_100,))
    script.at(2_500).book([(1.99, 9.0)], [(2.01, 9.0)], instrument=1).link(state, instrument=1)

    outcome = played(script.at(3_500).timer())

    assert float(outcome.engine.state.markets[0].quote_rate) == pytest.approx(1.1)


def test_a_shared_account_vouches_in_its_own_currency_for_what_it_owes_in_another():
    """1,000 dollars carry a position of 500 euros at leverage 1; the euros are borrowed and cost interest."""
    first_hour = 2_800_000
    script = market_with((500, 1.25), beats_ms=(1_100, 1_150, 1_200, first_hour + 500))
    account = AccountTerms(
        is_shared=True, currency="USD", max_mark_age_s=1e6, interest=InterestTerms(1, money_rate=0.10)
    )

    outcome = run_shared(
        script, (lambda: planned((1_100, ORDER, BUY, 5.0), (1_200, ORDER, BUY, 4.0)), 0), cash=1_000.0, account=account,
        instruments=(ETHEUR, EURUSD),
    )  # fmt: skip

    (account,), (seat,) = outcome.engine.state.accounts, outcome.engine.state.seats
    owed = 5.0 * 100.01
    charge = owed * 0.10 / 8_760
    assert outcome.refusals() == [FUNDS]
    (charged,) = outcome.rows(OutboxKind.CHARGED)
    assert (int(charged["code"]), float(charged["fee"])) == (Charge.INTEREST, pytest.approx(charge))
    assert account.cash[:2].tolist() == pytest.approx([1_000.0, -owed - charge])
    assert float(account.equity) == pytest.approx(1_000.0 + (500.0 - owed - charge) * 1.25)
    assert float(seat.equity) == pytest.approx(500.0 - owed - charge)


def test_a_spot_account_spends_the_money_of_the_quotes_only():
    terms = AccountTerms(is_shared=True, currency="USD", kind=AccountKind.SPOT)
    script = market_with((500, 1.25), beats_ms=(1_100,))

    outcome = run_shared(
        script, (lambda: planned((1_100, ORDER, BUY, 0.1)), 0), cash=1_000.0, account=terms, instruments=(ETHEUR, EURUSD)
    )

    assert outcome.refusals() == [FUNDS]


def test_a_position_whose_currency_nobody_knows_any_more_stops_the_whole_account():
    script = Script().at(0).book([(99.99, 50.0)], [(100.01, 50.0)])
    script.book([(99.99, 50.0)], [(100.01, 50.0)], instrument=1).book([(1.09, 9.0)], [(1.11, 9.0)], instrument=2)
    for at_ms in (1_100, 1_200, 62_500):
        script.at(at_ms).level(0, 50.0, 1.0).level(0, 50.0, 1.0, instrument=1)

    outcome = run_shared(
        script, (lambda: planned((1_100, ORDER, BUY, 1.0)), 0), (lambda: planned((62_500, ORDER, BUY, 1.0)), 1),
        instruments=(ETHEUR, BTCUSD, EURUSD), account=AccountTerms(is_shared=True, currency="USD"),
    )  # fmt: skip

    assert outcome.refusals(seat=1) == [STALE]
    assert len(outcome.rows(OutboxKind.SENT, seat=1)) == 0
