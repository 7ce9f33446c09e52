"""A conversation with a dialect through the `websockets` library: nothing of ours reads what comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import websockets

from streamtrader.exchange.dialects import opened_dialect
from streamtrader.exchange.dialects.audience import TranslatedAudience
from streamtrader.exchange.pump import Pump
from streamtrader.exchange.server import Exchange
from streamtrader.exchange.synthetic import SyntheticMarket


@dataclass
class Talk:
    """One websocket, and requests beside it. Numbers stay the venue's own texts."""

    socket: Any
    port: int
    exchange: Exchange

    async def say(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def hear(self) -> Any:
        async with asyncio.timeout(5.0):
            return json.loads(await self.socket.recv(), parse_float=str)

    async def hear_until(self, found: Any, count: int = 1) -> list[Any]:
        """All messages until `count` of them are as wanted."""
        heard: list[Any] = []
        while sum(map(bool, map(found, heard))) < count:
            heard.append(await self.hear())
        return heard

    async def get(self, path: str) -> tuple[int, Any]:
        url = f"http://127.0.0.1:{self.port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def talking(
    dialect: str, names: Sequence[str], path: str, *, is_stamped: bool = False, speed: float | None = None
) -> AsyncIterator[Talk]:
    plain = {name.replace("/", "").replace("-", ""): name for name in names}
    market = SyntheticMarket(list(plain), seed=11)
    translator = opened_dialect(dialect, market, plain)
    assert translator is not None
    audience = TranslatedAudience(translator)
    pump = Pump(market, audience, speed=speed)
    exchange = Exchange(pump, audience, speed="max", is_stamped=is_stamped)
    async with exchange.listening("127.0.0.1", 0) as port, asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(pump.run())
        url = f"ws://127.0.0.1:{port}{path}"
        async with websockets.connect(url, compression=None, max_size=None, close_timeout=0.05) as socket:
            yield Talk(socket, port, exchange)
        playing.cancel()
