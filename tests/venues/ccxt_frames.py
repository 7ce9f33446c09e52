"""Frames of ours for what ccxt tells, and a server that speaks Binance's words to ccxt.pro's own `binance`."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from aiohttp import WSMsgType, web

from streamtrader.exchange.rules import exchange_info, venue_instrument
from streamtrader.venues.ccxt.conversion import BookDiff, TradeSieve, candles_frame, quote_frame, told_frame
from streamtrader.venues.venue import Endpoints

START_MS = 1_700_000_000_000
SYMBOL = "BTC/USDT"
STEPS = (Decimal("0.01"), Decimal("0.00001"))


def trade(identity: str | None = "7", side: str | None = "buy", time_ms: int = START_MS, **more: object) -> dict:
    return {"id": identity, "timestamp": time_ms, "side": side, "price": 100.1, "amount": 0.5, **more}


def book(bids: list, asks: list, **more: object) -> dict:
    return {"symbol": SYMBOL, "bids": bids, "asks": asks, "timestamp": START_MS, "nonce": 7, **more}


def ticker(**more: object) -> dict:
    return {"bid": 100.0, "bidVolume": 1.0, "ask": 100.1, "askVolume": 2.0, "timestamp": START_MS, **more}


def candle(minute: int, close: float = 1.5) -> list:
    return [START_MS + 60_000 * minute, 1.0, 2.0, 0.5, close, 10.0]


def seed_frames() -> list[bytes]:
    """A book that becomes LIVE and changes, and one of everything else."""
    diff, sieve = BookDiff(SYMBOL), TradeSieve(SYMBOL)
    return [
        diff.frame(book([[100.0, 1.0], [99.5, 2.0]], [[100.1, 1.0]])),
        diff.frame(book([[100.0, 3.0]], [[100.1, 1.0], [100.2, 4.0]])),
        sieve.frame([trade(), trade("8", "sell")]),
        quote_frame(SYMBOL, ticker()),
        candles_frame(SYMBOL, [candle(0), candle(1)]),
        told_frame(SYMBOL, "trade", "LinkLost: NetworkError"),
    ]


class Market:
    """Two symbols, all streams busy; `freeze` makes one stream say nothing more to those who have it now."""

    def __init__(self) -> None:
        self.subscribed: Counter[str] = Counter()
        self.connections = 0
        self.updates = Counter[str]()
        self._frozen: dict[str, asyncio.Event] = {}
        self._sockets: dict[web.WebSocketResponse, None] = {}
        self.endpoints = Endpoints("", "")
        self.refusals: list[web.Response] = []

    def freeze(self, stream: str) -> None:
        self._frozen[stream].set()

    async def drop_all(self) -> None:
        for socket in list(self._sockets):
            await socket.close(code=1012)

    async def rules(self, request: web.Request) -> web.Response:
        if self.refusals:
            return self.refusals.pop(0)
        instruments = [venue_instrument(symbol, "spot", 2, 5) for symbol in ("BTCUSDT", "ETHUSDT")]
        return web.json_response(exchange_info(instruments, "spot", START_MS))

    async def depth(self, request: web.Request) -> web.Response:
        update = self.updates[request.query["symbol"].lower() + "@depth@100ms"]
        return web.json_response({"lastUpdateId": update, "bids": [["99.00", "1.0"]], "asks": [["101.00", "1.0"]]})

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=1.0)
        await socket.prepare(request)
        self.connections += 1
        self._sockets[socket] = None
        async with asyncio.TaskGroup() as group:
            tasks = []
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    order = json.loads(message.data)
                    await socket.send_json({"result": None, "id": order["id"]})
                    tasks += [group.create_task(self._say(socket, stream)) for stream in order["params"]]
            for task in tasks:
                task.cancel()
        del self._sockets[socket]
        return socket

    async def _say(self, socket: web.WebSocketResponse, stream: str) -> None:
        self.subscribed[stream] += 1
        frozen = self._frozen[stream] = asyncio.Event()  # whoever subscribes later has one of its own
        symbol = stream.partition("@")[0]
        with contextlib.suppress(ConnectionError):
            while not frozen.is_set():
                await socket.send_json(self._message(symbol, stream))
                await asyncio.sleep(0.02)

    def _message(self, symbol: str, stream: str) -> dict:
        self.updates[stream] += 1
        number, name = self.updates[stream], symbol.upper()
        if "@depth" in stream:
            price = f"{99 - number % 50 / 100:.2f}"
            return {
                "e": "depthUpdate",
                "E": START_MS,
                "s": name,
                "U": number,
                "u": number,
                "b": [[price, "1.5"]],
                "a": [],
            }
        if "@trade" in stream:
            return {"e": "trade", "E": START_MS, "T": START_MS + number, "s": name, "t": number, "p": "100.10",
                    "q": "0.5", "m": True, "M": True}  # fmt: skip
        if "@kline" in stream:
            start = START_MS // 60_000 * 60_000 + 60_000 * (number // 4)
            candle = {"t": start, "T": start + 59_999, "s": name, "i": stream.rpartition("_")[2], "o": "100.00", "h": "101.00",
                      "l": "99.00", "c": "100.50", "v": str(number), "x": False}  # fmt: skip
            return {"e": "kline", "E": START_MS, "s": name, "k": candle}
        return {"u": number, "s": name, "b": "99.00", "B": "1.0", "a": "101.00", "A": "2.0"}


@asynccontextmanager
async def serving() -> AsyncIterator[Market]:
    market = Market()
    application = web.Application()
    application.add_routes(
        [
            web.get("/api/v3/exchangeInfo", market.rules),
            web.get("/api/v3/depth", market.depth),
            web.get("/ws/{number}", market.stream),
        ]
    )
    runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"127.0.0.1:{runner.addresses[0][1]}"
        market.endpoints = Endpoints(f"ws://{address}", f"http://{address}")
        yield market
    finally:
        await runner.cleanup()
