"""The book against a plain dictionary of levels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrader.events import ASK, BID
from streamtrader.kernel.book import Book
from streamtrader.kernel.compiler import Compiled
from streamtrader.kernel.record import boxed

CHANGES = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 1), st.integers(1, 60), st.integers(0, 9)), min_size=1, max_size=150
)
SPREAD_WIDE = st.lists(
    st.tuples(st.just(1), st.integers(0, 1), st.integers(1, 4_000), st.integers(0, 9)), min_size=60, max_size=300
)
MIDDLE = 10_000


class Twin:
    """Levels in two dictionaries."""

    def __init__(self) -> None:
        self.levels = ({}, {})

    def set(self, side, ticks, lots):
        before = self.levels[side].pop(ticks, 0)
        if lots:
            self.levels[side][ticks] = lots
        return before

    def best(self, side):
        levels = self.levels[side]
        return (max if side == BID else min)(levels) if levels else -1

    def next(self, side, ticks):
        if side == BID:
            return max((each for each in self.levels[side] if each < ticks), default=-1)
        return min((each for each in self.levels[side] if each > ticks), default=-1)

    def walk(self, side):
        return sorted(self.levels[side].items(), reverse=side == BID)


def walk(book, side):
    """All levels, found by stepping away from the best."""
    found, ticks = [], int(book.top[side])
    while ticks >= 0:
        found.append((ticks, int(book.lots_at(side, ticks))))
        ticks = int(book.next_level(side, ticks))
    return found


def played(changes, slots, *, compiled=False):
    """The book after the changes, checked against its twin at each of them."""
    box, twin = boxed(Book(slots)), Twin()
    book = Compiled(box[0]) if compiled else box[0]
    for what, side, distance, lots in changes:
        if what == 0:
            book.clear()
            twin = Twin()
            continue
        ticks = MIDDLE - distance if side == BID else MIDDLE + distance
        if twin.best(side) < 0 or not book.forgotten_count:
            assert twin.set(side, ticks, lots) == book.set_level(side, ticks, lots)
        else:
            book.set_level(side, ticks, lots)
            twin.set(side, ticks, lots)
        for each in (BID, ASK):
            if not book.forgotten_count:
                assert (twin.best(each), twin.levels[each].get(twin.best(each), 0)) == (
                    book.top[each], book.best_lots(each),
                )  # fmt: skip
    return box[0], twin


@settings(max_examples=60)
@given(CHANGES)
def test_any_sequence_of_changes_leaves_the_same_levels_as_in_a_dictionary(changes):
    book, twin = played(changes, 512)

    for side in (BID, ASK):
        assert twin.walk(side) == walk(book, side)
        assert len(twin.levels[side]) == book.count[side]
        for ticks in range(MIDDLE - 61, MIDDLE + 62, 7):
            assert twin.levels[side].get(ticks, 0) == book.lots_at(side, ticks)
            assert twin.next(side, ticks) == book.next_level(side, ticks)
    assert not book.is_crossed()
    assert book.forgotten_count == 0


@settings(max_examples=20)
@given(CHANGES)
def test_the_compiled_book_has_the_same_bytes(changes):
    slow, _ = played(changes, 512)
    fast, _ = played(changes, 512, compiled=True)

    assert slow.tobytes() == fast.tobytes()


@settings(max_examples=30)
@given(SPREAD_WIDE)
def test_a_book_over_its_capacity_is_complete_inside_its_edge(changes):
    """64 places for up to 300 levels over 8,000 ticks. Bests move away only as far as levels are known."""
    book, twin = boxed(Book(64))[0], Twin()
    for _, side, distance, lots in changes:
        ticks = MIDDLE - distance if side == BID else MIDDLE + distance
        book.set_level(side, ticks, max(lots, 1))
        twin.set(side, ticks, max(lots, 1))

    for side in (BID, ASK):
        edge = int(book.edge[side])
        inside = [level for level in twin.walk(side) if (level[0] > edge if side == BID else level[0] < edge)]
        known = [level for level in walk(book, side) if (level[0] > edge if side == BID else level[0] < edge)]
        assert inside == known
        assert book.top[side] == twin.best(side)
    assert book.count.sum() == sum(len(walk(book, side)) for side in (BID, ASK))
    assert book.count.sum() <= 64 * 5 // 8


def test_a_full_book_forgets_the_far_levels_and_says_so():
    book = boxed(Book(64))[0]

    for distance in range(1, 200):
        book.set_level(BID, MIDDLE - distance, distance)

    assert book.prune_count > 0
    assert book.forgotten_count > 0
    assert MIDDLE - 199 <= book.edge[BID] < MIDDLE - 8
    assert [ticks for ticks, _ in walk(book, BID)][:8] == [MIDDLE - distance for distance in range(1, 9)]


def test_a_snapshot_makes_a_pruned_book_whole_again():
    book = boxed(Book(64))[0]
    for distance in range(1, 200):
        book.set_level(BID, MIDDLE - distance, distance)

    book.clear()
    book.set_level(BID, MIDDLE - 3_000, 1)
    book.set_level(BID, MIDDLE, 1)

    assert walk(book, BID) == [(MIDDLE, 1), (MIDDLE - 3_000, 1)]
    assert book.edge[BID] == -1


def test_a_book_is_crossed_only_when_it_was_fed_so():
    book = boxed(Book(64))[0]

    book.set_level(BID, 100, 1)
    book.set_level(ASK, 101, 1)
    assert not book.is_crossed()
    book.set_level(ASK, 100, 1)
    assert book.is_crossed()
    book.set_level(ASK, 100, 0)
    assert not book.is_crossed()


@pytest.mark.parametrize("side", [BID, ASK])
def test_a_best_quote_feed_knows_one_level_of_a_side(side):
    book = boxed(Book(64))[0]

    assert book.set_top(side, 100, 7) == 0
    assert book.set_top(side, 100, 9) == 7
    assert book.set_top(side, 102, 3) == 0

    assert (book.top[side], book.best_lots(side), book.lots_at(side, 102), book.lots_at(side, 100)) == (102, 3, 3, 0)
    assert book.next_level(side, 102) == -1
    assert (book.top[1 - side], book.count.sum()) == (-1, 0)


def test_a_best_quote_of_no_size_leaves_the_side_empty():
    book = boxed(Book(64))[0]
    book.set_top(BID, 100, 7)

    book.set_top(BID, 100, 0)

    assert (book.top[BID], book.best_lots(BID)) == (-1, 0)


def test_a_best_quote_replaces_a_deep_side():
    book = boxed(Book(64))[0]
    for distance in range(5):
        book.set_level(BID, 100 - distance, 4)

    book.set_top(BID, 90, 2)

    assert walk(book, BID) == [(90, 2)]


def test_removing_what_is_not_there_changes_nothing():
    book = boxed(Book(64))[0]
    book.set_level(BID, 100, 4)
    before = book.tobytes()

    assert book.set_level(BID, 99, 0) == 0

    assert book.tobytes() == before
    assert np.array_equal(book.top, [100, -1])
