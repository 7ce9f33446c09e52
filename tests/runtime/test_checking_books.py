"""The books that a check builds all at once are those that a plain book builds row after row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.events import EVENT, MORE, BookState, Kind
from streamtrader.runtime.checking import check_events, check_tape
from streamtrader.runtime.checking_books import _highest
from streamtrader.runtime.datasets import import_dataset
from tests.runtime.plain_book import PlainFeed

KINDS = (Kind.BOOK,) * 6 + (Kind.QUOTE,) * 3 + (Kind.BOOK_CLEAR, Kind.LINK, Kind.TRADE)
STATES = (BookState.LIVE, BookState.LIVE, BookState.LIVE, BookState.SYNCING, BookState.GAP, BookState.STALE)


@st.composite
def feeds(draw) -> np.ndarray:
    """Rows of two instruments, mostly live books of few prices, with snapshots, gaps and quotes between them."""
    count = draw(st.integers(1, 120))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    events = np.zeros(count, EVENT)
    events["kind"] = random.choice([int(kind) for kind in KINDS], count)
    events["instrument"] = random.integers(0, 2, count)
    events["received_ns"] = 10**18 + np.arange(count)
    events["side"] = random.integers(0, 2, count)
    # Bids mostly below asks, so that crossing is seldom, but there.
    events["a"] = 100.0 + np.where(events["side"] == 0, -1, 1) * random.integers(-1, 8, count)
    events["b"] = random.integers(0, 3, count)
    events["c"], events["d"] = events["a"] + random.integers(0, 3, count), random.integers(1, 3, count)
    events["id"] = 10 + np.cumsum(random.integers(0, 3, count))
    events["flags"] = MORE * (random.random(count) < 0.5)
    events["flags"][-1] = 0
    links = events["kind"] == Kind.LINK
    events["a"][links] = random.choice([float(state) for state in STATES], np.count_nonzero(links))
    return events


def cut(events: np.ndarray, at: list[int]) -> list[np.ndarray]:
    ends = np.flatnonzero((events["flags"] & MORE) == 0) + 1
    return np.split(
        events, sorted({int(ends[np.searchsorted(ends, max(one, 1))]) for one in at if one <= len(events)})
    )


@given(events=feeds(), cuts=st.lists(st.integers(1, 120), max_size=5))
def test_all_at_once_is_one_after_the_other_however_the_tape_is_cut(events, cuts):
    feeds = [PlainFeed(), PlainFeed()]
    for index, feed in enumerate(feeds):
        own = events[events["instrument"] == index]
        feed.play(own[own["kind"] != Kind.TRADE])

    result = check_events(cut(events, cuts))

    agreements = [feed.agreement() for feed in feeds]
    assert result.book_messages == sum(len(feed.states) for feed in feeds)
    assert result.crossed == sum(feed.crossed for feed in feeds)
    assert (result.best_quote_agreement.compared, result.best_quote_agreement.equal) == tuple(
        map(sum, zip(*agreements, strict=True))
    )


@given(intervals=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=30), count=st.integers(1, 40))
def test_the_highest_interval_around_each_place_is_found(intervals, count):
    within = [(min(pair), min(max(pair), count)) for pair in intervals if min(pair) < min(max(pair), count)]
    expected = [
        max((number for number, (a, b) in enumerate(within) if a <= at < b), default=-1) for at in range(count)
    ]

    first, last = (np.array([pair[end] for pair in within], np.int64) for end in (0, 1))

    assert _highest(first, last, count).tolist() == expected


def test_a_book_without_links_is_judged_from_its_first_row():
    """Data sets have no states; what is in them is said to be a book."""
    events = np.zeros(3, EVENT)
    events["kind"], events["received_ns"] = Kind.BOOK, 10**18 + np.arange(3)
    events["side"], events["a"], events["b"] = (0, 1, 0), (100.0, 101.0, 101.0), 1.0

    result = check_events([events])

    assert (result.book_messages, result.crossed) == (3, 1)
    (finding,) = result.findings
    assert (finding.check, finding.event, finding.at_ns) == ("book_crossed", 2, 10**18 + 2)


@pytest.mark.parametrize("status, crossed", [(1, 1), (2, 0), (3, 0), (4, 0), (5, 1)])
def test_a_book_may_cross_while_the_venue_does_not_match_orders(status, crossed):
    events = np.zeros(4, EVENT)
    events["kind"] = (Kind.STATUS, Kind.BOOK, Kind.BOOK, Kind.BOOK)
    events["received_ns"] = 10**18 + np.arange(4)
    events["side"], events["a"], events["b"] = (0, 0, 1, 0), (status, 100.0, 101.0, 101.0), (0.0, 1.0, 1.0, 1.0)

    assert check_events(np.split(events, 4)).crossed == crossed


def test_the_opening_auction_of_a_future_crosses_and_the_trading_after_it_does_not(shared_data, tmp_path):
    """CME's pre-open: orders are taken until 23:00 UTC and matched then; the feed of orders says nothing of it."""
    files = [shared_data / "ticks" / "cme" / f"esh4-glbx-mdp3-202312{day}.mbo.dbn.zst" for day in (24, 25)]
    import_dataset(files, tmp_path / "x.tape")

    result = check_tape(tmp_path / "x.tape")

    (finding,) = [finding for finding in result.findings if finding.check == "book_crossed"]
    times = np.datetime64(finding.at_ns, "ns")
    assert np.datetime64("2023-12-25T22:39:55") < times < np.datetime64("2023-12-25T22:39:56")
    assert finding.count == 891
