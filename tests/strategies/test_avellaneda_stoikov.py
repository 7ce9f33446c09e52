"""AvellanedaStoikov on a market: where it quotes, when it does not, and what it takes from the feed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.errors import ConfigError
from streamtrader.events import BUY, SELL, BookState, Kind
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.strategies import AvellanedaStoikov
from tests.strategies.market import START_NS, events_of, link, lively_market, play, quotes, row, trade

SECOND_NS = 1_000_000_000
MIDDLE, TICK = 60_000.0, 0.1


def maker(**terms):
    """Knows its market: nothing is taken from the feed."""
    return AvellanedaStoikov(**({"gamma": 0.1, "k": 1.5, "volatility": 2.0, "horizon_s": 10.0} | terms))


def book(at_s, bid=MIDDLE - 50.0, ask=MIDDLE + 50.0, size=5.0):
    """A wide one unless told otherwise, so that quotes stand where the formula says."""
    return quotes(START_NS + round(at_s * SECOND_NS), bid, size, ask, size)


def asked(said):
    """(seconds, side, ticks) of each order that was asked for."""
    orders = said[said["kind"] == OutboxKind.INTENT]
    return [
        ((at - START_NS) / SECOND_NS, side, ticks)
        for at, side, ticks in orders[["at_ns", "side", "ticks"]].tolist()
    ]


def quoted(rows, strategy):
    """The first quotes, in ticks: bid, ask."""
    _, said = play(events_of(rows), strategy, interpreted=True)
    first = {side: ticks for _, side, ticks in reversed(asked(said))}
    return first.get(BUY), first.get(SELL)


def test_flat_it_quotes_on_both_sides_of_the_middle_rounded_away_from_it():
    """gamma sigma^2 T + 2 / gamma ln(1 + gamma / k) = 4 + 1.29, at the beginning of the session."""
    half = 0.5 * (0.1 * 4.0 * 10.0 + 20.0 * math.log(1.0 + 0.1 / 1.5))

    bid, ask = quoted(book(0), maker())

    assert (bid, ask) == (math.floor((MIDDLE - half) / TICK), math.ceil((MIDDLE + half) / TICK))


def test_the_spread_narrows_as_the_session_ends_and_is_wide_again_in_the_next():
    _, said = play(events_of(book(0) + book(5) + book(9.9) + book(10)), maker(), interpreted=True)

    prices = {side: [ticks for _, of, ticks in asked(said) if of == side] for side in (BUY, SELL)}
    spreads = [ask - bid for bid, ask in zip(prices[BUY], prices[SELL], strict=True)]
    assert spreads[0] > spreads[1] > spreads[2]
    assert spreads[3] == spreads[0]


def test_a_position_moves_both_quotes_against_it():
    """Each order of `size` that is held is worth gamma sigma^2 (T - t): 3.6 after a second."""
    rows = book(0) + trade(START_NS + SECOND_NS // 2, MIDDLE - 10.0, 5.0, SELL) + book(1)

    engine, said = play(events_of(rows), maker(size=0.002, limit=0.01), interpreted=True)

    before, after = (sorted(ticks for _, _, ticks in asked(said)[at : at + 2]) for at in (0, 2))
    assert engine.state.seats[0]["position_lots"] == 20
    spread = math.log(1.0 + 0.1 / 1.5) * 20.0 + 3.6
    assert after[0] == math.floor((MIDDLE - 3.6 - spread / 2) / TICK)
    assert after[1] == math.ceil((MIDDLE - 3.6 + spread / 2) / TICK)
    assert after[0] < before[0]
    assert after[1] < before[1]


def test_the_symmetric_one_pays_no_heed_to_its_position_or_the_time():
    rows = book(0) + trade(START_NS + SECOND_NS // 2, MIDDLE - 10.0, 5.0, SELL) + book(1) + book(7)

    _, said = play(events_of(rows), maker(is_symmetric=True), interpreted=True)

    prices = {side: {ticks for _, of, ticks in asked(said) if of == side} for side in (BUY, SELL)}
    assert prices[BUY] == {math.floor((MIDDLE - 1.6454) / TICK)}
    assert prices[SELL] == {math.ceil((MIDDLE + 1.6454) / TICK)}


prices_of = st.floats(10.0, 1e6)
positions_of = st.floats(-100.0, 100.0)
gammas = st.floats(1e-6, 10.0)
decays = st.floats(1e-3, 1e3)


@given(middle=prices_of, position=positions_of, remaining_s=st.floats(0.0, 60.0), gamma=gammas, k=decays)
def test_the_formulas_lean_against_the_position_and_never_cross(middle, position, remaining_s, gamma, k):
    strategy = maker(gamma=gamma, k=k, size=1.0, limit=100.0)
    price = float(strategy.reservation_price(middle, position, remaining_s))

    assert (price - middle) * position <= 0.0
    assert price - middle == pytest.approx(middle - float(strategy.reservation_price(middle, -position, remaining_s)))
    assert float(strategy.spread(remaining_s)) > 0.0
    assert float(strategy.spread(0.0)) == pytest.approx(2.0 / gamma * math.log1p(gamma / k))
    assert float(strategy.spread(remaining_s)) >= float(strategy.spread(0.5 * remaining_s))


def test_quotes_never_reach_the_other_side_of_the_book():
    """Told to stand on the middle of a book of two ticks, both step back to its touches."""
    rows = book(0, MIDDLE - TICK, MIDDLE + TICK)

    assert quoted(rows, maker(gamma=1e-6, k=1e9, least_spread_ticks=1)) == (599_999, 600_001)
    assert quoted(rows, maker(gamma=1e-6, k=1e9, least_spread_ticks=8)) == (599_996, 600_004)
    assert quoted(book(0, MIDDLE, MIDDLE + TICK), maker(gamma=1e-6, k=1e9)) == (600_000, 600_001)


@pytest.mark.parametrize("is_long", [True, False])
def test_a_large_position_meets_the_market_at_its_touch_and_no_further(is_long):
    """The formula asks for a price beyond the other side: post-only, the order would be rejected there."""
    reached = MIDDLE - 60.0 if is_long else MIDDLE + 60.0
    rows = book(0) + trade(START_NS + SECOND_NS // 2, reached, 5.0, SELL if is_long else BUY)
    rows += book(1, MIDDLE - 0.5, MIDDLE + 0.5)

    _, said = play(events_of(rows), maker(gamma=1.0, limit=0.002), interpreted=True)

    leaving = [ticks for at, side, ticks in asked(said) if at == 1.0 and side == (SELL if is_long else BUY)]
    assert leaving == [599_996 if is_long else 600_004]
    assert OutboxKind.REJECTED not in said["kind"]


@pytest.mark.slow
def test_the_position_never_goes_beyond_the_limit():
    events = lively_market(1_500, seed=5)
    strategy = AvellanedaStoikov(gamma=1e-6, k=100.0, volatility=0.1, size=0.002, limit=0.005)

    engine, said = play(events, strategy, interpreted=True)

    filled = said[said["kind"] == OutboxKind.FILLED]
    position = np.cumsum(np.where(filled["side"] == BUY, filled["lots"], -filled["lots"]))
    assert len(filled) > 50
    assert np.abs(position).max() <= 50, "0.005 in lots of 0.0001"
    assert engine.state.seats[0]["refused_count"] == 0


def test_a_quote_that_is_near_enough_keeps_its_place():
    """The session's end alone moves quotes by 0.2 a second, two ticks a side."""
    rows = book(0) + book(1) + book(2) + book(3)

    _, moving = play(events_of(rows), maker(), interpreted=True)
    _, steady = play(events_of(rows), maker(tolerance_ticks=5), interpreted=True)

    assert len(asked(moving)) == 8
    assert [at for at, _, _ in asked(steady)] == [0.0, 0.0, 3.0, 3.0]


@pytest.mark.parametrize("terms", [{"k": 0.0}, {"volatility": 0.0}])
def test_nothing_is_quoted_while_the_market_is_not_known(terms):
    """One book and one trade say neither how far orders reach nor how much prices move."""
    rows = book(0) + trade(START_NS + 1, MIDDLE + 1.0, 1.0, BUY) + book(1)

    assert quoted(rows, maker(**terms)) == (None, None)


def test_k_and_volatility_are_taken_from_the_feed_where_they_are_not_given():
    """A middle that moves by 3 each second has a volatility of 3; trades 0.5 away from it have k = 2."""
    rows, middle = [], MIDDLE
    for at in range(20):
        rows += book(at, middle - 50.0, middle + 50.0)
        side = BUY if at % 4 < 2 else SELL
        rows += trade(START_NS + at * SECOND_NS + 1, middle + (0.5 if side == BUY else -0.5), 1.0, side)
        middle += 3.0 if at % 2 else -3.0
    estimating = maker(k=0.0, volatility=0.0, half_life_s=5.0, k_span=4)

    _, said = play(events_of(rows), estimating, interpreted=True)
    _, told = play(events_of(rows), maker(k=2.0, volatility=3.0), interpreted=True)

    learned = asked(said)
    assert learned[0][0] == 5.0, "after a half-life, and more trades than the span"
    assert learned == [order for order in asked(told) if order[0] >= 5.0]


def test_a_feed_of_quotes_alone_is_a_book_too():
    rows = [(*row(START_NS, Kind.QUOTE, a=MIDDLE - 50.0, b=5.0)[:4], MIDDLE + 50.0, 5.0, 0, 0, Kind.QUOTE, 0, 0)]

    assert quoted(rows, maker()) == quoted(book(0), maker())


@pytest.mark.parametrize(
    "end", [link(START_NS + SECOND_NS, BookState.GAP), book(1, MIDDLE + 1.0, MIDDLE + 1.0)], ids=["gap", "crossed"]
)
def test_the_quotes_are_withdrawn_when_the_book_cannot_be_believed(end):
    rows = link(START_NS, BookState.LIVE) + book(0) + end + book(2, MIDDLE + 1.0, MIDDLE + 1.0)

    engine, said = play(events_of(rows), maker(), interpreted=True)

    assert (said["kind"] == OutboxKind.CANCELLED).sum() == 2
    assert engine.state.seats[0].blotter.count == 0


def test_a_price_below_nothing_is_not_asked_for():
    """In a market at 2 a spread of 6 leaves no bid."""
    bid, ask = quoted(book(0, 1.0, 3.0), maker())

    assert bid is None
    assert ask == math.ceil((2.0 + 2.6454) / TICK)


@pytest.mark.parametrize(
    "terms",
    [
        {"gamma": 0.0},
        {"gamma": math.nan},
        {"k": -1.0},
        {"volatility": math.inf},
        {"horizon_s": 0.0},
        {"size": 0.0},
        {"size": 0.02, "limit": 0.01},
        {"limit": math.nan},
        {"least_spread_ticks": 0},
        {"tolerance_ticks": 1.5},
        {"half_life_s": 0.0},
        {"k_span": 0},
    ],
)
def test_terms_that_cannot_be_are_refused(terms):
    with pytest.raises(ConfigError):
        maker(**terms)
