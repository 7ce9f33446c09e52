"""What a position costs: published examples, and the arithmetic of flips."""

from decimal import Decimal
from fractions import Fraction

import pytest

from streamtrader.errors import LedgerError
from streamtrader.events import Side
from streamtrader.ledger import Fill, Method, Pair, Position

D = Decimal
PAIR = Pair("BTCUSDT", "BTC", "USDT")
BUY, SELL = Side.BUY, Side.SELL


def position_after(method, *fills):
    position = Position(PAIR, method)
    realized = [
        position.take(Fill(number, number, PAIR, side, D(price), D(size), D(0))).realized
        for number, (side, size, price) in enumerate(fills)
    ]
    return position, realized


FUND = ((BUY, "160", "25"), (BUY, "240", "20"), (BUY, "10", "30"), (SELL, "210", "32"))


def test_first_in_first_out_is_that_of_the_tax_office():
    """IRS Publication 564 (2009), table 3: 160 shares at 25, 240 at 20, 10 at 30; 210 are sold for 6,720.

    The basis of those sold is 4,000 for the first 160 and 1,000 for 50 of the second purchase.
    """
    position, realized = position_after(Method.FIFO, *FUND)

    assert realized[-1] == 6_720 - 5_000
    assert position.cost == 9_100 - 5_000
    assert [(lot.size, lot.price) for lot in position.lots] == [(190, 20), (10, 30)]


def test_average_basis_is_that_of_the_tax_office():
    """The same table at average basis: 9,100 for 410 shares; and the example before it, 4,800 for 300 of which 150 go."""
    position, realized = position_after(Method.AVERAGE, *FUND)
    second, _ = position_after(
        Method.AVERAGE, (BUY, "100", "10"), (BUY, "100", "12"), (BUY, "100", "26"), (SELL, "150", "20")
    )

    assert realized[-1] == 6_720 - (D(9_100) * 210 / 410).quantize(D("1e-18"))
    assert position.average_price is not None
    assert position.average_price.quantize(D("0.01")) == D("22.20")
    assert (second.cost, second.average_price) == (4_800 - 2_400, 16)


def test_a_pool_of_tokens_is_that_of_the_revenue():
    """HMRC Cryptoassets Manual CRYPTO22251: 100 for 1,000 and 50 for 125,000; 50 are sold for 300,000."""
    position, realized = position_after(
        Method.AVERAGE, (BUY, "100", "10"), (BUY, "50", "2500"), (SELL, "50", "6000")
    )

    assert (realized[-1], position.size, position.cost) == (258_000, 100, 84_000)


def test_the_average_and_the_open_loss_are_those_of_a_venue():
    """EVEDEX, "Entry price and PnL": 0.5 at 15,000 and 0.2 at 14,000; a short of 0.5 at 15,000 marked at 15,500."""
    long, _ = position_after(Method.AVERAGE, (BUY, "0.5", "15000"), (BUY, "0.2", "14000"))
    short, _ = position_after(Method.AVERAGE, (SELL, "0.5", "15000"))

    assert long.average_price is not None
    assert long.average_price.quantize(D(1)) == 14_714
    assert short.unrealized(D(15_500)) == -250


@pytest.mark.parametrize("method", Method)
def test_a_flip_closes_at_the_old_cost_and_opens_at_the_price_of_the_fill(method):
    """Long 2 at 100, sell 5 at 110: 20 are realized, and the short 3 cost 110, not 100. Then back again."""
    position, realized = position_after(method, (BUY, "2", "100"), (SELL, "5", "110"), (BUY, "4", "120"))

    assert realized == [0, 20, -30]
    assert (position.size, position.average_price, position.cost) == (1, 120, 120)


def test_the_two_methods_part_where_lots_cost_differently_and_meet_when_flat():
    fills = ((SELL, "1", "10"), (SELL, "1", "20"), (BUY, "1", "12"))
    average, by_average = position_after(Method.AVERAGE, *fills)
    first, by_age = position_after(Method.FIFO, *fills)
    closing = (*fills, (BUY, "1", "12"))

    assert (by_average[-1], by_age[-1]) == (3, -2)
    assert (average.average_price, first.average_price) == (15, 20)
    assert position_after(Method.AVERAGE, *closing)[0].realized == position_after(Method.FIFO, *closing)[0].realized == 6


def test_a_share_that_does_not_end_loses_nothing():
    """A third of the cost is cut to a quantum; what is cut off stays, and the round trip is exact."""
    third, realized = position_after(Method.AVERAGE, (BUY, "3", "10.01"), (BUY, "4", "10"), (SELL, "1", "10"))
    flat, _ = position_after(
        Method.AVERAGE, (BUY, "3", "10.01"), (BUY, "4", "10"), (SELL, "1", "10"), (SELL, "6", "10")
    )

    assert third.cost + (10 - realized[-1]) == D("70.03")
    assert (flat.cost, flat.realized) == (0, D("-0.03"))


def test_long_numbers_are_not_rounded():
    """More digits than the 28 of Python's default context."""
    size, price = "0." + "1" * 30, "1" * 20 + "." + "1" * 20
    position, _ = position_after(Method.FIFO, (BUY, size, price), (SELL, size, price))

    assert (position.size, position.cost, position.realized) == (0, 0, 0)
    assert Fraction(position.turnover) == 2 * Fraction(size) * Fraction(price)


@pytest.mark.parametrize(
    ("size", "price", "fee"),
    [
        ("0", "1", "0"), ("-1", "1", "0"), ("nan", "1", "0"), ("1", "Infinity", "0"), ("1", "-1", "0"),
        ("1", "1", "sNaN"), ("1e31", "1", "0"), ("1", "1e-31", "0"),
    ],
)  # fmt: skip
def test_a_fill_that_cannot_be_is_refused(size, price, fee):
    with pytest.raises(LedgerError):
        Fill(1, 1, PAIR, BUY, D(price), D(size), D(fee))


def test_a_float_is_refused():
    with pytest.raises(LedgerError, match="finite decimal"):
        Fill(1, 1, PAIR, BUY, 0.1, D(1), D(0))
