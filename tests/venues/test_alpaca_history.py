"""Alpaca's past: recorded answers become rows, a token leads from page to page, and a key is never told."""

from __future__ import annotations

import json
from collections import Counter

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.errors import BadMessage, ConfigError, LinkLost, VenueError
from streamtrader.events import Kind
from streamtrader.venues.alpaca.history import HISTORY, clock_text, token_of, words_of
from streamtrader.venues.alpaca.pages import bars_of, quotes_of, trade_rows_of, trades_of
from streamtrader.venues.history import CANDLES, TRADES, Query
from streamtrader.venues.joining import PageJoiner, joiner_for
from streamtrader.venues.rest import RestClient
from tests.venues.alpaca_frames import nanoseconds
from tests.venues.past import FAST, QUICK

MINUTE_NS = 60 * 10**9
START_NS = nanoseconds("2021-10-13T08:00:00Z")
KEY, SECRET = "PKCANARY0123456789AB", "canarysecretCANARYSECRETcanarysecret1234"
OF_TRADES = Query(TRADES, "AAPL", START_NS, START_NS + 10 * MINUTE_NS)
OF_CANDLES = Query(CANDLES, "BTC/USD", START_NS, START_NS + 10 * MINUTE_NS, MINUTE_NS)


def recorded(shared_data):
    lines = (shared_data / "wire/alpaca/rest_stocks_crypto.jsonl").read_text().splitlines()
    return [(json.loads(line)["test"], json.loads(line)["raw"].encode()) for line in lines]


def test_every_recorded_page_of_trades_quotes_and_bars_is_read(shared_data):
    read: Counter[str] = Counter()

    for _, body in recorded(shared_data):
        answer = json.loads(body)
        for name in {"trades", "quotes", "bars"} & set(answer):
            for symbol, told in answer[name].items():
                if not isinstance(told, list):
                    continue  # the newest one, not a page
                page = json.dumps({name: {symbol: told}, "next_page_token": answer.get("next_page_token")}).encode()
                if name == "trades":
                    trades, token = trades_of(page, symbol)
                    rows, rejected, _, _ = trade_rows_of(trades, 0.0, 0)
                    stood = [each for each in told if each.get("u") not in ("canceled", "incorrect")]
                    assert (len(rows), rejected) == (len(stood), 0)
                    assert rows["venue_ns"].tolist() == [nanoseconds(each["t"]) for each in stood]
                elif name == "quotes":
                    rows, token, one_sided = quotes_of(page, symbol)
                    assert (len(rows), one_sided) == (len(told), 0)
                    assert rows["a"].tolist() == [each["bp"] for each in told]
                else:
                    bars, token = bars_of(page, symbol)
                    assert [bar.c for bar in bars] == [each["c"] for each in told]
                assert token == (answer.get("next_page_token") or "")
                read[name] += len(told)

    assert read == {"trades": 23, "quotes": 22, "bars": 40}


def test_a_recorded_page_of_trades_is_rows_with_what_counts_and_where(shared_data):
    (body,) = [body for test, body in recorded(shared_data) if test == "TestGetTrades"]

    page = HISTORY.read(OF_TRADES, HISTORY.begin(OF_TRADES), body)

    (row,) = page.rows
    assert (row["kind"], row["id"], row["venue_ns"]) == (Kind.TRADE, 1, START_NS + 89_607_680)
    assert (row["a"], row["b"], row["c"], row["d"]) == (140.2, 595.0, 0.0, ord("P"))
    assert not page.is_last
    request = HISTORY.request(OF_TRADES, page.cursor)
    assert request.path == (
        "/v2/stocks/trades?symbols=AAPL&limit=10000&sort=asc&start=2021-10-13T08:00:00.000000000Z"
        "&end=2021-10-13T08:09:59.999999999Z&feed=sip"
        "&page_token=QUFQTHwyMDIxLTEwLTEzVDA4OjAwOjAwLjA4OTYwNzY4MFp8UHwwOTIyMzM3MjAzNjg1NDc3NTgwOQ%3D%3D"
    )


def test_trades_that_were_cancelled_are_no_past(shared_data):
    (body,) = [body for test, body in recorded(shared_data) if test == "TestGetTrades_Update"]

    assert trades_of(body, "A") == ([], "")


def test_candles_of_crypto_are_asked_for_without_a_feed():
    request = HISTORY.request(OF_CANDLES, HISTORY.begin(OF_CANDLES))

    assert request.path == (
        "/v1beta3/crypto/us/bars?symbols=BTC%2FUSD&limit=10000&sort=asc&start=2021-10-13T08:00:00.000000000Z"
        "&end=2021-10-13T08:09:59.999999999Z&timeframe=1Min"
    )
    body = b'{"bars":{"BTC/USD":[{"t":"2021-10-13T08:01:00Z","o":1,"h":2,"l":1,"c":2,"v":0,"n":0,"vw":1}]}}'
    page = HISTORY.read(OF_CANDLES, {}, body)
    assert (len(page.rows), page.is_last, page.rejected) == (1, True, 0)


def test_the_tick_rule_goes_on_over_the_end_of_a_page():
    def page_of(*prices):
        trades = [{"t": "2021-10-13T08:00:00Z", "p": price, "s": 1, "i": 1, "x": "V"} for price in prices]
        return json.dumps({"trades": {"AAPL": trades}, "next_page_token": "QQ=="}).encode()

    first = HISTORY.read(OF_TRADES, HISTORY.begin(OF_TRADES), page_of(100.01, 100.0))
    second = HISTORY.read(OF_TRADES, first.cursor, page_of(100.0, 99.0, 101.0))

    assert first.rows["side"].tolist() == [0, 1]
    assert second.rows["side"].tolist() == [1, 1, 0]


@given(token=st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=400))
def test_a_token_survives_as_numbers_that_json_can_hold(token):
    cursor = json.loads(json.dumps(words_of(token)))

    assert token_of(cursor) == token
    assert all(0 <= word < 2**63 for word in cursor.values())


@given(clock_ns=st.integers(0, 4_000_000_000_000_000_000))
def test_a_clock_is_written_to_the_nanosecond(clock_ns):
    assert nanoseconds(clock_text(clock_ns)) == clock_ns


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (b'{"message":"too many requests."}', LinkLost, "too many"),
        (b'{"code":42210000,"message":"invalid symbol: ?"}', ConfigError, "invalid symbol"),
        (b'{"trades":{"MSFT":[]},"next_page_token":null}', BadMessage, "MSFT instead of AAPL"),
        (b'{"trades":[]}', BadMessage, "Answer"),
        (b"<html>", BadMessage, "Answer"),
        (b'{"trades":{},"next_page_token":"' + b"A" * 600 + b'"}', BadMessage, "token"),
    ],
)
def test_what_is_no_page_is_an_error_of_ours(body, error, words):
    with pytest.raises(error, match=words):
        HISTORY.read(OF_TRADES, HISTORY.begin(OF_TRADES), body)


def test_records_that_cannot_be_true_are_counted_and_left_out():
    good = {"t": "2021-10-13T08:00:00Z", "p": 1.0, "s": 1, "i": 1}
    wrong = [good | change for change in ({"p": 0}, {"s": -1}, {"p": 1e13}, {"i": -1}, {"i": 2**63}, {"t": ""})]
    body = json.dumps({"trades": {"AAPL": [good, *wrong]}}).encode()

    page = HISTORY.read(OF_TRADES, HISTORY.begin(OF_TRADES), body)

    assert (len(page.rows), page.rejected, page.is_last) == (1, 6, True)


def test_pages_are_joined_in_the_order_of_the_venue_with_ids_that_repeat():
    joiner = joiner_for(OF_TRADES, HISTORY)
    trades = [{"t": f"2021-10-13T08:0{minute}:00Z", "p": 1.0, "s": 1, "i": 7} for minute in (0, 2, 1, 9)]
    rows = HISTORY.read(OF_TRADES, HISTORY.begin(OF_TRADES), json.dumps({"trades": {"AAPL": trades}}).encode()).rows

    taken = joiner.take(rows, 0, may_have_holes=False)

    assert type(joiner) is PageJoiner
    assert len(taken) == 4
    assert np.all(np.diff(taken["received_ns"]) >= 0)
    again = joiner_for(OF_TRADES, HISTORY, joiner.state())
    assert again.state() == {"last_ns": START_NS + 9 * MINUTE_NS}


def test_the_newest_trade_tells_that_there_is_such_a_symbol(shared_data):
    (body,) = [body for test, body in recorded(shared_data) if test == "TestLatestTrade"]

    assert HISTORY.rules(OF_TRADES).path == "/v2/stocks/trades/latest?symbols=AAPL&feed=iex"
    assert str(HISTORY.instrument_of(body, OF_TRADES).price_tick) == "0.01"
    with pytest.raises(ConfigError, match="never traded"):
        HISTORY.instrument_of(b'{"trades":{}}', OF_TRADES)


def test_a_coin_whose_past_is_asked_for_has_lots_by_its_price():
    queries = {symbol: Query(TRADES, symbol, START_NS) for symbol in ("SHIB/USD", "BTC/USD")}
    trades = {"SHIB/USD": {"p": 0.0000127, "s": 2.5e9}, "BTC/USD": {"p": 112_345.5, "s": 0.1}}

    cheap, dear = (
        HISTORY.instrument_of(json.dumps({"trades": {symbol: trades[symbol]}}).encode(), query)
        for symbol, query in queries.items()
    )

    assert (str(cheap.size_lot), str(dear.size_lot)) == ("0.000001", "1E-9")
    with pytest.raises(BadMessage, match="no price"):
        HISTORY.instrument_of(b'{"trades":{"BTC/USD":{"p":0}}}', queries["BTC/USD"])


@pytest.mark.parametrize(
    ("symbol", "feed", "path"),
    [
        ("AAPL", "", "feed=sip"), ("AAPL", "iex", "feed=iex"), ("AAPL", "delayed_sip", "feed=sip"),
        ("AAPL", "overnight", "feed=boats"), ("BTC/USD", "", "/v1beta3/crypto/us/trades"),
        ("BTC/USD", "us-1", "/v1beta3/crypto/us-1/trades"),
    ],
)  # fmt: skip
def test_the_past_of_a_feed_is_asked_for_under_its_name(symbol, feed, path):
    query = Query(TRADES, symbol, START_NS, feed=feed)

    HISTORY.check(query)

    assert path in HISTORY.request(query, HISTORY.begin(query)).path
    with pytest.raises(ConfigError, match=r"venue\.feed = 'nyse'"):
        HISTORY.check(Query(TRADES, symbol, START_NS, feed="nyse"))


async def test_a_refused_key_is_told_in_the_words_of_the_venue_without_the_key(monkeypatch, aiohttp_server_of):
    monkeypatch.setenv("APCA_API_KEY_ID", KEY)
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)
    seen = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.headers["APCA-API-KEY-ID"], request.headers["APCA-API-SECRET-KEY"]))
        return web.json_response({"message": f"forbidden for {KEY} {SECRET}."}, status=403)

    url = await aiohttp_server_of(answer)
    async with aiohttp.ClientSession() as session:
        client = RestClient(session, "alpaca", [url], FAST, settings=QUICK, headers=HISTORY.headers())
        with pytest.raises(VenueError, match=r"the key is not accepted.*forbidden for") as failure:
            await client.get(HISTORY.rules(OF_TRADES), lambda got: got)

    assert seen == [(KEY, SECRET)]
    assert not any(secret in str(failure.value) + "".join(client.failures) for secret in (KEY, SECRET))


@pytest.fixture
async def aiohttp_server_of():
    """Starts a server that gives every request to one handler; its address."""
    runners = []

    async def start(handler) -> str:
        application = web.Application()
        application.router.add_get("/{path:.*}", handler)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


def test_downloads_without_a_key_are_refused(monkeypatch):
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ConfigError, match="APCA_API_KEY_ID"):
        HISTORY.headers()
