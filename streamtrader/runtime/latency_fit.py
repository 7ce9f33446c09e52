"""How long orders and answers were on their way, from what a session's records say.

A round trip is from sending to the venue's first word: an acknowledgement, a taker's first fill, a rejection. The way
down alone shows where a resting order was filled: the trade or the level that filled it is on the tape, and the report
of it comes so much later. Which of the events before a report it was, nobody says; see `fits.causal_lag`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from streamtrader.analysis.costs import UNKNOWN, Fill
from streamtrader.analysis.fits import Estimate, LogNormal, causal_lag, log_normal, other_way, quantiles
from streamtrader.events import ASK, BID, Kind
from streamtrader.kernel.outbox import STOP, TAKE_PROFIT, TRAILING, OutboxKind
from streamtrader.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from streamtrader.runtime.order_records import OrderRecords

Numbers = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
FILLS_MOST = 2_000  # reports whose causes are looked for, evenly chosen
CAUSES_MOST = 50  # of one report: the newest
SIGMA_LEAST = 0.01  # of a logarithm: below it a latency is taken for constant


@dataclass(frozen=True, slots=True)
class LatencyFit:
    """All in milliseconds. `down` is None where no maker's fill told it apart; both ways are then half of a trip."""

    trip: LogNormal
    trip_quantiles: dict[str, float]
    trip_mean: float
    down: LogNormal | None
    up_median: Estimate
    down_median: Estimate
    sigma: float

    @property
    def is_constant(self) -> bool:
        return self.sigma < SIGMA_LEAST


def fit_latency(records: OrderRecords) -> LatencyFit | None:
    """None where the venue never answered anything."""
    trips = round_trips(records) / NS_PER_MS
    if len(trips) == 0:
        return None
    trip = log_normal(trips)
    mean, deviation = float(trips.mean()), float(trips.std())
    window_ns = min(round(float(np.quantile(trips, 0.99)) * NS_PER_MS), NS_PER_S * 60)
    down = causal_lag([lags / NS_PER_MS for lags in possible_causes(records, window_ns)])
    if down is None:
        half = Estimate(trip.median.value / 2.0, trip.median.error / 2.0, len(trips))
        sigma = math.sqrt(math.log1p(2.0 * (deviation / mean) ** 2))
        return LatencyFit(trip, quantiles(trips), mean, None, half, half, sigma)
    up = other_way(trip, mean, deviation, down)
    # Settings have one sigma for both ways: the variance of a sum of two such laws with these medians, solved for it.
    squares = up.value**2 + down.median.value**2
    factor = 0.5 * (1.0 + math.sqrt(1.0 + 4.0 * deviation**2 / squares))  # factor * (factor - 1) = variance / squares
    return LatencyFit(trip, quantiles(trips), mean, down, up, down.median, math.sqrt(math.log(factor)))


def round_trips(records: OrderRecords) -> Floats:
    """In nanoseconds, of the orders that were sent when they were asked for; those above zero."""
    first_taken: dict[int, int] = {}
    for fill in records.fills:
        if fill.is_taker:
            first_taken.setdefault(id(fill.order), fill.at_ns)
    waited = waiting_orders(records)
    trips = []
    for order in records.orders:
        if not order.is_sent or (order.seat, order.order_id) in waited:
            continue
        heard = [at for at in (order.accepted_ns, first_taken.get(id(order), UNKNOWN)) if at != UNKNOWN]
        if order.status == "rejected":
            heard.append(order.end_ns)
        if heard:
            trips.append(min(heard) - order.asked_ns)
    found = np.array(trips, np.float64)
    return found[found > 0]


def waiting_orders(records: OrderRecords) -> set[tuple[int, int]]:
    """Those that waited for a trigger, here or at the venue: their fills answer nothing."""
    said = records.said
    is_waiting = (said["kind"] == OutboxKind.INTENT) & ((said["code"] & (STOP | TAKE_PROFIT | TRAILING)) != 0)
    return {tuple(row) for row in said[is_waiting][["seat", "order"]].tolist()}


def possible_causes(records: OrderRecords, window_ns: int) -> list[Numbers]:
    """For each maker's fill the lags to all events within the window that may have filled it."""
    makers = [fill for fill in records.fills if not fill.is_taker]
    chosen = np.unique(np.linspace(0, len(makers) - 1, min(len(makers), FILLS_MOST)).astype(np.int64))
    fills = sorted((makers[at] for at in chosen.tolist()), key=lambda fill: fill.at_ns)
    found: list[Numbers] = []
    kept: dict[int, tuple[Numbers, Numbers, Numbers]] = {}  # instrument: times, ticks, sides
    at, last_ns = 0, 0
    for tape in records.tapes:
        units = [instrument.ticks_per_unit for instrument in tape.instruments]
        for events in tape.events():
            clock = np.maximum(np.maximum.accumulate(events["received_ns"]), last_ns)
            last_ns = int(clock[-1])
            wanted = (events["kind"] == Kind.TRADE) & (events["c"] == 0.0)
            wanted |= (events["kind"] == Kind.BOOK) & (events["b"] > 0.0)
            for instrument, unit in enumerate(units):
                mine = wanted & (events["instrument"] == instrument)
                part = clock[mine], (events["a"][mine] * unit + 0.5).astype(np.int64), events["side"][mine].astype(np.int64)
                old = kept.get(instrument, (part[0][:0], part[1][:0], part[2][:0]))
                kept[instrument] = tuple(np.concatenate(each) for each in zip(old, part, strict=True))  # type: ignore[assignment]
            while at < len(fills) and fills[at].at_ns < last_ns:
                found.append(_causes_of(fills[at], kept[fills[at].order.group[1]], window_ns))
                at += 1
            for instrument, (times, ticks, sides) in kept.items():
                first = int(np.searchsorted(times, last_ns - window_ns))
                kept[instrument] = times[first:], ticks[first:], sides[first:]
    found += [_causes_of(fill, kept[fill.order.group[1]], window_ns) for fill in fills[at:]]
    return found


def _causes_of(fill: Fill, rows: tuple[Numbers, Numbers, Numbers], window_ns: int) -> Numbers:
    """A sale at the price of a buyer or below fills it, and so does an offer there; for a seller the other way."""
    times, ticks, sides = rows
    first, stop = np.searchsorted(times, (fill.at_ns - window_ns, fill.at_ns))
    times, ticks, sides = times[first:stop], ticks[first:stop], sides[first:stop]
    reached = ticks <= fill.ticks if fill.order.sign > 0 else ticks >= fill.ticks
    side = ASK if fill.order.sign > 0 else BID  # a seller's trade has the same number as the asks
    lags = np.unique(fill.at_ns - times[reached & (sides == side)])
    return lags[:CAUSES_MOST]
