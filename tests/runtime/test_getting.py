"""Downloads over real sockets: whatever the venue does and whenever we are stopped, the tape ends in the same bytes."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
import pytest

from streamtrader.errors import ConfigError, LinkLost, StorageError, VenueError
from streamtrader.events import Kind
from streamtrader.runtime.getting import GetOptions, get_history
from streamtrader.storage.tape import Tape
from streamtrader.venues.history import FOREVER_NS, Query
from tests.venues.past import FAST, QUICK, START_S, Past, candles_of, filled, past_trades, serving_past

SYMBOLS = {"binance": "BTCUSDT", "kraken": "BTC/USD", "coinbase": "BTC-USD"}
START_NS, MINUTE_NS = START_S * 10**9, 60 * 10**9
TRADES = past_trades(3_500)
FROM_NS, TO_NS = START_NS + 5 * MINUTE_NS, TRADES[3_300].us * 1_000
EVERY = [(venue, what) for venue in SYMBOLS for what in ("trades", "candles")]


def query_of(venue, what, start_ns=FROM_NS, stop_ns=TO_NS):
    return Query(what, SYMBOLS[venue], start_ns, stop_ns, MINUTE_NS if what == "candles" else 0)


async def got(past, venue, what, folder, *, name="x.tape", query=None, **options):
    wanted = GetOptions(folder / "budgets", past.url, limits=FAST, rest=QUICK)
    return await get_history(venue, query or query_of(venue, what), folder / name, replace(wanted, **options))


def events_of(tape):
    return np.concatenate([np.asarray(events) for events in Tape.open(tape).events()])


def check_trades(events):
    """They are the trades of the span, each once, in order."""
    expected = [trade for trade in TRADES if FROM_NS <= trade.us * 1_000 < TO_NS]
    assert events["id"].tolist() == [trade.id for trade in expected]
    assert events["venue_ns"].tolist() == [trade.us * 1_000 for trade in expected]
    assert events["a"].tolist() == [trade.price for trade in expected]
    assert events["b"].tolist() == [trade.size for trade in expected]
    assert events["side"].tolist() == [int(trade.is_sold) for trade in expected]
    assert set(events["kind"].tolist()) == {Kind.TRADE}


def check_candles(events, trades=TRADES):
    """They are the candles of the trades, with flat ones where nothing traded."""
    whole = filled(candles_of(trades, 60), 60)
    wanted = {
        start_s: each
        for start_s, each in whole.items()
        if FROM_NS <= start_s * 10**9 and (start_s + 60) * 10**9 <= TO_NS
    }
    assert events["venue_ns"].tolist() == [start_s * 10**9 for start_s in wanted]
    assert events["received_ns"].tolist() == [(start_s + 60) * 10**9 for start_s in wanted]
    table = [[row[word].item() for word in "abcd"] + [row["id"].view("f8").item()] for row in events]
    assert table == list(wanted.values())
    assert 0.0 in [row[4] for row in table], "there is a silence in it"


CHECKS = {"trades": check_trades, "candles": check_candles}


@pytest.mark.parametrize(("venue", "what"), EVERY)
async def test_a_download_holds_what_the_venue_holds(tmp_path, venue, what):
    async with serving_past(Past(TRADES)) as past:
        told = await got(past, venue, what, tmp_path)

    CHECKS[what](events_of(tmp_path / "x.tape"))
    assert told["events"] == len(events_of(tmp_path / "x.tape"))
    assert told["found"].get("missing", 0) == told["found"]["rejected"] == 0
    (instrument,) = Tape.open(tmp_path / "x.tape").instruments
    assert (instrument.venue, instrument.symbol) == (venue, SYMBOLS[venue])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["budgets", "x.tape"]


async def test_a_span_without_a_trade_is_an_empty_tape(tmp_path):
    silent = Query("trades", "BTCUSDT", START_NS - 5_000 * MINUTE_NS, START_NS - 4_900 * MINUTE_NS)
    async with serving_past(Past(TRADES)) as past:
        told = await got(past, "binance", "trades", tmp_path, query=silent)

    assert (told["events"], Tape.open(tmp_path / "x.tape").event_count) == (0, 0)


FAULTS = [
    "500",
    "html",
    "truncated",
    "garbage",
    "reset",
    "duplicates",
    "hole",
    "503",
    None,
    "duplicates",
    None,
    "hole",
]


@pytest.mark.parametrize(("venue", "what"), EVERY)
async def test_a_venue_that_misbehaves_gives_the_same_bytes(tmp_path, venue, what):
    async with serving_past(Past(TRADES)) as past:
        await got(past, venue, what, tmp_path)
    patient = replace(QUICK, tries=8)
    async with serving_past(Past(TRADES, faults=deque([None, *FAULTS]))) as past:
        told = await got(past, venue, what, tmp_path, name="y.tape", rest=patient)

    assert (tmp_path / "y.tape").read_bytes() == (tmp_path / "x.tape").read_bytes()
    assert told["found"].get("missing", 0) == 0
    assert len(told["asked_again"]) >= 4


@pytest.mark.parametrize("fault", ["429", "418", "too fast"])
async def test_a_venue_that_says_too_fast_is_left_in_peace(tmp_path, fault, monkeypatch):
    monkeypatch.setattr("streamtrader.venues.rest.PAUSE_S", 1.0)
    venue = "kraken" if fault == "too fast" else "binance"
    async with serving_past(Past(TRADES, faults=deque([None, fault]))) as past:
        await got(past, venue, "trades", tmp_path)

    check_trades(events_of(tmp_path / "x.tape"))
    assert past.times_s[2] - past.times_s[1] >= 1.0
    assert past.paths[1] == past.paths[2]


async def test_a_long_ban_ends_the_download_and_the_next_start_goes_on(tmp_path):
    impatient = {"rest": replace(QUICK, patience_s=0.5)}
    async with serving_past(Past(TRADES, faults=deque([None, None, None, "418"]))) as past:
        with pytest.raises(VenueError, match="asks to wait 1 s"):
            await got(past, "binance", "trades", tmp_path, **impatient)
        asked = len(past.paths)
        told = await got(past, "binance", "trades", tmp_path)

    check_trades(events_of(tmp_path / "x.tape"))
    assert told["is_resumed"]
    assert past.paths[asked + 1] == past.paths[asked - 1]


async def test_a_venue_that_does_not_serve_this_country_is_left(tmp_path):
    async with serving_past(Past(TRADES, faults=deque(["451"]))) as past:
        with pytest.raises(VenueError, match="does not serve this country"):
            await got(past, "binance", "trades", tmp_path)

    assert list(tmp_path.glob("x.*")) == []


async def test_what_a_venue_does_not_have_is_told_at_once(tmp_path):
    async with serving_past(Past(TRADES)) as past:
        query = Query("trades", "NOSUCH", FROM_NS, TO_NS)
        with pytest.raises(ConfigError, match="Invalid symbol"):
            await got(past, "binance", "trades", tmp_path, query=query)
        with pytest.raises(ConfigError, match="candles of 7 s"):
            await got(past, "kraken", "candles", tmp_path, query=Query("candles", "BTC/USD", 1, 2, 7 * 10**9))
        with pytest.raises(ConfigError, match="no downloads from 'mtgox'"):
            await get_history("mtgox", query, tmp_path / "x.tape", GetOptions(tmp_path))
        with pytest.raises(ConfigError, match="before --to"):
            await got(past, "binance", "trades", tmp_path, query=query_of("binance", "trades", TO_NS, FROM_NS))
        with pytest.raises(ConfigError, match="in the future"):
            future = query_of("binance", "trades", past.now_s * 10**9 + 1, FOREVER_NS)
            await got(past, "binance", "trades", tmp_path, query=future)

    assert len(past.paths) == 2


async def test_a_venue_that_never_answers_right_is_given_up(tmp_path):
    async with serving_past(Past(TRADES, faults=deque([None, *["garbage"] * 20]))) as past:
        with pytest.raises(LinkLost, match="in 4 tries"):
            await got(past, "binance", "trades", tmp_path)

    assert len(past.paths) == 5


@pytest.mark.parametrize(("venue", "what"), EVERY)
@pytest.mark.slow
async def test_stopped_at_any_request_and_gone_on_with_it_is_the_same_bytes(tmp_path, venue, what):
    async with serving_past(Past(TRADES)) as past:
        await got(past, venue, what, tmp_path)
        expected, asked = (tmp_path / "x.tape").read_bytes(), len(past.paths)
        for stop_at in range(2, min(asked, 12) + 1):
            name = f"{stop_at}.tape"
            past.paths.clear()
            past.faults = deque([*[None] * (stop_at - 1), *["500"] * 4])
            with pytest.raises(LinkLost):
                await got(past, venue, what, tmp_path, name=name)
            past.faults.clear()
            told = await got(past, venue, what, tmp_path, name=name)
            assert (tmp_path / name).read_bytes() == expected
            assert told["is_resumed"]


async def test_a_finished_download_is_not_asked_for_again(tmp_path):
    async with serving_past(Past(TRADES)) as past:
        first = await got(past, "kraken", "trades", tmp_path)
        before, asked = (tmp_path / "x.tape").stat().st_mtime_ns, len(past.paths)
        again = await got(past, "kraken", "trades", tmp_path)

        assert len(past.paths) == asked
        assert (tmp_path / "x.tape").stat().st_mtime_ns == before
        assert {name for name in first if first[name] != again[name]} <= {"requests", "asked_again"}
        with pytest.raises(StorageError, match="exists already"):
            await got(past, "kraken", "trades", tmp_path, query=query_of("kraken", "trades", FROM_NS + 1))


async def test_another_query_does_not_go_on_with_what_was_begun(tmp_path):
    async with serving_past(Past(TRADES, faults=deque([None, None, None, *["500"] * 4]))) as past:
        with pytest.raises(LinkLost):
            await got(past, "binance", "trades", tmp_path)
        with pytest.raises(StorageError, match="another download"):
            await got(past, "binance", "candles", tmp_path)


async def test_an_open_candle_is_left_out_and_without_an_end_the_venues_clock_is_the_end(tmp_path):
    now_s = START_S + 600 + 30
    for venue in SYMBOLS:
        async with serving_past(Past(TRADES, now_s=now_s)) as past:
            query = query_of(venue, "candles", START_NS, FOREVER_NS)
            told = await got(past, venue, "candles", tmp_path, name=f"{venue}.tape", query=query)

        starts = events_of(tmp_path / f"{venue}.tape")["venue_ns"]
        newest = max(start_s for start_s in candles_of(TRADES, 60) if start_s + 60 <= now_s)
        assert starts[-1] == (newest * 10**9 if venue == "coinbase" else START_NS + 9 * MINUTE_NS)
        assert told["found"]["until_ns"] == now_s * 10**9


async def test_a_hole_that_stays_is_noted_on_the_tape(tmp_path):
    kept = [trade for trade in TRADES if not 1_200 <= trade.id < 1_210 and trade.id != 2_500]
    async with serving_past(Past(kept)) as past:
        told = await got(past, "binance", "trades", tmp_path)

    holes = [{"first_id": 1_200, "last_id": 1_209}, {"first_id": 2_500, "last_id": 2_500}]
    assert told["found"]["holes"] == holes == Tape.open(tmp_path / "x.tape").metadata["found"]["holes"]
    assert told["found"]["missing"] == 11
    assert len(past.paths) == len(set(past.paths)) + 2 * 2, "asked three times each"


async def test_the_budget_of_a_day_is_kept_across_starts_and_ends_at_midnight(tmp_path):
    async with serving_past(Past(TRADES)) as past:
        for _ in range(2):  # each start asks for the rules, which tell the day, and may have one page
            with pytest.raises(VenueError, match="budget of this day is used up"):
                await got(past, "kraken", "trades", tmp_path, daily_weight=2.0)
        assert [path.partition("?")[0] for path in past.paths] == [
            "/0/public/AssetPairs",
            "/0/public/Trades",
            "/0/public/AssetPairs",
        ]
        past.now_s += 86_400
        with pytest.raises(VenueError, match="used up"):
            await got(past, "kraken", "trades", tmp_path, daily_weight=2.0)
        past.now_s += 86_400
        await got(past, "kraken", "trades", tmp_path, daily_weight=100.0)

    check_trades(events_of(tmp_path / "x.tape"))


async def test_requests_are_spaced_unevenly_within_the_limit(tmp_path):
    limits = replace(FAST, requests_per_s=50.0)
    async with serving_past(Past(TRADES)) as past:
        await got(past, "coinbase", "trades", tmp_path, limits=limits)

    spaces = np.diff(past.times_s)
    assert len(spaces) > 10
    assert np.median(spaces) >= 1 / 50
    assert len(set(np.round(spaces, 4))) > len(spaces) // 2
