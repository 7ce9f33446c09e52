"""Raw frames beside a session: everything that came in, kept in `RUN/raw` without ever being in the session's way.

The session comes first. Frames are written by a thread; when the disk refuses, or would soon have no room for the
tape and the database, the raw recording ends with a line in the log and the session goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from typing import TYPE_CHECKING, Any

import structlog

from streamtrader.errors import DiskFull, StorageError
from streamtrader.storage.raw_frames import FrameLog
from streamtrader.storage.raw_lines import header_text
from streamtrader.storage.recording import Recording
from streamtrader.storage.segments import RawSegments, SegmentLimits

if TYPE_CHECKING:
    from pathlib import Path

    from streamtrader.kernel.ring import Ring
    from streamtrader.runtime.setup import Feed

WRITE_EVERY_S = 1.0
SEGMENT_BYTES = 256 << 20
KEPT_FREE_BYTES = 256 << 20  # left to the tape and the database
log = structlog.get_logger()


class RawRecorder:
    """`log` is the sink of the session's tap; `run` until `finish`."""

    def __init__(self, folder: Path, feed: Feed, ring: Ring, *, kept_free_bytes: int = KEPT_FREE_BYTES) -> None:
        metadata = {"venue": feed.label, "market": feed.market}
        self.recording = Recording.open(folder, feed.instruments, metadata)
        self.log = FrameLog(ring, is_stamped=feed.adapter.is_stamped)
        self.failure = ""
        header = header_text(feed.instruments, getattr(feed.adapter, "channels", ()))
        self._segments = RawSegments(self.recording, header, SegmentLimits(size_bytes=SEGMENT_BYTES))
        self._kept_free_bytes = kept_free_bytes
        self._finishing = asyncio.Event()

    def finish(self) -> None:
        self._finishing.set()

    async def run(self) -> None:
        """Write once a second until `finish`; never raises for the disk's sake."""
        ended = "session ended"
        try:
            while not self._finishing.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(WRITE_EVERY_S):
                        await self._finishing.wait()
                await asyncio.to_thread(self._write)
        except StorageError as error:
            self.log.is_closed = True
            self.failure = ended = str(error)
            log.error("raw frames are no longer recorded; the session goes on", why=str(error))
        await asyncio.to_thread(self._close, ended)

    def _write(self) -> None:
        heard = self.log.take()
        free_bytes = shutil.disk_usage(self.recording.folder).free
        if free_bytes < self._kept_free_bytes:
            raise DiskFull(
                f"{self.recording.folder}: {free_bytes >> 20} MiB are left on the disk, for tape and database"
            )
        self._segments.append(self.log.items(heard))
        self._segments.sync()

    def _close(self, ended: str) -> None:
        if self.failure:
            self.recording.give_reserve()
        for close in (self._segments.close, self.recording.close):
            try:
                close(ended)
            except StorageError as error:
                self.failure = self.failure or str(error)
                log.error("the raw recording could not be ended in order", why=str(error))

    def as_dict(self) -> dict[str, Any]:
        """For the result document of the session."""
        return {
            "folder": str(self.recording.folder),
            "lines": self._segments.line_count,
            "frames_lost": self.log.lost,
            "failure": self.failure,
        }
