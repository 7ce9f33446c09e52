"""The pump: one market clock, and who may hold it.

Frames leave in order, each at the time that its stamp gives, divided by the speed; at speed "max" as fast as the
slowest client reads. What a client decides must not depend on how fast frames arrive, so the pump stands still

* at the beginning, until somebody is subscribed and each subscribed depth symbol's snapshot was asked for;
* while a snapshot is being served, from before its answer is made until that connection was closed;
* at a snapshot that lies in the file, until a request waits for it, if a client must be in want of one;
* after a depth frame that does not continue its book, until the snapshot was asked for that this calls for;
* where a fault of the script ended the last connection, at speed "max";
* at speed "max" while nobody listens.

Each wait is for a client, so each has a limit. Before a snapshot is answered all that was sent is known to have
been seen, by a ping that went after it: otherwise two sockets of one client could overtake each other.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import NamedTuple

import orjson

from streamtrader.exchange.audience import Audience
from streamtrader.exchange.market import DEPTH, SNAPSHOT, Frame, Market
from streamtrader.exchange.wire_book import WireBook
from streamtrader.units import NS_PER_S

WAIT_S = 2.0
CHUNK_FRAMES = 256  # at most so many between two looks at what clients do
_BATCHES_AHEAD = 8
_LATE_S = 1.0  # a clock that is later than this was asleep: it goes on from now instead of catching up


class Snapshot(NamedTuple):
    stamp_ns: int
    body: bytes


class Pump:
    """Plays one market to an audience. `speed` is None for max."""

    def __init__(self, market: Market, audience: Audience, *, speed: float | None) -> None:
        self.market = market
        self.audience = audience
        self.speed = speed
        self.chunk_frames = CHUNK_FRAMES
        self.position_ns = market.start_ns - 1
        self.frames_sent = 0
        self.is_ended = False
        self.ended = asyncio.Event()
        self.books = {symbol: WireBook(market.kind) for symbol in market.instruments}
        self._batches: Iterator[list[Frame]] = market.frames()
        self._ahead: deque[Frame] = deque()
        self._asked: set[str] = set()
        self._waiting: dict[str, list[asyncio.Future[Snapshot | None]]] = {symbol: [] for symbol in self.books}
        self._holds: Counter[str] = Counter()
        self._moved = audience.changed  # also set when somebody asked or released
        self._anchor: tuple[float, int] | None = None
        self._saboteur = audience.saboteur
        for symbol, book in self.books.items():
            opening = market.opening_book(symbol)
            if opening is not None:
                book.reset(opening)

    async def run(self) -> None:
        """Play the market to its end."""
        await self._gather_audience()
        while self._refill():
            await self._stand_still_while_held()
            if self.speed is None and not self.audience.is_present:
                await self._gather_audience()
            due = await self._next_due()
            if due:
                await self._play(due)
        await self._stand_still_while_held()
        self.is_ended = True
        for symbol in self.books:
            self._answer(symbol, None)
        self.ended.set()

    # Snapshots: what the REST side calls.

    @asynccontextmanager
    async def snapshot(self, symbol: str, limit: int) -> AsyncIterator[Snapshot]:
        """The symbol's snapshot; the market stands still while the context is open."""
        self._asked.add(symbol)
        self._moved.set()
        answer = await self._inline_snapshot(symbol) if self._wants_inline(symbol) else None
        if answer is None:
            self._holds[symbol] += 1
        try:
            if answer is None:
                await self.audience.settle()
                book = self.books[symbol]
                answer = Snapshot(self.position_ns, book.snapshot(limit, self._next_ids(symbol)))
            yield answer
        finally:
            self._release(symbol)

    def _release(self, symbol: str) -> None:
        self._holds[symbol] -= 1
        self._moved.set()

    def _wants_inline(self, symbol: str) -> bool:
        has_more = self.market.has_snapshot_after(symbol, self.position_ns)
        return has_more and not self.books[symbol].is_whole and not self.is_ended

    async def _inline_snapshot(self, symbol: str) -> Snapshot | None:
        """Wait for the snapshot in the file; it comes with a hold. None when the market ends without it."""
        waiting: asyncio.Future[Snapshot | None] = asyncio.get_running_loop().create_future()
        self._waiting[symbol].append(waiting)
        self._moved.set()
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled() and waiting.result() is not None:
                self._release(symbol)  # answered, but the client had gone by then
            raise
        finally:
            if waiting in self._waiting[symbol]:
                self._waiting[symbol].remove(waiting)

    def _answer(self, symbol: str, snapshot: Snapshot | None) -> None:
        """Answer whoever waits; each answer holds the market until its request is over."""
        for waiting in self._waiting[symbol]:
            if not waiting.done():
                waiting.set_result(snapshot)
                self._holds[symbol] += snapshot is not None
        self._waiting[symbol].clear()

    def _next_ids(self, symbol: str) -> tuple[int, int] | None:
        """U and u of the symbol's next depth frame; looks ahead in what is to come."""
        looked_at = 0
        for _ in range(_BATCHES_AHEAD):
            for frame in islice(self._ahead, looked_at, None):
                if frame.channel.symbol == symbol and frame.channel.feed == DEPTH:
                    data = orjson.loads(frame.text)["data"]
                    if type(data.get("U")) is int and type(data.get("u")) is int:
                        return data["U"], data["u"]
            looked_at = len(self._ahead)
            self._ahead.extend(next(self._batches, ()))
        return None

    # The clock.

    def fast_forward(self, after_ns: int) -> None:
        """Let everything up to a stamp only build the books; before `run`."""
        while self._refill() and self._ahead[0].stamp_ns <= after_ns:
            frame = self._ahead.popleft()
            self.position_ns = frame.stamp_ns
            self.audience.pass_over(frame)
            if frame.channel.feed == SNAPSHOT:
                self.books[frame.channel.symbol].reset(frame.text)
            else:
                self._apply(frame)

    def _refill(self) -> bool:
        """Whether there is a next frame."""
        if not self._ahead:
            self._ahead.extend(next(self._batches, ()))
        return bool(self._ahead)

    async def _next_due(self) -> list[Frame]:
        """The frames that are due, in order; sleeps until the first one is, at most as long as nothing changes."""
        if self.speed is None:
            return self._take(None)
        now_s = asyncio.get_running_loop().time()
        first_ns = self._ahead[0].stamp_ns
        if self._anchor is None:
            self._anchor = (now_s, self.position_ns if self.frames_sent else first_ns)
        anchor_s, anchor_ns = self._anchor
        wait_s = (first_ns - anchor_ns) / NS_PER_S / self.speed - (now_s - anchor_s)
        if wait_s > 0:
            await self._until_moved(wait_s)
            return []
        if wait_s < -_LATE_S:
            self._anchor = (now_s, first_ns)
        return self._take(anchor_ns + int((now_s - anchor_s) * self.speed * NS_PER_S))

    def _take(self, until_ns: int | None) -> list[Frame]:
        """The next frames up to a stamp; a snapshot in the file comes alone, a gap in a book comes last."""
        due: list[Frame] = []
        ahead, fault_ns = self._ahead, self._saboteur.next_ns
        while ahead and len(due) < self.chunk_frames and (until_ns is None or ahead[0].stamp_ns <= until_ns):
            feed = ahead[0].channel.feed
            if due and (feed == SNAPSHOT or (fault_ns is not None and ahead[0].stamp_ns >= fault_ns)):
                break
            due.append(ahead.popleft())
            if feed == SNAPSHOT or (feed == DEPTH and not self._apply(due[-1])):
                break
        return due

    def _apply(self, frame: Frame) -> bool:
        """Keep the exchange's own book; False when the frame shows that updates are missing."""
        book = self.books.get(frame.channel.symbol)
        return True if book is None or frame.channel.feed != DEPTH else book.apply(frame.text)

    async def _play(self, due: list[Frame]) -> None:
        """Send, then do what the last frame calls for. Books are never ahead of what was written when others run."""
        if self._saboteur.is_due(due[0].stamp_ns):
            await self._saboteur.act(due[0].stamp_ns)
            if self.speed is None and not self.audience.is_present:
                await self._gather_audience()
        last = due[-1].channel
        if last.feed == SNAPSHOT:
            await self._serve_inline(due[-1])
            return
        self.position_ns = due[-1].stamp_ns
        self.audience.broadcast(due)
        self.frames_sent += len(due)
        if last.feed == DEPTH and last.symbol in self.books and not self.books[last.symbol].is_whole:
            await self._await_resync(last.symbol)
        await self.audience.drain()
        await asyncio.sleep(0)  # a buffer that is never full would starve everybody else

    async def _serve_inline(self, frame: Frame) -> None:
        symbol, book = frame.channel.symbol, self.books[frame.channel.symbol]
        waiting = self._waiting[symbol]
        if not book.is_whole and symbol in self.audience.depth_symbols():
            await self._until(lambda: bool(waiting))
        if waiting:
            await self.audience.settle()
        book.reset(frame.text)
        self.position_ns = frame.stamp_ns  # not before: a request that comes while we wait is to wait for this one
        self.audience.begin_book(frame)
        self._answer(symbol, Snapshot(frame.stamp_ns, frame.text))

    async def _await_resync(self, symbol: str) -> None:
        """A gap makes each client ask for a snapshot: wait for it here, so that it always comes at this place."""
        book = self.books[symbol]
        if not book.gaps or self.market.has_snapshot_after(symbol, self.position_ns):
            return
        book.is_whole = True  # as whole as this file can make it
        if symbol in self.audience.depth_symbols():
            self._asked.discard(symbol)
            await self._until(lambda: symbol in self._asked)

    # Waiting.

    async def _gather_audience(self) -> None:
        """Wait for listeners without a limit, then for their snapshot requests with one."""
        self._asked.clear()
        while not self.audience.is_present:
            await self._until_moved(None)
        while not self.audience.is_ready(set(self.books), self._asked) and await self._until_moved(WAIT_S):
            pass
        self._anchor = None

    async def _stand_still_while_held(self) -> None:
        while any(self._holds.values()):
            await self._until_moved(None)
            self._anchor = None

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait for a client, at most the limit; the market clock stands still meanwhile."""
        try:
            async with asyncio.timeout(WAIT_S):
                while not condition():
                    await self._until_moved(None)
        except TimeoutError:
            pass
        self._anchor = None

    async def _until_moved(self, limit_s: float | None) -> bool:
        """Whether somebody came, went or asked within the limit."""
        self._moved.clear()
        try:
            async with asyncio.timeout(limit_s):
                await self._moved.wait()
        except TimeoutError:
            return False
        return True
