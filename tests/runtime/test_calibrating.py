"""What was put into a simulated session comes back out of its records; what they do not say is not claimed."""

from __future__ import annotations

import math
import tomllib

import numpy as np
import pytest

from streamtrader.config import load_settings
from streamtrader.events import SELL
from streamtrader.runtime.calibrating import as_overrides, as_toml, calibrated
from streamtrader.runtime.order_records import records_of_run
from tests.kernel.play import Script
from tests.runtime.ended_runs import ended_run, settings_with, small_market
from tests.runtime.queueing_market import queueing_market

WAYS = ("simulator.up_latency_ms=37", "simulator.down_latency_ms=11")
FEES = ("simulator.maker_fee_bps=-0.5", "simulator.taker_fee_bps=4")
QUOTER = "tests.runtime.scripted:Quoter"


def document_of(root, *overrides, strategy=QUOTER, events=None):
    settings = settings_with(strategy, *WAYS, *FEES, *overrides)
    return calibrated(records_of_run(ended_run(root, queueing_market() if events is None else events, settings)))


@pytest.fixture(scope="module")
def powered(tmp_path_factory):
    queue = ("simulator.queue=power", "simulator.queue_power=2")
    return document_of(tmp_path_factory.mktemp("powered"), *queue)


def test_both_latencies_come_back(powered):
    latency = powered["latency"]

    assert latency["round_trip_ms"]["median"]["value"] == 48.0
    assert (latency["up_ms"]["value"], latency["down_ms"]["value"]) == (37.0, 11.0)
    assert latency["up_ms"]["low"] <= 37.0 <= latency["up_ms"]["high"]
    assert latency["is_constant"]
    assert latency["are_ways_told_apart"]
    assert latency["down_ms"]["samples"] > 100


def test_the_power_of_the_queue_comes_back_within_its_range(powered):
    queue = powered["queue"]

    assert queue["power"]["value"] == 2.0
    assert queue["power"]["low"] <= 2.0 <= queue["power"]["high"]
    assert queue["power"]["high"] - queue["power"]["low"] < 2.0, "the data says something"
    assert queue["losses"]["power 2"] == 0.0
    assert queue["best"] == "power 2"
    assert queue["orders"] > 500


def test_fees_come_back_and_what_was_never_seen_is_not_claimed(powered):
    assert powered["settings"]["maker_fee_bps"] == -0.5
    assert "taker_fee_bps" not in powered["settings"]
    assert any("taker_fee_bps was never paid" in line for line in powered["silent"])
    assert any(line.startswith("impact: 0 of 0 taking orders") for line in powered["silent"])
    assert powered["impact"]["prefactor"] is None


def test_the_settings_are_ones_that_a_replay_takes(powered, tmp_path):
    file = tmp_path / "venue.toml"
    file.write_text(as_toml(powered), encoding="utf-8")

    simulator = load_settings([file], directory=tmp_path).simulator
    again = load_settings(overrides=[line.removeprefix("--set ") for line in as_overrides(powered)], directory=tmp_path)

    assert (simulator.up_latency_ms, simulator.down_latency_ms) == (37.0, 11.0)
    assert (simulator.queue, simulator.queue_power, simulator.maker_fee_bps) == ("power", 2.0, -0.5)
    assert again.simulator == simulator
    assert tomllib.loads(as_toml(powered))["simulator"] == powered["settings"]


@pytest.mark.parametrize("queue", ["pessimistic", "optimistic", "trades", "log"])
@pytest.mark.slow
def test_another_model_than_the_power_is_recognized(queue, tmp_path):
    document = document_of(tmp_path, f"simulator.queue={queue}")

    assert document["queue"]["losses"][queue] == 0.0
    assert document["settings"]["queue"] == queue
    assert "queue_power" not in document["settings"]
    assert (document["latency"]["up_ms"]["value"], document["latency"]["down_ms"]["value"]) == (37.0, 11.0)


def test_a_few_orders_tell_the_round_trip_and_little_else(tmp_path):
    document = document_of(tmp_path, strategy="tests.runtime.scripted:BuyThenQuote", events=small_market())

    assert document["settings"] == {
        **document["settings"], "up_latency_ms": 24.0, "down_latency_ms": 24.0, "maker_fee_bps": -0.5, "taker_fee_bps": 4.0,
    }  # fmt: skip
    assert not document["latency"]["are_ways_told_apart"]
    assert document["queue"] is None
    told = "\n".join(document["silent"])
    assert "each is half of a round trip" in told
    assert "fewer than 5 plain limit orders" in told
    assert "impact: 0 of 1 taking orders can be measured; at least 30 are wanted" in told


def test_the_prefactor_of_the_impact_is_that_of_what_was_walked_on_every_instrument(tmp_path):
    """Each second both books move by a tick, and half of each order is filled one tick beyond the touch."""
    script, seconds, shapes = Script(), 60, ((100.0, 0.01, 1.0), (2_000.0, 0.1, 0.3))
    for second in range(seconds):
        for after_ms in (0, 100):
            script.at(second * 1_000 + after_ms)
            for at, (price, tick, size) in enumerate(shapes):
                bid, ask = price + tick * (second % 2), price + tick * (1 + second % 2)
                if after_ms:
                    script.trade(bid, size, SELL, instrument=at)
                else:
                    levels = [(bid, size), (bid - tick, 4 * size)], [(ask, size), (ask + tick, 4 * size)]
                    script.book(*levels, instrument=at)
    script.at(seconds * 1_000 - 500).timer()
    sweeper = "tests.runtime.scripted:Sweeper"

    document = document_of(tmp_path, f'strategies=[{{name="{sweeper}"}}]', strategy=sweeper, events=script.events())

    volatilities = [math.log((price + 1.5 * tick) / (price + 0.5 * tick)) * math.sqrt(seconds - 1) for price, tick, _ in shapes]
    x = np.array(volatilities) * math.sqrt(2.0 / seconds)
    y = np.array([0.5 * tick / (price + tick) for price, tick, _ in shapes])
    assert document["impact"]["orders"] == 2 * seconds
    assert document["settings"]["impact_prefactor"] == pytest.approx(float(x @ y / (x @ x)), rel=1e-3)
    assert document["impact"]["median_share_of_volume"] == pytest.approx(2.0 / seconds)


def test_calibration_is_deterministic(powered, tmp_path):
    queue = ("simulator.queue=power", "simulator.queue_power=2")
    again = document_of(tmp_path, *queue)

    assert {**again, "source": ""} == {**powered, "source": ""}
