"""Faults of handshakes and REST requests: statuses with and without Retry-After, pages, bombs, many drops."""

from __future__ import annotations

import asyncio
import dataclasses
import os

import pytest

from streamtrader.events import BookState
from tests.exchange.faulty import QUICK, bad_day

LIVE, SYNCING = BookState.LIVE, BookState.SYNCING
DROPS = int(os.environ.get("STREAMTRADER_DROPS", "250"))  # beyond every limit of a window; `nox -s faults`: a thousand
# Of the venue's own time: limits and back-off are scaled by the same. `nox -s faults` takes a slower clock.
FASTER = float(os.environ.get("STREAMTRADER_FASTER", "15000"))
LIMIT_S = 60.0 * max(1.0, 15_000.0 / FASTER)


@pytest.mark.timeout(2 * LIMIT_S + 60)
@pytest.mark.parametrize("dialect", ["binance", "kraken", "coinbase", "alpaca"])
@pytest.mark.slow
async def test_dropped_links_keep_to_the_limits_and_end_in_live_books(dialect):
    settings = dataclasses.replace(QUICK, backoff_base_s=0.25 / FASTER, backoff_cap_s=60.0 / FASTER)
    async with bad_day(dialect, [f"at=1s accept-drop count={DROPS}"], settings=settings, faster=FASTER) as day:
        await day.run_until(lambda: day.is_over() and day.exchange.watch.attempts > DROPS, limit_s=LIMIT_S)

    watch, client = day.exchange.watch, day.client
    assert watch.violations == []
    assert watch.attempts == DROPS + 2
    assert watch.as_dict()["connection_attempts_most"] <= max(1, watch.published.connections // 2)
    assert client.states(0)[-1] == client.states(1)[-1] == LIVE
    assert len(client.trade_ids(0)) > 50


@pytest.mark.parametrize(
    "fault",
    [
        "rest-refuse status=429 retry-after=0s count=2",
        "rest-refuse status=418 retry-after=0s count=2",
        "rest-refuse status=503 count=2",
        "rest-refuse status=200 count=2",
        "rest-bomb count=1",
    ],
)
async def test_a_snapshot_that_is_refused_or_no_snapshot_is_asked_for_again(fault):
    """The link is reset with it, so that snapshots are wanted."""
    async with bad_day("binance", [f"at=2s {fault}", "at=2s reset-mid-frame"]) as day:
        await day.run_until(day.is_over)

    client = day.client
    assert client.states(0)[-1] == client.states(1)[-1] == LIVE
    assert client.connection.counters.snapshots_failed + client.venue.counters.snapshots_failed >= 1
    assert day.exchange.watch.violations == []


@pytest.mark.parametrize("status", [429, 418])
async def test_a_handshake_is_not_tried_again_before_the_time_that_the_venue_asked_for(status):
    async with bad_day("kraken", [f"at=1s refuse status={status} retry-after=1s"]) as day:
        loop = asyncio.get_running_loop()
        struck_s: list[float] = []

        def is_back() -> bool:
            if day.saboteur.done and not struck_s:
                struck_s.append(loop.time())
            return day.is_over() and day.exchange.watch.attempts == 3

        await day.run_until(is_back)
        waited_s = loop.time() - struck_s[0]

    assert waited_s >= 1.0
    assert day.client.states(0)[-1] == LIVE


async def test_what_was_done_and_how_the_limits_were_kept_can_be_asked():
    async with bad_day("coinbase", ["at=1s reset-mid-frame", "at=2s html"]) as day:
        await day.run_until(day.is_over)
        described = await day.described()

    assert ["reset-mid-frame", "html"] == [fault["kind"] for fault in described["faults"]]
    assert described["dialect"] == "coinbase"
    assert described["limits"]["violations"] == []
    assert described["limits"]["connection_attempts"] == 2
