"""Exact money of what the kernel said in integers and doubles.

A notional is ticks times lots times what one of each is worth. A fee is a rate of it: the seat's own, or one that is
read off the double which the kernel said (another tier of the venue's fees). Where no rate of at most `RATE_PLACES`
decimals explains that double (a fee in another asset, a minimum, funding, interest) the amount is the double itself,
in the shortest decimal that reads back as it: what the kernel booked, to its last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow

from streamtrader.errors import StorageError
from streamtrader.instruments import Instrument

EXACT = Context(prec=120, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
RATE_PLACES = 6  # of basis points; venues publish two or three
SAME = 1e-12  # relative: a double that was computed in a few steps differs by less
_RATE = Decimal(1).scaleb(-RATE_PLACES)
_QUOTIENT = Context(prec=120)


def decimal_of(amount: float) -> Decimal:
    """A double as the shortest decimal that reads back as it."""
    if not math.isfinite(amount):
        raise StorageError(f"the engine booked {amount}, which is no amount of money")
    return Decimal(repr(float(amount)))


@dataclass(frozen=True, slots=True)
class Units:
    """What one tick times one lot is in quote currency, and the seat's own fee rates in basis points."""

    notional: Decimal
    maker_bps: Decimal
    taker_bps: Decimal

    @classmethod
    def of(cls, instrument: Instrument, maker_fee_bps: float, taker_fee_bps: float) -> Units:
        notional = EXACT.multiply(instrument.price_tick, instrument.size_lot)
        return cls(notional, decimal_of(maker_fee_bps), decimal_of(taker_fee_bps))

    def notional_of(self, ticks_lots: int) -> Decimal:
        return EXACT.multiply(Decimal(ticks_lots), self.notional)

    def fee_of(self, ticks: int, lots: int, said: float, *, is_taker: bool) -> Decimal:
        """The fee of a fill in quote currency; `said` is the kernel's double."""
        notional = self.notional_of(ticks * lots)
        own = _rated(notional, self.taker_bps if is_taker else self.maker_bps)
        if _is_same(own, said):
            return own
        told = decimal_of(said)
        if notional:
            bps = _QUOTIENT.quantize(_QUOTIENT.divide(_QUOTIENT.scaleb(told, 4), notional), _RATE)
            other = _rated(notional, bps)
            if _is_same(other, said):
                return other
        return told


def _rated(notional: Decimal, bps: Decimal) -> Decimal:
    return EXACT.multiply(notional, EXACT.scaleb(bps, -4))


def _is_same(exact: Decimal, said: float) -> bool:
    return math.isclose(float(exact), said, rel_tol=SAME, abs_tol=0.0)
