"""What a seat pays for its fills: rates by what its account traded in 30 days, and in which asset.

Days are UTC days of the event clock. The volume is that of the last 30 of them with today, of all seats of the account
in its own currency, and counts from the fill after the one that made it. Rates are in basis points of the value; a maker's may be negative, which is a rebate.

A fee in a third asset is cheaper by its discount, and is paid at the asset's price in quote currency: that of a market of
the session, or one that was set and never ages. Where the asset has no price, an old one, or too little is left of
it, the fee is in quote currency and whole; so is every rebate.
"""

from __future__ import annotations

import math

import numpy as np

from streamtrader.kernel.market import Market
from streamtrader.kernel.record import Record
from streamtrader.units import NS_PER_DAY

DAYS, TIER_SLOTS = 30, 16
VOLUME, MAKER_BPS, TAKER_BPS = range(3)  # the columns of a tier: from this volume on, these rates


class Traded(Record):
    """What an account traded, in its own currency: venues count by account."""

    def __init__(self, before: float = 0.0) -> None:
        self.day = 0  # number of the newest day in `volumes`
        self.volumes = np.zeros(DAYS)  # by day modulo 30
        self.volume = float(before)  # of all of them, and what was traded before the session
        self.before = float(before)  # of `volume`: what was traded in the 30 days before the session, falling to 0 with them
        self.before_day = float(before) / DAYS  # how much of it goes with each day

    def count(self, value: float, now_ns: int) -> None:
        """A fill was made."""
        self.roll(now_ns)
        self.volumes[self.day % DAYS] += value
        self.volume += value

    def roll(self, now_ns: int) -> None:
        """Forget the days that are more than 29 before today."""
        today = now_ns // NS_PER_DAY
        if today <= self.day:
            return
        passed = today - self.day
        is_first = self.day == 0
        for later in range(min(passed, DAYS)):
            self.volumes[(today - later) % DAYS] = 0.0
        if not is_first:
            self.before = max(0.0, self.before - passed * self.before_day)
        self.day = today
        self.volume = self.before
        for day in range(DAYS):
            self.volume += self.volumes[day]


class FeeRates(Record):
    """`asset_*` concern the third asset; `asset_market` is -1 where the price was set, and `asset_ns` its time."""

    def __init__(self, maker_bps: float = 10.0, taker_bps: float = 10.0) -> None:
        self.tier_count = 1
        self.tiers = np.zeros((TIER_SLOTS, 3))
        self.tiers[0, MAKER_BPS] = maker_bps
        self.tiers[0, TAKER_BPS] = taker_bps
        self.has_asset = False
        self.asset_discount = 0.0
        self.asset_market = -1
        self.asset_price = 0.0
        self.asset_ns = 0
        self.asset_age_ns = 0  # no older than this may the price be
        self.asset_balance = 0.0
        self.asset_paid = 0.0
        self.asset_cost = 0.0  # what that was worth when it was paid, in quote currency
        self.paid_units = 0.0  # by the last fill; 0: its fee was in quote currency

    def see(self, market: Market) -> None:
        """The market of the asset, before a fill."""
        price = market.mark_price()
        if price > 0.0:
            self.asset_price = price
            self.asset_ns = market.event_ns

    def bps(self, is_taker: bool, volume: float) -> float:
        """The rate of a fill after so much was traded."""
        row = 0
        while row + 1 < self.tier_count and volume >= self.tiers[row + 1, VOLUME]:
            row += 1
        return float(self.tiers[row, TAKER_BPS] if is_taker else self.tiers[row, MAKER_BPS])

    def asset_units(self, fee: float, now_ns: int) -> float:
        """How much of the asset pays for a fee in quote currency; nan where the asset cannot pay."""
        is_known = self.has_asset and fee > 0.0 and self.asset_price > 0.0
        if not is_known or (self.asset_market >= 0 and now_ns - self.asset_ns > self.asset_age_ns):
            return math.nan
        units = fee * (1.0 - self.asset_discount) / self.asset_price
        if units > self.asset_balance:
            return math.nan
        return units

    def charge(self, notional: float, is_taker: bool, now_ns: int, volume: float) -> float:
        """A fill was made: what it costs, in quote currency. `paid_units` tells whether the asset has paid it."""
        fee = notional * self.bps(is_taker, volume) * 1e-4
        self.paid_units = 0.0
        if self.has_asset:
            units = self.asset_units(fee, now_ns)
            if not math.isnan(units):
                fee = units * self.asset_price
                self.paid_units = units
                self.asset_balance -= units
                self.asset_paid += units
                self.asset_cost += fee
        return fee
