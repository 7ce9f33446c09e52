"""The book against a plain dictionary of levels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrader.events import ASK, BID
from streamtrader.kernel.book import BOOK_SLOTS, Book
from streamtrader.kernel.compiler import Compiled, compiled
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


# Side, distance from a middle that drifts, lots (0 removes), drift.
DRIFTING = st.lists(
    st.tuples(st.integers(0, 1), st.integers(1, 400), st.integers(0, 3), st.sampled_from([0, 0, 0, 1, -1, 7, -40, 300])),
    min_size=80, max_size=400,
)  # fmt: skip


@settings(max_examples=30)
@given(DRIFTING)
@pytest.mark.slow
def test_a_book_that_is_not_worn_has_every_level_up_to_its_edge_wherever_the_price_goes(changes):
    book, twin, middle = boxed(Book(64))[0], Twin(), MIDDLE
    for side, distance, lots, drift in changes:
        middle += drift
        ticks = middle - distance if side == BID else middle + distance
        book.set_level(side, ticks, lots)
        twin.set(side, ticks, lots)
        if not book.is_worn():
            assert book.top.tolist() == [twin.best(BID), twin.best(ASK)]
    for side in (BID, ASK) if not book.is_worn() else ():
        edge = int(book.edge[side])
        known, true = ([level for level in levels if (level[0] > edge if side == BID else level[0] < edge)]
                       for levels in (walk(book, side), twin.walk(side)))  # fmt: skip
        assert known == true


@pytest.mark.parametrize("side", [BID, ASK])
def test_a_better_price_is_never_too_far_away(side):
    book, sign = boxed(Book(64))[0], 1 if side == BID else -1
    for distance in range(1, 200):
        book.set_level(side, MIDDLE - sign * distance, distance)
    reach = int(book.reach_ticks)

    book.set_level(side, MIDDLE + sign * 10 * reach, 7)

    assert (book.top[side], book.best_lots(side)) == (MIDDLE + sign * 10 * reach, 7)
    assert not book.is_worn()


@pytest.mark.parametrize("side", [BID, ASK])
def test_a_book_whose_best_has_come_to_its_edge_is_worn_until_a_snapshot(side):
    book, sign = boxed(Book(64))[0], 1 if side == BID else -1
    for distance in range(1, 200):
        book.set_level(side, MIDDLE - sign * distance, distance)
    seen = []
    for distance in range(1, 200):
        seen.append((bool(book.is_worn()), (book.top[side] - book.edge[side]) * sign > 0 and book.top[side] >= 0))
        book.set_level(side, MIDDLE - sign * distance, 0)

    assert all(is_worn != is_inside for is_worn, is_inside in seen)
    assert (seen[0][0], seen[-1][0], bool(book.is_worn())) == (False, True, True)
    book.clear()
    assert not book.is_worn()


ORDERS = {
    "as Coinbase sends it, bids first and the best of each side first": lambda bids, asks: bids + asks,
    "the worst first": lambda bids, asks: bids[::-1] + asks[::-1],
    "in turns": lambda bids, asks: [level for pair in zip(bids, asks, strict=True) for level in pair],
    "shuffled": lambda bids, asks: np.random.default_rng(3).permutation(np.array(bids + asks)),
}


@pytest.mark.parametrize("order", ORDERS)
def test_of_forty_thousand_levels_a_side_the_best_stay_and_the_others_are_counted(order):
    """The shape of Coinbase's largest books: dense at the touch, thinner and thinner, and some jokes at the ends."""
    random = np.random.default_rng(7)
    steps = np.cumsum(1 + random.geometric(0.5, 40_000) * (1 + np.arange(40_000) // 2_000))
    bids = [(BID, 6_000_000 - int(step) if step < 5_990_000 else 10 + at, 1 + at) for at, step in enumerate(steps)]
    asks = [(ASK, 6_000_001 + int(step) * (10**6 if at > 39_900 else 1), 1 + at) for at, step in enumerate(steps)]
    levels = ORDERS[order](bids, asks)
    box = boxed(Book())

    compiled(put_all)(box, np.array(levels, np.int64))

    book = Compiled(box[0])
    assert book.count.sum() <= BOOK_SLOTS * 5 // 8
    assert book.count.min() > 1_000
    assert book.count.sum() + book.forgotten_count >= 80_000
    assert not book.is_worn()
    for side, told in ((BID, bids), (ASK, asks)):
        sign, edge = 1 if side == BID else -1, int(book.edge[side])
        inside = [(ticks, lots) for _, ticks, lots in told if (ticks - edge) * sign > 0]
        assert len(inside) > 1_000
        assert [(ticks, book.lots_at(side, ticks)) for ticks, _ in inside] == inside
        assert book.count[side] >= len(inside)


def put_all(box, levels):
    for at in range(len(levels)):
        box[0].set_level(levels[at, 0], levels[at, 1], levels[at, 2])


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
