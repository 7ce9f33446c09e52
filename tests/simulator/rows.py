"""Rows and ends of orders as tests of order types ask for them."""

from __future__ import annotations

from streamtrader.kernel.outbox import OutboxKind
from tests.kernel.play import MS, START_NS


def told(outcome, *kinds):
    """(milliseconds, order, ticks, lots, code) of the engine's rows."""
    rows = outcome.rows(*kinds)
    since = rows["at_ns"] - START_NS
    return list(zip((since / MS).tolist(), *(rows[name].tolist() for name in ("order", "ticks", "lots", "code")), strict=True))


def ends(outcome):
    """(order, code) of the orders that were cancelled."""
    return [(order, code) for _, order, _, _, code in told(outcome, OutboxKind.CANCELLED)]
