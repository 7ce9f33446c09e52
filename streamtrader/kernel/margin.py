"""What an account can carry: the engine's own question before an order leaves, whatever rules there are.

A spot account pays: a buy must find its money, beside what other working buys may still cost, and a sale what it
sells. A margin account vouches: the largest position that could come of everything that works is its exposure, and
exposure over leverage must find collateral. An order that can only bring a position nearer to zero always passes.
"""

from __future__ import annotations

from streamtrader.events import ASK, BUY, SELL
from streamtrader.kernel.account import SPOT, Account
from streamtrader.kernel.market import CAP, LEVERAGE, Market
from streamtrader.kernel.orders import Order, Refusal
from streamtrader.kernel.seat import Seat

# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
INSUFFICIENT_FUNDS, SHORT_NOT_ALLOWED = int(Refusal.INSUFFICIENT_FUNDS), int(Refusal.SHORT_NOT_ALLOWED)
HARD_TO_BORROW, TOO_MUCH_LEVERAGE = int(Refusal.HARD_TO_BORROW), int(Refusal.LEVERAGE)
STALE_MARK = int(Refusal.STALE_MARK)
LEVELS_WALKED = 64  # as many as a taker walks at the simulated venue


def funds_refusal(order: Order, seat: Seat, market: Market, account: Account) -> int:
    """Why the account cannot carry the order; 0: it can. The seat was marked a moment ago."""
    if order.reduce_only:
        return 0  # it was cut to what there is, and what its partners ask for is not asked for twice
    open_lots = order.lots - order.filled_lots
    signed = open_lots if order.side == BUY else -open_lots
    working = seat.working_buy_lots if order.side == BUY else -seat.working_sell_lots
    reached = seat.position_lots + working + signed
    if reached == 0 or (reached > 0) != (order.side == BUY):
        return 0
    if not market.is_valued():
        return STALE_MARK
    account.refresh(seat, market)
    if account.kind == SPOT:
        return funds_refusal_spot(order, open_lots, seat, market, account)
    if order.side == SELL and market.is_hard_to_borrow:
        return HARD_TO_BORROW
    exposure = seat.exposure(market, signed)
    if exposure <= seat.exposure(market, 0):
        return 0
    tier = market.tier_of(exposure)
    if exposure > market.tiers[tier, CAP] or account.leverage > market.tiers[tier, LEVERAGE]:
        return TOO_MUCH_LEVERAGE
    fee = market.size_of(open_lots) * market.mark_price() * max(0.0, seat.taker_fee_bps) * 1e-4
    needed = account.initial - seat.counted.initial + (exposure / account.leverage + fee) * market.quote_rate
    return INSUFFICIENT_FUNDS if needed > account.equity - account.haircut else 0


def funds_refusal_spot(order: Order, open_lots: int, seat: Seat, market: Market, account: Account) -> int:
    """Money is in the currency of the quotes: another one would have to be changed first."""
    if order.side == SELL:
        return SHORT_NOT_ALLOWED
    cost = market.price_of(order.ticks) * market.size_of(open_lots) if order.ticks > 0 else cost_of(open_lots, market)
    cost *= 1.0 + max(0.0, seat.taker_fee_bps) * 1e-4
    currency = market.currency
    return INSUFFICIENT_FUNDS if cost > account.cash[currency] - account.reserved[currency] else 0


def cost_of(lots: int, market: Market) -> float:
    """What a buy at the market would cost by the book that is displayed; beyond it at the last price seen there."""
    price, cost, ticks = market.mark_price(), 0.0, market.book.top[ASK]
    for _ in range(LEVELS_WALKED):
        if ticks < 0 or lots == 0:
            break
        price = market.price_of(ticks)
        taken = min(lots, market.book.lots_at(ASK, ticks))
        cost += price * market.size_of(taken)
        lots -= taken
        ticks = market.book.next_level(ASK, ticks)
    return cost + price * market.size_of(lots)
