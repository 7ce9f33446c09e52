"""The script of faults over real sockets: whatever breaks, readiness returns by itself, and the tape says what was."""

from __future__ import annotations

import dataclasses

import pytest

from streamtrader.events import BookState
from tests.exchange.faulty import NAMES, QUICK, bad_day

LIVE, STALE, SYNCING, GAP = BookState.LIVE, BookState.STALE, BookState.SYNCING, BookState.GAP
DIALECTS = ("binance", "kraken", "coinbase", "coinbase-exchange", "okx", "bybit", "alpaca")
PROVED = ("binance", "kraken")  # their books show at once that something is missing
NUMBERED = ("binance", "coinbase")
PATIENT_S = {"alpaca": 130.0, "okx": 100.0}  # of the market: their books may be silent for longer than a minute
RECONNECTING = [
    "half-open",
    "reset-mid-frame",
    "accept-drop count=5",
    "shutdown after=0.05s",
    "huge-frame bytes=16777217",  # one byte more than the venue with the largest snapshots may send
    "refuse status=429 retry-after=0s count=3",
    "refuse status=418 retry-after=0s count=2",
    "refuse status=451 count=2",
    "refuse status=200 count=2",
    "refuse status=503 count=2",
]
dialects = pytest.mark.parametrize("dialect", DIALECTS)


@dialects
@pytest.mark.parametrize("fault", RECONNECTING)
async def test_a_lost_link_is_replaced_and_every_book_is_live_again(dialect, fault):
    settings = dataclasses.replace(QUICK, silence_s=0.3) if fault == "half-open" else QUICK
    async with bad_day(dialect, [f"at=2s {fault}"], settings=settings) as day:
        await day.run_until(lambda: day.is_over() and day.client.connection.counters.connects > 1)

    client = day.client
    for instrument in (0, 1):
        states = client.states(instrument)
        assert LIVE == states[-1]
        if not fault.startswith("shutdown"):  # which is announced: the next link may stand before this one ends
            assert [LIVE, STALE] == [state for state in states if state != SYNCING][:2]
        assert client.trades_lost(instrument) < 100, "what was under way when the link broke, and no more"
    assert day.exchange.watch.violations == []
    assert (client.venue.counters.faults, client.venue.counters.unknown) == (0, 0)


@dialects
async def test_what_is_no_message_is_refused_and_nothing_is_lost(dialect):
    async with bad_day(dialect, ["at=1s html", "at=2s html"]) as day:
        await day.run_until(day.is_over)

    client, counters = day.client, day.client.venue.counters
    assert counters.rejected + counters.unknown == 2
    assert counters.faults == 0
    assert client.connection.counters.connects == 1
    assert [client.trades_lost(instrument) for instrument in (0, 1)] == [0, 0]
    assert client.states(1)[-1] == LIVE


@dialects
async def test_a_compression_bomb_is_never_unpacked(dialect):
    """Nobody agreed on compression: a deflated frame is a broken protocol, or so many strange bytes."""
    async with bad_day(dialect, ["at=1s compression-bomb"]) as day:
        await day.run_until(day.is_over)

    client, counters = day.client, day.client.venue.counters
    assert counters.rejected + counters.unknown == 1 or client.connection.counters.connects == 2
    assert client.connection.counters.received_bytes < 16 << 20
    assert counters.faults == 0
    assert client.states(0)[-1] == client.states(1)[-1] == LIVE


@dialects
async def test_a_storm_of_pings_is_not_answered_with_a_storm(dialect):
    async with bad_day(dialect, ["at=1s ping-storm count=5000"]) as day:
        await day.run_until(day.is_over)

    assert day.exchange.watch.violations == []
    assert day.client.connection.counters.connects == 1
    assert [day.client.trades_lost(instrument) for instrument in (0, 1)] == [0, 0]


@dialects
@pytest.mark.slow
async def test_a_frozen_symbol_is_stale_alone_while_the_heart_beats_and_is_asked_for_again(dialect):
    frozen = NAMES[dialect][0]
    async with bad_day(dialect, [f"at=5s frozen symbol={frozen}"]) as day:
        await day.run_until(lambda: day.is_over(PATIENT_S.get(dialect, 70.0)))

    client = day.client
    states = client.states(0)
    assert [LIVE, STALE, LIVE] == [state for state in states if state != SYNCING]
    assert [state for state in client.states(1) if state != SYNCING] == [LIVE]
    assert client.trades_lost(1) == 0
    assert client.venue.counters.silences >= 1
    assert client.connection.counters.connects == 1


@dialects
async def test_a_symbol_that_was_frozen_for_a_while_comes_back_alone(dialect):
    frozen = NAMES[dialect][0]
    async with bad_day(dialect, [f"at=3s frozen symbol={frozen} for=5s"]) as day:
        await day.run_until(lambda: day.is_over(10.0))

    client = day.client
    assert client.trades_lost(0) > 0, "it was silent"
    assert client.trades_lost(1) == 0
    assert [state for state in client.states(1) if state != SYNCING] == [LIVE]
    if dialect in PROVED:
        assert [LIVE, GAP, LIVE] == [state for state in client.states(0) if state != SYNCING]
    assert client.connection.counters.connects == 1


@pytest.mark.parametrize("dialect", [each for each in DIALECTS if each in PROVED or each == "coinbase"])
async def test_a_snapshot_older_than_the_deltas_is_not_believed(dialect):
    async with bad_day(dialect, ["at=2s old-snapshot count=3"]) as day:
        await day.run_until(lambda: day.is_over(5.0))

    counters = day.client.venue.counters
    assert counters.snapshots_early + counters.gaps >= 1
    assert day.client.states(0)[-1] == day.client.states(1)[-1] == LIVE
    assert day.exchange.watch.violations == []


@dialects
async def test_repeated_messages_of_books_change_nothing(dialect):
    async with bad_day(dialect, ["at=2s duplicate count=5"]) as day:
        await day.run_until(day.is_over)

    client = day.client
    assert [state for state in client.states(0) + client.states(1) if state != SYNCING] == [LIVE, LIVE]
    assert [client.trades_lost(instrument) for instrument in (0, 1)] == [0, 0]
    if dialect in NUMBERED:
        assert client.venue.counters.repeated == 5


@pytest.mark.parametrize("dialect", [each for each in DIALECTS if each in PROVED or each == "coinbase"])
async def test_reordered_messages_of_books_are_found_and_the_books_come_back(dialect):
    async with bad_day(dialect, ["at=2s reorder count=1"]) as day:
        await day.run_until(lambda: day.is_over(5.0))

    client = day.client
    assert client.venue.counters.gaps >= 1
    assert GAP in client.states(0) + client.states(1)
    assert client.states(0)[-1] == client.states(1)[-1] == LIVE
    assert [client.trades_lost(instrument) for instrument in (0, 1)] == [0, 0]
    assert client.connection.counters.connects == 1
    assert day.exchange.watch.violations == []


@dialects
@pytest.mark.parametrize("by", ["1h", "-1h", "-9000d"])
async def test_jumps_of_the_venues_clock_are_told_and_change_nothing_else(dialect, by):
    by = by if not by.endswith("d") else f"{int(by[:-1]) * 24}h"
    async with bad_day(dialect, [f"at=2s clock-jump by={by} for=2s"]) as day:
        await day.run_until(lambda: day.is_over(4.0))

    client = day.client
    skews_ns = [abs(row[4] - row[5]) for row in client.rows if row[4]]
    assert max(skews_ns) > 3_500_000_000_000, "the tape says what the venue said"
    received_ns = [row[5] for row in client.rows]
    assert received_ns == sorted(received_ns), "our own clock does not follow"
    assert [client.trades_lost(instrument) for instrument in (0, 1)] == [0, 0]
    assert [state for state in client.states(0) if state != SYNCING] == [LIVE]
    assert client.venue.counters.rejected == 0
