"""From settings to accounts: whose seats share one, and what it begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamtrader.errors import ConfigError
from streamtrader.kernel.account import Account, AccountKind

if TYPE_CHECKING:
    from streamtrader.config import AccountSettings
    from streamtrader.instruments import Instrument


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """What holds for every account. Shared: the seats of one owner draw on one deposit, else each has its own."""

    is_shared: bool = False
    kind: AccountKind = AccountKind.MARGIN
    leverage: float = 1.0


@dataclass(frozen=True, slots=True)
class Ownership:
    """Which account each seat belongs to, and what money lies where."""

    account_of: tuple[int, ...]  # by seat
    deposits: tuple[float, ...]  # by account
    seat_cash: float


def ownership(
    owners: Sequence[int], instruments_of: Sequence[int], instruments: Sequence[Instrument], terms: AccountTerms,
    cash_quote: float,
) -> Ownership:  # fmt: skip
    """By owner where accounts are shared; an owner below 0 shares with nobody.

    Two seats of one account on one instrument would be given the same liquidity twice: a ConfigError.
    """
    if not terms.is_shared:
        return Ownership(tuple(range(len(owners))), (0.0,) * len(owners), cash_quote)
    numbers: dict[tuple[int, int], int] = {}
    account_of = []
    for seat, owner in enumerate(owners):
        key = (owner, 0) if owner >= 0 else (-1, seat)
        account_of.append(numbers.setdefault(key, len(numbers)))
    seen = set()
    for account, instrument in zip(account_of, instruments_of, strict=True):
        if (account, instrument) in seen:
            raise ConfigError(
                f"account.is_shared: a strategy has {instruments[instrument].symbol} twice, and one account would be "
                "given the same liquidity twice; name each instrument once"
            )
        seen.add((account, instrument))
    return Ownership(tuple(account_of), (cash_quote,) * len(numbers), 0.0)


def accounts_of(owned: Ownership, terms: AccountTerms) -> list[Account]:
    return [Account(deposit, int(terms.kind), terms.leverage) for deposit in owned.deposits]


def account_terms(settings: AccountSettings) -> AccountTerms:
    return AccountTerms(is_shared=settings.is_shared)
