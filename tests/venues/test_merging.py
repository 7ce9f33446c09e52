"""Two links become one stream: whatever the order of arrival, what goes through is what one perfect link would bring."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.events import BookState
from streamtrader.venues.binance.merging import place_of
from streamtrader.venues.merging import HELD_BYTES_MOST, RECENT, Merger
from streamtrader.venues.venue import Place
from tests.venues import frames


def trades(first, last):
    return [frames.spot_trade(number) for number in range(first, last + 1)]


def depths(first, last):
    return [frames.spot_depth(number, number) for number in range(first, last + 1)]


def merger(*links):
    made = Merger(place_of, lambda place: False)
    for link in links:
        made.open(link)
    return made


@st.composite
def markets(draw):
    """What a venue publishes: trades, quotes and book messages of one symbol, in one order."""
    made, trade, update = [], 0, 10
    for kind in draw(st.lists(st.sampled_from("tqd"), min_size=1, max_size=60)):
        if kind == "t":
            trade += 1
            made.append(frames.spot_trade(trade))
        elif kind == "q":
            update += draw(st.integers(1, 5))
            made.append(frames.spot_quote(update))
        else:
            covered = draw(st.integers(1, 4))
            made.append(frames.spot_depth(update + 1, update + covered))
            update += covered
    return renumbered(made)


def renumbered(made):
    """Book messages follow each other without a hole, whatever quotes there are between."""
    last, fixed = 10, []
    for frame in made:
        place = place_of(frame)
        if place.is_chained:
            covered = place.last - place.after
            frame, last = frames.spot_depth(last + 1, last + covered), last + covered
        fixed.append(frame)
    return fixed


def play(made, choices, *, start=0, end=None):
    """Two links bring what they have, in the order that `choices` say: one from the first message to the one before
    `end`, where it dies, the other from `start` to the last.
    """
    whole = merger(1, 2)
    queues = {1: list(made[:end]), 2: list(made[start:])}
    open_links, passed, choices = {1, 2}, [], iter(choices)
    while any(queues.values()):
        wanted = next(choices, 1)
        link = wanted if queues[wanted] else 3 - wanted
        passed += whole.take(link, [queues[link].pop(0)], 0.0)
        if end is not None and not queues[1] and 1 in open_links:
            open_links.remove(1)
            passed += whole.close(1)
    for link in sorted(open_links):
        passed += whole.close(link)
    return passed, whole


def by_stream(made):
    streams = {}
    for frame in made:
        streams.setdefault(place_of(frame).stream, []).append(frame)
    return streams


orders = st.lists(st.sampled_from([1, 2]), max_size=130)


@given(markets(), orders)
def test_two_links_from_the_start_bring_what_a_perfect_one_brings(made, order):
    passed, whole = play(made, order)

    assert passed == made
    assert whole.misfits == whole.forced == 0


@given(markets(), orders, st.data())
def test_a_link_that_begins_later_adds_nothing_and_leaves_nothing_out(made, order, data):
    start = data.draw(st.integers(0, len(made)))

    passed, _ = play(made, order, start=start)

    assert by_stream(passed) == by_stream(made)


@given(markets(), orders, st.data())
def test_a_link_that_dies_is_not_missed_where_the_other_overlaps_it(made, order, data):
    end = data.draw(st.integers(0, len(made)))
    start = data.draw(st.integers(0, end))

    passed, _ = play(made, order, start=start, end=end)

    assert by_stream(passed) == by_stream(made)


@given(markets(), orders, st.data())
def test_the_ring_of_two_links_is_the_ring_of_one(made, order, data):
    start = data.draw(st.integers(0, len(made)))
    passed, _ = play(made, order, start=start)

    rings = []
    for brought in (passed, made):
        venue, ring = frames.adapter()
        (request,) = venue.requests()
        venue.respond(request, 200, frames.snapshot(10), frames.NOW_NS, ring)
        for frame in brought:
            venue.decode(frame, frames.NOW_NS, ring)
        assert venue.book_state(0) is BookState.LIVE
        assert venue.counters.gaps == 0
        rows = [tuple(row) for row in ring.events[: ring.written].tolist()]
        rings.append({kind: [row for row in rows if row[0] == kind] for kind in {row[0] for row in rows}})

    assert rings[0] == rings[1]


def test_a_link_that_is_ahead_waits_until_the_other_has_come_to_where_it_began():
    whole = merger(1, 2)

    assert whole.take(1, trades(1, 5), 0.0) == trades(1, 5)
    assert whole.take(2, trades(8, 9), 0.0) == []
    assert whole.is_holding(2)
    assert whole.take(1, trades(6, 7), 0.0) == trades(6, 9)
    assert whole.take(1, trades(8, 10), 0.0) == trades(10, 10)
    assert (whole.duplicates, whole.held, whole.forced) == (2, 2, 0)


def test_what_a_link_held_goes_through_when_the_other_dies():
    whole = merger(1, 2)
    whole.take(1, trades(1, 5), 0.0)
    whole.take(2, trades(7, 8), 0.0)

    assert whole.close(1) == trades(7, 8)


def test_the_death_of_the_link_that_held_takes_nothing_that_the_other_will_bring():
    whole = merger(1, 2)
    whole.take(1, trades(1, 5), 0.0)
    whole.take(2, trades(7, 8), 0.0)

    assert whole.close(2) == []
    assert whole.take(1, trades(6, 9), 0.0) == trades(6, 9)


def test_a_hole_of_one_link_is_filled_by_the_other():
    whole = merger(1, 2)
    whole.take(1, depths(11, 12), 0.0)
    whole.take(2, depths(11, 12), 0.0)

    assert whole.take(1, depths(14, 15), 0.0) == []
    assert whole.take(2, depths(13, 13), 0.0) == depths(13, 15)


def test_a_hole_of_both_links_is_told_to_the_adapter():
    whole = merger(1, 2)
    whole.take(1, depths(11, 12), 0.0)
    whole.take(2, depths(11, 12), 0.0)

    assert whole.take(1, depths(14, 14), 0.0) == []
    assert whole.take(2, depths(14, 15), 0.0) == depths(14, 15)
    assert whole.forced == 1


def test_nothing_waits_longer_than_it_is_told_to():
    whole = merger(1, 2)
    whole.take(1, trades(1, 5), 0.0)
    whole.take(2, trades(8, 9), 1.0)

    assert whole.due(2.5, 2.0) == []
    assert whole.due(3.5, 2.0) == trades(8, 9)
    assert whole.forced == 1


def test_what_waits_has_a_limit_of_bytes():
    whole = Merger(lambda frame: Place("one", len(frame), len(frame)), lambda place: False)
    whole.open(1)
    whole.open(2)
    whole.take(1, [b"x"], 0.0)
    whole.take(2, [b"x" * (HELD_BYTES_MOST + 1)], 0.0)

    assert len(whole.due(0.0, 2.0)) == 1


def test_book_messages_with_other_boundaries_come_from_one_link_alone():
    whole = merger(1, 2)
    ours = [frames.spot_depth(11, 14), frames.spot_depth(15, 18)]
    others = [frames.spot_depth(11, 12), frames.spot_depth(13, 16), frames.spot_depth(17, 18)]

    assert whole.take(1, ours[:1], 0.0) + whole.take(2, others, 0.0) + whole.take(1, ours[1:], 0.0) == ours
    assert whole.misfits == 1


@pytest.mark.parametrize("lag", [0, 3, RECENT // 2])
def test_a_venue_that_counts_anew_is_followed_on_both_links(lag):
    whole = merger(1, 2)
    old, new = trades(10_001, 10_600), trades(1, 20)

    passed = whole.take(1, old, 0.0) + whole.take(2, old[: 600 - lag], 0.0)
    passed += whole.take(1, new, 0.0) + whole.take(2, old[600 - lag :] + new, 0.0)

    assert passed == old + new


def test_an_absurd_number_of_one_link_does_not_silence_the_stream():
    whole = merger(1, 2)
    wrong = frames.spot_trade(9_000_000)

    passed = whole.take(1, [*trades(1, 5), wrong], 0.0) + whole.take(2, trades(1, 6), 0.0)
    passed += whole.take(1, trades(6, 9), 0.0) + whole.take(2, trades(7, 12), 0.0)

    assert [frame for frame in passed if frame != wrong] == trades(1, 12)


def test_messages_without_a_place_go_through_from_every_link():
    whole = merger(1, 2)
    notice = b'{"result":null,"id":1}'

    assert whole.take(1, [notice], 0.0) + whole.take(2, [notice], 0.0) == [notice, notice]


@pytest.mark.parametrize(
    ("frame", "place"),
    [
        (frames.spot_trade(7), Place("btcusdt@trade", 6, 7)),
        (frames.spot_aggregate(8), Place("btcusdt@aggTrade", 7, 8)),
        (frames.spot_quote(9), Place("btcusdt@bookTicker", 9, 9, is_quote=True)),
        (frames.spot_depth(11, 13), Place("btcusdt@depth@100ms", 10, 13, is_chained=True)),
        (frames.kline(60_000), Place("btcusdt@kline_1m", 60_000, 60_000)),
        (frames.kline(60_000, is_closed=False), None),
        (frames.mark(), Place("btcusdt@markPrice@1s", frames.NOW_MS, frames.NOW_MS)),
        (b"<html>no</html>", None),
        (b'{"stream":"btcusdt@trade","data":{"t":"x"}}', None),
        (b'{"stream":"btcusdt@trade","data":{"t":-4}}', None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
)
def test_a_message_of_binance_stands_where_its_numbers_say(frame, place):
    assert place_of(frame) == place


def test_what_a_venue_tells_again_under_its_newest_number_is_passed():
    def place_of(frame):
        return Place("quote", int(frame), int(frame), is_quote=True, can_repeat=True)

    whole = Merger(place_of, lambda place: False)
    whole.open(1)
    whole.open(2)

    assert whole.take(1, [b"5", b"5"], 0.0) == [b"5", b"5"]
    assert whole.take(2, [b"5"], 0.0) == []
    assert whole.take(1, [b"6"], 0.0) == [b"6"]
    assert whole.take(2, [b"5", b"6"], 0.0) == []
