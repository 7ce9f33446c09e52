"""The links of one route. They bring the same: as long as there is one it is the stream, several are made one.

How, is the venue's `Overlap`. Merging costs some microseconds a message. So it is done where there are two links; it
begins before the second one opens, so that it is known how far the first has come, and ends only when the one that is
left has come as far as the one that is gone. Relayed links are told apart by their `turns` alone: the adapter is told
whose turn it is, and makes one stream of them.
"""

from __future__ import annotations

from streamtrader.venues.links import Link
from streamtrader.venues.merging import Merger
from streamtrader.venues.tallies import ConnectionCounters
from streamtrader.venues.venue import Overlap, Venue


class Bundle:
    """`open` and `close` links by their numbers. While it `is_shared`, what they bring goes through `take`."""

    def __init__(self, venue: Venue, counters: ConnectionCounters) -> None:
        self.links: dict[int, Link] = {}
        self.turns: dict[int, int] = {}  # what the adapter calls each link: none twice while any of them stands
        self._venue = venue
        self._counters = counters
        self._merger: Merger | None = None
        self._wanted = 0
        self._alone_since_s = 0.0

    @property
    def is_shared(self) -> bool:
        return self._merger is not None

    def expect(self, count: int, now_s: float) -> None:
        """So many links there will be."""
        self._wanted, self._alone_since_s = count, now_s
        if count > 1 and self._venue.overlap is Overlap.MERGE and self._merger is None:
            self._merger = Merger(self._venue.place_of, self._venue.needs)
            for number in self.links:
                self._merger.open(number)

    def open(self, number: int, link: Link) -> None:
        if not self.links:
            self.turns.clear()
        self.turns[number] = len(self.turns)
        self.links[number] = link
        if self._merger is not None:
            self._merger.open(number)

    def close(self, number: int) -> list[bytes]:
        """A link has ended; what the others may tell now."""
        del self.links[number]
        return self._counted(self._merger.close(number)) if self._merger is not None else []

    @property
    def heir(self) -> int:
        """The newest link, which goes on where another has ended."""
        return max(self.links, key=self.turns.__getitem__)

    def is_holding(self, number: int) -> bool:
        """Whether what a link brought waits for another one."""
        return self._merger is not None and self._merger.is_holding(number)

    def take(self, number: int, frames: list[bytes], now_s: float) -> list[bytes]:
        """What becomes of the frames of a read of one link."""
        assert self._merger is not None
        return self._counted(self._merger.take(number, frames, now_s))

    def due(self, now_s: float, hold_s: float) -> list[bytes]:
        """What has waited for longer than `hold_s`."""
        return self._counted(self._merger.due(now_s, hold_s)) if self._merger is not None else []

    def settle(self, now_s: float, overlap_s: float) -> None:
        """Merge no more where one link has been alone for so long, and has come as far as those before it."""
        merger = self._merger
        if merger is not None and self._wanted <= 1 and now_s - self._alone_since_s > overlap_s and merger.is_level():
            self._merger = None

    def _counted(self, frames: list[bytes]) -> list[bytes]:
        merger, counters = self._merger, self._counters
        assert merger is not None
        counters.duplicates += merger.duplicates
        counters.misfits += merger.misfits
        counters.held += merger.held
        counters.forced += merger.forced
        merger.duplicates = merger.misfits = merger.held = merger.forced = 0
        return frames
