"""`tca`: what the orders of a session, or of a replay, cost, and what the price did after each fill."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

from streamtrader.analysis.costs import EXACT, Tally, joined, tallies_of
from streamtrader.errors import ConfigError, RunDirectoryError
from streamtrader.runtime.middles import Moments
from streamtrader.units import NS_PER_S, decimal_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamtrader.instruments import Instrument
    from streamtrader.runtime.order_records import OrderRecords

HORIZONS_S = (1.0, 5.0, 30.0, 60.0)
HORIZONS_MOST = 20
DAY_S = 86_400.0


def horizons_of(text: str) -> tuple[float, ...]:
    """`1,5,30` as seconds, ascending; ConfigError where they are no numbers above zero and up to a day."""
    try:
        horizons = sorted({float(part) for part in text.split(",")})
    except ValueError:
        horizons = []
    if not horizons or len(horizons) > HORIZONS_MOST or not all(0.0 < one <= DAY_S for one in horizons):
        raise ConfigError(
            f"--horizons must be up to {HORIZONS_MOST} numbers of seconds above 0 and up to {DAY_S:g}, not {text!r}"
        )
    return tuple(horizons)


def costs_of(records: OrderRecords, horizons_s: Sequence[float] = HORIZONS_S) -> dict[str, Any]:
    """The whole document for JSON; RunDirectoryError where nothing was filled."""
    if not records.fills:
        raise RunDirectoryError(f"{records.source}: none of its {len(records.orders)} orders was filled")
    instruments = records.tapes[0].instruments
    measure(records, horizons_s)
    units = [instrument.price_tick * instrument.size_lot / 2 for instrument in instruments]
    tallies = tallies_of(records.orders, records.fills, units, horizons_s)
    groups = [
        {"strategy": strategy, **_named(instruments[instrument]), "side": side, **tally.as_json()}
        for (strategy, instrument, side), tally in sorted(tallies.items())
    ]
    by_quote: dict[str, list[Tally]] = {}
    for (_, instrument, _), tally in sorted(tallies.items()):
        by_quote.setdefault(instruments[instrument].quote, []).append(tally)
    totals = [{"quote": quote, **joined(own, horizons_s).as_json()} for quote, own in by_quote.items()]
    return {
        "source": records.source,
        "horizons_s": list(horizons_s),
        "up_latency_ms": records.up_ns / 1e6,
        "down_latency_ms": records.down_ns / 1e6,
        "groups": groups,
        "totals": totals,
        "charges": _charges_of(records),
        "notes": records.notes,
    }


def measure(records: OrderRecords, horizons_s: Sequence[float]) -> None:
    """Give orders and fills their middles, from one pass over the tapes.

    A decision saw all that came until its time. An order meets the book of before the next event, and a fill is made
    by the book of before its own, so those two see what came before their times.
    """
    moments = Moments()
    at_orders: list[tuple[int, int, int]] = []
    for order in records.orders:
        instrument = order.group[1]
        asked = moments.ask(order.asked_ns, instrument, before=False)
        arrived = moments.ask(order.asked_ns + records.up_ns, instrument, before=True)
        at_orders.append((asked, arrived, moments.ask(order.end_ns, instrument, before=False)))
    at_fills: list[list[int]] = []
    for fill in records.fills:
        instrument, made_ns = fill.order.group[1], fill.at_ns - records.down_ns
        later_ns = [made_ns + round(horizon_s * NS_PER_S) for horizon_s in horizons_s]
        later = [moments.ask(at_ns, instrument, before=False) for at_ns in later_ns]
        at_fills.append([moments.ask(made_ns, instrument, before=True), *later])
    moments.look(records.tapes)
    for order, numbers in zip(records.orders, at_orders, strict=True):
        order.asked_middle, order.arrival_middle, order.end_middle = map(moments.middle, numbers)
    for fill, numbers_ in zip(records.fills, at_fills, strict=True):
        fill.middle, fill.spread_ticks = moments.middle(numbers_[0]), moments.spread_ticks(numbers_[0])
        fill.later = [moments.middle(number) for number in numbers_[1:]]


def _named(instrument: Instrument) -> dict[str, str]:
    return {"venue": instrument.venue, "instrument": instrument.symbol, "quote_currency": instrument.quote}


def _charges_of(records: OrderRecords) -> list[dict[str, Any]]:
    """What was paid (above zero) without a fill: funding, interest, borrow fees, by strategy, instrument and asset."""
    sums: dict[tuple[str, int, str, str], Decimal] = {}
    with localcontext(EXACT):
        for row in records.charges:
            seat = records.seats[row["seat"]]
            key = (seat["strategy"], seat["instrument"], row["kind"], row["asset"])
            sums[key] = sums.get(key, Decimal(0)) + Decimal(row["amount"])
    instruments = records.tapes[0].instruments
    return [
        {"strategy": strategy, "instrument": instruments[at].symbol, "kind": kind, "asset": asset, "paid": decimal_text(paid)}
        for (strategy, at, kind, asset), paid in sorted(sums.items())
    ]
