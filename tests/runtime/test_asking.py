"""The venue's rules are asked for: whole, however they come, and never more than is taken."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from streamtrader.errors import BadMessage
from streamtrader.runtime import setup
from streamtrader.runtime.setup import ask_for_instruments
from streamtrader.venues.registry import listing_of
from streamtrader.venues.venue import Endpoints
from tests.venues.test_markets import exchange_info

BODY = exchange_info()


async def asked():
    """By an exchange that sends its answer in two parts, the second one later."""

    async def tell(request):
        answer = web.StreamResponse()
        await answer.prepare(request)
        for part in (BODY[:100], BODY[100:]):
            await answer.write(part)
            await asyncio.sleep(0.05)
        return answer

    application = web.Application()
    application.add_routes([web.get("/api/v3/exchangeInfo", tell)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        endpoints = (Endpoints(f"ws://{host}:{port}", f"http://{host}:{port}"),)
        return await ask_for_instruments(endpoints, listing_of("binance"), "spot", ("BTCUSDT",))
    finally:
        await runner.cleanup()


async def test_an_answer_that_comes_in_parts_is_read_to_its_end():
    (instrument,) = await asked()

    assert instrument.symbol == "BTCUSDT"


async def test_an_answer_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(setup, "BODY_BYTES_MOST", 150)

    with pytest.raises(BadMessage, match="more than 150 bytes"):
        await asked()
