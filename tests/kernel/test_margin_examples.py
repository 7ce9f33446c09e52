"""Maintenance margin: the venues' published examples, computed by the kernel, compiled and not."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.instruments import Instrument
from streamtrader.kernel.account import Account
from streamtrader.kernel.broker import Broker
from streamtrader.kernel.compiler import compiled
from streamtrader.kernel.market import Market
from streamtrader.kernel.rates import Traded
from streamtrader.kernel.record import boxed
from streamtrader.kernel.seat import Seat
from streamtrader.runtime.accounts import AccountTerms, Tier, margin_terms
from streamtrader.simulator.venue import SimulatedVenue
from tests.test_config_account import BTC_TIERS


def figures_of(seats, markets, accounts, at, answers):
    broker = Broker(seats[at], markets[at], accounts[0])
    answers[0] = broker.liquidation_price()
    answers[1] = broker.margin_level()
    answers[2] = broker.margin_ratio()
    answers[3] = broker.free_margin()


def figures(holdings, deposit, at=0, *, leverage=1.0, is_long_at_cost=False, kind="perpetual"):
    """(liquidation price, margin level, margin ratio, free margin), from positions (size, entry, mark, tiers)."""
    seats, markets = [], []
    for size, entry, mark, tiers in holdings:
        instrument = Instrument("test", "X", "X", "USDT", Decimal("0.01"), Decimal("0.001"), kind=kind)
        market = Market(100.0, 1000.0, is_derivative=kind != "spot")
        margin_terms(market, instrument, AccountTerms(tiers=(("", tiers),), is_long_at_cost=is_long_at_cost))
        market.last_price = mark
        seat = Seat(SimulatedVenue(), cash=0.0, taker_fee_bps=0.0)
        seat.book_fill(market, round(size * 1000), round(entry * 100), True, Traded())
        seats.append(seat)
        markets.append(market)
    account = Account(deposit, leverage=leverage)
    boxes = boxed(*seats), boxed(*markets), boxed(account)
    for seat, market in zip(*boxes[:2], strict=True):
        boxes[2][0].refresh(seat, market)
    slow, fast = np.zeros(4), np.zeros(4)
    figures_of(*boxes, at, slow)
    compiled(figures_of)(*boxes, at, fast)
    assert slow == pytest.approx(fast, rel=1e-15, nan_ok=True)
    return fast


def tiers_of(rows):
    return tuple(Tier(math.inf if most is None else most, rate, amount, leverage) for most, rate, amount, leverage in rows)


# Binance's tiers for ETHUSDT when it published the example.
ETH_ROWS = [
    (10_000, 0.005, 0, 100), (100_000, 0.0065, 15, 75), (500_000, 0.01, 365, 50), (1_000_000, 0.02, 5_365, 25),
    (2_000_000, 0.05, 35_365, 10), (5_000_000, 0.1, 135_365, 5), (10_000_000, 0.125, 260_365, 4),
    (20_000_000, 0.15, 510_365, 3), (None, 0.25, 2_510_365, 2),
]  # fmt: skip
ETH_HELD = (3683.979, 1456.84, 1335.18, tiers_of(ETH_ROWS))
BTC_HELD = (109.488, 32481.98, 31967.27, tiers_of(BTC_TIERS))
WALLET = 1_535_443.01


@pytest.mark.parametrize(
    ("holdings", "at", "price"),
    [
        ((ETH_HELD, BTC_HELD), 0, 1153.26),
        ((ETH_HELD, BTC_HELD), 1, 26316.89),
        ((ETH_HELD,), 0, 1114.78),
        ((BTC_HELD,), 0, 18778.73),
    ],
)
def test_binance_liquidation_prices_are_those_of_its_help_page(holdings, at, price):
    assert figures(holdings, WALLET, at)[0] == pytest.approx(price, abs=0.005)


CALL_AT_80_PERCENT = (Tier(math.inf, 0.8 / 5, 0.0, 5.0),)  # Kraken calls at 80 % of the used margin, a fifth of the position


@pytest.mark.parametrize(
    ("size", "entry", "equity", "mark", "level"),
    [
        (-0.2, 50_000.0, 5_000.0, 50_000.0, 2.5),
        (-0.2, 50_000.0, 5_000.0, 65_200.0, 1_960 / 2_608),  # the used margin of a short is in the coin
        (1.5, 30_000.0, 10_000.0, 28_133.3, 0.79999),
        (1.0, 20_000.0, 10_000.0, 20_000.0, 2.5),
    ],
)
def test_kraken_margin_levels_are_those_of_its_help_pages(size, entry, equity, mark, level):
    holding = (size, entry, mark, CALL_AT_80_PERCENT)

    told = figures([holding], equity, leverage=5.0, is_long_at_cost=True, kind="spot")

    assert told[1] == pytest.approx(level, abs=1e-5)
    assert told[2] == pytest.approx(0.8 / level, rel=1e-4)


def test_the_price_of_a_kraken_margin_call_is_that_of_its_help_page():
    holding = (1.0, 20_000.0, 20_000.0, CALL_AT_80_PERCENT)

    assert figures([holding], 10_000.0, leverage=5.0, is_long_at_cost=True, kind="spot")[0] == pytest.approx(13_200.0)


@given(
    st.floats(-400.0, 400.0).filter(lambda size: abs(size) > 0.01), st.floats(100.0, 60_000.0),
    st.floats(0.9, 1.1), st.floats(0.012, 0.9),
)  # fmt: skip
def test_at_its_liquidation_price_a_position_keeps_just_what_it_must(size, entry, moved, share):
    """The closed form, put back in: whatever tier the price lies in."""
    size = round(size * 1000) / 1000
    rows = tiers_of(BTC_TIERS)
    deposit = abs(size) * entry * (abs(moved - 1.0) + share)
    price = figures([(size, entry, entry * moved, rows)], deposit)[0]
    entry = round(entry * 100) / 100

    if math.isnan(price):
        assert deposit * (1 + 1e-12) >= size * entry > 0.0  # paid for in full
    else:
        equity, value = deposit + size * (price - entry), abs(size) * price
        tier = next(tier for tier in rows if value <= tier.value_most * (1 + 1e-12))
        assert equity == pytest.approx(value * tier.rate - tier.amount, abs=1e-6 * max(value, deposit))
