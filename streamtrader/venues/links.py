"""One websocket behind a small seam: picows by default, the `websockets` library as fallback and as second opinion.

A link hands the frames of a read to its handler the moment the read is over. It answers no ping by
itself: the handler does, in order with the frames, because a venue may take the answer as proof that everything
before it was handled. (The fallback library answers pings before its reader has seen the frames before them.)

Compression: off, whatever the venue offers (`Listing.compression`). Inflating costs more time than the line saves, a frame
that inflates has no size before it has been inflated, and servers differ in what they make of the negotiation. So
permessage-deflate is never offered by us, and nothing is ever inflated here: no bomb can go off. A frame that comes
compressed all the same (RSV1) breaks the protocol. `websockets` ends its link; picows looks at none of the reserved
bits and hands it over as it came, so that its adapter counts it as rejected. A frame or message above `frame_bytes_most`
ends the link.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, Protocol

from streamtrader.errors import LinkLost

LOST = 1006  # the code of a connection that ended without a close frame
REFUSALS = {
    403: "the venue's firewall refuses this address",
    418: "the venue has banned this address for a while",
    429: "too many requests",
    451: "the venue does not serve this country",
}


class Ending(NamedTuple):
    """How a connection ended."""

    code: int
    reason: str


class Link(Protocol):
    """An open websocket."""

    async def run(self) -> Ending:
        """Wait until it ends, whoever ends it."""

    async def send(self, message: bytes) -> None:
        """Send a text, or a binary message where it can be no text."""

    def pong(self, payload: bytes) -> None: ...

    def pause(self) -> None:
        """Read no more from the socket. What the last read brought still comes."""

    def resume(self) -> None: ...

    def close(self, *, is_dead: bool = False) -> None:
        """Begin to end it; a dead peer is not waited for."""


class Handler(Protocol):
    """What a link calls, synchronously: `on_open`, then reads and pings in the order in which they came."""

    def on_open(self, link: Link) -> None: ...

    def on_read(self, frames: list[bytes]) -> None:
        """A read is over, comes to a ping, or has brought many messages: what is new, maybe nothing."""

    def on_ping(self, payload: bytes) -> None: ...


Opener = Callable[[str, Handler, int, Mapping[str, str]], Awaitable[Link]]


class HandshakeRefused(LinkLost):
    """The other side answered with an HTTP error instead of a websocket."""

    def __init__(self, status: int, retry_after: str | None) -> None:
        why = REFUSALS.get(status, "no websocket there")
        super().__init__(f"handshake refused with status {status}: {why}", status=status)
        self.status = status
        self.retry_after = retry_after


def is_binary(message: bytes) -> bool:
    """No text in UTF-8 starts with such a byte, and every msgpack object or array of ours does."""
    return 0x80 <= message[0] <= 0xBF if message else False
