"""Where a recording goes: one tape, or a folder of segments, and the raw frames beside either."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from streamtrader.errors import ConfigError, DiskFull, StorageError
from streamtrader.events import Kind
from streamtrader.storage.raw_frames import SUFFIX, Entry, FrameLog, RawWriter
from streamtrader.storage.raw_lines import header_text
from streamtrader.storage.recording import RAW, TAPE, Recording, is_full
from streamtrader.storage.segments import RawSegments, SegmentLimits, TapeSegments
from streamtrader.storage.tape import TapeWriter

if TYPE_CHECKING:
    from streamtrader.kernel.ring import Ring
    from streamtrader.runtime.setup import Feed
    from streamtrader.storage.tape_layout import Slots

FLUSH_EVERY_S = 1.0  # a zstd frame of a tenth of a second would be a third larger than one of a second


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """What `record` is asked for. With `limits` the output is a folder of segments, else one file."""

    out: Path
    is_raw: bool = False
    limits: SegmentLimits | None = None
    for_s: float | None = None
    max_events: int | None = None


class RecordFiles:
    """Tape and raw frames of one recording. `write` and `close` may block: they belong into a thread."""

    def __init__(self, options: RecordOptions, feed: Feed, ring: Ring) -> None:
        self.options = options
        self.log = FrameLog(ring, is_stamped=feed.adapter.is_stamped) if options.is_raw else None
        self.recording: Recording | None = None
        self.tape: TapeWriter | TapeSegments
        self.raw: RawWriter | RawSegments | None = None
        self._counts = np.zeros(256, np.int64)  # of what was written, by kind
        metadata = {"venue": feed.label, "market": feed.market}
        header = header_text(feed.instruments, getattr(feed.adapter, "channels", ()))
        out, limits = options.out, options.limits
        if limits is not None:
            self.recording = Recording.open(out, feed.instruments, metadata)
            self.tape = TapeSegments(self.recording, metadata, limits)
            self.raw = RawSegments(self.recording, header, limits) if options.is_raw else None
            return
        if out.is_dir():
            raise ConfigError(f"{out} is a folder: give --segment-mib or --segment-minutes to record into it")
        with contextlib.ExitStack() as undo:
            self.tape = TapeWriter.create(out, feed.instruments, metadata)
            undo.callback(out.unlink, missing_ok=True)
            undo.callback(self.tape.close)
            if options.is_raw:
                self.raw = RawWriter.create(raw_path(out), header)
            undo.pop_all()

    @property
    def event_count(self) -> int:
        return self.tape.event_count

    def write(self, parts: Sequence[Slots], heard: Sequence[Entry], *, is_flushed: bool) -> None:
        """Frames before events: what is on the tape is in the frames too, but for what waits for `is_flushed`."""
        if self.raw is not None and self.log is not None:
            self.raw.append(self.log.items(heard))
            if is_flushed:
                self.raw.sync()
        for part in parts:
            self.tape.append(part)
            self._counts += np.bincount(part["kind"], minlength=256)
        if parts:
            self.tape.sync()

    def close(self, ended: str, failure: StorageError | None) -> None:
        """End all files. After a failure what is whole is kept and vouched for, and the failure is raised."""
        errors = [failure] if failure is not None else []
        if failure is not None and self.recording is not None:
            self.recording.give_reserve()
        for output in (self.raw, self.tape):
            try:
                if isinstance(output, TapeSegments | RawSegments):
                    output.close(ended)
                elif output is not None:
                    output.close()
            except StorageError as error:
                errors.append(error)
        if self.recording is not None:
            try:
                self.recording.close(ended)
            except StorageError as error:
                errors.append(error)
        if errors:
            raise self._told(errors[0]) from errors[0]

    def _told(self, error: StorageError) -> StorageError:
        kept = f"what was recorded until then is whole: {self.event_count:,} events in {self.options.out}"
        if is_full(error):
            return DiskFull(f"{error} The recording has stopped; {kept}.")
        return StorageError(f"{error} The recording has stopped; {kept}.")

    def as_dict(self) -> dict[str, Any]:
        """What was written, for the result document."""
        told: dict[str, Any] = {"tape": str(self.options.out), "events": self.event_count}
        told["events_by_kind"] = {kind.name.lower(): int(self._counts[kind]) for kind in Kind if self._counts[kind]}
        if self.recording is not None:
            kinds = [entry["kind"] for entry in self.recording.segments]
            told |= {"segments": kinds.count(TAPE), "raw_segments": kinds.count(RAW)}
            told |= {"recovered": self.recording.recovered}
        elif self.raw is not None:
            told["raw"] = str(raw_path(self.options.out))
        if self.log is not None and self.raw is not None:
            told |= {"raw_lines": self.raw.line_count, "raw_frames_lost": self.log.lost}
        return told


def raw_path(tape: Path) -> Path:
    """Where the raw frames of a single tape go: `day.tape` has `day.raw.zst`."""
    return tape.with_name(tape.name.removesuffix(".tape") + SUFFIX)
