"""One websocket behind a small seam: picows by default, the `websockets` library as fallback and as second opinion.

A link hands the frames of a read to its handler the moment the read is over. It answers no ping by
itself: the handler does, in order with the frames, because a venue may take the answer as proof that everything
before it was handled. (The fallback library answers pings before its reader has seen the frames before them.)

Compression: off, whatever the venue offers (`Listing.compression`). Inflating costs more time than the line saves, a frame
that inflates has no size before it has been inflated, and servers differ in what they make of the negotiation. So
permessage-deflate is never offered by us, and a frame that comes compressed all the same breaks the protocol and ends
its link: nothing is ever inflated here, and no bomb can go off. A frame or message above `frame_bytes_most` ends it too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

import picows
import websockets.asyncio.client
import websockets.exceptions
import websockets.frames
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSParsedURL, WSTransport

from streamtrader.errors import LinkLost

LOST = 1006  # the code of a connection that ended without a close frame
CLOSE_S = 2.0
TEXT, BINARY = WSMsgType.TEXT, WSMsgType.BINARY  # looked up once: this is the hot path
PONGS_A_READ = 2
FRAMES_A_TURN = 64  # of a flood: enough to share the cost of a turn, few enough that the first need not wait for the last
REFUSALS = {
    403: "the venue's firewall refuses this address",
    418: "the venue has banned this address for a while",
    429: "too many requests",
    451: "the venue does not serve this country",
}


_WITHOUT_FRAMES = logging.getLogger("streamtrader.websockets")
_WITHOUT_FRAMES.setLevel(logging.INFO)  # its debug lines hold what is sent: logins, keys and all


class Ending(NamedTuple):
    """How a connection ended."""

    code: int
    reason: str


class Link(Protocol):
    """An open websocket."""

    async def run(self) -> Ending:
        """Wait until it ends, whoever ends it."""

    async def send(self, message: bytes) -> None:
        """Send a text, or a binary message where it can be no text."""

    def pong(self, payload: bytes) -> None: ...

    def pause(self) -> None:
        """Read no more from the socket. What the last read brought still comes."""

    def resume(self) -> None: ...

    def close(self, *, is_dead: bool = False) -> None:
        """Begin to end it; a dead peer is not waited for."""


class Handler(Protocol):
    """What a link calls, synchronously: `on_open`, then reads and pings in the order in which they came."""

    def on_open(self, link: Link) -> None: ...

    def on_read(self, frames: list[bytes]) -> None:
        """A read is over, comes to a ping, or has brought `FRAMES_A_TURN` messages: what is new, maybe nothing."""

    def on_ping(self, payload: bytes) -> None: ...


Opener = Callable[[str, Handler, int, Mapping[str, str]], Awaitable[Link]]


class HandshakeRefused(LinkLost):
    """The other side answered with an HTTP error instead of a websocket."""

    def __init__(self, status: int, retry_after: str | None) -> None:
        why = REFUSALS.get(status, "no websocket there")
        super().__init__(f"handshake refused with status {status}: {why}", status=status)
        self.status = status
        self.retry_after = retry_after


class _Listener(WSListener):
    """Frames of picows, whole messages to the handler."""

    def __init__(self, handler: Handler, frame_bytes_most: int) -> None:
        self._handler = handler
        self._on_read = handler.on_read
        self._frame_bytes_most = frame_bytes_most
        self._frames: list[bytes] = []
        self._parts: list[bytes] = []
        self._part_bytes = 0
        self._pings: deque[bytes] = deque(maxlen=PONGS_A_READ)
        self.link: PicowsLink | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.link = PicowsLink(transport)
        self._handler.on_open(self.link)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind is not TEXT or not frame.fin:
            self._on_other_frame(transport, frame, kind)
            return
        frames = self._frames
        frames.append(frame.get_payload_as_bytes())
        if frame.last_in_buffer:
            self._frames = []
            self._on_read(frames)
            if self._pings:
                self._tell_pings()
        elif len(frames) >= FRAMES_A_TURN:
            self._frames = []
            self._on_read(frames)

    def _on_other_frame(self, transport: WSTransport, frame: WSFrame, kind: WSMsgType) -> None:
        if kind == WSMsgType.PING:
            self._pings.append(frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif kind != WSMsgType.PONG:
            self._join(transport, frame)
        if frame.last_in_buffer:
            self._hand_over()
            self._tell_pings()

    def _tell_pings(self) -> None:
        """After all frames of the read. Of a storm the newest are answered (RFC 6455, 5.5.3): answers are counted."""
        while self._pings:
            self._handler.on_ping(self._pings.popleft())

    def _hand_over(self) -> None:
        frames, self._frames = self._frames, []
        self._on_read(frames)

    def _join(self, transport: WSTransport, frame: WSFrame) -> None:
        """A message in several frames, or a binary one."""
        self._parts.append(frame.get_payload_as_bytes())
        self._part_bytes += frame.payload_size
        if self._part_bytes > self._frame_bytes_most:
            transport.send_close(WSCloseCode.MESSAGE_TOO_BIG)
            transport.disconnect(graceful=False)
        elif frame.fin:
            self._frames.append(b"".join(self._parts))
            self._parts, self._part_bytes = [], 0


class _Dialer:
    """Makes the socket of a link, and so can end a handshake that was given up: picows would keep it open."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    async def connect(self, url: WSParsedURL) -> socket.socket:
        loop = asyncio.get_running_loop()
        failure = OSError(f"{url.host} has no address")
        for family, kind, protocol, _, address in await loop.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM):
            attempt = socket.socket(family, kind, protocol)
            try:
                attempt.setblocking(False)
                await loop.sock_connect(attempt, address)
            except OSError as error:
                attempt.close()
                failure = error
            except BaseException:
                attempt.close()
                raise
            else:
                self._socket = attempt
                return attempt
        raise failure

    async def give_up(self) -> None:
        if self._socket is None:
            return
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for _ in range(3):  # turns of the loop in which the transport learns of it and goes
            await asyncio.sleep(0)


class PicowsLink:
    """Decodes in the callback of the socket: no queue and no task between the bytes and the ring."""

    def __init__(self, transport: WSTransport) -> None:
        self._transport = transport

    @classmethod
    async def open(cls, url: str, handler: Handler, frame_bytes_most: int, headers: Mapping[str, str]) -> Link:
        dialer = _Dialer()
        try:
            _, listener = await picows.ws_connect(
                lambda: _Listener(handler, frame_bytes_most),
                url,
                enable_auto_pong=False,
                max_frame_size=frame_bytes_most,
                extra_headers=headers,
                max_redirects=0,
                socket_factory=dialer.connect,
                websocket_handshake_timeout=None,  # the connection has a limit over all of it
            )
        except picows.WSHandshakeError as error:
            if error.response is not None and error.response.status != 101:
                retry_after = error.response.headers.get("Retry-After")
                raise HandshakeRefused(int(error.response.status), retry_after) from error
            raise LinkLost(f"no websocket handshake: {error}") from error
        except picows.WSError as error:
            raise LinkLost(f"no websocket handshake: {error}") from error
        except BaseException:
            await dialer.give_up()
            raise
        assert isinstance(listener, _Listener) and listener.link is not None
        return listener.link

    async def run(self) -> Ending:
        try:
            await self._transport.wait_disconnected()
        except picows.WSError as error:
            return Ending(LOST, str(error))
        finally:
            self._transport.disconnect(graceful=False)
        handshake: Any = self._transport.close_handshake
        if handshake is None or handshake.recv is None:
            return Ending(LOST, "")
        code: Any = handshake.recv.code  # an enum, or a plain number where the enum has no name for it
        return Ending(int(getattr(code, "value", code)), handshake.recv.reason)

    async def send(self, message: bytes) -> None:
        self._transport.send(BINARY if is_binary(message) else TEXT, message)

    def pong(self, payload: bytes) -> None:
        self._transport.send_pong(payload)

    def pause(self) -> None:
        with contextlib.suppress(RuntimeError):  # it is closing: there is nothing to read
            self._transport.underlying_transport.pause_reading()

    def resume(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._transport.underlying_transport.resume_reading()

    def close(self, *, is_dead: bool = False) -> None:
        if not is_dead:
            self._transport.send_close(WSCloseCode.OK)
        self._transport.disconnect(graceful=not is_dead)


class _Attentive(websockets.asyncio.client.ClientConnection):
    """Tells the handler of pings too: they are signs of life on a quiet stream."""

    handler: Handler | None = None

    def process_event(self, event: Any) -> None:
        is_ping = isinstance(event, websockets.frames.Frame) and event.opcode is websockets.frames.Opcode.PING
        if is_ping and self.handler is not None:
            self.handler.on_read([])
        super().process_event(event)


class WebsocketsLink:
    """The fallback: a queue and a task more, but an independent implementation of the protocol."""

    def __init__(self, connection: _Attentive, handler: Handler) -> None:
        self._connection = connection
        self._handler = handler
        self._may_read = asyncio.Event()
        self._may_read.set()

    @classmethod
    async def open(cls, url: str, handler: Handler, frame_bytes_most: int, headers: Mapping[str, str]) -> Link:
        try:
            connection = await websockets.asyncio.client.connect(
                url,
                create_connection=_Attentive,
                max_size=frame_bytes_most,
                additional_headers=headers,
                compression=None,
                open_timeout=None,
                ping_interval=None,
                close_timeout=CLOSE_S,
                logger=_WITHOUT_FRAMES,
                proxy=None,
            )
        except websockets.exceptions.InvalidStatus as error:
            response = error.response
            raise HandshakeRefused(response.status_code, response.headers.get("Retry-After")) from error
        except websockets.exceptions.WebSocketException as error:
            raise LinkLost(f"no websocket handshake: {error}") from error
        assert isinstance(connection, _Attentive)
        link = cls(connection, handler)
        handler.on_open(link)
        connection.handler = handler
        return link

    async def run(self) -> Ending:
        try:
            while True:
                await self._may_read.wait()
                self._handler.on_read([await self._connection.recv(decode=False)])
        except websockets.exceptions.ConnectionClosed as error:
            received = error.rcvd
            return Ending(received.code, received.reason) if received else Ending(LOST, "")
        finally:
            await self._connection.close()

    async def send(self, message: bytes) -> None:
        try:
            await self._connection.send(message, text=not is_binary(message))
        except websockets.exceptions.ConnectionClosed as error:
            raise LinkLost("the connection ended while sending") from error

    def pong(self, payload: bytes) -> None:
        """The library has answered already."""

    def pause(self) -> None:
        self._may_read.clear()

    def resume(self) -> None:
        self._may_read.set()

    def close(self, *, is_dead: bool = False) -> None:
        if is_dead:
            self._connection.transport.abort()
        else:
            self._connection.transport.close()


def is_binary(message: bytes) -> bool:
    """No text in UTF-8 starts with such a byte, and every msgpack object or array of ours does."""
    return 0x80 <= message[0] <= 0xBF if message else False


OPENERS: dict[str, Opener] = {"picows": PicowsLink.open, "websockets": WebsocketsLink.open}
