"""What an account can carry: the engine's own question before an order leaves, whatever rules there are.

A spot account pays: a buy must find its money, beside what other working buys may still cost, and a sale what it
sells. A margin account vouches: the largest position that could come of everything that works is its exposure, and
exposure over leverage must find collateral. An order that can only bring a position nearer to zero always passes.
"""

from __future__ import annotations

import math

from streamtrader.events import ASK, BUY, SELL
from streamtrader.kernel.account import SPOT, Account
from streamtrader.kernel.market import AMOUNT, CAP, LEVERAGE, RATE, Market
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
    if account.is_in_doubt or not market.is_valued():
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
    others = account.value + account.working - seat.counted.value - seat.counted.working
    needed = (others + exposure * market.quote_rate) / account.leverage + fee * market.quote_rate
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


def free_margin(account: Account) -> float:
    """Collateral that nothing needs yet; in a spot account the cash that no buy has reserved."""
    if account.kind == SPOT:
        return account.cash[0] - account.reserved[0]
    return account.equity - account.haircut - account.initial()


def liquidation_price(seat: Seat, market: Market, account: Account) -> float:
    """The price of the instrument at which the account falls short, all else being as it is now; nan: there is none.

    With E the collateral and M the maintenance of all else, q the signed size, r and a rate and amount of the tier that
    |q| P lies in, h the haircut of a long position and f the buffer: E + (1 - h) q P = f (M + r |q| P - a), solved for
    P. For one currency and h = 0 this is Binance's formula ("How to Calculate Liquidation Price of USDS-M Futures
    Contracts") with the entry price in the cash. Money is in the account's currency, P in that of the quotes.
    """
    size, rate, factor = market.size_of(seat.position_lots), market.quote_rate, account.liquidation_factor
    if size == 0.0 or rate <= 0.0 or account.kind == SPOT:
        return math.nan
    kept = 1.0 - market.haircut if size > 0.0 else 1.0
    equity = account.equity - account.haircut - seat.value * kept * rate
    others = account.maintenance - seat.counted.maintenance
    if market.is_long_at_cost and size > 0.0:
        price = (factor * account.maintenance - equity) / (rate * size * kept)
        return price if price > 0.0 else math.nan
    floor = 0.0
    for tier in range(market.tier_count):
        amount, cap = market.tiers[tier, AMOUNT] * rate, market.tiers[tier, CAP]
        slope = rate * (size * kept - factor * abs(size) * market.tiers[tier, RATE])
        price = (factor * (others - amount) - equity) / slope
        value = abs(size) * price
        is_last = tier == market.tier_count - 1
        if price > 0.0 and value >= floor * (1.0 - 1e-12) and (is_last or value <= cap * (1.0 + 1e-12)):
            return price
        floor = cap
    return math.nan
