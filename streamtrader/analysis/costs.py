"""Transaction costs of orders and their fills, in exact decimals of quote currency; above zero is paid.

With side s (+1 buys, -1 sells), price p, size q of a fill, and the middles m_i when its order was decided, m_a when
that came to the venue, m_f just before the fill, a fill's cost against the decision is s(p - m_i)q, and it is the sum of

    delay    s(m_a - m_i)q   the market moved while the order was on its way
    timing   s(m_f - m_a)q   it moved while the order waited
    spread   takers: half the spread shown just before; makers: s(p - m_f)q, mostly below zero: earned
    impact   takers: s(p - m_f)q less that half, so what was walked beyond the touch; makers: 0

Fees come on top. The implementation shortfall (Perold, "The implementation shortfall: paper versus reality", 1988) adds
what was not filled, s(m_e - m_i) times the rest, with the middle m_e at the order's end. The effective spread is
2s(p - m_f), the realized one 2s(p - m_h) with a middle some time later, their difference the impact of the trade on the
price (Huang and Stoll, "Dealer versus auction markets", 1996); the markout is s(m_h - p), above zero: a good trade.

Middles are integers, bid plus ask in ticks. One that is not known, because a side was empty, the books crossed or the
records end before, leaves its fill out of that figure, and is counted.
"""

from __future__ import annotations

import decimal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from streamtrader.units import decimal_text

EXACT = decimal.Context(prec=120, traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow])
UNKNOWN = -1  # a middle that is not known
PARTS = ("delay", "timing", "spread", "impact")
ZERO = Decimal(0)


@dataclass(slots=True)
class Order:
    """An order as it ended. Times in nanoseconds, `UNKNOWN` where it has none; middles in half ticks."""

    group: tuple[str, int, str]  # strategy, instrument, side
    seat: int
    order_id: int
    sign: int  # +1 buys, -1 sells
    lots: int
    filled_lots: int
    status: str
    asked_ns: int
    end_ns: int  # when it was done; that of the records' end while it is open
    limit_ticks: int = 0  # 0: at the market
    accepted_ns: int = UNKNOWN
    first_fill_ns: int = UNKNOWN
    first_maker_ns: int = UNKNOWN
    asked_middle: int = UNKNOWN
    arrival_middle: int = UNKNOWN
    end_middle: int = UNKNOWN

    @property
    def is_sent(self) -> bool:
        return self.status not in ("refused", "intent", "armed")


@dataclass(slots=True)
class Fill:
    """A fill; `at_ns` is when it was heard of, `later` the middles at the horizons after it happened."""

    order: Order
    at_ns: int
    ticks: int
    lots: int
    is_taker: bool
    fee: Decimal
    fee_asset: str = ""  # "": the quote currency
    middle: int = UNKNOWN
    spread_ticks: int = UNKNOWN
    later: list[int] = field(default_factory=list)

    def parts(self) -> tuple[int, int, int, int] | None:
        """Delay, timing, spread and impact, in half ticks times lots; None where a middle is not known."""
        order, sign = self.order, self.order.sign
        if UNKNOWN in (order.asked_middle, order.arrival_middle, self.middle):
            return None
        effective = sign * (2 * self.ticks - self.middle)
        spread = self.spread_ticks if self.is_taker else effective
        each = (
            sign * (order.arrival_middle - order.asked_middle),
            sign * (self.middle - order.arrival_middle),
            spread,
            effective - spread,
        )
        return tuple(one * self.lots for one in each)  # type: ignore[return-value]


@dataclass(slots=True)
class Markout:
    """Sums over the fills of one horizon and liquidity; `missing` had no middle so late."""

    counted: int = 0
    missing: int = 0
    gain: Decimal = ZERO
    impact: Decimal = ZERO  # s(m_h - m_f)q
    value: Decimal = ZERO

    def add(self, other: Markout) -> None:
        self.counted += other.counted
        self.missing += other.missing
        self.gain += other.gain
        self.impact += other.impact
        self.value += other.value


@dataclass(slots=True)
class Tally:
    """Sums of one group, or of several with the same quote currency."""

    horizons_s: Sequence[float]
    orders: dict[str, int] = field(default_factory=dict)  # by status
    sent: dict[int, int] = field(default_factory=dict)  # lots by instrument
    filled: dict[int, int] = field(default_factory=dict)
    fills: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})  # by whether they took
    values: dict[bool, Decimal] = field(default_factory=lambda: {False: ZERO, True: ZERO})
    unmeasured_fills: int = 0
    parts: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(PARTS, ZERO))
    decided_value: Decimal = ZERO  # of the measured fills, at the middles of their decisions
    fees: Decimal = ZERO  # in quote currency, of all fills
    measured_fees: Decimal = ZERO
    other_fees: dict[str, Decimal] = field(default_factory=dict)
    effective: Decimal = ZERO  # s(p - m_f)q
    quoted: Decimal = ZERO  # half the spread shown, times q
    spread_value: Decimal = ZERO
    opportunity: Decimal = ZERO
    wanted_value: Decimal = ZERO  # of all that was sent, at the middles of the decisions
    unmeasured_orders: int = 0
    to_first_fill_ns: list[int] = field(default_factory=list)
    to_end_ns: list[int] = field(default_factory=list)
    queue_ns: list[int] = field(default_factory=list)
    markouts: dict[tuple[float, bool], Markout] = field(default_factory=dict)

    def take_order(self, order: Order, unit: Decimal) -> None:
        """`unit` is what one half tick times one lot is worth."""
        self.orders[order.status] = self.orders.get(order.status, 0) + 1
        if not order.is_sent:
            return
        instrument = order.group[1]
        self.sent[instrument] = self.sent.get(instrument, 0) + order.lots
        self.filled[instrument] = self.filled.get(instrument, 0) + order.filled_lots
        self.to_end_ns.append(order.end_ns - order.asked_ns)
        if order.first_fill_ns != UNKNOWN:
            self.to_first_fill_ns.append(order.first_fill_ns - order.asked_ns)
        if UNKNOWN not in (order.first_maker_ns, order.accepted_ns):
            self.queue_ns.append(order.first_maker_ns - order.accepted_ns)
        rest = order.lots - order.filled_lots
        if order.asked_middle == UNKNOWN or (rest and order.end_middle == UNKNOWN):
            self.unmeasured_orders += 1
            return
        self.wanted_value += order.asked_middle * order.lots * unit
        if rest:
            self.opportunity += order.sign * (order.end_middle - order.asked_middle) * rest * unit

    def take_fill(self, fill: Fill, unit: Decimal) -> None:
        value = 2 * fill.ticks * fill.lots * unit
        self.fills[fill.is_taker] += 1
        self.values[fill.is_taker] += value
        fee = ZERO
        if fill.fee_asset:
            self.other_fees[fill.fee_asset] = self.other_fees.get(fill.fee_asset, ZERO) + fill.fee
        else:
            fee = fill.fee
            self.fees += fee
        parts = fill.parts()
        if parts is None:
            self.unmeasured_fills += 1
        else:
            for name, part in zip(PARTS, parts, strict=True):
                self.parts[name] += part * unit
            self.decided_value += fill.order.asked_middle * fill.lots * unit
            self.measured_fees += fee
        if fill.middle != UNKNOWN:
            self.effective += fill.order.sign * (2 * fill.ticks - fill.middle) * fill.lots * unit
            self.quoted += fill.spread_ticks * fill.lots * unit
            self.spread_value += fill.middle * fill.lots * unit
        for horizon_s, middle in zip(self.horizons_s, fill.later, strict=True):
            self._mark(fill, horizon_s, middle, unit, value)

    def _mark(self, fill: Fill, horizon_s: float, middle: int, unit: Decimal, value: Decimal) -> None:
        markout = self.markouts.setdefault((horizon_s, fill.is_taker), Markout())
        if UNKNOWN in (middle, fill.middle):
            markout.missing += 1
            return
        sign = fill.order.sign
        markout.counted += 1
        markout.gain += sign * (middle - 2 * fill.ticks) * fill.lots * unit
        markout.impact += sign * (middle - fill.middle) * fill.lots * unit
        markout.value += value

    def add(self, other: Tally) -> None:
        """Another group of the same quote currency."""
        for name in ("orders", "sent", "filled", "fills", "values", "parts", "other_fees"):
            own, more = getattr(self, name), getattr(other, name)
            for key, number in more.items():
                own[key] = own.get(key, 0) + number
        for name in (
            "unmeasured_fills", "decided_value", "fees", "measured_fees", "effective", "quoted", "spread_value",
            "opportunity", "wanted_value", "unmeasured_orders", "to_first_fill_ns", "to_end_ns", "queue_ns",
        ):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for key, markout in other.markouts.items():
            self.markouts.setdefault(key, Markout()).add(markout)

    # --- what it comes to ---

    def slippage(self) -> Decimal:
        """Fills against the middles of their decisions, without fees."""
        return sum(self.parts.values(), ZERO)

    def as_json(self) -> dict[str, Any]:
        """Money as decimal text, shares and basis points as numbers; None where nothing was measured."""
        with decimal.localcontext(EXACT):
            return self._document()

    def _document(self) -> dict[str, Any]:
        taken, made = self.values[True], self.values[False]
        sent = sum(self.sent.values()) if len(self.sent) == 1 else 0
        costs = dict(self.parts) | {"fees": self.measured_fees, "total": self.slippage() + self.measured_fees}
        shortfall = self.slippage() + self.opportunity + self.measured_fees
        return {
            "orders": dict(sorted(self.orders.items())),
            "fills": sum(self.fills.values()),
            "taker_fills": self.fills[True],
            "value": decimal_text(taken + made),
            "maker_share": _ratio(made, taken + made),
            "fill_ratio": sum(self.filled.values()) / sent if sent else None,
            "arrival_slippage": _money(self.slippage(), self.decided_value),
            "costs": {name: _money(cost, self.decided_value) for name, cost in costs.items()},
            "implementation_shortfall": _money(shortfall, self.wanted_value),
            "opportunity": _money(self.opportunity, self.wanted_value),
            "fees": decimal_text(self.fees),
            "other_fees": {asset: decimal_text(fee) for asset, fee in sorted(self.other_fees.items())},
            "effective_spread_bps": _bps(2 * self.effective, self.spread_value),
            "quoted_spread_bps": _bps(2 * self.quoted, self.spread_value),
            "to_first_fill_ms": spread_of(self.to_first_fill_ns),
            "to_end_ms": spread_of(self.to_end_ns),
            "queue_ms": spread_of(self.queue_ns),
            "markouts": [self._markout_of(horizon_s) for horizon_s in self.horizons_s],
            "unmeasured_fills": self.unmeasured_fills,
            "unmeasured_orders": self.unmeasured_orders,
        }

    def _markout_of(self, horizon_s: float) -> dict[str, Any]:
        made, taken = (self.markouts.get((horizon_s, is_taker), Markout()) for is_taker in (False, True))
        both = Markout()
        both.add(made)
        both.add(taken)
        return {
            "horizon_s": horizon_s,
            "counted": both.counted,
            "missing": both.missing,
            "markout": _money(both.gain, both.value),
            "maker_markout_bps": _bps(made.gain, made.value),
            "taker_markout_bps": _bps(taken.gain, taken.value),
            "realized_spread_bps": _bps(-2 * both.gain, both.value),
            "price_impact_bps": _bps(2 * both.impact, both.value),
        }


def tallies_of(
    orders: Iterable[Order], fills: Iterable[Fill], units: Sequence[Decimal], horizons_s: Sequence[float]
) -> dict[tuple[str, int, str], Tally]:
    """A tally for each strategy, instrument and side; `units` are what half a tick times a lot is worth, by instrument."""
    tallies: dict[tuple[str, int, str], Tally] = {}
    with decimal.localcontext(EXACT):
        for order in orders:
            tallies.setdefault(order.group, Tally(horizons_s)).take_order(order, units[order.group[1]])
        for fill in fills:
            tallies[fill.order.group].take_fill(fill, units[fill.order.group[1]])
    return tallies


def joined(tallies: Iterable[Tally], horizons_s: Sequence[float]) -> Tally:
    total = Tally(horizons_s)
    with decimal.localcontext(EXACT):
        for tally in tallies:
            total.add(tally)
    return total


def spread_of(values_ns: Sequence[int]) -> dict[str, float] | None:
    """Median, 90 % and longest in milliseconds (the value at or above that share of the sorted ones), and how many."""
    if not values_ns:
        return None
    ordered = sorted(values_ns)
    at = [ordered[-(-len(ordered) * percent // 100) - 1] / 1e6 for percent in (50, 90, 100)]
    return {"count": len(ordered), "median": at[0], "p90": at[1], "longest": at[2]}


def _ratio(part: Decimal, whole: Decimal) -> float | None:
    return float(part) / float(whole) if whole else None


def _bps(part: Decimal, whole: Decimal) -> float | None:
    return 1e4 * float(part) / float(whole) if whole else None


def _money(cost: Decimal, value: Decimal) -> dict[str, Any]:
    return {"quote": decimal_text(cost), "bps": _bps(cost, value)}
