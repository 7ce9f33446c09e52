"""What borrowed funds cost, by the clock of the events: a quarter of an hour of market time costs that, at any speed.

Borrowed are the coins of a short position, and money: what the cash of an account lacks (Binance), or, where the venue
lends whole positions whatever else lies in the account, the cost of every long one (Kraken). Periods are whole hours
of the clock, or count from when the account began to borrow. A year has 365 days. Simple interest: what was charged is
missing from the cash, and so is borrowed with the rest from the next period on.

Derivatives borrow nothing. A spot account cannot borrow.
"""

from __future__ import annotations

from streamtrader.events import BUY, SELL
from streamtrader.kernel.account import Account
from streamtrader.kernel.candles import FAR_NS
from streamtrader.kernel.charges import charge
from streamtrader.kernel.market import Market
from streamtrader.kernel.outbox import Charge, Outbox
from streamtrader.kernel.seat import Seat
from streamtrader.kernel.state import State
from streamtrader.units import NS_PER_DAY, NS_PER_S

# Plain integers: a member of an enum is a type of its own to the compiler, and each caller would compile anew.
INTEREST, BORROW, OPENING = int(Charge.INTEREST), int(Charge.BORROW), int(Charge.OPENING)
YEAR_NS = 365 * NS_PER_DAY
SINGLE_PERIODS = 1_000  # after so many without an event the rest is charged in one row


def after_fill(seat: Seat, market: Market, account: Account, outbox: Outbox) -> None:
    """What the fill borrowed anew costs at once, where the venue wants that; and when the next period ends."""
    if account.period_ns == 0:
        return
    currency = market.currency
    coins = 0.0 if market.is_derivative else market.size_of(max(0, -seat.position_lots))
    money = lent_to(seat, market) if account.lends_positions else max(0.0, -account.cash[currency])
    before = seat.borrowed_money if account.lends_positions else account.borrowed[currency]
    if not market.is_derivative:
        now_ns = market.now_ns
        new_coins, new_money = max(0.0, coins - seat.borrowed_coins), max(0.0, money - before)
        value = new_coins * market.mark_price()
        pay(seat, market, outbox, OPENING, now_ns, (new_money + value) * account.opening_rate)
        if account.is_first_at_once:
            pay(seat, market, outbox, INTEREST, now_ns, new_money * account.money_rate * period_of(account))
            pay(seat, market, outbox, BORROW, now_ns, value * market.coin_rate * period_of(account))
        account.refresh(seat, market)
    seat.borrowed_coins = coins
    seat.borrowed_money = money
    account.borrowed[currency] = max(0.0, -account.cash[currency])
    if (coins > 0.0 or money > 0.0) and account.interest_due_ns == FAR_NS:
        account.interest_due_ns = first_due_ns(market.now_ns, account)


def lent_to(seat: Seat, market: Market) -> float:
    """The money in a long position, where positions are lent whole."""
    return seat.cost if seat.position_lots > 0 and not market.is_derivative else 0.0


def period_of(account: Account) -> float:
    """The share of a year."""
    return account.period_ns / YEAR_NS


def first_due_ns(now_ns: int, account: Account) -> int:
    """The next end of a period; one that counts from now ends on a whole second, as all that is due does."""
    if account.is_from_opening:
        due_ns = now_ns + account.period_ns
        return due_ns + (-due_ns) % NS_PER_S
    return now_ns - now_ns % account.period_ns + account.period_ns


def pay(seat: Seat, market: Market, outbox: Outbox, code: int, at_ns: int, amount: float) -> None:
    """A row, where there is anything to pay."""
    if amount > 0.0:
        side, lots = SELL if seat.position_lots < 0 else BUY, abs(seat.position_lots)
        charge(seat, market, outbox, code, at_ns, side, market.ticks_of(market.mark_price()), lots, amount)


def charge_interest(at: int, at_ns: int, state: State, outbox: Outbox) -> None:
    """A period of the account is over: each of its seats pays for what it has borrowed, and the next one begins."""
    account, seats = state.accounts[at], state.seats
    due_ns = account.interest_due_ns
    periods = (state.clock[0].now_ns - due_ns) // account.period_ns
    periods = 1 + periods if periods > SINGLE_PERIODS else 1
    share = periods * period_of(account)
    is_borrowing = False
    for index in range(len(seats)):
        seat = seats[index]
        market = state.markets[seat.instrument]
        if seat.account != at or market.is_derivative:
            continue
        market.now_ns = max(market.event_ns, at_ns)
        money = money_of(seat, market, at, state)
        coins = market.size_of(max(0, -seat.position_lots))
        is_borrowing = is_borrowing or money > 0.0 or coins > 0.0
        pay(seat, market, outbox, INTEREST, at_ns, money * account.money_rate * share)
        pay(seat, market, outbox, BORROW, at_ns, coins * market.mark_price() * market.coin_rate * share)
    for index in range(len(seats)):
        if seats[index].account == at:
            account.refresh(seats[index], state.markets[seats[index].instrument])
    for currency in range(len(account.borrowed)):
        account.borrowed[currency] = max(0.0, -account.cash[currency])
    account.interest_due_ns = due_ns + periods * account.period_ns if is_borrowing else FAR_NS


def money_of(seat: Seat, market: Market, at: int, state: State) -> float:
    """The seat's part of what the account lacks in this currency: by how far its own cash is below zero."""
    account, seats = state.accounts[at], state.seats
    if account.lends_positions:
        return lent_to(seat, market)
    lacking, own = -account.cash[market.currency], -seat.counted.cash
    if lacking <= 0.0 or own <= 0.0:
        return 0.0
    total = 0.0
    for index in range(len(seats)):
        other = state.markets[seats[index].instrument]
        if seats[index].account == at and other.currency == market.currency and not other.is_derivative:
            total += max(0.0, -seats[index].counted.cash)
    return own * min(1.0, lacking / total)
