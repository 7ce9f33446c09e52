"""What the engine said becomes rows in exact decimals, however it is cut and however often it is said."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.errors import StorageError
from streamtrader.kernel.orders import Refusal
from streamtrader.kernel.outbox import FEE_IN_ASSET, FORCED, TAKER, Charge, OutboxKind
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


def test_a_fee_is_computed_from_integers_and_the_rate_not_from_the_float() -> None:
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


def rated(notional: Fraction, bps: float) -> Fraction:
    return notional * Fraction(Decimal(repr(bps))) / 10_000


RATES = st.floats(-100, 100).filter(lambda bps: bps == 0 or abs(bps) > 1e-6)


@given(ticks=st.integers(1, 10**17), lots=st.integers(1, 10**17), fee_bps=RATES)
def test_no_fee_at_the_seats_own_rate_is_ever_rounded(ticks: int, lots: int, fee_bps: float) -> None:
    book = Journal([BTCUSDT], [replace(SEATS[0], taker_fee_bps=fee_bps)])
    notional = ticks * lots * Fraction(BTCUSDT.price_tick) * Fraction(BTCUSDT.size_lot)
    said_by_kernel = float(notional) * fee_bps * 1e-4

    fee, asset = book.fee_of(0, ticks, lots, TAKER, said_by_kernel)

    assert Fraction(fee) == rated(notional, fee_bps)
    assert asset == "USDT"


@given(ticks=st.integers(1, 10**10), lots=st.integers(1, 10**10), hundredths=st.integers(-500, 10_000))
def test_a_fee_of_another_tier_is_exact_too(ticks: int, lots: int, hundredths: int) -> None:
    """The rate is read off the kernel's double: tiers have two or three decimals of a basis point."""
    notional = ticks * lots * Fraction(BTCUSDT.price_tick) * Fraction(BTCUSDT.size_lot)
    bps = hundredths / 100

    fee, _ = journal().fee_of(0, ticks, lots, TAKER, float(notional) * bps * 1e-4)

    assert Fraction(fee) == rated(notional, bps)


def test_a_fee_that_no_rate_explains_is_the_double_that_was_booked() -> None:
    """A minimum of a dollar, on a notional that is no round number."""
    fee, _ = journal().fee_of(0, 6_123_457, 13, TAKER, 1.0)
    odd, _ = journal().fee_of(0, 6_123_457, 13, TAKER, 0.1 + 0.2)

    assert (fee, odd) == (1, Decimal("0.30000000000000004"))


def test_a_fee_in_another_asset_is_kept_in_it() -> None:
    seats = [replace(SEATS[0], fee_asset="BNB")]
    book = Journal([BTCUSDT], seats)
    rows = book.rows(
        outbox(
            said(OutboxKind.INTENT, 1, 300),
            said(OutboxKind.FILLED, 1, 100, ticks=6_000_000, remaining_lots=200, code=TAKER | FEE_IN_ASSET, fee=0.0001),
            said(OutboxKind.FILLED, 1, 200, ticks=6_000_000, code=TAKER, fee=0.09),
        )
    )

    first, second = named(rows, "fills")
    assert (first["fee"], first["fee_asset"], first["liquidity"]) == ("0.0001", "BNB", "taker")
    assert (second["fee"], second["fee_asset"]) == ("0.09", "USDT")
    (order,) = named(rows, "orders")
    assert (order["fees"], order["asset_fees"]) == ("0.09", "0.0001")
    assert named(static_rows([BTCUSDT], seats), "seats")[0]["fee_asset"] == "BNB"


def test_a_fee_in_an_asset_that_the_seat_does_not_have_is_an_error() -> None:
    with pytest.raises(StorageError, match="the seat has none"):
        journal().fee_of(0, 1, 1, FEE_IN_ASSET, 0.1)


@pytest.mark.parametrize("charge", Charge)
def test_a_charge_is_kept_with_its_kind_and_exact_amount(charge: Charge) -> None:
    rows = journal().rows(
        outbox(said(OutboxKind.CHARGED, 0, 300, ticks=6_000_000, side=1, code=int(charge), fee=-0.1234567))
    )

    assert named(rows, "charges") == [
        {
            "sequence": 0, "at_ns": 1_000, "seat": 0, "kind": charge.name.lower(), "amount": "-0.1234567",
            "asset": "USDT", "side": "sell", "price_ticks": 6_000_000, "size_lots": 300,
        }
    ]  # fmt: skip
    assert named(rows, "orders") == []


def test_an_amount_that_is_no_money_is_an_error() -> None:
    with pytest.raises(StorageError, match="no amount of money"):
        journal().rows(outbox(said(OutboxKind.CHARGED, 0, 1, code=1, fee=float("nan"))))


def test_an_order_that_waits_is_armed_then_triggered_then_sent() -> None:
    waiting = outbox(
        said(OutboxKind.INTENT, 1, 300, ticks=5_900_000),
        said(OutboxKind.ARMED, 1, 300, ticks=5_950_000, remaining_lots=300),
    )
    sent = outbox(
        said(OutboxKind.TRIGGERED, 1, 300, ticks=5_950_000, remaining_lots=300, sequence=2),
        said(OutboxKind.SENT, 1, 300, ticks=5_900_000, sequence=3),
    )
    book = journal()

    (armed,) = named(book.rows(waiting), "orders")
    assert (armed["status"], armed["trigger_price"], armed["trigger_ticks"]) == ("armed", "59500", 5_950_000)
    assert (armed["price"], armed["status"] in schema.OPEN_STATES) == ("59000", True)
    (out,) = named(book.rows(sent), "orders")
    assert (out["status"], out["trigger_ticks"]) == ("sent", 5_950_000)

    again = Journal([BTCUSDT, ETHUSDT], SEATS, last_sequence=1, open_orders=[armed])
    assert named(again.rows(sent), "orders") == [out]


def test_an_amended_order_has_its_new_price_and_size_and_the_change_is_kept() -> None:
    rows = journal().rows(
        outbox(
            said(OutboxKind.INTENT, 1, 300, ticks=6_000_000),
            said(OutboxKind.SENT, 1, 300, ticks=6_000_000),
            said(OutboxKind.ACCEPTED, 1, 300, ticks=6_000_000),
            said(OutboxKind.FILLED, 1, 100, ticks=6_000_000, remaining_lots=200, fee=0.006),
            said(OutboxKind.AMENDED, 1, 250, ticks=6_000_100, remaining_lots=150),
        )
    )

    (order,) = named(rows, "orders")
    assert (order["status"], order["price"], order["size_lots"]) == ("partly_filled", "60001", 250)
    (change,) = named(rows, "order_changes")
    assert (change["change"], change["price_ticks"], change["size"], change["remaining_lots"]) == (
        "amended", 6_000_100, "0.0025", 150,
    )  # fmt: skip


def test_a_refused_change_leaves_the_order_open_and_a_refused_release_ends_it() -> None:
    """A change that a rule or the venue does not let pass is told with the order that it was for."""
    book = journal()
    rows = book.rows(
        outbox(
            said(OutboxKind.INTENT, 1, 300, ticks=6_000_000),
            said(OutboxKind.SENT, 1, 300, ticks=6_000_000, remaining_lots=300),
            said(OutboxKind.REFUSED, 1, 900, ticks=6_000_000, code=int(Refusal.POSITION)),
            said(OutboxKind.ACCEPTED, 1, 300, ticks=6_000_000),
            said(OutboxKind.REFUSED, 1, 300, ticks=6_100_000, code=int(Refusal.WOULD_TAKE)),
            said(OutboxKind.INTENT, 2, 300, side=1),
            said(OutboxKind.ARMED, 2, 300, ticks=5_900_000, side=1),
            said(OutboxKind.REFUSED, 2, 300, side=1, code=int(Refusal.KILLED)),
        )
    )

    first, second = named(rows, "orders")
    assert (first["status"], first["size_lots"], first["price_ticks"], first["reason"]) == ("accepted", 300, 6_000_000, None)
    assert (second["status"], second["reason"]) == ("refused", "KILLED")
    assert len(named(rows, "refusals")) == 3
    assert list(book.open) == [(0, 1)]


def test_a_protecting_order_has_the_size_that_it_was_sent_with() -> None:
    rows = journal().rows(
        outbox(
            said(OutboxKind.INTENT, 2, 0, ticks=6_100_000, side=1, code=1024),
            said(OutboxKind.ARMED, 2, 0, side=1),
            said(OutboxKind.SENT, 2, 200, ticks=6_100_000, remaining_lots=200, side=1),
        )
    )

    (order,) = named(rows, "orders")
    assert (order["status"], order["size"], order["trigger_ticks"]) == ("sent", "0.002", None)
    assert named(rows, "intents")[0]["code"] == 1024


def test_a_position_that_is_closed_by_force_needs_no_order() -> None:
    rows = journal().rows(
        outbox(said(OutboxKind.FILLED, 9, 100, ticks=6_000_000, code=TAKER | FORCED, side=1, fee=0.045))
    )

    (fill,) = named(rows, "fills")
    assert (fill["forced"], fill["side"], fill["fee"]) == (1, "sell", "0.045")
    assert named(rows, "orders") == []


def test_the_static_tables_name_instruments_and_seats() -> None:
    rows = static_rows([BTCUSDT, ETHUSDT], SEATS)

    assert [row["price_tick"] for row in named(rows, "instruments")] == ["0.01", "0.05"]
    assert [(row["strategy"], row["cash"]) for row in named(rows, "seats")] == [
        ("EmaCross", "10000"),
        ("ImbalanceMaker", "0"),
    ]
