"""Keeps one symbol's depth messages in sequence: what may reach the ring, what waits, what is thrown away.

A depth message covers the updates `(after, last]`: everything later than `after`, up to and including `last`.
That is the common form of the venues' rules (spot: after = U - 1; USD-M: after = pu). `last` of the book is the
newest update that it holds. From there:

    state    event                                          becomes  and
    ------   ---------------------------------------------  -------  ------------------------------------------
    any      link connected                                 SYNCING  forget what was kept, want a snapshot
    any      link lost                                      STALE
    SYNCING  message that follows the one kept last         SYNCING  keep it
    SYNCING  message that leaves a hole, or too many kept   SYNCING  forget what was kept, begin with this one
    SYNCING  snapshot older than the first one kept         SYNCING  want another snapshot
    SYNCING  snapshot                                       LIVE     write it, then what was kept and is newer
    LIVE     message with after == last                     LIVE     commit it: last is its last
    LIVE     the first after a snapshot, after <= last      LIVE     commit it (it may begin before the snapshot)
    LIVE     message with last <= the book's                LIVE     ignore it
    LIVE     any other                                      GAP      keep it, then SYNCING, want a snapshot
    LIVE     nothing for too long                           STALE    then SYNCING, want a snapshot
    LIVE     message that cannot be read                    GAP      then SYNCING, want a snapshot

A message that lies far below the book, or a long run of such, is no repetition: the venue has started to count
anew, and that is a gap. Every change of state is a LINK event in the ring; a snapshot, what was kept behind it
and the LINK that ends it are one message, so nobody decides on a half-built book. CROSSED is found by the book
itself, in the kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from streamtrader.events import ASK, BID, EVENT, MORE, BookState, Kind
from streamtrader.kernel.ring import Ring
from streamtrader.venues.venue import Counters

MESSAGES_KEPT = 1_000  # 100 s of a 100 ms stream
ROWS_KEPT = 16_384
REPEATED_RUN = 100  # so many messages from the past in a row are no repetition any more

# Words of a book's place: its last update, the same while the next must follow it, or -1, and when it last heard.
NEWEST, EXPECTED, HEARD = 0, 1, 2
PLACE_WORDS = 3

Levels = Sequence[tuple[float, float]]
Rows = np.ndarray[Any, np.dtype[Any]]


class Kept(NamedTuple):
    """A depth message that waits for the snapshot."""

    after: int
    last: int
    rows: Rows


class BookSync:
    """The state of one symbol's book as its venue sends it.

    `place` is its three words of memory, which a compiled scanner may share: it commits by itself the message that
    follows, and moves all three; every other message comes here.
    """

    __slots__ = ("counters", "instrument", "is_asked", "is_first", "is_wanted", "kept", "place", "repeated", "repeated_at", "rows_kept", "state")  # fmt: skip

    def __init__(self, instrument: int, counters: Counters, place: memoryview[int] | None = None) -> None:
        self.instrument = instrument
        self.counters = counters
        self.state = BookState.STALE
        self.place = np.zeros(PLACE_WORDS, np.int64).data if place is None else place
        self.place[EXPECTED] = -1
        self.is_first = False  # the next message is the first one after a snapshot
        self.is_wanted = False
        self.is_asked = False
        self.repeated = self.repeated_at = 0
        self.kept: list[Kept] = []
        self.rows_kept = 0

    @property
    def last(self) -> int:
        """The newest update that the book holds."""
        return self.place[NEWEST]

    def connect(self, received_ns: int, ring: Ring) -> None:
        """Start anew. A `received_ns` of 0 means that the market's clock is not known yet: nothing is written."""
        self._forget()
        self.is_wanted, self.is_asked = True, False
        self.counters.resyncs += self.last > 0
        self.become(BookState.SYNCING, received_ns, ring)

    def disconnect(self, received_ns: int, ring: Ring) -> None:
        """The link is lost; whoever fetched a snapshot gives up with it."""
        self._forget()
        self.is_wanted = self.is_asked = False
        if self.state != BookState.STALE:
            self.become(BookState.STALE, received_ns, ring)

    def offer(self, after: int, last: int, rows: int, received_ns: int, ring: Ring) -> None:
        """Decide about a message whose `rows` lie behind the end of the ring, written but not committed."""
        self.place[HEARD] = received_ns
        if self.state == BookState.LIVE:
            if after == self.last or (self.is_first and after <= self.last < last):
                self._follow(last)
                ring.written += rows
                self.counters.levels += rows
                return
            if self._is_repeated(last, self.last):
                return
            message = self._taken(after, last, rows, ring)
            self._lose_sequence(received_ns, ring)
            self._keep(message)
        elif self.state == BookState.SYNCING:
            self._keep(self._taken(after, last, rows, ring))

    def snapshot(self, update: int, venue_ns: int, received_ns: int, bids: Levels, asks: Levels, ring: Ring) -> None:
        """Take a snapshot that covers everything up to `update`, and become LIVE when it fits what was kept."""
        self.is_asked = False
        if self.state != BookState.SYNCING:
            return
        newer = [message for message in self.kept if message.last > update]
        if newer and newer[0].after > update:
            self.is_wanted = True
            self.counters.snapshots_early += 1
            return
        header = (0, MORE, venue_ns, received_ns)
        ring.write(Kind.BOOK_CLEAR, self.instrument, *header, id=update)
        for side, levels in ((BID, bids), (ASK, asks)):
            header = (side, MORE, venue_ns, received_ns)
            for price, size in levels:
                ring.write(Kind.BOOK, self.instrument, *header, price, size, id=update)
        for message in newer:
            message.rows["received_ns"] = received_ns  # nobody could use them before the snapshot came
            message.rows["flags"] |= MORE
            _append(ring, message.rows)
        self.counters.clears += 1
        self.counters.snapshots += 1
        self.counters.levels += len(bids) + len(asks) + sum(len(message.rows) for message in newer)
        self.place[NEWEST] = newer[-1].last if newer else update
        self._forget()
        self.place[HEARD] = received_ns
        self.become(BookState.LIVE, received_ns, ring)
        self._follow(self.last, is_first=not newer)

    def lose(self, received_ns: int, ring: Ring) -> None:
        """A message of this book could not be read: it is missing. At most 2 rows, none where it was not LIVE."""
        if self.state == BookState.LIVE:
            self._lose_sequence(received_ns, ring)

    def fall_silent(self, received_ns: int, ring: Ring) -> None:
        """Nothing was heard for too long while the link lives: stale until a new snapshot. 2 rows."""
        self.counters.silences += 1
        self.counters.resyncs += 1
        self.is_wanted = True
        self.become(BookState.STALE, received_ns, ring)
        self.become(BookState.SYNCING, received_ns, ring)

    def refuse(self) -> None:
        """The snapshot asked for did not come: it is wanted again, unless the link is gone."""
        self.is_asked = False
        self.is_wanted = self.state == BookState.SYNCING

    def become(self, state: BookState, received_ns: int, ring: Ring) -> None:
        self.state = state
        self.place[EXPECTED] = -1
        if received_ns == 0:
            return
        self.counters.links += 1
        ring.write(Kind.LINK, self.instrument, 0, 0, 0, received_ns, float(state), id=self.last)

    def _follow(self, last: int, *, is_first: bool = False) -> None:
        """The book holds everything up to `last`; what the first message after a snapshot may be is for `offer`."""
        self.place[NEWEST], self.place[EXPECTED] = last, -1 if is_first else last
        self.is_first, self.repeated = is_first, 0

    def _lose_sequence(self, received_ns: int, ring: Ring) -> None:
        self.counters.gaps += 1
        self.counters.resyncs += 1
        self.repeated = 0
        self.is_wanted = True
        self.become(BookState.GAP, received_ns, ring)
        self.become(BookState.SYNCING, received_ns, ring)

    def _is_repeated(self, last: int, newest: int) -> bool:
        """Whether a message tells nothing new, rather than that the venue counts anew."""
        if newest != self.repeated_at:  # something new came between
            self.repeated, self.repeated_at = 0, newest
        if last > newest or last < newest // 2 or self.repeated >= REPEATED_RUN:
            return False
        self.repeated += 1
        self.counters.repeated += 1
        return True

    def _taken(self, after: int, last: int, rows: int, ring: Ring) -> Kept:
        parts = ring.slices(ring.written, ring.written + rows)
        return Kept(after, last, np.concatenate(parts) if parts else np.zeros(0, EVENT))

    def _keep(self, message: Kept) -> None:
        if self.kept and message.after != self.kept[-1].last:
            if self._is_repeated(message.last, self.kept[-1].last):
                return
            self._forget()
            self.counters.gaps += 1
            self.counters.resyncs += 1
        self.repeated = 0
        if len(self.kept) >= MESSAGES_KEPT or self.rows_kept + len(message.rows) > ROWS_KEPT:
            self._forget()
            self.counters.overflows += 1
            self.counters.resyncs += 1
        self.kept.append(message)
        self.rows_kept += len(message.rows)

    def _forget(self) -> None:
        self.kept = []
        self.rows_kept = 0


def _append(ring: Ring, rows: Rows) -> None:
    """Copy rows behind the end of the ring, around its edge where need be."""
    done = 0
    for part in ring.slices(ring.written, ring.written + len(rows)):
        part[:] = rows[done : done + len(part)]
        done += len(part)
    ring.written += len(rows)
