"""A check finds what is wrong, counts it, says where it was first, and leaves a clean market alone."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.events import EVENT, BookState, Kind
from streamtrader.runtime.checking import check_events, check_tape
from streamtrader.runtime.checking_ids import IdRanges
from streamtrader.storage.tape import TapeWriter
from streamtrader.units import NS_PER_MS, NS_PER_S
from tests.storage.taping import BTCUSDT

START_NS = 1_723_161_600_000_000_000
COUNT = 3_000
TRADE, QUOTE, CANDLE, LINK = 0, 1, 2, 3  # every fourth event


def market(count: int = COUNT) -> np.ndarray:
    """Trades, quotes and candles of a calm market in turn, ten a second, 5 ms after the venue's clock."""
    random = np.random.default_rng(7)
    events = np.zeros(count, EVENT)
    number = np.arange(count)
    events["received_ns"] = START_NS + number * NS_PER_S // 10
    events["venue_ns"] = events["received_ns"] - 5 * NS_PER_MS - random.integers(0, NS_PER_MS, count)
    price = np.round(100.0 + np.cumsum(random.normal(0, 0.002, count)), 3)
    events["kind"] = np.array([Kind.TRADE, Kind.QUOTE, Kind.CANDLE, Kind.LINK])[number % 4]
    events["a"], events["b"] = price, 1.0 + number % 3
    events["id"] = 1000 + number // 4
    quotes, candles, links = (events["kind"] == kind for kind in (Kind.QUOTE, Kind.CANDLE, Kind.LINK))
    events["c"][quotes], events["d"][quotes] = price[quotes] + 0.01, 2.0
    for field, above in (("a", 0.0), ("b", 0.1), ("c", -0.1), ("d", 0.05)):
        events[field][candles] = price[candles] + above
    events["id"][candles] = np.array([3.5]).view(np.int64)[0]
    events["venue_ns"][candles] = START_NS + number[candles] // 4 * NS_PER_S
    events["a"][links], events["b"][links], events["venue_ns"][links] = BookState.LIVE, 0.0, 0
    return events


def found(events: np.ndarray, pieces: int = 1) -> dict[str, tuple[int, int]]:
    """Count and first event of each finding."""
    result = check_events(np.array_split(events, pieces))
    assert all(
        finding.at_ns == events["received_ns"][finding.event] for finding in result.findings if finding.event >= 0
    )
    return {finding.check: (finding.count, finding.event) for finding in result.findings}


@pytest.mark.parametrize("pieces", [1, 7, 500])
def test_a_clean_market_has_no_findings(pieces):
    assert found(market(), pieces) == {}


def changed(field: str, row: int, value: float):
    def change(events: np.ndarray) -> None:
        events[field][row] = value

    return change


def of_candle(volume: float) -> int:
    return int(np.array([volume]).view(np.int64)[0])


AT = 1200  # a trade; 1201 a quote, 1202 a candle, 1203 a link
WRONG = {
    "NaN price": ("not_a_number", AT, changed("a", AT, np.nan)),
    "infinite size": ("not_a_number", AT, changed("b", AT, np.inf)),
    "NaN volume": ("not_a_number", AT + 2, changed("id", AT + 2, of_candle(np.nan))),
    "negative price": ("impossible_value", AT, changed("a", AT, -100.0)),
    "price of 0": ("impossible_value", AT, changed("a", AT, 0.0)),
    "absurd size": ("impossible_value", AT, changed("b", AT, 2e15)),
    "trade of nothing": ("impossible_value", AT, changed("b", AT, 0.0)),
    "quote of a size without a price": ("impossible_value", AT + 1, changed("a", AT + 1, 0.0)),
    "negative quote": ("impossible_value", AT + 1, changed("d", AT + 1, -1.0)),
    "negative volume": ("impossible_value", AT + 2, changed("id", AT + 2, of_candle(-1.0))),
    "venue time below 0": ("impossible_value", AT + 3, changed("venue_ns", AT + 3, -1)),
    "low above high": ("candle_inconsistent", AT + 2, changed("c", AT + 2, 101.0)),
    "open above high": ("candle_inconsistent", AT + 2, changed("a", AT + 2, 101.0)),
    "close below low": ("candle_inconsistent", AT + 2, changed("d", AT + 2, 50.0)),
    "crossed quote": ("quote_crossed", AT + 1, changed("c", AT + 1, 99.9)),
    "gap": ("book_gap", AT + 3, changed("a", AT + 3, BookState.GAP)),
    "crossed book": ("book_crossed", AT + 3, changed("a", AT + 3, BookState.CROSSED)),
    "stale book": ("book_stale", AT + 3, changed("a", AT + 3, BookState.STALE)),
    "outlier of a trade": ("price_outlier", AT, changed("a", AT, 101.0)),
    "unknown kind": ("unknown_kind", AT, changed("kind", AT, 99)),
    "book that stays in the dark": ("book_not_live", COUNT - 1, changed("a", COUNT - 1, BookState.SYNCING)),
}
ALSO = {"unknown kind": {"trade_id_gap"}}  # the trade is gone, and that is seen


@pytest.mark.parametrize("pieces", [1, 300])
@pytest.mark.parametrize("what", WRONG)
def test_one_wrong_event_is_one_finding_at_its_place(what, pieces):
    check, place, change = WRONG[what]
    events = market()
    change(events)

    findings = found(events, pieces)

    assert findings.pop(check) == (1, place)
    assert set(findings) - ALSO.get(what, set()) == set()


def test_a_price_that_says_nothing_of_its_moment_is_no_outlier():
    events = market()
    events["a"][AT], events["c"][AT] = 101.0, 1.0

    assert found(events) == {}


def test_a_size_that_the_lots_of_its_instrument_cannot_count_is_a_fault(tmp_path):
    events = market()
    events["b"][AT] = 5e11
    coarse, fine = (replace(BTCUSDT, size_lot=Decimal(lot)) for lot in ("1", "1E-8"))
    for name, instrument in (("coarse", coarse), ("fine", fine)):
        with TapeWriter.create(tmp_path / name, [instrument], {}) as writer:
            writer.append(events)

    impossible = [each for each in check_tape(tmp_path / "fine").findings if each.check == "impossible_value"]

    assert [(each.count, each.event) for each in impossible] == [(1, AT)]
    assert check_tape(tmp_path / "coarse").is_clean


def test_a_locked_quote_is_a_warning(tmp_path):
    events = market()
    events["c"][AT + 1] = events["a"][AT + 1]

    result = check_events([events])

    assert [(finding.check, finding.severity) for finding in result.findings] == [("quote_locked", "warning")]
    assert result.is_clean


def test_an_empty_side_of_a_quote_is_no_fault():
    events = market()
    events["c"][AT + 1] = events["d"][AT + 1] = 0.0

    assert found(events) == {}


def test_a_stale_book_at_the_end_is_the_end_of_the_market():
    events = market()
    events["a"][COUNT - 1] = BookState.STALE

    assert found(events) == {}


def test_a_clock_that_goes_back_is_a_fault_when_it_is_ours_and_a_warning_when_it_is_the_venues():
    ours, venues = market(), market()
    ours["received_ns"][AT] = ours["received_ns"][AT - 1] - 1
    venues["venue_ns"][AT] = venues["venue_ns"][AT - 4] - 1

    assert found(ours)["received_disorder"] == (1, AT)
    assert not check_events([ours]).is_clean
    assert found(venues) == {"venue_disorder": (1, AT)}
    assert check_events([venues]).is_clean


def test_a_repeated_a_missing_and_a_late_trade_are_told_apart():
    again, missing, late = market(), market(), market()
    again["id"][AT] = again["id"][AT - 8]
    missing["id"][AT::4] += 3
    late["id"][[AT, AT + 4]] = late["id"][[AT + 4, AT]]

    repeated = found(again)
    assert repeated["trade_repeated"] == (1, AT)
    assert repeated["trade_id_gap"] == (1, AT + 4)  # its own id is never seen
    assert found(missing) == {"trade_id_gap": (1, AT)}
    assert check_events([missing]).trade_ids_missing == 3
    assert found(late) == {"trade_late": (1, AT + 4)}


def test_holes_are_no_fault_where_ids_do_not_count_one_by_one():
    events = market()
    events["id"][::4] = 10 + 7 * np.arange(len(events[::4]))

    assert found(events) == {}


def test_a_repetition_is_found_however_far_apart_and_in_whatever_order():
    events = market()
    events["id"][::4] = np.random.default_rng(1).permutation(10**6)[: len(events[::4])] + 1
    events["id"][AT] = events["id"][4]

    assert found(events, pieces=300)["trade_repeated"] == (1, AT)


@given(parts=st.lists(st.lists(st.integers(-20, 60), min_size=1, max_size=20), max_size=8))
def test_ranges_of_ids_remember_like_a_set(parts):
    ranges, seen = IdRanges(), set()
    for ids in parts:
        expected = []
        for one in ids:
            expected.append(one in seen)
            seen.add(one)
        assert ranges.add(np.array(ids, np.int64)).tolist() == expected
    covered = {
        one for a, b in zip(ranges.starts.tolist(), ranges.stops.tolist(), strict=True) for one in range(a, b + 1)
    }
    assert covered == seen
    assert (ranges.starts[1:] > ranges.stops[:-1] + 1).all()


def test_a_quote_and_a_candle_that_come_twice_are_told():
    events = market()
    events["id"][AT + 1] = events["id"][AT - 3]
    for field in ("venue_ns", "a", "b", "c", "d", "id"):
        events[field][AT + 2] = events[field][AT - 2]

    findings = found(events)

    assert findings["quote_repeated"] == (1, AT + 1)
    assert findings["candle_repeated"] == (1, AT + 2)


def test_a_hole_between_candles_is_told():
    events = market()
    candles = events["kind"] == Kind.CANDLE

    assert found(events[~candles | (np.arange(COUNT) != AT + 2)]) == {"candle_missing": (1, AT + 5)}


def test_a_silence_is_told_by_its_length_and_only_where_it_is_unusual():
    events = market()
    events["received_ns"][AT:] += 600 * NS_PER_S
    events["venue_ns"][AT:] += 600 * NS_PER_S * (events["venue_ns"][AT:] > 0)
    slow = market()
    slow["received_ns"] = START_NS + np.arange(COUNT) * 60 * NS_PER_S
    slow["venue_ns"] = 0

    findings = check_events([events]).findings

    silence = next(finding for finding in findings if finding.check == "silence")
    assert (silence.count, silence.event, silence.detail) == (
        3,
        AT,
        "the longest of 600 s",
    )  # trades, quotes, candles
    assert "silence" not in found(slow)


def test_a_clock_that_is_behind_is_told_with_its_size():
    events = market()
    timed = np.isin(events["kind"], (Kind.TRADE, Kind.QUOTE))
    events["venue_ns"][timed] += 105 * NS_PER_MS

    result = check_events([events])

    (finding,) = result.findings
    assert (finding.check, finding.count, finding.event) == ("negative_latency", np.count_nonzero(timed), 0)
    assert finding.detail == "the median of received minus venue time is -99.5 ms"
    assert result.clock_skew_ms == pytest.approx(-99.5, abs=0.1)


@pytest.mark.parametrize("ppm", [-300, -100, 100, 300])
def test_a_clock_that_drifts_is_told_with_its_rate(ppm):
    """Behind a latency that queues lengthen at random, as networks do."""
    events = market()
    timed = np.isin(events["kind"], (Kind.TRADE, Kind.QUOTE))
    queued = np.random.default_rng(3).exponential(20 * NS_PER_MS, COUNT).astype(np.int64)
    drifted = ((events["received_ns"] - START_NS) * (ppm / 1e6)).astype(np.int64) + 100 * NS_PER_MS
    events["venue_ns"][timed] -= (queued + drifted)[timed]

    result = check_events([events])

    assert result.clock_drift_ppm == pytest.approx(ppm, abs=8)
    assert {finding.check for finding in result.findings} >= {"clock_drift"}


def test_a_steady_clock_behind_a_noisy_line_does_not_drift():
    events = market()
    timed = np.isin(events["kind"], (Kind.TRADE, Kind.QUOTE))
    events["venue_ns"][timed] -= np.random.default_rng(3).exponential(20 * NS_PER_MS, COUNT).astype(np.int64)[timed]

    assert "clock_drift" not in found(events)


def test_a_jump_that_lasts_is_no_outlier_and_a_spike_is():
    jumped, spiked = market(), market()
    for field in "abcd":
        jumped[field][AT:] *= 1.05 if field in "ac" else 1.0
    jumped = jumped[jumped["kind"] != Kind.CANDLE]
    spiked["a"][[AT, AT + 4, AT + 8]] *= 0.95

    assert "price_outlier" not in found(jumped)
    assert found(spiked)["price_outlier"] == (3, AT)


def test_each_venue_has_a_clock_of_its_own():
    one, other = market(), market()
    other["instrument"] = 1
    other["venue_ns"][np.isin(other["kind"], (Kind.TRADE, Kind.QUOTE))] += NS_PER_S
    events = np.concatenate((one, other))
    events = events[np.argsort(events["received_ns"], kind="stable")]

    result = check_events([events], ["kraken", "binance"], ["XBT/USD", "BTCUSDT"])

    (finding,) = result.findings
    assert (finding.check, finding.instrument) == ("negative_latency", "BTCUSDT")
    assert finding.detail.startswith("binance: the median of received minus venue time is -99")


def test_a_torn_tail_is_a_warning_and_the_rest_is_checked(tmp_path):
    with TapeWriter.create(tmp_path / "x.tape", [BTCUSDT], {}) as writer:
        writer.append(market())
        writer.append(market())
    data = (tmp_path / "x.tape").read_bytes()
    (tmp_path / "x.tape").write_bytes(data[:-100])

    result = check_tape(tmp_path / "x.tape")

    assert [finding.check for finding in result.findings] == ["torn_tail"]
    assert result.is_clean and sum(result.events.values()) == COUNT


def test_an_empty_tape_has_nothing_wrong_with_it(tmp_path):
    TapeWriter.create(tmp_path / "x.tape", [BTCUSDT], {}).close()

    result = check_tape(tmp_path / "x.tape")

    assert (result.is_clean, result.events, result.findings) == (True, {}, [])
