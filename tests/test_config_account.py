"""The settings of an account: what no venue would grant is refused with the reason."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.config import load_settings
from streamtrader.config_account import AccountSettings
from streamtrader.errors import ConfigError
from streamtrader.runtime.accounts import account_terms

# Binance, USDS-M BTCUSDT, as its help page had them when the published liquidation prices were computed.
BTC_TIERS = [
    (50_000, 0.004, 0, 125), (250_000, 0.005, 50, 100), (1_000_000, 0.01, 1_300, 50), (10_000_000, 0.025, 16_300, 20),
    (20_000_000, 0.05, 266_300, 10), (50_000_000, 0.1, 1_266_300, 5), (100_000_000, 0.125, 2_516_300, 4),
    (200_000_000, 0.15, 5_016_300, 3), (300_000_000, 0.25, 25_016_300, 2), (None, 0.5, 100_016_300, 1),
]  # fmt: skip


def text_of(tiers, *, amounts=True, symbol=""):
    lines = []
    for value_most, rate, amount, leverage in tiers:
        lines += ["[[account.tiers]]", f'symbol = "{symbol}"', f"maintenance_rate = {rate}", f"leverage_most = {float(leverage)}"]
        lines += [f"value_most = {float(value_most)}"] if value_most is not None else []
        lines += [f"maintenance_amount = {float(amount)}"] if amounts else []
    return "\n".join(lines) + "\n"


@pytest.fixture
def load(tmp_path):
    def load(text, *overrides):
        file = tmp_path / "settings.toml"
        file.write_text(text)
        return load_settings([file], overrides, {}, directory=tmp_path)

    return load


def test_amounts_that_are_left_out_are_those_of_the_published_rule(load):
    given_terms = account_terms(load(text_of(BTC_TIERS)).account)
    computed = account_terms(load(text_of(BTC_TIERS, amounts=False)).account)

    assert [tier.amount for tier in computed.tiers[0][1]] == pytest.approx([line[2] for line in BTC_TIERS])
    assert [tier.amount for tier in given_terms.tiers[0][1]] == [line[2] for line in BTC_TIERS]


@given(
    st.lists(st.tuples(st.floats(1.0, 1e6), st.floats(0.0, 0.05)), min_size=1, max_size=9)
)
def test_the_margin_of_tiers_is_one_unbroken_line(steps):
    """At the end of each tier the next one asks the same, so no cent more or less of value is a cliff."""
    value, rate, tiers = 0.0, 0.0, []
    for more, steeper in steps:
        value, rate = value + more, rate + steeper
        tiers.append((value, rate))
    settings = AccountSettings.model_validate(
        {"tiers": [{"value_most": most, "maintenance_rate": each, "leverage_most": 1.0} for most, each in tiers]}
    )

    ((_, made),) = account_terms(settings).tiers
    for below, above in pairwise(made):
        value = below.value_most
        assert value * below.rate - below.amount == pytest.approx(value * above.rate - above.amount, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[account]\nleverage = 126.0", ":2: account.leverage = 126.0 must be less than or equal to 125"),
        ("[account]\nleverage = 0.5", ":2: account.leverage = 0.5 must be greater than or equal to 1"),
        ("[account]\nleverage = nan", "account.leverage"),
        ('[account]\nkind = "spot"\nleverage = 2.0', "must be 1 in a spot account"),
        ('[account]\nkind = "crazy"', "account.kind"),
        ("[account]\nhaircut = 1.0", "account.haircut = 1.0 must be less than 1"),
        ("[account]\nleverage = 50.0\n" + text_of([(None, 0.01, 0, 20)]), "50 is more than 20"),
        (text_of([(None, 0.05, 0, 20)]), "would be liquidated at once"),
        (text_of([(100, 0.01, 0, 20), (100, 0.02, 1, 20)]), "must rise in value_most"),
        (text_of([(None, 0.01, 0, 20), (100, 0.02, 1, 20)]), "must rise in value_most"),
        (text_of([(100, 0.01, 0, 20), (200, 0.005, 0, 20)]), "must not become milder"),
        (text_of([(100, 0.01, 0, 20), (200, 0.02, 0, 30)]), "must not become milder"),
        (text_of([(100, 0.01, 0, 20), (200, 0.02, 5, 20)]), "needs maintenance_amount 1, not 5"),
        (text_of([(100 * at, 0.01, 0, 1) for at in range(1, 18)]), "must be 16 at most for each symbol, not 17"),
        ("[account]\nleverege = 2.0", "did you mean account.leverage?"),
    ],
)
def test_what_no_venue_would_grant_is_refused_with_the_reason(load, text, words):
    with pytest.raises(ConfigError) as caught:
        load(text)

    assert words in str(caught.value)


def test_leverage_can_be_set_on_the_command_line(load):
    terms = account_terms(load("", "account.leverage=5", "account.hard_to_borrow=DOGE,XRP").account)

    assert (terms.leverage, terms.hard_to_borrow) == (5.0, ("DOGE", "XRP"))
