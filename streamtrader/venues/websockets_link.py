"""The fallback link: a queue and a task more than picows has, but an independent implementation of the protocol."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import websockets.asyncio.client
import websockets.exceptions
import websockets.frames

from streamtrader.errors import LinkLost
from streamtrader.venues.links import LOST, Ending, Handler, HandshakeRefused, Link, is_binary

CLOSE_S = 2.0
_WITHOUT_FRAMES = logging.getLogger("streamtrader.websockets")
_WITHOUT_FRAMES.setLevel(logging.INFO)  # its debug lines hold what is sent: logins, keys and all


class _Attentive(websockets.asyncio.client.ClientConnection):
    """Tells the handler of pings too: they are signs of life on a quiet stream."""

    handler: Handler | None = None

    def process_event(self, event: Any) -> None:
        is_ping = isinstance(event, websockets.frames.Frame) and event.opcode is websockets.frames.Opcode.PING
        if is_ping and self.handler is not None:
            self.handler.on_read([])
        super().process_event(event)


class WebsocketsLink:
    """Reads message by message, in a task."""

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
