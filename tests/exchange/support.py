"""What the exchange's tests share: small captures made on the spot, the server in this loop, an independent client.

The client is the `websockets` library, which shares no code with the server. `Session` does what a careful client
does: subscribe, fetch each snapshot on a connection of its own, close it, and keep every frame as it came.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import websockets
import zstandard

from streamtrader.exchange.audience import Audience
from streamtrader.exchange.market import Market
from streamtrader.exchange.pump import Pump
from streamtrader.exchange.server import Exchange

FEEDS = ("trade", "bookTicker", "depth@100ms")
BASE_NS = 1_700_000_000_000_000_000
FIRST_ID = 1_000


@dataclass
class Served:
    """A server in this process."""

    pump: Pump
    port: int

    @property
    def prefix(self) -> str:
        return "/api/v3" if self.pump.market.kind == "spot" else "/fapi/v1"

    def stream_url(self, feeds: Iterable[str] = FEEDS, *, is_stamped: bool = True) -> str:
        symbols = [symbol.lower() for symbol in self.pump.market.instruments]
        streams = "/".join(f"{symbol}@{feed}" for symbol in symbols for feed in feeds)
        return f"ws://127.0.0.1:{self.port}/stream?streams={streams}" + ("&stamp=ns" if is_stamped else "")

    async def get(self, path: str, **query: str) -> tuple[int, Any, str]:
        """Status, document and market stamp of one request on a connection of its own."""
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            url = f"http://127.0.0.1:{self.port}{path}"
            async with session.get(url, params=query) as response:
                return response.status, await response.json(), response.headers.get("X-Market-Ns", "")

    async def venue(self, name: str, **query: str) -> tuple[int, Any]:
        status, document, _ = await self.get(f"{self.prefix}/{name}", **query)
        return status, document


@asynccontextmanager
async def serving(
    market: Market, *, speed: float | None = None, after_ns: int = 0, ping_every_s: float = 20.0
) -> AsyncIterator[Served]:
    audience = Audience()
    pump = Pump(market, audience, speed=speed)
    pump.fast_forward(after_ns)
    exchange = Exchange(pump, audience, speed="max" if speed is None else f"{speed:g}", ping_every_s=ping_every_s)
    async with exchange.listening("127.0.0.1", 0) as port, asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(pump.run())
        yield Served(pump, port)
        playing.cancel()


@dataclass
class Session:
    """What one client saw: every frame's text in order, every snapshot, how it ended."""

    frames: list[str] = field(default_factory=list)
    snapshots: dict[str, tuple[dict[str, Any], int, int]] = field(
        default_factory=dict
    )  # document, stamp, frames before
    close_code: int | None = None
    close_reason: str = ""

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(frame) for frame in self.frames]

    def stamps(self) -> list[int]:
        return [message["ns"] for message in self.messages()]


async def take_part(
    served: Served, *, frames: int | None = None, url: str | None = None, with_snapshots: bool = True
) -> Session:
    """Take part as a client until so many frames came, or until the server ends it."""
    session = Session()

    async def fetch(symbol: str) -> None:
        status, document, stamp = await served.get(f"{served.prefix}/depth", symbol=symbol, limit="1000")
        assert 200 == status
        session.snapshots[symbol] = (document, int(stamp), len(session.frames))

    async with (
        websockets.connect(url or served.stream_url(), compression=None, max_size=None, close_timeout=0.05) as socket,
        asyncio.TaskGroup() as tasks,
    ):
        if with_snapshots:
            for symbol in served.pump.market.instruments:
                tasks.create_task(fetch(symbol))
        while frames is None or len(session.frames) < frames:
            try:
                session.frames.append(str(await socket.recv()))
            except websockets.ConnectionClosed:
                session.close_code, session.close_reason = socket.close_code, socket.close_reason or ""
                break
    return session


class ClientBook:
    """The plainest client of diff depth: bridges a snapshot by the venue's rule, keeps levels by price."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.last = snapshot["lastUpdateId"]
        self.is_first = True
        self.bids = {float(price): float(size) for price, size in snapshot["bids"]}
        self.asks = {float(price): float(size) for price, size in snapshot["asks"]}

    def apply(self, data: dict[str, Any]) -> bool:
        """False for a message that lies before the snapshot; a hole fails the test."""
        if data["u"] <= self.last:
            return False
        after = data.get("pu", data["U"] - 1)
        assert after <= self.last if self.is_first else after == self.last, (after, self.last)
        self.last, self.is_first = data["u"], False
        for side, levels in ((self.bids, data["b"]), (self.asks, data["a"])):
            for price, size in levels:
                side[float(price)] = float(size)
                if float(size) == 0:
                    del side[float(price)]
        return True

    def best(self) -> tuple[float, float, float, float]:
        bid, ask = max(self.bids), min(self.asks)
        return bid, self.bids[bid], ask, self.asks[ask]


def capture_lines(
    count: int, *, kind: str = "spot", symbol: str = "BTCUSDT", with_snapshot: bool = True
) -> list[str]:
    """A small capture: depth and trades in turn, a REST snapshot in the third line that the second depth frame meets."""
    name, lines, update_id, price = symbol.lower(), [], FIRST_ID, 60_000
    for index in range(count):
        stamp = BASE_NS + index * 1_000_000
        if index == 2 and with_snapshot:
            lines.append(f"{stamp} {_snapshot(kind, update_id - 1, price)}")
        if index % 2:
            ids = f'"t":{index},"p":"{price}.10","q":"0.02"'
            lines.append(
                f'{stamp + 1} {{"stream":"{name}@trade","data":{{"e":"trade","E":1,"s":"{symbol}",{ids},"T":1,"m":true}}}}'
            )
            continue
        first, update_id = update_id + 1, update_id + 3
        previous = f'"pu":{first - 1},' if kind == "usdm" else ""
        bid, ask = f"{price - index % 7}.00", f"{price + 1 + index % 5}.50"
        ids = f'"U":{first},"u":{update_id},{previous}"b":[["{bid}","1.5"]],"a":[["{ask}","0.0{index % 9 + 1}"]]'
        lines.append(
            f'{stamp} {{"stream":"{name}@depth@100ms","data":{{"e":"depthUpdate","E":{index},"s":"{symbol}",{ids}}}}}'
        )
    return lines


def _snapshot(kind: str, last_id: int, price: int) -> str:
    times = '"E":5,"T":5,' if kind == "usdm" else ""
    return (
        f'{{"lastUpdateId":{last_id},{times}"bids":[["{price - 10}.00","2.0"]],"asks":[["{price + 20}.00","3.0"]]}}'
    )


def write_capture(path: Path, lines: Sequence[str]) -> str:
    """Plain, gzip or zstd by the name; packed in two parts, as files that were put together are."""
    pack = {".gz": gzip.compress, ".zst": zstandard.compress}.get(path.suffix, bytes)
    content = ("\n".join(lines) + "\n").encode()
    half = len(content) // 2
    path.write_bytes(pack(content[:half]) + pack(content[half:]))
    return str(path)


def frames_of(lines: Sequence[str]) -> list[str]:
    """The texts that a server of this capture must send."""
    texts = [line.split(" ", 1)[1] for line in lines]
    return [text for text in texts if text.startswith('{"stream"')]


def unstamped(frame: str) -> str:
    head, stamp, tail = frame.rpartition(',"ns":')
    assert stamp
    assert tail.rstrip("}").isdigit()
    return head + "}"
