"""Listens in on an adapter: everything that goes into it goes to a sink first, in the order in which it is decoded.

Whatever an adapter does follows from these calls alone. So frames that wait for room, several connections and
snapshots that overtake frames are all at their right place in a raw recording, and the connection knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

from streamtrader.kernel.ring import Ring
from streamtrader.venues.venue import SnapshotRequest, Venue


class FrameSink(Protocol):
    """Takes what comes in; called in the socket's own callback, so it must only keep it."""

    def connected(self, received_ns: int) -> None: ...

    def disconnected(self, received_ns: int) -> None: ...

    def turned(self, link: int) -> None:
        """What comes now is of another link; see `Venue.turn_to`, and `Venue.left` for the next one."""

    def left(self, link: int, heir: int, received_ns: int) -> None: ...

    def frames(self, frames: Sequence[bytes], received_ns: int) -> None:
        """Those of one read, as they came; `received_ns` is 0 where they carry the market's own stamp."""

    def answer(self, symbol: str, path: str, status: int, body: bytes, received_ns: int) -> None: ...

    def renewed(self, symbol: str, received_ns: int) -> None: ...


def tapped(adapter: Venue, sink: FrameSink, *, is_exact: bool = False) -> Venue:
    """The adapter, with `sink` told of each call that brings something in.

    `is_exact` decodes the frames of a read one by one, so that the sink can see in the ring what each of them became.
    """
    return cast(Venue, _Tap(adapter, sink, is_exact=is_exact))


class _Tap:
    """Stands for an adapter; what it does not listen to goes straight through."""

    __slots__ = ("_adapter", "_decode", "_is_exact", "_sink")

    def __init__(self, adapter: Venue, sink: FrameSink, *, is_exact: bool) -> None:
        object.__setattr__(self, "_adapter", adapter)
        object.__setattr__(self, "_sink", sink)
        object.__setattr__(self, "_decode", adapter.decode)
        object.__setattr__(self, "_is_exact", is_exact)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._adapter, name, value)

    def connected(self, received_ns: int, ring: Ring) -> None:
        self._sink.connected(received_ns)
        self._adapter.connected(received_ns, ring)

    def disconnected(self, received_ns: int, ring: Ring) -> None:
        self._sink.disconnected(received_ns)
        self._adapter.disconnected(received_ns, ring)

    def turn_to(self, link: int) -> None:
        self._sink.turned(link)
        self._adapter.turn_to(link)

    def left(self, link: int, heir: int, received_ns: int, ring: Ring) -> None:
        self._sink.left(link, heir, received_ns)
        self._adapter.left(link, heir, received_ns, ring)

    def decode(self, frame: bytes, received_ns: int, ring: Ring) -> None:
        self._sink.frames((frame,), received_ns)
        self._decode(frame, received_ns, ring)

    def decode_read(self, frames: Sequence[bytes], received_ns: int, ring: Ring) -> None:
        if self._is_exact:
            for frame in frames:
                self.decode(frame, received_ns, ring)
            return
        self._sink.frames(frames, received_ns)
        self._adapter.decode_read(frames, received_ns, ring)

    def renew(self, instrument: int, received_ns: int, ring: Ring) -> None:
        self._sink.renewed(self._adapter.instruments[instrument].symbol, received_ns)
        self._adapter.renew(instrument, received_ns, ring)

    def respond(self, request: SnapshotRequest, status: int, body: bytes, received_ns: int, ring: Ring) -> None:
        self._sink.answer(request.symbol, request.path, status, body, received_ns)
        self._adapter.respond(request, status, body, received_ns, ring)
