"""The websocket side: one connection from its first subscription to its end, in whatever dialect.

The venue's limits hold here too, because a client that only ever met a lenient server learns them from the real
one. Binance: 5 incoming messages a second, pings and pongs included, 1,024 streams, a ping every 20 s that must be
answered within a minute, an end after 24 hours.
"""

from __future__ import annotations

import asyncio

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from streamtrader.exchange.audience import Audience, Listener
from streamtrader.exchange.dialects.audience import TranslatedAudience
from streamtrader.exchange.frames import text_frame
from streamtrader.exchange.limits import LimitWatch
from streamtrader.exchange.pump import Pump
from streamtrader.exchange.saboteur import refusal
from streamtrader.exchange.subscriptions import STREAMS_LIMIT, answer

PING_EVERY_S = 20.0
PONG_WITHIN_S = 60.0
LONGEST_S = 24 * 3600.0
LONGEST_MESSAGE_BYTES = 64 * 1024
_MARKET_ENDED = b"market ended"


class StreamServer:
    """Serves `/stream` and `/ws`, or the paths of a dialect. `is_stamped`: for all, not only those who ask for it."""

    def __init__(
        self,
        pump: Pump,
        audience: Audience,
        watch: LimitWatch,
        *,
        ping_every_s: float = PING_EVERY_S,
        is_stamped: bool = False,
    ) -> None:
        self._pump = pump
        self._audience = audience
        self._translated = audience if isinstance(audience, TranslatedAudience) else None
        self._watch = watch
        self._ping_every_s = ping_every_s
        self._is_stamped = is_stamped

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Handle one connection until either side or the market ends it."""
        self._watch.attempt(asyncio.get_running_loop().time())
        fault = self._audience.saboteur.door()
        if fault is not None and fault.status:
            return refusal(fault)
        streams = _requested_streams(request)
        if len(streams) > STREAMS_LIMIT:
            return web.json_response({"code": 2, "msg": "Invalid request: too many parameters"}, status=400)
        socket = web.WebSocketResponse(
            autoping=False, compress=False, max_msg_size=LONGEST_MESSAGE_BYTES, timeout=2.0
        )
        writer = await socket.prepare(request)
        assert writer is not None
        listener = Listener(socket, writer, request, self._pump.market.kind, is_stamped=self._is_stamped)
        if fault is not None:
            listener.reset()
            return socket
        if self._translated is not None:
            for payload in self._translated.translator.greet(listener, request.path):
                listener.write(text_frame(payload))
        else:
            listener.subscribe(streams)
        self._audience.add(listener)
        try:
            await self._attend(listener)
        finally:
            self._audience.remove(listener)
        return socket

    async def _attend(self, listener: Listener) -> None:
        """Listen until one side has had enough, then close."""
        async with asyncio.TaskGroup() as duties:
            listening = duties.create_task(self._listen(listener))
            keeping = duties.create_task(self._keep_alive(listener))
            ending = duties.create_task(self._pump.ended.wait())
            leaving = duties.create_task(listener.leaving.wait())
            await asyncio.wait((listening, keeping, ending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                await listener.drain()
                await listener.socket.close(code=WSCloseCode.OK, message=_MARKET_ENDED)
            elif keeping.done():
                await listener.socket.close(code=WSCloseCode.GOING_AWAY)
            elif leaving.done():
                await asyncio.sleep(listener.leaving_after_s)
                await listener.socket.close(code=WSCloseCode.SERVICE_RESTART)
            for duty in (keeping, ending, leaving):
                duty.cancel()

    async def _listen(self, listener: Listener) -> None:
        arrivals = self._watch.new_window()
        loop = asyncio.get_running_loop()
        async for message in listener.socket:
            if message.type is WSMsgType.PONG and listener.on_pong(bytes(message.data)):
                continue  # the answer to our own question is not counted against the client
            if not self._watch.message(arrivals, loop.time()) and self._watch.published.is_closing:
                await listener.socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"Too many requests")
                return
            if not listener.is_mute:
                await self._handle(listener, message)

    async def _handle(self, listener: Listener, message: WSMessage) -> None:
        match message.type:
            case WSMsgType.PING:
                await listener.socket.pong(message.data)
            case WSMsgType.PONG:
                listener.last_pong_s = asyncio.get_running_loop().time()
            case WSMsgType.TEXT | WSMsgType.BINARY:
                self._audience.saboteur.hear(message.data)
                if self._translated is not None:
                    self._translated.answer(listener, message.data)
                else:
                    await listener.socket.send_str(answer(listener, message.data))
                self._audience.changed.set()
            case _:
                pass  # the iterator ends itself at a close frame or an error

    async def _keep_alive(self, listener: Listener) -> None:
        """Ping now and then; return when the client answers no more, or has been here for a day."""
        loop = asyncio.get_running_loop()
        started_s = listener.last_pong_s = loop.time()
        while loop.time() - started_s < LONGEST_S:
            await asyncio.sleep(self._ping_every_s)
            if not listener.is_open or loop.time() - listener.last_pong_s > PONG_WITHIN_S + self._ping_every_s:
                return
            listener.ping(str(int(loop.time() * 1000)).encode())


def _requested_streams(request: web.Request) -> list[str]:
    """`/stream?streams=a/b` or `/ws/a/b`; neither need name any, they can be subscribed later."""
    listed = request.query.get("streams", "") or request.match_info.get("streams", "")
    return [stream for stream in listed.split("/") if "@" in stream]
