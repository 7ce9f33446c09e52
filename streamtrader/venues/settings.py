"""The limits of a connection, in one place: whoever runs one may set them, nobody may lift them."""

from __future__ import annotations

from dataclasses import dataclass

from streamtrader.errors import ConfigError
from streamtrader.venues.venue import Overlap, Venue


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Limits on everything that the outside world could stretch."""

    connect_timeout_s: float = 10.0
    silence_s: float | None = None  # None: the venue's own
    frame_bytes_most: int | None = None  # None: the venue's own
    backlog_bytes_most: int = 16 << 20
    body_bytes_most: int = 8 << 20
    rest_timeout_s: float = 20.0
    backoff_base_s: float = 0.25
    backoff_cap_s: float = 60.0
    steady_s: float = 20.0  # a link that lasted so long forgives the failures before it
    watch_s: float = 0.05
    connections: int = 1  # 2: hedged, the first arrival of each message counts
    overlap_s: float = 5.0  # so long both links of a rotation are kept; no message of the old one is later than that
    overlap_most_s: float = 60.0
    hold_s: float = 2.0  # how long a message waits for what another link should bring before it

    def check(self, venue: Venue) -> None:
        """`ConfigError` where a venue cannot be connected to in this way."""
        if self.connections > 1 and venue.overlap is not Overlap.MERGE:
            raise ConfigError(
                f"venue.connections: what two {venue.name} connections bring cannot be made one by the venue's numbers; "
                "set it to 1. `streamtrader venues` lists those that can be hedged."
            )
