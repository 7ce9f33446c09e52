"""One connection of a capture, played again: the adapter that a live session would have had, and its calls in order.

Every connection has an adapter of its own, with its own list of instruments; what it writes gets the numbers that the
instruments have on the tape. The same symbol on two connections (spot and linear, say) is two instruments, unless
both are of one market: then the one that carries the book says how the book is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import parse_qs, urlsplit

import numpy as np

from streamtrader.errors import MarketFileError
from streamtrader.events import BookState
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring
from streamtrader.runtime.survey import Stream
from streamtrader.storage.raw_lines import Note
from streamtrader.venues.listing import Scanner
from streamtrader.venues.venue import Counters, SnapshotRequest

OK = 200


class CaptureSession:
    """`instruments` are those of the tape; `speaks_of_books` is False where another connection has all its books."""

    def __init__(
        self,
        stream: Stream,
        instruments: Sequence[Instrument],
        ring: Ring,
        *,
        scanner: Scanner | None,
        speaks_of_books: bool,
    ) -> None:
        assert stream.listing is not None
        places = {(each.venue, each.kind, each.symbol): index for index, each in enumerate(instruments)}
        self._numbers = np.array([places[key] for key in stream.identities()], np.uint32)
        self._is_renumbered = self._numbers.tolist() != list(range(len(self._numbers)))
        own = [instruments[number] for number in self._numbers.tolist()]
        self.venue = stream.listing.make_for_capture(
            own, stream.kind, has_books=stream.has_books, channels=stream.channels, scanner=scanner
        )
        self.ring = ring
        self.is_linked = False
        self._speaks_of_books = speaks_of_books
        self._waiting: list[SnapshotRequest] = []

    @property
    def counters(self) -> Counters:
        return self.venue.counters

    def connect(self, received_ns: int) -> None:
        if self.is_linked:
            self.disconnect(received_ns)
        self.is_linked = True
        self._about_books(lambda: self.venue.connected(received_ns, self.ring))

    def disconnect(self, received_ns: int) -> None:
        self.is_linked = False
        self._waiting.clear()
        self._about_books(lambda: self.venue.disconnected(received_ns, self.ring))

    def turn_to(self, link: int) -> None:
        self.venue.turn_to(link)

    def leave(self, link: int, heir: int, received_ns: int) -> None:
        start = self.ring.written
        self.venue.left(link, heir, received_ns, self.ring)
        if self._is_renumbered:
            self._renumber(start)

    def decode(self, frame: bytes, received_ns: int) -> None:
        start = self.ring.written
        self.venue.decode(frame, received_ns, self.ring)
        if self._is_renumbered:
            self._renumber(start)

    def respond_to_only(self, body: bytes, received_ns: int) -> bool:
        """An answer that does not say whose it is belongs to the one that is waited for; False where that is unclear."""
        self._waiting += self.venue.requests()
        if len(self._waiting) != 1:
            return False
        self._respond(self._waiting.pop(), OK, body, received_ns)
        return True

    def respond_to_url(self, url: str, body: bytes, received_ns: int) -> bool:
        """The body of a REST answer belongs to the request with its path and symbol."""
        self._waiting += self.venue.requests()
        asked = _place_of(url)
        for request in self._waiting:
            if _place_of(request.path) == asked:
                self._waiting.remove(request)
                self._respond(request, OK, body, received_ns)
                return True
        return False

    def respond_to_note(self, note: Note, body: bytes) -> None:
        """A recording of ours names the book that asked."""
        request = SnapshotRequest(self._named_in(note), note.symbol, note.path, 0)
        self._respond(request, note.status, body, note.received_ns)

    def renew(self, note: Note) -> None:
        """The engine began a book anew at this place."""
        instrument = self._named_in(note)
        self._about_books(lambda: self.venue.renew(instrument, note.received_ns, self.ring))

    def _named_in(self, note: Note) -> int:
        symbols = [each.symbol for each in self.venue.instruments]
        if note.symbol not in symbols:
            raise MarketFileError(f"a note about {note.symbol[:40]!r}, which the recording does not list")
        return symbols.index(note.symbol)

    def books_not_live(self) -> list[str]:
        return [
            instrument.symbol
            for index, instrument in enumerate(self.venue.instruments)
            if self._speaks_of_books and self.venue.book_state(index) != BookState.LIVE
        ]

    def _respond(self, request: SnapshotRequest, status: int, body: bytes, received_ns: int) -> None:
        start = self.ring.written
        self.venue.respond(request, status, body, received_ns, self.ring)
        if self._is_renumbered:
            self._renumber(start)

    def _about_books(self, call: Callable[[], None]) -> None:
        start = self.ring.written
        call()
        if not self._speaks_of_books:
            self.ring.written = start
        elif self._is_renumbered:
            self._renumber(start)

    def _renumber(self, start: int) -> None:
        for events in self.ring.slices(start, self.ring.written):
            events["instrument"] = self._numbers[events["instrument"]]


def _place_of(url: str) -> tuple[str, str]:
    """Path and symbol of a request; whoever fetched it may have asked for another depth."""
    parts = urlsplit(url)
    return parts.path, parse_qs(parts.query).get("symbol", [""])[0]
