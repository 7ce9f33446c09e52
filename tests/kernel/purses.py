"""Accounts for tests: engines whose seats share one, and what an account must equal."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrader.runtime.accounts import AccountTerms
from streamtrader.runtime.assembly import Placement, Terms
from tests.kernel.play import BTC, ETH, Outcome, engine_of, play, states

SHARED = AccountTerms(is_shared=True)


def placed(*strategies, rules=lambda: ()):
    """A seat for each (maker of a strategy, instrument), all of one owner."""
    return [Placement(make(), instrument, rules(), owner=0) for make, instrument in strategies]


def run_shared(script, *strategies, account=SHARED, cash=100_000.0, rules=lambda: (), instruments=(BTC, ETH), **terms):
    """One account for all; compiled and uncompiled must agree in every byte, and the account with its seats."""
    events = script.events() if not isinstance(script, np.ndarray) else script
    outcomes = []
    for interpreted in (False, True):
        engine = engine_of(
            placed(*strategies, rules=rules),
            Terms(cash_quote=cash, account=account, **terms),
            instruments=instruments,
            interpreted=interpreted,
        )
        outcomes.append(Outcome(engine, play(engine, events)))
    fast, slow = outcomes
    assert fast.said.tobytes() == slow.said.tobytes()
    assert states(fast.engine) == states(slow.engine)
    check_sums(fast.engine)
    return fast


def check_sums(engine):
    """An account is what its seats are."""
    seats, accounts = engine.state.seats, engine.state.accounts
    markets = engine.state.markets
    for at, account in enumerate(accounts):
        own = [seat for seat in seats if int(seat.account) == at]
        rates = [float(markets[int(seat.instrument)].quote_rate) for seat in own]
        for name in ("equity", "value", "working", "maintenance", "haircut"):
            counted = sum(float(seat.counted[name]) for seat in own)
            base = float(account.deposit) if name == "equity" else 0.0
            assert float(account[name]) == pytest.approx(base + counted, rel=1e-9, abs=1e-7), name
        equity = float(account.deposit) + sum(float(s.equity) * r for s, r in zip(own, rates, strict=True))
        assert float(account.equity) == pytest.approx(equity, rel=1e-9, abs=1e-7)
