"""Money that moves without a fill. Each payment is one CHARGED row, and in the seat's cash at once."""

from __future__ import annotations

from streamtrader.events import BUY, SELL
from streamtrader.kernel.account import Account
from streamtrader.kernel.market import Market
from streamtrader.kernel.outbox import Charge, Outbox, OutboxKind
from streamtrader.kernel.seat import Seat

# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
CHARGED, LIQUIDATION = int(OutboxKind.CHARGED), int(Charge.LIQUIDATION)


def charge(
    seat: Seat, market: Market, outbox: Outbox, code: int, at_ns: int, side: int, ticks: int, lots: int, amount: float
) -> None:
    """Pay an amount in quote currency, or get it when it is negative; `side` and `lots` are the position's."""
    seat.cash -= amount
    seat.charges += amount
    seat.mark(market)
    outbox.put(CHARGED, seat.index, at_ns, 0, side, code, ticks, lots, 0, amount)


def charge_liquidation(
    seat: Seat, market: Market, account: Account, outbox: Outbox, order_side: int, at_ns: int, ticks: int, lots: int
) -> None:
    """The venue's share of what it closed by force."""
    if account.liquidation_fee_rate > 0.0:
        side = SELL if order_side == BUY else BUY
        amount = market.notional(ticks, lots) * account.liquidation_fee_rate
        charge(seat, market, outbox, LIQUIDATION, at_ns, side, ticks, lots, amount)
