"""Binance's public REST paths: spot under `/api/v3`, USD-M under `/fapi/v1`, the other's paths with 404, as there.

A snapshot is answered without ending the request: the handler stays until the client has closed the connection,
because the client closes it only after it has applied the snapshot, and until then the market waits.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import orjson
from aiohttp import web

from streamtrader.exchange.past import Past
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
from streamtrader.exchange.saboteur import Saboteur
from streamtrader.instruments import Instrument
from streamtrader.units import NS_PER_MS

_SPOT_LIMIT, _SPOT_LARGEST_LIMIT = 100, 5000
_USDM_LIMIT, _USDM_LIMITS = 500, (5, 10, 20, 50, 100, 500, 1000)
_LAST_ID = re.compile(rb'("lastUpdateId":)(\d+)')
_OLDER = 1_000_000  # update ids that an old snapshot lies back


class BinanceRest:
    """Requests about one market."""

    def __init__(self, pump: Pump, saboteur: Saboteur) -> None:
        self._pump = pump
        self._market = pump.market
        self._saboteur = saboteur

    def routes(self) -> list[web.RouteDef]:
        prefix = "/api/v3" if self._market.kind == "spot" else "/fapi/v1"
        return [
            web.get(f"{prefix}/ping", self._ping),
            web.get(f"{prefix}/time", self._time),
            web.get(f"{prefix}/exchangeInfo", self._exchange_info),
            web.get(f"{prefix}/depth", self._depth),
            web.get(f"{prefix}/klines", Past(self._market).serve),
        ]

    async def _ping(self, request: web.Request) -> web.Response:
        return json_answer({})

    async def _time(self, request: web.Request) -> web.Response:
        return json_answer({"serverTime": self._server_ms()})

    def _server_ms(self) -> int:
        """The market's own clock: a session in 2024 has the time of 2024."""
        return self._pump.position_ns // NS_PER_MS

    async def _exchange_info(self, request: web.Request) -> web.Response:
        chosen = self._chosen(request.query)
        if isinstance(chosen, web.Response):
            return chosen
        return json_answer(exchange_info(chosen, self._market.kind, self._server_ms()))

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
            body = self._aged(snapshot.body)
            response = web.StreamResponse(headers={"X-Market-Ns": str(snapshot.stamp_ns)})
            response.content_type = "application/json"
            response.content_length = len(body)
            await response.prepare(request)
            await response.write(body)
            await response.write_eof()
            await asyncio.sleep(WAIT_S)  # cancelled when the client closes
        return response

    def _aged(self, body: bytes) -> bytes:
        """The snapshot, or one from before anything that a client can have heard."""
        if not self._saboteur.has_old_snapshot():
            return body
        return _LAST_ID.sub(lambda found: found[1] + b"%d" % max(int(found[2]) - _OLDER, 1), body, count=1)

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


def json_answer(document: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")


def _refusal(code: int, message: str) -> web.Response:
    return json_answer(error_body(code, message), status=400)
