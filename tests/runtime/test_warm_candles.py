"""A strategy's window is full before its first live event: the newest closed candles, without a hole."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from streamtrader.errors import ConfigError, LinkLost
from streamtrader.events import Kind
from streamtrader.runtime import warm_candles
from streamtrader.runtime.getting import GetOptions
from streamtrader.runtime.warm_candles import closed_candles
from streamtrader.venues.history import CANDLES, FOREVER_NS, Query
from tests.venues.past import FAST, QUICK, Past, candles_of, filled, past_trades, serving_past

SYMBOLS = {"binance": "BTCUSDT", "kraken": "BTC/USD", "coinbase": "BTC-USD"}
MINUTE_NS = 60 * 10**9
TRADES = past_trades(9_000)
WHOLE = filled(candles_of(TRADES, 60), 60)
NEWEST_S = max(WHOLE)


async def warmed(past, venue, folder, count=500, **options):
    wanted = GetOptions(folder / "budgets", past.url, limits=FAST, rest=QUICK)
    query = Query(CANDLES, SYMBOLS[venue], 0, options.pop("stop_ns", FOREVER_NS), MINUTE_NS)
    return await closed_candles(venue, query, count, wanted, **options)


def check(rows, starts_s):
    assert (rows["venue_ns"] // 10**9).tolist() == list(starts_s)
    table = [[row[word].item() for word in "abcd"] + [row["id"].view("f8").item()] for row in rows]
    assert table == [WHOLE[start_s] for start_s in starts_s]
    assert set(rows["kind"].tolist()) == {Kind.CANDLE}
    assert (rows["received_ns"] - rows["venue_ns"] == MINUTE_NS).all()


@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize("venue", SYMBOLS)
async def test_the_window_is_full_and_ends_with_the_newest_closed_candle(tmp_path, venue, is_kept, monkeypatch):
    monkeypatch.setattr(warm_candles, "BLOCK_CANDLES", 100)
    async with serving_past(Past(TRADES, now_s=NEWEST_S + 30)) as past:
        kept = tmp_path / "kept" if is_kept else None
        instrument, rows = await warmed(past, venue, tmp_path, 300, kept=kept)

    assert instrument.symbol == SYMBOLS[venue]
    newest_s = int(rows["venue_ns"][-1]) // 10**9
    assert newest_s == NEWEST_S - 60
    check(rows, range(newest_s - 299 * 60, newest_s + 60, 60))


async def test_the_next_start_asks_for_the_newest_candles_only(tmp_path, monkeypatch):
    monkeypatch.setattr(warm_candles, "BLOCK_CANDLES", 100)
    async with serving_past(Past(TRADES, now_s=NEWEST_S + 30)) as past:
        _, first = await warmed(past, "binance", tmp_path, kept=tmp_path / "kept")
        asked = len(past.paths)
        _, again = await warmed(past, "binance", tmp_path, kept=tmp_path / "kept")

    assert first.tobytes() == again.tobytes()
    assert len(past.paths) - asked == 2 < asked, "the rules and one page"


async def test_a_start_that_was_interrupted_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(warm_candles, "BLOCK_CANDLES", 100)
    async with serving_past(Past(TRADES, now_s=NEWEST_S + 30)) as past:
        past.faults = deque([*[None] * 6, *["500"] * 4])
        with pytest.raises(LinkLost):
            await warmed(past, "coinbase", tmp_path, kept=tmp_path / "kept")
        asked = set(past.paths)
        past.paths.clear()
        _, rows = await warmed(past, "coinbase", tmp_path, kept=tmp_path / "kept")

    assert len(rows) == 500
    blocks = [path for path in past.paths if "candles" in path]
    assert len(set(blocks) & asked) <= 1, "only the one that was not answered"


async def test_candles_end_where_they_are_wanted_to_and_at_a_venue_that_forgets_there_are_fewer(tmp_path):
    stop_s = NEWEST_S - 600
    async with serving_past(Past(TRADES)) as past:
        _, rows = await warmed(past, "binance", tmp_path, 10, stop_ns=stop_s * 10**9 + 1)
        check(rows, range(stop_s - 600, stop_s, 60))
        _, rows = await warmed(past, "kraken", tmp_path, 100_000)

    kept = min(720, len(WHOLE))
    assert len(rows) == kept
    assert not np.diff(rows["venue_ns"] // MINUTE_NS, prepend=rows["venue_ns"][0] // MINUTE_NS - 1).tolist().count(0)


async def test_a_market_that_rarely_trades_is_looked_at_further_back(tmp_path):
    """Nothing for a day, where the venue has no candles for silence: flat ones at the last price there was."""
    silent = [trade for trade in TRADES if trade.us < TRADES[100].us]
    last_s = max(candles_of(silent, 60))
    late = [type(silent[0])(silent[-1].id + 1, (last_s + 86_400) * 10**6, 5.0, 1.0, False)]
    async with serving_past(Past(silent + late, now_s=last_s + 86_400 + 90)) as past:
        _, rows = await warmed(past, "coinbase", tmp_path, 500)

    assert len(rows) == 500
    assert rows["d"].tolist() == [silent[-1].price] * 499 + [5.0]
    assert rows["id"].view("f8").tolist() == [0.0] * 499 + [1.0]


async def test_nonsense_is_refused_before_anything_is_asked(tmp_path):
    async with serving_past(Past(TRADES)) as past:
        with pytest.raises(ConfigError, match="one candle at least"):
            await warmed(past, "binance", tmp_path, 0)

    assert past.paths == []
