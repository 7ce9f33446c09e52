"""Candles against a slow twin that looks at all trades of an interval at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrader.events import BUY, MORE, NEWEST, WARM, BookState, Kind
from streamtrader.kernel.candles import SILENT_LIMIT
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import OUTBOX_SLOTS, OutboxKind
from streamtrader.runtime.assembly import Placement, Terms
from tests.kernel import players
from tests.kernel.play import BTC, SECOND, START_NS, Script, engine_of, planned, play, run

TERMS = Terms(candle_ns=SECOND)
SEVEN = int(np.float64(7.0).view(np.int64))  # the last word of a candle is its volume, a double
# Milliseconds to the next event, the instrument (2: a timer), price in ticks, size in lots, whether it is volume only.
TRADES = st.lists(
    st.tuples(st.sampled_from([0, 1, 300, 999, 1_000, 1_001, 4_700]), st.integers(0, 2), st.integers(9_990, 10_010),
              st.integers(1, 50), st.booleans()),
    min_size=1, max_size=30,
)  # fmt: skip


def script_of(trades):
    script, now_ms = Script(), 0
    for gap_ms, instrument, ticks, lots, is_volume_only in trades:
        now_ms += gap_ms
        script.at(now_ms)
        if instrument == 2:
            script.timer()
        else:
            script.trade(ticks / 100, lots / 1000, BUY, is_volume_only=is_volume_only, instrument=instrument)
    return script


def resampled(trades):
    """(end in milliseconds, close, volume) of every interval of instrument 0 that has ended, silent ones too."""
    now_ms, all_trades = 0, []
    for gap_ms, instrument, ticks, lots, is_volume_only in trades:
        now_ms += gap_ms
        if instrument == 0:
            all_trades.append((now_ms, None if is_volume_only else ticks / 100, lots / 1000))
    candles, close = [], None
    for end_ms in range(1_000, now_ms + 1, 1_000):
        inside = [trade for trade in all_trades if end_ms - 1_000 <= trade[0] < end_ms]
        close = next((price for _, price, _ in reversed(inside) if price), close)
        if close is not None:
            volume = 0.0
            for _, _, size in inside:
                volume += size
            candles.append((float(end_ms), close, volume))
    return candles


@settings(max_examples=50)
@given(TRADES)
def test_candles_are_what_all_trades_of_their_interval_say(trades):
    engine = engine_of([Placement(planned(), 0)], TERMS)

    play(engine, script_of(trades).events())

    box = engine.strategy_boxes[0][0]
    rows = box.seen[: int(box.seen_count)]
    seen = [(row[1] / 1e6, row[2], row[3]) for row in rows if row[0] == 5.0]
    assert seen == resampled(trades)[: len(seen)]
    assert len(seen) == min(len(resampled(trades)), (rows[:, 0] == 5.0).sum())
    assert int(engine.state.markets[0].candle.count) == len(resampled(trades))


def candles(script):
    return [line[1:4] for line in run(script, planned, terms=TERMS).seen(5)]


def test_a_trade_at_the_boundary_belongs_to_the_next_candle():
    script = Script().at(999.999).trade(100.0, 1.0, BUY).at(1_000).trade(101.0, 2.0, BUY).at(2_000).timer()

    assert candles(script) == [(1_000.0, 100.0, 1.0), (2_000.0, 101.0, 2.0)]


def test_open_high_low_and_close_are_those_of_the_interval():
    script = Script()
    for at, price in enumerate((100.0, 103.0, 98.0, 101.0)):
        script.at(at * 100).trade(price, 1.0, BUY)
    engine = engine_of([Placement(planned(), 0)], TERMS)

    play(engine, script.at(1_000).timer().events())

    candle = engine.state.markets[0].closed[0].candle
    assert (candle.open, candle.high, candle.low, candle.close, candle.volume) == (100.0, 103.0, 98.0, 101.0, 4.0)
    assert (candle.venue_ns, candle.received_ns) == (START_NS, START_NS + SECOND)


def test_a_trade_that_counts_as_volume_only_moves_no_price():
    script = Script().at(0).trade(90.0, 0.5, BUY, is_volume_only=True)
    script.at(100).trade(100.0, 1.0, BUY).at(200).trade(130.0, 2.0, BUY, is_volume_only=True)
    script.at(300).trade(101.0, 4.0, BUY).at(400).trade(70.0, 8.0, BUY, is_volume_only=True)
    engine = engine_of([Placement(planned(), 0)], TERMS)

    play(engine, script.events())
    market = engine.state.markets[0]
    before = float(market.last_price), int(market.trade_count)
    play(engine, Script().at(1_000).timer().events())

    candle = market.closed[0].candle
    assert before == (101.0, 5)
    assert (candle.open, candle.high, candle.low, candle.close, candle.volume) == (100.0, 101.0, 100.0, 101.0, 15.5)


def test_an_interval_of_volume_only_is_flat_at_the_last_close_and_none_before_the_first_price():
    script = Script().at(100).trade(90.0, 7.0, BUY, is_volume_only=True).at(1_500).trade(100.0, 1.0, BUY)
    script.at(2_500).trade(130.0, 2.0, BUY, is_volume_only=True).at(3_000).timer()

    assert candles(script) == [(2_000.0, 100.0, 1.0), (3_000.0, 100.0, 2.0)]


def test_silent_intervals_are_flat_at_the_last_close():
    script = Script().at(500).trade(100.0, 1.0, BUY).at(3_200).trade(105.0, 1.0, BUY)

    assert candles(script) == [(1_000.0, 100.0, 1.0), (2_000.0, 100.0, 0.0), (3_000.0, 100.0, 0.0)]


@pytest.mark.parametrize("closer", ["timer", "another instrument", "a level of the book"])
def test_a_candle_is_closed_by_whatever_happens_next(closer):
    script = Script().at(500).trade(100.0, 1.0, BUY).at(1_000)
    if closer == "timer":
        script.timer()
    elif closer == "another instrument":
        script.trade(2_000.0, 1.0, BUY, instrument=1)
    else:
        script.level(0, 99.0, 1.0)

    assert candles(script) == [(1_000.0, 100.0, 1.0)]


def test_before_the_first_trade_there_is_no_candle():
    script = Script().at(0).timer().at(5_000).timer().at(5_100).trade(100.0, 1.0, BUY).at(6_000).timer()

    assert candles(script) == [(6_000.0, 100.0, 1.0)]


def test_after_a_long_silence_only_the_last_intervals_are_given():
    script = Script().at(500).trade(100.0, 1.0, BUY).at((SILENT_LIMIT + 500) * 1_000).timer()
    engine = engine_of([Placement(planned(), 0)], TERMS)

    play(engine, script.events())

    candle = engine.state.markets[0].candle
    assert candle.skipped_count + candle.count == SILENT_LIMIT + 500
    assert SILENT_LIMIT <= candle.count <= SILENT_LIMIT + 2
    assert candle.end_ns == START_NS + (SILENT_LIMIT + 501) * SECOND


def test_the_timer_comes_every_second_of_the_clock_although_nothing_else_is_due():
    script = Script()
    for at in range(0, 3_500, 250):
        script.at(at + 10).trade(100.0, 1.0, BUY)

    outcome = run(script, planned)

    assert [line[1] for line in outcome.seen(8)] == [1_000.0, 2_000.0, 3_000.0]


def test_after_a_silence_the_timer_tells_the_last_second_only():
    script = Script().at(10).timer().at(10_700).timer()

    assert [line[1] for line in run(script, planned).seen(8)] == [10_000.0]


@pytest.mark.parametrize("seats", [planned, players.PythonPlanned])
def test_a_long_silence_of_many_instruments_spoils_no_candle(seats):
    """Six instruments owe more than 8,000 candles before one event; the trade that ends the silence is in none of them."""
    many = [replace(BTC, symbol=f"{at}") for at in range(6)]
    script = Script()
    for instrument in range(6):
        script.at(500).trade(100.0, 1.0, BUY, instrument=instrument)
    script.at((SILENT_LIMIT - 10) * 1_000 + 500).trade(200.0, 2.0, BUY, instrument=5).at(SILENT_LIMIT * 1_000).timer()
    placements = [Placement(seats(), instrument) for instrument in range(6)]
    engine = engine_of(placements, TERMS, instruments=many)

    play(engine, script.events())

    assert engine.state.markets["candle"]["count"].tolist() == [SILENT_LIMIT] * 6
    assert engine.state.markets["candle"]["close"].tolist() == [100.0] * 5 + [200.0]
    assert [market.closed[0].candle.open for market in engine.state.markets] == [100.0] * 5 + [200.0]


def test_the_loop_pauses_for_its_listeners_within_a_silence_too():
    """Every candle makes strategies ask for orders that are refused: more rows than the outbox holds, and none lost."""
    script = Script().at(0).book([(100.0, 50.0)], [(101.0, 50.0)]).at(500).trade(100.0, 1.0, BUY)
    script.link(BookState.STALE).at(1_400 * 1_000).timer()
    placements = [Placement(players.Candler(0.1 + at / 100), 0) for at in range(24)]
    engine = engine_of(placements, TERMS)

    said = play(engine, script.events())

    assert engine.state.markets[0].candle.count == 1_400
    assert len(said) > OUTBOX_SLOTS
    assert np.array_equal(said["sequence"], np.arange(len(said)))


def candle(script, start_ms, close, *, flags=0, length_ms=1_000, instrument=0):
    """A candle from outside, told at its end; its volume is 7."""
    script.at(start_ms + length_ms).add(
        Kind.CANDLE, close, close, close, close, id=SEVEN, flags=flags, instrument=instrument
    )
    start_ns = START_NS + start_ms * 1_000_000
    script.rows[-1] = (start_ns, *script.rows[-1][1:])
    return script


def warm(script, closes, *, stop_ms=0, **more):
    """Candles of before the session, up to `stop_ms`."""
    length_ms = more.get("length_ms", 1_000)
    for at, close in enumerate(closes):
        is_newest = at + 1 == len(closes)
        flags = WARM | (NEWEST if is_newest else MORE)
        candle(script, stop_ms - (len(closes) - at) * length_ms, close, flags=flags, **more)
    return script


@pytest.mark.parametrize("seats", [planned, players.PythonPlanned])
def test_candles_of_before_the_session_come_first_and_ours_go_on_without_a_hole_or_a_repetition(seats):
    script = warm(Script(), [90.0, 91.0, 92.0]).at(2_300).trade(100.0, 1.0, BUY).at(3_000).timer()

    engine = engine_of([Placement(seats(), 0)], TERMS)
    play(engine, script.events())

    told = [
        (-1_000.0, 91.0, 7.0),
        (0.0, 92.0, 7.0),
        (1_000.0, 92.0, 0.0),
        (2_000.0, 92.0, 0.0),
        (3_000.0, 100.0, 1.0),
    ]
    if seats is planned:
        assert candles(script) == [(-2_000.0, 90.0, 7.0), *told]
    assert int(engine.state.markets[0].candle.count) == 3
    assert int(engine.state.markets[0].warm_count) == 3


def test_a_candle_of_another_length_than_ours_is_not_taken_for_the_past():
    script = warm(Script(), [90.0, 91.0], length_ms=5_000).at(300).trade(100.0, 1.0, BUY).at(1_000).timer()

    assert candles(script) == [(1_000.0, 100.0, 1.0)]


def test_the_clock_may_stand_just_before_the_end_of_the_past():
    script = warm(Script(), [90.0, 91.0])
    start_ns, _, *rest = script.rows[-1]
    script.rows[-1] = (start_ns, START_NS - 1, *rest)
    script.at(0).trade(100.0, 1.0, BUY).at(1_000).timer()

    assert candles(script)[-1] == (1_000.0, 100.0, 1.0)
    assert len(candles(script)) == 3


def test_a_candle_from_outside_is_told_only_where_none_are_built():
    script = Script().at(300).trade(100.0, 1.0, BUY)
    candle(script, 0, 101.0)

    assert candles(script) == [(1_000.0, 100.0, 1.0)]
    assert [line[1:4] for line in run(script, planned, terms=Terms()).seen(5)] == [(1_000.0, 101.0, 7.0)]


def test_candles_alone_are_told_as_they_come():
    script = Script()
    for at in range(3):
        candle(script, at * 60_000, 100.0 + at, length_ms=60_000)

    assert candles(script) == [(60_000.0 * (at + 1), 100.0 + at, 7.0) for at in range(3)]


@pytest.mark.parametrize("speaks", ["trade", "quote"])
def test_nothing_is_sent_on_what_the_past_says(speaks):
    """No feed has spoken of the book yet: an order must wait for the present all the same."""
    script = warm(Script(), [90.0, 91.0, 92.0])
    script = (
        script.at(500).trade(100.0, 1.0, BUY) if speaks == "trade" else script.at(500).quotes(99.0, 5.0, 100.0, 5.0)
    )
    script.at(1_000).timer()

    outcome = run(script, lambda: players.Candler(0.1), terms=TERMS)

    assert outcome.refusals() == [Refusal.BOOK_NOT_LIVE] * 3
    assert set(outcome.rows(OutboxKind.SENT)["at_ns"].tolist()) == {START_NS + SECOND}
