"""A venue that may not serve a country: another address at once, and a clear end when there is none left."""

from __future__ import annotations

import pytest
from aiohttp import web

from streamtrader.errors import VenueRestricted
from streamtrader.events import Kind
from streamtrader.venues.addresses import RESTRICTED, Addresses
from streamtrader.venues.binance import Binance
from streamtrader.venues.connection import Connection
from streamtrader.venues.venue import Endpoints
from tests.venues import frames
from tests.venues.servers import QUICK, Client, end_market, serving, three_trades


async def restricted(request):
    return web.Response(status=451, body=b'{"code":0,"msg":"Service unavailable from a restricted location"}')


def client_of(*servers):
    """A client that knows several addresses."""
    client = Client(servers[0].url)
    endpoints = [Endpoints(f"ws://{server.url}", f"http://{server.url}") for server in servers]
    client.venue = Binance([frames.instrument()], scanner=frames.compiled_scanner(), endpoints=endpoints)
    client.connection = Connection(client.venue, client.ring, client.play, settings=QUICK)
    return client


def addresses_of(count):
    return Addresses("binance", [Endpoints(f"wss://{number}", f"https://{number}") for number in range(count)])


def test_a_refusal_moves_on_at_once_until_every_address_has_refused():
    addresses = addresses_of(2)

    assert addresses.fail(RESTRICTED) is True
    assert addresses.current.stream == "wss://1"
    assert not addresses.is_restricted
    assert addresses.fail(RESTRICTED) is False
    assert addresses.is_restricted


def test_other_failures_go_round_with_patience_and_prove_nothing():
    addresses = addresses_of(2)

    assert [addresses.fail(403), addresses.fail(), addresses.fail(RESTRICTED)] == [False, False, True]
    assert not addresses.is_restricted


def test_an_address_that_serves_makes_all_refusals_old_news():
    addresses = addresses_of(2)
    addresses.fail(RESTRICTED)
    addresses.serves()

    assert addresses.fail(RESTRICTED) is True
    assert not addresses.is_restricted


async def test_the_next_address_is_taken_when_one_refuses_this_country():
    async with serving(three_trades, refusal=restricted) as refusing, serving(three_trades) as serving_one:
        client = client_of(refusing, serving_one)
        await client.run()

    assert client.ids(Kind.TRADE) == [1, 2, 3]
    assert (refusing.open_count, serving_one.open_count) == (1, 1)


async def test_when_every_address_refuses_the_end_says_so_and_what_to_do():
    async with serving(three_trades, refusal=restricted) as one, serving(three_trades, refusal=restricted) as other:
        client = client_of(one, other)
        with pytest.raises(VenueRestricted, match=r"binance does not serve this country.*--venue") as raised:
            await client.run()

    assert raised.value.details["addresses"] == [f"ws://{one.url}", f"ws://{other.url}"]
    assert (one.open_count, other.open_count) == (1, 1)


async def test_a_venue_that_served_before_is_waited_for():
    async def refuse_twice(request):
        if server.open_count == 3:
            server._refusal = None
        return await restricted(request)

    async def script(websocket, request):
        if server.open_count == 1:
            server._refusal = refuse_twice
        else:
            await end_market(websocket)

    states = []
    async with serving(script) as server:
        client = client_of(server)
        await client.run_until(lambda: states.append(client.connection.counters.state) or states[-1] == "ended")

    assert "restricted" in states
    assert (client.connection.counters.connects, client.connection.counters.connect_failures) == (2, 2)
