"""`--venue ccxt:binance` against an exchange on loopback: recorded, imported again, traded on paper."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import numpy as np
import pytest

from streamtrader.config import load_settings
from streamtrader.errors import ConfigError, LinkLost
from streamtrader.events import BookState, Kind
from streamtrader.exchange.process import start_exchange
from streamtrader.runtime.importing import import_captures
from streamtrader.runtime.live import RunOptions, run_paper
from streamtrader.runtime.record_files import RecordOptions
from streamtrader.runtime.recording import record_market
from streamtrader.runtime.setup import open_feed
from streamtrader.units import NS_PER_S
from tests.runtime.test_capture_imports import events_of, states_of
from tests.venues.ccxt_frames import serving

pytest.importorskip("ccxt", reason="the extra `venues` is not installed")
EVENTS = 400


@pytest.fixture
def settings_at(tmp_path):
    def settings(stream: str, rest: str, *more: str):
        given = ["venue.name=ccxt:binance", f"venue.websocket_url={stream}", f"venue.rest_url={rest}"]
        return load_settings(
            overrides=[*given, f"run.root={tmp_path}/runs", "exchange.symbols=BTC/USDT,ETH/USDT", *more],
            directory=tmp_path,
        )

    return settings


async def test_what_is_recorded_through_ccxt_equals_what_is_imported_from_the_same_frames(settings_at, tmp_path):
    out = tmp_path / "live.tape"
    async with serving() as market:
        settings = settings_at(market.endpoints.stream, market.endpoints.rest)
        told = await record_market(settings, RecordOptions(out, is_raw=True, max_events=EVENTS))

    (raw,) = tmp_path.glob("*.raw.zst")
    imported = import_captures([raw], tmp_path / "again.tape")
    live, again = events_of(out), events_of(tmp_path / "again.tape")
    assert live.tobytes() == again[: len(live)].tobytes()
    assert len(live) >= EVENTS
    assert (told["rejected"], imported.rejected, imported.unknown) == (0, 0, 0)
    assert [BookState.SYNCING, BookState.LIVE] == states_of(live, 0) == states_of(live, 1)


async def test_a_session_listens_to_the_channels_that_it_names_alone(settings_at, tmp_path):
    out = tmp_path / "candles.tape"
    async with serving() as market:
        settings = settings_at(market.endpoints.stream, market.endpoints.rest, "venue.channels=trade,candle")
        await record_market(settings, RecordOptions(out, is_raw=True, max_events=60))

    (raw,) = tmp_path.glob("*.raw.zst")
    live, again = events_of(out), (import_captures([raw], tmp_path / "again.tape"), events_of(tmp_path / "again.tape"))[1]
    candles = live[live["kind"] == Kind.CANDLE]
    assert {Kind.TRADE, Kind.CANDLE, Kind.LINK} == set(live["kind"].tolist())
    assert live.tobytes() == again[: len(live)].tobytes()
    assert {stream.partition("@")[2] for stream in market.subscribed} == {"trade", "kline_1m"}
    for instrument in (0, 1):
        starts = candles["venue_ns"][candles["instrument"] == instrument]
        assert set(np.diff(starts).tolist()) <= {60 * NS_PER_S}
        assert len(starts) >= 2


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["venue.channels=trade,mark"], "venue.channels: .*nothing of mark.*trade, quote, book, candle"),
        (["venue.channels=candle", "candles.interval_s=77"], "candles.interval_s = 77: .*60, 180, 300"),
    ],
)
async def test_what_no_exchange_tells_through_ccxt_is_refused_before_anybody_is_asked(settings_at, given, told):
    with pytest.raises(ConfigError, match=told):
        async with open_feed(settings_at("ws://127.0.0.1:9", "http://127.0.0.1:9", *given)):
            pass


@pytest.mark.slow
async def test_a_paper_session_trades_on_what_ccxt_tells_of_the_embedded_exchange(settings_at):
    @contextlib.asynccontextmanager
    async def nobody(session):
        yield

    strategy = "strategies.0.instruments=BTC/USDT,ETH/USDT"
    async with start_exchange(speed="4") as exchange:
        settings = settings_at(exchange.stream_url, exchange.rest_url, strategy)
        session = await run_paper(settings, RunOptions(max_events=5 * EVENTS), nobody, lambda _stage: None)

    assert session.reason == "event limit reached"
    assert session.feed.label == "CCXT:BINANCE"
    counters = session.feed.adapter.counters
    assert (counters.rejected, counters.faults, counters.errors) == (0, 0, 0)
    assert counters.snapshots == len(session.feed.instruments) == 2, session.feed.instruments
    assert min(counters.trades, counters.quotes, counters.levels) > 0
    assert int(session.engine.state.clock[0].event_count) >= 5 * EVENTS


async def test_nobody_there_is_told_plainly(settings_at):
    with pytest.raises(LinkLost, match="exchangeInfo"):
        async with open_feed(settings_at("ws://127.0.0.1:9", "http://127.0.0.1:9")):
            pass


def test_an_exchange_must_be_named(settings_at):
    with pytest.raises(ConfigError, match="ccxt:EXCHANGE"):
        settings_at("ws://127.0.0.1:9", "http://127.0.0.1:9", "venue.name=ccxt")


@pytest.mark.slow
def test_nobody_pays_for_ccxt_who_does_not_ask_for_it():
    source = (
        "import sys, streamtrader.cli.main, streamtrader.runtime.live, streamtrader.venues.ccxt_venue\n"
        "from streamtrader.venues.registry import all_listings\n"
        "all_listings()\n"
        "assert 'ccxt' not in sys.modules"
    )

    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)
