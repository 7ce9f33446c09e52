"""One symbol's book whose snapshot comes in the stream itself: what may reach the ring, and when to ask again.

The adapter reads and proves a message (sequence, checksum), the book decides what becomes of it:

    state    event                                    becomes  and
    ------   ---------------------------------------  -------  ---------------------------------------------------
    any      link connected                           SYNCING  the subscription itself brings the snapshot
    any      link lost                                STALE
    any      snapshot                                 LIVE     write BOOK_CLEAR, its levels and the LINK as one message
    LIVE     delta that follows                       LIVE     write it
    LIVE     delta that tells nothing new             LIVE     ignore it
    LIVE     hole, failed checksum, unreadable delta  GAP      then SYNCING, ask for this symbol's book again
    LIVE     nothing for too long                     STALE    ask again; deltas count only after the snapshot
    SYNCING  delta                                    SYNCING  ignore it: a snapshot follows
    SYNCING  nothing for too long                     SYNCING  ask again

A delta is proved before its first row is written, so the tape holds nothing that was not proved. A book that fails
again soon after it was asked for waits longer each time: a venue that cannot be understood is not hammered.
"""

from __future__ import annotations

from collections.abc import Sequence

from streamtrader.events import ASK, BID, MORE, BookState, Kind
from streamtrader.kernel.ring import Ring
from streamtrader.units import NS_PER_S
from streamtrader.venues.venue import Counters

ASK_AGAIN_NS, ASK_AGAIN_MOST_NS = NS_PER_S, 60 * NS_PER_S
STEADY_NS = 60 * NS_PER_S  # a book that was LIVE for so long has its failures forgiven
FEW_LEVELS = 4  # most messages; more are written at once
REPEATED_RUN = 100  # so many messages from the past in a row are no repetition any more

Levels = Sequence[tuple[float, float]]

_BOOK, _LIVE = int(Kind.BOOK), BookState.LIVE


class StreamedBook:
    """`last` is the update id that the book holds, 0 at a venue that numbers nothing."""

    __slots__ = (
        "ask_at_ns",
        "counters",
        "failures",
        "instrument",
        "last",
        "live_ns",
        "repeated",
        "since_ns",
        "state",
    )

    def __init__(self, instrument: int, counters: Counters) -> None:
        self.instrument = instrument
        self.counters = counters
        self.state = BookState.STALE
        self.last = 0
        self.live_ns = 0  # since when it is, or was, LIVE
        self.since_ns = 0  # since when it is in its state, or was last asked for because of silence
        self.ask_at_ns = 0  # when to ask for the book again; 0: no wish
        self.failures = 0
        self.repeated = 0

    def connect(self, received_ns: int, ring: Ring) -> None:
        """Start anew. A `received_ns` of 0 means that the market's clock is not known yet: nothing is written."""
        self.counters.resyncs += self.live_ns > 0
        self.ask_at_ns = 0
        self.become(BookState.SYNCING, received_ns, ring)

    def disconnect(self, received_ns: int, ring: Ring) -> None:
        self.ask_at_ns = 0
        if self.state != BookState.STALE:
            self.become(BookState.STALE, received_ns, ring)

    def snapshot(self, update: int, venue_ns: int, received_ns: int, bids: Levels, asks: Levels, ring: Ring) -> None:
        """Replace the whole book: `len(bids) + len(asks) + 2` rows. Levels are checked, sizes above zero."""
        ring.write(Kind.BOOK_CLEAR, self.instrument, 0, MORE, venue_ns, received_ns, id=update)
        for side, levels in ((BID, bids), (ASK, asks)):
            if levels:
                clocks = venue_ns, received_ns
                ring.write_levels(_BOOK, self.instrument, side, (MORE, MORE), clocks, levels, update)
        counters = self.counters
        counters.clears += 1
        counters.snapshots += 1
        counters.levels += len(bids) + len(asks)
        self.last, self.repeated, self.ask_at_ns = update, 0, 0
        if self.state is not _LIVE:
            self.live_ns = received_ns
        self.become(BookState.LIVE, received_ns, ring)

    def follows(self, after: int, last: int, received_ns: int, ring: Ring) -> bool:
        """Whether a delta that covers the updates `(after, last]` is the next one; a hole loses the book."""
        if self.state is not _LIVE:
            return False
        if after == self.last:
            self.repeated = 0
            return True
        if self.last // 2 <= last <= self.last and self.repeated < REPEATED_RUN:
            self.repeated += 1
            self.counters.repeated += 1
        else:
            self.lose(received_ns, ring)
        return False

    def delta(self, last: int, venue_ns: int, received_ns: int, bids: Levels, asks: Levels, ring: Ring) -> None:
        """Write the levels of a proved message: size 0 removes one. The caller has seen that the book is LIVE."""
        write, instrument = ring.write, self.instrument
        left = len(bids) + len(asks)
        self.counters.levels += left
        self.last = last
        if left > FEW_LEVELS:
            clocks = venue_ns, received_ns
            if bids:
                ring.write_levels(_BOOK, instrument, BID, (MORE, MORE if asks else 0), clocks, bids, last)
            if asks:
                ring.write_levels(_BOOK, instrument, ASK, (MORE, 0), clocks, asks, last)
            return
        for price, size in bids:
            left -= 1
            write(_BOOK, instrument, BID, MORE if left else 0, venue_ns, received_ns, price, size, 0.0, 0.0, last)
        for price, size in asks:
            left -= 1
            write(_BOOK, instrument, ASK, MORE if left else 0, venue_ns, received_ns, price, size, 0.0, 0.0, last)

    def lose(self, received_ns: int, ring: Ring) -> None:
        """An update is missing, or a message was proved wrong: at most 2 rows, none where the book was not LIVE."""
        if self.state is _LIVE:
            if received_ns - self.live_ns > STEADY_NS:
                self.failures = 0
            self.counters.gaps += 1
            self.counters.resyncs += 1
            self.become(BookState.GAP, received_ns, ring)
            self.become(BookState.SYNCING, received_ns, ring)
        self.wish(received_ns)

    def fall_silent(self, received_ns: int, ring: Ring) -> None:
        """Nothing was heard of it for too long: at most 1 row."""
        self.counters.silences += 1
        self.since_ns = received_ns
        if self.state is _LIVE:
            self.failures = 0
            self.counters.resyncs += 1
            self.become(BookState.STALE, received_ns, ring)
        self.wish(received_ns)

    def wish(self, received_ns: int) -> None:
        """Want this symbol's book anew: at once the first time, later and later while that does not help."""
        if self.ask_at_ns:
            return
        wait_ns = min(ASK_AGAIN_NS << (self.failures - 1), ASK_AGAIN_MOST_NS) if self.failures else 0
        self.failures = min(self.failures + 1, 32)
        self.ask_at_ns = max(received_ns, 1) + wait_ns

    def take_wish(self, now_ns: int) -> bool:
        """Whether to ask for the book now; a wish is taken once."""
        is_due = 0 < self.ask_at_ns <= now_ns
        if is_due:
            self.ask_at_ns = 0
        return is_due

    def become(self, state: BookState, received_ns: int, ring: Ring) -> None:
        self.state = state
        self.since_ns = received_ns
        if received_ns == 0:
            return
        self.counters.links += 1
        ring.write(Kind.LINK, self.instrument, 0, 0, 0, received_ns, float(state), id=self.last)
