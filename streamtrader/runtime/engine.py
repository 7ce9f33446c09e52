"""The engine as a runtime holds it: state, what it calls, and the few things that may be done with both."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from streamtrader.errors import EngineStopped
from streamtrader.events import EVENT, Kind
from streamtrader.kernel import memory
from streamtrader.kernel.broker import Broker
from streamtrader.kernel.engine import advance, finish_turn
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import OUTBOX_ROW, OutboxKind
from streamtrader.kernel.proxy import proxy_of
from streamtrader.kernel.state import State
from streamtrader.kernel.table import HANDLERS, view_of
from streamtrader.runtime.entry import CLOCK, EVENTS_AT, MASK, OUTBOX, SEAT, WORDS, handle_of
from streamtrader.strategies.strategy import PythonStrategy

if TYPE_CHECKING:
    from streamtrader.runtime.assembly import Placement

Array = np.ndarray[Any, np.dtype[Any]]


def _place(layout: np.dtype[Any], name: str) -> int:
    """The place of a field in units of its own size."""
    field, offset = layout.fields[name][:2]  # type: ignore[index]
    return int(offset // field.itemsize)


WAKE_SEAT = _place(CLOCK, "wake_seat")
INTENT_COUNT, HAS_TARGET = _place(SEAT, "intent_count"), _place(SEAT, "has_target")
KIND = _place(EVENT, "kind")
WRITTEN, DRAINED, LOST = (_place(OUTBOX, name) for name in ("written", "drained", "lost"))
NO_ROWS: Array = np.zeros(0, OUTBOX_ROW)


class Engine:
    """Without `entries` the loop is played uncompiled: the same source, slow, open to a debugger."""

    def __init__(
        self, state: State, outbox: Array, calls: Any, placements: list[Placement], strategy_boxes: list[Array],
        rule_boxes: list[Array], entries: tuple[Callable[..., int], Callable[..., int]] | None = None,
    ) -> None:  # fmt: skip
        self.state, self.outbox, self.calls, self.placements = state, outbox, calls, placements
        self.strategy_boxes, self.rule_boxes = strategy_boxes, rule_boxes
        self.is_compiled = entries is not None
        self.on_failure: Callable[[str, Exception], None] = lambda _name, _error: None
        self.python_seats: dict[int, PythonStrategy] = {}
        self._events: Array | None = None
        self._rows: Array = outbox["rows"][0]
        self._row_bytes = self._rows.view(np.uint8).reshape(-1).data.cast("B")
        self._outbox_words = outbox.view(np.uint8).data.cast("B").cast("q")
        self._handle = np.zeros(WORDS, np.int64) if entries is None else handle_of(state, outbox, calls)
        loop: tuple[Callable[..., int], Callable[..., int]]
        loop = entries or (self._advance_uncompiled, self._finish_uncompiled)
        self._advance, self._finish = loop
        self._clock = proxy_of(state.clock, 0)
        self._clock_words = memoryview(state.clock.view(np.uint8)).cast("B").cast("q")
        self._woken = memoryview(state.clock["woken"].view(np.uint8).reshape(-1)).cast("B")
        self.python_seats = {
            at: placement.strategy
            for at, placement in enumerate(placements)
            if isinstance(placement.strategy, PythonStrategy)
        }
        self._turns = {at: self._turn_of(at, strategy) for at, strategy in self.python_seats.items()}

    def _turn_of(self, at: int, strategy: PythonStrategy) -> tuple[list[Any], Broker, memoryview[int], memoryview[bool]]:
        """What a Python strategy's turn needs, made once: handlers with their views by kind, broker, seat's words."""
        seat = proxy_of(self.state.seats, at)
        market = proxy_of(self.state.markets, seat.instrument)
        account = proxy_of(self.state.accounts, seat.account)
        event = self._clock.woken[0]
        by_kind: list[Any] = [(strategy.on_event, event)] * (max(Kind) + 1)
        if type(strategy).on_event.__qualname__ == "on_event":  # the generated one: its work is done here, once
            for name, kind in HANDLERS.items():
                by_kind[kind] = getattr(strategy, name), view_of(event, name)
        memory = memoryview(self.state.seats[at : at + 1].view(np.uint8)).cast("B")
        return by_kind, Broker(seat, market, account), memory.cast("q"), memory.cast("?")

    def play(self, events: Array, mask: int, start: int, stop: int) -> int:
        """Play as far as the outbox allows, calling Python strategies on the way; returns the next to play."""
        handle, clock, call = self._handle, self._clock_words, self._advance
        if events is not self._events:
            self._events = events
            handle[EVENTS_AT] = events.ctypes.data
        handle[MASK] = mask
        while start < stop:
            start = call(handle, start, stop)
            index = clock[WAKE_SEAT]
            if index < 0:
                break
            by_kind, broker, words, flags = self._turns[index]
            handler, event = by_kind[self._woken[KIND]]
            try:
                handler(event, broker)
            except Exception as error:  # noqa: BLE001 - as for compiled ones: this seat stops, the others go on
                self._fail(broker, error)
            if words[INTENT_COUNT] or flags[HAS_TARGET]:
                self._finish(handle, index)
        return start

    def _advance_uncompiled(self, handle: Array, start: int, stop: int) -> int:
        return advance(self.state, self.outbox, self.calls, self._events, int(handle[MASK]), start, stop)

    def _finish_uncompiled(self, _handle: Array, index: int) -> int:
        finish_turn(self.state, self.outbox, self.calls, index)
        return 0

    def _fail(self, broker: Broker, error: Exception) -> None:
        """A Python strategy raised: its seat may only reduce from now on, and says so."""
        seat = broker.seat
        name = self.placements[seat.index].name or type(self.placements[seat.index].strategy).__name__
        self.on_failure(name, error)
        seat.failure_count += 1
        seat.has_target = False
        if seat.halt(int(Refusal.STRATEGY_FAILED)):
            code, now_ns = int(Refusal.STRATEGY_FAILED), broker.market.now_ns
            self.outbox[0].put(int(OutboxKind.FAILED), seat.index, now_ns, 0, 0, code, 0, 0, 0, 0.0)

    @property
    def has_news(self) -> bool:
        """Whether there are rows to drain; asking costs a tenth of a microsecond."""
        return self._outbox_words[WRITTEN] != self._outbox_words[DRAINED]

    def drain(self) -> Array:
        """The rows that the engine has said since the last call."""
        words, slots = self._outbox_words, len(self._rows)
        written, drained = words[WRITTEN], words[DRAINED]
        if written == drained:
            return NO_ROWS
        if words[LOST]:
            raise EngineStopped(
                f"{words[LOST]} outbox rows were lost: one event asked for more orders than the outbox holds"
            )
        words[DRAINED] = written
        size = OUTBOX_ROW.itemsize
        first, last = (drained & (slots - 1)) * size, (written & (slots - 1)) * size
        rows = self._row_bytes
        taken = bytes(rows[first:last]) if first < last else bytes(rows[first:]) + bytes(rows[:last])
        return np.frombuffer(taken, OUTBOX_ROW)  # copying records as records takes eight times as long

    @property
    def equity(self) -> float:
        """What all accounts are worth."""
        return float(self.state.accounts["equity"].sum())

    @property
    def initial_equity(self) -> float:
        """What all accounts began with."""
        return float(self.state.accounts["initial_equity"].sum())

    def arrays(self) -> dict[str, Array]:
        """All that is state, by name and in a fixed order."""
        named = dict(zip(State._fields, self.state, strict=True))
        named |= {f"strategies_{at}": box for at, box in enumerate(self.strategy_boxes)}
        named |= {f"rules_{at}": box for at, box in enumerate(self.rule_boxes)}
        return named

    def restore(self, arrays: dict[str, Array]) -> None:
        """Take over a checkpoint, in place: addresses stay what they are."""
        for name, array in self.arrays().items():
            memory.put(array, arrays[name])

    def state_sha256(self) -> str:
        digest = hashlib.sha256()
        for array in self.arrays().values():
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        return digest.hexdigest()
