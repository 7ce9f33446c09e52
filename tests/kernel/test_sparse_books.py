"""Books whose levels stand far apart, and large ones: against a plain dictionary of levels, at every step."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrader.events import ASK, BID
from streamtrader.kernel.book import BOOK_SLOTS, NEAR_FIRST, Book
from streamtrader.kernel.compiler import Compiled
from streamtrader.kernel.memory import in_use, pages_of, raw
from streamtrader.kernel.record import boxed
from tests.kernel.test_book import MIDDLE, Twin, walk

SIDES = [BID, ASK]
APART = 1_009  # ticks from one place to the next: no neighbour is found by looking at ticks one by one
CENTRE = 100_000_000
# Side, which place (of the levels there are: the best; or any), lots (0 removes).
STEPS = st.lists(st.tuples(st.integers(0, 1), st.one_of(st.just(-1), st.integers(0, 79)), st.integers(0, 3)), max_size=250)


class Pair:
    """A book and its twin, side by side."""

    def __init__(self, *, slots=512, apart=APART, is_compiled=False):
        self.box, self.twin, self.apart = boxed(Book(slots)), Twin(), apart
        self.book = Compiled(self.box[0]) if is_compiled else self.box[0]

    def set(self, side, place, lots):
        """`place` 0 is the nearest to the middle; -1 the best level that there is."""
        ticks = self.twin.best(side) if place < 0 else self.ticks_of(side, place)
        if ticks >= 0:
            assert self.book.set_level(side, ticks, lots) == self.twin.set(side, ticks, lots)
        for each in SIDES:
            assert self.book.top[each] == self.twin.best(each)
            assert self.book.top_lots[each] == self.twin.levels[each].get(self.twin.best(each), 0)

    def ticks_of(self, side, place):
        distance = (place + 1) * self.apart
        return CENTRE + (distance if side == ASK else -distance)

    def check_list(self):
        """What is noted of a side are its best levels, in order."""
        for side in SIDES:
            noted = [abs(int(place)) for place in self.book.near[side][: self.book.near_count[side]]]
            assert noted == [ticks for ticks, _ in self.twin.walk(side)][: len(noted)]


@settings(max_examples=60)
@given(STEPS, st.integers(0, 80))
def test_the_best_and_the_next_levels_are_those_of_a_dictionary_however_far_apart(steps, filled):
    pair = Pair()
    for place in range(filled):
        pair.set(place % 2, place // 2 * 2, 5)
    for step in steps:
        pair.set(*step)
        pair.check_list()

    for side in SIDES:
        assert walk(pair.book, side) == pair.twin.walk(side)
        for place in range(0, 80, 3):
            for ticks in (pair.ticks_of(side, place), pair.ticks_of(side, place) + 1):
                assert pair.book.next_level(side, ticks) == pair.twin.next(side, ticks)


@settings(max_examples=15)
@given(STEPS, st.sampled_from([1, 40, APART]))
def test_compiled_it_has_the_same_bytes(steps, apart):
    plain, quick = Pair(apart=apart), Pair(apart=apart, is_compiled=True)
    for pair in (plain, quick):
        for place in range(60):
            pair.set(place % 2, place // 2, 5)
        for step in steps:
            pair.set(*step)

    assert plain.box.tobytes() == quick.box.tobytes()


@pytest.mark.parametrize("side", SIDES)
def test_one_look_through_the_table_serves_many_steps(side, monkeypatch):
    pair, looks = Pair(slots=1024), []
    look = Book.note_near
    monkeypatch.setattr(Book, "note_near", lambda book, at: looks.append(at) or look(book, at))
    monkeypatch.setattr(Book, "look_through", lambda *_: pytest.fail("the list should have told"))
    for place in range(100):
        pair.set(side, place, 5)

    for _ in range(100):
        pair.set(side, -1, 0)

    assert len(looks) == -(-100 // NEAR_FIRST)
    assert pair.book.top[side] == -1


@pytest.mark.parametrize("side", SIDES)
def test_a_book_that_becomes_dense_keeps_no_list(side):
    pair = Pair(slots=1024)
    for place in (900, 800, 700):
        pair.set(side, place, 5)
    pair.set(side, -1, 0)
    assert pair.book.near_count[side] == 2

    for place in range(199, 100, -1):
        pair.set(side, place, 5)

    assert pair.book.near_count[side] == 0
    pair.check_list()


def test_a_snapshot_forgets_the_list_and_pruning_does_too():
    pair = Pair(slots=64)
    for place in (0, 5, 9):
        pair.set(BID, place, 5)
    pair.set(BID, -1, 0)
    assert pair.book.near_count[BID] == 2

    for place in range(10, 60):
        pair.book.set_level(BID, pair.ticks_of(BID, place), 5)
    was_pruned, count = int(pair.book.prune_count), int(pair.book.near_count[BID])
    pair.book.clear()

    assert was_pruned > 0
    assert count == 0
    assert pair.book.next_level(BID, CENTRE) == -1


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, APART]), st.integers(100, 2_500))
def test_a_large_book_holds_the_same_levels(seed, apart, levels):
    pair, random = Pair(slots=BOOK_SLOTS, apart=apart, is_compiled=True), np.random.default_rng(seed)
    for side, place, lots in zip(
        random.integers(0, 2, 2 * levels).tolist(),
        random.integers(0, levels, 2 * levels).tolist(),
        random.integers(0, 4, 2 * levels).tolist(),
        strict=True,
    ):
        ticks = pair.ticks_of(side, place)
        assert pair.book.set_level(side, ticks, lots) == pair.twin.set(side, ticks, lots)

    held = sum(map(len, pair.twin.levels))
    assert pair.book.count.sum() == held
    for side in SIDES:
        for place in range(levels):
            ticks = pair.ticks_of(side, place)
            assert pair.book.lots_at(side, ticks) == pair.twin.levels[side].get(ticks, 0)
        ticks = [ticks for ticks, _ in pair.twin.walk(side)][:200]
        assert all(pair.book.next_level(side, better) == worse for better, worse in pairwise(ticks))


def test_what_a_book_does_not_need_stays_zeros():
    """The system stores nothing for pages that were never written, and a snapshot writes none but those in use."""
    box = boxed(Book())
    book = Compiled(box[0])
    for distance in range(1, 20):
        book.set_level(BID, MIDDLE - distance, 5)
    pages, _ = pages_of(raw(box[0].table))
    used = int(in_use(pages).sum())

    book.clear()
    book.set_level(ASK, MIDDLE, 5)

    assert 0 < used <= 20
    assert int(in_use(pages).sum()) <= used + 1
    assert book.count.sum() == 1
    assert book.next_level(BID, MIDDLE) == -1
