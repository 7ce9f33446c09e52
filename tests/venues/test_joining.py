"""Pages put together: whatever they tell twice or in disorder, each trade and each interval comes once."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.venues.history import CANDLES, FOREVER_NS, TRADES, Query, candle_rows, history_of, trade_rows
from streamtrader.venues.joining import LATE_NS, CandleJoiner, TradeJoiner

MINUTE_NS = 60 * 10**9
START_NS = 28_333_334 * MINUTE_NS
BINANCE = history_of("binance")


def trades(ids):
    ids = list(ids)
    clocks = [START_NS + identity * 10**9 for identity in ids]
    return trade_rows(ids, clocks, [100.0 + identity for identity in ids], [1.0] * len(ids), [0] * len(ids))[0]


def candles(minutes):
    minutes = list(minutes)
    prices = [(100.0 + at, 102.0 + at, 99.0 + at, 101.0 + at) for at in minutes]
    return candle_rows([START_NS + at * MINUTE_NS for at in minutes], prices, [1.0] * len(minutes), MINUTE_NS)[0]


def minutes_of(rows):
    return ((rows["venue_ns"] - START_NS) // MINUTE_NS).tolist()


@given(
    cuts=st.lists(st.integers(0, 60), max_size=6),
    overlap=st.integers(0, 5),
    seed=st.integers(0, 99),
    is_restarted=st.booleans(),
)
def test_trades_come_once_and_in_order_however_they_are_paged(cuts, overlap, seed, is_restarted):
    query, random = Query(TRADES, "X", START_NS + 5 * 10**9, START_NS + 50 * 10**9), np.random.default_rng(seed)
    joiner, found = TradeJoiner(query), []
    bounds = sorted({0, *cuts, 60})
    for start, stop in pairwise(bounds):
        page = trades(random.permutation(range(max(0, start - overlap), stop)))
        page = np.concatenate([page, page[: len(page) // 2]])
        found.append(joiner.take(page, 0, may_have_holes=False))
        if is_restarted:
            joiner = TradeJoiner(query, json.loads(json.dumps(joiner.state())))

    rows = np.concatenate(found)
    assert rows["id"].tolist() == list(range(5, 50))
    assert (np.diff(rows["received_ns"]) >= 0).all()
    assert joiner.found() == {"missing": 0, "holes": []}


def test_a_hole_is_asked_for_again_and_then_noted():
    joiner = TradeJoiner(Query(TRADES, "X", START_NS))
    joiner.take(trades(range(3)), 0, may_have_holes=False)

    assert joiner.take(trades([4, 5, 8]), 0, may_have_holes=False) is None
    assert joiner.take(trades([3, 4, 5]), 0, may_have_holes=False)["id"].tolist() == [3, 4, 5]
    assert joiner.take(trades([8, 9]), 0, may_have_holes=True)["id"].tolist() == [8, 9]
    assert joiner.found() == {"missing": 2, "holes": [{"first_id": 6, "last_id": 7}]}


def test_a_clock_that_steps_back_does_not_disorder_the_tape():
    rows = trades([1, 2, 3])
    rows["venue_ns"][1] -= 5 * 10**9

    taken = TradeJoiner(Query(TRADES, "X", START_NS - 10**12)).take(rows, 0, may_have_holes=False)

    assert taken["venue_ns"].tolist() == rows["venue_ns"].tolist()
    assert (np.diff(taken["received_ns"]) >= 0).all()


@given(missing=st.sets(st.integers(1, 38)), cuts=st.lists(st.integers(0, 40), max_size=5), is_restarted=st.booleans())
def test_every_interval_has_its_candle_and_filled_ones_are_flat(missing, cuts, is_restarted):
    query = Query(CANDLES, "X", START_NS, START_NS + 40 * MINUTE_NS, MINUTE_NS)
    joiner, found, now_ns = CandleJoiner(query, BINANCE), [], START_NS + 10**15
    bounds = sorted({0, *cuts, 40})
    for start, stop in pairwise(bounds):
        page = candles(minute for minute in range(start, stop) if minute not in missing)[::-1]
        found.append(joiner.take(page, now_ns, may_have_holes=True))
        if is_restarted:
            joiner = CandleJoiner(query, BINANCE, json.loads(json.dumps(joiner.state())))
    found.append(joiner.finish(now_ns))

    rows = np.concatenate(found)
    assert minutes_of(rows) == list(range(40))
    assert joiner.found() == {"filled": len(missing), "missing_before": 0}
    assert joiner.is_done
    for minute, row in enumerate(rows):
        close = rows[minute - 1]["d"] if minute in missing else 101.0 + minute
        assert row["d"] == close
        assert row["id"].view("f8") == (0.0 if minute in missing else 1.0)
        assert row["received_ns"] - row["venue_ns"] == MINUTE_NS
        if minute in missing:
            assert {row[word].item() for word in "abcd"} == {close}


def test_open_candles_wait_and_those_of_before_the_venue_remembers_are_counted():
    query = Query(CANDLES, "X", START_NS, FOREVER_NS, MINUTE_NS)
    joiner = CandleJoiner(query, BINANCE)

    now_ns = START_NS + 10 * MINUTE_NS + 1
    rows = joiner.take(candles(range(4, 12)), now_ns, may_have_holes=False)

    assert minutes_of(rows) == [4, 5, 6, 7, 8, 9]
    assert joiner.found() == {"filled": 0, "missing_before": 4}
    assert minutes_of(CandleJoiner(query, BINANCE).take(candles(range(4)), 0, may_have_holes=False)) == [0, 1, 2]


def test_the_end_is_filled_once_nothing_can_be_late_any_more():
    query = Query(CANDLES, "X", START_NS, START_NS + 10 * MINUTE_NS, MINUTE_NS)
    joiner = CandleJoiner(query, BINANCE)
    joiner.take(candles(range(7)), query.stop_ns + 10**12, may_have_holes=False)

    assert len(joiner.finish(query.stop_ns + LATE_NS - 1)) == 0
    assert minutes_of(joiner.finish(query.stop_ns + LATE_NS)) == [7, 8, 9]
