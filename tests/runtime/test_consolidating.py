"""Shares of time, counted nanosecond by nanosecond; tapes that do not belong together; and two real markets."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given

from streamtrader.errors import ConfigError, MarketFileError
from streamtrader.events import EVENT, Kind
from streamtrader.instruments import Instrument
from streamtrader.runtime.consolidating import Player, consolidate_tapes, rows_of
from streamtrader.runtime.importing import import_captures
from streamtrader.storage.tape import TapeWriter
from streamtrader.storage.tape_reader import Tape
from streamtrader.venues.consolidated import ConsolidatedBook, Crossing, Leg
from tests.venues.test_consolidated import MAX_AGE_NS, legs_of, naive_best, naive_top, tapes

SECOND = 1_000_000_000
START_NS = 1_700_000_000 * SECOND


@given(told=tapes())
def test_shares_are_those_of_every_single_nanosecond(told):
    rows, fees_bps = told
    merged = sorted(
        ((row[0], leg, *row[1:]) for leg, each in enumerate(rows) for row in each), key=lambda row: row[:2]
    )
    player = Player(ConsolidatedBook(legs_of(*fees_bps), MAX_AGE_NS))

    player.play(merged)

    last_ns = max((row[0] for row in merged), default=0)
    firsts = [next((at for at in range(130) if naive_top(each, at)[2]), 0) for each in rows]
    begin_ns = max(firsts) if all(firsts) else 0
    tally = player.tally
    assert (player.begin_ns, player.clock_ns) == (begin_ns, last_ns)
    moments = range(begin_ns, last_ns) if begin_ns else ()
    bests = [naive_best(rows, fees_bps, at) for at in moments]
    assert tally.duration_ns == len(bests)
    for name, at in (("bid", 0), ("ask", 1), ("quoted_bid", 2), ("quoted_ask", 3)):
        led = [best[at][0] for best in bests if best[at] is not None]
        assert tally.led_ns[name] == [led.count(leg) for leg in range(len(rows))]
    crossings = [crossing_of(best) for best in bests]
    assert tally.two_sided_ns == len(crossings) - crossings.count(Crossing.ONE_SIDED)
    for episodes, state in ((tally.locked, Crossing.LOCKED), (tally.crossed, Crossing.CROSSED)):
        runs = runs_of([crossing == state for crossing in crossings])
        assert (episodes.total_ns, episodes.count, episodes.longest_ns) == (
            sum(runs),
            len(runs),
            max(runs, default=0),
        )


def crossing_of(best):
    _, _, bid, ask = best
    if bid is None or ask is None:
        return Crossing.ONE_SIDED
    return Crossing(2 + (bid[1] > ask[1])) if bid[1] >= ask[1] else Crossing.NORMAL


def runs_of(flags):
    """Lengths of the runs of True."""
    return [len(run) for run in "".join("x" if flag else " " for flag in flags).split()]


def tape_of(path, quotes, *, venue="here", symbol="BTCUSDT", quote="USDT", fee_bps=10.0):
    """A tape of quotes, (seconds, bid, ask) each."""
    instrument = Instrument(venue, symbol, "BTC", quote, Decimal("0.01"), Decimal("0.001"), taker_fee_bps=fee_bps)
    events = np.zeros(len(quotes), EVENT)
    events["kind"] = Kind.QUOTE
    events["b"] = events["d"] = 1.0
    for at, (seconds, bid, ask) in enumerate(quotes):
        events["received_ns"][at] = events["venue_ns"][at] = START_NS + int(seconds * SECOND)
        events["a"][at], events["c"][at] = bid, ask
    with TapeWriter.create(path, [instrument], {}) as writer:
        writer.append(events)
    return path


def test_two_tapes_are_played_by_the_clock_of_receipt(tmp_path):
    one = tape_of(tmp_path / "one.tape", [(0, 100, 101), (2, 100, 101), (4, 100, 101)], venue="one")
    other = tape_of(tmp_path / "other.tape", [(0, 99, 102), (1, 103, 104), (3, 99, 102)], venue="other")

    told = consolidate_tapes([one, other])

    assert (told["assets"], told["duration_s"]) == (["BTC/USDT"], 4.0)
    assert [leg["leads_bid_share"] for leg in told["legs"]] == [0.5, 0.5]
    assert [leg["leads_ask_share"] for leg in told["legs"]] == [1.0, 0.0]
    assert told["crossed"] == told["profitable"] | {"widest_bps": pytest.approx(2 / 102 * 1e4)}
    assert (told["crossed"]["share"], told["crossed"]["episodes"], told["crossed"]["longest_ms"]) == (0.5, 1, 2_000.0)
    assert told["last"]["bid"] | {"net_price": 0} == {
        "price": 100.0, "size": 1.0, "net_price": 0, "age_ns": 0, "venue": "one", "symbol": "BTCUSDT", "kind": "spot",
    }  # fmt: skip


def test_a_venue_that_falls_silent_leads_only_while_it_is_believed(tmp_path):
    one = tape_of(tmp_path / "one.tape", [(at, 100, 101) for at in range(10)], venue="one")
    other = tape_of(tmp_path / "other.tape", [(0, 100.5, 100.9), (9, 99, 102)], venue="other")

    told = consolidate_tapes([one, other], max_age_s=3.0)

    (_, silent) = told["legs"]
    assert silent["leads_bid_share"] == silent["counts_share"] == pytest.approx(3 / 9)


def test_pairs_of_other_quote_currencies_count_only_where_that_is_asked_for(tmp_path):
    dollar = tape_of(tmp_path / "usd.tape", [(0, 100, 101), (5, 100, 101)], symbol="BTC-USD", quote="USD")
    tether = tape_of(tmp_path / "usdt.tape", [(0, 100, 101), (5, 100, 101)])

    with pytest.raises(ConfigError, match=r"--asset.*there are BTC/USD, BTC/USDT"):
        consolidate_tapes([dollar, tether])
    with pytest.raises(MarketFileError, match="1 market of it"):
        consolidate_tapes([dollar, tether], ["BTC/USD"])

    told = consolidate_tapes([dollar, tether], ["BTC/USD", "BTC/USDT"])
    assert [leg["symbol"] for leg in told["legs"]] == ["BTC-USD", "BTCUSDT"]
    assert told["two_sided_share"] == 1.0


def test_tapes_of_different_times_are_refused(tmp_path):
    one = tape_of(tmp_path / "one.tape", [(0, 100, 101), (5, 100, 101)], venue="one")
    later = tape_of(tmp_path / "later.tape", [(6, 100, 101), (9, 100, 101)], venue="later")

    with pytest.raises(MarketFileError, match=r"one\.tape ends before .*later\.tape begins"):
        consolidate_tapes([one, later])


def test_a_tape_without_a_book_is_named(tmp_path):
    one = tape_of(tmp_path / "one.tape", [(0, 100, 101), (5, 100, 101)], venue="one")
    empty = Instrument("mute", "BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.001"))
    events = np.zeros(2, EVENT)
    events["kind"], events["received_ns"], events["a"], events["b"] = Kind.TRADE, START_NS + SECOND, 1.0, 1.0
    events["received_ns"][1] += 3 * SECOND
    with TapeWriter.create(tmp_path / "mute.tape", [empty], {}) as writer:
        writer.append(events)

    with pytest.raises(MarketFileError, match="mute BTCUSDT: not one whole message"):
        consolidate_tapes([one, tmp_path / "mute.tape"])
    with pytest.raises(ConfigError, match="max-age-s"):
        consolidate_tapes([one], max_age_s=0.0)


@pytest.mark.slow
def test_the_tops_of_real_books_are_those_of_books_that_sort_everything(shared_data, tmp_path):
    path = tmp_path / "bybit.tape"
    import_captures([shared_data / "wire/bybit/cryptofeed_BYBIT.jsonl.zst"], path)
    tape = Tape.open(path)
    numbers = dict(enumerate(range(len(tape.instruments))))
    legs = [Leg(each.venue, each.symbol) for each in tape.instruments]
    levels = [({}, {}) for _ in legs]
    compared = 0

    for received_ns, leg, kind, side, flags, *words in rows_of(tape, numbers):
        if kind == Kind.BOOK_CLEAR:
            levels[leg] = ({}, {})
        elif kind == Kind.BOOK:
            levels[leg][side][words[0]] = words[1]
        is_whole = legs[leg].take(kind, side, flags, received_ns, *words)
        bids, asks = ({price: size for price, size in each.items() if size} for each in levels[leg])
        if is_whole and bids and asks:
            compared += 1
            assert legs[leg].bid == (max(bids), bids[max(bids)])
            assert legs[leg].ask == (min(asks), asks[min(asks)])
            assert legs[leg].is_trusted

    assert compared > 2_000


def test_two_real_markets_of_one_asset_agree_about_its_price(shared_data, tmp_path):
    """Spot and perpetual of Bybit, 42 s of the same minute: prices 4 bp apart, and never worth two fees."""
    tape = tmp_path / "bybit.tape"
    import_captures([shared_data / "wire/bybit/cryptofeed_BYBIT.jsonl.zst"], tape)

    told = consolidate_tapes([tape], ["BTC/USDT"])

    assert [leg["kind"] for leg in told["legs"]] == ["perpetual", "spot"]
    assert 42.0 < told["duration_s"] < 43.0
    assert told["two_sided_share"] == 1.0
    for side in ("bid", "ask", "quoted_bid", "quoted_ask"):
        assert sum(leg[f"leads_{side}_share"] for leg in told["legs"]) == pytest.approx(1.0)
    assert told["profitable"]["share"] == 0.0
    assert 0.0 < told["crossed"]["widest_bps"] < 5.0
    assert -5.0 < told["last"]["quoted_spread_bps"] < 5.0
