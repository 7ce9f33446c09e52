"""Exact money: decimal arithmetic that raises rather than round, and the one place where a quotient must be cut.

Sums and products of prices, sizes and fees end, so they are exact. A share of a position's cost need not end: it is
cut to `QUANTUM`, and what is cut off stays in the cost that remains, so no money appears or disappears.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow

QUANTUM = Decimal("1e-18")
_EXACT = Context(prec=200, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
_SHARE = Context(prec=200, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
_SHOWN = Context(prec=28)
ZERO = Decimal(0)


def plus(*amounts: Decimal) -> Decimal:
    """The exact sum."""
    total = ZERO
    for amount in amounts:
        total = _EXACT.add(total, amount)
    return total


def minus(amount: Decimal, less: Decimal) -> Decimal:
    return _EXACT.subtract(amount, less)


def times(amount: Decimal, factor: Decimal) -> Decimal:
    """The exact product."""
    return _EXACT.multiply(amount, factor)


def share_of(cost: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """The part of a cost that belongs to a part of a position, cut to `QUANTUM`; all of it for the whole."""
    if part == whole:
        return cost
    return _SHARE.quantize(_SHARE.divide(_SHARE.multiply(cost, part), whole), QUANTUM)


def quotient(amount: Decimal, divisor: Decimal) -> Decimal:
    """To 28 digits: for showing, never for booking."""
    return _SHOWN.divide(amount, divisor)
