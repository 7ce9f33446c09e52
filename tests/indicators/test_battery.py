"""Every indicator keeps the contract of its kind, and every one that is exported is checked."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrader import indicators
from streamtrader.errors import ConfigError
from streamtrader.indicators import Ema, Rsi, SessionVwap, Sma, ZScore
from streamtrader.kernel.record import boxed
from tests.checks import INDICATORS, PRICES, check_indicator, play_on


def name_of(registered):
    arguments = "-".join(f"{name}={value}" for name, value in registered.arguments.items())
    return f"{registered.cls.__name__}-{arguments}"


@pytest.mark.parametrize("registered", INDICATORS, ids=name_of)
def test_an_indicator_keeps_its_contract(registered):
    check_indicator(registered)


def test_every_exported_indicator_is_registered():
    exported = {name for name in indicators.__all__ if name != "Indicator"}

    assert exported == {registered.cls.__name__ for registered in INDICATORS}


@pytest.mark.parametrize("wrong", [0, -3, 2.5, True])
def test_a_window_that_is_no_count_is_refused_at_once(wrong):
    for cls in (Sma, Ema, Rsi, ZScore):
        with pytest.raises(ConfigError, match="whole number"):
            cls(wrong)


def test_a_session_cannot_begin_more_than_a_day_late():
    with pytest.raises(ConfigError, match="less than a day"):
        SessionVwap(offset_ns=86_400_000_000_000)


def test_windows_of_different_lengths_share_one_layout_and_do_not_mix():
    """So that parameter sets stand in one array and are compiled once."""
    rows = PRICES.rows(100, 4)
    box = boxed(Sma(3), Sma(20))
    for at in range(2):
        play_on(INDICATORS[0], box[at : at + 1], rows)

    assert box["value"] == pytest.approx([rows[-3:, 0].mean(), rows[-20:, 0].mean()])


def test_the_first_price_after_a_gap_of_nans_is_not_lost():
    sma = Sma(2)
    for price in (1.0, np.nan, np.nan, 3.0):
        sma.update(price)

    assert (sma.value, sma.ready) == (2.0, True)
