"""The only place that converts or rounds: floats of the wire, integer ticks and lots of the engine, exact decimals.

A price or size on the wire is decimal text. Events carry the nearest double to it, books and orders carry the
integer number of ticks or lots, the ledger and the database carry exact decimals.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from streamtrader.instruments import Instrument

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
NS_PER_DAY = 86_400 * NS_PER_S
# What nobody can mean, whatever is traded. A bitcoin costs 2e9 rupiah, 3e9 dong, 1e11 rials; of the cheapest coins
# there are just below 1e15 (SHIB 6e14, PEPE 4e14), and one level of their books shows 1e11 and more.
ABSURD_PRICE = 1e12
ABSURD_SIZE = 1e15
ABSURD_VOLUME = 1e18  # of an interval: all coins of a kind may change hands often
# How many ticks or lots the engine's int64 can be trusted with: the key of a level is twice its ticks, the reach of a
# book four times a distance. A double is exact to 10**15 of them, which is a bitcoin at ten million in ticks of 1e-8;
# beyond, neighbouring steps may become one, as far from the market as jokes are. What we own ourselves stays exact.
STEPS_MOST = 2**60
ORDER_LOTS_MOST = 2**53


def ticks_of(price: float, ticks_per_unit: float) -> int:
    """The number of ticks nearest to a non-negative price: the nearest double to `n * tick` gives `n` back."""
    return int(price * ticks_per_unit + 0.5)


def lots_of(size: float, lots_per_unit: float) -> int:
    """The number of lots nearest to a non-negative size."""
    return int(size * lots_per_unit + 0.5)


def whole_lots_of(size: float, lots_per_unit: float) -> int:
    """The number of whole lots that a non-negative size holds: what may be ordered, never more.

    A thousandth of a lot is forgiven, because 0.3 is a little less than three times 0.1.
    """
    return int(size * lots_per_unit + 1e-3)


def decimal_price(price_ticks: int, instrument: Instrument) -> Decimal:
    """The exact price of a number of ticks."""
    return price_ticks * instrument.price_tick


def decimal_size(size_lots: int, instrument: Instrument) -> Decimal:
    """The exact size of a number of lots."""
    return size_lots * instrument.size_lot


def decimal_text(number: Decimal) -> str:
    """A decimal without exponent and without trailing zeros: `1E+2` is `100`, `0.500` is `0.5`."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def per_unit(step: Decimal) -> float:
    """How many steps make one unit: 0.01 gives 100.0, 0.25 gives 4.0."""
    return float(1 / step)


def decimal_of_places(places: int) -> Decimal:
    """The step of a number with so many decimals: 2 gives 0.01, 0 gives 1."""
    return Decimal(1).scaleb(-places)


def places_of(step: Decimal) -> int:
    """How many decimals a number of such steps has: 0.25 gives 2, 10 gives 0."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def rounded(values: np.ndarray[Any, Any], places: int) -> np.ndarray[Any, Any]:
    """Floats to so many decimals, each the nearest double to its text."""
    result: np.ndarray[Any, Any] = values.round(places)
    return result
