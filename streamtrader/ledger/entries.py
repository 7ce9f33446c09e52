"""Entries of double bookkeeping: what one fact moves between named accounts; in each currency it comes to nothing.

    account            currency   grows with
    cash               any        what is received
    capital            any        what is taken away (it is negative by what was brought)
    position:SYMBOL    base       what is bought
    market:SYMBOL      base       what is sold: the other side of every position
    cost:SYMBOL        quote      what the position cost, negative for a short one
    realized:SYMBOL    quote      losses (it is negative by what was gained)
    fees               any        fees paid, less rebates
    funding, interest, borrow, opening, liquidation   charges paid, less those received

Base currency stands apart from quote currency: a purchase is `size` from market to position, and `price * size` from
cash to cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from streamtrader.errors import LedgerError
from streamtrader.ledger.facts import Charge, Deposit, Fill, Key
from streamtrader.ledger.money import ZERO, negative, plus, times
from streamtrader.ledger.positions import Taken

CASH, CAPITAL, FEES = "cash", "capital", "fees"
POSITION, MARKET, COST, REALIZED = "position:", "market:", "cost:", "realized:"


class Posting(NamedTuple):
    """What one account gets, or gives when negative."""

    account: str
    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Entry:
    """The postings of one fact. One that is not balanced cannot be made."""

    key: Key
    at_ns: int
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        sums: dict[str, Decimal] = {}
        for posting in self.postings:
            sums[posting.currency] = plus(sums.get(posting.currency, ZERO), posting.amount)
        wrong = {currency: amount for currency, amount in sums.items() if amount}
        if wrong:
            raise LedgerError(f"entry {self.key} is not balanced: {wrong}")


def of_fill(fill: Fill, taken: Taken) -> Entry:
    """Base from market to position, quote from cash to cost, the difference to realized; then the fee."""
    symbol, base, quote = fill.pair
    signed = fill.signed_size
    postings = [
        Posting(POSITION + symbol, base, signed),
        Posting(MARKET + symbol, base, negative(signed)),
        Posting(COST + symbol, quote, taken.cost),
        Posting(CASH, quote, negative(times(fill.price, signed))),
    ]
    if taken.realized:
        postings.append(Posting(REALIZED + symbol, quote, negative(taken.realized)))
    if fill.fee:
        postings += _paid(FEES, fill.fee_currency, fill.fee)
    return Entry(fill.key, fill.at_ns, tuple(postings))


def of_charge(charge: Charge) -> Entry:
    """From cash to the account of its kind."""
    return Entry(charge.key, charge.at_ns, _paid(charge.kind, charge.currency, charge.amount))


def of_deposit(deposit: Deposit) -> Entry:
    """From capital to cash."""
    return Entry(deposit.key, deposit.at_ns, _paid(CAPITAL, deposit.currency, negative(deposit.amount)))


def _paid(account: str, currency: str, amount: Decimal) -> tuple[Posting, ...]:
    return Posting(account, currency, amount), Posting(CASH, currency, negative(amount))
