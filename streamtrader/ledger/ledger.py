"""A ledger: the accounts of one seat, or of one account elsewhere, moved by balanced entries only.

Several currencies live in it side by side. Nothing is converted when it is booked, so that the same facts give the
same accounts whatever the market does; conversion is a matter of valuing (`valuation`). After every entry, in every
currency, for any marks and to the last digit:

    cash + positions at mark  =  deposits + realized + unrealized - fees - funding - interest
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from streamtrader.errors import LedgerError
from streamtrader.ledger import entries
from streamtrader.ledger.entries import CASH, FEES, Entry
from streamtrader.ledger.facts import Charge, Deposit, Fact, Fill, Pair
from streamtrader.ledger.figures import Figures, Sums
from streamtrader.ledger.marks import Marks
from streamtrader.ledger.money import ZERO, plus, total
from streamtrader.ledger.positions import Method, Position
from streamtrader.ledger.seen import SeenKeys


class Ledger:
    """Pure: time comes with the facts, marks come from the caller. `currency` is what `cash` and `realized` are in."""

    def __init__(self, cash: Decimal = ZERO, currency: str = "USDT", *, method: Method = Method.AVERAGE) -> None:
        self.currency = currency
        self.method = method
        self.positions: dict[str, Position] = {}
        self.repeated_count = 0
        self._balances: dict[tuple[str, str], Decimal] = {}
        self._sums = Sums()
        self._seen: dict[tuple[type[Fact], str], SeenKeys] = {}
        if cash:
            self.apply(Deposit(0, 0, cash, currency))

    def apply(self, fact: Fact) -> Entry | None:
        """Book a fact; None, and a count, when its key was booked before.

        Venues number the trades of each symbol: the keys of fills are those of a symbol.
        """
        symbol = self._known(fact.pair).symbol if isinstance(fact, Fill) else ""
        if not self._seen.setdefault((type(fact), symbol), SeenKeys()).add(fact.key):
            self.repeated_count += 1
            return None
        entry = self._entry(fact)
        for account, currency, amount in entry.postings:
            place = account, currency
            self._balances[place] = plus(self._balances.get(place, ZERO), amount)
            self._sums.add(account, currency, amount)
        return entry

    def _entry(self, fact: Fact) -> Entry:
        match fact:
            case Fill():
                return entries.of_fill(fact, self.positions[fact.pair.symbol].take(fact))
            case Charge():
                return entries.of_charge(fact)
            case Deposit():
                return entries.of_deposit(fact)

    def _known(self, pair: Pair) -> Pair:
        position = self.positions.get(pair.symbol)
        if position is None:
            position = self.positions[pair.symbol] = Position(pair, self.method)
        if position.pair != pair:
            raise LedgerError(
                f"{pair.symbol} was {position.pair.base} in {position.pair.quote} and is {pair.base} in {pair.quote} "
                "now; one symbol is one pair"
            )
        return pair

    def position(self, symbol: str) -> Position:
        """The position under a symbol; a flat one where nothing was ever filled."""
        return self.positions.get(symbol) or Position(Pair(symbol, "", self.currency), self.method)

    def balance(self, account: str, currency: str | None = None) -> Decimal:
        """What stands on one account, in the ledger's own currency unless told."""
        return self._balances.get((account, currency or self.currency), ZERO)

    def balances(self) -> Iterator[tuple[str, str, Decimal]]:
        """Account, currency and amount, of all that was ever moved: in each currency they come to nothing."""
        return ((account, currency, amount) for (account, currency), amount in self._balances.items())

    def currencies(self) -> set[str]:
        """Those in which money moved; not the base of a pair, which is valued by its mark."""
        return {currency for (account, currency) in self._balances if account == CASH}

    @property
    def cash(self) -> Decimal:
        return self.balance(CASH)

    @property
    def fees(self) -> Decimal:
        """Of fills, in the ledger's own currency; fees in another asset are `balance("fees", asset)`."""
        return self.balance(FEES)

    @property
    def realized(self) -> Decimal:
        """Gains less losses in the ledger's own currency, before fees: it falls as well as rises."""
        return total(one.realized for one in self.positions.values() if one.pair.quote == self.currency)

    def figures(self, marks: Marks, at_ns: int) -> dict[str, Figures]:
        """What the accounts come to in each currency, open positions at their marks; `NoMark` where one is missing."""
        held = [
            (position.pair.quote, position.value(marks.price(symbol, at_ns)), position.cost)
            for symbol, position in self.positions.items()
            if position.size
        ]
        return self._sums.figures(held)
