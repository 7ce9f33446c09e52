"""Two links for a whole session, at every venue that numbers its messages alike on all of them, over real sockets."""

from __future__ import annotations

import dataclasses

import pytest

from streamtrader.events import BookState
from streamtrader.units import NS_PER_S
from tests.exchange.faulty import QUICK, bad_day

SYNCING, LIVE, GAP = BookState.SYNCING, BookState.LIVE, BookState.GAP
HEDGED = dataclasses.replace(QUICK, connections=2, overlap_s=0.05)
CHANNELS = 3
FEW = 16  # frames of the market between two looks at the clients: they connect often here
dialects = pytest.mark.parametrize("dialect", ["binance", "okx", "bybit"])


class Pair:
    """Both links of a client, as the market's side sees them."""

    def __init__(self, day):
        self.day = day
        self.agreed_ns = 0  # when both listened to everything

    @property
    def listeners(self):
        return [listener for listener in self.day.saboteur.listeners if listener.is_open]

    def tells_all(self):
        """Whether each link alone brings all that comes, and has brought some of it since."""
        client = self.day.client
        intake, channels = client.connection.intake, CHANNELS * len(client.venue.instruments)
        if len(intake.links) < 2 or sum(len(each.keys) >= channels for each in self.listeners) < 2:
            self.agreed_ns = 0
            return False
        self.agreed_ns = self.agreed_ns or self.day.pump.position_ns
        is_later = bool(client.rows) and client.rows[-1][5] > self.agreed_ns + NS_PER_S // 2
        return client.is_live and is_later and all(map(intake.can_go_on_alone, intake.links))


def assert_whole(client):
    for instrument in (0, 1):
        assert client.trades_lost(instrument) == 0
        assert [state for state in client.states(instrument) if state != SYNCING] == [LIVE]
    counted = client.venue.counters
    assert (counted.gaps, counted.silences, counted.rejected, counted.faults) == (0,) * 4


@dialects
async def test_two_links_bring_one_market(dialect):
    async with bad_day(dialect, [], settings=HEDGED, chunk_frames=FEW) as day:
        pair, counters = Pair(day), day.client.connection.counters
        await day.run_until(lambda: pair.tells_all() and counters.duplicates > 300)

    assert_whole(day.client)
    assert counters.connects == 2
    assert day.exchange.watch.violations == []


@dialects
@pytest.mark.slow
async def test_a_link_that_dies_takes_nothing_with_it(dialect):
    async with bad_day(dialect, [], settings=HEDGED, chunk_frames=FEW) as day:
        pair, counters, died = Pair(day), day.client.connection.counters, []

        def has_died_often():
            if len(died) == counters.disconnects and pair.tells_all():
                if len(died) == 4:
                    return True
                died.append(pair.listeners[len(died) % 2])
                died[-1].reset()
                pair.agreed_ns = 0
            return False

        await day.run_until(has_died_often)

    assert_whole(day.client)
    assert counters.connects >= 6


@dialects
async def test_both_links_are_replaced_without_a_gap(dialect):
    async with bad_day(dialect, [], settings=HEDGED, chunk_frames=FEW) as day:
        venue, counters = day.client.venue, day.client.connection.counters
        venue.limits = dataclasses.replace(venue.limits, rotate_after_s=0.2)
        await day.run_until(lambda: counters.disconnects >= 4 and day.client.is_live)

    assert_whole(day.client)
    assert counters.rotations >= 4


@dialects
async def test_a_hole_of_the_venue_itself_is_mended_over_both_links(dialect):
    async with bad_day(dialect, ["at=3s frozen for=2s"], settings=HEDGED, chunk_frames=FEW) as day:
        counted = day.client.venue.counters
        await day.run_until(lambda: day.is_over(10.0) and counted.snapshots > 2)

    # A snapshot that the second link began with, just behind the hole, mends it before anybody has seen it.
    assert GAP in day.client.states(0) or counted.gaps == 0
    assert day.client.states(0)[-1] == LIVE
    assert [state for state in day.client.states(1) if state != SYNCING] == [LIVE]
    assert day.client.trades_lost(1) == 0
    assert day.client.connection.counters.connects == 2
