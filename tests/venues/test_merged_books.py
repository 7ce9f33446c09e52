"""Two links of a venue whose subscriptions begin with a snapshot become one book, whatever each of them brings when."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from streamtrader.venues.merging import Merger
from streamtrader.venues.venue import Place

orders = st.lists(st.sampled_from([1, 2]), min_size=0, max_size=200)


class Book:
    """An adapter of one book whose subscriptions begin with a snapshot, in the smallest words: `s7`, `d6:7`."""

    def __init__(self):
        self.number = None
        self.begun = self.holes = 0

    def place_of(self, frame):
        text = frame.decode()
        after, _, last = text[1:].rpartition(":")
        is_snapshot = text.startswith("s")
        return Place("book", int(after or last), int(last), is_chained=not is_snapshot, is_snapshot=is_snapshot)

    def needs(self, place):
        return self.number is None

    def take(self, passed):
        for frame in passed:
            place = self.place_of(frame)
            if place.is_snapshot:
                self.begun += 1
            elif self.number is not None and place.after != self.number:
                self.holes, self.number = self.holes + 1, None
                continue
            if place.is_snapshot or self.number is not None:
                self.number = place.last


@st.composite
def sessions(draw):
    """Numbers of a book in steps, and where each of two links begins; the first one may end, after the second began."""
    steps = draw(st.lists(st.integers(1, 3), min_size=2, max_size=30))
    numbers = [10, *itertools.accumulate(steps, initial=10)][1:]
    second = draw(st.integers(0, len(numbers) - 1))
    end = draw(st.one_of(st.none(), st.integers(second + 1, len(numbers))))
    return numbers, second, end


def brought(numbers, start):
    """A snapshot of the book as it is, then its changes."""
    changes = itertools.pairwise(numbers[start:])
    return [b"s%d" % numbers[start], *(b"d%d:%d" % change for change in changes)]


@given(sessions(), orders)
def test_a_stream_of_two_snapshots_is_one_book_without_a_hole(session, order):
    numbers, second, end = session
    book = Book()
    whole = Merger(book.place_of, book.needs)
    whole.open(1)
    whole.open(2)
    queues = {1: brought(numbers, 0)[:end], 2: brought(numbers, second)}
    choices, is_open = iter(order), True
    while any(queues.values()):
        wanted = next(choices, 1)
        link = wanted if queues[wanted] else 3 - wanted
        book.take(whole.take(link, [queues[link].pop(0)], 0.0))
        if end is not None and is_open and not queues[1]:
            is_open = False
            book.take(whole.close(1))

    assert (book.number, book.holes) == (numbers[-1], 0)
    assert book.begun >= 1


@given(sessions(), orders)
def test_a_book_that_is_lost_begins_again_with_the_first_snapshot_of_either_link(session, order):
    numbers, _, _ = session
    book = Book()
    whole = Merger(book.place_of, book.needs)
    whole.open(1)
    whole.open(2)
    for link in (1, 2):
        book.take(whole.take(link, [b"s%d" % numbers[0]], 0.0))
    book.number = None  # a checksum failed
    queues = {1: brought(numbers, 0), 2: brought(numbers, len(numbers) // 2)}
    choices = iter(order)
    while any(queues.values()):
        wanted = next(choices, 1)
        link = wanted if queues[wanted] else 3 - wanted
        book.take(whole.take(link, [queues[link].pop(0)], 0.0))

    assert (book.number, book.holes) == (numbers[-1], 0)
