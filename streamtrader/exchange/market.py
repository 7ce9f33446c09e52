"""What the exchange can put on the wire: markets behind one small protocol.

A market is a finite or endless run of frames in order, each with the market's own stamp, plus what the venue
would answer about its instruments. The pump decides when a frame leaves; a market never reads a clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple, Protocol

from streamtrader.instruments import Instrument

MarketKind = Literal["spot", "usdm"]

# A REST snapshot that lies inside a capture or tape is a frame of this feed: it is never sent on a stream, it
# answers the request that waits for it.
SNAPSHOT = "snapshot"
DEPTH = "depth"


class Channel(NamedTuple):
    """Where a frame belongs. `stream` is the venue's full name, `key` leaves out its speed: `btcusdt@depth`."""

    stream: str
    symbol: str
    feed: str
    key: str


class Frame(NamedTuple):
    """One message as it goes out; `text` is the combined form `{"stream":...,"data":...}` without any stamp."""

    stamp_ns: int
    channel: Channel
    text: bytes


class Market(Protocol):
    """A source of frames with strictly increasing stamps."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> MarketKind: ...

    @property
    def seed(self) -> int | None: ...

    @property
    def instruments(self) -> Mapping[str, Instrument]: ...

    @property
    def frames_total(self) -> int | None:
        """How many frames there are to send; None when endless or not counted."""
        ...

    @property
    def skipped_lines(self) -> int:
        """Lines of the file that could not be used."""
        ...

    @property
    def start_ns(self) -> int:
        """The stamp of the first frame, or a little before it."""
        ...

    def frames(self) -> Iterator[list[Frame]]:
        """The frames from the beginning, some hundreds at a time."""
        ...

    def opening_book(self, symbol: str) -> bytes | None:
        """The snapshot that stands before the first frame; None where the file has none."""
        ...

    def has_snapshot_after(self, symbol: str, stamp_ns: int) -> bool:
        """Whether a later frame carries a snapshot of the symbol."""
        ...


def channel_of(stream: str) -> Channel:
    """Take a stream name apart: `btcusdt@depth@100ms` is the feed `depth` of `BTCUSDT`."""
    symbol, _, rest = stream.partition("@")
    feed = rest.partition("@")[0]
    return Channel(stream, symbol.upper(), feed, f"{symbol}@{feed}")


class ChannelTable(dict[str, Channel]):
    """Channels by stream name, each taken apart once."""

    def __missing__(self, stream: str) -> Channel:
        channel = self[stream] = channel_of(stream)
        return channel
