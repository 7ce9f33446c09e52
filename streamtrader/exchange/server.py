"""The server: a venue's public REST paths and its streams on one loopback port, in Binance's words or a dialect's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from streamtrader.exchange.audience import Audience
from streamtrader.exchange.binance_rest import BinanceRest, json_answer
from streamtrader.exchange.dialects.audience import TranslatedAudience
from streamtrader.exchange.limits import BINANCE, LimitWatch, Published
from streamtrader.exchange.pump import Pump
from streamtrader.exchange.routes import stream_paths
from streamtrader.exchange.saboteur import bomb, refusal
from streamtrader.exchange.streams import PING_EVERY_S, StreamServer
from streamtrader.units import NS_PER_MS

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Exchange:
    """REST and streams of one market; the dialect is that of the audience.

    `published` replaces the venue's limits, for tests that cannot wait; `is_stamped` stamps what every client gets.
    """

    def __init__(
        self,
        pump: Pump,
        audience: Audience,
        *,
        speed: str,
        ping_every_s: float | None = None,
        published: Published | None = None,
        is_stamped: bool = False,
    ) -> None:
        self._pump = pump
        self._market = pump.market
        self._speed = speed
        self._saboteur = audience.saboteur
        self._translator = audience.translator if isinstance(audience, TranslatedAudience) else None
        if self._translator is None:
            self._saboteur.shutdown_words = lambda listener: [b'{"e":"serverShutdown","E":%d}' % self._server_ms()]
            self._saboteur.first_symbol = next(iter(self._market.instruments), "")
        known = BINANCE if self._translator is None else self._translator.published
        self.watch = LimitWatch(published or known)
        every_s = PING_EVERY_S if self._translator is None else self._translator.ping_every_s
        self._streams = StreamServer(
            pump, audience, self.watch, ping_every_s=ping_every_s or every_s, is_stamped=is_stamped
        )

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._fault_of_request])
        application.add_routes([web.get("/embedded/market", self._describe)])
        if self._translator is None:
            application.add_routes(BinanceRest(self._pump, self._saboteur).routes())
            streams = stream_paths(self._market.kind)
        else:
            application.add_routes([web.get(path, self._translated) for path in self._translator.rest_paths()])
            streams = self._translator.stream_paths
        application.add_routes([web.get(path, self._streams.serve) for path in streams])
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

    @web.middleware
    async def _fault_of_request(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        is_of_venue = "Upgrade" not in request.headers and not request.path.startswith("/embedded/")
        fault = self._saboteur.request() if is_of_venue else None
        if fault is None:
            return await handler(request)
        return refusal(fault) if fault.status else bomb()

    async def _translated(self, request: web.Request) -> web.Response:
        assert self._translator is not None
        query = {name: request.query.getall(name) for name in request.query}
        answer = self._translator.rest(request.path, query, request.headers)
        return json_answer(answer.document, answer.status)

    def _server_ms(self) -> int:
        return self._pump.position_ns // NS_PER_MS

    async def _describe(self, request: web.Request) -> web.Response:
        """What this market is and how far it is; ours, not the venue's."""
        market, pump, translator = self._market, self._pump, self._translator
        return json_answer(
            {
                "market": market.name,
                "dialect": "binance" if translator is None else translator.name,
                "kind": market.kind,
                "symbols": list(market.instruments if translator is None else translator.named),
                "seed": market.seed,
                "speed": self._speed,
                "frames_total": market.frames_total,
                "frames_sent": pump.frames_sent,
                "position_ns": pump.position_ns,
                "is_ended": pump.is_ended,
                "skipped_lines": market.skipped_lines,
                "limits": self.watch.as_dict(),
                "faults": self._saboteur.done,
            }
        )
