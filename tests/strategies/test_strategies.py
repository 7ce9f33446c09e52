"""What each strategy that comes with the engine does, and that it does the same compiled or not."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrader import strategies
from streamtrader.errors import ConfigError
from streamtrader.events import BUY, SELL, BookState, Candle
from streamtrader.kernel.broker import Broker
from streamtrader.kernel.outbox import TAKER, OutboxKind
from streamtrader.risk import MaxPosition
from streamtrader.strategies import (
    AvellanedaStoikov,
    CandleMomentum,
    EmaCross,
    ImbalanceMaker,
    Pegged,
    Pov,
    RsiMomentum,
    Shortfall,
    TargetWeights,
    Twap,
    Vwap,
    VwapReversion,
)
from tests import naive
from tests.checks import LOTS_PER_UNIT, Situation, records_of
from tests.strategies.market import START_NS, STEP_NS, events_of, link, lively_market, play, quotes, trade

SECOND_NS = 1_000_000_000
COMPILED = [
    EmaCross,
    lambda: VwapReversion(window=20, volatility_window=10, volatility_limit_bps=10.0),
    lambda: RsiMomentum(span=5, is_shorting=True),
    ImbalanceMaker,
    lambda: AvellanedaStoikov(half_life_s=2.0, k_span=20),
    lambda: Twap(size=0.3, duration_s=60.0),
    lambda: Vwap(size=-0.3, duration_s=60.0, is_patient=False),
    lambda: Shortfall(size=0.3, duration_s=60.0),
    lambda: Pegged(size=-0.2, duration_s=60.0),
    lambda: Pov(size=0.3, duration_s=120.0),
    lambda: TargetWeights(weights=(0.3,), rebalance_s=10.0),
]


def states(engine):
    return {name: array.tobytes() for name, array in engine.arrays().items()}


def fills(said, seat=0):
    return said[(said["kind"] == OutboxKind.FILLED) & (said["seat"] == seat)]


def calm_market(prices):
    """A trade a second in a deep book around it: every market order is filled at once."""
    rows = link(START_NS, BookState.LIVE)
    for at, price in enumerate(prices):
        now_ns = START_NS + at * SECOND_NS
        rows += quotes(now_ns, price - 0.1, 50.0, price + 0.1, 50.0)
        rows += trade(now_ns + 1, price, 0.5, BUY)
    return events_of(rows)


def positions_after_trades(events, strategy, **options):
    """The position that a strategy holds a moment before each next trade."""
    engine, said = play(events, strategy, interpreted=True, **options)
    filled = fills(said)
    signed = np.where(filled["side"] == BUY, filled["lots"], -filled["lots"])
    at_ns = START_NS + np.arange(1, (events["kind"] == 1).sum() + 1) * SECOND_NS
    return [int(signed[filled["at_ns"] < moment].sum()) for moment in at_ns], engine


@pytest.mark.slow
def test_compiled_and_interpreted_end_in_the_same_bytes_and_say_the_same():
    """All strategies on one feed, a seat each, plain Python among them."""
    events = lively_market(250, seed=3)

    fast, fast_said = play(
        events, *(make() for make in COMPILED), CandleMomentum(threshold_bps=0.0), candle_ns=SECOND_NS
    )
    slow, slow_said = play(
        events,
        *(make() for make in COMPILED),
        CandleMomentum(threshold_bps=0.0),
        candle_ns=SECOND_NS,
        interpreted=True,
    )

    assert states(fast) == states(slow)
    assert fast_said.tobytes() == slow_said.tobytes()
    assert set(fast_said["seat"]) == set(range(len(COMPILED) + 1)), "every one of them traded"
    assert not fast.state.seats["failure_count"].any()


@pytest.mark.parametrize("make", COMPILED[:2], ids=["EmaCross", "VwapReversion"])
def test_prices_of_another_moment_are_passed_over(make):
    events = lively_market(250, seed=3)
    rows = trade(int(events["received_ns"][-1]) + 1, 1.0, 99.0, SELL, is_volume_only=True)

    boxes = [
        play(shown, make(), interpreted=True)[0].strategy_boxes[0] for shown in (events, np.append(events, events_of(rows)))
    ]

    assert boxes[0].tobytes() == boxes[1].tobytes()


def test_every_exported_strategy_is_played():
    played = {type(make()).__name__ for make in COMPILED} | {"CandleMomentum"}

    assert played == set(strategies.__all__) - {"Strategy", "PythonStrategy"}


def test_ema_cross_holds_its_size_while_the_fast_average_is_above_the_slow_one():
    prices = np.round(60_000 + 40 * np.sin(np.arange(120) / 9), 1)
    history = [(price,) for price in prices.tolist()]

    positions, _ = positions_after_trades(calm_market(prices), EmaCross(3, 8, size=0.02))

    wanted = [
        0 if at < 8 or naive.ema(history[:at], 3) <= naive.ema(history[:at], 8) else 200 for at in range(1, 121)
    ]
    assert positions == wanted
    assert len(set(wanted)) == 2


def test_vwap_reversion_sells_what_is_far_above_and_leaves_only_when_it_has_come_back():
    strategy = VwapReversion(entry_score=2.0, exit_score=0.5)

    directions = []
    for score in (1.9, 2.0, 1.0, 0.6, 0.5, 1.9, -2.5, -0.6, -0.4, 0.0):
        strategy.direction = strategy.wanted(score, is_calm=True)
        directions.append(int(strategy.direction))

    assert directions == [0, -1, -1, -1, 0, 0, 1, 1, 0, 0]


def test_vwap_reversion_goes_straight_to_the_other_side_when_the_score_jumps_across():
    strategy = VwapReversion()
    strategy.direction = 1

    assert strategy.wanted(3.0, is_calm=True) == -1


def test_vwap_reversion_enters_nothing_in_a_wild_market_but_leaves():
    strategy = VwapReversion()

    assert strategy.wanted(3.0, is_calm=False) == 0
    strategy.direction = -1
    assert strategy.wanted(3.0, is_calm=False) == -1
    assert strategy.wanted(0.2, is_calm=False) == 0


def test_vwap_reversion_gates_by_the_volatility_of_the_trades():
    prices = np.full(80, 60_000.0)
    prices[::2] += 6.0  # one hundredth of a per cent a trade
    prices[60:] += 30.0

    gated, _ = positions_after_trades(
        calm_market(prices), VwapReversion(window=20, volatility_window=10, volatility_limit_bps=0.5)
    )
    open_gate, _ = positions_after_trades(
        calm_market(prices), VwapReversion(window=20, volatility_window=10, volatility_limit_bps=5.0)
    )

    assert set(gated) == {0}
    assert min(open_gate) == -100


def test_rsi_momentum_waits_for_its_confirmations_and_leaves_below_the_middle():
    prices = [100.0] * 4 + [101.0, 102.0, 103.0, 104.0, 103.0, 102.0, 101.0, 100.0]
    prices = [price + 60_000 for price in prices]
    history = [(price,) for price in prices]
    strengths = [naive.rsi(history[:at], 3) for at in range(1, len(prices) + 1)]
    confirmed = [all(value >= 60.0 for value in strengths[max(at - 2, 0) : at + 1]) for at in range(len(prices))]

    strategy, wanted = RsiMomentum(span=3, confirmations=3, size=1.0), []
    _, seat, market, account = records_of(Situation())
    for price in prices:
        strategy.on_candle(candle_of(price), Broker(seat[0], market[0], account[0]))
        wanted.append(int(seat[0].target_lots) if seat[0].has_target else None)

    first = confirmed.index(True)
    last = next(at for at in range(first, len(prices)) if strengths[at] < 50.0)
    asked = [int(LOTS_PER_UNIT) if first <= at < last else 0 for at in range(len(prices))]
    assert wanted == [None] * 3 + asked[3:]  # three changes before it says anything


def candle_of(close):
    candle = Candle()
    candle.close = close
    return candle


def test_rsi_momentum_shorts_only_when_told_to():
    prices = np.arange(60_300.0, 60_000.0, -10.0)

    flat, _ = positions_after_trades(calm_market(prices), RsiMomentum(span=3, size=0.02), candle_ns=SECOND_NS)
    short, _ = positions_after_trades(
        calm_market(prices), RsiMomentum(span=3, size=0.02, is_shorting=True), candle_ns=SECOND_NS
    )

    assert set(flat) == {0}
    assert short[-1] == -200


def test_the_demo_trades_as_maker_and_as_taker_in_whole_and_in_part_within_its_limit():
    engine, said = play(lively_market(1_500, seed=5), ImbalanceMaker(), rules=[MaxPosition(0.01)])

    filled = fills(said)
    seat = engine.state.seats[0]
    position = np.cumsum(np.where(filled["side"] == BUY, filled["lots"], -filled["lots"]))
    assert (filled["code"] == TAKER).sum() > 20
    assert (filled["code"] != TAKER).sum() > 20
    assert seat["partial_fill_count"] > 20
    assert np.abs(position).max() <= 100, "0.01 in lots of 0.0001"
    assert seat["refused_count"] == 0, "its own limit keeps it from asking for more"
    assert seat["failure_count"] == 0
    assert engine.state.seats["blotter"]["illegal_count"].sum() == 0


def test_the_demo_has_its_first_fill_within_seconds_of_the_market():
    _, said = play(lively_market(200, seed=6), ImbalanceMaker())

    assert fills(said)["at_ns"][0] - START_NS < 5 * SECOND_NS


def test_the_demo_steps_back_on_the_thin_side():
    rows = link(START_NS, BookState.LIVE)
    rows += quotes(START_NS + STEP_NS, 60_000.0, 0.1, 60_000.1, 10.0)  # few bids: they are run over next

    _, said = play(events_of(rows), ImbalanceMaker(take=1.0, back_ticks=3), interpreted=True)

    asked = said[said["kind"] == OutboxKind.INTENT]
    assert dict(zip(asked["side"].tolist(), asked["ticks"].tolist(), strict=True)) == {BUY: 599_997, SELL: 600_001}


def test_the_demo_withdraws_its_quotes_when_the_book_is_no_longer_live():
    rows = link(START_NS, BookState.LIVE)
    rows += quotes(START_NS + STEP_NS, 60_000.0, 5.0, 60_000.1, 5.0)
    rows += link(START_NS + 5 * STEP_NS, BookState.GAP)
    rows += quotes(START_NS + 9 * STEP_NS, 60_000.0, 5.0, 60_000.1, 5.0)

    engine, said = play(events_of(rows), ImbalanceMaker(), interpreted=True)

    assert (said["kind"] == OutboxKind.CANCELLED).sum() == 2
    assert engine.state.seats[0].blotter.count == 0


def test_candle_momentum_holds_while_the_close_is_above_that_of_some_candles_ago():
    prices = np.array([60_000.0 + 20 * min(at, 20 - at) for at in range(21)])

    positions, _ = positions_after_trades(
        calm_market(prices), CandleMomentum(lookback=2, size=0.02), candle_ns=SECOND_NS
    )

    assert set(positions[4:11]) == {200}
    assert set(positions[13:20]) == {0}


@pytest.mark.parametrize(
    "make",
    [
        lambda: VwapReversion(entry_score=1.0, exit_score=1.0),
        lambda: RsiMomentum(upper=40.0),
        lambda: RsiMomentum(confirmations=0),
        lambda: ImbalanceMaker(lean=0.9, take=0.5),
        lambda: ImbalanceMaker(quote_size=0.1, limit=0.01),
        lambda: CandleMomentum(lookback=0),
    ],
)
def test_settings_that_contradict_each_other_are_refused_when_the_strategy_is_made(make):
    with pytest.raises(ConfigError):
        make()
