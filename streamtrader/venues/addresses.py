"""Whose turn it is among the addresses of a venue, and which of them refuse to serve this country (HTTP 451).

A venue that may not serve a country says so at some addresses, and serves market data at others. So a refusal moves on
to the next address at once; only when the last one has refused too is the venue out of reach from here.
"""

from __future__ import annotations

from collections.abc import Sequence

from streamtrader.errors import VenueRestricted
from streamtrader.venues.venue import Endpoints

RESTRICTED = 451


class Addresses:
    """One for the life of a connection object."""

    def __init__(self, venue: str, endpoints: Sequence[Endpoints]) -> None:
        self._venue = venue
        self._endpoints = tuple(endpoints)
        self._refused: set[int] = set()
        self._turn = 0

    @property
    def current(self) -> Endpoints:
        return self._endpoints[self._turn % len(self._endpoints)]

    @property
    def is_restricted(self) -> bool:
        """Every address has refused since one last served."""
        return len(self._refused) == len(self._endpoints)

    def serves(self) -> None:
        """The current one answered with a stream."""
        self._refused.clear()

    def fail(self, status: int = 0) -> bool:
        """The current one failed: the next one's turn. Whether to go there at once."""
        if status == RESTRICTED:
            self._refused.add(self._turn % len(self._endpoints))
        self._turn += 1
        return status == RESTRICTED and not self.is_restricted

    def restriction(self) -> VenueRestricted:
        """What to tell when `is_restricted`."""
        return VenueRestricted(self._venue, [endpoint.stream for endpoint in self._endpoints])
