"""Puts an engine together: instruments, seats, strategies and rules become arrays of records and a table of calls.

The same assembly serves live, paper, replay and parity, so none of them can differ. Arrays never move after they are
made, because the table holds their addresses.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from streamtrader.errors import EngineStopped, StrategyError
from streamtrader.events import EVENT, Kind
from streamtrader.kernel.calls import use_cache
from streamtrader.kernel.cuts import match_part, settle_part
from streamtrader.kernel.engine import Clock, State, advance, deliver_part, finish_turn
from streamtrader.kernel.market import Market
from streamtrader.kernel.orders import Order
from streamtrader.kernel.outbox import Outbox
from streamtrader.kernel.record import Record, boxed
from streamtrader.kernel.seat import Seat
from streamtrader.kernel.table import RULE_SLOTS, Call, Interpreted, address_for, kinds_of, play, refuses
from streamtrader.risk.rule import RiskRule
from streamtrader.simulator.venue import SimulatedVenue
from streamtrader.strategies.strategy import BASES, PythonStrategy, Strategy
from streamtrader.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from streamtrader.instruments import Instrument


@dataclass(frozen=True, slots=True)
class Placement:
    """One strategy instance on one instrument, with its own rules and its own money."""

    strategy: Strategy | PythonStrategy
    instrument: int
    rules: Sequence[RiskRule] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every seat: money, latency, fees, candles."""

    cash_quote: float = 10_000.0
    up_latency_ns: int = 20_000_000
    down_latency_ns: int = 10_000_000
    queue_power: float = 0.0
    candle_ns: int = 0
    day_offset_ns: int = 0
    maker_fee_bps: float | None = None  # None: the instrument's own
    taker_fee_bps: float | None = None


@dataclass(slots=True)
class Engine:
    """The state, what it calls, and the few things that a runtime does with it."""

    state: State
    outbox: np.ndarray[Any, Any]
    calls: Any
    placements: list[Placement]
    strategy_boxes: list[np.ndarray[Any, Any]]
    rule_boxes: list[np.ndarray[Any, Any]]
    advance: Callable[..., int]
    finish_turn: Callable[..., Any]
    python_seats: dict[int, PythonStrategy] = field(default_factory=dict)

    def play(self, events: np.ndarray[Any, Any], mask: int, start: int, stop: int) -> int:
        """Play as far as the outbox allows, calling Python strategies on the way; returns the next to play."""
        while start < stop:
            start = self.advance(self.state, self.outbox, self.calls, events, mask, start, stop)
            index = int(self.state.clock[0].wake_seat)
            if index < 0:
                break
            self.wake(index)
        return start

    def wake(self, index: int) -> None:
        """The turn of a plain Python strategy. One that raises is halted, like a compiled one."""
        from streamtrader.kernel.broker import Broker

        state = self.state
        seat = state.seats[index]
        broker = Broker(seat, state.markets[int(seat.instrument)])
        self.python_seats[index].on_event(state.clock[0].woken[0], broker)
        self.finish_turn(state, self.outbox, self.calls, index)

    def drain(self) -> np.ndarray[Any, Any]:
        """The rows that the engine has said since the last call."""
        outbox = self.outbox[0]
        if outbox.lost:
            raise EngineStopped(
                f"{int(outbox.lost)} outbox rows were lost: one event asked for more orders than the outbox holds"
            )
        return outbox.take()  # type: ignore[no-any-return]

    def arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """All that is state, by name and in a fixed order."""
        named = dict(zip(State._fields, self.state, strict=True))
        named |= {f"strategies_{at}": box for at, box in enumerate(self.strategy_boxes)}
        named |= {f"rules_{at}": box for at, box in enumerate(self.rule_boxes)}
        return named

    def restore(self, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
        """Take over a checkpoint, in place: addresses stay what they are."""
        for name, array in self.arrays().items():
            array.view(np.uint8)[...] = arrays[name].view(np.uint8).reshape(array.view(np.uint8).shape)

    def state_sha256(self) -> str:
        digest = hashlib.sha256()
        for array in self.arrays().values():
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        return digest.hexdigest()


def assemble(
    instruments: Sequence[Instrument],
    placements: Sequence[Placement],
    terms: Terms = Terms(),  # noqa: B008 - frozen
    *,
    interpreted: bool = False,
    loop_sources: Sequence[Path] = (),
    class_sources: Sequence[Path] = (),
) -> Engine:
    """Build and compile. Seats are ordered by instrument, then as they were given.

    With sources, compiled kernels are kept on disk under a name that hashes them.
    """
    ordered = sorted(placements, key=lambda placement: placement.instrument)
    markets = boxed(*[_market(instrument, terms) for instrument in instruments])
    seats = boxed(*[_seat(at, placement, instruments, terms) for at, placement in enumerate(ordered)])
    bounds = np.searchsorted(seats["instrument"], np.arange(len(instruments) + 1))
    markets["first_seat"], markets["stop_seat"] = bounds[:-1], bounds[1:]
    clock = boxed(Clock())
    if any(kinds_of(type(placement.strategy), BASES) >> Kind.TIMER & 1 for placement in ordered):
        clock["timer_ns"] = NS_PER_S
    clock["market_count"], clock["seat_count"] = len(markets), len(seats)
    state = State(clock, markets, seats)
    strategies, strategy_boxes = _boxes([placement.strategy for placement in ordered])
    rules, rule_boxes = _boxes([rule for placement in ordered for rule in placement.rules])
    outbox = boxed(Outbox())
    calls: Any
    loop, finish = advance, finish_turn
    if interpreted:
        calls = _interpreted(ordered, strategies, rules)
    else:
        is_kept = _cached(loop_sources)
        codes = part_codes(state, outbox, cache=is_kept)
        loop, finish = _loop(state, outbox, cache=is_kept)
        calls = _calls(ordered, strategies, rules, state, codes, cache=_cached(class_sources))
    python_seats = {
        at: placement.strategy
        for at, placement in enumerate(ordered)
        if isinstance(placement.strategy, PythonStrategy) and not interpreted
    }
    return Engine(state, outbox, calls, ordered, strategy_boxes, rule_boxes, loop, finish, python_seats)


def _cached(sources: Sequence[Path]) -> bool:
    return bool(sources) and use_cache(sources) is not None


def _market(instrument: Instrument, terms: Terms) -> Market:
    return Market(
        instrument.ticks_per_unit,
        instrument.lots_per_unit,
        float(instrument.minimum_notional),
        terms.candle_ns,
    )


def _seat(index: int, placement: Placement, instruments: Sequence[Instrument], terms: Terms) -> Seat:
    if not 0 <= placement.instrument < len(instruments):
        raise StrategyError(f"{placement.name or placement.strategy}: there is no instrument {placement.instrument}")
    instrument = instruments[placement.instrument]
    maker = instrument.maker_fee_bps if terms.maker_fee_bps is None else terms.maker_fee_bps
    taker = instrument.taker_fee_bps if terms.taker_fee_bps is None else terms.taker_fee_bps
    venue = SimulatedVenue(terms.up_latency_ns, terms.down_latency_ns, terms.queue_power)
    return Seat(venue, index, placement.instrument, terms.cash_quote, maker, taker, terms.day_offset_ns)


def _boxes(records: Sequence[Any]) -> tuple[list[Any], list[np.ndarray[Any, Any]]]:
    """Records of one layout in one array each; a reference (box, index) for every record, None for plain Python."""
    groups: dict[np.dtype[Any], list[Any]] = {}
    for record in records:
        if isinstance(record, Record):
            groups.setdefault(record.dtype, []).append(record)
    boxes = {dtype: boxed(*members) for dtype, members in groups.items()}
    counters = dict.fromkeys(groups, 0)
    references: list[Any] = []
    for record in records:
        if not isinstance(record, Record):
            references.append(None)
            continue
        references.append((boxes[record.dtype], counters[record.dtype]))
        counters[record.dtype] += 1
    return references, list(boxes.values())


def _rules_by_seat(ordered: Sequence[Placement], rules: list[Any]) -> list[list[Any]]:
    remaining = iter(rules)
    return [[next(remaining) for _ in placement.rules] for placement in ordered]


def _interpreted(ordered: Sequence[Placement], strategies: list[Any], rules: list[Any]) -> list[Interpreted]:
    def call_of(placement: Placement, reference: Any, own: list[Any]) -> Interpreted:
        strategy = placement.strategy if reference is None else reference[0][reference[1]]
        return Interpreted(strategy, kinds_of(type(placement.strategy), BASES), [box[at] for box, at in own])

    return [call_of(*each) for each in zip(ordered, strategies, _rules_by_seat(ordered, rules), strict=True)]


def _calls(
    ordered: Sequence[Placement], strategies: list[Any], rules: list[Any], state: State, codes: dict[str, int],
    *, cache: bool,
) -> np.ndarray[Any, Any]:  # fmt: skip
    """What the loop calls for each seat, by address; compiles every class that was not compiled yet."""
    shared = (state.seats.dtype, state.markets.dtype)
    calls = np.zeros(len(ordered), Call().dtype)
    for name, code in codes.items():
        calls[name] = code
    for call, placement, reference, own in zip(
        calls, ordered, strategies, _rules_by_seat(ordered, rules), strict=True
    ):
        call["kinds"] = kinds_of(type(placement.strategy), BASES)
        if reference is not None:
            box, at = reference
            call["code"] = _address(play, box.dtype, (EVENT, *shared), cache)
            call["record"] = box[at:].ctypes.data
        if len(own) > RULE_SLOTS:
            raise StrategyError(f"{placement.name}: {len(own)} rules, but a seat has room for {RULE_SLOTS}")
        call["rule_count"] = len(own)
        for slot, (box, at) in enumerate(own):
            call["rule_codes"][slot] = _address(refuses, box.dtype, (Order().dtype, *shared), cache)
            call["rule_records"][slot] = box[at:].ctypes.data
    return calls


@functools.cache
def _address(function: Any, record_dtype: Any, layouts: tuple[Any, ...], cache: bool) -> int:
    try:
        return address_for(function, record_dtype, layouts, cache=cache)
    except Exception as error:
        lines = str(error).strip().splitlines()
        raise StrategyError(
            f"{record_dtype.type.__name__} cannot be compiled: {(lines[-1] if lines else repr(error))[:300]}. "
            "A strategy that needs more than numbers and arrays can extend PythonStrategy.",
            details=str(error),
        ) from error


def part_codes(state: State, outbox: np.ndarray[Any, Any], *, cache: bool) -> dict[str, int]:
    """The parts of the loop that are compiled apart, and where they are."""
    clock, seat, market, call = state.clock.dtype, state.seats.dtype, state.markets.dtype, Call().dtype
    return {
        "settle_code": _address(settle_part, seat, (market, outbox.dtype, call), cache),
        "match_code": _address(match_part, seat, (EVENT, market), cache),
        "deliver_code": _address(deliver_part, clock, (market, seat, outbox.dtype, call), cache),
    }


def _loop(state: State, outbox: Any, *, cache: bool) -> tuple[Callable[..., int], Callable[..., Any]]:
    from streamtrader.kernel.compiler import compiled, entry_point

    nothing, calls = np.zeros(1, EVENT), np.zeros(1, Call().dtype)
    loop = entry_point(advance, state, outbox, calls, nothing, -1, 0, 0, cache=cache)
    return loop, compiled(finish_turn, cache=cache)
