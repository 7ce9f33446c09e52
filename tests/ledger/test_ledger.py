"""The ledger is exact: no digit is lost, whatever the fills."""

import ast
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streamtrader.ledger
from streamtrader.errors import StreamTraderError
from streamtrader.events import Side
from streamtrader.ledger import Fill, Ledger
from streamtrader.ledger.ledger import SeenIds

from .twin import UnitLots

D = Decimal
LOT = D("0.00001")
# side, lots, price in ticks of 0.01, fee in 1e-8
fills = st.lists(
    st.tuples(st.sampled_from(Side), st.integers(1, 12), st.integers(1, 10_000_000), st.integers(-10_000, 10_000)),
    max_size=30,
)


def fill(side: Side, size: str, price: str, fee: str = "0", *, number: int, instrument: str = "BTCUSDT") -> Fill:
    return Fill("binance", "paper", number, instrument, side, D(price), D(size), D(fee))


def booked(values: list[tuple[Side, int, int, int]]) -> tuple[Ledger, UnitLots]:
    ledger, twin = Ledger(D(10_000)), UnitLots(10_000)
    for number, (side, lots, ticks, fee) in enumerate(values):
        one = Fill("v", "a", number, "X", side, ticks * D("0.01"), lots * LOT, fee * D("1e-8"))
        ledger.apply(one)
        twin.fill(1 if side == Side.BUY else -1, lots, Fraction(one.price) * Fraction(LOT), Fraction(one.fee))
    return ledger, twin


@given(values=fills, mark=st.decimals("0.00000001", "1000000000", places=8))
def test_no_money_appears_or_disappears(values: list[tuple[Side, int, int, int]], mark: Decimal) -> None:
    """Cash and position are worth what was there at first, plus all profit, less fees: to the last digit."""
    ledger, _ = booked(values)

    position = ledger.positions.get("X")
    held = Fraction(position.size) * Fraction(mark) if position else 0
    marks = {"X": mark}

    assert Fraction(ledger.cash) + held == Fraction(ledger.equity(marks))
    assert Fraction(ledger.equity(marks)) == (
        Fraction(ledger.initial_cash)
        + Fraction(ledger.realized)
        + Fraction(ledger.unrealized(marks))
        - Fraction(ledger.fees)
    )


@given(values=fills)
@settings(max_examples=200)
def test_it_agrees_with_the_slow_twin(values: list[tuple[Side, int, int, int]]) -> None:
    ledger, twin = booked(values)

    position = ledger.positions.get("X")
    assert Fraction(ledger.cash) == twin.cash
    assert Fraction(ledger.fees) == twin.fees
    assert abs(Fraction(ledger.realized) - twin.realized) <= len(values) * Fraction(1, 10**18)
    if position is None or not position.size:
        assert not twin.units
        # Rounded shares are made good when the position closes: a whole round trip is exact.
        assert Fraction(ledger.realized) == twin.realized
    else:
        assert Fraction(position.size) == twin.size * Fraction(LOT)
        assert position.average_price is not None
        assert twin.average is not None
        assert abs(Fraction(position.average_price) * Fraction(LOT) - twin.average) < Fraction(1, 10**10)


@given(values=fills, last=st.integers(1, 10_000_000), more=st.integers(1, 12))
def test_crossing_zero_begins_a_new_position_at_the_price_of_the_fill(
    values: list[tuple[Side, int, int, int]], last: int, more: int
) -> None:
    ledger, _ = booked(values)
    position = ledger.positions.get("X")
    if position is None or not position.size:
        return
    before, cost, held = position.realized, position.cost, position.size
    side, price = (Side.SELL if held > 0 else Side.BUY), last * D("0.01")

    ledger.apply(Fill("v", "a", 10_000, "X", side, price, abs(held) + more * LOT, D(0)))

    assert position.average_price == price
    assert position.size == (-more if held > 0 else more) * LOT
    assert position.realized == before + held * price - cost


def test_a_flip_in_numbers() -> None:
    """Long 2 at 100, sell 5 at 110: 20 are realized, and the short 3 cost 110, not 100."""
    ledger = Ledger(D(1_000))
    ledger.apply(fill(Side.BUY, "2", "100", number=1))

    realized = ledger.apply(fill(Side.SELL, "5", "110", "0.5", number=2))

    position = ledger.positions["BTCUSDT"]
    assert (realized, position.size, position.average_price) == (20, -3, 110)
    assert ledger.cash == D("1349.5")
    assert ledger.unrealized({"BTCUSDT": D(100)}) == 30
    assert ledger.equity({"BTCUSDT": D(100)}) == D("1049.5")


def test_average_cost_in_numbers() -> None:
    ledger = Ledger(D(1_000))
    for number, (side, size, price) in enumerate(
        [(Side.BUY, "1", "10"), (Side.BUY, "3", "14"), (Side.SELL, "2", "15"), (Side.BUY, "2", "9")]
    ):
        ledger.apply(fill(side, size, price, "0.01", number=number))

    position = ledger.positions["BTCUSDT"]
    assert (position.size, position.average_price, position.realized) == (4, 11, 4)
    assert (position.fees, position.turnover, position.fill_count) == (D("0.04"), 100, 4)


def test_a_loss_lowers_the_realized_profit() -> None:
    """A counter that only adds gains hides losses; this is a balance."""
    ledger = Ledger(D(1_000))
    seen = []
    for number, (side, price) in enumerate([(Side.BUY, "10"), (Side.SELL, "12"), (Side.BUY, "10"), (Side.SELL, "3")]):
        ledger.apply(fill(side, "1", price, "0.1", number=number))
        seen.append(ledger.realized)

    assert seen == [0, 2, 2, -5]
    assert ledger.fees == D("0.4")


def test_a_fill_told_again_is_ignored_and_counted() -> None:
    ledger = Ledger(D(1_000))
    one = fill(Side.BUY, "1", "10", "0.1", number=7)

    assert ledger.apply(one) == 0
    assert ledger.apply(one) is None
    assert ledger.apply(Fill("binance", "other account", 7, "BTCUSDT", Side.BUY, D(10), D(1), D(0))) == 0

    assert (ledger.repeated_count, ledger.positions["BTCUSDT"].size) == (1, 2)


@given(ids=st.lists(st.one_of(st.integers(-5, 20), st.integers(2**62, 2**65), st.sampled_from("abc"))))
def test_an_id_is_new_once(ids: list[int | str]) -> None:
    seen, twin = SeenIds(), set()

    for one in ids:
        assert seen.add(one) == (one not in twin)
        twin.add(one)


@given(values=fills, repeats=st.lists(st.integers(0, 29)))
def test_the_order_of_repeats_does_not_matter(values: list[tuple[Side, int, int, int]], repeats: list[int]) -> None:
    ledger, _ = booked(values)
    cash = ledger.cash
    told_again = [index for index in repeats if index < len(values)]

    for index in told_again:
        side, lots, ticks, fee = values[index]
        ledger.apply(Fill("v", "a", index, "X", side, ticks * D("0.01"), lots * LOT, fee * D("1e-8")))

    assert (ledger.cash, ledger.repeated_count) == (cash, len(told_again))


def test_drawdown_is_the_fall_from_the_peak() -> None:
    ledger = Ledger(D(100))
    ledger.apply(fill(Side.BUY, "1", "50", number=1))

    seen = [(ledger.observe({"BTCUSDT": D(mark)}), ledger.drawdown) for mark in (50, 70, 40, 65)]

    assert seen == [(100, 0), (120, 0), (90, 30), (115, 5)]
    assert (ledger.peak_equity, ledger.drawdown_worst) == (120, 30)


def test_two_instruments_are_two_positions() -> None:
    ledger = Ledger(D(1_000))
    ledger.apply(fill(Side.BUY, "1", "10", number=1))
    ledger.apply(fill(Side.SELL, "2", "20", number=2, instrument="ETHUSDT"))

    assert ledger.equity({"BTCUSDT": D(11), "ETHUSDT": D(19)}) == 1_003
    assert ledger.unrealized({"BTCUSDT": D(11), "ETHUSDT": D(19)}) == 3


@pytest.mark.parametrize("marks", [{}, {"BTCUSDT": D("nan")}])
def test_an_open_position_without_a_price_has_no_equity(marks: dict[str, Decimal]) -> None:
    ledger = Ledger(D(1_000))
    ledger.apply(fill(Side.BUY, "1", "10", number=1))

    with pytest.raises(StreamTraderError, match="no price"):
        ledger.equity(marks)


@pytest.mark.parametrize(
    ("size", "price", "fee"),
    [
        ("0", "1", "0"),
        ("-1", "1", "0"),
        ("nan", "1", "0"),
        ("1", "Infinity", "0"),
        ("1", "-1", "0"),
        ("1", "1", "sNaN"),
    ],
)
def test_a_fill_that_cannot_be_is_refused(size: str, price: str, fee: str) -> None:
    with pytest.raises(StreamTraderError):
        fill(Side.BUY, size, price, fee, number=1)


def test_a_fill_is_read_back_from_the_texts_of_the_database() -> None:
    one = Fill.of(3, 17, 99, "BTCUSDT", "sell", "59999.01", "0.00100", "-0.5")

    assert one == Fill("simulator", "seat-3", 17, "BTCUSDT", Side.SELL, D("59999.01"), D("0.001"), D("-0.5"), 99)
    assert one.key == ("simulator", "seat-3", 17)
    assert Ledger(D(1)).position("BTCUSDT").size == 0


def test_a_float_is_refused() -> None:
    with pytest.raises(StreamTraderError, match="finite decimal"):
        Fill("v", "a", 1, "X", Side.BUY, 0.1, D(1), D(0))  # type: ignore[arg-type]


def test_another_currency_is_refused() -> None:
    with pytest.raises(StreamTraderError, match="in EUR"):
        Ledger(D(1)).apply(Fill("v", "a", 1, "X", Side.BUY, D(1), D(1), D(0), currency="EUR"))


def test_the_ledger_knows_no_clock_and_no_file() -> None:
    """Time comes with the fills: the same fills give the same account in any year."""
    imported = set()
    for path in Path(streamtrader.ledger.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])

    assert imported <= {"__future__", "array", "bisect", "collections", "dataclasses", "decimal", "streamtrader"}
