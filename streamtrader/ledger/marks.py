"""Marks: what units are worth, each with the time at which that was so.

A position is valued at the mark of its symbol; a currency is turned into another by a mark of its own, or by the mark
of a symbol that trades one for the other, either way round. There is no second step: what cannot be had by one is
refused, like a mark that is older than the limit.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from streamtrader.errors import LedgerError, NoMark
from streamtrader.ledger.facts import Pair
from streamtrader.ledger.money import ONE, checked, quotient

_NS_PER_S = 1_000_000_000


class Mark(NamedTuple):
    """`at_ns` is None for a mark that holds at any time."""

    price: Decimal
    at_ns: int | None


class Marks:
    """The newest marks that are known. `age_limit_ns`: an older one is refused; None: any age will do."""

    def __init__(self, *, age_limit_ns: int | None = None) -> None:
        self.age_limit_ns = age_limit_ns
        self._symbols: dict[str, Mark] = {}
        self._pairs: dict[tuple[str, str], str] = {}  # base and quote: a symbol that trades them
        self._currencies: dict[tuple[str, str], Mark] = {}

    def set_price(self, pair: Pair, price: Decimal, at_ns: int | None) -> None:
        """What one unit of base is worth in quote."""
        self._symbols[pair.symbol] = Mark(_checked(pair.symbol, price), at_ns)
        self._pairs.setdefault((pair.base, pair.quote), pair.symbol)

    def set_rate(self, currency: str, into: str, rate: Decimal, at_ns: int | None) -> None:
        """What one unit of a currency is worth in another."""
        self._currencies[currency, into] = Mark(_checked(currency, rate), at_ns)

    def symbols(self) -> dict[str, Mark]:
        return dict(self._symbols)

    def price(self, symbol: str, now_ns: int) -> Decimal:
        """The mark of a symbol; `NoMark` where there is none, or an old one."""
        mark = self._symbols.get(symbol)
        if mark is None:
            raise NoMark(f"the open position in {symbol} has no mark to value it at; give one with --mark {symbol}=PRICE", symbol=symbol)
        return self._fresh(symbol, mark, now_ns)

    def rate(self, currency: str, into: str, now_ns: int) -> Decimal:
        """What one unit of a currency is worth in another; to 28 digits where a price must be turned round."""
        if currency == into:
            return ONE
        mark = self._currencies.get((currency, into))
        if mark is not None:
            return self._fresh(currency, mark, now_ns)
        symbol = self._pairs.get((currency, into))
        if symbol is not None:
            return self._fresh(symbol, self._symbols[symbol], now_ns)
        symbol = self._pairs.get((into, currency))
        if symbol is not None and self._symbols[symbol].price > 0:
            return quotient(ONE, self._fresh(symbol, self._symbols[symbol], now_ns))
        raise NoMark(
            f"there is money in {currency} and no mark to value it at in {into}; give one with --mark {currency}=PRICE",
            currency=currency,
        )

    def _fresh(self, name: str, mark: Mark, now_ns: int) -> Decimal:
        if self.age_limit_ns is None or mark.at_ns is None or now_ns - mark.at_ns <= self.age_limit_ns:
            return mark.price
        age_s, limit_s = (now_ns - mark.at_ns) / _NS_PER_S, self.age_limit_ns / _NS_PER_S
        raise NoMark(
            f"the mark of {name} is {age_s:g} s old and the limit is {limit_s:g} s; give a newer one or a higher limit",
            name=name,
            age_ns=now_ns - mark.at_ns,
        )


def _checked(name: str, price: Decimal) -> Decimal:
    if checked(f"the mark of {name}", price) < 0:
        raise LedgerError(f"the mark of {name} must not be negative: {price}")
    return price
