"""What several ledgers are worth together, in one currency: the sum of their parts, exactly.

Amounts in a foreign currency are all taken at its present rate: what was paid in it, too. The identity of `Figures`
therefore holds in the whole as it does in each currency, and what a rate did in the meantime shows in the days
(`days`) as a gain or loss of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from streamtrader.ledger.figures import Figures
from streamtrader.ledger.ledger import Ledger
from streamtrader.ledger.marks import Marks


@dataclass(frozen=True, slots=True)
class Valuation:
    """`whole` is in `currency`; `natives` are the figures of each currency by itself, `rates` what turned them."""

    at_ns: int
    currency: str
    natives: dict[str, Figures]
    rates: dict[str, Decimal]
    whole: Figures


def value(ledgers: Iterable[Ledger], marks: Marks, currency: str, at_ns: int) -> Valuation:
    """All ledgers at these marks; `NoMark` when one of them cannot be had, and then nothing was changed anywhere."""
    natives: dict[str, Figures] = {}
    for ledger in ledgers:
        for name, figures in ledger.figures(marks, at_ns).items():
            natives[name] = natives[name].with_(figures) if name in natives else figures
    rates = {name: marks.rate(name, currency, at_ns) for name in natives}
    return Valuation(at_ns, currency, natives, rates, converted(natives, rates))


def converted(natives: dict[str, Figures], rates: dict[str, Decimal]) -> Figures:
    """The sum of the figures of all currencies, each at its rate."""
    whole = Figures()
    for name, figures in natives.items():
        whole = whole.with_(figures.at(rates[name]))
    return whole
