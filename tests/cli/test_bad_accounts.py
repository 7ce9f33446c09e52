"""Accounts that cannot be, currencies that nobody can value: refused with the reason, and nothing is booked."""

from __future__ import annotations

from decimal import Decimal

import pytest

from streamtrader.instruments import Instrument
from streamtrader.storage.tape import TapeWriter
from tests.cli.commands import called
from tests.kernel.play import Script

BUYER = """
from streamtrader import Strategy


class Buyer(Strategy):
    # Asks for a little at every message.
    def on_book(self, level, broker):
        if broker.is_live():
            broker.buy(0.005)
"""


def chosen(*settings):
    return [word for setting in settings for word in ("--set", setting)]


ECONOMY = {
    "no leverage": (["account.leverage=0"], "account.leverage = 0 must be greater than or equal to 1"),
    "a negative leverage": (["account.leverage=-3"], "account.leverage = -3 must be"),
    "a leverage that is no number": (["account.leverage=nan"], "account.leverage = nan must be a finite number"),
    "more leverage than anybody gives": (["account.leverage=1e9"], "must be less than or equal to 125"),
    "more leverage than the first tier": (
        ["account.leverage=50", "account.tiers=[{maintenance_rate=0.01, leverage_most=20}]"], "50 is more than 20",
    ),
    "leverage on spot": (["account.kind=spot", "account.leverage=2"], 'account.kind = "margin" has leverage'),
    "a tier that liquidates at once": (["account.tiers=[{maintenance_rate=0.5, leverage_most=2}]"], "liquidated at once"),
    "a mark of nothing": (["account.marks={ EUR = 0 }"], "account.marks.EUR = 0 must be greater than 0"),
    "marks that never are young": (["account.max_mark_age_s=0"], "account.max_mark_age_s = 0 must be greater than 0"),
    "tiers in disorder": (["simulator.fee_tiers=[[5, 1, 1]]"], "begin at a volume of 0"),
    "a currency without a mark": (["account.currency=EUR"], "account.marks = { USDT = ... }"),
    "a fee asset without a price": (["simulator.fee_asset.name=BNB"], "simulator.fee_asset.price"),
    "latencies that nobody measured": (["simulator.latency=recorded"], "needs simulator.latency_file"),
}  # fmt: skip


@pytest.mark.parametrize("what", ECONOMY)
def test_an_account_that_cannot_be_is_refused_with_the_setting_and_nothing_is_booked(here, short, short_tape, what):
    settings, text = ECONOMY[what]

    for command in (("replay", short_tape), ("run", "--paper", "--market", short, "--speed", "max")):
        refused = called(*command, *chosen(*settings), code=4)
        assert text in refused.err
        assert "Traceback" not in refused.err
        assert list(here.iterdir()) == []


def pair(base, quote):
    return Instrument("test", base + quote, base, quote, Decimal("0.01"), Decimal("0.001"))


@pytest.fixture
def silent_rate(here):
    """ETH in euro is bid every second for two minutes; what a euro is worth was said once, in the first of them."""
    script = Script().at(0).book([(2_000.0, 9.0)], [(2_001.0, 9.0)])
    script.at(500).book([(1.09, 9e6)], [(1.10, 9e6)], instrument=1)
    for second in range(1, 121):
        script.at(second * 1_000 + 1).level(0, 1_000.0, 1.0 + second)
    tape = here / "two.tape"
    with TapeWriter.create(tape, [pair("ETH", "EUR"), pair("EUR", "USDT")], {}) as writer:
        writer.append(script.events())
    (here / "buyer.py").write_text(BUYER)
    return tape


@pytest.mark.parametrize(("age_s", "bought"), [(30, range(25, 35)), (300, range(110, 125))])
def test_nothing_is_bought_on_a_mark_that_is_too_old(here, silent_rate, age_s, bought):
    wanted = ("account.currency=USDT", f"account.max_mark_age_s={age_s}", "account.leverage=5", "engine.cash_quote=10000")

    document = called(
        "replay", silent_rate, "--strategy", "buyer.py:Buyer", *chosen(*wanted), "--json",
    ).document  # fmt: skip

    assert document["fills"] in bought
    assert document["orders"] - document["refused"] == pytest.approx(document["fills"], abs=2)
