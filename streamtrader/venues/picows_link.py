"""The link of the hot path: frames of picows are handed over in the callback of the socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Mapping
from typing import Any

import picows
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSParsedURL, WSTransport

from streamtrader.errors import LinkLost
from streamtrader.venues.links import LOST, Ending, Handler, HandshakeRefused, Link, is_binary

TEXT, BINARY = WSMsgType.TEXT, WSMsgType.BINARY  # looked up once: this is the hot path
PONGS_A_READ = 2
FRAMES_A_TURN = 64  # of a flood: enough to share the cost of a turn, few enough that the first need not wait for the last


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
        # picows ends a link for what is too large, and yet hands it over where all of it has come by then.
        if kind is not TEXT or not frame.fin or frame.payload_size > self._frame_bytes_most:
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
        """A message in several frames, a binary one, or one that is too large."""
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
