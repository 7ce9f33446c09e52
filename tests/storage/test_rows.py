"""What the engine said becomes rows in exact decimals, however it is cut and however often it is said."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.errors import StorageError
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import OutboxKind
from streamtrader.storage import schema
from streamtrader.storage.rows import Journal, Row, static_rows

from .naming import BTCUSDT, ETHUSDT, SEATS, journal, life_of_an_order, outbox, said


def named(rows: list[Row], table: str) -> list[dict[str, object]]:
    return [dict(zip(schema.COLUMNS[name], values, strict=True)) for name, values in rows if name == table]


def test_an_order_has_the_exact_average_of_its_fills() -> None:
    rows = journal().rows(life_of_an_order())

    (order,) = named(rows, "orders")
    assert order["status"] == "filled"
    assert order["filled"] == "0.003"
    assert order["filled_lots"] == 300
    assert order["notional"] == "179.999"  # 0.001 at 59,999 and 0.002 at 60,000
    assert order["average_price"] == "59999.66666666666666666666667"
    assert order["asked_ns"] == 1_000
    assert order["changed_ns"] == 1_004


def test_a_fee_is_computed_from_integers_not_from_the_float() -> None:
    rows = journal().rows(life_of_an_order())

    taker, maker = named(rows, "fills")
    assert (taker["liquidity"], taker["price"], taker["size"], taker["fee"]) == (
        "taker",
        "59999",
        "0.001",
        "0.04499925",
    )
    assert (maker["liquidity"], maker["price"], maker["size"], maker["fee"]) == ("maker", "60000", "0.002", "0.012")
    (order,) = named(rows, "orders")
    assert order["fees"] == "0.05699925"


def test_a_first_partial_fill_is_not_the_end_of_an_order() -> None:
    book = journal()

    (order,) = named(book.rows(life_of_an_order()[:4]), "orders")

    assert (order["status"], order["filled_lots"]) == ("partly_filled", 100)
    assert list(book.open) == [(0, 1)]
    book.rows(life_of_an_order()[4:])
    assert not book.open


@given(cuts=st.lists(st.integers(0, 5), max_size=4).map(sorted))
def test_cuts_between_drains_change_nothing(cuts: list[int]) -> None:
    whole, book = journal().rows(life_of_an_order()), journal()

    pieces = [
        row
        for start, stop in zip([0, *cuts], [*cuts, 5], strict=True)
        for row in book.rows(life_of_an_order()[start:stop])
    ]

    for table in ("intents", "fills"):
        assert named(pieces, table) == named(whole, table)
    assert named(pieces, "orders")[-1] == named(whole, "orders")[-1]
    assert named(pieces, "progress")[-1] == {"name": "outbox", "value": 4}


@pytest.mark.parametrize("stored", range(6))
@pytest.mark.parametrize("again_from", range(6))
def test_a_run_that_goes_on_counts_no_fill_twice(stored: int, again_from: int) -> None:
    """The engine says again what is stored already; the journal begins from the stored open orders."""
    before = journal()
    opened = named(before.rows(life_of_an_order()[:stored]), "orders")
    open_orders = [order for order in opened if order["status"] in schema.OPEN_STATES]

    after = Journal([BTCUSDT, ETHUSDT], SEATS, last_sequence=stored - 1, open_orders=open_orders)
    rows = after.rows(life_of_an_order()[min(again_from, stored) :])

    final = named(rows, "orders")
    assert final == (named(journal().rows(life_of_an_order()), "orders") if stored < 5 else [])
    assert not after.open


def test_a_refused_intent_carries_the_name_of_its_rule() -> None:
    rows = journal().rows(
        outbox(
            said(OutboxKind.INTENT, 1, 10, ticks=100, side=1),
            said(OutboxKind.REFUSED, 1, 10, ticks=100, side=1, code=int(Refusal.POSITION)),
            said(OutboxKind.INTENT, 1, 10, seat=1),
            said(OutboxKind.REFUSED, 1, 10, seat=1, code=50),
            said(OutboxKind.REFUSED, 0, 0, seat=1, code=77),
        )
    )

    assert [row["rule"] for row in named(rows, "refusals")] == ["POSITION", "NoTradeOnFriday", "USER_77"]
    assert [row["side"] for row in named(rows, "refusals")] == ["sell", "buy", "buy"]
    assert [(order["status"], order["reason"]) for order in named(rows, "orders")] == [
        ("refused", "POSITION"),
        ("refused", "NoTradeOnFriday"),
    ]
    assert [row["type"] for row in named(rows, "intents")] == ["limit", "market"]


def test_a_cancelled_rest_keeps_what_was_filled_and_a_rejection_says_why() -> None:
    rows = journal().rows(
        outbox(
            said(OutboxKind.INTENT, 1, 10, code=1),
            said(OutboxKind.SENT, 1, 10),
            said(OutboxKind.ACCEPTED, 1, 10),
            said(OutboxKind.FILLED, 1, 4, ticks=100, remaining_lots=6, code=1),
            said(OutboxKind.CANCELLED, 1, 10, remaining_lots=6, code=int(Refusal.NO_LIQUIDITY)),
            said(OutboxKind.INTENT, 2, 10, ticks=5),
            said(OutboxKind.SENT, 2, 10, ticks=5),
            said(OutboxKind.REJECTED, 2, 10, ticks=5, code=int(Refusal.WOULD_TAKE)),
        )
    )

    first, second = named(rows, "orders")
    assert (first["status"], first["filled_lots"], first["reason"]) == ("cancelled", 4, "NO_LIQUIDITY")
    assert (second["status"], second["reason"], second["average_price"]) == ("rejected", "WOULD_TAKE", None)
    assert [row["rule"] for row in named(rows, "refusals")] == ["WOULD_TAKE"]


def test_a_halt_is_kept() -> None:
    rows = journal().rows(
        outbox(
            said(OutboxKind.HALTED, 0, 0, code=int(Refusal.DRAWDOWN)),
            said(OutboxKind.FAILED, 0, 0, code=int(Refusal.STRATEGY_FAILED)),
        )
    )

    assert [row["rule"] for row in named(rows, "halts")] == ["DRAWDOWN", "STRATEGY_FAILED"]


def test_a_fill_of_an_unknown_order_is_an_error() -> None:
    with pytest.raises(StorageError, match="order 9 of seat 0 was never asked for"):
        journal().rows(outbox(said(OutboxKind.FILLED, 9, 1, ticks=1)))


def test_an_empty_drain_writes_nothing() -> None:
    assert journal().rows(np.zeros(0, life_of_an_order().dtype)) == []


@given(ticks=st.integers(1, 10**17), lots=st.integers(1, 10**17), fee_bps=st.floats(-100, 100, allow_nan=False))
def test_no_money_is_ever_rounded(ticks: int, lots: int, fee_bps: float) -> None:
    from dataclasses import replace
    from fractions import Fraction

    book = Journal([BTCUSDT], [replace(SEATS[0], taker_fee_bps=fee_bps)])

    fee = book.fee_of(0, ticks, lots, 1)

    exact = Fraction(ticks * lots) * Fraction(BTCUSDT.price_tick) * Fraction(BTCUSDT.size_lot)
    assert Fraction(fee) == exact * Fraction(Decimal(repr(fee_bps))) / 10_000


def test_the_static_tables_name_instruments_and_seats() -> None:
    rows = static_rows([BTCUSDT, ETHUSDT], SEATS)

    assert [row["price_tick"] for row in named(rows, "instruments")] == ["0.01", "0.05"]
    assert [(row["strategy"], row["cash"]) for row in named(rows, "seats")] == [
        ("EmaCross", "10000"),
        ("ImbalanceMaker", "0"),
    ]
