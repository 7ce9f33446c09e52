"""Recording: the market goes to a tape, its raw frames beside it where wanted, and nothing is decided.

What a full disk does: the recording stops with `DiskFull` (exit code 6). Every file ends with its last whole block,
the manifest of a folder is written from a reserve that was kept for it, and a later recording into the same folder
goes on with a new segment. A disk that stands still holds up the socket, not the memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from streamtrader.errors import StorageError
from streamtrader.runtime.failover import settled, told_of
from streamtrader.runtime.limits import message_end
from streamtrader.runtime.record_files import FLUSH_EVERY_S, RecordFiles, RecordOptions
from streamtrader.runtime.setup import Feed, connection_settings, open_feed, ring_for
from streamtrader.storage.recording import recorded_until_ns
from streamtrader.venues.connection import Connection
from streamtrader.venues.tap import tapped

if TYPE_CHECKING:
    from streamtrader.config import Settings

__all__ = ["RecordOptions", "record_market"]
FAILED = "write failed"


class RecordTask:
    """Writes what the connection puts into the ring, in turns, beside the loop."""

    def __init__(self, feed: Feed, settings: Settings, options: RecordOptions, after_ns: int | None = None) -> None:
        self.ring = ring_for(feed.adapter)
        self.files = RecordFiles(options, feed, self.ring)
        self.max_events = options.max_events
        self.stop = asyncio.Event()
        self.reason = ""
        self.failure: StorageError | None = None
        adapter = feed.adapter
        if self.files.log is not None:
            adapter = tapped(adapter, self.files.log, is_exact=options.max_events is not None)
        self.connection = Connection(
            adapter,
            self.ring,
            self.on_events,
            opener=feed.opener,
            settings=connection_settings(settings),
            not_before_ns=0 if adapter.is_stamped else after_ns or 0,
        )
        self._every_s = settings.run.flush_every_ms / 1e3
        self._flush_at_s = 0.0

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
        """Write until the end, or until the disk refuses."""
        try:
            while not self.stop.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._every_s):
                        await self.stop.wait()
                await self.turn()
            await self.turn()
        except StorageError as error:
            self.failure = error
            self.end(FAILED)

    async def turn(self) -> None:
        stop, now_s = self.ring.played, asyncio.get_running_loop().time()
        parts = self.ring.slices(self.ring.taped, stop)
        heard = self.files.log.take() if self.files.log is not None else []
        if self.max_events is not None and stop >= self.max_events:
            heard = [entry for entry in heard if entry.position < stop]  # what came behind the last event is not kept
        is_flushed = now_s >= self._flush_at_s or self.stop.is_set()
        if is_flushed:
            self._flush_at_s = now_s + FLUSH_EVERY_S
        await asyncio.to_thread(self.files.write, parts, heard, is_flushed=is_flushed)
        self.ring.taped = stop
        self.connection.resume()


async def record_market(settings: Settings, options: RecordOptions) -> dict[str, Any]:
    """Record until the market ends, a limit is reached or somebody presses Ctrl-C; says what was written."""
    after_ns = recorded_until_ns(options.out) if options.limits is not None else None
    settings, moves = await settled(settings)
    async with AsyncExitStack() as stack:
        feed = await stack.enter_async_context(open_feed(settings, after_ns=after_ns, moves=told_of(moves)))
        task = RecordTask(feed, settings, options, after_ns)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.end, "stopped by the operator")
            stack.callback(loop.remove_signal_handler, number)
        try:
            await _record(task, options)
        finally:
            await asyncio.to_thread(task.files.close, task.reason or "failed", task.failure)
        told = {"reason": task.reason, "venue": feed.label.lower(), "failover": [move._asdict() for move in moves]}
        return task.files.as_dict() | told | _counted(feed) | {"connection": task.connection.counters.as_dict()}


async def _record(task: RecordTask, options: RecordOptions) -> None:
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(task.run())
        others = [group.create_task(_listen(task))]
        if options.for_s is not None:
            others.append(group.create_task(_end_after(task, options.for_s)))
        await task.stop.wait()
        for other in others:
            other.cancel()
        await writing


def _counted(feed: Feed) -> dict[str, Any]:
    counters = feed.adapter.counters
    return {
        "frames": counters.frames,
        "unknown": counters.unknown,
        "rejected": counters.rejected,
        "gaps": counters.gaps,
        "resyncs": counters.resyncs,
        "silences": counters.silences,
        "checksums": {"verified": counters.checksums_verified, "failed": counters.checksums_failed},
    }


async def _listen(task: RecordTask) -> None:
    await task.connection.run()
    task.end("market ended")


async def _end_after(task: RecordTask, for_s: float) -> None:
    await asyncio.sleep(for_s)
    task.end("time limit reached")
