"""A seat, its venue, its money and the way between them, on one clock: what happens first is done first.

At one moment orders end before messages reach the venue, those before answers reach the seat, those before charges,
and all of them before the event of the market that comes then.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from tests.twin.money import Loans, Money
from tests.twin.seat import Seat, Wish
from tests.twin.venue import TAKER, Venue


class Row(NamedTuple):
    """What the seat hears or does. `what` as in `seat.hear`."""

    at_ns: int
    what: str
    order: int
    ticks: int
    lots: int
    code: int


class Terms(NamedTuple):
    up_ns: int = 0
    down_ns: int = 0
    self_trade: int = 0
    cash: Fraction = Fraction(500)
    tick: Fraction = Fraction(1, 100)
    lot: Fraction = Fraction(1, 10)
    maker_bps: Fraction = Fraction(-1, 2)
    taker_bps: Fraction = Fraction(4)
    loans: Loans | None = None
    mark_age_ns: int = 60_000_000_000


class World:
    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.now_ns = 0
        self.venue = Venue(self.answer, terms.self_trade)
        self.seat = Seat(self.send, lambda *words: self.rows.append(Row(*words)))
        self.money = Money(
            terms.cash, terms.tick, terms.lot, terms.maker_bps, terms.taker_bps, self.mark, terms.loans
        )
        self.rows: list[Row] = []
        self.fees: list[Fraction] = []  # of the fills, in their order
        self.ups: list[tuple[int, tuple]] = []  # when, what: both ways keep the order of sending
        self.downs: list[tuple[int, tuple]] = []
        self.wishes: list[Wish] = []  # for the next turn at an event of the market
        self.late_wishes: list[Wish] = []  # for the next turn at an answer
        self.told_mark: tuple[int, Fraction] | None = None

    def send(self, what: str, now_ns: int, *words: object) -> None:
        self.ups.append((now_ns + self.terms.up_ns, (what, *words)))

    def answer(self, at_ns: int, *words: object) -> None:
        self.downs.append((at_ns + self.terms.down_ns, words))

    def mark(self) -> Fraction:
        """What the venue says while that is young, else the middle, else the last trade."""
        if self.told_mark and self.now_ns - self.told_mark[0] <= self.terms.mark_age_ns:
            return self.told_mark[1]
        middle = self.venue.middle_ticks()
        return Fraction(self.venue.last_ticks if middle is None else middle) * self.terms.tick

    # --- the clock ---

    def pass_until(self, until_ns: int) -> None:
        """All that happens by then, without the event that comes then."""
        while True:
            ends = [order.expires_ns for order in self.venue.orders if order.expires_ns]
            due = [
                (min(ends, default=None), self.expire),
                (self.ups[0][0] if self.ups else None, self.arrive),
                (self.downs[0][0] if self.downs else None, self.hear),
                (self.money.interest_ns, lambda _: self.money.pay_interest()),
                (self.money.funding_ns, self.fund),
            ]
            now = [(at_ns, rank) for rank, (at_ns, _) in enumerate(due) if at_ns is not None and at_ns <= until_ns]
            if not now:
                break
            at_ns, rank = min(now)
            self.now_ns = max(self.now_ns, at_ns)
            due[rank][1](at_ns)
        self.now_ns = max(self.now_ns, until_ns)

    def expire(self, at_ns: int) -> None:
        self.venue.expire(at_ns)

    def arrive(self, at_ns: int) -> None:
        what, *words = self.ups.pop(0)[1]
        {"new": self.venue.take_over, "cancel": self.venue.cancel, "amend": self.venue.amend}[what](*words, at_ns)

    def hear(self, at_ns: int) -> None:
        words = self.downs.pop(0)[1]
        what, order_id, ticks, lots, code = words
        side = self.seat.open[order_id].ask.side if order_id in self.seat.open else 0
        if not self.seat.hear(at_ns, *words):
            assert what == "not amended", f"the venue speaks of an order that has ended: {words}"
            return
        if what == "filled":
            self.fees.append(self.money.fill(side, ticks, lots, is_taker=code == TAKER))
            self.money.after_fill(self.now_ns)
        self.turn(self.late_wishes)

    def fund(self, at_ns: int) -> None:
        self.money.pay_funding(at_ns, self.money.funding_rate, at_ns)

    def turn(self, wishes: list[Wish]) -> None:
        for wish in wishes:
            self.seat.wish(wish, self.now_ns)
        wishes.clear()
        self.seat.settle(self.now_ns)
