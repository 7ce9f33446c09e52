"""The settings of `[account]`: whose money it is, and how far it reaches."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from streamtrader.config_section import Positive, Section, Share, listed, name_list

TIERS_MOST = 16
Rate = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Leverage = Annotated[float, Field(ge=1, le=125, allow_inf_nan=False)]


class TierSettings(Section):
    """Up to `value_most` a position must keep `maintenance_rate` of its value, less `maintenance_amount`.

    Without a symbol it is for every instrument that has no tiers of its own; without a highest value, for all above.
    """

    symbol: str = ""
    value_most: Positive | None = None
    maintenance_rate: Share = 0.005
    maintenance_amount: Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)] | None = None
    leverage_most: Leverage = 125.0


def _checked_leverage(leverage: float, info: ValidationInfo) -> float:
    if info.data.get("kind") == "spot" and leverage != 1.0:
        raise ValueError('must be 1 in a spot account; account.kind = "margin" has leverage')
    return leverage


def _checked_tiers(tiers: tuple[TierSettings, ...], info: ValidationInfo) -> tuple[TierSettings, ...]:
    """In the order given, each symbol's with amounts that make the maintenance margin one unbroken line."""
    whole: list[TierSettings] = []
    for symbol in dict.fromkeys(tier.symbol for tier in tiers):
        own = [tier for tier in tiers if tier.symbol == symbol]
        if len(own) > TIERS_MOST:
            raise ValueError(f"must be {TIERS_MOST} at most for each symbol, not {len(own)}")
        leverage = info.data.get("leverage", 1.0)
        if leverage > own[0].leverage_most:
            raise ValueError(
                f"must allow account.leverage in the first tier: {leverage:g} is more than {own[0].leverage_most:g}"
            )
        whole += _continuous(own)
    return tuple(whole)


def _continuous(tiers: list[TierSettings]) -> list[TierSettings]:
    """With the amounts of the published rule: each tier begins where the last one ended.

    amount of a tier = highest value of the tier below x (its rate - the rate below) + amount below (Binance, "How to
    Calculate Liquidation Price of USDS-M Futures Contracts"). Amounts that are given must be these.
    """
    done: list[TierSettings] = []
    for at, tier in enumerate(tiers):
        below = done[-1] if done else None
        if tier.maintenance_rate * tier.leverage_most >= 1.0:
            raise ValueError(
                f"number {at} would be liquidated at once: leverage {tier.leverage_most:g} leaves a margin of "
                f"{1 / tier.leverage_most:g}, and {tier.maintenance_rate:g} must be kept"
            )
        amount = 0.0
        if below is not None:
            if below.value_most is None or (tier.value_most or math.inf) <= below.value_most:
                raise ValueError(f"must rise in value_most: number {at} does not reach beyond the one below it")
            if tier.maintenance_rate < below.maintenance_rate or tier.leverage_most > below.leverage_most:
                raise ValueError(f"must not become milder with value: number {at} asks less than the one below it")
            assert below.maintenance_amount is not None
            amount = below.value_most * (tier.maintenance_rate - below.maintenance_rate) + below.maintenance_amount
        given = tier.maintenance_amount
        if given is not None and abs(given - amount) > 1e-6 * max(1.0, amount):
            raise ValueError(f"must have no step: number {at} needs maintenance_amount {amount:g}, not {given:g}")
        done.append(tier.model_copy(update={"maintenance_amount": amount if given is None else given}))
    return done


class InterestSettings(Section):
    """What borrowed money and coins cost a year, and how the venue counts."""

    quote_rate: Rate = 0.10
    base_rate: Rate = 0.10
    base_rates: dict[str, Rate] = {}
    every_h: Annotated[int, Field(ge=1, le=8_760)] = 1
    is_first_at_once: bool = False
    opening_rate: Share = 0.0
    borrowed: Literal["shortfall", "position"] = "shortfall"
    counted_from: Literal["clock", "opening"] = "clock"


class AccountSettings(Section):
    kind: Literal["spot", "margin"] = "margin"
    is_shared: bool = False
    currency: str = ""
    marks: dict[str, Positive] = {}
    leverage: Annotated[Leverage, AfterValidator(_checked_leverage)] = 1.0
    long_margin: Literal["mark", "cost"] = "mark"
    liquidation_buffer: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 0.0
    liquidation_fee_rate: Share = 0.0125
    max_mark_age_s: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)] = 60.0
    haircut: Share = 0.0
    hard_to_borrow: Annotated[tuple[str, ...], BeforeValidator(name_list)] = ()
    tiers: Annotated[tuple[TierSettings, ...], BeforeValidator(listed), AfterValidator(_checked_tiers)] = ()
    interest: InterestSettings = InterestSettings()
