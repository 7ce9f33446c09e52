"""Histograms, metrics and health: the figures are right, and looking at them disturbs nobody."""

import asyncio
import re
import socket

import aiohttp
import numpy as np
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from streamtrader.errors import ConfigError
from streamtrader.observers.health import Health, MonitorServer
from streamtrader.observers.histogram import SIZE, UPPER_NS, Histogram, bucket_of
from streamtrader.observers.loop_lag import watch_loop_lag
from streamtrader.observers.metrics import CATALOGUE, PREFIX, registry_for
from streamtrader.observers.snapshot import (
    AccountFigures,
    BookFigures,
    Build,
    ChannelFigures,
    ConnectionFigures,
    PositionFigures,
    RingFigures,
    Snapshot,
)

DURATIONS = st.lists(st.integers(0, 2**53) | st.integers(0, 100_000), min_size=1, max_size=200)


def recorded(durations_ns):
    histogram = Histogram()
    for duration_ns in durations_ns:
        histogram.record(duration_ns)
    return histogram


@given(st.integers(0, 2**63 - 1))
def test_a_duration_lies_in_its_bucket(duration_ns):
    bucket = bucket_of(duration_ns)

    assert 0 <= bucket < SIZE
    assert duration_ns <= UPPER_NS[bucket]
    assert bucket == 0 or UPPER_NS[bucket - 1] <= duration_ns
    assert UPPER_NS[bucket] <= duration_ns * (1 + 1 / 16) + 1


@given(DURATIONS, st.floats(0, 100))
@pytest.mark.slow
def test_a_percentile_is_the_sorted_one_within_a_sixteenth(durations_ns, percent):
    histogram = recorded(durations_ns)

    exact = sorted(durations_ns)[max(int(np.ceil(len(durations_ns) * percent / 100)), 1) - 1]

    assert exact <= histogram.percentile_ns(percent) <= exact * (1 + 1 / 16) + 1
    assert sum(durations_ns) == histogram.total_ns
    assert max(durations_ns) == histogram.max_ns


@given(DURATIONS)
def test_many_at_once_count_like_one_by_one(durations_ns):
    one_by_one, at_once = recorded(durations_ns), Histogram()

    at_once.record_many(np.array(durations_ns, np.int64))

    assert (one_by_one.counts == at_once.counts).all()
    assert (one_by_one.total_ns, one_by_one.max_ns) == (at_once.total_ns, at_once.max_ns)


def test_a_clock_that_steps_back_counts_as_zero_and_nothing_is_nan():
    histogram = recorded([-5])

    assert (1, 0, 0.0) == (histogram.count, histogram.total_ns, histogram.percentile_ns(50))
    assert np.isnan(Histogram().percentile_ns(50))


def full_snapshot():
    return Snapshot(
        build=Build(version="0.1.0", python="3.11", numba="0.68", uvloop="0.22"),
        channels=[ChannelFigures(venue="v", channel="depth", messages=7, rejected=1, gaps=2, lag=recorded([10_000]))],
        reconnects={"v": 3},
        connections=[ConnectionFigures(venue="v", links_open=2, silences=4, conflated=8, clock_ahead_s=-1.5)],
        books=[BookFigures(venue="v", symbol="BTCUSDT", state="live", last_message_s=1.5)],
        rings=[RingFigures(name="events", fill_ratio=0.25, delayed=4)],
        decode=recorded([900, 1_500]),
        tick_to_decision=recorded([30_000, 40_000, 12_000_000_000]),
        loop_lag=recorded([1]),
        commit=recorded([5_000_000]),
        orders={"filled": 5, "cancelled": 1},
        fills={"maker": 3, "taker": 4},
        partial_fills=2,
        refusals={"MaxPosition": 6},
        positions=[PositionFigures(account="paper", symbol="BTCUSDT", size=-0.5, exposure_quote=-45_000.0)],
        accounts=[
            AccountFigures(account="paper", strategy="EmaCross", equity_quote=9_990.0, pnl_realized_quote=-10.0)
        ],
        is_halted=True,
    )


def scraped(text):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def exposition(snapshot):
    from prometheus_client import generate_latest

    return generate_latest(registry_for(lambda: snapshot)).decode()


def test_a_scrape_tells_the_figures_of_the_snapshot():
    samples = scraped(exposition(full_snapshot()))

    assert 7 == samples["streamtrader_feed_messages_total", ("channel", "depth"), ("venue", "v")]
    assert 2 == samples["streamtrader_feed_links_open", ("venue", "v")]
    assert 4 == samples["streamtrader_feed_link_silences_total", ("venue", "v")]
    assert 8 == samples["streamtrader_feed_conflated_total", ("venue", "v")]
    assert -1.5 == samples["streamtrader_feed_clock_ahead_seconds", ("venue", "v")]
    assert 5 == samples["streamtrader_orders_total", ("status", "filled")]
    assert 6 == samples["streamtrader_risk_rejections_total", ("rule", "MaxPosition")]
    assert -0.5 == samples["streamtrader_position_base", ("account", "paper"), ("symbol", "BTCUSDT")]
    assert 1 == samples["streamtrader_kill_switch_state",]
    states = {dict(key[1:])["state"]: value for key, value in samples.items() if key[0] == "streamtrader_book_state"}
    assert {"syncing": 0, "live": 1, "stale": 0, "crossed": 0, "gap": 0} == states


def test_a_histogram_is_cumulative_and_complete():
    samples = scraped(exposition(full_snapshot()))
    name = "streamtrader_tick_to_decision_seconds"

    buckets = {dict(key[1:])["le"]: value for key, value in samples.items() if key[0] == f"{name}_bucket"}

    assert (0, 2, 2, 3) == (buckets["2e-05"], buckets["5e-05"], buckets["10.0"], buckets["+Inf"])
    assert 3 == samples[f"{name}_count",]
    assert pytest.approx(12.00007) == samples[f"{name}_sum",]
    assert sorted(buckets.values()) == list(buckets.values())


def test_realized_profit_may_fall():
    """A counter that adds gains only would hide losses."""
    text = exposition(full_snapshot())

    assert "# TYPE streamtrader_pnl_realized_quote gauge" in text
    assert "streamtrader_pnl_realized_quote{" in text
    assert "} -10.0" in text


def test_what_is_exported_is_what_the_catalogue_lists_and_nothing_else():
    families = {family.name for family in text_string_to_metric_families(exposition(full_snapshot()))}

    ours = {name for name in families if name.startswith(PREFIX)}

    assert {PREFIX + name.removesuffix("_total") for name, *_ in CATALOGUE} == ours


def test_names_keep_the_rules_of_prometheus():
    for name, kind, labels, text in CATALOGUE:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert name.endswith("_total") == (kind == "counter")
        assert name.endswith("_seconds") or kind != "histogram"
        assert not {"order", "order_id", "client_order_id"} & set(labels)
        assert text.endswith(".")


def test_registering_twice_is_no_error_and_asks_nothing_of_the_runtime():
    def not_yet():
        raise AssertionError("a snapshot was taken before the first scrape")

    assert registry_for(not_yet) is not registry_for(not_yet)


def test_an_empty_snapshot_can_be_scraped():
    assert "streamtrader_events_total 0.0" in exposition(Snapshot())


WELL = Health(details={"mode": "paper"})


async def get(server, path, **headers):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{server.port}{path}", headers=headers) as answer,
    ):
        return answer.status, await answer.text()


async def test_the_server_answers_a_scrape_and_all_questions():
    async with MonitorServer(full_snapshot, lambda: WELL, port=0) as server:
        status, text = await get(server, "/metrics")
        answers = [
            await get(server, path) for path in ("/healthz", *(f"/healthz/{q}" for q in ("live", "ready", "startup")))
        ]

    assert 200 == status
    assert "streamtrader_scrape_seconds_count" in text
    assert "process_resident_memory_bytes" in text
    assert [200] * 4 == [status for status, _ in answers]
    assert '"mode": "paper"' in answers[0][1]


async def test_a_venue_that_is_down_makes_the_engine_not_ready_but_leaves_it_alive():
    health = Health(not_ready=("BTCUSDT: book is STALE",))

    async with MonitorServer(Snapshot, lambda: health, port=0) as server:
        live, ready, startup, all_of_it = [
            await get(server, path) for path in ("/healthz/live", "/healthz/ready", "/healthz/startup", "/healthz")
        ]

    assert (200, 503, 200, 503) == (live[0], ready[0], startup[0], all_of_it[0])
    assert "BTCUSDT: book is STALE" in ready[1]


async def test_openmetrics_is_spoken_on_request():
    async with MonitorServer(full_snapshot, lambda: WELL, port=0) as server:
        _, text = await get(server, "/metrics", Accept="application/openmetrics-text; version=1.0.0")

    assert text.endswith("# EOF\n")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9464", "127.0.0.1.evil.example", "", "[", "a@b@127.0.0.1x"]
)
async def test_a_name_that_is_not_ours_is_not_served(host):
    async with MonitorServer(full_snapshot, lambda: WELL, port=0) as server:
        refused = await get(server, "/metrics", Host=host)
        served = await get(server, "/metrics", Host=f"LOCALHOST:{server.port}")

    assert 403 == refused[0]
    assert "streamtrader_" not in refused[1]
    assert 200 == served[0]


async def test_only_reading_is_possible():
    async with (
        MonitorServer(full_snapshot, lambda: WELL, port=0) as server,
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{server.port}/metrics") as answer,
    ):
        assert 405 == answer.status


@pytest.fixture
def taken_port():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


async def test_the_default_port_taken_means_going_on_without_and_saying_so_once(taken_port):
    with structlog.testing.capture_logs() as lines:
        async with MonitorServer(Snapshot, lambda: WELL, port=taken_port) as server:
            await server.linger(60)

    assert server.port is None
    assert "" == server.url
    [line] = lines
    assert f"port {taken_port} on 127.0.0.1 is in use" in line["event"]
    assert "warning" == line["log_level"]


async def test_a_chosen_port_taken_is_an_error_with_its_remedy(taken_port):
    with pytest.raises(ConfigError, match=f"port {taken_port} on 127.0.0.1 is in use; --set metrics.port=0"):
        async with MonitorServer(Snapshot, lambda: WELL, port=taken_port, is_chosen=True):
            pass


async def test_a_short_run_waits_for_one_scrape_and_no_longer():
    async with MonitorServer(full_snapshot, lambda: WELL, port=0) as server, asyncio.TaskGroup() as tasks:
        lingering = tasks.create_task(server.linger(60))
        await asyncio.sleep(0)
        await get(server, "/metrics")
        await asyncio.wait_for(lingering, 10)

        with structlog.testing.capture_logs() as lines:
            await server.linger(0.01)

    assert ["nobody scraped the end of this run"] == [line["event"] for line in lines]


async def test_a_blocked_loop_shows_as_lag():
    lag, times_ns = Histogram(), [0, 1_300_000, 2_000_000, 2_900_000]

    with pytest.raises(IndexError):  # when our clock has no more to say
        await watch_loop_lag(lag, lambda: times_ns.pop(0), every_s=0.001)

    assert (2, 300_000) == (lag.count, lag.total_ns)
