"""Latencies that change: drawn, or replayed as they were measured; never out of order."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.config import load_settings
from streamtrader.errors import ConfigError
from streamtrader.events import BUY
from streamtrader.runtime.latencies import LatencyTerms, latency_terms, recorded_pairs
from streamtrader.simulator.latency import SAMPLE_SLOTS, Generator, Latencies, Latency
from tests.kernel.play import MS, START_NS, TERMS, planned, run
from tests.kernel.players import ORDER
from tests.simulator.scenes import beats, scene

LOG_NORMAL, RECORDED = int(Latencies.LOG_NORMAL), int(Latencies.RECORDED)


def table(path, *pairs):
    lines = [f"{START_NS + round(sent * MS)},{round(up * MS)},{round(down * MS)}" for sent, up, down in pairs]
    path.write_text("\n".join(["sent_ns,up_ns,down_ns", *lines]) + "\n", encoding="utf-8")
    return path


def test_the_generator_is_even_and_its_normal_numbers_are_normal():
    generator = Generator(3)
    even = np.array([generator.uniform() for _ in range(20_000)])
    normal = np.array([generator.normal() for _ in range(20_000)])

    assert even.min() > 0.0 and even.max() < 1.0
    assert abs(even.mean() - 0.5) < 4 * math.sqrt(1 / 12 / 20_000)
    assert abs(np.corrcoef(even[:-1], even[1:])[0, 1]) < 4 / math.sqrt(20_000)
    assert abs(normal.mean()) < 4 / math.sqrt(20_000)
    assert abs(normal.std() - 1.0) < 4 / math.sqrt(2 * 20_000)


def test_the_generator_draws_what_was_published():
    """By hand from both recurrences of L'Ecuyer (1988), figure 3, begun at 12,345 and 67,890."""
    generator = Generator()
    generator.first, generator.second = 12_345, 67_890
    first, second = 12_345 * 40_014 % 2_147_483_563, 67_890 * 40_692 % 2_147_483_399
    drawn = first - second if first > second else first - second + 2_147_483_562

    assert generator.uniform() == pytest.approx((drawn + 1) / 2_147_483_563, rel=1e-12)


def test_drawn_latencies_have_the_median_and_the_deviation_that_were_asked_for():
    latency, at_ns, ways = Latency(5 * MS, 2 * MS, LOG_NORMAL, 0.4, 11), 0, []
    for _ in range(5_000):
        at_ns += 10_000 * MS  # far apart: none waits for the one before it
        ways.append(latency.arrival_ns(at_ns) - at_ns)

    logs = np.log(np.array(ways) / (5 * MS))
    assert abs(np.median(logs)) < 4 * 0.4 * math.sqrt(math.pi / 2 / 5_000)
    assert abs(logs.std() - 0.4) < 4 * 0.4 / math.sqrt(2 * 5_000)


def test_seats_draw_different_numbers_and_the_same_ones_again():
    terms = LatencyTerms(LOG_NORMAL, 0.5, 7)

    first, second, again = (terms.of_seat(index, MS, MS).arrival_ns(0) for index in (0, 1, 0))

    assert first == again != second


@given(times=st.lists(st.integers(0, 10**9), min_size=2, max_size=30), model=st.sampled_from([LOG_NORMAL, RECORDED]))
def test_no_message_overtakes_another(times, model):
    pairs = np.array([(at * 10**7, (7 - at % 7) * MS, at % 5 * MS) for at in range(SAMPLE_SLOTS)], np.int64)
    latency = Latency(MS, MS, model, 1.5, 3, pairs)
    ordered = sorted(times)

    for way in (latency.arrival_ns, latency.answer_ns):
        arrivals = [way(at) for at in ordered]
        assert arrivals == sorted(arrivals)
        assert all(arrival >= at for arrival, at in zip(arrivals, ordered, strict=True))


def test_what_is_sent_takes_the_newest_pair_measured_by_then(tmp_path):
    pairs = recorded_pairs(table(tmp_path / "pairs.csv", (500, 3, 4), (0, 1, 2), (1000, 5, 6)))
    latency = Latency(MS, MS, RECORDED, 0.0, 1, pairs)

    ways = [latency.arrival_ns(START_NS + at * MS) - START_NS - at * MS for at in (-50, 0, 499, 500, 999, 5000)]

    assert [way / MS for way in ways] == [1, 1, 1, 3, 3, 5]


def test_orders_travel_as_measured(tmp_path):
    terms = LatencyTerms(RECORDED, samples=recorded_pairs(table(tmp_path / "pairs.csv", (0, 7, 2), (50, 30, 4))))
    script = beats(scene(), 1, 60, 200)

    outcome = run(script, lambda: planned((1, ORDER, BUY, 0.1), (60, ORDER, BUY, 0.1)), terms=replace(TERMS, latency=terms))

    assert [at_ms for at_ms, _, _ in outcome.fills()] == [10.0, 94.0]


def test_orders_travel_as_drawn_alike_compiled_and_not():
    terms = replace(TERMS, latency=LatencyTerms(LOG_NORMAL, 0.5, 3), up_latency_ns=20 * MS, down_latency_ns=10 * MS)
    script = beats(scene(), 1, 60, 2_000)

    outcome = run(script, lambda: planned((1, ORDER, BUY, 0.1), (60, ORDER, BUY, 0.1)), terms=terms)

    first, second = (at_ms for at_ms, _, _ in outcome.fills())
    assert first != pytest.approx(31.0) and second - 60 != pytest.approx(first - 1)


def test_more_pairs_than_a_venue_keeps_are_thinned_evenly(tmp_path):
    pairs = recorded_pairs(table(tmp_path / "pairs.csv", *[(at, 1, 1) for at in range(10_000)]))

    assert len(pairs) == SAMPLE_SLOTS
    assert (pairs[0, 0], pairs[-1, 0]) == (START_NS, START_NS + 9_999 * MS)
    assert set(np.diff(pairs[:, 0]) // MS) == {19, 20}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sent_ns,up_ns,down_ns\n", "no latency was measured"),
        ("sent,up,down\n1,2,3\n", "first line must be sent_ns,up_ns,down_ns"),
        ("sent_ns,up_ns,down_ns\n1,2.5,3\n", "whole nanoseconds"),
        ("sent_ns,up_ns,down_ns\n1,2\n", "whole nanoseconds"),
        ("sent_ns,up_ns,down_ns\n1,-2,3\n", "between 0 and"),
    ],
    ids=["empty", "other columns", "fractions", "short", "negative"],
)
def test_a_table_that_makes_no_sense_is_refused_with_the_reason(tmp_path, text, told):
    path = tmp_path / "pairs.csv"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=told):
        recorded_pairs(path)


@pytest.mark.parametrize("file", ["", "nowhere.csv"])
def test_recorded_latencies_need_a_file_that_is_there(tmp_path, file):
    overrides = ["simulator.latency=recorded", f"simulator.latency_file={file and tmp_path / file}"]
    settings = load_settings((), overrides, directory=tmp_path)

    with pytest.raises(ConfigError, match="latency_file"):
        latency_terms(settings.simulator)
