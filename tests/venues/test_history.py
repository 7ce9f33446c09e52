"""The pure side of downloads: requests as the venues document them, answers that venues really gave, and nonsense."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrader.errors import BadMessage, ConfigError, LinkLost
from streamtrader.events import Kind
from streamtrader.instruments import Instrument
from streamtrader.units import ABSURD_PRICE, ABSURD_SIZE
from streamtrader.venues.history import CANDLES, HISTORIES, TRADES, Query, counted, history_of

START_NS, MINUTE_NS = 1_700_000_040 * 10**9, 60 * 10**9
SYMBOLS = {"alpaca": "AAPL", "binance": "BTCUSDT", "kraken": "BTC/USDT", "coinbase": "BTC-USD"}
OF_TRADES = {name: Query(TRADES, symbol, START_NS, START_NS * 2) for name, symbol in SYMBOLS.items()}
OF_CANDLES = {name: Query(CANDLES, symbol, START_NS, START_NS * 2, MINUTE_NS) for name, symbol in SYMBOLS.items()}


def paths_of(name, query, *cursors):
    history = history_of(name)
    return [history.request(query, cursor).path for cursor in (history.begin(query), *cursors)]


def test_requests_are_written_as_the_venues_document_them():
    assert paths_of("binance", OF_TRADES["binance"], {"from_id": 7}) == [
        "/api/v3/aggTrades?symbol=BTCUSDT&startTime=1700000040000&endTime=1700003639999&limit=1000",
        "/api/v3/aggTrades?symbol=BTCUSDT&fromId=7&limit=1000",
    ]
    assert paths_of("binance", OF_CANDLES["binance"]) == [
        "/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=1700000040000&endTime=1700060039999&limit=1000"
    ]
    assert paths_of("kraken", OF_TRADES["kraken"]) == [
        "/0/public/Trades?pair=BTCUSDT&since=1700000039999999999&count=1000"
    ]
    assert paths_of("kraken", OF_CANDLES["kraken"]) == ["/0/public/OHLC?pair=BTCUSDT&interval=1&since=1699999980"]
    assert paths_of("coinbase", OF_TRADES["coinbase"], {"low": 1, "high": 9}, {"from_id": 7}) == [
        "/products/BTC-USD/trades?limit=1",
        "/products/BTC-USD/trades?limit=1&after=6",
        "/products/BTC-USD/trades?limit=1000&after=1007",
    ]
    assert paths_of("coinbase", OF_CANDLES["coinbase"]) == [
        "/products/BTC-USD/candles?granularity=60&start=2023-11-14T22:14:00Z&end=2023-11-15T03:13:00Z"
    ]


def test_usdm_is_asked_at_its_own_paths_and_weighs_more():
    history, query = history_of("binance"), Query(TRADES, "BTCUSDT", START_NS, kind="perpetual")

    request = history.request(query, {"from_id": 7})

    assert request == ("/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=7&limit=1000", 20.0)
    assert "fapi" in history.rest_urls("perpetual")[0]


@pytest.fixture(scope="module")
def binance_recorded(shared_data):
    """(path, query, answer) of every recorded conversation."""
    path = shared_data / "wire" / "binance" / "gocryptotrader_http_recorded.json.gz"
    routes = json.loads(gzip.decompress(path.read_bytes()))["routes"]
    return [
        (route, each["queryString"], each["data"])
        for route, methods in routes.items()
        for each in methods.get("GET", ())
    ]


def whole(answer):
    """The recording has lost some keys: only answers that are whole count."""
    return isinstance(answer, list) and answer and all("" not in each for each in answer if isinstance(each, dict))


def test_recorded_answers_of_binance_become_rows(binance_recorded):
    history, counted = history_of("binance"), {TRADES: 0, CANDLES: 0}
    for route, asked, answer in binance_recorded:
        what = TRADES if route.endswith("aggTrades") else CANDLES if route.endswith("/klines") else ""
        if not what or not whole(answer) or route.startswith("/dapi"):
            continue
        options = dict(part.split("=") for part in asked.split("&"))
        seconds = {"1m": 60, "5m": 300, "1h": 3_600, "1d": 86_400}.get(options.get("interval", ""), 0)
        if what == CANDLES and not seconds:
            continue
        query = Query(what, "BTCUSDT", 1, interval_ns=seconds * 10**9)
        page = history.read(query, history.begin(query), json.dumps(answer).encode())

        assert page.rejected == 0
        assert len(page.rows) == len(answer)
        if what == TRADES:
            assert page.rows["id"].tolist() == [each["a"] for each in answer]
            assert page.rows["a"].tolist() == [float(each["p"]) for each in answer]
            assert page.rows["b"].tolist() == [float(each["q"]) for each in answer]
            assert page.rows["side"].tolist() == [int(each["m"]) for each in answer]
            assert page.rows["venue_ns"].tolist() == [each["T"] * 10**6 for each in answer]
        else:
            assert page.rows["venue_ns"].tolist() == [each[0] * 10**6 for each in answer]
            assert page.rows["received_ns"].tolist() == [(each[6] + 1) * 10**6 for each in answer]
            assert page.rows["d"].tolist() == [float(each[4]) for each in answer]
            assert page.rows["id"].view("f8").tolist() == [float(each[5]) for each in answer]
        counted[what] += len(answer)
    assert counted[TRADES] > 1_000
    assert counted[CANDLES] > 100


def test_recorded_answers_of_kraken_become_rows(shared_data):
    folder, history = shared_data / "wire" / "kraken" / "nautilus", history_of("kraken")
    trades, candles = ((folder / name).read_bytes() for name in ("http_trades.json", "http_ohlc.json"))

    page = history.read(OF_TRADES["kraken"], {"since": 1}, trades)
    recorded = json.loads(trades)["result"]
    last_ns = int(recorded.pop("last"))
    (rows,) = recorded.values()
    assert page.rows["id"].tolist() == [row[6] for row in rows]
    assert abs(page.rows["venue_ns"] - np.array([row[2] * 1e9 for row in rows])).max() < 1_000
    assert abs(int(page.rows["venue_ns"][-1]) - last_ns) < 1_000, "the venue rounds to seven decimals"
    assert page.cursor["since"] == last_ns - 1

    page = history.read(OF_CANDLES["kraken"], {"since": 1}, candles)
    recorded = json.loads(candles)["result"]
    last_s = recorded.pop("last")
    (rows,) = recorded.values()
    closed = [row for row in rows if row[0] <= last_s]
    assert len(closed) == len(rows) - 1, "the last one is open"
    assert page.rows["venue_ns"].tolist() == [row[0] * 10**9 for row in closed]
    assert page.rows["id"].view("f8").tolist() == [float(row[6]) for row in closed]
    assert page.is_last


def test_what_kraken_says_with_status_200_is_understood():
    history, query = history_of("kraken"), OF_TRADES["kraken"]
    told = {
        b'{"error":["EGeneral:Too many requests"]}': LinkLost,
        b'{"error":["EQuery:Unknown asset pair"]}': ConfigError,
        b'{"error":["EService:Unavailable"]}': BadMessage,
    }
    for body, kind in told.items():
        with pytest.raises(kind) as caught:
            history.read(query, history.begin(query), body)
        assert caught.value.details.get("status") == (429 if kind is LinkLost else None)


GOOD = {
    ("alpaca", TRADES): b'{"trades":{"AAPL":[{"t":"2023-11-14T22:14:10.89607Z","x":"P","p":140.2,"s":5,"i":1}]}}',
    ("alpaca", CANDLES): b'{"bars":{"AAPL":[{"t":"2023-11-14T22:14:00Z","o":1,"h":3,"l":1,"c":2.5,"v":740}]}}',
    ("binance", TRADES): b'[{"a":26129,"p":"0.01","q":"4.7","f":1,"l":2,"T":1700000050153,"m":true,"M":true}]',
    ("binance", CANDLES): b'[[1700000040000,"1","2","0.5","1.5","10",1700000099999,"1",308,"1","2","0"]]',
    (
        "kraken",
        TRADES,
    ): b'{"error":[],"result":{"X":[["3","0.3",1700000050.8277369,"b","m","",6]],"last":"1700000050827736900"}}',
    ("kraken", CANDLES): b'{"error":[],"result":{"X":[[1700000040,"3","3","3","3","0","3.3",23]],"last":1700000040}}',
    (
        "coinbase",
        TRADES,
    ): b'[{"time":"2023-11-14T22:14:10.86Z","trade_id":8,"price":"6","size":"0.06","side":"sell"}]',
    ("coinbase", CANDLES): b"[[1700000040,1,3,2,2.5,12.3]]",
}


def query_of(name, what):
    return (OF_TRADES if what == TRADES else OF_CANDLES)[name]


def cursor_of(name, what):
    return {"from_id": 1} if (name, what) == ("coinbase", TRADES) else history_of(name).begin(query_of(name, what))


@pytest.mark.parametrize(("name", "what"), GOOD)
def test_a_good_answer_is_one_row(name, what):
    page = history_of(name).read(query_of(name, what), cursor_of(name, what), GOOD[name, what])

    assert len(page.rows) == 1
    assert page.rows["kind"][0] == (Kind.TRADE if what == TRADES else Kind.CANDLE)
    assert START_NS <= page.rows["venue_ns"][0] < START_NS + MINUTE_NS


@pytest.mark.parametrize("clock", [b"1e999999", b"1e-999999", b"-1", b'"NaN"', b'"sNaN"', b'"Infinity"', b"1e12"])
def test_a_clock_of_kraken_that_cannot_be_true_is_refused_whatever_its_exponent(clock):
    body = GOOD["kraken", TRADES].replace(b"1700000050.8277369", clock)

    with pytest.raises(BadMessage):
        history_of("kraken").read(query_of("kraken", TRADES), cursor_of("kraken", TRADES), body)


@settings(max_examples=300)
@given(data=st.data())
@pytest.mark.parametrize(("name", "what"), GOOD)
@pytest.mark.slow
def test_nonsense_is_refused_and_never_becomes_a_row(name, what, data):
    """Mutated answers: an error of ours, or rows that can be true."""
    body = bytearray(GOOD[name, what])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        insert = data.draw(
            st.sampled_from([b"", b"-", b"9", b"e", b"NaN", b'"', b"null", b"[", b"]", b"{", b"9" * 25])
        )
        body[at : at + data.draw(st.integers(0, 3))] = insert
    try:
        page = history_of(name).read(query_of(name, what), cursor_of(name, what), bytes(body))
    except (BadMessage, ConfigError, LinkLost):
        return

    words = np.stack([page.rows[word] for word in ("abcd" if what == CANDLES else "ab")])
    assert np.isfinite(words).all()
    most = [[ABSURD_PRICE]] * 4 if what == CANDLES else [[ABSURD_PRICE], [ABSURD_SIZE]]
    assert ((words > 0) & (words <= most)).all()
    assert (page.rows["venue_ns"] > 0).all()
    if what == CANDLES:
        assert (page.rows["id"].view("f8") >= 0).all()
        assert ((page.rows["c"] <= page.rows["d"]) & (page.rows["d"] <= page.rows["b"])).all()
    else:
        assert (page.rows["id"] >= 0).all()


def test_records_that_cannot_be_true_are_counted_and_left_out():
    history, query = history_of("coinbase"), OF_CANDLES["coinbase"]
    rows = [
        [1700000040, 1, 3, 2, 2.5, 12.3],
        [1700000100, 3, 1, 2, 2.5, 12.3],  # low above high
        [1700000160, 1, 3, 2, 2.5, -1],
        [1700000220, 0, 3, 2, 2.5, 1],
        [1700000281, 1, 3, 2, 2.5, 1],  # not on the grid
        [1700000340, 1, 3e12, 2, 2.5, 1],
    ]

    page = history.read(query, history.begin(query), json.dumps(rows[::-1]).encode())

    assert (len(page.rows), page.rejected) == (1, 5)


def test_trades_that_an_instrument_cannot_count_are_counted_as_rejected():
    history, query = history_of("coinbase"), OF_TRADES["coinbase"]
    trade = {"trade_id": 7, "time": "2023-11-14T22:14:01Z", "price": "100.5", "size": "1.5", "side": "buy"}
    told = [trade, trade | {"trade_id": 8, "size": "20000000000"}, trade | {"trade_id": 9, "price": "20000000000"}]
    coarse, fine = (Instrument("coinbase", "X-USD", "X", "USD", *[Decimal(step)] * 2) for step in ("0.01", "1E-8"))

    page = history.read(query, {"from_id": 7}, json.dumps(told[::-1]).encode())

    assert (len(page.rows), page.rejected) == (3, 0)
    assert counted(page, coarse) is page
    assert (counted(page, fine).rows["id"].tolist(), counted(page, fine).rejected) == ([7], 2)


def test_every_history_says_its_limits_and_its_rules():
    for name in HISTORIES:
        history = history_of(name)
        limits = history.limits("spot")
        assert 0 < limits.requests_per_s <= 10
        assert 0 < limits.weight_per_minute <= 3_000
        assert 0 < limits.weight_per_day < limits.weight_per_minute * 1_440
        assert history.rules(OF_TRADES[name]).path.startswith("/")
        assert all(url.startswith("https://") for url in history.rest_urls("spot"))
