"""Three questions that a service manager asks, and the page that answers them together with the metrics.

`live` is about this process alone (loop and writer): a venue that is down must not get the engine restarted with
orders open. `ready` is about the venue too, `startup` about getting there. The server answers on loopback and to
known host names only, so that no page in a browser can read it through a name of its own.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_async.aio import time as measured
from prometheus_client import CollectorRegistry, Summary
from prometheus_client.exposition import choose_encoder

from streamtrader.errors import ConfigError
from streamtrader.observers.metrics import registry_for
from streamtrader.observers.snapshot import TakeSnapshot

LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The runtime's answers: what is not well, by question; an empty list is a yes. `details` goes to `/healthz`."""

    not_started: tuple[str, ...] = ()
    not_live: tuple[str, ...] = ()
    not_ready: tuple[str, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)


AskHealth = Callable[[], Health]
REASONS: dict[str, Callable[[Health], tuple[str, ...]]] = {
    "startup": lambda health: health.not_started,
    "live": lambda health: health.not_live,
    "ready": lambda health: (*health.not_started, *health.not_live, *health.not_ready),
}


def monitor(take: TakeSnapshot, ask: AskHealth, host: str = "127.0.0.1") -> tuple[web.Application, asyncio.Event]:
    """The application, and an event that is set whenever somebody has scraped."""
    registry = registry_for(take)
    scrape_time = Summary("streamtrader_scrape_seconds", "How long a scrape takes.", registry=registry)
    scraped = asyncio.Event()

    @measured(scrape_time)  # type: ignore[untyped-decorator, unused-ignore]
    async def metrics(request: web.Request) -> web.Response:
        body, kind = _exposed(registry, request)
        scraped.set()
        return web.Response(body=body, headers={"Content-Type": kind, **HEADERS})

    async def overview(_request: web.Request) -> web.Response:
        health = ask()
        reasons = {question: list(reasons_of(health)) for question, reasons_of in REASONS.items()}
        return _answer(not any(reasons.values()), {"not": reasons, "details": dict(health.details)})

    async def question(request: web.Request) -> web.Response:
        reasons = REASONS[request.match_info["question"]](ask())
        return _answer(not reasons, {"reasons": list(reasons)})

    application = web.Application(middlewares=[_only_for({*LOCAL_NAMES, host})], client_max_size=1_024)
    application.router.add_get("/metrics", metrics)
    application.router.add_get("/healthz", overview)
    application.router.add_get("/healthz/{question:startup|live|ready}", question)
    return application, scraped


class MonitorServer:
    """`/metrics` and `/healthz`, served while the context lasts.

    A port that is taken is an error when somebody chose it; the default one is done without, and one line says so.
    """

    def __init__(
        self,
        take: TakeSnapshot,
        ask: AskHealth,
        *,
        host: str = "127.0.0.1",
        port: int = 9464,
        is_chosen: bool = False,
    ) -> None:
        self.port: int | None = None
        self._host, self._wanted, self._is_chosen = host, port, is_chosen
        application, self._scraped = monitor(take, ask, host)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)

    @property
    def url(self) -> str:
        """Where the metrics are, empty when they are done without."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}/metrics" if self.port else ""

    async def linger(self, limit_s: float) -> None:
        """After a short run: wait for one more scrape, or until the time is over."""
        if self.port is None or limit_s <= 0:
            return
        self._scraped.clear()
        try:
            async with asyncio.timeout(limit_s):
                await self._scraped.wait()
        except TimeoutError:
            structlog.get_logger().info("nobody scraped the end of this run", waited_s=limit_s)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        try:
            site = web.TCPSite(self._runner, self._host, self._wanted)
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            self._done_without(error)
        else:
            self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def _done_without(self, error: OSError) -> None:
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror or error}"
        what = f"port {self._wanted} on {self._host} {reason}"
        remedy = "--set metrics.port=0 takes a free one, --set metrics.is_enabled=false does without"
        if self._is_chosen:
            raise ConfigError(f"metrics: {what}; {remedy}", host=self._host, port=self._wanted)
        structlog.get_logger().warning(f"running without /metrics and /healthz: {what}", remedy=remedy)


def _only_for(names: Iterable[str]) -> Middleware:
    allowed = frozenset(name.lower() for name in names)

    @web.middleware
    async def check_host(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _host_name(request.headers.get("Host", "")) not in allowed:
            return _answer(False, {"reasons": ["this host name is not served here"]}, status=403)
        return await handler(request)

    return check_host


def _host_name(header: str) -> str:
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


def _answer(is_well: bool, body: Mapping[str, object], status: int = 503) -> web.Response:
    return web.json_response({"ok": is_well, **body}, status=200 if is_well else status, headers=HEADERS)


def _exposed(registry: CollectorRegistry, request: web.Request) -> tuple[bytes, str]:
    encode, kind = choose_encoder(request.headers.get("Accept", ""))
    return encode(registry), kind
