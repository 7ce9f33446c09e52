"""The venue's filters, from exact decimals to ticks and lots."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from streamtrader.kernel.minutes import MINUTES

if TYPE_CHECKING:
    from streamtrader.instruments import Instrument
    from streamtrader.kernel.market import Market

MOST = (1 << 62) - 1


def demand(market: Market, instrument: Instrument) -> None:
    """Write down what the instrument's venue demands."""
    filters, demands = instrument.filters, market.demands
    if not filters.has_any:
        return
    tick, lot = instrument.price_tick, instrument.size_lot
    demands.has_any = True
    demands.least_lots = _least(filters.minimum_size, lot)
    demands.most_lots = _most(filters.maximum_size, lot)
    demands.least_market_lots = _least(filters.minimum_market_size, lot)
    demands.most_market_lots = _most(filters.maximum_market_size, lot)
    demands.least_ticks = _least(filters.minimum_price, tick)
    demands.most_ticks = _most(filters.maximum_price, tick)
    for name in ("bid_up", "bid_down", "ask_up", "ask_down"):
        setattr(demands, name, float(getattr(filters, name)))
    demands.average_minutes = min(filters.average_minutes, MINUTES - 1)
    demands.most_value = float(filters.maximum_notional)
    demands.most_orders = filters.maximum_orders
    demands.most_waiting_orders = filters.maximum_waiting_orders
    demands.most_parts = filters.maximum_parts
    demands.most_position_lots = _most(filters.maximum_position, lot)
    demands.is_by_mark = filters.is_by_mark
    if filters.average_minutes > 0:
        market.minutes.is_on = True


def _least(value: Decimal, step: Decimal) -> int:
    return min(int((value / step).to_integral_value(ROUND_CEILING)), MOST)


def _most(value: Decimal, step: Decimal) -> int:
    """A demand of less than one step is one of a step: 0 would be none."""
    return max(1, min(int((value / step).to_integral_value(ROUND_FLOOR)), MOST)) if value > 0 else 0
