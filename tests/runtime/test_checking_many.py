"""Hundreds of instruments on one tape are looked at together; what is found is what each alone would show."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrader.events import EVENT
from streamtrader.runtime.checking import check_events
from tests.runtime.test_checking import COUNT, WRONG, market


def damaged(seed: int) -> np.ndarray:
    """A market with some of everything that can be wrong with it."""
    random = np.random.default_rng(seed)
    events = market(400)
    changes = list(WRONG.values())
    for at in random.integers(0, len(changes), 6).tolist():
        _, place, change = changes[at]
        if place < 1300:
            held = np.zeros(COUNT, EVENT)
            row = 4 * int(random.integers(0, 100)) + place % 4
            held[place] = events[row]
            change(held)
            events[row] = held[place]
    return events


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2**32), min_size=2, max_size=6), st.integers(1, 40))
@pytest.mark.slow
def test_of_many_instruments_the_same_is_found_as_of_each_alone(seeds, pieces):
    parts = [damaged(seed) for seed in seeds]
    for instrument, part in enumerate(parts):
        part["instrument"] = instrument
    whole = np.stack(parts, axis=1).reshape(-1)  # a row of each in turn, all received at once

    alone = [check_events([part], ("x",) * len(parts)) for part in parts]
    together = check_events(np.array_split(whole, pieces), ("x",) * len(parts))

    of_the_tape = {"received_disorder", "negative_latency", "clock_drift"}
    counts: Counter[str] = Counter()
    for result in alone:
        counts.update({each.check: each.count for each in result.findings if each.check not in of_the_tape})
    assert {each.check: each.count for each in together.findings if each.check not in of_the_tape} == counts
    assert together.book_messages == sum(result.book_messages for result in alone)
