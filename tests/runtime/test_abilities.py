"""Which orders the engine holds back for a venue that does not know them, and what is asked for in settings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamtrader.config import load_settings
from streamtrader.errors import ConfigError
from streamtrader.kernel.triggers import STOP, TRAILING, Trigger
from streamtrader.runtime.abilities import FEATURES, LACKING, lacking
from streamtrader.runtime.assembly import Placement, assemble
from streamtrader.runtime.loading import terms_of
from streamtrader.simulator.takers import SelfTrade
from streamtrader.venues.registry import VENUES
from tests.kernel.play import BTC
from tests.kernel.players import Taker


def venue_with(instrument, *overrides):
    settings = load_settings((), [f"simulator.{override}" for override in overrides])
    return assemble([instrument], [Placement(Taker(), 0)], terms_of(settings), interpreted=True).state.seats[0].venue


def known_by(venue):
    return {feature for feature in FEATURES if getattr(venue, f"knows_{feature}")}


def test_the_table_speaks_of_every_venue_and_of_features_only():
    assert {name.partition(" ")[0] for name in LACKING} == set(VENUES)
    assert all(set(features) <= set(FEATURES) for features in LACKING.values())


@pytest.mark.parametrize(
    ("venue", "kind", "known"),
    [
        ("embedded", "spot", set(FEATURES)),
        ("binance", "spot", {"iceberg", "stop"}),
        ("binance", "perpetual", {"expiry", "amend", "stop"}),
        ("kraken", "spot", set(FEATURES)),
        ("ccxt:kucoin", "spot", set()),
    ],
)
def test_a_venue_does_by_itself_what_the_real_one_does(venue, kind, known):
    instrument = replace(BTC, venue=venue, kind=kind)

    assert known_by(venue_with(instrument)) == known == set(FEATURES) - set(lacking(instrument))


@pytest.mark.parametrize(("asked", "known"), [("", set(FEATURES)), ("stop,amend", {"expiry", "iceberg", "trailing"})])
def test_settings_may_say_otherwise(asked, known):
    assert known_by(venue_with(replace(BTC, venue="ccxt:kucoin"), f"emulate={asked}")) == known


def test_a_feature_that_does_not_exist_is_a_mistake_that_names_those_that_do():
    with pytest.raises(ConfigError, match="emulate") as told:
        load_settings((), ["simulator.emulate=stop,hedge"])

    assert all(feature in str(told.value) for feature in FEATURES)


@pytest.mark.parametrize("mode", SelfTrade)
def test_the_answer_to_trading_with_oneself_is_a_setting(mode):
    assert venue_with(BTC, f"self_trade={mode.name.lower()}").self_trade == mode
    assert venue_with(BTC).self_trade == SelfTrade.CANCEL_MAKER


def test_stops_and_trails_are_different_abilities():
    venue = venue_with(replace(BTC, venue="binance"))
    stop, trail = Trigger(), Trigger()
    stop.kind, trail.kind = STOP, TRAILING

    assert venue.knows_trigger(stop)
    assert not venue.knows_trigger(trail)
