"""Whose money it is: what several seats have in common, in the account's own currency.

The books of the seats are the truth. An account holds sums of what it counted of each seat, and moves them by what has
changed of that seat since, so that nothing loops over seats while events are played. `resum` in `kernel.accounting`
begins the sums anew, at whole seconds and whenever money is charged.
"""

from __future__ import annotations

import enum

import numpy as np

from streamtrader.kernel.candles import FAR_NS
from streamtrader.kernel.market import Market
from streamtrader.kernel.rates import Traded
from streamtrader.kernel.record import Record
from streamtrader.kernel.seat import Seat

SPOT = 1  # as `AccountKind`
CURRENCIES = 8  # quote currencies that the instruments of one session may have


class AccountKind(enum.IntEnum):
    SPOT = 1  # what is not there cannot be spent or sold
    MARGIN = 2  # what is there is collateral: shorts and leverage


class Account(Record):
    """The seats of one owner at one venue. A seat of its own account has its money itself, and `deposit` is 0.

    `value` is that of all positions, `working` what working orders may add to it, `maintenance` the collateral that the
    positions must keep, `haircut` the part of `equity` that is no collateral. `cash`, and in a spot account what working
    buys have `reserved` of it, are by currency, as `Market.currency` counts them; 0 is the account's own.
    """

    def __init__(
        self, deposit: float = 0.0, kind: int = int(AccountKind.MARGIN), leverage: float = 1.0,
        liquidation_buffer: float = 0.0, liquidation_fee_rate: float = 0.0, traded_before: float = 0.0,
    ) -> None:  # fmt: skip
        self.equity = float(deposit)
        self.value = 0.0
        self.maintenance = 0.0
        self.working = 0.0
        self.haircut = 0.0
        self.deposit = float(deposit)
        self.initial_equity = float(deposit)
        self.kind = int(kind)
        self.leverage = float(leverage)
        self.liquidation_factor = 1.0 + float(liquidation_buffer)  # how much more than `maintenance` must be there
        self.liquidation_fee_rate = float(liquidation_fee_rate)  # of the value that is closed by force
        self.period_ns = 0  # of interest; 0: nothing is ever charged
        self.money_rate = 0.0  # a year
        self.opening_rate = 0.0  # once, of what is borrowed anew
        self.lends_positions = False  # the venue lends whole positions, not only what is lacking
        self.is_from_opening = False  # periods begin with the loan, not with the hour
        self.is_first_at_once = False
        self.interest_due_ns = FAR_NS
        self.is_in_doubt = False  # a position of it has a mark that is too old
        self.step_seat = 0  # of the last step of a liquidation, and when the next may follow
        self.step_ns = 0
        self.traded = Traded(traded_before)
        self.cash = np.zeros(CURRENCIES)
        self.cash[0] = deposit
        self.reserved = np.zeros(CURRENCIES)
        self.borrowed = np.zeros(CURRENCIES)  # what `cash` lacked when it was looked at last

    def clear(self) -> None:
        """No seat is counted."""
        self.equity = self.deposit
        self.value = 0.0
        self.maintenance = 0.0
        self.working = 0.0
        self.haircut = 0.0
        for currency in range(CURRENCIES):
            self.cash[currency] = 0.0
            self.reserved[currency] = 0.0
        self.cash[0] = self.deposit

    def follow(self, seat: Seat, market: Market) -> None:
        """Count a seat at what it is worth now, as `Seat.mark` saw it."""
        counted, rate = seat.counted, market.quote_rate
        value = seat.margin_value(market)
        equity, maintenance = seat.equity * rate, market.maintenance_of(value) * rate
        value *= rate
        self.equity += equity - counted.equity
        self.value += value - counted.value
        self.maintenance += maintenance - counted.maintenance
        counted.equity = equity
        counted.value = value
        counted.maintenance = maintenance
        if market.haircut > 0.0:
            haircut = max(0.0, seat.value) * market.haircut * rate
            self.haircut += haircut - counted.haircut
            counted.haircut = haircut

    def initial(self) -> float:
        """The collateral that positions and working orders need."""
        return (self.value + self.working) / self.leverage

    def lacks_margin(self) -> bool:
        """Whether there is less collateral than the positions must keep; never where nothing can be owed."""
        if self.maintenance <= 0.0 or self.kind == SPOT:
            return False
        return self.equity - self.haircut < self.maintenance * self.liquidation_factor

    def refresh(self, seat: Seat, market: Market) -> None:
        """The same, with what only orders, fills and charges change: cash, and what working orders need."""
        self.follow(seat, market)
        counted = seat.counted
        cash = seat.settled_cash(market)
        self.cash[market.currency] += cash - counted.cash
        counted.cash = cash
        working = seat.exposure(market, 0) * market.quote_rate - counted.value
        self.working += working - counted.working
        counted.working = working
        if self.kind == SPOT:
            reserved = seat.reserved_cash(market)
            self.reserved[market.currency] += reserved - counted.reserved
            counted.reserved = reserved
