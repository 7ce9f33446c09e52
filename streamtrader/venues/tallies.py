"""What a connection counts of itself."""

from __future__ import annotations

from dataclasses import dataclass

TOLD = (
    "connects", "connect_failures", "disconnects", "silences", "rotations", "delayed", "conflated", "oversized",
    "overflows", "duplicates", "misfits", "held", "forced", "clock_jumps", "clock_ahead_ns", "snapshots_failed",
)  # fmt: skip


@dataclass(slots=True)
class ConnectionCounters:
    """For metrics; only ever growing but `state`, `last_error`, `backlog_bytes`, `links_open` and `clock_ahead_ns`."""

    state: str = "closed"
    links_open: int = 0
    connects: int = 0
    connect_failures: int = 0
    disconnects: int = 0
    silences: int = 0
    rotations: int = 0
    received_bytes: int = 0
    delayed: int = 0  # frames that had to wait for room
    conflated: int = 0  # best quotes that were old before there was room for them
    pauses: int = 0
    oversized: int = 0  # frames with more rows than the whole ring: dropped, the books in them show a gap
    overflows: int = 0  # links ended because more came after the pause than can be kept
    backlog_bytes: int = 0
    duplicates: int = 0  # messages of one link that another had brought before
    misfits: int = 0  # of those, book messages with other boundaries than the other link's
    held: int = 0  # messages that waited for what another link should bring before them
    forced: int = 0  # times that it did not come
    clock_jumps: int = 0
    clock_ahead_ns: int = 0  # of the wall clock, which jumped; see venues/clock.py
    snapshots_requested: int = 0
    snapshots_failed: int = 0
    last_error: str = ""

    def as_dict(self) -> dict[str, int]:
        """What was lost, delayed, repeated or replaced, for the document of a session."""
        return {name: getattr(self, name) for name in TOLD}
