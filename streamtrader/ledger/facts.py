"""What a ledger is told: fills, charges and deposits, each with the key that makes it itself.

A fact is checked when it is made, so that whatever reaches a ledger can be booked. Times come with the facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from streamtrader.errors import LedgerError
from streamtrader.events import Side
from streamtrader.ledger.money import checked, negative

FUNDING, INTEREST, BORROW, OPENING, LIQUIDATION = "funding", "interest", "borrow", "opening", "liquidation"
CHARGES = (FUNDING, INTEREST, BORROW, OPENING, LIQUIDATION)
Key = int | str


class Pair(NamedTuple):
    """What is bought and sold under a symbol: `base`, paid for in `quote`."""

    symbol: str
    base: str
    quote: str


@dataclass(frozen=True, slots=True)
class Fill:
    """A fill of an own order. `fee` is positive when paid and negative for a rebate, in `fee_asset` (else in quote)."""

    key: Key
    at_ns: int
    pair: Pair
    side: Side
    price: Decimal
    size: Decimal
    fee: Decimal
    fee_asset: str = ""

    def __post_init__(self) -> None:
        for name in ("price", "size", "fee"):
            checked(f"fill {self.key}: {name}", getattr(self, name))
        if self.size <= 0 or self.price < 0:
            raise LedgerError(f"fill {self.key}: {self.size} at {self.price} cannot be a fill")

    @classmethod
    def of(
        cls, sequence: int, at_ns: int, pair: Pair, side: str, price: str, size: str, fee: str, fee_asset: str = ""
    ) -> Fill:
        """A fill as the database keeps it; its place in the outbox is its key."""
        decided = {"buy": Side.BUY, "sell": Side.SELL}[side]
        return cls(sequence, at_ns, pair, decided, Decimal(price), Decimal(size), Decimal(fee), fee_asset)

    @property
    def signed_size(self) -> Decimal:
        return self.size if self.side == Side.BUY else negative(self.size)

    @property
    def fee_currency(self) -> str:
        return self.fee_asset or self.pair.quote


@dataclass(frozen=True, slots=True)
class Charge:
    """Money that moved without a fill: one of `CHARGES`, positive when paid and negative when received."""

    key: Key
    at_ns: int
    kind: str
    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        checked(f"charge {self.key}: amount", self.amount)
        if self.kind not in CHARGES:
            raise LedgerError(f"charge {self.key}: kind must be one of {', '.join(CHARGES)}, not {self.kind!r}")


@dataclass(frozen=True, slots=True)
class Deposit:
    """Money that was brought, or taken away when negative."""

    key: Key
    at_ns: int
    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        checked(f"deposit {self.key}: amount", self.amount)


Fact = Fill | Charge | Deposit
