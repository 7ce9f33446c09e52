"""A venue's server as a test wants it: what it says on each websocket, and what it answers for each snapshot."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from streamtrader.kernel.ring import Ring
from streamtrader.venues.binance import Binance
from streamtrader.venues.connection import Connection
from streamtrader.venues.settings import ConnectionSettings
from streamtrader.venues.venue import Endpoints, Limits
from tests.venues import frames

QUICK = ConnectionSettings(
    connect_timeout_s=1.0,
    rest_timeout_s=1.0,
    backoff_base_s=0.01,
    backoff_cap_s=0.05,
    watch_s=0.005,
    steady_s=0.5,
    overlap_s=0.05,
    hold_s=0.5,
)
Script = Callable[[web.WebSocketResponse, web.Request], Awaitable[None]]
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def snapshot_of_ten(request: web.Request) -> web.StreamResponse:
    return web.Response(body=frames.snapshot(10), content_type="application/json", headers={"X-Market-Ns": "1000"})


class VenueServer:
    """Plays `script` on every websocket; `open_count` of them so far, `snapshot_paths` asked for."""

    def __init__(self, script: Script, answer: Answer, refusal: Answer | None) -> None:
        self._script = script
        self._answer = answer
        self._refusal = refusal
        self.open_count = 0
        self.snapshot_paths: list[str] = []
        self.received: list[object] = []
        self.url = ""

    async def stream(self, request: web.Request) -> web.StreamResponse:
        self.open_count += 1
        if self._refusal is not None:
            return await self._refusal(request)
        websocket = web.WebSocketResponse(autoping=False, max_msg_size=1 << 22, timeout=1.0)
        await websocket.prepare(request)
        with contextlib.suppress(ConnectionError):
            await self._script(websocket, request)
        return websocket

    async def depth(self, request: web.Request) -> web.StreamResponse:
        self.snapshot_paths.append(request.path_qs)
        return await self._answer(request)


@asynccontextmanager
async def mute() -> AsyncIterator[str]:
    """The address of somebody who takes connections and says nothing."""
    taken = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(over := asyncio.Event())
        await reader.read()
        writer.close()
        await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for over in taken:  # what a loop leaves open would be told as the failure of some later test
            await over.wait()


@asynccontextmanager
async def serving(
    script: Script, answer: Answer = snapshot_of_ten, refusal: Answer | None = None
) -> AsyncIterator[VenueServer]:
    server = VenueServer(script, answer, refusal)
    application = web.Application()
    application.add_routes([web.get("/stream", server.stream), web.get("/api/v3/depth", server.depth)])
    runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()


async def end_market(websocket: web.WebSocketResponse) -> None:
    await websocket.close(code=1000, message=b"market ended")


async def stay(websocket: web.WebSocketResponse) -> None:
    """Read until the client goes."""
    async for _ in websocket:
        pass


def reset(request: web.Request) -> None:
    """End the TCP connection without a farewell."""
    assert request.transport is not None
    sock = request.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()


class Client:
    """An adapter, its ring, its connection, and an engine that plays at once unless it is held."""

    def __init__(
        self,
        server_url: str,
        *,
        slots: int = 1 << 14,
        settings: ConnectionSettings = QUICK,
        limits: Limits | None = None,
        is_stamped: bool = False,
        **options: object,
    ) -> None:
        self.ring = Ring(slots)
        self.venue = Binance(
            [frames.instrument()],
            scanner=frames.compiled_scanner(),
            endpoints=[Endpoints(f"ws://{server_url}", f"http://{server_url}")],
            limits=limits,
            is_stamped=is_stamped,
        )
        self.is_held = False
        self.turns: list[int] = []
        self.kept: list[object] = []
        self.connection = Connection(self.venue, self.ring, self.play, settings=settings, **options)  # type: ignore[arg-type]

    def play(self) -> None:
        if not self.is_held:
            self.turns.append(self.ring.written)
            for events in self.ring.slices(self.ring.played, self.ring.written):
                self.kept += [
                    tuple(event[name].item() for name in ("kind", "a", "id", "received_ns")) for event in events
                ]
            self.ring.played = self.ring.taped = self.ring.written

    def go_on(self) -> None:
        """Be held no longer, and make room."""
        self.is_held = False
        self.play()
        self.connection.resume()

    def ids(self, kind: int) -> list[int]:
        return [event[2] for event in self.kept if event[0] == kind]

    def states(self) -> list[int]:
        return [int(event[1]) for event in self.kept if event[0] == 9]

    async def run(self, seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            await self.connection.run()

    async def run_until(self, condition: Callable[[], bool], seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            running = group.create_task(self.connection.run())
            while not condition() and not running.done():
                await asyncio.sleep(0.002)
            running.cancel()


async def three_trades(websocket, request):
    for identity in (1, 2, 3):
        await websocket.send_bytes(frames.spot_trade(identity))
    await asyncio.sleep(0.05)
    await end_market(websocket)


def raw_frame(payload: bytes, *, opcode: int = 1, is_last: bool = True) -> bytes:
    head = bytes([opcode | (0x80 if is_last else 0)])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    return head + b"\x7e" + len(payload).to_bytes(2, "big") + payload
