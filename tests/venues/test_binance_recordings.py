"""What Binance really sent, and what others keep as its messages: all of it is read, or counted as unknown."""

from __future__ import annotations

import json
import re

import pytest

from streamtrader.events import BookState
from streamtrader.kernel.ring import Ring
from streamtrader.venues.binance import USDM
from streamtrader.venues.registry import listing_of
from tests.venues.frames import compiled_scanner
from tests.venues.streamed import NOW_NS, cryptofeed_frames, instruments_of, is_sane, venue_of

FUTURES = "cryptofeed_BINANCE_FUTURES.jsonl.zst"
SYMBOLS = ("SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT")


@pytest.fixture
def wire(shared_data):
    return shared_data / "wire" / "binance"


def reader_of(*symbols, kind="spot"):
    venue, ring = venue_of("binance", *symbols, kind=kind), Ring(1 << 12)
    venue.connected(NOW_NS, ring)
    return venue, ring


def outcome(venue, ring, frame):
    """Which counter a frame moved: events, notices, unknown, rejected, or errors."""
    before, start = venue.counters.events() | counts(venue), ring.written
    venue.decode(frame, NOW_NS, ring)
    after = venue.counters.events() | counts(venue)
    is_sane(ring, start, venue)
    ring.played = ring.taped = ring.written
    assert venue.counters.faults == 0
    return {name for name in after if after[name] > before[name]}


def counts(venue):
    counters = venue.counters
    return {name: getattr(counters, name) for name in ("notices", "unknown", "rejected", "errors", "repeated")}


def test_every_recorded_frame_of_the_futures_capture_is_understood(wire):
    venue, ring = reader_of(*SYMBOLS, kind="perpetual")
    frames = list(cryptofeed_frames(wire / FUTURES))

    seen = [outcome(venue, ring, frame) for _, frame in frames]

    assert len(frames) == 1535
    assert not any(what & {"unknown", "rejected", "errors"} for what in seen)
    assert (venue.counters.trades, venue.counters.quotes, venue.counters.candles) == (91, 613, 4)
    assert venue.counters.notices == 63  # klines that are not closed


def test_the_scanner_reads_the_hot_frames_of_the_futures_capture(wire):
    instruments = instruments_of("binance", SYMBOLS, "perpetual")
    venue = listing_of("binance").make_for_capture(
        instruments, USDM.kind, has_books=True, scanner=compiled_scanner()
    )  # fmt: skip
    ring = Ring(1 << 15)
    venue.connected(NOW_NS, ring)

    for _, frame in cryptofeed_frames(wire / FUTURES):
        venue.decode(frame, NOW_NS, ring)

    assert venue.counters.handed_over == 67  # klines


MESSAGE = re.compile(r"^=\d* *$|^=\d* (?=\{)", re.MULTILINE)


def conversation_messages(path):
    """The messages of a conversation fixture, its placeholders filled in."""
    text = re.sub(r"\|\w+\|", "1", path.read_text(encoding="utf-8-sig"))
    for part in MESSAGE.split(text)[1:]:
        body = re.split(r"^[<>=]", part, flags=re.MULTILINE)[0]
        yield json.loads(body)


CUT_SHORT = "Concurrent.txt"  # its klines have one key only


def test_every_message_of_the_conversations_is_read_or_unknown(wire):
    files = sorted((wire / "jkorf").rglob("*.txt"))
    seen = {}
    for path in files:
        for message in conversation_messages(path):
            stream = message.get("stream", "")
            data = message.get("data")
            if "@" in stream and isinstance(data, dict) and "s" in data:
                data["s"] = stream.partition("@")[0].upper()  # the fixture mixes two symbols
            venue, ring = reader_of("BTCUSDT")
            seen.setdefault(path.name, set()).update(outcome(venue, ring, json.dumps(message).encode()))

    assert len(files) == len(seen) == 15
    assert {name for name, what in seen.items() if "rejected" in what} == {CUT_SHORT}
    assert {name for name, what in seen.items() if "trade" in what} == {"AggregatedTrades.txt", "Trades.txt"}
    assert "quote" in seen["BookTicker.txt"]
    assert seen["Klines.txt"] == seen["PartialBook.txt"] == {"notices"}
    assert seen["Ticker.txt"] == seen["OcoOrder.txt"] == {"unknown"}


STREAMS = {
    "agg_trade_stream": ("aggTrade", "trade"),
    "book_ticker_stream": ("bookTicker", "quote"),
    "depth_update_stream": ("depth@100ms", ""),  # it waits for a snapshot
    "kline_stream_closed": ("kline_1m", "candle"),
    "kline_stream_open": ("kline_1m", "notices"),
    "liquidation_stream": ("forceOrder", "liquidation"),
    "mark_price_stream": ("markPrice", "mark"),
    "ticker_stream": ("ticker", "unknown"),
    "trade_stream": ("trade", "trade"),
}


def test_every_futures_message_decodes_in_its_stream_and_is_unknown_without(wire):
    files = sorted((wire / "nautilus" / "futures" / "market_data_json").glob("*.json"))
    assert {path.stem for path in files} == set(STREAMS)
    for path in files:
        data = json.loads(path.read_bytes())
        symbol = data.get("s") or data["o"]["s"]
        channel, expected = STREAMS[path.stem]
        venue, ring = reader_of(symbol, kind="perpetual")
        framed = {"stream": f"{symbol.lower()}@{channel}", "data": data}

        assert outcome(venue, ring, path.read_bytes()) == {"unknown"}, path.name
        assert outcome(venue, ring, json.dumps(framed).encode()) == ({expected} if expected else set()), path.name


def test_every_other_recorded_message_is_unknown(wire):
    """Answers of REST and an account's own events; binary frames are not even text, and refused."""
    files = [path for path in sorted((wire / "nautilus").rglob("*.*")) if "market_data_json" not in path.parts]
    assert len(files) > 50
    for path in files:
        venue, ring = reader_of("BTCUSDT", "ETHUSDT")
        expected = {"rejected"} if path.suffix == ".sbe" else {"unknown"}

        assert outcome(venue, ring, path.read_bytes()) == expected, path
        assert venue.book_state(0) == BookState.SYNCING
