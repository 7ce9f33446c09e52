"""Links are replaced over real sockets while the market goes on: no book leaves LIVE, no trade is lost or told twice."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from streamtrader.events import BookState, Kind
from streamtrader.runtime.importing import import_captures
from streamtrader.storage.raw_frames import FrameLog, RawWriter
from streamtrader.storage.raw_lines import header_text
from streamtrader.storage.tape import Tape
from streamtrader.venues.tap import tapped
from streamtrader.venues.venue import Overlap
from tests.exchange.faulty import QUICK, bad_day

SYNCING, LIVE, STALE = BookState.SYNCING, BookState.LIVE, BookState.STALE
RELAYED = ["kraken", "coinbase", "coinbase-exchange"]
MERGED = ["binance", "okx", "bybit"]
SETTINGS = dataclasses.replace(QUICK, overlap_s=0.05)


def rotating(day, every_s):
    venue = day.client.venue
    venue.limits = dataclasses.replace(venue.limits, rotate_after_s=every_s)
    return day.client.connection.counters


@pytest.mark.parametrize("dialect", RELAYED + MERGED)
async def test_links_follow_each_other_without_a_gap(dialect):
    async with bad_day(dialect, [], settings=SETTINGS) as day:
        counters = rotating(day, 0.15)
        await day.run_until(lambda: counters.disconnects >= 3 and day.client.is_live)

    client = day.client
    assert counters.rotations >= 3
    for instrument in (0, 1):
        assert client.trades_lost(instrument) == 0
        assert set(client.states(instrument)) == {LIVE}
    counted = client.venue.counters
    assert (counted.gaps, counted.silences, counted.checksums_failed, counted.faults, counted.rejected) == (0,) * 5
    clocks = [row[5] for row in client.rows]
    assert clocks == sorted(clocks) or client.venue.overlap is Overlap.MERGE


@pytest.mark.parametrize("dialect", RELAYED)
async def test_a_book_changes_its_link_with_one_whole_message(dialect):
    async with bad_day(dialect, [], settings=SETTINGS) as day:
        counters = rotating(day, 0.2)
        await day.run_until(lambda: counters.disconnects >= 1 and day.client.is_live)

    rows = [row for row in day.client.rows if row[1] == 0 and row[0] in (Kind.BOOK, Kind.BOOK_CLEAR, Kind.LINK)]
    begun = [at for at, row in enumerate(rows) if row[0] == Kind.BOOK_CLEAR]
    assert len(begun) >= 2
    for at in begun:
        ends = next(place for place in range(at, len(rows)) if rows[place][0] == Kind.LINK)
        assert rows[ends][2] == LIVE
        assert len({row[5] for row in rows[at : ends + 1]}) == 1, "one message has one clock"


@pytest.mark.parametrize("is_stamped", [True, False], ids=["stamped", "unstamped"])
@pytest.mark.parametrize("dialect", RELAYED + MERGED)
@pytest.mark.slow
async def test_an_import_of_the_frames_of_both_links_writes_what_the_session_wrote(dialect, is_stamped, tmp_path):
    heard = []

    def listening(venue, ring):
        heard.append(FrameLog(ring, is_stamped=is_stamped))
        return tapped(venue, heard[0])

    async with bad_day(dialect, [], settings=SETTINGS, listening=listening, is_stamped=is_stamped) as day:
        counters = rotating(day, 0.2)
        await day.run_until(lambda: counters.disconnects >= 2 and day.client.is_live)
    (log,), client, path = heard, day.client, tmp_path / "rotated.raw.zst"
    writer = RawWriter.create(path, header_text(client.venue.instruments, client.venue.channels))
    writer.append(log.items(log.take()))
    writer.close()
    result = import_captures([path], tmp_path / "imported.tape")

    events = np.concatenate([np.asarray(part) for part in Tape.open(tmp_path / "imported.tape").events()])
    names = ("kind", "instrument", "a", "id", "venue_ns", "received_ns")
    imported = list(zip(*(events[name].tolist() for name in names), strict=True))
    assert imported == [row for row in client.rows if row[5]]
    assert (result.gaps, result.rejected, result.unknown) == (0, 0, 0)


async def test_a_venue_that_allows_one_connection_closes_it_first():
    async with bad_day("alpaca", [], settings=SETTINGS) as day:
        counters = rotating(day, 0.3)
        await day.run_until(lambda: counters.disconnects >= 1 and day.client.is_live)

    assert [state for state in day.client.states(0) if state != SYNCING][:3] == [LIVE, STALE, LIVE]
    assert day.client.venue.counters.errors == 0, "two at one time are error 406 there"
