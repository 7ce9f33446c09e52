"""Books rebuilt from the rows of a ring with two dictionaries, and what must be true of them."""

from __future__ import annotations

from streamtrader.events import MORE, Kind
from streamtrader.kernel.ring import Ring


class Rebuilt:
    """The books of all instruments, as whoever reads the rows has them."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self.at = ring.written
        self.books: dict[int, tuple[dict, dict]] = {}
        self.depth_most = 0
        self.crossed = 0  # messages after which a book was crossed

    def take(self) -> None:
        """The rows since the last call."""
        events = self.ring.events[self.at : self.ring.written]
        self.at = self.ring.written
        for event in events[(events["kind"] == Kind.BOOK) | (events["kind"] == Kind.BOOK_CLEAR)]:
            book = self.books.setdefault(int(event["instrument"]), ({}, {}))
            if event["kind"] == Kind.BOOK_CLEAR:
                book[0].clear()
                book[1].clear()
            elif event["b"]:
                book[event["side"]][float(event["a"])] = float(event["b"])
            else:
                book[event["side"]].pop(float(event["a"]), None)
            if not event["flags"] & MORE:
                self.crossed += bool(book[0] and book[1]) and max(book[0]) >= min(book[1])
                self.depth_most = max(self.depth_most, *map(len, book))


def rows_of(ring: Ring, instrument: int) -> list[bytes]:
    """The rows of one instrument, byte by byte."""
    events = ring.events[: ring.written]
    return [event.tobytes() for event in events[events["instrument"] == instrument]]
