"""Exact money: decimal arithmetic that raises rather than round, and the one place where a quotient must be cut.

Sums and products of prices, sizes and fees end, so they are exact. A share of a position's cost need not end: it is
cut to `QUANTUM`, and what is cut off stays in the cost that remains, so no money appears or disappears.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from functools import reduce

from streamtrader.errors import LedgerError

QUANTUM = Decimal("1e-18")
PLACES_MOST = 30  # of an amount that is told, before and behind the point: products and sums then fit `PRECISION`
PRECISION = 200
_EXACT = Context(prec=PRECISION, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
_SHARE = Context(prec=PRECISION, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
_SHOWN = Context(prec=28)
ZERO, ONE = Decimal(0), Decimal(1)


# The context's own methods: a function around each would cost more than the arithmetic. `-amount` and `abs(amount)` are
# no way to do it, because those round to the digits of the thread's context.
plus = _EXACT.add
minus = _EXACT.subtract
times = _EXACT.multiply
negative = _EXACT.minus


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum of any number of amounts."""
    return reduce(plus, amounts, ZERO)


def share_of(cost: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """The part of a cost that belongs to a part of a position, cut to `QUANTUM`; all of it for the whole."""
    if part == whole:
        return cost
    return _SHARE.quantize(_SHARE.divide(_SHARE.multiply(cost, part), whole), QUANTUM)


def quotient(amount: Decimal, divisor: Decimal) -> Decimal:
    """To 28 digits: for showing and for turning a price round, never for booking."""
    return _SHOWN.divide(amount, divisor)


def checked(name: str, value: object) -> Decimal:
    """The value, if it is a finite decimal that exact arithmetic has room for."""
    if not isinstance(value, Decimal) or not value.is_finite():
        raise LedgerError(f"{name} must be a finite decimal, not {value!r}")
    exponent = value.as_tuple().exponent
    if value.adjusted() >= PLACES_MOST or (isinstance(exponent, int) and exponent < -PLACES_MOST):
        raise LedgerError(f"{name} must have at most {PLACES_MOST} digits before and behind the point, not {value}")
    return value
