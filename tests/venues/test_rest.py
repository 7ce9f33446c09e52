"""The REST client over real sockets: patient, paced, and gone elsewhere where it is not wanted."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace

import aiohttp
import pytest

from streamtrader.errors import LinkLost, VenueError
from streamtrader.venues.history import Request
from streamtrader.venues.rest import RestClient
from tests.venues.past import FAST, QUICK, Past, past_trades, serving_past
from tests.venues.servers import mute

TRADES = past_trades(20)
RULES = Request("/products/BTC-USD", 1.0)


async def asked(*urls, settings=QUICK, limits=FAST, times=1):
    async with aiohttp.ClientSession() as session:
        client = RestClient(session, "x", urls, limits, settings=settings)
        answers = [await client.get(RULES, lambda answer: answer) for _ in range(times)]
    return client, answers[-1]


@pytest.mark.parametrize("status", ["451", "403"])
async def test_an_address_that_refuses_us_is_left_for_the_next_one(status):
    async with serving_past(Past(TRADES, faults=deque([status]))) as first, serving_past(Past(TRADES)) as second:
        client, answer = await asked(first.url, second.url, times=3)

    assert (len(first.paths), len(second.paths)) == (1, 3)
    assert answer.body.startswith(b'{"id": "BTC-USD"')
    assert answer.now_ns == second.now_s * 10**9
    assert len(client.failures) == 1


async def test_where_no_address_serves_us_the_first_reason_is_told():
    async with (
        serving_past(Past(TRADES, faults=deque(["451"]))) as first,
        serving_past(Past(TRADES, faults=deque(["403"]))) as second,
    ):
        with pytest.raises(VenueError, match="does not serve this country"):
            await asked(first.url, second.url)


async def test_an_answer_without_end_and_one_that_never_comes_are_given_up():
    async with serving_past(Past(TRADES)) as past:
        with pytest.raises(LinkLost, match="more than 10 bytes"):
            await asked(past.url, settings=replace(QUICK, body_bytes_most=10))
    with pytest.raises(LinkLost, match="in 4 tries"):
        await asked("http://127.0.0.1:1")
    async with mute() as address:
        with pytest.raises(LinkLost, match="TimeoutError"):
            await asked(f"http://{address}", settings=replace(QUICK, timeout_s=0.05, tries=2))


async def test_the_weight_of_a_minute_is_never_exceeded():
    """However slow this machine is: three requests, and no fourth in the time that the three took and more."""
    limits, third = replace(FAST, weight_per_minute=3.0), asyncio.Event()
    async with serving_past(Past(TRADES)) as past, asyncio.TaskGroup() as tasks:
        past.on_request = lambda count: third.set() if count == 3 else None
        asking = tasks.create_task(asked(past.url, limits=limits, times=5))
        await third.wait()
        await asyncio.sleep(0.2)
        assert not asking.done()
        asking.cancel()

    assert len(past.paths) == 3


async def test_each_request_is_told_before_it_is_sent_and_may_be_refused():
    def refuse(weight):
        raise VenueError(f"no more than {weight}")

    async with serving_past(Past(TRADES)) as past, aiohttp.ClientSession() as session:
        client = RestClient(session, "x", [past.url], FAST, settings=QUICK)
        client.on_spend = refuse
        with pytest.raises(VenueError, match=r"no more than 1\.0"):
            await client.get(RULES, lambda answer: answer)

    assert past.paths == []
