"""What an account comes to, in one currency: eight sums that always meet in two ways.

    equity  =  cash + held  =  deposits + realized + unrealized - fees - funding - interest

Costs are positive when paid. The figures of parts add up to those of the whole, and those of a currency become those
of another by one exact factor, so the two sides stay equal to the last digit whatever is added or converted.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from streamtrader.ledger.money import ONE, ZERO, minus, negative, plus, times, total


class Figures(NamedTuple):
    """All in one currency. `held` is what open positions are worth at their marks, negative for short ones."""

    deposits: Decimal = ZERO
    realized: Decimal = ZERO
    unrealized: Decimal = ZERO
    fees: Decimal = ZERO  # of fills, for opening on margin, for liquidation
    funding: Decimal = ZERO
    interest: Decimal = ZERO  # on borrowed money and borrowed base
    cash: Decimal = ZERO
    held: Decimal = ZERO

    @property
    def equity(self) -> Decimal:
        return plus(self.cash, self.held)

    @property
    def explained(self) -> Decimal:
        """The other side of the identity."""
        costs = total((self.fees, self.funding, self.interest))
        return minus(total((self.deposits, self.realized, self.unrealized)), costs)

    @property
    def profit(self) -> Decimal:
        """What was made of what was brought; a withdrawal is no loss."""
        return minus(self.equity, self.deposits)

    def with_(self, other: Figures) -> Figures:
        return Figures(*map(plus, self, other))

    def less(self, other: Figures) -> Figures:
        return Figures(*map(minus, self, other))

    def at(self, rate: Decimal) -> Figures:
        """The same in a currency of which one unit of this one buys `rate`."""
        return self if rate == ONE else Figures(*(times(amount, rate) for amount in self))


# The field that an account belongs to, and whether it is kept with the other sign.
_FIELDS = {
    "cash": ("cash", False),
    "capital": ("deposits", True),
    "realized": ("realized", True),
    "fees": ("fees", False),
    "opening": ("fees", False),
    "liquidation": ("fees", False),
    "funding": ("funding", False),
    "interest": ("interest", False),
    "borrow": ("interest", False),
}


class Sums:
    """The same while they grow, of each currency: fed with every posting."""

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: dict[str, dict[str, Decimal]] = {}

    def add(self, account: str, currency: str, amount: Decimal) -> None:
        """Take a posting; base currency is passed over, because it is valued with its position."""
        found = _FIELDS.get(account.partition(":")[0])
        if found is not None:
            name, is_turned = found
            own = self._sums.setdefault(currency, {})
            own[name] = plus(own.get(name, ZERO), negative(amount) if is_turned else amount)

    def figures(self, held: Iterable[tuple[str, Decimal, Decimal]]) -> dict[str, Figures]:
        """With open positions: the quote currency, worth and cost of each."""
        worths: dict[str, tuple[Decimal, Decimal]] = {}
        for currency, worth, cost in held:
            before, unrealized = worths.get(currency, (ZERO, ZERO))
            worths[currency] = plus(before, worth), plus(unrealized, minus(worth, cost))
        found = {}
        for currency, own in self._sums.items():
            worth, unrealized = worths.get(currency, (ZERO, ZERO))
            found[currency] = Figures(**own, held=worth, unrealized=unrealized)
        return found
