"""The past at the head of a tape: from a venue's history, of several instruments, as one message."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrader.config import load_settings
from streamtrader.errors import ConfigError
from streamtrader.events import EVENT, MORE, NEWEST, WARM, Kind
from streamtrader.kernel.ring import Ring
from streamtrader.runtime.setup import Feed
from streamtrader.runtime.warm_start import check_past, merged, write_past
from tests.venues.past import Past, candles_of, past_trades, serving_past
from tests.venues.streamed import venue_of

MINUTE_NS = 60 * 10**9
TRADES = past_trades(2_000)
NEWEST_S = max(candles_of(TRADES, 60))


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def settings_of(tmp_path, *more):
    return load_settings(overrides=["candles.warmup=50", *more], directory=tmp_path)


def written(ring):
    return ring.events[: ring.written].copy()


async def test_the_newest_closed_candles_of_the_venue_become_the_head_of_the_tape(tmp_path):
    async with serving_past(Past(TRADES, now_s=NEWEST_S + 30)) as past:
        settings = settings_of(
            tmp_path, "venue.name=binance", f"venue.rest_url={past.url}", "venue.websocket_url=ws://127.0.0.1:1"
        )
        adapter, ring = venue_of("binance", "BTCUSDT"), Ring()
        await write_past(
            settings, Feed("BINANCE", "", adapter.instruments, adapter, None, 0.0), ring, lambda: 30 * 10**9
        )

    rows = written(ring)
    assert len(rows) == 50
    assert set(rows["kind"]) == {Kind.CANDLE}
    assert set(np.diff(rows["venue_ns"])) == {MINUTE_NS}
    assert (rows["received_ns"] - rows["venue_ns"] == MINUTE_NS).all()
    assert rows["flags"].tolist() == [WARM | MORE] * 49 + [WARM | NEWEST]
    assert rows["received_ns"][-1] == NEWEST_S * 10**9


async def test_what_is_about_to_close_is_waited_for(tmp_path, monkeypatch):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr("streamtrader.runtime.warm_start.asyncio.sleep", sleep)
    async with serving_past(Past(TRADES, now_s=NEWEST_S + 30)) as past:
        settings = settings_of(
            tmp_path, "venue.name=binance", f"venue.rest_url={past.url}", "venue.websocket_url=ws://127.0.0.1:1"
        )
        adapter = venue_of("binance", "BTCUSDT")
        await write_past(settings, Feed("", "", adapter.instruments, adapter, None, 0.0), Ring(), lambda: 57 * 10**9)

    assert slept[0] == pytest.approx(4.0)


def test_candles_of_several_instruments_are_one_message_in_the_order_of_their_ends():
    def candles(count, newest):
        rows = np.zeros(count, EVENT)
        rows["kind"] = Kind.CANDLE
        rows["received_ns"] = (newest - np.arange(count)[::-1]) * MINUTE_NS
        return rows

    rows = merged([candles(3, 10), candles(0, 10), candles(2, 9)])

    assert rows["instrument"].tolist() == [0, 2, 0, 2, 0]
    assert (np.diff(rows["received_ns"]) >= 0).all()
    assert (rows["flags"] & MORE).tolist() == [MORE] * 4 + [0]
    assert rows["instrument"][rows["flags"] & NEWEST != 0].tolist() == [2, 0]
    assert len(merged([candles(0, 1)])) == 0


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("venue.name=okx",), "no downloads from 'okx'; there are from: alpaca, binance"),
        (("venue.name=kraken", "candles.interval_s=7"), "no candles of 7 s; it has"),
        (("exchange.dialect=kraken",), "in the dialect of binance only"),
    ],
)
def test_a_past_that_nobody_tells_is_refused_before_anything_is_started(tmp_path, overrides, said):
    with pytest.raises(ConfigError, match=said):
        check_past(settings_of(tmp_path, *overrides))


async def test_more_than_the_ring_holds_is_refused(tmp_path):
    adapter = venue_of("kraken", *[f"{name}/USD" for name in ("A", "B", "C", "D", "E", "F", "G")])
    with pytest.raises(ConfigError, match="for 7 instruments at most 9362 each"):
        await write_past(
            settings_of(tmp_path, "candles.warmup=9500"), Feed("", "", adapter.instruments, adapter, None, 0.0),
            Ring(), lambda: 0,
        )  # fmt: skip
