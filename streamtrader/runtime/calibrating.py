"""`calibrate`: what a recorded session tells about its venue, as settings of the simulator."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from streamtrader.analysis.fits import NORMAL_95, ORDERS_LEAST, through_origin
from streamtrader.events import BID, Kind
from streamtrader.runtime.latency_fit import LatencyFit, fit_latency
from streamtrader.runtime.middles import Moments
from streamtrader.runtime.queue_fit import LEAST, QueueFit, fit_queue
from streamtrader.runtime.transaction_costs import measure
from streamtrader.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    from streamtrader.runtime.order_records import OrderRecords
    from streamtrader.storage.tape import Tape

STEPS_MOST = 100_000  # returns that a volatility is measured from
SAME_BPS = 1e-6  # fee rates this near to each other are one


def calibrated(records: OrderRecords) -> dict[str, Any]:
    """The whole document for JSON: what was fitted, from what, what could not be, and the settings that say it."""
    document: dict[str, Any] = {"source": records.source, "orders": len(records.orders), "fills": len(records.fills)}
    settings: dict[str, float | str] = {}
    silent: list[str] = []
    latency = fit_latency(records)
    document["latency"] = None if latency is None else _latency_told(latency, settings, silent)
    if latency is None:
        silent.append("latency: the venue answered no order")
    down_ns = records.down_ns if latency is None else round(latency.down_median.value * NS_PER_MS)
    up_ns = records.up_ns if latency is None else round(latency.up_median.value * NS_PER_MS)
    queue = fit_queue(records, up_ns, down_ns)
    document["queue"] = None if queue is None else _queue_told(queue, settings, silent)
    if queue is None:
        silent.append(f"queue: fewer than {LEAST} plain limit orders with an acknowledgement rested")
    document["impact"] = _impact_told(records, settings, silent)
    document["fees"] = _fees_told(records, settings, silent)
    return document | {"settings": settings, "silent": silent, "notes": records.notes}


def _latency_told(fit: LatencyFit, settings: dict[str, float | str], silent: list[str]) -> dict[str, Any]:
    settings["up_latency_ms"] = round(fit.up_median.value, 6)
    settings["down_latency_ms"] = round(fit.down_median.value, 6)
    settings["latency"] = "constant" if fit.is_constant else "log_normal"
    if not fit.is_constant:
        settings["latency_sigma"] = round(min(fit.sigma, 3.0), 6)
    if fit.down is None:
        silent.append("latency: no maker's fill tells the way down from the way up; each is half of a round trip")
    return {
        "round_trip_ms": {
            "mu": fit.trip.mu,
            "sigma": fit.trip.sigma,
            "median": fit.trip.median.as_json(),
            "mean": fit.trip_mean,
            "quantiles": fit.trip_quantiles,
        },
        "up_ms": fit.up_median.as_json(),
        "down_ms": fit.down_median.as_json(),
        "down_sigma": None if fit.down is None else fit.down.sigma,
        "are_ways_told_apart": fit.down is not None,
        "sigma": fit.sigma,
        "is_constant": fit.is_constant,
    }


def _queue_told(fit: QueueFit, settings: dict[str, float | str], silent: list[str]) -> dict[str, Any]:
    if fit.is_told:
        model, _, power = fit.best.partition(" ")
        settings["queue"] = model
        if power:
            settings["queue_power"] = fit.power
    else:
        silent.append(f"queue: every model fills the {fit.orders} resting orders at the same times")
    return {
        "power": {"value": fit.power, "low": fit.low, "high": fit.high} if fit.is_told else None,
        "best": fit.best if fit.is_told else None,
        "orders": fit.orders,
        "losses": fit.losses,
    }


def _impact_told(records: OrderRecords, settings: dict[str, float | str], silent: list[str]) -> dict[str, Any]:
    """Y of the square-root law, from what takers paid beyond half the spread: mean relative cost = Y sigma sqrt(q / V)."""
    measure(records, ())
    lots: dict[int, int] = {}
    cost: dict[int, int] = {}
    orders = {}
    for fill in records.fills:
        parts = fill.parts()
        if fill.is_taker and parts is not None:
            key = id(fill.order)
            orders[key] = fill.order
            lots[key] = lots.get(key, 0) + fill.lots
            cost[key] = cost.get(key, 0) + parts[3]
    activities = activities_of(records.tapes, {order.group[1] for order in orders.values()})
    x, y, shares = [], [], []
    for key, order in orders.items():
        instrument = order.group[1]
        volume, volatility = activities[instrument]
        if volume <= 0.0 or volatility <= 0.0:
            continue
        share = lots[key] / records.tapes[0].instruments[instrument].lots_per_unit / volume
        shares.append(share)
        x.append(volatility * math.sqrt(share))
        y.append(cost[key] / (lots[key] * order.arrival_middle))
    fit = through_origin(np.array(x), np.array(y))
    document: dict[str, Any] = {"orders": len(x), "median_share_of_volume": None, "prefactor": None}
    if shares:
        document["median_share_of_volume"] = float(np.median(shares))
    if len(x) < ORDERS_LEAST:
        silent.append(f"impact: {len(x)} of {len(orders)} taking orders can be measured; at least {ORDERS_LEAST} are wanted")
    elif not any(y):
        silent.append(f"impact: none of {len(x)} orders that took liquidity went beyond the touch; they are too small")
    elif not abs(fit.value) > NORMAL_95 * fit.error:
        silent.append(f"impact: {fit.value:.3g} with an error of {fit.error:.3g} cannot be told from none")
    else:
        document["prefactor"] = fit.as_json()
        settings["impact_prefactor"] = round(fit.value, 6)
    return document


def activities_of(tapes: Sequence[Tape], instruments: Set[int]) -> dict[int, tuple[float, float]]:
    """Size traded on the tapes, and the deviation of the middle's return over all their time, from steps of a second."""
    if not instruments:
        return {}
    volumes = dict.fromkeys(instruments, 0.0)
    for tape in tapes:
        for events in tape.events():
            trades = events[events["kind"] == Kind.TRADE]
            for instrument in instruments:
                volumes[instrument] += float(trades["b"][trades["instrument"] == instrument].sum())
    first_ns, last_ns = tapes[0].first_received_ns, tapes[-1].last_received_ns
    steps_ns = range(first_ns, last_ns, max(NS_PER_S, (last_ns - first_ns) // STEPS_MOST))
    moments = Moments()
    asked = {each: [moments.ask(at_ns, each, before=False) for at_ns in steps_ns] for each in instruments}
    moments.look(tapes)
    volatilities = {}
    for instrument, numbers in asked.items():
        bests = moments.bests[numbers]
        middles = bests[bests[:, BID] >= 0].sum(axis=1)
        volatilities[instrument] = float(np.sqrt((np.diff(np.log(middles)) ** 2).sum()))
    return {each: (volumes[each], volatilities[each]) for each in instruments}


def _fees_told(records: OrderRecords, settings: dict[str, float | str], silent: list[str]) -> list[dict[str, Any]]:
    """Rates that were paid, by instrument and liquidity; a setting where there is only one."""
    instruments = records.tapes[0].instruments
    rates: dict[tuple[int, bool], list[float]] = {}
    for fill in records.fills:
        instrument = fill.order.group[1]
        value = fill.ticks * fill.lots * float(instruments[instrument].price_tick * instruments[instrument].size_lot)
        if not fill.fee_asset:
            rates.setdefault((instrument, fill.is_taker), []).append(1e4 * float(fill.fee) / value)
    for is_taker, name in ((False, "maker_fee_bps"), (True, "taker_fee_bps")):
        seen = [rate for (_, taker), own in rates.items() if taker == is_taker for rate in own]
        if not seen:
            silent.append(f"fees: {name} was never paid")
        elif max(seen) - min(seen) <= SAME_BPS:
            settings[name] = round(seen[0], 6)
        else:
            silent.append(f"fees: {name} was between {min(seen):g} and {max(seen):g}; one setting cannot say it")
    return [
        {
            "instrument": instruments[instrument].symbol,
            "liquidity": "taker" if is_taker else "maker",
            "fills": len(own),
            "lowest_bps": min(own),
            "mean_bps": math.fsum(own) / len(own),
            "highest_bps": max(own),
        }
        for (instrument, is_taker), own in sorted(rates.items())
    ]


def as_toml(document: dict[str, Any]) -> str:
    """A file that `-c` takes."""
    lines = [f"# from {document['source']}: {document['orders']} orders, {document['fills']} fills"]
    lines += [f"# {line}" for line in document["silent"]]
    lines += ["[simulator]", *(f"{name} = {_literal(value)}" for name, value in document["settings"].items())]
    return "\n".join(line.replace("\n", " ") for line in lines) + "\n"


def _literal(value: float | str) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(float(value))


def as_overrides(document: dict[str, Any]) -> list[str]:
    return [f"--set simulator.{name}={value}" for name, value in document["settings"].items()]
