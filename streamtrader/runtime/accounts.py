"""From settings to accounts: whose seats share one, what it begins with, and what the venue asks of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from streamtrader.errors import ConfigError
from streamtrader.kernel.account import Account, AccountKind
from streamtrader.units import NS_PER_S

if TYPE_CHECKING:
    from streamtrader.config_account import AccountSettings, InterestSettings
    from streamtrader.instruments import Instrument
    from streamtrader.kernel.market import Market


class Tier(NamedTuple):
    """Up to `value_most` a position keeps `rate` of its value less `amount`, and has no more than this leverage."""

    value_most: float
    rate: float
    amount: float
    leverage_most: float


@dataclass(frozen=True, slots=True)
class InterestTerms:
    """What is borrowed costs these rates a year; `coin_rates` are by base currency, `coin_rate` that of all others."""

    every_h: int
    money_rate: float = 0.0
    coin_rate: float = 0.0
    coin_rates: tuple[tuple[str, float], ...] = ()
    opening_rate: float = 0.0
    lends_positions: bool = False
    is_from_opening: bool = False
    is_first_at_once: bool = False


# Nobody said what the venue asks: what Binance asks of the smallest positions in most of its perpetuals.
DEFAULT_TIERS = (Tier(math.inf, 0.005, 0.0, 125.0),)


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """What holds for every account. Shared: the seats of one owner draw on one deposit, else each has its own.

    `tiers` are by symbol; those of the empty one are for all others. `hard_to_borrow` are base currencies.
    """

    is_shared: bool = False
    currency: str = ""  # empty: that of the first instrument that is traded
    marks: tuple[tuple[str, float], ...] = ()  # what a unit of other currencies is worth, where no market says it
    kind: AccountKind = AccountKind.MARGIN
    leverage: float = 1.0
    is_long_at_cost: bool = False
    liquidation_buffer: float = 0.0
    liquidation_fee_rate: float = 0.0
    max_mark_age_s: float = 60.0
    haircut: float = 0.0
    hard_to_borrow: tuple[str, ...] = ()
    tiers: tuple[tuple[str, tuple[Tier, ...]], ...] = ()
    interest: InterestTerms | None = None

    @property
    def needs_ticks(self) -> bool:
        """Whether a position may be in danger while nothing is traded, or by what others of the account do."""
        return self.is_shared or self.leverage > 1.0

    def tiers_of(self, instrument: Instrument) -> tuple[Tier, ...]:
        by_symbol = dict(self.tiers)
        for symbol in (instrument.symbol, instrument.base + instrument.quote, ""):
            if symbol in by_symbol:
                return by_symbol[symbol]
        return DEFAULT_TIERS


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


def accounts_of(owned: Ownership, terms: AccountTerms, traded_before: float = 0.0) -> list[Account]:
    """`traded_before` is what each account traded in the 30 days before the session."""
    common = (int(terms.kind), terms.leverage, terms.liquidation_buffer, terms.liquidation_fee_rate, traded_before)
    accounts = [Account(deposit, *common) for deposit in owned.deposits]
    interest = terms.interest
    if interest is not None and terms.kind != AccountKind.SPOT:
        for account in accounts:
            account.period_ns = interest.every_h * 3_600 * NS_PER_S
            account.money_rate, account.opening_rate = interest.money_rate, interest.opening_rate
            account.lends_positions = interest.lends_positions
            account.is_from_opening = interest.is_from_opening
            account.is_first_at_once = interest.is_first_at_once
    return accounts


def margin_terms(market: Market, instrument: Instrument, terms: AccountTerms) -> None:
    """What the venue asks of positions in the instrument."""
    tiers = terms.tiers_of(instrument)
    market.mark_age_ns_most = round(terms.max_mark_age_s * NS_PER_S)
    market.is_long_at_cost = terms.is_long_at_cost
    market.tier_count = len(tiers)
    for at, tier in enumerate(tiers):
        market.tiers[at] = tier
    if instrument.kind == "spot":
        market.haircut = terms.haircut
        if terms.interest is not None:
            market.coin_rate = dict(terms.interest.coin_rates).get(instrument.base, terms.interest.coin_rate)
        market.is_hard_to_borrow = instrument.base in terms.hard_to_borrow
    elif terms.kind == AccountKind.SPOT:
        raise ConfigError(
            f'account.kind = "spot" holds no {instrument.kind} such as {instrument.symbol}; choose "margin"'
        )


def interest_terms(settings: InterestSettings) -> InterestTerms:
    return InterestTerms(
        every_h=settings.every_h,
        money_rate=settings.quote_rate,
        coin_rate=settings.base_rate,
        coin_rates=tuple(sorted(settings.base_rates.items())),
        opening_rate=settings.opening_rate,
        lends_positions=settings.borrowed == "position",
        is_from_opening=settings.counted_from == "opening",
        is_first_at_once=settings.is_first_at_once,
    )


def account_terms(settings: AccountSettings) -> AccountTerms:
    tiers: dict[str, list[Tier]] = {}
    for each in settings.tiers:
        value_most, amount = each.value_most or math.inf, each.maintenance_amount or 0.0
        tiers.setdefault(each.symbol, []).append(Tier(value_most, each.maintenance_rate, amount, each.leverage_most))
    return AccountTerms(
        is_shared=settings.is_shared,
        currency=settings.currency,
        marks=tuple(sorted(settings.marks.items())),
        kind=AccountKind[settings.kind.upper()],
        leverage=settings.leverage,
        is_long_at_cost=settings.long_margin == "cost",
        liquidation_buffer=settings.liquidation_buffer,
        liquidation_fee_rate=settings.liquidation_fee_rate,
        max_mark_age_s=settings.max_mark_age_s,
        haircut=settings.haircut,
        hard_to_borrow=settings.hard_to_borrow,
        interest=interest_terms(settings.interest),
        tiers=tuple((symbol, tuple(own)) for symbol, own in tiers.items()),
    )
