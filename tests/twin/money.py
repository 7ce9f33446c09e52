"""Money in fractions: what fills, fees, funding and borrowing do to one account, by the sentences of docs/accounts.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from tests.twin.venue import BUY

HOUR_NS = 3_600_000_000_000
YEAR = 365 * 24  # hours
LATE_NS, REVISED_NS = HOUR_NS // 60, HOUR_NS // 2
FUNDING, INTEREST, BORROW, OPENING = 1, 2, 3, 4
NOTHING = Fraction(0)


@dataclass
class Loans:
    """What borrowing costs; rates are a year's, `opening` once."""

    money: Fraction = NOTHING
    coins: Fraction = NOTHING
    opening: Fraction = NOTHING
    is_first_at_once: bool = False


@dataclass
class Money:
    """A position of `lots` that cost `cost` (negative when short). `mark` says what a unit is worth, nothing else."""

    initial: Fraction
    tick: Fraction
    lot: Fraction
    maker_bps: Fraction
    taker_bps: Fraction
    mark: Callable[[], Fraction]
    loans: Loans | None = None
    cash: Fraction = NOTHING
    lots: int = 0
    cost: Fraction = NOTHING
    realized: Fraction = NOTHING
    fees: Fraction = NOTHING
    charged: dict[int, Fraction] = field(default_factory=lambda: dict.fromkeys((FUNDING, INTEREST, BORROW, OPENING), NOTHING))
    rows: list[tuple[int, int, Fraction]] = field(default_factory=list)  # at_ns, what for, how much
    interest_ns: int | None = None
    owed: Fraction = NOTHING  # money and coins borrowed when that was looked at last
    owed_coins: Fraction = NOTHING
    funding_ns: int | None = None  # when the next funding is due, and at which rate
    funding_rate: Fraction = NOTHING
    funded: tuple[int, Fraction, Fraction, int] | None = None  # due, rate, price, lots

    def __post_init__(self) -> None:
        self.cash = self.initial

    @property
    def position(self) -> Fraction:
        return self.lots * self.lot

    def fill(self, side: int, ticks: int, lots: int, *, is_taker: bool) -> Fraction:
        """Book it and return its fee. What closes realizes its share of the cost."""
        signed, price = lots if side == BUY else -lots, ticks * self.tick
        closed = min(abs(self.lots), lots) if self.lots * signed < 0 else 0
        if closed:
            released = self.cost * Fraction(closed, abs(self.lots))
            proceeds = closed * self.lot * price * (-1 if signed > 0 else 1)
            self.realized += proceeds - released
            self.cost -= released
        self.cost += (lots - closed) * self.lot * price * (1 if signed > 0 else -1)
        self.lots += signed
        notional = lots * self.lot * price
        fee = notional * (self.taker_bps if is_taker else self.maker_bps) / 10_000
        self.cash -= signed * self.lot * price + fee
        self.fees += fee
        return fee

    def charge(self, at_ns: int, what: int, amount: Fraction) -> None:
        if amount:
            self.cash -= amount
            self.charged[what] += amount
            self.rows.append((at_ns, what, amount))

    # --- borrowing ---

    def coins(self) -> Fraction:
        return max(NOTHING, -self.position)

    def after_fill(self, now_ns: int) -> None:
        """What is borrowed anew costs at once, where that is so; the next period ends with the hour."""
        if self.loans is None:
            return
        money, coins = max(NOTHING, -self.cash), self.coins()
        new_money, new_value = max(NOTHING, money - self.owed), max(NOTHING, coins - self.owed_coins) * self.mark()
        self.charge(now_ns, OPENING, (new_money + new_value) * self.loans.opening)
        if self.loans.is_first_at_once:
            self.charge(now_ns, INTEREST, new_money * self.loans.money / YEAR)
            self.charge(now_ns, BORROW, new_value * self.loans.coins / YEAR)
        self.owed, self.owed_coins = max(NOTHING, -self.cash), coins
        if (money or coins) and self.interest_ns is None:
            self.interest_ns = now_ns - now_ns % HOUR_NS + HOUR_NS

    def pay_interest(self) -> None:
        """An hour is over."""
        assert self.loans is not None and self.interest_ns is not None
        at_ns, money, coins = self.interest_ns, max(NOTHING, -self.cash), self.coins()
        self.charge(at_ns, INTEREST, money * self.loans.money / YEAR)
        self.charge(at_ns, BORROW, coins * self.mark() * self.loans.coins / YEAR)
        self.owed = max(NOTHING, -self.cash)
        self.interest_ns = at_ns + HOUR_NS if money or coins else None

    # --- funding ---

    def hear_mark(self, now_ns: int, rate: Fraction, next_ns: int, *, is_settled: bool, take: Callable[[], None]) -> None:
        """The venue tells a mark (`take` makes it known) with the forecast of a rate, or that it was paid just now."""
        is_due = self.funding_ns is not None and self.funding_ns <= now_ns + LATE_NS
        if is_due and not is_settled and next_ns > self.funding_ns:
            self.pay_funding(self.funding_ns, self.funding_rate, now_ns)
        take()
        if not is_settled:
            self.funding_rate = rate
        elif is_due:
            self.pay_funding(self.funding_ns, rate, now_ns)
        elif self.funded and now_ns - self.funded[0] < REVISED_NS:
            due_ns, before, price, lots = self.funded
            self.funded = (due_ns, rate, price, lots)
            self.charge(now_ns, FUNDING, lots * self.lot * price * (rate - before))
        else:
            self.pay_funding(now_ns, rate, now_ns)
        if next_ns > now_ns and (self.funded is None or next_ns > self.funded[0]):
            self.funding_ns = next_ns

    def pay_funding(self, due_ns: int, rate: Fraction, at_ns: int) -> None:
        """A long pays a positive rate of its value."""
        self.funded, self.funding_ns = (due_ns, rate, self.mark(), self.lots), None
        self.charge(at_ns, FUNDING, self.position * self.mark() * rate)

    # --- what must hold ---

    def equity(self) -> Fraction:
        return self.cash + self.position * self.mark()

    def explained(self) -> Fraction:
        unrealized = self.position * self.mark() - self.cost
        return self.initial + self.realized + unrealized - self.fees - sum(self.charged.values(), NOTHING)
