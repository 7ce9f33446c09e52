"""Marks have an age, missing ones are refused, and days add up."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.errors import LedgerError, NoMark
from streamtrader.events import Side
from streamtrader.ledger import Charge, Days, Fill, Ledger, Marks, Pair, value
from streamtrader.units import NS_PER_DAY, NS_PER_S

D = Decimal
BTC = Pair("BTCUSDT", "BTC", "USDT")
HOUR_NS = 3_600 * NS_PER_S


def bought(price: str = "100", *, fee_asset: str = "") -> Ledger:
    ledger = Ledger(D(1_000))
    ledger.apply(Fill(1, 0, BTC, Side.BUY, D(price), D(1), D("0.01"), fee_asset))
    return ledger


def test_a_position_without_a_mark_is_not_valued() -> None:
    with pytest.raises(NoMark, match=r"open position in BTCUSDT has no mark .* --mark BTCUSDT=PRICE"):
        value([bought()], Marks(), "USDT", 0)


def test_money_in_a_currency_without_a_mark_is_not_valued_and_nothing_is_changed() -> None:
    ledger, marks = bought(fee_asset="BNB"), Marks()
    marks.set_price(BTC, D(110), None)
    before = list(ledger.balances())

    with pytest.raises(NoMark, match=r"money in BNB .* in USDT; give one with --mark BNB=PRICE"):
        value([ledger], marks, "USDT", 0)

    assert list(ledger.balances()) == before
    marks.set_rate("BNB", "USDT", D(600), None)
    assert value([ledger], marks, "USDT", 0).whole.equity == 1_004


def test_a_mark_is_refused_beyond_its_age_and_not_before() -> None:
    marks = Marks(age_limit_ns=60 * NS_PER_S)
    marks.set_price(BTC, D(110), 0)

    assert value([bought()], marks, "USDT", 60 * NS_PER_S).whole.held == 110
    with pytest.raises(NoMark, match=r"mark of BTCUSDT is 61 s old and the limit is 60 s"):
        value([bought()], marks, "USDT", 61 * NS_PER_S)
    marks.set_price(BTC, D(110), None)
    assert value([bought()], marks, "USDT", 10**18).whole.held == 110


def test_a_currency_is_worth_what_its_own_mark_says_else_what_a_pair_says_either_way_round() -> None:
    marks = Marks()
    marks.set_price(BTC, D(50_000), None)

    assert marks.rate("BTC", "USDT", 0) == 50_000
    assert marks.rate("USDT", "BTC", 0) == D("0.00002")
    assert marks.rate("USDT", "USDT", 0) == 1
    marks.set_rate("BTC", "USDT", D(51_000), None)
    assert marks.rate("BTC", "USDT", 0) == 51_000


def test_an_old_pair_gives_no_rate_and_a_worthless_one_cannot_be_turned_round() -> None:
    marks = Marks(age_limit_ns=1)
    marks.set_price(BTC, D(0), 0)

    with pytest.raises(NoMark, match="old"):
        marks.rate("BTC", "USDT", 2)
    with pytest.raises(NoMark, match="money in USDT"):
        marks.rate("USDT", "BTC", 0)


@pytest.mark.parametrize("price", ["-1", "nan", "inf", "1e40"])
def test_a_mark_that_cannot_be_is_refused(price: str) -> None:
    with pytest.raises(LedgerError, match="mark of BTCUSDT"):
        Marks().set_price(BTC, D(price), None)


def days_of(*steps: tuple[int, str], offset_ns: int = 0, ledger: Ledger | None = None) -> Days:
    """One bitcoin bought at 100, valued at these times and marks."""
    days, ledger, marks = Days(offset_ns), ledger or bought(), Marks()
    for at_ns, price in steps:
        marks.set_price(BTC, D(price), at_ns)
        days.observe(value([ledger], marks, "USDT", at_ns))
    return days


def test_a_day_begins_where_the_last_one_ended() -> None:
    days = days_of((1, "100"), (2, "130"), (3, "110"), (NS_PER_DAY, "90"), (NS_PER_DAY + 1, "120"))

    first, second = days.lines
    assert (first.start, first.end, second.start, second.end) == (1_000, D("1009.99"), D("1009.99"), D("1019.99"))
    assert (first.changes.fees, second.changes.fees) == (D("0.01"), 0)
    assert (first.changes.unrealized, second.changes.unrealized) == (10, 10)


def test_the_fall_of_a_day_counts_from_its_own_highest() -> None:
    days = days_of((1, "100"), (2, "130"), (3, "110"), (NS_PER_DAY, "90"), (NS_PER_DAY + 1, "120"))

    assert [day.drawdown_worst for day in days.lines] == [20, 20]
    assert days.drawdown_worst == 40


def test_a_day_begins_at_the_stated_hour() -> None:
    days = days_of((HOUR_NS - 1, "100"), (HOUR_NS, "110"), offset_ns=HOUR_NS)

    assert [day.start_ns for day in days.lines] == [HOUR_NS - NS_PER_DAY, HOUR_NS]


def test_what_a_rate_did_stands_apart() -> None:
    """A fee of 0.01 BNB: paid at 600, worth 700 a day later. The loss of the second day is the rate's."""
    ledger, marks, days = bought(fee_asset="BNB"), Marks(), Days()
    marks.set_price(BTC, D(100), None)
    for at_ns, rate in ((1, 600), (NS_PER_DAY, 700)):
        marks.set_rate("BNB", "USDT", D(rate), at_ns)
        days.observe(value([ledger], marks, "USDT", at_ns))

    first, second = days.lines
    assert (first.changes.fees, first.currency, first.end) == (6, 0, 994)
    assert (second.changes.fees, second.currency, second.end) == (0, -1, 993)


@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, NS_PER_DAY // 2), st.integers(1, 1_000), st.integers(1, 1_000),
            st.sampled_from(Side), st.integers(-50, 50), st.sampled_from(("", "BNB", "BTC")),
        ),
        min_size=1, max_size=15,
    )
)  # fmt: skip
def test_every_line_adds_up_to_the_last_digit(steps: list[tuple[int, int, int, Side, int, str]]) -> None:
    ledger, marks, days, at_ns = Ledger(D(1_000)), Marks(), Days(), 0
    for number, (later_ns, price, rate, side, cost, asset) in enumerate(steps):
        at_ns += later_ns
        marks.set_price(BTC, D(price), at_ns)
        marks.set_rate("BNB", "USDT", D(rate), at_ns)
        ledger.apply(Fill(number, at_ns, BTC, side, D(price + 1), D("0.3"), D(cost) / 10, asset))
        ledger.apply(Charge(number, at_ns, "funding", D(cost), "USDT"))
        days.observe(value([ledger], marks, "USDT", at_ns))

    before = D(1_000)
    for day in days.lines:
        changes = day.changes
        assert day.start == before
        assert day.end == (
            day.start + changes.realized + changes.unrealized - changes.fees - changes.funding - changes.interest
            + day.currency
        )  # fmt: skip
        before = day.end
    assert before == value([ledger], marks, "USDT", at_ns).whole.equity
