"""Any sequence of fills, repeats, charges, deposits and flips: exact, balanced, and what the slow twin says.

Two sub-ledgers trade three pairs in two quote currencies, with fees in any of four assets. After every step the
books are balanced, the identity holds to the last digit, and the whole is the sum of its parts.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from streamtrader.events import Side
from streamtrader.ledger import Charge, Deposit, Fill, Ledger, Marks, Method, Pair, value
from streamtrader.ledger.facts import CHARGES
from streamtrader.ledger.figures import Figures
from tests.ledger.twin import TwinLedger

LOT, TICK, DUST = Decimal("0.00001"), Decimal("0.01"), Decimal("1e-8")
PAIRS = (Pair("BTCUSDT", "BTC", "USDT"), Pair("ETH/USDT", "ETH", "USDT"), Pair("ETHBTC", "ETH", "BTC"))
ASSETS = ("USDT", "BTC", "ETH", "BNB")
QUANTUM = Fraction(1, 10**18)
seats = st.integers(0, 1)
pairs = st.sampled_from(PAIRS)
prices = st.integers(1, 10_000_000)
lots = st.integers(1, 9)
money = st.integers(-1_000_000, 1_000_000)


class Books(RuleBasedStateMachine):
    """Two ledgers of one method beside their twins."""

    method = Method.AVERAGE

    def __init__(self) -> None:
        super().__init__()
        self.ledgers = [Ledger(method=self.method) for _ in range(2)]
        self.twins = [TwinLedger(self.method) for _ in range(2)]
        self.facts: list[tuple[int, Fill | Charge | Deposit]] = []
        self.repeats = 0
        self.marks = Marks()

    @initialize(levels=st.tuples(*(prices,) * 4))
    def begin(self, levels: tuple[int, ...]) -> None:
        for pair, ticks in zip(PAIRS, levels, strict=False):
            self.marks.set_price(pair, ticks * TICK, 0)
        self.marks.set_rate("BNB", "USDT", levels[3] * TICK, 0)

    def tell(self, seat: int, fact: Fill | Charge | Deposit) -> None:
        entry = self.ledgers[seat].apply(fact)
        scope = fact.pair.symbol if isinstance(fact, Fill) else type(fact)
        is_new = self.twins[seat].is_new((scope, fact.key))
        assert (entry is not None) == is_new
        if not is_new:
            self.repeats += 1
            return
        self.facts.append((seat, fact))
        match fact:
            case Fill():
                direction, count = (1 if fact.side == Side.BUY else -1), int(fact.size / LOT)
                self.twins[seat].fill(
                    fact.pair.symbol, fact.pair.quote, direction, count, Fraction(fact.price) * Fraction(LOT),
                    Fraction(fact.fee), fact.fee_currency,
                )  # fmt: skip
            case Charge():
                self.twins[seat].pay(fact.kind, Fraction(fact.amount), fact.currency)
            case Deposit():
                self.twins[seat].deposit(Fraction(fact.amount), fact.currency)

    @rule(
        seat=seats, pair=pairs, side=st.sampled_from(Side), ticks=prices, count=lots, fee=money,
        asset=st.sampled_from(("", *ASSETS)),
    )  # fmt: skip
    def fill(self, seat: int, pair: Pair, side: Side, ticks: int, count: int, fee: int, asset: str) -> None:
        self.tell(
            seat, Fill(len(self.facts), len(self.facts), pair, side, ticks * TICK, count * LOT, fee * DUST, asset)
        )

    @rule(seat=seats, pair=pairs, ticks=prices, more=st.integers(0, 9))
    def close_or_flip(self, seat: int, pair: Pair, ticks: int, more: int) -> None:
        held = self.ledgers[seat].position(pair.symbol).size
        if not held:
            return
        side = Side.SELL if held > 0 else Side.BUY
        before = self.ledgers[seat].position(pair.symbol).realized
        cost = self.ledgers[seat].position(pair.symbol).cost

        self.tell(
            seat, Fill(len(self.facts), 0, pair, side, ticks * TICK, abs(held) + more * LOT, Decimal(0))
        )

        position = self.ledgers[seat].position(pair.symbol)
        assert position.realized - before == held * ticks * TICK - cost
        assert position.average_price == (ticks * TICK if more else None)

    @rule(seat=seats, kind=st.sampled_from(CHARGES), amount=money, currency=st.sampled_from(ASSETS))
    def charge(self, seat: int, kind: str, amount: int, currency: str) -> None:
        self.tell(seat, Charge(len(self.facts), 0, kind, amount * DUST, currency))

    @rule(seat=seats, amount=money, currency=st.sampled_from(ASSETS))
    def deposit(self, seat: int, amount: int, currency: str) -> None:
        self.tell(seat, Deposit(len(self.facts), 0, amount * TICK, currency))

    @rule(which=st.integers(0, 1 << 16))
    def repeat(self, which: int) -> None:
        if self.facts:
            self.tell(*self.facts[which % len(self.facts)])

    @rule(pair=pairs, ticks=prices)
    def move(self, pair: Pair, ticks: int) -> None:
        self.marks.set_price(pair, ticks * TICK, 0)

    @invariant()
    def every_currency_comes_to_nothing(self) -> None:
        for ledger in self.ledgers:
            sums: dict[str, Fraction] = {}
            for _, currency, amount in ledger.balances():
                sums[currency] = sums.get(currency, Fraction(0)) + Fraction(amount)
            assert not any(sums.values())

    @invariant()
    def the_accounts_are_those_of_the_twin(self) -> None:
        for ledger, twin in zip(self.ledgers, self.twins, strict=True):
            for currency in ASSETS:
                assert Fraction(ledger.balance("cash", currency)) == twin.cash[currency]
                assert -Fraction(ledger.balance("capital", currency)) == twin.brought[currency]
                for kind in ("fees", *CHARGES):
                    assert Fraction(ledger.balance(kind, currency)) == twin.costs[kind, currency]

    @invariant()
    def positions_are_the_sums_of_their_fills_and_cost_what_the_twin_says(self) -> None:
        for ledger, twin in zip(self.ledgers, self.twins, strict=True):
            for symbol, position in ledger.positions.items():
                one = twin.positions[symbol]
                base, quote = position.pair.base, position.pair.quote
                assert Fraction(position.size) == one.size * Fraction(LOT)
                assert position.size == ledger.balance(f"position:{symbol}", base)
                assert position.cost == ledger.balance(f"cost:{symbol}", quote)
                assert -position.realized == ledger.balance(f"realized:{symbol}", quote)
                # Averages are cut to a quantum at each sale, and made good when the position closes.
                cut = len(self.facts) * QUANTUM if self.method is Method.AVERAGE and position.size else 0
                assert abs(Fraction(position.cost) - one.cost) <= cut
                assert abs(Fraction(position.realized) - one.realized) <= cut

    @invariant()
    def the_identity_holds_in_each_currency_and_the_whole_is_the_sum_of_the_parts(self) -> None:
        parts = [value([ledger], self.marks, "USDT", 0) for ledger in self.ledgers]
        whole = value(self.ledgers, self.marks, "USDT", 0)
        for valued in (*parts, whole):
            assert Fraction(valued.whole.equity) == Fraction(valued.whole.explained)
            for native in valued.natives.values():
                assert Fraction(native.equity) == Fraction(native.explained)
        assert whole.whole == Figures().with_(parts[0].whole).with_(parts[1].whole)

    @invariant()
    def repeats_are_counted(self) -> None:
        assert sum(ledger.repeated_count for ledger in self.ledgers) == self.repeats


class FirstInFirstOut(Books):
    method = Method.FIFO


@pytest.mark.parametrize("books", [Books, FirstInFirstOut], ids=["average", "fifo"])
@pytest.mark.slow
def test_whatever_happens_the_books_are_exact(books: type[Books]) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(books, settings=settings(max_examples=60, stateful_step_count=40))
