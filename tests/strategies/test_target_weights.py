"""A portfolio in one account: each instrument at its share, and closes before what they pay for."""

from __future__ import annotations

import pytest

from streamtrader.errors import ConfigError
from streamtrader.events import ASK, BID
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.runtime.accounts import AccountTerms
from streamtrader.runtime.assembly import Placement, Terms
from streamtrader.strategies import TargetWeights
from tests.kernel.play import Outcome, Script, engine_of, play

TERMS = Terms(cash_quote=10_000.0, account=AccountTerms(is_shared=True))


def market(moves):
    """Two books, BTC at 100 and ETH at 50, shown anew every half second; `moves` gives prices from a second on."""
    script = Script().at(0).book([(99.99, 900.0)], [(100.01, 900.0)])
    script.book([(49.9, 900.0)], [(50.1, 900.0)], instrument=1)
    btc, eth = 100.0, 50.0
    for step in range(1, 80):
        new_btc, new_eth = moves.get(step / 2, (btc, eth))
        for instrument, old, new, half in ((0, btc, new_btc, 0.01), (1, eth, new_eth, 0.1)):
            gone = [(BID, old - half, 0.0), (ASK, old + half, 0.0)] if old != new else []
            levels = [*gone, (BID, new - half, 900.0), (ASK, new + half, 900.0)]
            script.at(500 * step).message(levels, instrument=instrument)
        btc, eth = new_btc, new_eth
    return script.events()


def played(moves, **parameters):
    outcomes = []
    for interpreted in (False, True):
        placements = [Placement(TargetWeights(**parameters), at, name="portfolio", owner=0) for at in (0, 1)]
        engine = engine_of(placements, TERMS, interpreted=interpreted)
        outcomes.append(Outcome(engine, play(engine, market(moves))))
    fast, slow = outcomes
    assert fast.said.tobytes() == slow.said.tobytes()
    return fast


def shares(outcome):
    account = outcome.engine.state.accounts[0]
    return [float(seat.value) / float(account.equity) for seat in outcome.engine.state.seats]


def test_each_instrument_gets_its_share_of_the_account():
    assert shares(played({}, weights=(0.6, 0.3), band=0.005)) == pytest.approx([0.6, 0.3], abs=0.006)


def test_a_negative_weight_is_a_short():
    assert shares(played({}, weights=(0.5, -0.4), band=0.005)) == pytest.approx([0.5, -0.4], abs=0.006)


def test_what_is_closed_pays_for_what_is_opened():
    """All is invested. BTC doubles: it must be sold before ETH can be bought for the money, though ETH is asked too."""
    outcome = played({20.0: (200.0, 50.0)}, weights=(0.5, 0.5), rebalance_s=10.0, band=0.02)

    late = outcome.said[(outcome.said["kind"] == OutboxKind.FILLED)]
    late = late[late["at_ns"] > outcome.said["at_ns"].min() + 15 * 10**9]
    assert [int(seat) for seat in late["seat"]] == sorted(int(seat) for seat in late["seat"]), "BTC's sale comes first"
    assert {(int(row["seat"]), int(row["side"])) for row in late} == {(0, 1), (1, 0)}
    assert shares(outcome) == pytest.approx([0.5, 0.5], abs=0.03)
    assert not (outcome.said["kind"] == OutboxKind.REFUSED).any()


@pytest.mark.parametrize(
    "wrong", [{"weights": ()}, {"weights": (float("nan"),)}, {"weights": (0.1,) * 65}, {"rebalance_s": 0.0}, {"band": 1.0}]
)
def test_a_portfolio_that_cannot_be_is_refused(wrong):
    with pytest.raises(ConfigError):
        TargetWeights(**wrong)
