"""A bare websocket client on loopback: frame to typed callback, by library, event loop, decoder, kind and mode.

Starts `ws_server` by itself, bound to another core where there is one, and prints messages a second (from the first
frame to the last), CPU a message, and for `paced` and `burst` the latency from the server's stamp to the end of the
callback. `--spin` keeps one callback ready, so that the loop polls and never sleeps: what a spinning loop would buy.
This is what our own live path is set beside: the same server, the same frames, the same decoder.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.metadata
import time
from typing import Any

from benchmarks.peers.decoders import DECODERS, Handler, Sink, handler_of
from benchmarks.results import emit
from streamtrader.bench.frames import KINDS
from streamtrader.bench.serving import serving
from streamtrader.bench.timing import loop_factory, percentiles

LIBRARIES = ("picows", "websockets", "aiohttp")


class Clock:
    """Wall and CPU time between the first frame and the last."""

    def __init__(self) -> None:
        self.wall_s = 0.0
        self.cpu_s = 0.0
        self.is_done = False

    def start(self) -> None:
        self.wall_s, self.cpu_s = -time.perf_counter(), -time.process_time()

    def stop(self) -> None:
        if not self.is_done:
            self.wall_s += time.perf_counter()
            self.cpu_s += time.process_time()
            self.is_done = True


async def by_picows(url: str, handle: Handler, clock: Clock, count: int, *, as_bytes: bool) -> None:
    from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

    text = WSMsgType.TEXT

    class Listener(WSListener):  # type: ignore[misc] - compiled and untyped
        is_started = False

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if not self.is_started:
                self.is_started = True
                clock.start()
            if frame.msg_type == text:
                handle(frame.get_payload_as_bytes() if as_bytes else frame.get_payload_as_memoryview())
            else:
                clock.stop()
                transport.disconnect()

    transport, _ = await ws_connect(Listener, url, websocket_handshake_timeout=None)
    await transport.wait_disconnected()


async def by_websockets(url: str, handle: Handler, clock: Clock, count: int, *, as_bytes: bool) -> None:
    from websockets.asyncio.client import connect

    async with connect(url, compression=None, max_size=None, ping_interval=None, proxy=None) as client:
        first = await client.recv(decode=False)
        clock.start()
        handle(first)
        for _ in range(count - 1):
            handle(await client.recv(decode=False))
        clock.stop()  # before the closing handshake


async def by_aiohttp(url: str, handle: Handler, clock: Clock, count: int, *, as_bytes: bool) -> None:
    import aiohttp

    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, max_msg_size=0, decode_text=False) as client,
    ):
        first = await client.receive()
        clock.start()
        handle(first.data)
        for _ in range(count - 1):
            handle((await client.receive()).data)
        clock.stop()


async def spin(clock: Clock) -> None:
    while not clock.is_done:
        await asyncio.sleep(0)


async def play(url: str, options: argparse.Namespace, handle: Handler, clock: Clock) -> None:
    client = {"picows": by_picows, "websockets": by_websockets, "aiohttp": by_aiohttp}[options.library]
    async with asyncio.TaskGroup() as tasks:
        if options.spin:
            tasks.create_task(spin(clock))
        await client(url, handle, clock, options.count, as_bytes=options.decoder == "json")
        clock.stop()


def measure(port: int, options: argparse.Namespace) -> dict[str, Any]:
    path = "/".join([options.mode, options.kind, str(options.count), *map(str, options.extra)])
    sink, clock = Sink(options.count), Clock()
    handle = handler_of(options.decoder, options.kind, sink)
    gc.collect()
    gc.freeze()
    with asyncio.Runner(loop_factory=loop_factory(options.loop)) as runner:
        runner.run(play(f"ws://127.0.0.1:{port}/{path}", options, handle, clock))
    if sink.count != options.count:
        raise SystemExit(f"{sink.count} of {options.count} frames arrived")
    timed = options.mode != "flood" and options.decoder != "none"
    return {
        "bench": "live_client", "who": options.library, "version": importlib.metadata.version(options.library),
        "loop": options.loop, "decoder": options.decoder, "kind": options.kind, "mode": path, "spin": options.spin,
        "messages_per_s": round(options.count / clock.wall_s), "cpu_us": round(clock.cpu_s / options.count * 1e6, 3),
        **(percentiles(sink.latency_ns) if timed else {}),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", choices=LIBRARIES, default="picows")
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    parser.add_argument("--decoder", choices=DECODERS, default="scanner")
    parser.add_argument("--kind", choices=KINDS, default="trade")
    parser.add_argument("--mode", choices=("flood", "paced", "burst"), default="flood")
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--spin", action="store_true", help="poll instead of sleeping")
    parser.add_argument("--port", type=int, help="use a running server instead of one of our own")
    parser.add_argument("extra", nargs="*", type=int, help="paced: frames a second; burst: frames, period in us")
    options = parser.parse_args()
    if options.port is not None:
        emit(measure(options.port, options))
        return
    with serving() as port:
        emit(measure(port, options))


if __name__ == "__main__":
    main()
