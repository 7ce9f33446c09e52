"""The models of the queue: each by hand, against its published formula, and in their order from bound to bound."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.events import ASK, BID, BUY, SELL
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.runtime.assembly import Placement, Terms
from streamtrader.runtime.importing import CapturePlayer
from streamtrader.runtime.survey import Survey
from streamtrader.simulator.queue import Queue
from tests.kernel.play import Script, engine_of, planned, play, run
from tests.kernel.players import ORDER, Clockwork
from tests.simulator.desks import Counter, new_order
from tests.simulator.scenes import beats, scene
from tests.venues import frames

BUY_AT_100 = (1, ORDER, BUY, 0.5, 100.0)  # behind the 1.0 displayed there
MODELS = [(Queue.PESSIMISTIC, 2.0), (Queue.POWER, 1.0), (Queue.POWER, 3.0), (Queue.LOG, 2.0)]


@pytest.mark.parametrize(
    ("model", "power", "filled"),
    [
        (Queue.TRADES, 2.0, 0),
        (Queue.PESSIMISTIC, 2.0, 0),
        (Queue.POWER, 1.0, 133),  # 1/3 of the cancels were before us: 0.667 are left, and 0.8 are traded
        (Queue.POWER, 2.0, 0),  # 1/5: 0.8
        (Queue.LOG, 2.0, 186),  # log 2 / (log 2 + log 3) = 0.387: 0.613
        (Queue.OPTIMISTIC, 2.0, 500),
    ],
)
def test_of_three_displayed_with_one_before_us_one_is_cancelled(model, power, filled):
    script = beats(scene(), 1, 30).at(40).level(BID, 100.0, 3.0).at(50).level(BID, 100.0, 2.0)
    script.at(60).trade(100.0, 0.8, SELL)

    outcome = run(beats(script, 100), lambda: planned(BUY_AT_100), terms=Terms(queue=model, queue_power=power))

    assert sum(lots for _, _, lots in outcome.fills()) == filled


@pytest.mark.parametrize(
    ("model", "filled"), [(Queue.TRADES, 0), (Queue.PESSIMISTIC, 100), (Queue.LOG, 100), (Queue.OPTIMISTIC, 300)]
)
def test_a_level_that_became_smaller_than_our_front_tells_all_but_those_who_hear_trades_only(model, filled):
    script = beats(scene(), 1, 30).at(40).level(BID, 100.0, 0.2).at(50).trade(100.0, 0.3, SELL)

    outcome = run(beats(script, 100), lambda: planned(BUY_AT_100), terms=Terms(queue=model))

    assert sum(lots for _, _, lots in outcome.fills()) == filled


class Published:
    """hftbacktest's models as their documentation has them: sizes in units, no order of ours but one."""

    def __init__(self, model, power, displayed, size):
        self.weight = {Queue.POWER: lambda x: x**power, Queue.LOG: lambda x: math.log(1 + x)}.get(model)
        self.front, self.level, self.traded, self.open = displayed, displayed, 0.0, size

    def trade(self, size):
        self.front -= size
        self.traded += size
        if self.front < 0:
            self.open -= min(self.open, -self.front)
            self.front = 0.0

    def change(self, level):
        gone, self.traded = self.level - level - self.traded, 0.0
        front, back = self.front, self.level - self.front
        if gone > 0 and self.weight is not None:
            f, b = self.weight(front), self.weight(max(back, 0.0))
            behind = b / (f + b) if f + b > 0 else 1.0
            front = front - (1 - behind) * gone + min(back - behind * gone, 0.0)
        self.front = max(0.0, min(front, level))
        self.level = level


STEPS = st.lists(st.tuples(st.booleans(), st.integers(1, 2_000)), min_size=1, max_size=25)


@given(steps=STEPS, which=st.sampled_from(MODELS))
def test_the_place_in_the_queue_is_that_of_the_published_formula(steps, which):
    model, power = which
    counter, script = Counter(queue=int(model), power=power), Script().at(0).book([(100.0, 1.5)], [(101.0, 1.0)])
    twin = Published(model, power, 1.5, 50.0)
    counter.play(script.events())
    counter.send(new_order(1, BUY, 50_000, 10_000))
    for at, (is_trade, lots) in enumerate(steps):
        step = Script().at(at + 1)
        step = step.trade(100.0, lots / 1000, SELL) if is_trade else step.level(BID, 100.0, lots / 1000)
        counter.play(step.events())
        twin.trade(lots / 1000) if is_trade else twin.change(lots / 1000)

    assert float(counter.venue.orders[0].ahead_lots) / 1000 == pytest.approx(twin.front, abs=1e-9)
    assert counter.filled.get(1, 0) / 1000 == pytest.approx(50.0 - twin.open, abs=0.001 * len(steps))


def story(moves):
    """Trades and levels around the price of the orders; each (what, ticks off, lots)."""
    script = Script().at(0).book([(100.0, 1.5), (99.99, 2.0)], [(100.02, 1.0)])
    for at, (what, off, lots) in enumerate(moves):
        script.at(at + 1)
        price = 100.0 + off / 100
        if what == 0:
            script.trade(price, lots / 1000, SELL)
        elif what == 1:
            script.level(BID, price, lots / 1000)
        else:
            script.level(ASK, price, lots / 1000)
    return script.events()


MOVES = st.lists(st.tuples(st.integers(0, 2), st.integers(-2, 2), st.integers(0, 3_000)), min_size=1, max_size=20)


@given(moves=MOVES, power=st.floats(0.1, 5.0))
@pytest.mark.slow
def test_whatever_happens_the_models_fill_in_their_order(moves, power):
    filled = {}
    for model in Queue:
        counter = Counter(queue=int(model), power=power)
        events = story(moves)
        counter.play(events[:4])
        counter.send(*(new_order(at, BUY, 900, ticks) for at, ticks in enumerate((10_000, 9_999, 10_000), 1)))
        counter.play(events[4:])
        filled[model] = sum(counter.filled.values())

    assert filled[Queue.TRADES] <= filled[Queue.PESSIMISTIC]
    assert filled[Queue.PESSIMISTIC] <= min(filled[Queue.POWER], filled[Queue.LOG])
    assert max(filled[Queue.POWER], filled[Queue.LOG]) <= filled[Queue.OPTIMISTIC]


@pytest.fixture(scope="module")
def recorded(shared_data):
    files = [shared_data / "wire" / "binance" / frames.CAPTURES["spot"][1][0]]
    survey = Survey(files)
    instruments, taken = survey.instruments({}), []
    CapturePlayer(survey, instruments, None).play(lambda events: taken.append(np.array(events)))
    return instruments, np.concatenate(taken)


def test_on_a_recorded_market_every_order_fills_in_the_order_of_the_models(recorded):
    instruments, events = recorded
    filled = {}
    for model in Queue:
        terms = Terms(cash_quote=1e9, queue=model)
        engine = engine_of([Placement(Clockwork(), 0)], terms, instruments=instruments)
        said = play(engine, events)
        fills = said[said["kind"] == int(OutboxKind.FILLED)]
        filled[model] = np.bincount(fills["order"], fills["lots"], minlength=int(engine.state.seats[0].order_count) + 1)
        assert engine.state.seats[0].order_count > 100
        assert not engine.state.seats["blotter"]["illegal_count"].any()

    for less, more in [(Queue.TRADES, Queue.PESSIMISTIC), (Queue.PESSIMISTIC, Queue.POWER),
                       (Queue.PESSIMISTIC, Queue.LOG), (Queue.POWER, Queue.OPTIMISTIC),
                       (Queue.LOG, Queue.OPTIMISTIC)]:  # fmt: skip
        assert (filled[less] <= filled[more]).all(), (less.name, more.name)
    assert filled[Queue.PESSIMISTIC].sum() < filled[Queue.POWER].sum() < filled[Queue.OPTIMISTIC].sum()
