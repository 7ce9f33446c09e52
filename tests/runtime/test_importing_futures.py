"""Four futures in one recorded session: each book proved by itself, and a broken one breaks no other."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import zstandard

from streamtrader.events import BookState, Kind
from streamtrader.kernel.ring import Ring
from streamtrader.runtime.importing import import_captures
from streamtrader.storage.tape import Tape
from tests.venues.streamed import NOW_NS, venue_of

SYMBOLS = ("SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT")
BROKEN = SYMBOLS.index("AKROUSDT")


@pytest.fixture(scope="module")
def records(shared_data):
    """The lines of the session as objects, read without the code under test."""
    packed = (shared_data / "wire" / "binance" / "cryptofeed_BINANCE_FUTURES.jsonl.zst").read_bytes()
    with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
        return [json.loads(line) for line in reader.read().splitlines()]


@pytest.fixture(scope="module")
def whole(records, tmp_path_factory):
    return imported(records, tmp_path_factory.mktemp("whole"))


def imported(records, folder):
    """The result of an import, and the events on its tape."""
    capture, tape = folder / "capture.jsonl.zst", folder / "out.tape"
    text = "\n".join(json.dumps(record, separators=(",", ":")) for record in records) + "\n"
    capture.write_bytes(zstandard.compress(text.encode()))
    result = import_captures([capture], tape)
    return result, np.concatenate([np.asarray(events) for events in Tape.open(tape).events()])


def snapshots_of(records):
    """By symbol, the body of each REST answer."""
    urls = ((re.search(r"/depth\?symbol=(\w+)", record.get("url", "")), record) for record in records)
    return {found.group(1): record["data"] for found, record in urls if found}


class SlowBook:
    """The venue's own recipe for a local book, word by word."""

    def __init__(self, body):
        snapshot = json.loads(body)
        self.last = snapshot["lastUpdateId"]
        self.is_first = True
        self.sides = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}

    def apply(self, data):
        if data["u"] < self.last:
            return
        if self.is_first:
            assert data["U"] <= self.last <= data["u"]
        else:
            assert data["pu"] == self.last, "an update is missing"
        self.is_first, self.last = False, data["u"]
        for side, levels in self.sides.items():
            for price, size in data[side]:
                if float(size):
                    levels[price] = size
                else:
                    levels.pop(price, None)

    def as_floats(self):
        return tuple({float(price): float(size) for price, size in self.sides[side].items()} for side in "ba")


def slow_books(records):
    books = {symbol: SlowBook(body) for symbol, body in snapshots_of(records).items()}
    for record in records:
        message = json.loads(record["data"]) if record["t"] == "recv" else {}
        if message.get("data", {}).get("e") == "depthUpdate":
            books[message["data"]["s"]].apply(message["data"])
    return [books[symbol].as_floats() for symbol in SYMBOLS]


def book_of(events, instrument):
    """Both sides as the events on a tape make them."""
    sides = ({}, {})
    for event in events[events["instrument"] == instrument]:
        if event["kind"] == Kind.BOOK_CLEAR:
            sides = ({}, {})
        elif event["kind"] == Kind.BOOK and event["b"] > 0:
            sides[event["side"]][float(event["a"])] = float(event["b"])
        elif event["kind"] == Kind.BOOK:
            sides[event["side"]].pop(float(event["a"]), None)
    return sides


def states(events, instrument):
    chosen = events[(events["instrument"] == instrument) & (events["kind"] == Kind.LINK)]
    return [BookState(int(state)) for state in chosen["a"]]


def test_four_symbols_with_four_bridged_snapshots(whole, records):
    result, events = whole

    assert [instrument.symbol for instrument in result.instruments] == list(SYMBOLS)
    assert (result.frames, result.snapshots, result.gaps, result.resyncs) == (1535, 4, 0, 0)
    assert (result.unknown, result.rejected, result.faults, result.books_not_live) == (0, 0, 0, [])
    assert result.events["candle"] == 4
    for index, expected in enumerate(slow_books(records)):
        assert states(events, index) == [BookState.SYNCING, BookState.LIVE]
        assert book_of(events, index) == expected


def test_tick_and_lot_are_those_of_the_recorded_rules(whole):
    steps = {each.symbol: (str(each.price_tick), str(each.size_lot)) for each in whole[0].instruments}

    assert steps == {
        "SUSHIUSDT": ("0.001", "1"), "AKROUSDT": ("0.00001", "1"), "KEEPUSDT": ("0.0001", "1"), "CTKUSDT": ("0.001", "1"),
    }  # fmt: skip


def broken(records, change):
    """The session with one depth frame of one symbol changed, somewhere in its middle."""
    places = [
        index for index, record in enumerate(records)
        if record["t"] == "recv" and record["data"].startswith(f'{{"stream":"{SYMBOLS[BROKEN].lower()}@depth')
    ]  # fmt: skip
    at = places[len(places) // 2]
    data = change(records[at]["data"])
    assert data != records[at]["data"]
    return [*records[:at], records[at] | {"data": data}, *records[at + 1 :]]


def flipped(key):
    """Another last digit of a number."""

    def change(data):
        return re.sub(rf'("{key}":\d+)(\d)', lambda found: found[1] + str((int(found[2]) + 1) % 10), data, count=1)

    return change


DAMAGE = {
    "its last update": flipped("u"),
    "the update before it": flipped("pu"),
    "a digit of a price that is none": lambda data: re.sub(r'\["0\.0', '["-.0', data, count=1),
    "the end": lambda data: data[:-2],
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_flipped_digit_in_one_symbols_frame_makes_that_symbol_alone_start_again(what, records, whole, tmp_path):
    result, events = imported(broken(records, DAMAGE[what]), tmp_path)

    assert (result.gaps, result.resyncs, result.books_not_live) == (1, 1, [SYMBOLS[BROKEN]])
    assert states(events, BROKEN)[2:] == [BookState.GAP, BookState.SYNCING]
    is_broken = (events["instrument"] == BROKEN) & np.isin(events["kind"], (Kind.BOOK, Kind.LINK))
    was_broken = (whole[1]["instrument"] == BROKEN) & np.isin(whole[1]["kind"], (Kind.BOOK, Kind.LINK))
    assert events[~is_broken].tobytes() == whole[1][~was_broken].tobytes()


def test_with_a_fresh_snapshot_it_ends_as_if_nothing_had_happened(records):
    venue, ring = venue_of("binance", *SYMBOLS, kind="perpetual"), Ring(1 << 15)
    venue.connected(NOW_NS, ring)
    bodies, slow = snapshots_of(records), SlowBook(snapshots_of(records)[SYMBOLS[BROKEN]])

    for record, damaged in zip(records, broken(records, flipped("pu")), strict=True):
        if record["t"] != "recv":
            continue
        venue.decode(damaged["data"].encode(), NOW_NS, ring)
        message = json.loads(record["data"])
        if message["data"].get("e") == "depthUpdate" and message["data"]["s"] == SYMBOLS[BROKEN]:
            slow.apply(message["data"])
        for request in venue.requests():
            body = bodies.pop(request.symbol, None) or json.dumps(
                {"lastUpdateId": slow.last, "bids": [*slow.sides["b"].items()], "asks": [*slow.sides["a"].items()]}
            )
            venue.respond(request, 200, body.encode(), NOW_NS, ring)

    events = ring.events[: ring.written]
    assert (venue.counters.gaps, venue.counters.snapshots) == (1, 5)
    assert [venue.book_state(index) for index in range(4)] == [BookState.LIVE] * 4
    assert [book_of(events, index) for index in range(4)] == slow_books(records)
