"""What fills cost, from settings to the record of a seat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamtrader.errors import ConfigError
from streamtrader.kernel.rates import MAKER_BPS, TAKER_BPS, VOLUME, FeeRates
from streamtrader.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamtrader.config_simulator import SimulatorSettings
    from streamtrader.instruments import Instrument


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """Tiers are (volume in the account's currency, maker, taker in basis points); none: the instrument's own rates."""

    tiers: tuple[tuple[float, float, float], ...] = ()
    volume: float = 0.0  # of each account in the 30 days before the session
    asset: str = ""  # what fees are paid in; empty: quote currency
    asset_discount: float = 0.25
    asset_balance: float = 0.0
    asset_price: float = 0.0  # 0: that of its market in the session
    asset_age_ns: int = 0


def fee_terms(settings: SimulatorSettings) -> FeeTerms:
    asset = settings.fee_asset
    return FeeTerms(
        settings.fee_tiers, settings.fee_volume, asset.name, asset.discount, asset.balance, asset.price,
        round(asset.max_age_s * NS_PER_S),
    )  # fmt: skip


def rates_of(
    terms: FeeTerms, instrument: Instrument, instruments: Sequence[Instrument], maker_bps: float, taker_bps: float
) -> FeeRates:
    """The rates of a seat. ConfigError where fees are to be paid in what has no price here."""
    rates = FeeRates(maker_bps, taker_bps)
    if terms.tiers:
        rates.tier_count = len(terms.tiers)
        for row, tier in zip(rates.tiers, terms.tiers, strict=False):
            row[VOLUME], row[MAKER_BPS], row[TAKER_BPS] = tier
    if terms.asset and terms.asset != instrument.quote:
        rates.has_asset = True
        rates.asset_discount = terms.asset_discount
        rates.asset_balance = terms.asset_balance
        rates.asset_price = terms.asset_price
        rates.asset_age_ns = terms.asset_age_ns
        if terms.asset_price == 0.0:
            rates.asset_market = _market_of(terms.asset, instrument.quote, instruments)
    return rates


def _market_of(asset: str, quote: str, instruments: Sequence[Instrument]) -> int:
    for index, each in enumerate(instruments):
        if (each.base, each.quote) == (asset, quote):
            return index
    raise ConfigError(
        f"simulator.fee_asset: {asset} has no price in {quote}; add its market to the session, or set "
        "simulator.fee_asset.price"
    )
