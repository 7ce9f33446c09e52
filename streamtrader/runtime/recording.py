"""Recording: the market goes to a tape and nothing is decided."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamtrader.kernel.ring import Ring
from streamtrader.runtime.limits import message_end
from streamtrader.runtime.setup import LINKS, Feed, open_feed
from streamtrader.storage.tape import TapeWriter
from streamtrader.venues.connection import Connection

if TYPE_CHECKING:
    from streamtrader.config import Settings


class TapeTask:
    """Writes what the connection puts into the ring, in turns, beside the loop."""

    def __init__(self, feed: Feed, writer: TapeWriter, settings: Settings, max_events: int | None) -> None:
        self.ring = Ring()
        self.writer = writer
        self.max_events = max_events
        self.stop = asyncio.Event()
        self.reason = ""
        self.connection = Connection(
            feed.adapter, self.ring, self.on_events, opener=LINKS[settings.venue.client]
        )
        self._every_s = settings.run.flush_every_ms / 1e3

    def end(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.stop.set()

    def on_events(self) -> None:
        """Everything that is written may be taken at once; nobody plays it."""
        ring = self.ring
        ring.played = ring.written if self.max_events is None else message_end(ring, self.max_events)
        if self.max_events is not None and self.ring.played >= self.max_events:
            self.end("event limit reached")

    async def run(self) -> None:
        while not self.stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self.stop.wait()
            await self.turn()
        await self.turn()

    async def turn(self) -> None:
        stop = self.ring.played
        parts = self.ring.slices(self.ring.taped, stop)
        await asyncio.to_thread(self._write, parts)
        self.ring.taped = stop
        self.connection.resume()

    def _write(self, parts: list[Any]) -> None:
        for part in parts:
            self.writer.append(part)
        if parts:
            self.writer.sync()


async def record_market(
    settings: Settings, out: Path, *, for_s: float | None, max_events: int | None
) -> dict[str, Any]:
    """Record until the market ends, a limit is reached or somebody presses Ctrl-C; says what was written."""
    async with AsyncExitStack() as stack:
        feed = await stack.enter_async_context(open_feed(settings))
        metadata = {"venue": feed.label, "market": feed.market}
        writer = TapeWriter.create(out, feed.instruments, metadata)
        stack.callback(writer.close)
        task = TapeTask(feed, writer, settings, max_events)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.end, "stopped by the operator")
            stack.callback(loop.remove_signal_handler, number)
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(task.run())
            listening = group.create_task(_listen(task))
            ending = group.create_task(_end_after(task, for_s)) if for_s is not None else None
            await task.stop.wait()
            for other in (listening, ending):
                if other is not None:
                    other.cancel()
            await writing
        counters = feed.adapter.counters
        return {
            "tape": str(out),
            "reason": task.reason,
            "events": writer.event_count,
            "events_by_kind": counters.events(),
            "frames": counters.frames,
            "unknown": counters.unknown,
            "rejected": counters.rejected,
            "gaps": counters.gaps,
            "resyncs": counters.resyncs,
        }


async def _listen(task: TapeTask) -> None:
    await task.connection.run()
    task.end("market ended")


async def _end_after(task: TapeTask, for_s: float) -> None:
    await asyncio.sleep(for_s)
    task.end("time limit reached")
