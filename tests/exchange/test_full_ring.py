"""An engine that stands still while a venue talks on: quotes may grow old while they wait, nothing else is ever missing."""

from __future__ import annotations

import pytest

from streamtrader.events import BookState, Kind
from tests.exchange.faulty import ADAPTERS, bad_day

SYNCING, LIVE = BookState.SYNCING, BookState.LIVE
SLOTS = 1 << 14  # a snapshot must fit


@pytest.mark.parametrize("dialect", ADAPTERS)
@pytest.mark.slow
async def test_quotes_give_way_while_the_ring_is_full_and_nothing_else_does(dialect):
    async with bad_day(dialect, [], slots=SLOTS, is_stamped=False) as day:
        client, counters = day.client, day.client.connection.counters
        released_at = []

        def has_waited_often():
            """The engine stands still whenever all is well, and goes on when the sockets are read no more."""
            if client.is_held and client.connection.is_paused:
                client.is_held = False
                released_at.append(counters.pauses)
            elif not client.is_held and not client.connection.is_paused and client.is_live:
                client.is_held = not (len(released_at) >= 3 and counters.conflated)
            return not client.is_held and client.is_live and len(released_at) >= 3 and counters.conflated > 0

        await day.run_until(has_waited_often)

    for instrument in (0, 1):
        assert [state for state in client.states(instrument) if state != SYNCING] == [LIVE]
        assert client.trades_lost(instrument) == 0
    counted = client.venue.counters
    assert (counted.gaps, counted.rejected, counted.unknown, counted.faults, counters.oversized) == (0, 0, 0, 0, 0)
    assert counters.overflows == 0
    quotes = [row for row in client.rows if row[0] == Kind.QUOTE]
    assert len(quotes) == counted.quotes
