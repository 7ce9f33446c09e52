"""Databento's files: orders become the levels that they make, and the rest what it is."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from streamtrader.errors import MarketFileError
from streamtrader.events import MORE, BookState, Kind
from streamtrader.storage.importers import dbn_records
from tests.storage.importers.files import book_of, imported, unpacked

dbn = pytest.importorskip("databento_dbn")


@pytest.fixture
def orders(shared_data):
    folder = shared_data / "ticks/cme"
    return [folder / f"esh4-glbx-mdp3-{day}.mbo.dbn.zst" for day in ("20231224", "20231225")]


@pytest.fixture
def options(shared_data):
    return shared_data / "options/databento"


def records_of(path):
    data = unpacked(path)
    return np.frombuffer(data[8 + int.from_bytes(data[4:8], "little") :], np.dtype(dbn.MBOMsg._dtypes))


def changes_by_event(records):
    """The slow twin: what each event changes of the levels, with dictionaries, as Databento's own example keeps them."""
    live, levels, before = {}, {}, {}

    def add(side, price, size):
        key = int(side == b"A"), price / 1e9
        before.setdefault(key, levels.get(key, 0.0))
        levels[key] = levels.get(key, 0.0) + size

    fields = ["order_id", "price", "size", "flags", "action", "side"]
    for order_id, price, size, flags, action, side in records[fields].tolist():
        if action in (b"A", b"M", b"C") and order_id in live:
            kept = live.pop(order_id)
            add(kept[0], kept[1], -kept[2])
            if action == b"C":
                side, price, size = kept[0], kept[1], kept[2] - size
        if action in (b"A", b"M", b"C") and size > 0:
            live[order_id] = (side, price, size)
            add(side, price, size)
        if flags & 0x80:
            changed = {key: levels[key] for key, size in before.items() if levels[key] != size}
            before.clear()
            if changed:
                yield changed


def changes_by_message(events):
    changed = {}
    for kind, side, price, size, flags in events[["kind", "side", "a", "b", "flags"]].tolist():
        if kind == Kind.BOOK:
            assert (side, price) not in changed, "one row for each level of a message"
            changed[side, price] = size
        if changed and not flags & MORE and kind in (Kind.BOOK, Kind.LINK):
            yield changed
            changed = {}


def test_every_event_of_a_day_changes_the_levels_that_its_orders_make(tmp_path, orders):
    _, events = imported(tmp_path, orders[1])

    messages = list(changes_by_message(events))

    assert messages == list(changes_by_event(records_of(orders[1])))
    assert len(messages) > 40_000
    assert len(messages[0]) > 1_000


def test_a_day_continues_the_snapshot_of_the_day_before(tmp_path, orders):
    result, events = imported(tmp_path, *orders)
    _, alone = imported(tmp_path, orders[1])

    assert result.rows == 8_725 + 68_792
    assert (result.events["trade"], result.gaps, result.left_out) == (2_973, 0, {})
    assert events[events["kind"] == Kind.LINK]["a"].tolist() == [BookState.SYNCING, BookState.LIVE]
    assert book_of(events) == book_of(alone)
    trades = records_of(orders[1])
    trades = trades[trades["action"] == b"T"]
    own = events[events["kind"] == Kind.TRADE]
    assert own["a"].tolist() == [price / 1e9 for price in trades["price"].tolist()]
    told = trades["side"] != b"N"
    assert own["side"][told].tolist() == [int(side == b"A") for side in trades["side"][told].tolist()]


def test_the_book_is_crossed_in_the_auction_before_the_opening_only(tmp_path, orders):
    """Orders of the pre-opening may cross; it ended at 23:00 UTC, and trading began."""
    _, events = imported(tmp_path, orders[1])

    bids, asks, crossed = {}, {}, []
    for kind, side, price, size, flags, at_ns in events[["kind", "side", "a", "b", "flags", "received_ns"]].tolist():
        if kind == Kind.BOOK:
            levels = asks if side else bids
            levels[price] = size
            if not size:
                del levels[price]
            if not flags & MORE and bids and asks and at_ns > 1_703_543_900 * 10**9 and max(bids) >= min(asks):
                crossed.append(at_ns)
                if len(crossed) > 40:
                    break
    opening_ns = int(datetime(2023, 12, 25, 23, tzinfo=UTC).timestamp()) * 10**9
    first_trade_ns = int(events[events["kind"] == Kind.TRADE]["received_ns"][0])
    assert crossed
    assert max(crossed) < opening_ns < first_trade_ns


@pytest.mark.parametrize("count", [777, 30_000])
def test_the_tape_is_the_same_however_the_records_are_cut(tmp_path, orders, monkeypatch, count):
    _, whole = imported(tmp_path, orders[1])

    monkeypatch.setattr(dbn_records, "PIECE_RECORDS", count)
    _, cut = imported(tmp_path, orders[1])

    assert cut.tobytes() == whole.tobytes()


def test_bars_and_best_quotes_take_their_ticks_from_definitions(tmp_path, options):
    definition = options / "futures_definition.dbn.zst"
    bars, candles = imported(
        tmp_path, options / "futures_ohlcv-1m_2024-05-09T09-55_2024-05-09T10-05.dbn.zst", definition
    )
    best, quotes = imported(
        tmp_path, options / "futures_bbo-1m_2024-05-09T09-55_2024-05-09T10-05.dbn.zst", definition
    )

    assert bars.events == {"candle": 20}
    assert (candles["received_ns"] - candles["venue_ns"] == 60 * 10**9).all()
    assert best.events == {"quote": 20}
    for result in (bars, best):
        assert {(each.symbol, str(each.price_tick), each.base, each.kind) for each in result.instruments} == {
            ("ESM4", "0.25", "ES", "future"), ("NQM4", "0.25", "NQ", "future"),
        }  # fmt: skip
    assert np.all(quotes["a"] < quotes["c"])
    only, _ = imported(
        tmp_path, options / "futures_bbo-1m_2024-05-09T09-55_2024-05-09T10-05.dbn.zst", symbols=["ESM4"]
    )
    assert only.events == {"quote": 10}


def test_damage_is_refused_in_words_and_leaves_nothing(tmp_path, orders, options):
    data = unpacked(orders[0])
    torn, header, other = (tmp_path / name for name in ("torn.dbn", "header.dbn", "other.dbn"))
    torn.write_bytes(data[:-20])
    header.write_bytes(data[:100])
    other.write_bytes(b"DBN\x01\x05\x00\x00\x00hello")

    with pytest.raises(MarketFileError, match="breaks off in a record, after 8724 whole ones"):
        imported(tmp_path, torn)
    with pytest.raises(MarketFileError, match="breaks off in its header"):
        imported(tmp_path, header)
    with pytest.raises(MarketFileError, match="its header cannot be read"):
        imported(tmp_path, other)
    with pytest.raises(MarketFileError, match="only definitions"):
        imported(tmp_path, options / "futures_definition.dbn.zst")
    assert {torn, header, other} == set(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "name"), [(0, "TradeMsg"), (1, "MBP1Msg"), (160, "MBOMsg"), (195, "BBOMsg"), (33, "OHLCVMsg")]
)
def test_records_lie_where_databentos_own_library_puts_them(kind, name):
    theirs = np.dtype(getattr(dbn, name)._dtypes)
    ours = dbn_records.LAYOUTS[kind]

    assert ours.itemsize == theirs.itemsize
    for field, (dtype, offset) in ours.fields.items():
        if field in theirs.names:
            assert (dtype, offset) == theirs.fields[field], field
    assert {"ts_in_delta", "action", "depth", "reserved"} >= set(ours.names) - set(theirs.names)


def test_records_that_end_with_a_time_of_sending_and_other_types_between_are_read(tmp_path, orders):
    data = unpacked(orders[0])
    at = 8 + int.from_bytes(data[4:8], "little")
    plain = [data[start : start + 56] for start in range(at, len(data), 56)]
    _, whole = imported(tmp_path, orders[0])
    longer, mixed = tmp_path / "longer.dbn", tmp_path / "mixed.dbn"
    longer.write_bytes(data[:at] + b"".join(bytes([16]) + record[1:] + bytes(8) for record in plain))
    other = bytes([4, 23]) + bytes(14)
    mixed.write_bytes(data[:at] + b"".join(record + other * (number % 7 == 0) for number, record in enumerate(plain)))

    for path in (longer, mixed):
        _, events = imported(tmp_path, path)
        assert events.tobytes() == whole.tobytes()


def test_a_price_that_cannot_be_is_refused(tmp_path, orders):
    data = bytearray(unpacked(orders[0]))
    at = 8 + int.from_bytes(data[4:8], "little")
    data[at + 24 : at + 32] = (-5 * 10**9).to_bytes(8, "little", signed=True)
    path = tmp_path / "negative.dbn"
    path.write_bytes(data)

    with pytest.raises(MarketFileError, match="a price of -5; a price is above 0"):
        imported(tmp_path, path)
