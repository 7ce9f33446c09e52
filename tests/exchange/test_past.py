"""The past of the embedded exchange: seeded, closed before the market begins, and asked for as at the venue."""

from __future__ import annotations

import orjson
import pytest

from streamtrader.exchange.synthetic import START_NS, SyntheticMarket
from streamtrader.venues.binance.history import HISTORY
from streamtrader.venues.history import CANDLES, Query
from tests.exchange.support import serving

SYMBOL, MINUTE_MS, START_MS = "BTCUSDT", 60_000, START_NS // 1_000_000


@pytest.fixture
async def served():
    async with serving(SyntheticMarket([SYMBOL, "ETHUSDT"], seed=3)) as one:
        yield one


async def test_candles_end_where_the_market_begins_and_are_the_same_for_everybody(served):
    status, newest = await served.venue("klines", symbol=SYMBOL, interval="1m", limit="100")
    _, part = await served.venue(
        "klines",
        symbol=SYMBOL,
        interval="1m",
        startTime=str(START_MS - 10 * MINUTE_MS),
        endTime=str(START_MS + 10**9),
    )

    assert (status, len(newest), newest[-10:]) == (200, 100, part)
    assert [row[0] for row in newest] == list(range(START_MS - 100 * MINUTE_MS, START_MS, MINUTE_MS))
    assert newest[-1][6] == START_MS - 1
    opens, closes = [row[1] for row in newest], [row[4] for row in newest]
    assert opens[1:] == closes[:-1]
    async with serving(SyntheticMarket([SYMBOL], seed=3)) as again:
        assert (await again.venue("klines", symbol=SYMBOL, interval="1m", limit="100"))[1] == newest
    async with serving(SyntheticMarket([SYMBOL], seed=4)) as other:
        assert (await other.venue("klines", symbol=SYMBOL, interval="1m", limit="100"))[1] != newest


async def test_the_last_close_is_the_opening_price_and_every_candle_can_be_true(served):
    _, depth = await served.venue("depth", symbol=SYMBOL, limit="5")
    _, rows = await served.venue("klines", symbol=SYMBOL, interval="1h", limit="1000")

    assert rows[-1][4] == depth["bids"][0][0]
    query = Query(CANDLES, SYMBOL, 0, START_NS, 3_600 * 10**9)
    page = HISTORY.read(query, {"start_ms": 0}, orjson.dumps(rows))
    assert (len(page.rows), page.rejected) == (1_000, 0)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"symbol": SYMBOL}, -1102),
        ({"interval": "1m"}, -1102),
        ({"symbol": "XYZ", "interval": "1m"}, -1121),
        ({"symbol": SYMBOL, "interval": "7m"}, -1120),
        ({"symbol": SYMBOL, "interval": "1m", "startTime": "x"}, -1102),
    ],
)
async def test_a_request_that_means_nothing_is_refused_in_the_venues_words(served, query, code):
    status, document = await served.venue("klines", **query)

    assert (status, document["code"]) == (400, code)


async def test_further_back_than_the_past_goes_there_is_nothing(served):
    status, rows = await served.venue("klines", symbol=SYMBOL, interval="1d", startTime="0", endTime="1000000000")

    assert (status, rows) == (200, [])
