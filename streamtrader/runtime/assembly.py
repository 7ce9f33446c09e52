"""Puts an engine together: instruments, seats, strategies and rules become arrays of records and a table of calls.

The same assembly serves live, paper, replay and parity, so none of them can differ. Arrays never move after they are
made, because the table holds their addresses.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from streamtrader.errors import StrategyError
from streamtrader.events import EVENT, Kind
from streamtrader.kernel.accounting import resum
from streamtrader.kernel.calls import use_cache
from streamtrader.kernel.market import Market
from streamtrader.kernel.orders import Order
from streamtrader.kernel.outbox import Outbox
from streamtrader.kernel.record import Record, boxed, boxed_each
from streamtrader.kernel.seat import Seat
from streamtrader.kernel.state import Clock, State
from streamtrader.kernel.table import RULE_SLOTS, Call, Interpreted, address_for, kinds_of, play, refuses
from streamtrader.risk.rule import RiskRule
from streamtrader.runtime.abilities import lacking
from streamtrader.runtime.accounts import AccountTerms, Ownership, accounts_of, margin_terms, ownership
from streamtrader.runtime.currencies import Conversion, conversions
from streamtrader.runtime.demands import demand
from streamtrader.runtime.engine import Engine
from streamtrader.runtime.entry import ACCOUNT, MARKET, PARTS, SEAT, loop_entries, part_code
from streamtrader.runtime.explaining import why_not_compiled
from streamtrader.runtime.fee_terms import FeeTerms, rates_of
from streamtrader.runtime.latencies import LatencyTerms
from streamtrader.runtime.taking import TakingTerms
from streamtrader.simulator.venue import SimulatedVenue
from streamtrader.strategies.strategy import BASES, PythonStrategy, Strategy
from streamtrader.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from streamtrader.instruments import Instrument


@dataclass(frozen=True, slots=True)
class Placement:
    """One strategy instance on one instrument, with its own rules; its money too is its own, or its owner's."""

    strategy: Strategy | PythonStrategy
    instrument: int
    rules: Sequence[RiskRule] = ()
    name: str = ""
    owner: int = -1  # who shares an account where accounts are shared; -1: nobody else


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every seat: money, latency, fees, candles."""

    cash_quote: float = 10_000.0
    up_latency_ns: int = 20_000_000
    down_latency_ns: int = 10_000_000
    latency: LatencyTerms = field(default_factory=LatencyTerms)
    queue: int = 0  # a `Queue`
    queue_power: float = 2.0
    candle_ns: int = 0
    day_offset_ns: int = 0
    maker_fee_bps: float | None = None  # None: the instrument's own
    taker_fee_bps: float | None = None
    account: AccountTerms = field(default_factory=AccountTerms)
    fees: FeeTerms = field(default_factory=FeeTerms)
    taking: TakingTerms = field(default_factory=TakingTerms)
    emulated: Collection[str] | None = ()  # of FEATURES: what the engine does for the venue; None: what it must
    self_trade: int = 0  # a `SelfTrade`


def assemble(
    instruments: Sequence[Instrument],
    placements: Sequence[Placement],
    terms: Terms = Terms(),
    *,
    interpreted: bool = False,
    loop_sources: Sequence[Path] = (),
    class_sources: Sequence[Path] = (),
) -> Engine:
    """Build and compile. Seats are ordered by instrument, then as they were given.

    With sources, compiled kernels are kept on disk under a name that hashes them.
    """
    ordered = sorted(placements, key=lambda placement: placement.instrument)
    owned = _ownership(ordered, instruments, terms)
    rates = conversions(instruments, {placement.instrument for placement in ordered}, terms.account)
    markets = boxed_each(len(instruments), lambda at: _market(instruments[at], rates[at], terms))
    seats = boxed_each(len(ordered), lambda at: _seat(at, ordered[at], instruments, terms, owned))
    bounds = np.searchsorted(seats["instrument"], np.arange(len(instruments) + 1))
    markets["first_seat"], markets["stop_seat"] = bounds[:-1], bounds[1:]
    accounts = boxed(*accounts_of(owned, terms.account, terms.fees.volume))
    resum(accounts, markets, seats)
    accounts["initial_equity"] = accounts["equity"]
    clock = boxed(Clock())
    if any(kinds_of(type(placement.strategy), BASES) >> Kind.TIMER & 1 for placement in ordered):
        clock["timer_ns"] = NS_PER_S
        clock["due_ns"] = 0  # the first event starts the timer
    if terms.account.needs_ticks or (markets["rate_source"] >= 0).any():
        clock["tick_ns"] = NS_PER_S
        clock["due_ns"] = 0
    for placement in ordered:
        markets["kinds"][placement.instrument] |= kinds_of(type(placement.strategy), BASES)
    clock["account_count"], clock["market_count"], clock["seat_count"] = len(accounts), len(markets), len(seats)
    state = State(clock, accounts, markets, seats)
    strategies, strategy_boxes = _boxes([placement.strategy for placement in ordered])
    rules, rule_boxes = _boxes([rule for placement in ordered for rule in placement.rules])
    outbox = boxed(Outbox())
    if interpreted:
        calls: Any = _interpreted(ordered, strategies, rules)
        return Engine(state, outbox, calls, ordered, strategy_boxes, rule_boxes)
    is_kept = _cached(loop_sources)
    codes = {name: part_code(name, cache=is_kept) for name in PARTS}
    entries = loop_entries(cache=is_kept)
    calls = _calls(ordered, strategies, rules, codes, cache=_cached(class_sources))
    return Engine(state, outbox, calls, ordered, strategy_boxes, rule_boxes, entries)


def _cached(sources: Sequence[Path]) -> bool:
    return bool(sources) and use_cache(sources) is not None


def _market(instrument: Instrument, conversion: Conversion, terms: Terms) -> Market:
    market = Market(
        instrument.ticks_per_unit,
        instrument.lots_per_unit,
        float(instrument.minimum_notional),
        terms.candle_ns,
        is_derivative=instrument.kind != "spot",
    )
    margin_terms(market, instrument, terms.account)
    conversion.put_into(market)
    demand(market, instrument)
    if terms.taking.needs_minutes:
        market.minutes.is_on = True
    return market


def _ownership(ordered: Sequence[Placement], instruments: Sequence[Instrument], terms: Terms) -> Ownership:
    for placement in ordered:
        if not 0 <= placement.instrument < len(instruments):
            raise StrategyError(f"{placement.name or placement.strategy}: there is no instrument {placement.instrument}")
    owners, where = [placement.owner for placement in ordered], [placement.instrument for placement in ordered]
    return ownership(owners, where, instruments, terms.account, terms.cash_quote)


def _seat(
    index: int, placement: Placement, instruments: Sequence[Instrument], terms: Terms, owned: Ownership
) -> Seat:
    instrument = instruments[placement.instrument]
    maker = instrument.maker_fee_bps if terms.maker_fee_bps is None else terms.maker_fee_bps
    taker = instrument.taker_fee_bps if terms.taker_fee_bps is None else terms.taker_fee_bps
    latency = terms.latency.of_seat(index, terms.up_latency_ns, terms.down_latency_ns)
    venue = SimulatedVenue(latency, terms.queue, terms.queue_power, self_trade=terms.self_trade)
    terms.taking.write(venue, index)
    for feature in lacking(instrument) if terms.emulated is None else terms.emulated:
        setattr(venue, f"knows_{feature}", False)
    rates = rates_of(terms.fees, instrument, instruments, maker, taker)
    _, maker, taker = rates.tiers[0].tolist()  # by those an order must be paid for: nobody has traded for a better tier yet
    seat = Seat(venue, index, placement.instrument, owned.seat_cash, maker, taker, terms.day_offset_ns, owned.account_of[index])
    seat["rates"] = rates
    return seat


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
    ordered: Sequence[Placement], strategies: list[Any], rules: list[Any], codes: dict[str, int], *, cache: bool
) -> np.ndarray[Any, Any]:
    """What the loop calls for each seat, by address; compiles every class that was not compiled yet."""
    calls = np.zeros(len(ordered), Call().dtype)
    for name, code in codes.items():
        calls[name] = code
    for call, placement, reference, own in zip(
        calls, ordered, strategies, _rules_by_seat(ordered, rules), strict=True
    ):
        call["kinds"] = kinds_of(type(placement.strategy), BASES)
        if reference is not None:
            box, at = reference
            call["code"] = _strategy_code(box.dtype, cache)
            call["record"] = box[at:].ctypes.data
        if len(own) > RULE_SLOTS:
            raise StrategyError(f"{placement.name}: {len(own)} rules, but a seat has room for {RULE_SLOTS}")
        call["rule_count"] = len(own)
        for slot, (box, at) in enumerate(own):
            call["rule_codes"][slot] = _rule_code(box.dtype, cache)
            call["rule_records"][slot] = box[at:].ctypes.data
    return calls


def compile_classes(placements: Sequence[Placement], class_sources: Sequence[Path]) -> None:
    """The classes of strategies and rules alone, for whoever finds them on disk afterwards."""
    is_kept = _cached(class_sources)
    for placement in placements:
        if isinstance(placement.strategy, Record):
            _strategy_code(placement.strategy.dtype, is_kept)
        for rule in placement.rules:
            _rule_code(rule.dtype, is_kept)


def _strategy_code(layout: np.dtype[Any], cache: bool) -> int:
    return _address(play, layout, (EVENT, SEAT, MARKET, ACCOUNT), cache)


def _rule_code(layout: np.dtype[Any], cache: bool) -> int:
    return _address(refuses, layout, (Order().dtype, SEAT, MARKET, ACCOUNT), cache)


@functools.cache
def _address(function: Any, record_dtype: Any, layouts: tuple[Any, ...], cache: bool) -> int:
    try:
        return address_for(function, record_dtype, layouts, cache=cache)
    except Exception as error:
        cls = record_dtype.type
        raise StrategyError(
            f"{cls.__name__} cannot be compiled: {why_not_compiled(cls, error)}. "
            "A strategy that needs more than numbers and arrays can extend PythonStrategy.",
            details=str(error),
        ) from error
