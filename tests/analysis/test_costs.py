"""The parts of a cost are the whole of it, whatever was filled; nothing is lost where a middle is not known."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from streamtrader.analysis.costs import UNKNOWN, Fill, Order, joined, spread_of, tallies_of

UNIT = Decimal("0.0000005")
MIDDLES = st.one_of(st.just(UNKNOWN), st.integers(2, 10**13))
HORIZONS_S = (1.0, 5.0)


@st.composite
def sessions(draw):
    orders, fills = [], []
    for number in range(draw(st.integers(1, 6))):
        side = draw(st.sampled_from(["buy", "sell"]))
        order = Order(
            ("Maker", 0, side), 0, number, 1 if side == "buy" else -1, draw(st.integers(1, 10**12)), 0, "sent", 5, 9,
            asked_middle=draw(MIDDLES), arrival_middle=draw(MIDDLES), end_middle=draw(MIDDLES),
        )  # fmt: skip
        orders.append(order)
        for lots in draw(st.lists(st.integers(1, 10**11), max_size=4)):
            order.filled_lots += min(lots, order.lots - order.filled_lots)
            fee = Decimal(draw(st.integers(-(10**15), 10**15))).scaleb(-9)
            later = [draw(MIDDLES), draw(MIDDLES)]
            ticks, spread = draw(st.integers(1, 10**13)), draw(st.integers(1, 10**6))
            fills.append(Fill(order, 7, ticks, lots, draw(st.booleans()), fee, "", draw(MIDDLES), spread, later))
    return orders, fills


@given(sessions())
def test_the_parts_add_up_to_what_fills_cost_against_their_decisions(session):
    orders, fills = session
    total = joined(tallies_of(orders, fills, [UNIT], HORIZONS_S).values(), HORIZONS_S)
    measured = [one for one in fills if UNKNOWN not in (one.order.asked_middle, one.order.arrival_middle, one.middle)]

    cost = sum(
        Fraction(one.order.sign * (2 * one.ticks - one.order.asked_middle) * one.lots) * Fraction(UNIT)
        for one in measured
    )
    assert Fraction(total.slippage()) == cost
    document = total.as_json()
    told = document["costs"]
    fees = sum(Fraction(one.fee) for one in measured)
    assert sum(Fraction(told[name]["quote"]) for name in ("delay", "timing", "spread", "impact", "fees")) == cost + fees
    assert Fraction(told["total"]["quote"]) == cost + fees
    assert document["unmeasured_fills"] == len(fills) - len(measured)
    assert Fraction(document["fees"]) == sum(Fraction(one.fee) for one in fills)
    for mark in document["markouts"]:
        assert mark["counted"] + mark["missing"] == len(fills)


@given(sessions())
def test_the_shortfall_is_what_the_paper_portfolio_would_have_had_more(session):
    """Perold's own definition: all that was wanted, at the price of the decision, against what was had in the end."""
    orders, fills = session
    for one in [*orders, *fills]:  # every middle is known
        for name in ("asked_middle", "arrival_middle", "end_middle", "middle"):
            if getattr(one, name, 0) == UNKNOWN:
                setattr(one, name, 1_000)
    for order in orders:
        order.lots = order.filled_lots = sum(fill.lots for fill in fills if fill.order is order)
        order.lots += 3
    document = joined(tallies_of(orders, fills, [UNIT], HORIZONS_S).values(), HORIZONS_S).as_json()

    paper = sum(one.sign * one.lots * (one.end_middle - one.asked_middle) for one in orders)
    real = sum(one.order.sign * one.lots * (one.order.end_middle - 2 * one.ticks) for one in fills)
    fees = sum(Fraction(one.fee) for one in fills)
    assert Fraction(document["implementation_shortfall"]["quote"]) == (paper - real) * Fraction(UNIT) + fees


def test_a_fee_in_another_asset_is_told_apart():
    order = Order(("Maker", 0, "buy"), 0, 1, 1, 5, 5, "filled", 0, 1, 0, UNKNOWN, 1, UNKNOWN, 200, 200, 200)
    fill = Fill(order, 1, 101, 5, True, Decimal("0.25"), "BNB", 200, 2, [200, UNKNOWN])

    document = joined(tallies_of([order], [fill], [UNIT], HORIZONS_S).values(), HORIZONS_S).as_json()

    assert document["other_fees"] == {"BNB": "0.25"}
    assert document["fees"] == document["costs"]["fees"]["quote"] == "0"


def test_waiting_times_are_told_by_the_value_at_or_above_a_share():
    assert spread_of([]) is None
    assert spread_of([3_000_000, 1_000_000, 2_000_000]) == {"count": 3, "median": 2.0, "p90": 3.0, "longest": 3.0}
