"""The heart: one loop. However events are cut, wherever it crashes, compiled or not, it ends in the same bytes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamtrader.events import EVENT, Kind
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.kernel.ring import Ring
from streamtrader.risk import DailyLoss, Drawdown, MaxOrderRate, MaxPosition
from streamtrader.runtime.assembly import Placement, Terms
from streamtrader.runtime.importing import CapturePlayer
from streamtrader.runtime.survey import Survey
from tests.kernel.market import GAPS, WALKS, events_of
from tests.kernel.play import SECOND, engine_of, play, states
from tests.kernel.players import Candler, Juggler, Maker, PythonTaker, Taker
from tests.venues import frames

TERMS = Terms(cash_quote=2_000.0, candle_ns=SECOND, queue=1, emulated=("stop", "iceberg", "expiry"), self_trade=2)
CUTS = st.lists(st.integers(1, 400), max_size=12)


def rules():
    return [MaxPosition(0.5), DailyLoss(30.0), Drawdown(40.0), MaxOrderRate(40, 10 * SECOND)]


def placements():
    """Both instruments, every kind of handler, several seats on one feed and one of plain Python."""
    return [
        Placement(Taker(3), 0, rules()),
        Placement(Maker(), 0, rules()),
        Placement(Candler(), 0, rules()),
        Placement(Juggler(), 0, rules()),
        Placement(Taker(2, 0.3), 1, rules()),
        Placement(Juggler(0.5), 1),
        Placement(Maker(0.1), 1),
        Placement(Candler(0.4), 1, rules()),
    ]


def engine(**options):
    return engine_of(placements(), TERMS, **options)


def whole(events):
    reference = engine()
    return reference, play(reference, events)


def test_the_made_up_markets_reach_what_matters():
    """Or else the properties below would prove little: all kinds of rows, partial fills, halts, and every event kind."""
    generator, kinds, events_seen, partial, flattened = np.random.default_rng(1), set(), set(), 0, 0
    for _ in range(8):
        walk = [
            (float(generator.choice(GAPS)), *map(int, (generator.integers(16), generator.integers(-4, 5))),
             int(generator.integers(1, 900)))
            for _ in range(400)
        ]  # fmt: skip
        events = events_of(walk)
        reference, said = whole(events)
        kinds |= set(said["kind"].tolist())
        events_seen |= set(events["kind"].tolist())
        partial += int(reference.state.seats["partial_fill_count"].sum())
        flattened += int(reference.state.seats["is_flattening"].sum())

    assert kinds == set(OutboxKind) - {OutboxKind.FAILED, OutboxKind.CHARGED}
    assert events_seen == {Kind.TRADE, Kind.QUOTE, Kind.BOOK, Kind.BOOK_CLEAR, Kind.TIMER, Kind.LINK, Kind.COMMAND}
    assert partial > 20
    assert flattened > 0


@settings(max_examples=40)
@given(WALKS, CUTS)
@pytest.mark.slow
def test_ragged_batches_end_as_one_call_does(walk, cuts):
    events = events_of(walk)
    reference, said = whole(events)

    ragged = engine()
    ragged_said = play(ragged, events, cuts=cuts)

    assert said.tobytes() == ragged_said.tobytes()
    assert states(reference) == states(ragged)


@settings(max_examples=20)
@given(WALKS, CUTS)
@pytest.mark.slow
def test_a_crash_and_a_checkpoint_anywhere_change_nothing(walk, crashes):
    events = events_of(walk)
    reference, said = whole(events)

    parts, last = [], engine()
    stops = [0, *sorted({min(crash, len(events)) for crash in crashes}), len(events)]
    for start, stop in pairwise(stops):
        parts.append(play(last, events, start=start, stop=stop))
        kept = {name: np.frombuffer(data, np.uint8) for name, data in states(last).items()}
        written = int(last.outbox[0].written)
        last = engine()
        last.restore(kept)
        last.outbox[0].written = last.outbox[0].drained = written

    assert said.tobytes() == np.concatenate(parts).tobytes()
    assert states(reference) == states(last)


# A fill caused by an event whose clock was behind once overtook the acknowledgement, and the order was done too early.
CLOCK_BEHIND = [(0, 0, 0, 1)] * 11 + [(0, 8, 0, 1), (10, 0, 0, 1), (10, 0, 0, 1), (-2, 8, 2, 10)]


@settings(max_examples=25)
@given(WALKS)
@example(CLOCK_BEHIND)
@pytest.mark.slow
def test_the_uncompiled_loop_ends_in_the_same_bytes(walk):
    events = events_of(walk)
    reference, said = whole(events)

    slow = engine(interpreted=True)
    slow_said = play(slow, events)

    assert said.tobytes() == slow_said.tobytes()
    assert states(reference) == states(slow)
    assert not reference.state.seats["blotter"]["illegal_count"].any()
    assert not reference.state.seats["failure_count"].any()


@settings(max_examples=20)
@given(WALKS, st.integers(0, 500), st.integers(1, 64))
@pytest.mark.slow
def test_a_ring_that_wraps_is_played_like_a_flat_tape(walk, first, batch):
    events = events_of(walk)
    reference, said = whole(events)

    ring, wrapped, parts = Ring(64), engine(), []
    ring.written = ring.played = ring.taped = first
    for start in range(0, len(events), batch):
        for event in events[start : start + batch]:
            ring.events[ring.written & ring.mask] = event
            ring.written += 1
        parts.append(play(wrapped, ring.events, mask=ring.mask, start=ring.played, stop=ring.written))
        ring.played = ring.taped = ring.written

    assert said.tobytes() == np.concatenate(parts).tobytes()
    assert states(reference) == states(wrapped)


@settings(max_examples=15)
@given(WALKS, CUTS)
@pytest.mark.slow
def test_headers_of_blocks_are_passed_over(walk, places):
    events = events_of(walk)
    reference, said = whole(events)
    header = np.zeros(1, EVENT)
    header["received_ns"] = 1 << 61  # whatever its other words are

    at = sorted({0, *(min(place, len(events)) for place in places)})
    blocks = np.concatenate(
        [part for pair in pairwise([*at, len(events)]) for part in (header, events[slice(*pair)])]
    )
    tape = engine()
    tape_said = play(tape, blocks)

    assert said.tobytes() == tape_said.tobytes()
    assert states(reference) == states(tape)


@settings(max_examples=15)
@given(WALKS, CUTS)
@pytest.mark.slow
def test_a_python_seat_among_others_changes_nothing_however_it_is_cut(walk, cuts):
    events = events_of(walk)
    mixed = [Placement(Taker(3), 0), Placement(PythonTaker(3), 0), Placement(Taker(2), 1)]
    once, often = engine_of(mixed, TERMS), None

    said = play(once, events)
    mixed[1] = Placement(PythonTaker(3), 0)
    often = engine_of(mixed, TERMS)
    often_said = play(often, events, cuts=cuts)

    assert said.tobytes() == often_said.tobytes()
    assert states(once) == states(often)


@pytest.fixture(scope="module")
def recorded(shared_data):
    """The first hundred thousand events or so of a recorded spot market."""
    files = [shared_data / "wire" / "binance" / frames.CAPTURES["spot"][1][0]]
    survey = Survey(files)
    instruments, taken = survey.instruments({}), []
    CapturePlayer(survey, instruments, None).play(lambda events: taken.append(np.array(events)))
    return instruments, np.concatenate(taken)


def recorded_engine(instruments, **options):
    own = [Placement(Taker(5, 0.01), 0, rules()), Placement(Maker(0.01), 0), Placement(Candler(0.02), 0, rules())]
    return engine_of(own, Terms(cash_quote=1e5, candle_ns=SECOND), instruments=instruments, **options)


def test_a_recorded_market_is_traded_alike_in_one_call_and_in_ragged_batches(recorded):
    instruments, events = recorded
    events = events[:20_000]
    once, often = recorded_engine(instruments), recorded_engine(instruments)

    said = play(once, events)
    often_said = play(often, events, cuts=np.random.default_rng(5).integers(0, len(events), 300).tolist())

    assert said.tobytes() == often_said.tobytes()
    assert states(once) == states(often)
    assert (once.state.seats["fill_count"] > 0).all(), "every seat traded"
    assert not once.state.seats["blotter"]["illegal_count"].any()


def test_a_recorded_market_is_traded_alike_uncompiled(recorded):
    instruments, events = recorded
    events = events[:3_000]
    fast, slow = recorded_engine(instruments), recorded_engine(instruments, interpreted=True)

    said, slow_said = play(fast, events), play(slow, events)

    assert said.tobytes() == slow_said.tobytes()
    assert states(fast) == states(slow)
    assert len(said) > 0
