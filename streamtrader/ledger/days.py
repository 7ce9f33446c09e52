"""The table of days: what each began and ended with, what came between, and how far it fell.

A day begins at a stated hour of UTC with the equity of the last valuation of the day before. What came of it is the
difference of two valuations, in each currency at the rate of the later one; what those rates did to what was there
already stands apart. So every line adds up exactly:

    start + deposits + realized + unrealized - fees - funding - interest + currency  =  end
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from streamtrader.ledger.figures import Figures
from streamtrader.ledger.money import ZERO, minus, times, total
from streamtrader.ledger.valuation import Valuation, converted
from streamtrader.units import NS_PER_DAY


@dataclass(slots=True)
class Day:
    """`changes` are the figures of this day alone; `drawdown_worst` is the deepest fall from its highest profit."""

    start_ns: int
    start: Decimal
    end: Decimal = ZERO
    changes: Figures = field(default_factory=Figures)
    currency: Decimal = ZERO  # what rates did to the equity that the day began with
    drawdown_worst: Decimal = ZERO


class Fall:
    """How far something fell from its highest."""

    __slots__ = ("peak", "worst")

    def __init__(self, first: Decimal) -> None:
        self.peak = first
        self.worst = ZERO

    def see(self, amount: Decimal) -> None:
        self.peak = max(self.peak, amount)
        self.worst = max(self.worst, minus(self.peak, amount))


class Days:
    """Takes valuations in the order of time. `offset_ns` is when a day begins, after midnight UTC."""

    def __init__(self, offset_ns: int = 0) -> None:
        self.offset_ns = offset_ns
        self.lines: list[Day] = []
        self._before: Valuation | None = None  # the last one of the day before
        self._last: Valuation | None = None
        self._fall = self._whole_fall = Fall(ZERO)

    @property
    def drawdown_worst(self) -> Decimal:
        """The deepest fall over all days."""
        return self._whole_fall.worst

    def observe(self, now: Valuation) -> None:
        """Take a valuation into its day."""
        start_ns = now.at_ns - (now.at_ns - self.offset_ns) % NS_PER_DAY
        if self._last is None:
            self._last = _opening(now)
            self._whole_fall = Fall(self._last.whole.profit)
        if not self.lines or start_ns > self.lines[-1].start_ns:
            self._before = self._last
            self._fall = Fall(self._before.whole.profit)
            self.lines.append(Day(start_ns, start=self._before.whole.equity))
        before, day = self._before, self.lines[-1]
        assert before is not None
        changed = {name: figures.less(before.natives.get(name, _NONE)) for name, figures in now.natives.items()}
        day.end = now.whole.equity
        day.changes = converted(changed, now.rates)
        day.currency = total(
            times(figures.equity, minus(now.rates[name], before.rates[name]))
            for name, figures in before.natives.items()
        )
        for fall in (self._fall, self._whole_fall):
            fall.see(now.whole.profit)
        day.drawdown_worst = self._fall.worst
        self._last = now


_NONE = Figures()


def _opening(first: Valuation) -> Valuation:
    """What was there before anything was traded: what was brought, at the first rates that are known."""
    natives = {
        name: Figures(deposits=figures.deposits, cash=figures.deposits) for name, figures in first.natives.items()
    }
    return Valuation(first.at_ns, first.currency, natives, first.rates, converted(natives, first.rates))
