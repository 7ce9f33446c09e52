"""Frame encoding against an independent implementation, and the exchange's own book."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from websockets.frames import Frame as IndependentFrame
from websockets.streams import StreamReader

from streamtrader.exchange.frames import encoded, ping_frame, text_frame
from streamtrader.exchange.market import Frame, channel_of
from streamtrader.exchange.rules import padded, split_symbol
from streamtrader.exchange.step_texts import StepTexts
from streamtrader.exchange.wire_book import WireBook


def parsed_by_websockets(data):
    """The frames that the `websockets` library finds in these bytes."""
    reader = StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    frames = []
    while reader.buffer:
        parser = IndependentFrame.parse(reader.read_exact, mask=False, max_size=None)
        try:
            while True:
                next(parser)
        except StopIteration as stop:
            frames.append(stop.value)
    return frames


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 2_047, 2_048, 65_535, 65_536, 70_000])
def test_frames_of_every_length_are_read_by_an_independent_parser(length):
    payload = b"x" * length

    frames = parsed_by_websockets(text_frame(payload) + ping_frame(b"seen-1"))

    assert [(1, payload), (9, b"seen-1")] == [(frame.opcode, bytes(frame.data)) for frame in frames]


def test_a_stamp_is_the_last_key_and_a_raw_frame_is_the_inner_object():
    channel = channel_of("btcusdt@trade")
    frame = Frame(1723161254087896568, channel, b'{"stream":"btcusdt@trade","data":{"p":"1.50"}}')

    forms = [
        bytes(parsed_by_websockets(encoded([frame], is_stamped=is_stamped, is_combined=is_combined))[0].data)
        for is_stamped, is_combined in ((True, True), (False, True), (False, False))
    ]

    assert [
        b'{"stream":"btcusdt@trade","data":{"p":"1.50"},"ns":1723161254087896568}',
        b'{"stream":"btcusdt@trade","data":{"p":"1.50"}}',
        b'{"p":"1.50"}',
    ] == forms


def test_a_stream_name_is_taken_apart():
    assert ("btcusdt@depth@100ms", "BTCUSDT", "depth", "btcusdt@depth") == channel_of("btcusdt@depth@100ms")


def depth(first, last, bids=(), asks=(), **more):
    data = {"e": "depthUpdate", "U": first, "u": last, "b": list(bids), "a": list(asks), **more}
    return json.dumps({"stream": "x@depth", "data": data}).encode()


def test_the_own_book_follows_depth_frames_and_keeps_their_text():
    book = WireBook("spot")

    for text in (
        depth(1, 2, [["10.00", "1.0"], ["9.00", "2.0"]], [["11.00", "1.0"]]),
        depth(3, 3, [["10.00", "0.0"]], [["10.50", "4.0"]]),
    ):
        assert book.apply(text)

    expected = {"lastUpdateId": 3, "bids": [["9.00", "2.0"]], "asks": [["10.50", "4.0"], ["11.00", "1.0"]]}
    assert expected == json.loads(book.snapshot(100, None))
    assert (9.0, 10.5) == book.best()


def test_a_hole_in_the_ids_is_told_and_an_old_message_is_not_one():
    book = WireBook("spot")

    answers = [book.apply(depth(first, last)) for first, last in ((1, 2), (1, 2), (3, 5), (7, 9), (10, 10))]

    assert [True, True, True, False, True] == answers
    assert 1 == book.gaps


def test_a_late_snapshot_gets_the_frames_that_are_newer_than_it():
    book = WireBook("spot")
    book.apply(depth(5, 6, [["10.00", "5.0"]]))
    book.apply(depth(7, 8, [["9.00", "3.0"]]))

    book.reset(b'{"lastUpdateId":6,"bids":[["10.00","1.0"]],"asks":[]}')

    assert {"lastUpdateId": 8, "bids": [["10.00", "1.0"], ["9.00", "3.0"]], "asks": []} == json.loads(
        book.snapshot(10, None)
    )


@pytest.mark.parametrize("level", [["NaN", "1"], ["1e999", "1"], [1, 2], ["1"], "xx", None, ["1", "-3"], [[], "1"]])
def test_a_level_that_is_no_level_never_reaches_a_snapshot(level):
    book = WireBook("spot")

    book.apply(depth(1, 1, [["5.00", "1.0"]], [level]))

    document = json.loads(book.snapshot(10, None))
    assert [["5.00", "1.0"]] == document["bids"]
    assert all(float(price) > 0 and float(size) > 0 for price, size in document["asks"])


def test_steps_are_written_exactly_with_eight_decimals():
    assert ["91204.10000000", "0.01000000"] == [StepTexts(100)[steps] for steps in (9_120_410, 1)]
    with pytest.raises(ValueError, match="power of ten"):
        StepTexts(250)


def test_numbers_are_written_as_each_kind_of_market_writes_them():
    assert ("0.01000000", "0.01") == (padded(Decimal("0.01"), "spot"), padded(Decimal("0.01"), "usdm"))


def test_symbols_are_split_at_their_quote():
    assert [("BTC", "USDT"), ("ETH", "BTC"), ("BTC", "FDUSD")] == [
        split_symbol(symbol) for symbol in ("BTCUSDT", "ETHBTC", "BTCFDUSD")
    ]
