"""Candles of every kind against a slow twin that looks at all trades at once, in exact fractions."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.errors import ConfigError
from streamtrader.events import BUY, EVENT, SELL, Kind, Trade
from streamtrader.indicators.bars import ImbalanceBars, TickBars, TimeBars, ValueBars, VolumeBars
from streamtrader.kernel.compiler import compiled
from streamtrader.kernel.record import boxed
from streamtrader.runtime.assembly import Placement, Terms, assemble
from streamtrader.runtime.loading import class_sources, loop_sources
from streamtrader.strategies.strategy import Strategy
from tests.kernel.play import BTC, play

START_NS = 1_700_000_000_000_000_000
SECOND = 1_000_000_000

# Price in hundredths, size in tenths, side, seconds to the next trade, seconds that the venue's clock is behind.
RAW = st.tuples(
    st.integers(9_990, 10_010),
    st.integers(1, 30),
    st.sampled_from([BUY, SELL]),
    st.integers(0, 90),
    st.integers(0, 70),
)
TRADES = st.lists(RAW, max_size=60)


def events_of(raw):
    """Trades as a tape holds them."""
    events, now_ns = np.zeros(len(raw), EVENT), START_NS
    for event, (price, size, side, step, behind) in zip(events, raw, strict=True):
        now_ns += step * SECOND
        event["venue_ns"], event["received_ns"], event["kind"] = now_ns - behind * SECOND, now_ns, Kind.TRADE
        event["a"], event["b"], event["side"] = price / 100, size / 10, side
    return events


class Candle(NamedTuple):
    open: float
    high: float
    low: float
    close: float
    volume: float
    buy_volume: float
    value: float
    trade_count: int


def candle_of(trades):
    prices = [float(trade["a"]) for trade in trades]
    sizes = [Fraction(float(trade["b"])) for trade in trades]
    bought = [size for trade, size in zip(trades, sizes, strict=True) if trade["side"] == BUY]
    value = sum(Fraction(price) * size for price, size in zip(prices, sizes, strict=True))
    sums = [float(total) for total in (sum(sizes), sum(bought), value)]
    return Candle(prices[0], max(prices), min(prices), prices[-1], *sums, len(trades))


def told(bars, events):
    """Every candle that closed, and the index of the trade that closed it."""
    closed = []
    for index, event in enumerate(events):
        if bars.update(event.trade):
            bar = bars.bar
            closed.append((index, Candle(*(getattr(bar, name).item() for name in Candle._fields))))
    assert bars.count == len(closed)
    return closed


def cut_where(events, is_full):
    """Trades in groups, each as short as `is_full` allows; the rest is open."""
    closed, group = [], []
    for index, event in enumerate(events):
        group.append(event)
        if is_full(group):
            closed.append((index, candle_of(group)))
            group = []
    return closed


def size_of(group):
    return sum(Fraction(float(trade["b"])) for trade in group)


def value_of(group):
    return sum(Fraction(float(trade["a"])) * Fraction(float(trade["b"])) for trade in group)


@given(TRADES, st.integers(1, 7))
def test_tick_bars_are_groups_of_as_many_trades(raw, trades):
    events = events_of(raw)

    assert told(TickBars(trades), events) == cut_where(events, lambda group: len(group) == trades)


@given(TRADES, st.integers(1, 100))
def test_volume_bars_close_with_the_trade_that_reaches_the_size(raw, tenths):
    events, threshold = events_of(raw), tenths / 10

    assert told(VolumeBars(threshold), events) == cut_where(events, lambda group: float(size_of(group)) >= threshold)


@given(TRADES, st.integers(1, 3_000))
def test_value_bars_close_with_the_trade_that_reaches_the_value(raw, value):
    events = events_of(raw)

    assert told(ValueBars(value), events) == cut_where(events, lambda group: float(value_of(group)) >= value)


@given(st.lists(st.tuples(RAW, st.booleans()), max_size=40), st.integers(1, 7))
def test_trades_that_count_as_volume_only_move_no_price_of_their_candle(raw, trades):
    events = events_of([each for each, _ in raw])
    events["c"] = [is_volume_only for _, is_volume_only in raw]
    first = next((index for index, (_, is_volume_only) in enumerate(raw) if not is_volume_only), len(raw))
    close, expected = 0.0, []
    for index, candle in cut_where(events[first:], lambda group: len(group) == trades):
        group = events[first:][index + 1 - trades : index + 1]
        prices = group["a"][group["c"] == 0].tolist() or [close]
        close = prices[-1]
        moved = candle._replace(open=prices[0], high=max(prices), low=min(prices), close=close)
        expected.append((first + index, moved))

    assert told(TickBars(trades), events) == expected


def test_ten_trades_of_a_tenth_make_one():
    events = events_of([(10_000, 1, BUY, 1, 0)] * 10)

    ((index, candle),) = told(VolumeBars(1.0), events)

    assert (index, candle.volume, candle.buy_volume) == (9, 1.0, 1.0)


def slow_imbalance(events, trades, span, unit):
    """Expectations as averages over the candles before, thresholds from them."""
    weigh = {
        "trades": lambda _: Fraction(1),
        "volume": lambda one: size_of([one]),
        "value": lambda one: value_of([one]),
    }
    flows = [weigh[unit](event) * (1 if event["side"] == BUY else -1) for event in events]
    alpha, closed, group = 2.0 / (span + 1.0), [], []
    expected_trades = expected_flow = None
    for index, event in enumerate(events):
        group.append((event, flows[index]))
        count, flow = len(group), float(sum(flow for _, flow in group))
        if expected_trades is None:
            if count < trades:
                continue
            expected_trades, expected_flow = float(count), flow / count
        else:
            is_pressed = count >= max(1, trades // 10) and abs(flow) >= expected_trades * abs(expected_flow)
            if not is_pressed and count < 10 * trades:
                continue
            expected_flow += alpha * (flow / count - expected_flow)
            expected_trades += alpha * (count - expected_trades)
        closed.append((index, candle_of([event for event, _ in group])))
        group = []
    return closed


@given(TRADES, st.integers(1, 12), st.integers(1, 5), st.sampled_from(["trades", "volume", "value"]))
def test_imbalance_bars_close_when_one_side_presses_harder_than_expected(raw, trades, span, unit):
    events = events_of(raw)

    expected = slow_imbalance(events, trades, span, unit)

    assert told(ImbalanceBars(trades, span=span, unit=unit), events) == expected


def test_one_sided_flow_closes_imbalance_bars_sooner_than_balanced_flow():
    generator = np.random.default_rng(3)
    balanced = [(10_000, 10, int(side), 1, 0) for side in generator.integers(0, 2, 400)]
    pressed = [(10_000, 10, BUY, 1, 0)] * 400
    mixed = ImbalanceBars(40, span=5, unit="trades")

    told(mixed, events_of([(10_000, 10, BUY if index % 4 else SELL, 1, 0) for index in range(400)]))
    before = int(mixed.count)
    sped_up = told_after(mixed, events_of(pressed))

    assert sped_up > before
    assert int(ImbalanceBars(40).most) == 400
    assert all(candle.trade_count <= 400 for _, candle in told(ImbalanceBars(40), events_of(balanced)))


def told_after(bars, events):
    before = int(bars.count)
    for event in events:
        bars.update(event.trade)
    return int(bars.count) - before


def slow_minutes(events, interval_s):
    """Closed candles by their start, gaps between them, and what came too late."""
    starts, groups, late = [], [], []
    for event in events:
        start = int(event["venue_ns"]) // (interval_s * SECOND)
        if starts and start < starts[-1]:
            late.append(event)
            continue
        if not starts or start > starts[-1]:
            starts.append(start)
            groups.append([])
        groups[-1].append(event)
    missing = [later - earlier - 1 for earlier, later in itertools.pairwise(starts)]
    return starts, groups, missing, late


@given(TRADES, st.sampled_from([1, 30, 60]))
def test_time_bars_are_the_trades_of_each_interval_and_tell_what_is_missing_and_late(raw, interval_s):
    events, bars = events_of(raw), TimeBars(interval_s)
    starts, groups, missing, late = slow_minutes(events, interval_s)

    edges, gaps, candles = [], [], []
    for event in events:
        if bars.update(event.trade):
            edges.append((int(bars.bar.start_ns), int(bars.bar.end_ns)))
            gaps.append(int(bars.missing))
            candles.append(Candle(*(getattr(bars.bar, name).item() for name in Candle._fields)))

    assert candles == [candle_of(group) for group in groups[:-1]]
    width_ns = interval_s * SECOND
    assert edges == [(start * width_ns, start * width_ns + width_ns) for start in starts[:-1]]
    assert gaps == missing
    assert (bars.missing_count, bars.late_count) == (sum(missing), len(late))
    assert bars.late_volume == pytest.approx(float(size_of(late)))


@given(TRADES, st.integers(1, 20))
def test_no_trade_is_lost_between_candles(raw, tenths):
    events, bars = events_of(raw), VolumeBars(tenths / 10)

    candles = [candle for _, candle in told(bars, events)]

    counted = sum(candle.trade_count for candle in candles) + int(bars.trade_count)
    traded = sum(Fraction(candle.volume) for candle in candles) + Fraction(float(bars.volume.high))
    assert counted == len(events)
    assert float(traded) == pytest.approx(float(size_of(events)))


@pytest.mark.parametrize("make", [lambda: TickBars(1), lambda: VolumeBars(0.1), lambda: TimeBars(1)])
def test_before_the_first_price_volume_is_left_out(make):
    events = events_of([(10_000, 10, BUY, 2, 0)] * 2)
    events["c"] = 1.0
    bars, untouched = make(), make()

    assert not any(bars.update(event.trade) for event in events)
    assert boxed(bars).tobytes() == boxed(untouched).tobytes()


@pytest.mark.parametrize("price,size", [(np.nan, 1.0), (1.0, np.nan), (np.inf, 1.0), (1.0, 0.0), (-1.0, 1.0)])
def test_what_is_no_trade_changes_nothing(price, size):
    events = events_of([(10_000, 10, BUY, 1, 0)])
    wrong = events.copy()
    wrong["a"], wrong["b"] = price, size

    for make in (lambda: TickBars(2), VolumeBars, ValueBars, ImbalanceBars, TimeBars):
        bars, untouched = make(), make()
        assert not bars.update(wrong[0].trade)
        assert boxed(bars).tobytes() == boxed(untouched).tobytes()


@pytest.mark.parametrize("make", [lambda: TickBars(0), lambda: VolumeBars(0.0), lambda: ValueBars(np.inf),
                                  lambda: ImbalanceBars(0), lambda: ImbalanceBars(unit="lots"), lambda: TimeBars(0)])  # fmt: skip
def test_settings_that_no_candle_could_have_are_refused(make):
    with pytest.raises(ConfigError):
        make()


def play_bars(box, events, answers):
    for index in range(len(events)):
        answers[index] = box[0].update(events[index].trade)


KINDS = [TickBars(7), VolumeBars(9.5), ValueBars(700.0), ImbalanceBars(10, unit="value"), TimeBars(60)]


@pytest.mark.parametrize("bars", KINDS, ids=lambda bars: type(bars).__name__)
def test_compiled_and_uncompiled_end_in_the_same_bytes(bars):
    generator = np.random.default_rng(5)
    columns = [
        generator.integers(low, high, 2_000).tolist()
        for low, high in ((9_990, 10_011), (1, 30), (0, 2), (0, 20), (0, 90))
    ]
    events = events_of(list(zip(*columns, strict=True)))
    fast, slow = boxed(bars), boxed(bars)
    answers, expected = np.zeros(len(events), bool), np.zeros(len(events), bool)

    compiled(play_bars)(fast, events, answers)
    play_bars(slow, events, expected)

    assert answers.any()
    assert answers.tolist() == expected.tolist()
    assert fast.tobytes() == slow.tobytes()


class BarWatcher(Strategy):
    """Buys after a candle of much volume that closed higher."""

    def __init__(self) -> None:
        self.bars = VolumeBars(5.0)
        self.rises = 0

    def on_trade(self, trade: Trade, broker) -> None:
        if self.bars.update(trade) and self.bars.bar.close > self.bars.bar.open:
            self.rises += 1
            broker.hold(0.01)


def test_a_strategy_may_own_bars_compiled_or_not():
    events = events_of([(10_000 + index % 7, 5, BUY, 1, 0) for index in range(100)])
    strategies = []
    for interpreted in (False, True):
        sources = (
            {} if interpreted else {"loop_sources": loop_sources(), "class_sources": class_sources([BarWatcher])}
        )
        engine = assemble((BTC,), [Placement(BarWatcher(), 0, ())], Terms(), interpreted=interpreted, **sources)
        play(engine, events)
        strategies.append(engine.strategy_boxes[0])

    assert strategies[0].tobytes() == strategies[1].tobytes()
    assert int(strategies[0][0].bars.count) == 10
    assert int(strategies[0][0].rises) > 0
