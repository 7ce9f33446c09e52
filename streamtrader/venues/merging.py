"""Several links that bring the same market become one stream: the first arrival counts, what comes again is dropped.

It serves two duties with one rule. Hedging: two links for the whole session, and the death of one loses nothing.
Rotation: a second link for some seconds, so that the old one can be closed without a gap.

The rule stands on two facts: a link brings the messages of one stream in their order, and the venue numbers them alike
on all links (`Venue.place_of`; a venue that does not is never merged). So a stream is whole up to the newest number that
went through, and a link may add to it once it *overlaps*: its first message of that stream begins at or before the
newest. A message that begins beyond it would leave a hole of what the other link still brings. It is held, with all
that its link brings behind it, until the other link has come so far, has ended, or has had its time (`is_due`).

    message of a link                                     becomes
    ----------------------------------------------------  ---------------------------------------------------
    without a place (notices, candles that still form)    passed: the adapter knows what to make of it
    a number that went through before                     dropped, `duplicates`
    next, of a link that overlaps                         passed
    begins beyond the newest, others may fill the hole    held
    a book's message that begins before the newest and
      ends beyond it: other boundaries than the other's   dropped, `misfits`; the other link brings it in its own
    a number below those that the same link brought       passed: the venue counts anew, or repeats what is long ago
    a snapshot that the adapter waits for                 passed: the stream begins there, for all links
    any other snapshot                                    as its number says: it tells where its link begins
    the newest number, told again by the same link        passed, where a venue does so (`Place.can_repeat`)

What goes through is one stream in one order. Adapter, tape and raw recording see it alone, and so they agree. Pure: no
socket, and it is told the time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from streamtrader.venues.venue import Place

RECENT = 1_024  # numbers of a stream that are known by heart: one counted anew is told apart from one told again
HELD_BYTES_MOST = 16 << 20


class Held(NamedTuple):
    """A message that waits for another link."""

    frame: bytes
    place: Place | None
    since_s: float


class _Stream:
    """What went through of one stream."""

    __slots__ = ("newest", "recent")

    def __init__(self) -> None:
        self.newest = -1
        self.recent: dict[int, None] = {}

    def passed(self, number: int) -> None:
        self.newest = number
        self.recent[number] = None
        if len(self.recent) > RECENT:
            del self.recent[next(iter(self.recent))]


class _Feed:
    """One link: how far it has come in each stream that it overlaps. `is_whole`: it was there before all others."""

    __slots__ = ("held", "held_bytes", "is_whole", "positions")

    def __init__(self, *, is_whole: bool) -> None:
        self.is_whole = is_whole
        self.positions: dict[str, int] = {}
        self.held: deque[Held] = deque()
        self.held_bytes = 0


class Merger:
    """`open` and `close` links by a number, `take` what they bring; each answers with the messages to decode now."""

    def __init__(self, place_of: Callable[[bytes], Place | None], needs: Callable[[Place], bool]) -> None:
        self._place_of = place_of
        self._needs = needs
        self._begun: set[str] = set()  # streams whose snapshot was passed, and is not decoded yet
        self._streams: dict[str, _Stream] = {}
        self._feeds: dict[int, _Feed] = {}
        self.duplicates = 0
        self.misfits = 0
        self.held = 0  # messages that had to wait for another link, ever
        self.forced = 0  # of those, passed without an overlap: a hole that nobody filled

    def open(self, link: int) -> None:
        self._feeds[link] = _Feed(is_whole=not self._feeds)

    def close(self, link: int) -> list[bytes]:
        """The link is gone. What it held and no other brings is dropped with it; others may go on without it."""
        self._begun.clear()
        feed, passed = self._feeds.pop(link), []
        if not self._feeds:
            passed = self._forced(feed)
            self._streams.clear()
        elif feed.is_whole and not any(other.is_whole for other in self._feeds.values()):
            next(iter(self._feeds.values())).is_whole = True
        return passed + self._settled()

    def is_holding(self, link: int) -> bool:
        return bool(self._feeds[link].held)

    def is_level(self) -> bool:
        """Whether one link is left, and has come as far as those that are gone wherever it has said anything."""
        streams, feeds = self._streams, self._feeds.values()
        return len(feeds) <= 1 and all(
            streams[name].newest == position for feed in feeds for name, position in feed.positions.items()
        )

    def take(self, link: int, frames: list[bytes], now_s: float) -> list[bytes]:
        passed: list[bytes] = []
        self._begun.clear()
        feed = self._feeds[link]
        for frame in frames:
            place = self._place_of(frame)
            if feed.held or self._must_wait(feed, place):
                self.held += 1
                feed.held.append(Held(frame, place, now_s))
                feed.held_bytes += len(frame)
            elif self._is_news(feed, place):
                passed.append(frame)
        return passed + self._settled() if len(self._feeds) > 1 or feed.held else passed

    def due(self, now_s: float, most_s: float) -> list[bytes]:
        """What has waited for so long that the other link will not bring what lies before it."""
        passed = []
        self._begun.clear()
        for feed in self._feeds.values():
            if feed.held and (now_s - feed.held[0].since_s > most_s or feed.held_bytes > HELD_BYTES_MOST):
                passed += self._forced(feed)
        return passed + self._settled() if passed else passed

    # How it is decided.

    def _must_wait(self, feed: _Feed, place: Place | None) -> bool:
        """Whether another link may still bring what lies before this message."""
        if place is None or len(self._feeds) == 1 or self._is_wanted(place):
            return False
        stream, own = self._streams.get(place.stream), feed.positions.get(place.stream)
        if own is None:
            return not feed.is_whole if stream is None else place.after > stream.newest
        if place.is_chained and own < place.last and stream is not None and place.after > stream.newest:
            del feed.positions[place.stream]  # this link has a hole: it overlaps no more
            return True
        return False

    def _is_news(self, feed: _Feed, place: Place | None) -> bool:
        """Whether to pass a message that need not wait."""
        if place is None:
            return True
        name, number = place.stream, place.last
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = _Stream()
        if self._is_wanted(place):
            self._begin(feed, place)
            return True
        own = feed.positions.get(name, -1)
        feed.positions[name] = number
        if place.can_repeat and own == number == stream.newest:
            return True
        if number in stream.recent or own < number <= stream.newest:
            self.duplicates += 1
            return False
        if place.is_chained and place.after < stream.newest < number and len(self._feeds) > 1:
            self.misfits += 1
            feed.positions[name] = own
            return False
        stream.passed(number)
        return True

    def _is_wanted(self, place: Place) -> bool:
        return place.is_snapshot and place.stream not in self._begun and self._needs(place)

    def _begin(self, feed: _Feed, place: Place) -> None:
        """All links have yet to come to where a stream begins anew, but the one that brought it."""
        for other in self._feeds.values():
            other.positions.pop(place.stream, None)
        feed.positions[place.stream] = place.last
        stream = self._streams[place.stream] = _Stream()
        stream.passed(place.last)
        self._begun.add(place.stream)

    def _settled(self) -> list[bytes]:
        """Release what needs to wait no more, and one message where all links wait for each other."""
        passed: list[bytes] = []
        feeds = self._feeds.values()
        while True:
            count = len(passed)
            for feed in feeds:
                while feed.held and not self._must_wait(feed, feed.held[0].place):
                    self._release(feed, passed)
            if len(passed) > count:
                continue
            if not feeds or not all(feed.held for feed in feeds):
                return passed
            oldest = min(feeds, key=lambda feed: feed.held[0].since_s)
            self.forced += 1
            self._release(oldest, passed)

    def _forced(self, feed: _Feed) -> list[bytes]:
        """Everything that a link held, whatever lies before it."""
        passed: list[bytes] = []
        if feed.held:
            self.forced += 1
        while feed.held:
            self._release(feed, passed)
        return passed

    def _release(self, feed: _Feed, passed: list[bytes]) -> None:
        frame, place, _ = feed.held.popleft()
        feed.held_bytes -= len(frame)
        if self._is_news(feed, place):
            passed.append(frame)
