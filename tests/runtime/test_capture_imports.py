"""Captures of every venue become tapes: the books proved, several connections kept apart, damage told and contained."""

from __future__ import annotations

import json
from decimal import Decimal

import numpy as np
import pytest

from streamtrader.errors import ConfigError, MarketFileError
from streamtrader.events import BookState, Kind
from streamtrader.runtime.checking import check_tape
from streamtrader.runtime.importing import import_captures
from streamtrader.storage.tape import Tape
from tests.runtime.test_importing import capture
from tests.storage.test_captures import cbcap, cryptofeed
from tests.venues.frames import snapshot, spot_depth, usdm_depth
from tests.venues.test_kraken import ASKS, BIDS, book, crc_of

GOOD = crc_of(ASKS, BIDS)

# file: frames, unknown, (checksums verified, failed), snapshots, instruments
RECORDED = {
    "kraken/crossbook_kraken_btcusd_sample.cbcap": (2_104, 0, (2_052, 0), 1, 1),
    "kraken/sdk_orderbook-v2.json": (510, 0, (510, 0), 1, 1),
    "coinbase/cryptofeed_COINBASE_EXCHANGE_2021.ws.txt.gz": (9_946, 0, (0, 0), 10, 10),
    "binance/cryptofeed_BINANCE_FUTURES.jsonl.zst": (1_535, None, (0, 0), 4, 4),
}


def events_of(path):
    return np.concatenate([np.asarray(events) for events in Tape.open(path).events()])


def states_of(events, instrument):
    links = events[(events["kind"] == Kind.LINK) & (events["instrument"] == instrument)]
    return [BookState(int(state)) for state in links["a"]]


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_capture_becomes_a_tape_whose_books_are_proved(shared_data, tmp_path, name):
    frames, unknown, checksums, snapshots, instruments = RECORDED[name]

    result = import_captures([shared_data / "wire" / name], tmp_path / "out.tape")

    assert (result.frames, result.snapshots, len(result.instruments)) == (frames, snapshots, instruments)
    assert result.checksums == {"verified": checksums[0], "failed": checksums[1]}
    assert (result.rejected, result.gaps, result.faults, result.books_not_live) == (0, 0, 0, [])
    assert unknown is None or result.unknown == unknown
    checked = check_tape(tmp_path / "out.tape")
    assert (checked.crossed, checked.gaps, checked.not_a_number, checked.out_of_order) == (0, 0, 0, 0)


def test_ids_that_do_not_count_one_by_one_have_no_gaps(shared_data, tmp_path):
    """Bybit's are hashes on one market and rise in leaps on the other; the check of the tape says the same."""
    result = import_captures([shared_data / "wire/bybit/cryptofeed_BYBIT.jsonl.zst"], tmp_path / "out.tape")

    checked = check_tape(tmp_path / "out.tape")
    assert (result.trades, result.trade_id_gaps, result.trade_ids_repeated) == (347, 0, 0)
    assert (checked.trade_id_gaps, checked.trade_ids_repeated) == (0, 0)


def test_exact_rules_are_taken_from_the_answers_in_a_capture(shared_data, tmp_path):
    path = shared_data / "wire/binance/cryptofeed_BINANCE_FUTURES.jsonl.zst"

    result = import_captures([path], tmp_path / "out.tape")

    steps = {each.symbol: (each.price_tick, each.size_lot) for each in result.instruments}
    assert steps["SUSHIUSDT"] == (Decimal("0.001"), Decimal(1))
    assert {each.minimum_notional for each in result.instruments} == {Decimal(5)}
    assert {each.kind for each in result.instruments} == {"perpetual"}


def test_a_flipped_digit_in_one_symbol_leaves_the_others_whole(tmp_path):
    change = [("100.0", "9.00000000")]
    checksum = crc_of(ASKS, [BIDS[0], change[0]])
    frames = []
    for symbol in ("BTC/USD", "ETH/USD"):
        frames += [book("snapshot", BIDS, ASKS, GOOD, symbol), book("update", change, [], checksum, symbol)]
        frames.append(book("update", [("100.0", "0.02000000")], [], GOOD, symbol))
    whole, flipped = tmp_path / "whole.cbcap", tmp_path / "flipped.cbcap"
    whole.write_bytes(cbcap(*frames))
    flipped.write_bytes(cbcap(*(frame.replace(b"9.00000000", b"9.00000001") if index == 4 else frame
                                for index, frame in enumerate(frames))))  # fmt: skip

    import_captures([whole], tmp_path / "whole.tape")
    result = import_captures([flipped], tmp_path / "flipped.tape")

    assert result.checksums == {"verified": 4, "failed": 1}
    assert (result.gaps, result.resyncs, result.books_not_live) == (1, 1, ["ETH/USD"])
    before, after = events_of(tmp_path / "whole.tape"), events_of(tmp_path / "flipped.tape")
    assert states_of(after, 1)[-2:] == [BookState.GAP, BookState.SYNCING]
    assert before[before["instrument"] == 0].tobytes() == after[after["instrument"] == 0].tobytes()


def test_the_same_symbol_of_two_markets_is_two_instruments(tmp_path):
    path = tmp_path / "capture"
    spot = {"stream": "btcusdt@trade", "data": {"e": "trade", "E": 1, "s": "BTCUSDT", "t": 1, "p": "5.5", "q": "1", "T": 1, "m": True, "M": True}}  # fmt: skip
    path.write_bytes(
        cryptofeed(
            {"t": "connect", "conn": "B.1", "ts": 1.0, "addr": "wss://fstream.binance.com/stream"},
            {"t": "connect", "conn": "B.2", "ts": 1.1, "addr": "wss://stream.binance.com:9443/stream"},
            {"t": "recv", "conn": "B.1", "ts": 1.2, "data": usdm_depth(9, 11, 8).decode()},
            {"t": "recv", "conn": "B.2", "ts": 1.3, "data": json.dumps(spot)},
            {"t": "http", "conn": "B.h", "ts": 1.4, "url": "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=5",
             "data": snapshot(10).decode()},
            {"t": "recv", "conn": "B.1", "ts": 1.5, "data": usdm_depth(15, 18, 11).decode()},
            exchange="BINANCE",
        )
    )  # fmt: skip

    result = import_captures([path], tmp_path / "out.tape")

    assert [(each.symbol, each.kind) for each in result.instruments] == [
        ("BTCUSDT", "perpetual"),
        ("BTCUSDT", "spot"),
    ]
    assert (result.snapshots, result.answers_unused, result.books_not_live) == (1, 0, [])
    events = events_of(tmp_path / "out.tape")
    assert events[events["kind"] == Kind.TRADE]["instrument"].tolist() == [1]
    assert set(events[events["kind"] == Kind.BOOK]["instrument"].tolist()) == {0}
    assert states_of(events, 0) == [BookState.SYNCING, BookState.LIVE]
    assert states_of(events, 1) == [BookState.LIVE]  # no books there: nothing to synchronise


def test_a_connection_without_books_does_not_speak_for_the_one_that_has_them(tmp_path):
    trade = {"channel": "trade", "type": "update", "data": [{"symbol": "BTC/USD", "side": "buy", "price": 1.5, "qty": 2.0, "trade_id": 1}]}  # fmt: skip
    path = tmp_path / "capture"
    path.write_bytes(
        cryptofeed(
            {"t": "connect", "conn": "K.1", "ts": 1.0, "addr": "wss://ws.kraken.com/v2"},
            {"t": "connect", "conn": "K.2", "ts": 1.1, "addr": "wss://ws.kraken.com/v2"},
            {"t": "recv", "conn": "K.1", "ts": 1.2, "data": book("snapshot", BIDS, ASKS, GOOD).decode()},
            {"t": "recv", "conn": "K.2", "ts": 1.3, "data": json.dumps(trade)},
        )
    )

    result = import_captures([path], tmp_path / "out.tape")

    events = events_of(tmp_path / "out.tape")
    assert len(result.instruments) == 1
    assert states_of(events, 0) == [BookState.SYNCING, BookState.LIVE]
    assert events[events["kind"] == Kind.TRADE]["instrument"].tolist() == [0]


def test_a_connection_that_was_opened_again_starts_its_books_again(tmp_path):
    path = tmp_path / "capture"
    opened = {"t": "connect", "conn": "K.1", "addr": "wss://ws.kraken.com/v2"}
    path.write_bytes(
        cryptofeed(
            opened | {"ts": 1.0},
            {"t": "recv", "conn": "K.1", "ts": 1.2, "data": book("snapshot", BIDS, ASKS, GOOD).decode()},
            opened | {"ts": 2.0},
            {"t": "recv", "conn": "K.1", "ts": 2.2, "data": book("snapshot", BIDS, ASKS, GOOD).decode()},
        )
    )

    import_captures([path], tmp_path / "out.tape")

    syncing, live, stale = BookState.SYNCING, BookState.LIVE, BookState.STALE
    assert states_of(events_of(tmp_path / "out.tape"), 0) == [syncing, live, stale, syncing, live]


def test_the_venue_may_be_named_where_the_capture_does_not_tell_it(tmp_path):
    path = tmp_path / "capture"
    path.write_bytes(book("snapshot", BIDS, ASKS, GOOD) + b"\n" + b'{"channel":"heartbeat"}\n')

    result = import_captures([path], tmp_path / "out.tape", venue="kraken")

    assert (result.format, result.venues, result.checksums["verified"]) == ("json-lines", ["kraken"], 1)


def test_another_format_than_the_wanted_one_is_refused(tmp_path):
    path = tmp_path / "some.cbcap"
    path.write_bytes(cbcap(book("snapshot", BIDS, ASKS, GOOD)))

    with pytest.raises(MarketFileError, match=r"some\.cbcap: cbcap, not binance-raw"):
        import_captures([path], tmp_path / "out.tape", wanted_format="binance-raw")


def test_frames_of_no_venue_are_refused_with_the_venues_there_are(tmp_path):
    path = tmp_path / "capture"
    path.write_bytes(b'{"hello":"world"}\n' * 3)

    with pytest.raises(MarketFileError, match="no frame of a venue that is known here"):
        import_captures([path], tmp_path / "out.tape")


def test_a_named_venue_that_is_not_known_or_not_in_the_capture_is_refused(tmp_path):
    path = tmp_path / "some.cbcap"
    path.write_bytes(cbcap(book("snapshot", BIDS, ASKS, GOOD)))

    with pytest.raises(ConfigError, match="there is no venue 'krakn'; there are: alpaca"):
        import_captures([path], tmp_path / "out.tape", venue="krakn")
    with pytest.raises(MarketFileError, match="no frame of binance; without --venue it is found"):
        import_captures([path], tmp_path / "out.tape", venue="binance")


def test_files_of_two_venues_or_of_two_markets_of_one_are_refused(tmp_path):
    capture(tmp_path / "spot", [spot_depth(9, 11), snapshot(10), spot_depth(12, 13)])
    capture(tmp_path / "futures", [usdm_depth(9, 11, 8), snapshot(10), usdm_depth(12, 13, 11)])
    (tmp_path / "some.cbcap").write_bytes(cbcap(book("snapshot", BIDS, ASKS, GOOD)))

    with pytest.raises(MarketFileError, match=r"some.cbcap is of kraken spot, spot of binance spot: import each"):
        import_captures([tmp_path / "spot", tmp_path / "some.cbcap"], tmp_path / "out.tape")
    with pytest.raises(MarketFileError, match="futures is of binance perpetual, spot of binance spot: import each"):
        import_captures([tmp_path / "spot", tmp_path / "futures"], tmp_path / "out.tape")


def test_a_file_that_is_given_twice_is_refused(tmp_path):
    path = capture(tmp_path / "spot", [spot_depth(9, 11), snapshot(10), spot_depth(12, 13)])

    with pytest.raises(MarketFileError, match="spot is given twice"):
        import_captures([path, tmp_path / "." / "spot"], tmp_path / "out.tape")
