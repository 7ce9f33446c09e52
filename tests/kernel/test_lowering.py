"""What is written in fewer instructions does the same as plain Python: ranges, items, copies, variables, errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.kernel.compiler import Compiled
from streamtrader.kernel.record import Record, boxed, boxed_each, bytes_of

SLOTS = 6
PLACES = st.integers(-SLOTS, SLOTS - 1)
BOUNDS = st.integers(-4, 9)


class Parcel(Record):
    def __init__(self, weight: int = 0, price: float = 0.0) -> None:
        self.weight = weight
        self.is_fragile = weight % 2 == 1
        self.price = price
        self.stamps = np.arange(3, dtype=np.int64) * weight


class Shelf(Record):
    def __init__(self) -> None:
        self.count = SLOTS
        self.parcels = boxed_each(SLOTS, lambda place: Parcel(place + 1, place / 4.0))
        self.totals = np.zeros(SLOTS)

    def weigh(self, start: int, stop: int) -> int:
        """Ranges of one bound, of two, within another, left early, and used up."""
        total = 0
        for place in range(start, stop):
            for _ in range(place):
                if total % 7 == 3:
                    total += 2
                    continue
                total += 1
                if total > 40:
                    break
        for step in range(stop, start, -2):
            total = total * 3 + step
        return total

    def move(self, source: int, target: int) -> None:
        self.parcels[target] = self.parcels[source]
        self.totals[target] = self.parcels[target].price + self.parcels[source].stamps[-1]

    def close_up(self, index: int) -> None:
        self.count -= 1
        for at in range(index, self.count):
            self.parcels[at] = self.parcels[at + 1]

    def choose(self, index: int, limit: int) -> float:
        """Variables of one assignment, before a branch, in a branch, and in a loop."""
        parcel = self.parcels[index]
        weight = parcel.weight
        if weight > limit:
            surplus = weight - limit
            answer = surplus * 2.0
            while surplus > 0:
                heavy = surplus % 2 == 0
                surplus -= 1
                if heavy and parcel.is_fragile:
                    answer += weight
        else:
            answer = -parcel.price
        return answer + weight

    def demand(self, weight: int) -> int:
        if weight < 0:
            raise ValueError("no parcel weighs less than nothing")
        return weight + 1

    def order(self, weight: int) -> int:
        """The error of a callee goes to our caller."""
        first = self.demand(weight)
        self.count = 77
        return first + self.demand(weight - 1)

    def try_to_order(self, weight: int) -> int:
        try:
            ordered = self.order(weight)
        except Exception:  # noqa: BLE001 - the compiler knows no other
            return -1
        return ordered


def both() -> tuple[tuple[np.ndarray, object], tuple[np.ndarray, object]]:
    plain, compiled = boxed(Shelf()), boxed(Shelf())
    return (plain, plain[0]), (compiled, Compiled(compiled[0]))


@given(BOUNDS, BOUNDS)
def test_ranges_end_where_those_of_python_do(start, stop):
    (_, plain), (_, compiled) = both()
    assert plain.weigh(start, stop) == compiled.weigh(start, stop)


@given(st.lists(st.tuples(PLACES, PLACES), max_size=8), st.lists(st.integers(0, SLOTS - 1), max_size=3))
def test_items_are_copied_whole_and_counted_from_either_end(moves, closed):
    (box, plain), (compiled_box, compiled) = both()
    for shelf in (plain, compiled):
        for source, target in moves:
            shelf.move(source, target)
        for index in closed:
            shelf.close_up(index)
    assert bytes_of([box]) == bytes_of([compiled_box])


@given(PLACES, st.integers(-3, 9))
def test_variables_hold_what_was_assigned_last(index, limit):
    (_, plain), (_, compiled) = both()
    assert plain.choose(index, limit) == compiled.choose(index, limit)


@pytest.mark.parametrize(("weight", "count"), [(-1, SLOTS), (0, 77)])
def test_an_error_goes_to_the_caller_and_nothing_after_it_happens(weight, count):
    for box, shelf in both():
        with pytest.raises(ValueError, match="less than nothing"):
            shelf.order(weight)
        assert count == box[0].count


@pytest.mark.parametrize(("weight", "answer"), [(-1, -1), (0, -1), (1, 3)])
def test_an_error_can_be_caught(weight, answer):
    (_, plain), (_, compiled) = both()
    assert answer == plain.try_to_order(weight) == compiled.try_to_order(weight)
