"""The server: the venue's public REST paths and its streams on one loopback port.

Spot markets answer under `/api/v3`, USD-M markets under `/fapi/v1`, each the other's paths with 404, as the venue
does. A snapshot is answered without ending the request: the handler stays until the client has closed the
connection, because the client closes it only after it has applied the snapshot, and until then the market waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from streamtrader.exchange.audience import Audience
from streamtrader.exchange.pump import WAIT_S, Pump
from streamtrader.exchange.rules import (
    BAD_DEPTH_LIMIT,
    ILLEGAL_CHARACTERS,
    INVALID_SYMBOL,
    MANDATORY,
    TOO_MANY,
    error_body,
    exchange_info,
)
from streamtrader.exchange.streams import PING_EVERY_S, StreamServer
from streamtrader.instruments import Instrument
from streamtrader.units import NS_PER_MS

_SPOT_LIMIT, _SPOT_LARGEST_LIMIT = 100, 5000
_USDM_LIMIT, _USDM_LIMITS = 500, (5, 10, 20, 50, 100, 500, 1000)


class Exchange:
    """REST and streams of one market."""

    def __init__(self, pump: Pump, audience: Audience, *, speed: str, ping_every_s: float = PING_EVERY_S) -> None:
        self._pump = pump
        self._market = pump.market
        self._speed = speed
        self._streams = StreamServer(pump, audience, ping_every_s=ping_every_s)

    def application(self) -> web.Application:
        application = web.Application()
        prefix = "/api/v3" if self._market.kind == "spot" else "/fapi/v1"
        application.add_routes(
            [
                web.get(f"{prefix}/ping", self._ping),
                web.get(f"{prefix}/time", self._time),
                web.get(f"{prefix}/exchangeInfo", self._exchange_info),
                web.get(f"{prefix}/depth", self._depth),
                web.get("/embedded/market", self._describe),
                web.get("/stream", self._streams.serve),
                web.get("/ws", self._streams.serve),
                web.get("/ws/{streams:.+}", self._streams.serve),
            ]
        )
        return application

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[int]:
        """Listen and yield the port that was given out."""
        # A handler is cancelled when its client goes: that is how a snapshot learns that it was taken.
        runner = web.AppRunner(self.application(), handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, backlog=1024).start()
            yield int(runner.addresses[0][1])
        finally:
            await runner.cleanup()

    async def _ping(self, request: web.Request) -> web.Response:
        return _json({})

    async def _time(self, request: web.Request) -> web.Response:
        return _json({"serverTime": self._server_ms()})

    def _server_ms(self) -> int:
        """The market's own clock: a session in 2024 has the time of 2024."""
        return self._pump.position_ns // NS_PER_MS

    async def _exchange_info(self, request: web.Request) -> web.Response:
        chosen = self._chosen(request.query)
        if isinstance(chosen, web.Response):
            return chosen
        return _json(exchange_info(chosen, self._market.kind, self._server_ms()))

    def _chosen(self, query: Any) -> list[Instrument] | web.Response:
        """The instruments that the query names, or the venue's refusal."""
        instruments = self._market.instruments
        if "symbol" in query and "symbols" in query:
            return _refusal(TOO_MANY, "Combination of optional parameters invalid.")
        if "symbol" not in query and "symbols" not in query:
            return list(instruments.values())
        try:
            names = [query["symbol"]] if "symbol" in query else orjson.loads(query["symbols"])
        except orjson.JSONDecodeError:
            names = None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return _refusal(ILLEGAL_CHARACTERS, "Illegal characters found in parameter 'symbols'.")
        if any(name not in instruments for name in names):
            return _refusal(INVALID_SYMBOL, "Invalid symbol.")
        return [instruments[name] for name in names]

    async def _depth(self, request: web.Request) -> web.StreamResponse:
        symbol = request.query.get("symbol", "")
        if not symbol:
            text = "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
            return _refusal(MANDATORY, text)
        if symbol not in self._market.instruments:
            return _refusal(INVALID_SYMBOL, "Invalid symbol.")
        limit = self._depth_limit(request.query.get("limit"))
        if isinstance(limit, web.Response):
            return limit
        async with self._pump.snapshot(symbol, limit) as snapshot:
            response = web.StreamResponse(headers={"X-Market-Ns": str(snapshot.stamp_ns)})
            response.content_type = "application/json"
            response.content_length = len(snapshot.body)
            await response.prepare(request)
            await response.write(snapshot.body)
            await response.write_eof()
            await asyncio.sleep(WAIT_S)  # cancelled when the client closes
        return response

    def _depth_limit(self, text: str | None) -> int | web.Response:
        is_spot = self._market.kind == "spot"
        if text is None:
            return _SPOT_LIMIT if is_spot else _USDM_LIMIT
        if not (text.isascii() and text.isdigit() and len(text) <= 20):
            legal = "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'."
            return _refusal(ILLEGAL_CHARACTERS, legal)
        limit = int(text)
        if not is_spot and limit not in _USDM_LIMITS:
            return _refusal(BAD_DEPTH_LIMIT, f"{limit} is not valid depth limit.")
        return min(limit or _SPOT_LIMIT, _SPOT_LARGEST_LIMIT)

    async def _describe(self, request: web.Request) -> web.Response:
        """What this market is and how far it is; ours, not the venue's."""
        market, pump = self._market, self._pump
        return _json(
            {
                "market": market.name,
                "kind": market.kind,
                "symbols": list(market.instruments),
                "seed": market.seed,
                "speed": self._speed,
                "frames_total": market.frames_total,
                "frames_sent": pump.frames_sent,
                "position_ns": pump.position_ns,
                "is_ended": pump.is_ended,
                "skipped_lines": market.skipped_lines,
            }
        )


def _json(document: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")


def _refusal(code: int, message: str) -> web.Response:
    return _json(error_body(code, message), status=400)
