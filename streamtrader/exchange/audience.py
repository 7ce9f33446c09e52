"""Who listens: one record a websocket, what it subscribed to, and whether it has seen all that was written.

Back-pressure is the rule here, nothing is ever dropped: writes go into the transport's bounded buffer, and the
pump waits until every buffer is below its mark before it writes again. A slow client slows the market.
"""

from __future__ import annotations

import asyncio
import socket as sockets
import struct
from collections.abc import Iterable, Sequence

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from streamtrader.exchange.frames import encoded, ping_frame
from streamtrader.exchange.market import DEPTH, Frame, MarketKind, channel_of
from streamtrader.exchange.routes import is_served
from streamtrader.exchange.saboteur import Saboteur

WRITE_BUFFER_BYTES = 256 * 1024
BARRIER_PREFIX = b"seen-"
BARRIER_S = 2.0


class Listener:
    """One websocket connection."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        writer: AbstractStreamWriter,
        request: web.Request,
        kind: MarketKind,
        *,
        is_stamped: bool = False,
    ) -> None:
        assert request.transport is not None
        self.socket = socket
        self.is_combined = request.path.rstrip("/").endswith("/stream")
        self.is_stamped = is_stamped or request.query.get("stamp") == "ns"
        self.streams: dict[str, None] = {}  # in the order of subscription
        self.keys: frozenset[str] = frozenset()
        self.last_pong_s = 0.0
        self.is_settled = True  # has seen everything that was written to it
        self.is_mute = False  # half-open: the socket stands, and nothing comes over it
        self.leaving = asyncio.Event()
        self.leaving_after_s = 0.0
        self._kind = kind
        self.path = request.path
        self._writer = writer
        self._transport = request.transport
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._barriers: dict[bytes, asyncio.Future[None]] = {}
        self._barrier_count = 0

    @property
    def is_open(self) -> bool:
        return not (self.is_mute or self.socket.closed or self._transport.is_closing())

    def subscribe(self, streams: Iterable[str]) -> None:
        self.streams.update(dict.fromkeys(streams))
        self._rebuild()

    def unsubscribe(self, streams: Iterable[str]) -> None:
        for stream in streams:
            self.streams.pop(stream, None)
        self._rebuild()

    def follow(self, *keys: str) -> None:
        """Subscribe by the keys of a dialect."""
        self.streams.update(dict.fromkeys(keys))
        self.keys = frozenset(self.streams)

    def unfollow(self, *keys: str) -> None:
        for key in keys:
            self.streams.pop(key, None)
        self.keys = frozenset(self.streams)

    def _rebuild(self) -> None:
        channels = [channel_of(stream) for stream in self.streams]
        self.keys = frozenset(each.key for each in channels if is_served(self._kind, self.path, each.feed))

    def depth_symbols(self) -> set[str]:
        return {key.partition("@")[0].upper() for key in self.keys if key.endswith(f"@{DEPTH}")}

    def write(self, data: bytes) -> None:
        if data and self.is_open:
            self._transport.write(data)
            self.is_settled = False

    def ping(self, payload: bytes) -> None:
        if self.is_open:
            self._transport.write(ping_frame(payload))

    def reset(self) -> None:
        """End the connection without a farewell."""
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def leave_after(self, seconds: float) -> None:
        """Close in an orderly way, a little later."""
        self.leaving_after_s = seconds
        self.leaving.set()

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

    def __init__(self, saboteur: Saboteur | None = None) -> None:
        self.listeners: list[Listener] = []
        self.changed = asyncio.Event()
        self.saboteur = saboteur or Saboteur()
        self.saboteur.listeners = self.listeners

    def add(self, listener: Listener) -> None:
        self.listeners.append(listener)
        self.changed.set()

    def remove(self, listener: Listener) -> None:
        self.listeners.remove(listener)
        listener.release()
        self.saboteur.forget(listener)
        self.changed.set()

    @property
    def is_present(self) -> bool:
        return any(listener.keys and listener.is_open for listener in self.listeners)

    def depth_symbols(self) -> set[str]:
        return set().union(*(listener.depth_symbols() for listener in self.listeners if listener.is_open))

    def broadcast(self, frames: Sequence[Frame]) -> None:
        """Write the frames to everybody who wants them, encoded once for all who want the same."""
        saboteur = self.saboteur
        frames = saboteur.bent(frames)
        if saboteur.has_frozen:
            frames = [frame for frame in frames if not saboteur.is_frozen(frame.channel.symbol)]
        made: dict[tuple[frozenset[str], bool, bool], bytes] = {}
        for listener in self.listeners:
            form = (listener.keys, listener.is_stamped, listener.is_combined)
            if saboteur.is_at_work:
                wanted = [(_book_of(frame), frame) for frame in frames if frame.channel.key in form[0]]
                disordered = saboteur.disordered(listener, wanted)
                listener.write(encoded(disordered, is_stamped=form[1], is_combined=form[2]))
                continue
            if form not in made:
                of_form = [frame for frame in frames if frame.channel.key in listener.keys]
                made[form] = encoded(of_form, is_stamped=form[1], is_combined=form[2])
            listener.write(made[form])

    def is_ready(self, symbols: set[str], asked: set[str]) -> bool:
        """Whether each book that somebody listens to was asked for, of those that there are."""
        return self.depth_symbols() & symbols <= asked

    def begin_book(self, frame: Frame) -> None:
        """The market began a book anew with a snapshot; here that answers requests, and is not told."""

    def pass_over(self, frame: Frame) -> None:
        """A frame from before the beginning."""

    async def drain(self) -> None:
        for listener in list(self.listeners):
            await listener.drain()

    async def settle(self) -> None:
        await asyncio.gather(*(listener.settle() for listener in self.listeners))


def _book_of(frame: Frame) -> str:
    """The symbol whose book a frame changes, if any."""
    return frame.channel.symbol if frame.channel.feed == DEPTH else ""
