"""A book that forgot its far levels, when the price comes to them: what that does to orders, and what mends it."""

from __future__ import annotations

import pytest

from streamtrader.events import ASK, BID, BUY, MORE, SELL, BookState, Kind
from streamtrader.kernel.book import BOOK_SLOTS
from streamtrader.kernel.market import NO_STATE
from streamtrader.kernel.orders import Refusal
from tests.kernel.play import Script, planned, run
from tests.kernel.players import ORDER
from tests.simulator.scenes import beats

DEEP = BOOK_SLOTS * 3 // 8  # levels a side: both sides together are more than the book keeps
BIDS = [(100.0 - 0.01 * at, 5.0) for at in range(DEEP)]
ASKS = [(101.0 + 0.01 * at, 5.0) for at in range(DEEP)]
GONE = DEEP * 3 // 4


def told(script, bids, asks, *, has_links):
    """A snapshot, as venues send it or as data sets without book states have it."""
    if has_links:
        return script.book(bids, asks)
    script.add(Kind.BOOK_CLEAR, flags=MORE)
    return script.message([(BID, *level) for level in bids] + [(ASK, *level) for level in asks])


def scene(*, has_links):
    return told(Script().at(0), BIDS, ASKS, has_links=has_links)


def worn(script, at_ms):
    """The best bids go, all that the book knows and more."""
    return script.at(at_ms).message([(BID, price, 0.0) for price, _ in BIDS[:GONE]])


@pytest.mark.parametrize("has_links", [True, False])
@pytest.mark.slow
def test_a_worn_book_lets_only_less_exposure_through_until_a_snapshot(has_links):
    script = worn(beats(scene(has_links=has_links), 1, 30), 40)
    script = told(beats(script, 50, 60, 70).at(80), BIDS[GONE : GONE + 9], ASKS[:9], has_links=has_links)
    plan = planned((1, ORDER, BUY, 0.5), (50, ORDER, BUY, 0.1), (60, ORDER, SELL, 0.2, 30.0), (90, ORDER, BUY, 0.3))

    outcome = run(beats(script, 90, 120), lambda: plan)

    market = outcome.engine.state.markets[0]
    assert outcome.refusals() == [Refusal.BOOK_NOT_LIVE]
    assert market.worn_count == 1
    assert market.state == (BookState.LIVE if has_links else NO_STATE)
    assert outcome.seat.position_lots == 600


@pytest.mark.slow
def test_a_book_that_forgot_levels_and_whose_price_stays_away_from_them_is_believed():
    script = beats(scene(has_links=True).at(10).message([(BID, price, 0.0) for price, _ in BIDS[: GONE // 3]]), 20, 40)

    outcome = run(script, lambda: planned((20, ORDER, BUY, 0.5)))

    market = outcome.engine.state.markets[0]
    assert market.book.forgotten_count > 0
    assert (outcome.refusals(), market.state, market.worn_count) == ([], BookState.LIVE, 0)
