"""The ledger is exact and double: no digit is lost and every entry comes to nothing, whatever is booked."""

import ast
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamtrader.ledger
from streamtrader.errors import LedgerError
from streamtrader.events import Side
from streamtrader.ledger import Charge, Deposit, Entry, Fill, Ledger, Marks, Pair, Posting, value
from streamtrader.ledger.seen import SeenKeys

D = Decimal
BTC = Pair("BTCUSDT", "BTC", "USDT")
ETHBTC = Pair("ETHBTC", "ETH", "BTC")


def fill(side: Side, size: str, price: str, fee: str = "0", *, number: int, pair: Pair = BTC, asset: str = "") -> Fill:
    return Fill(number, number, pair, side, D(price), D(size), D(fee), asset)


def marks(**prices: str) -> Marks:
    found = Marks()
    for symbol, price in prices.items():
        found.set_price(Pair(symbol, symbol[:3], symbol[3:]), D(price), None)
    return found


def test_a_purchase_is_six_postings_that_come_to_nothing_in_each_currency() -> None:
    ledger = Ledger(D(1_000))

    entry = ledger.apply(fill(Side.BUY, "2", "100", "0.01", number=1, asset="BNB"))

    assert entry is not None
    assert set(entry.postings) == {
        ("position:BTCUSDT", "BTC", 2), ("market:BTCUSDT", "BTC", -2),
        ("cost:BTCUSDT", "USDT", 200), ("cash", "USDT", -200),
        ("fees", "BNB", D("0.01")), ("cash", "BNB", D("-0.01")),
    }  # fmt: skip
    assert dict(ledger.figures(marks(BTCUSDT="110"), 0))["USDT"].unrealized == 20


def test_a_sale_that_flips_realizes_against_the_cost() -> None:
    ledger = Ledger(D(1_000))
    ledger.apply(fill(Side.BUY, "2", "100", number=1))

    entry = ledger.apply(fill(Side.SELL, "5", "110", "0.5", number=2))

    assert entry is not None
    assert {(account, amount) for account, currency, amount in entry.postings if currency == "USDT"} == {
        ("cost:BTCUSDT", -530), ("cash", 550), ("realized:BTCUSDT", -20), ("fees", D("0.5")), ("cash", D("-0.5")),
    }  # fmt: skip
    assert (ledger.cash, ledger.realized, ledger.fees) == (D("1349.5"), 20, D("0.5"))


@pytest.mark.parametrize("kind", ["funding", "interest", "borrow", "opening", "liquidation"])
def test_a_charge_goes_from_cash_to_the_account_of_its_kind(kind: str) -> None:
    ledger = Ledger(D(1_000))

    paid = ledger.apply(Charge(1, 5, kind, D("1.25"), "USDT"))
    ledger.apply(Charge(2, 6, kind, D("-0.25"), "USDT"))

    assert paid is not None
    assert paid.postings == ((kind, "USDT", D("1.25")), ("cash", "USDT", D("-1.25")))
    assert (ledger.balance(kind), ledger.cash) == (1, 999)
    told = {"funding": "funding", "interest": "interest", "borrow": "interest"}.get(kind, "fees")
    assert getattr(value([ledger], Marks(), "USDT", 0).whole, told) == 1


def test_an_entry_that_is_not_balanced_cannot_be_made() -> None:
    with pytest.raises(LedgerError, match="not balanced"):
        Entry(1, 1, (Posting("cash", "USDT", D(1)), Posting("fees", "BNB", D(-1))))


def test_a_charge_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(LedgerError, match="kind must be one of funding"):
        Charge(1, 1, "tip", D(1), "USDT")


def test_a_loss_lowers_the_realized_profit() -> None:
    """A counter that only adds gains hides losses; this is a balance."""
    ledger = Ledger(D(1_000))
    seen = []
    for number, (side, price) in enumerate([(Side.BUY, "10"), (Side.SELL, "12"), (Side.BUY, "10"), (Side.SELL, "3")]):
        ledger.apply(fill(side, "1", price, "0.1", number=number))
        seen.append(ledger.realized)

    assert seen == [0, 2, 2, -5]
    assert ledger.fees == D("0.4")


def test_a_fact_told_again_is_ignored_and_counted() -> None:
    """Venues number the trades of each symbol; charges and deposits are numbered apart."""
    ledger = Ledger()
    one = fill(Side.BUY, "1", "10", "0.1", number=7)

    assert ledger.apply(one) is not None
    assert ledger.apply(one) is None
    assert ledger.apply(fill(Side.BUY, "1", "0.05", number=7, pair=ETHBTC)) is not None
    assert ledger.apply(Charge(7, 1, "funding", D(1), "USDT")) is not None
    assert ledger.apply(Charge(7, 1, "funding", D(1), "USDT")) is None
    assert ledger.apply(Deposit(7, 1, D(1), "USDT")) is not None

    assert (ledger.repeated_count, ledger.position("BTCUSDT").size) == (2, 1)


@given(keys=st.lists(st.one_of(st.integers(-5, 20), st.integers(2**62, 2**65), st.sampled_from("abc"))))
def test_a_key_is_new_once(keys: list[int | str]) -> None:
    seen, twin = SeenKeys(), set()

    for key in keys:
        assert seen.add(key) == (key not in twin)
        twin.add(key)


def test_two_pairs_under_one_symbol_are_refused_and_nothing_is_booked() -> None:
    ledger = Ledger(D(1_000))
    ledger.apply(fill(Side.BUY, "1", "10", number=1))
    before = list(ledger.balances())

    with pytest.raises(LedgerError, match="one symbol is one pair"):
        ledger.apply(fill(Side.BUY, "1", "10", number=2, pair=Pair("BTCUSDT", "BTC", "USD")))

    assert list(ledger.balances()) == before
    assert ledger.apply(fill(Side.BUY, "1", "10", number=2)) is not None


def test_a_fee_in_base_leaves_the_position_and_takes_base_from_the_cash() -> None:
    """Spot venues take the fee of a purchase from what was bought; it is worth what the position's mark says."""
    ledger = Ledger(D(1_000))
    ledger.apply(fill(Side.BUY, "1", "100", "0.001", number=1, asset="BTC"))

    valued = value([ledger], marks(BTCUSDT="200"), "USDT", 0)

    assert (ledger.position("BTCUSDT").size, ledger.balance("cash", "BTC")) == (1, D("-0.001"))
    assert (valued.whole.fees, valued.whole.equity) == (D("0.2"), D("1099.8"))
    assert valued.whole.equity == valued.whole.explained


def test_quotes_in_two_currencies_are_kept_apart_and_valued_together() -> None:
    """One bitcoin bought for dollars, half of it spent on ten ether: worth what both are worth now."""
    ledger = Ledger(D(1_000))
    ledger.apply(fill(Side.BUY, "1", "100", number=1))
    ledger.apply(fill(Side.BUY, "10", "0.05", number=2, pair=ETHBTC))

    valued = value([ledger], marks(BTCUSDT="120", ETHBTC="0.06"), "USDT", 0)

    assert (ledger.balance("cash", "BTC"), ledger.cash) == (D("-0.5"), 900)
    assert valued.natives["BTC"].unrealized == D("0.1")
    assert valued.whole.equity == 900 + 120 + D("0.1") * 120
    assert valued.whole.equity == valued.whole.explained


def test_a_fill_is_read_back_from_the_texts_of_the_database() -> None:
    one = Fill.of(17, 99, BTC, "sell", "59999.01", "0.00100", "-0.5", "USDT")

    assert one == Fill(17, 99, BTC, Side.SELL, D("59999.01"), D("0.001"), D("-0.5"), "USDT")
    assert one.fee_currency == "USDT"
    assert Ledger(D(1)).position("BTCUSDT").size == 0


def test_the_ledger_knows_no_clock_and_no_file() -> None:
    """Time comes with the facts: the same facts give the same account in any year."""
    imported = set()
    for path in Path(streamtrader.ledger.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])

    pure = {"array", "bisect", "collections", "dataclasses", "decimal", "enum", "functools", "re", "typing"}
    assert imported <= pure | {"__future__", "streamtrader"}
