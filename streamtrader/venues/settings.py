"""The limits of a connection, in one place: whoever runs one may set them, nobody may lift them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Limits on everything that the outside world could stretch."""

    connect_timeout_s: float = 10.0
    silence_s: float | None = None  # None: the venue's own
    frame_bytes_most: int = 1 << 20
    backlog_bytes_most: int = 16 << 20
    body_bytes_most: int = 8 << 20
    rest_timeout_s: float = 20.0
    backoff_base_s: float = 0.25
    backoff_cap_s: float = 60.0
    steady_s: float = 20.0  # a link that lasted so long forgives the failures before it
    watch_s: float = 0.05
