"""What an adapter is: bytes in, events out, no socket and no clock, so that recorded frames are its tests.

One `Connection` runs any adapter. It calls `connected`, sends what `subscribe` says, then calls `decode` for every
frame, sends what `outgoing` asks for, fetches what `requests` asks for and hands the answers to `respond`, and calls
`disconnected` when the link is lost. The caller makes sure that the ring has room for `rows_of_frame` before a
frame, and for `rows_of_answer` before an answer.

Where the channels of a session come from several addresses, each of those `routes` has a link of its own, and all bring
their frames to the one adapter. `connected`, `disconnected`, `outgoing` and `requests` are about the first route: it
brings the books.

`decode` is a function of the frames and their clocks alone: what a live session put on its tape, an import of the
same frames puts there too. So even silence is judged by the clocks of frames, never by a timer.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from streamtrader.events import BookState
from streamtrader.instruments import Instrument
from streamtrader.kernel.ring import Ring


@dataclass(frozen=True, slots=True)
class Limits:
    """What the venue publishes about its connections; the connection keeps them, whatever goes wrong."""

    streams: int = 1024
    messages_per_s: float = 5.0
    messages_per_hour: int = 0  # over one connection, pings apart; 0: as many as there are seconds for
    connections: int = 300
    connections_window_s: float = 300.0
    rotate_after_s: float = 23.5 * 3600.0
    weight_per_minute: int = 1_200  # of REST requests: half of what is allowed, others may share the address
    silence_s: float = 25.0  # nothing for so long, not even a ping: the link is dead
    frame_bytes_most: int = 1 << 20  # of one message; the link that brings a larger one is ended


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a venue is reached: `wss://host` and `https://host`, without paths."""

    stream: str
    rest: str


class Route(NamedTuple):
    """One of the venue's addresses: path and query of its websocket, and the channels that come from there."""

    path: str
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SnapshotRequest:
    """A REST request that a book waits for; at most one a symbol is under way."""

    instrument: int
    symbol: str
    path: str
    weight: int


class Overlap(enum.Enum):
    """How two links to the venue can bring the same at one time.

    MERGE: its messages have numbers that are alike on all links (`Venue.place_of`), the first arrival of each counts.
    RELAY: they have none; each channel is told by one link, and a newer one takes over (`Venue.turn_to`).
    NONE: one link at a time.
    """

    NONE = "none"
    RELAY = "relay"
    MERGE = "merge"


class Ping(NamedTuple):
    """A message that keeps a quiet link alive, or that is answered where it lives."""

    message: bytes
    every_s: float


class Place(NamedTuple):
    """Where a message stands in its stream, by the venue's own numbers, which are the same on every connection.

    It tells of `(after, last]`; `after` equals `last` where the numbers have holes (best quotes). `is_chained`: the
    numbers have none, so what is missing is known (books). `is_quote`: it makes every earlier one of its stream old.
    `is_snapshot`: a stream of `instrument` begins with it, and can go on from it. `can_repeat`: several messages of one
    link may have this number; the adapter knows what is new in them.
    """

    stream: str
    after: int = 0
    last: int = 0
    is_chained: bool = False
    is_quote: bool = False
    is_snapshot: bool = False
    can_repeat: bool = False
    instrument: int = -1


class Ageing(NamedTuple):
    """A message that tells best quotes and nothing else: the next one of its `stream` makes it old.

    `rest` is what of it must be read all the same, where its link numbers its messages; nothing where it does not.
    """

    stream: str
    rest: bytes = b""


@dataclass(slots=True)
class Counters:
    """What an adapter has seen since it was made. Only ever growing, so that metrics can take differences."""

    frames: int = 0
    trades: int = 0
    quotes: int = 0
    levels: int = 0
    clears: int = 0
    links: int = 0
    candles: int = 0
    candles_missing: int = 0  # intervals that the venue never told of, found by the next candle that it told
    candles_late: int = 0  # told a second time, or after a later one: not written
    marks: int = 0
    liquidations: int = 0
    statuses: int = 0
    corrections: int = 0
    notices: int = 0  # heartbeats, acknowledgements, histories: understood, and nothing for the tape
    unknown: int = 0  # of a kind or a stream that nobody here knows
    rejected: int = 0  # of a known kind, but with values that cannot be true
    errors: int = 0  # the venue told us of an error
    faults: int = 0  # mistakes of the adapter itself: always 0, or there is a test missing
    handed_over: int = 0  # frames that the scanner left to the slow path
    gaps: int = 0
    checksums_verified: int = 0
    checksums_failed: int = 0
    silences: int = 0  # books and channels that said nothing for too long while the link lived
    resyncs: int = 0  # books that had to start again, for whatever reason
    repeated: int = 0  # depth messages and trades that told nothing new
    overflows: int = 0  # early depth messages outgrew their buffer
    snapshots: int = 0
    snapshots_failed: int = 0
    snapshots_early: int = 0  # older than the first delta kept: asked again
    last_error: str = ""

    def events(self) -> dict[str, int]:
        """Events written by kind."""
        return {
            "trade": self.trades,
            "quote": self.quotes,
            "book": self.levels,
            "book_clear": self.clears,
            "candle": self.candles,
            "link": self.links,
            "mark": self.marks,
            "liquidation": self.liquidations,
            "status": self.statuses,
            "correction": self.corrections,
        }


class Venue(abc.ABC):
    """The sans-I/O adapter of one venue for a fixed list of instruments.

    `is_stamped`: the market stamps its frames with its own receive time, and that replaces the wall clock.
    `wants_rotation`: the venue announced that it will end this connection.
    """

    name: str
    limits: Limits
    channels: tuple[str, ...]
    endpoints: tuple[Endpoints, ...]  # the first one that answers is used
    instruments: tuple[Instrument, ...]
    is_stamped: bool
    wants_rotation: bool
    overlap: Overlap = Overlap.NONE

    @property
    @abc.abstractmethod
    def counters(self) -> Counters: ...

    def decode_read(self, frames: Sequence[bytes], received_ns: int, ring: Ring) -> None:
        """Write the events of all frames of one read. The ring has room for as many rows as they have bytes."""
        for frame in frames:
            self.decode(frame, received_ns, ring)

    @property
    @abc.abstractmethod
    def routes(self) -> tuple[Route, ...]:
        """One, or several where one address does not serve all the channels."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What is said with the opening of the websocket; no keys, those go into messages."""
        return {}

    @property
    def refusal(self) -> str:
        """Why the venue will never serve us, with a remedy; an adapter that says so wants rotation too. Else empty."""
        return ""

    @property
    def ping(self) -> Ping | None:
        """What to send over each link now and then; None: nothing, or not yet."""
        return None

    @abc.abstractmethod
    def subscribe(self, route: Route) -> list[bytes]:
        """Messages to send once its link stands; empty where the path says it all."""

    @abc.abstractmethod
    def connected(self, received_ns: int, ring: Ring) -> None:
        """A new link stands: every book starts to synchronise. 0 while a stamped market's clock is not known."""

    @abc.abstractmethod
    def disconnected(self, received_ns: int, ring: Ring) -> None:
        """The link is lost: every book is stale."""

    @abc.abstractmethod
    def decode(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        """Write the events of one frame. Never raises, whatever the frame holds."""

    def turn_to(self, link: int) -> None:
        """What is decoded from now on came over another link: 0 the one of `connected`, then those opened beside it."""

    def left(self, link: int, heir: int, received_ns: int, ring: Ring) -> None:
        """A link of several has ended: what it alone told is lost, and `heir` goes on."""

    def is_told_by(self, link: int) -> bool:
        """Whether the other links can go: every book is told by this one."""
        return True

    def place_of(self, frame: bytes) -> Place | None:
        """Where a message stands in its stream; None where it stands nowhere. Never raises, changes nothing."""
        return None

    def ageing(self, frame: bytes) -> Ageing | None:
        """How a message that waits grows old; None where it never does. Never raises, changes nothing."""
        place = self.place_of(frame)
        return Ageing(place.stream) if place is not None and place.is_quote else None

    def needs(self, place: Place) -> bool:
        """Whether the stream of a snapshot has to begin, or to begin again, with it. Changes nothing."""
        return False

    def outgoing(self, now_ns: int) -> list[bytes]:
        """Take the messages that must be sent now: resubscriptions, answers. 0 while the clock is not known."""
        return []

    @abc.abstractmethod
    def book_state(self, instrument: int) -> BookState:
        """How far the book of an instrument may be trusted."""

    @abc.abstractmethod
    def renew(self, instrument: int, received_ns: int, ring: Ring) -> None:
        """Whoever keeps the book has lost its far levels, and its price has come to them: begin it anew. At most 2 rows."""

    @abc.abstractmethod
    def books_in(self, frame: bytes) -> list[int]:
        """The instruments whose books may be another after a frame, by the names in it. Never raises, changes nothing."""

    @property
    def rows_held(self) -> int:
        """Rows that frames have told already and that a later frame, or the end of a link, will write with its own."""
        return 0

    @abc.abstractmethod
    def requests(self) -> list[SnapshotRequest]:
        """Take the requests that are wanted now; each is under way until it is answered."""

    @abc.abstractmethod
    def respond(self, request: SnapshotRequest, status: int, body: bytes, received_ns: int, ring: Ring) -> None:
        """Take the answer of a request; status 0 where there was none."""

    @abc.abstractmethod
    def rows_of_frame(self, frame: bytes) -> int:
        """The most rows that a frame can become; never more than it has bytes, and a few."""

    @abc.abstractmethod
    def rows_of_answer(self, request: SnapshotRequest, body: bytes) -> int:
        """The most rows that a snapshot can become, with what waits for it."""
