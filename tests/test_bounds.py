"""What is believed of a price and a size: the cheapest coins and the dearest prices are, and the integers hold them."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.events import ASK, BID, EVENT, Kind
from streamtrader.instruments import Instrument
from streamtrader.kernel.market import Market
from streamtrader.kernel.record import boxed
from streamtrader.units import ABSURD_PRICE, ABSURD_SIZE, STEPS_MOST, lots_of, per_unit, ticks_of

EXACT_STEPS = 10**15
STEPS = st.sampled_from(["1e-9", "1e-8", "0.00005", "0.0003", "0.01", "0.05", "0.25", "0.5", "1", "5", "1000"]).map(Decimal)


def instrument(tick, lot) -> Instrument:
    return Instrument("binance", "SHIBUSDT", "SHIB", "USDT", Decimal(tick), Decimal(lot))


@given(STEPS, st.integers(1, EXACT_STEPS))
def test_up_to_fifteen_digits_no_step_is_ever_taken_for_another(step, count):
    number = float(count * step)

    assert ticks_of(number, per_unit(step)) == lots_of(number, per_unit(step)) == count


@given(STEPS, STEPS)
def test_what_is_believed_of_a_market_fits_the_integers_of_the_engine(tick, lot):
    market = instrument(tick, lot)
    price, size = market.most

    assert 0 < ticks_of(price, market.ticks_per_unit) <= STEPS_MOST
    assert 0 < lots_of(size, market.lots_per_unit) <= STEPS_MOST
    assert price <= ABSURD_PRICE
    assert size <= ABSURD_SIZE


@pytest.mark.parametrize(
    ("tick", "lot", "bid", "ask", "size"),
    [
        ("0.00000001", "1", 1_234e-8, 1_235e-8, 589_000_000_000.0),  # SHIB, in dollars
        ("0.0000000001", "1", 7.2e-9, 7.3e-9, 4.2e14),  # PEPE, all that there is
        ("1000", "0.00000001", 1_690_001e3, 1_690_002e3, 0.00012345),  # BTC, in rupiah
        ("1", "0.00001", 112_345_678_901.0, 112_345_678_902.0, 21_000_000.0),  # BTC, in rials
    ],
)
def test_the_engine_counts_the_cheapest_coins_and_the_dearest_prices_exactly(tick, lot, bid, ask, size):
    rules = instrument(tick, lot)
    rows = np.zeros(2, EVENT)
    rows["kind"], rows["side"], rows["a"], rows["b"] = Kind.BOOK, (BID, ASK), (bid, ask), size
    market = boxed(Market(rules.ticks_per_unit, rules.lots_per_unit))[0]

    for row in rows:
        market.observe(row)

    ticks = [int(Decimal(repr(price)) / Decimal(tick)) for price in (bid, ask)]
    assert market.book.top.tolist() == ticks
    assert market.book.top_lots.tolist() == [int(Decimal(repr(size)) / Decimal(lot))] * 2
    assert [market.price_of(each) for each in ticks] == pytest.approx([bid, ask], rel=1e-15)
    assert max(bid, ask) <= rules.most.price
    assert size <= rules.most.size
