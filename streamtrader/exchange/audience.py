"""Who listens: one record a websocket, what it subscribed to, and whether it has seen all that was written.

Back-pressure is the rule here, nothing is ever dropped: writes go into the transport's bounded buffer, and the
pump waits until every buffer is below its mark before it writes again. A slow client slows the market.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from streamtrader.exchange.frames import encoded, ping_frame
from streamtrader.exchange.market import DEPTH, Frame, channel_of

WRITE_BUFFER_BYTES = 256 * 1024
BARRIER_PREFIX = b"seen-"
BARRIER_S = 2.0


class Listener:
    """One websocket connection."""

    def __init__(self, socket: web.WebSocketResponse, writer: AbstractStreamWriter, request: web.Request) -> None:
        assert request.transport is not None
        self.socket = socket
        self.is_combined = request.path.rstrip("/").endswith("/stream")
        self.is_stamped = request.query.get("stamp") == "ns"
        self.streams: dict[str, None] = {}  # in the order of subscription
        self.keys: frozenset[str] = frozenset()
        self.last_pong_s = 0.0
        self.is_settled = True  # has seen everything that was written to it
        self._writer = writer
        self._transport = request.transport
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._barriers: dict[bytes, asyncio.Future[None]] = {}
        self._barrier_count = 0

    @property
    def is_open(self) -> bool:
        return not (self.socket.closed or self._transport.is_closing())

    def subscribe(self, streams: Iterable[str]) -> None:
        self.streams.update(dict.fromkeys(streams))
        self._rebuild()

    def unsubscribe(self, streams: Iterable[str]) -> None:
        for stream in streams:
            self.streams.pop(stream, None)
        self._rebuild()

    def _rebuild(self) -> None:
        self.keys = frozenset(channel_of(stream).key for stream in self.streams)

    def depth_symbols(self) -> set[str]:
        return {key.partition("@")[0].upper() for key in self.keys if key.endswith(f"@{DEPTH}")}

    def write(self, data: bytes) -> None:
        if data and self.is_open:
            self._transport.write(data)
            self.is_settled = False

    def ping(self, payload: bytes) -> None:
        if self.is_open:
            self._transport.write(ping_frame(payload))

    async def drain(self) -> None:
        """Return once the buffer is low again; a connection that broke has nothing to drain."""
        try:
            await self._writer.drain()
        except ConnectionError:
            self._transport.abort()

    async def settle(self) -> None:
        """Return once the client has handled all frames so far: it answers a ping only after them.

        A client that answers no ping within the limit is not waited for any longer.
        """
        if self.is_settled or not self.is_open:
            return
        self._barrier_count += 1
        payload = BARRIER_PREFIX + str(self._barrier_count).encode()
        answered = self._barriers[payload] = asyncio.get_running_loop().create_future()
        self.ping(payload)
        try:
            async with asyncio.timeout(BARRIER_S):
                await answered
            self.is_settled = True
        except TimeoutError:
            pass
        finally:
            del self._barriers[payload]

    def on_pong(self, payload: bytes) -> bool:
        """Whether the pong answers one of our barriers."""
        answered = self._barriers.get(payload)
        if answered is not None and not answered.done():
            answered.set_result(None)
        return payload.startswith(BARRIER_PREFIX)

    def release(self) -> None:
        """The connection is gone: nobody shall wait for its answers."""
        for answered in self._barriers.values():
            if not answered.done():
                answered.set_result(None)


class Audience:
    """All listeners that are subscribed to something."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self.changed = asyncio.Event()

    def add(self, listener: Listener) -> None:
        self.listeners.append(listener)
        self.changed.set()

    def remove(self, listener: Listener) -> None:
        self.listeners.remove(listener)
        listener.release()
        self.changed.set()

    @property
    def is_present(self) -> bool:
        return any(listener.keys and listener.is_open for listener in self.listeners)

    def depth_symbols(self) -> set[str]:
        return set().union(*(listener.depth_symbols() for listener in self.listeners if listener.is_open))

    def broadcast(self, frames: Sequence[Frame]) -> None:
        """Write the frames to everybody who wants them, encoded once for all who want the same."""
        made: dict[tuple[frozenset[str], bool, bool], bytes] = {}
        for listener in self.listeners:
            form = (listener.keys, listener.is_stamped, listener.is_combined)
            if form not in made:
                wanted = [frame for frame in frames if frame.channel.key in listener.keys]
                made[form] = encoded(wanted, is_stamped=form[1], is_combined=form[2])
            listener.write(made[form])

    async def drain(self) -> None:
        for listener in list(self.listeners):
            await listener.drain()

    async def settle(self) -> None:
        await asyncio.gather(*(listener.settle() for listener in self.listeners))
