"""What fills cost: tiers by volume, rebates, and fees that a third asset pays."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.config import load_settings
from streamtrader.errors import ConfigError
from streamtrader.events import ASK, BID, BUY, SELL
from streamtrader.instruments import Instrument
from streamtrader.kernel.account import AccountKind
from streamtrader.kernel.outbox import FEE_IN_ASSET, TAKER, OutboxKind
from streamtrader.kernel.rates import Traded
from streamtrader.runtime.accounts import AccountTerms
from streamtrader.runtime.assembly import Placement
from streamtrader.runtime.fee_terms import FeeTerms, fee_terms
from streamtrader.units import NS_PER_DAY, NS_PER_S
from tests.kernel.play import BTC, ETH, TERMS, engine_of, planned, play, run
from tests.kernel.players import ORDER
from tests.simulator.scenes import FAR, beats, scene

BNB = Instrument("test", "BNBUSDT", "BNB", "USDT", Decimal("0.01"), Decimal("0.001"))
IN_BNB = FeeTerms(asset="BNB", asset_discount=0.25, asset_balance=1.0, asset_price=500.0)
TWO_TIERS = ((0.0, 10.0, 20.0), (100.0, -1.0, 8.0))


def bought(fees, script=None, instruments=(BTC, ETH)):
    """0.5 at 101 by a taker: 50.5 in value, 0.02525 at the 5 basis points of the instrument."""
    script = beats(script or scene(), 1, 60)
    return run(script, lambda: planned((1, ORDER, BUY, 0.5)), terms=replace(TERMS, fees=fees), instruments=instruments)


def fees_of(outcome):
    return outcome.rows(OutboxKind.FILLED)["fee"].tolist()


def test_a_tier_holds_from_the_fill_after_the_one_that_reached_it():
    """50.5, 50.5 and 51.0 are taken: the volume before the third is 101."""
    plan = [(at, ORDER, BUY, 0.5) for at in (1, 100, 200)]

    outcome = run(beats(scene(), 1, 100, 200, 300), lambda: planned(*plan), terms=replace(TERMS, fees=FeeTerms(TWO_TIERS)))

    assert fees_of(outcome) == pytest.approx([0.101, 0.101, 0.0408], rel=1e-12)
    assert outcome.seat.fees == pytest.approx(0.2428, rel=1e-12)


@pytest.mark.parametrize(("is_shared", "last"), [(True, 0.008), (False, 0.02)], ids=["one account", "two accounts"])
def test_the_volume_is_that_of_the_account_whoever_of_it_has_traded(is_shared, last):
    """60.6 of BTC and 80 of ETH are taken before the last 10 of ETH; the second tier begins at 100."""
    script = beats(scene(), 1, 50).at(60).book([(99.0, 9.0)], [(100.0, 9.0)], instrument=1)
    for at in (100, 200, 300):
        script.at(at).level(BID, FAR, 1.0, instrument=1)
    terms = replace(TERMS, fees=FeeTerms(TWO_TIERS), account=AccountTerms(is_shared=is_shared))
    rows = []
    for interpreted in (False, True):
        plans = [planned((1, ORDER, BUY, 0.6)), planned((100, ORDER, BUY, 0.8), (200, ORDER, BUY, 0.1))]
        placements = [Placement(plan, at, owner=0) for at, plan in enumerate(plans)]
        said = play(engine_of(placements, terms, interpreted=interpreted), script.events())
        rows.append(said[said["kind"] == OutboxKind.FILLED])

    assert rows[0].tobytes() == rows[1].tobytes()
    assert rows[0]["seat"].tolist() == [0, 1, 1]
    assert rows[0]["fee"].tolist() == pytest.approx([0.1212, 0.16, last], rel=1e-12)


def test_a_purchase_must_be_paid_for_with_the_fee_of_its_tier():
    """0.5 at 101 costs 50.5, and 0.101 at 20 basis points; at the 5 of the instrument it would be 0.02525."""
    spot = AccountTerms(kind=AccountKind.SPOT)

    for cash, lots in ((50.55, []), (50.61, [500])):
        terms = replace(TERMS, cash_quote=cash, account=spot, fees=FeeTerms(TWO_TIERS))
        outcome = run(beats(scene(), 1, 60), lambda: planned((1, ORDER, BUY, 0.5, 101.0)), terms=terms)

        assert outcome.rows(OutboxKind.FILLED)["lots"].tolist() == lots
        assert outcome.seat.cash >= 0.0


def test_a_maker_of_a_negative_tier_is_paid():
    script = beats(scene(), 1, 30).at(40).trade(99.0, 0.5, SELL)
    terms = replace(TERMS, fees=FeeTerms(TWO_TIERS, volume=1_000.0))

    outcome = run(beats(script, 100), lambda: planned((1, ORDER, BUY, 0.5, 100.0)), terms=terms)

    assert fees_of(outcome) == pytest.approx([-0.005], rel=1e-12)
    assert outcome.seat.cash == pytest.approx(100_000 - 50.0 + 0.005, rel=1e-12)


@given(
    trades=st.lists(st.tuples(st.integers(0, 20), st.floats(0.0, 1e6)), max_size=30),
    before=st.floats(0.0, 1e6),
    last=st.integers(0, 70),
)
def test_the_volume_is_that_of_thirty_days_with_today(trades, before, last):
    traded, days, day = Traded(before), [], 20_000
    first = None
    for later, notional in trades:
        day += later
        first = day if first is None else first
        traded.count(notional, day * NS_PER_DAY + 5)
        days.append((day, notional))
    day += last
    first = day if first is None else first
    traded.roll(day * NS_PER_DAY)

    left = max(0.0, before * (1 - (day - first) / 30))
    assert traded.volume == pytest.approx(left + sum(size for at, size in days if at > day - 30), rel=1e-9, abs=1e-3)


def test_a_third_asset_pays_less_and_the_row_tells_its_units():
    outcome = bought(IN_BNB)

    (row,) = outcome.rows(OutboxKind.FILLED)
    assert row["code"] == TAKER | FEE_IN_ASSET
    assert row["fee"] == pytest.approx(0.02525 * 0.75 / 500, rel=1e-12)
    assert outcome.seat.cash == 100_000 - 50.5
    assert outcome.seat.fees == pytest.approx(0.0189375, rel=1e-12)
    assert outcome.seat.rates.asset_balance == pytest.approx(1.0 - row["fee"], rel=1e-12)
    assert outcome.seat.equity == pytest.approx(100_000 - 50.5 + 0.5 * 100.5 - 0.0189375, rel=1e-12)


@pytest.mark.parametrize(
    "fees", [replace(IN_BNB, asset_balance=1e-6), FeeTerms(), replace(IN_BNB, asset="USDT")],
    ids=["too little of it", "none", "the quote currency itself"],
)  # fmt: skip
def test_without_the_asset_the_fee_is_in_quote_currency_and_whole(fees):
    outcome = bought(fees)

    (row,) = outcome.rows(OutboxKind.FILLED)
    assert row["code"] == TAKER
    assert row["fee"] == pytest.approx(0.02525, rel=1e-12)
    assert outcome.seat.cash == pytest.approx(100_000 - 50.5 - 0.02525, rel=1e-12)


@pytest.mark.parametrize(("max_age_s", "in_asset"), [(1.0, True), (0.02, False)])
def test_the_asset_has_the_price_of_its_market_while_that_is_young(max_age_s, in_asset):
    """Its market was last heard of at 1 ms, the fill is told at 31 ms."""
    script = scene()
    script.quotes(499.0, 1.0, 501.0, 1.0, instrument=1).at(1).level(BID, 499.0, 2.0, top=True, instrument=1)
    fees = replace(IN_BNB, asset_price=0.0, asset_age_ns=round(max_age_s * NS_PER_S))

    outcome = bought(fees, script, instruments=(BTC, BNB))

    (row,) = outcome.rows(OutboxKind.FILLED)
    assert (row["code"] & FEE_IN_ASSET != 0) == in_asset
    assert row["fee"] == pytest.approx(0.02525 * 0.75 / 500 if in_asset else 0.02525, rel=1e-12)


def test_an_asset_whose_market_never_spoke_does_not_pay():
    outcome = bought(replace(IN_BNB, asset_price=0.0, asset_age_ns=10**18), instruments=(BTC, BNB))

    assert outcome.rows(OutboxKind.FILLED)["code"].tolist() == [TAKER]


def test_an_asset_without_a_price_is_refused_before_anything_runs():
    with pytest.raises(ConfigError, match=r"BNB has no price in USDT.*fee_asset\.price"):
        bought(replace(IN_BNB, asset_price=0.0))


def test_a_rebate_is_never_paid_in_the_asset():
    script = beats(scene(), 1, 30).at(40).trade(99.0, 0.5, SELL).at(50).level(ASK, 105.0, 1.0)
    terms = replace(TERMS, maker_fee_bps=-2.0, fees=IN_BNB)

    outcome = run(beats(script, 100), lambda: planned((1, ORDER, BUY, 0.5, 100.0)), terms=terms)

    assert outcome.rows(OutboxKind.FILLED)["code"].tolist() == [0]
    assert outcome.seat.fees == pytest.approx(-0.01, rel=1e-12)


def test_settings_say_all_of_it():
    wanted = ["fee_tiers=[[0, 10, 10], [1000000, 9, 10.5]]", "fee_volume=5e5", "fee_asset.name=BNB", "fee_asset.balance=2"]
    settings = load_settings((), [f"simulator.{each}" for each in wanted])

    assert fee_terms(settings.simulator) == FeeTerms(
        ((0.0, 10.0, 10.0), (1e6, 9.0, 10.5)), 5e5, "BNB", 0.25, 2.0, 0.0, 60 * NS_PER_S
    )


@pytest.mark.parametrize(
    ("tiers", "told"),
    [
        ("[[5, 1, 1]]", "begin at a volume of 0"),
        ("[[0, 1, 1], [0, 2, 2]]", "larger one than"),
        ("[[0, 1]]", "three numbers"),
        ("[[0, 1, 5000]]", "from -100 to 1000"),
        ("3", "a list of at most 16"),
    ],
)
def test_tiers_that_make_no_sense_are_told_so(tiers, told):
    with pytest.raises(ConfigError, match=told):
        load_settings((), [f"simulator.fee_tiers={tiers}"])
