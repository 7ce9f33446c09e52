"""Does what a script of faults says: to connections, to handshakes and requests, and to the order of messages.

The pump asks it before each frame, the servers at each handshake and request. It breaks what is on its way to the
client and never the market: the exchange's books stay right, and every frame is made.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

from streamtrader.exchange.faults import Fault
from streamtrader.exchange.frames import text_frame, text_header
from streamtrader.exchange.market import Frame
from streamtrader.units import NS_PER_MS

if TYPE_CHECKING:
    from streamtrader.exchange.audience import Listener

PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>nothing to see</body></html>"
BOMB_BYTES = 64 << 20
FLUSH_S = 0.02  # half a frame must be on its way before the reset overtakes it
UNTIL_SNAPSHOT = 2  # messages of a book that overtake its snapshot
_COMPRESSED_TEXT = 0xC1  # final fragment, RSV1, opcode 1
_CLOCKS = re.compile(rb'("[ET]":)(\d{13})')
_RESETTING = ("accept-drop", "refuse", "old-snapshot")
Item = TypeVar("Item")


class Saboteur:
    """`done` tells what was done, for whoever asks the exchange."""

    def __init__(self, faults: Sequence[Fault] = (), start_ns: int = 0) -> None:
        self._left = list(faults)
        self._start_ns = start_ns
        self._now_ns = start_ns
        self.done: list[dict[str, Any]] = []
        self.listeners: list[Listener] = []  # the audience's own
        self.shutdown_words: Callable[[Listener], list[bytes]] = lambda listener: []
        self.first_symbol = ""
        self._doors: list[Fault] = []  # one for each handshake to come
        self._requests: list[Fault] = []
        self._frozen: dict[str, int] = {}  # symbol -> until when; 0: until it is left
        self._duplicates = self._reorders = self._old_snapshots = 0
        self._clock_off: tuple[int, int] = (0, 0)  # milliseconds, until
        self._held: dict[tuple[Listener, str], Any] = {}  # by connection and symbol
        self._late: dict[tuple[Listener, str], tuple[Any, int]] = {}

    @property
    def next_ns(self) -> int | None:
        """The market's time of the next fault."""
        return self._start_ns + self._left[0].at_ns if self._left else None

    def is_due(self, stamp_ns: int) -> bool:
        return bool(self._left) and self._start_ns + self._left[0].at_ns <= stamp_ns

    async def act(self, stamp_ns: int) -> None:
        """Do all that is due at a moment of the market."""
        while self.is_due(stamp_ns):
            fault = self._left.pop(0)
            self._now_ns = stamp_ns
            self.done.append({"kind": fault.kind, "stamp_ns": stamp_ns, "connections": len(self.listeners)})
            self._prepare(fault)
            for listener in [listener for listener in self.listeners if listener.is_open]:
                await self._strike(fault, listener)

    def _prepare(self, fault: Fault) -> None:
        until_ns = self._now_ns + fault.for_ns if fault.for_ns else 0
        match fault.kind:
            case "accept-drop" | "refuse":
                self._doors += [fault] * fault.count
            case "rest-refuse" | "rest-bomb":
                self._requests += [fault] * fault.count
            case "frozen":
                self._frozen[fault.symbol or self.first_symbol] = until_ns
            case "old-snapshot":
                self._old_snapshots += fault.count
            case "duplicate":
                self._duplicates += fault.count
            case "reorder":
                self._reorders += fault.count
            case "clock-jump":
                self._clock_off = (fault.by_ns // NS_PER_MS, until_ns)
            case _:
                pass  # it strikes the connections that there are

    async def _strike(self, fault: Fault, listener: Listener) -> None:
        if fault.kind in _RESETTING:
            listener.reset()
            return
        match fault.kind:
            case "half-open":
                listener.is_mute = True
            case "reset-mid-frame":
                half = text_frame(b"x" * 1_000)[:500]
                listener.write(half)
                await asyncio.sleep(FLUSH_S)
                listener.reset()
            case "shutdown":
                for words in self.shutdown_words(listener):
                    listener.write(text_frame(words))
                listener.leave_after(fault.after_s)
            case "ping-storm":
                for number in range(fault.count):
                    listener.ping(b"storm-%d" % number)
            case "compression-bomb":
                listener.write(_compressed_frame())
            case "huge-frame":
                listener.write(text_header(fault.size_bytes) + b"x" * fault.size_bytes)
            case "html":
                listener.write(text_frame(PAGE))
            case _:
                pass  # it waits for something to come

    # What the servers ask.

    def door(self) -> Fault | None:
        """What becomes of a handshake."""
        return self._doors.pop(0) if self._doors else None

    def request(self) -> Fault | None:
        """What becomes of a REST request."""
        return self._requests.pop(0) if self._requests else None

    def hear(self, message: str | bytes) -> None:
        """A client leaves a symbol: it may live again."""
        text = message if isinstance(message, str) else message.decode(errors="replace")
        if self._frozen and "unsubscribe" in text.lower():
            for symbol in [symbol for symbol in self._frozen if _names(text, symbol)]:
                del self._frozen[symbol]

    def has_old_snapshot(self) -> bool:
        """Whether the next snapshot is to be an old one."""
        if not self._old_snapshots:
            return False
        self._old_snapshots -= 1
        return True

    def make_late(self, listener: Listener, symbol: str, item: Any) -> None:
        """A snapshot in the stream that waits until deltas have overtaken it."""
        self._late[listener, symbol] = (item, UNTIL_SNAPSHOT)

    # What is on its way.

    @property
    def has_frozen(self) -> bool:
        return bool(self._frozen)

    def is_frozen(self, symbol: str) -> bool:
        until_ns = self._frozen.get(symbol)
        if until_ns and self._now_ns >= until_ns:
            del self._frozen[symbol]
            return False
        return until_ns is not None

    def bent(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Frames with the venue's clocks put forward or back."""
        if frames:
            self._now_ns = frames[-1].stamp_ns
        off_ms, until_ns = self._clock_off
        if not off_ms or self._now_ns > until_ns:
            return frames

        def moved(found: re.Match[bytes]) -> bytes:
            return found[1] + b"%d" % max(int(found[2]) + off_ms, 0)

        return [frame._replace(text=_CLOCKS.sub(moved, frame.text)) for frame in frames]

    @property
    def is_at_work(self) -> bool:
        """Whether the order of messages may change."""
        return bool(self._duplicates or self._reorders or self._held or self._late)

    def disordered(self, listener: Listener, items: Sequence[tuple[str, Item]]) -> list[Item]:
        """Items with those of books doubled, swapped or late; each comes with its book's symbol, or an empty one."""
        out: list[Item] = []
        for symbol, item in items:
            key = (listener, symbol)
            if not symbol:
                out.append(item)
                continue
            if key in self._held:
                out += [item, self._held.pop(key)]
            elif self._reorders:
                self._reorders -= 1
                self._held[key] = item
            else:
                out += [item] * (2 if self._duplicates else 1)
                self._duplicates -= self._duplicates > 0
            if key in self._late:
                late, left = self._late.pop(key)
                if left > 1:
                    self._late[key] = (late, left - 1)
                else:
                    out.append(late)
        return out

    def forget(self, listener: Listener) -> None:
        kept: dict[tuple[Listener, str], Any]
        for kept in (self._held, self._late):
            for key in [key for key in kept if key[0] is listener]:
                del kept[key]


def _names(text: str, symbol: str) -> bool:
    """Whether a text in a message is a symbol, begins with it, or ends in it."""
    text, symbol = text.lower(), symbol.lower()
    return f'"{symbol}' in text or f'{symbol}"' in text


def refusal(fault: Fault) -> web.Response:
    """A status with its web page, and how long to wait."""
    headers = {"Retry-After": f"{fault.retry_after_s:g}"} if fault.status != web.HTTPOk.status_code else {}
    return web.Response(status=fault.status, body=PAGE, content_type="text/html", headers=headers)


def bomb() -> web.Response:
    """A small body that would unpack to a large one."""
    packed = zlib.compress(bytes(BOMB_BYTES), 9)
    return web.Response(body=packed, content_type="application/json", headers={"Content-Encoding": "deflate"})


@cache  # it takes a moment, in which the server would stand still
def _compressed_frame() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(BOMB_BYTES)) + packer.flush(zlib.Z_SYNC_FLUSH)
    return bytes((_COMPRESSED_TEXT,)) + text_header(len(packed))[1:] + packed
