"""A tape as a market: decoded again, its frames give the events that are on it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import numpy as np
import orjson
import pytest

from streamtrader.errors import MarketFileError
from streamtrader.events import EVENT, MORE, BookState, Kind
from streamtrader.exchange.dialects import opened_dialect
from streamtrader.exchange.market import SNAPSHOT
from streamtrader.exchange.tapes import TapeMarket
from streamtrader.instruments import Instrument
from streamtrader.storage.tape import TapeWriter
from tests.exchange.support import BASE_NS, ClientBook, serving, take_part


def instrument(kind="spot", **more):
    steps = {"price_tick": Decimal("0.01"), "size_lot": Decimal("0.001")}
    return Instrument(venue="x", symbol="BTCUSDT", base="BTC", quote="USDT", kind=kind, **steps, **more)


def row(kind, at, *, id=0, side=0, flags=0, words=(0.0, 0.0, 0.0, 0.0)):  # noqa: A002
    event = np.zeros(1, EVENT)
    event["kind"], event["side"], event["flags"], event["id"] = kind, side, flags, id
    event["received_ns"] = event["venue_ns"] = BASE_NS + at * 1_000_000
    for name, word in zip("abcd", words, strict=False):
        event[name] = word
    return event


def level(at, price, size, side, *, id, flags=MORE):  # noqa: A002
    return row(Kind.BOOK, at, id=id, side=side, flags=flags, words=(price, size))


def snapshot_rows(at, id):  # noqa: A002
    return [
        row(Kind.BOOK_CLEAR, at, id=id, flags=MORE),
        level(at, 99.5, 1.25, 0, id=id),
        level(at, 100.5, 2.0, 1, id=id),
        level(at, 99.75, 3.0, 0, id=id + 2),  # a delta that came before the snapshot and is newer
        row(Kind.LINK, at, id=id + 2, words=(float(BookState.LIVE),)),
    ]


@pytest.fixture(params=["spot", "perpetual"])
def tape(request, tmp_path):
    rows = [
        row(Kind.LINK, 0, words=(float(BookState.SYNCING),)),
        row(Kind.TRADE, 1, id=70, side=1, words=(100.01, 0.125)),
        *snapshot_rows(2, 10),
        row(Kind.QUOTE, 3, id=13, words=(99.75, 3.0, 100.5, 2.0)),
        level(4, 99.75, 0.0, 0, id=15),
        level(4, 101.0, 0.5, 1, id=15, flags=0),
        row(Kind.TIMER, 5),
        row(Kind.LINK, 6, id=15, words=(float(BookState.GAP),)),
        row(Kind.LINK, 6, id=15, words=(float(BookState.SYNCING),)),
        *snapshot_rows(8, 40),
        level(9, 100.25, 7.0, 1, id=44, flags=0),
    ]
    with TapeWriter.create(tmp_path / "x.tape", [instrument(request.param)], {}) as writer:
        writer.append(np.concatenate(rows))
    return str(tmp_path / "x.tape"), request.param


def test_its_frames_are_the_events_in_the_words_of_the_venue(tape):
    path, kind = tape
    market = TapeMarket(path)

    frames = [frame for batch in market.frames() for frame in batch]

    feeds = [frame.channel.feed for frame in frames]
    resync = ["depth", SNAPSHOT, "depth", "depth"]
    assert ["trade", SNAPSHOT, "depth", "bookTicker", "depth", *resync] == feeds
    stamps = [frame.stamp_ns for frame in frames]
    assert sorted(set(stamps)) == stamps
    text = frames[0].text.decode()
    assert '"t":70' in text
    assert '"m":true' in text
    assert ('"p":"100.01000000","q":"0.12500000"' if kind == "spot" else '"p":"100.01","q":"0.125"') in text


async def test_a_client_follows_it_through_a_recorded_gap(tape):
    path, kind = tape

    async with serving(TapeMarket(path)) as served:
        first = asyncio.create_task(take_part(served))
        while not served.pump.books["BTCUSDT"].gaps:
            await asyncio.sleep(0.001)
        _, second_snapshot = await served.venue("depth", symbol="BTCUSDT")
        session = await first

    assert 40 == second_snapshot["lastUpdateId"]
    assert ("spot" if kind == "spot" else "usdm") == served.pump.market.kind
    document, stamp, frames_before = session.snapshots["BTCUSDT"]
    assert (10, BASE_NS + 2_000_000, 1) == (document["lastUpdateId"], stamp, frames_before)
    deltas = [message["data"] for message in session.messages() if "@depth" in message["stream"]]
    book = ClientBook(document)
    for data in deltas[:2]:
        assert book.apply(data)
    assert (99.5, 1.25, 100.5, 2.0) == book.best()
    assert deltas[2]["U"] > book.last + 1, "the recorded gap is a gap for the client"
    assert [] == deltas[2]["b"]


async def test_a_snapshot_after_the_gap_answers_the_request_it_causes(tape):
    path, _ = tape
    market = TapeMarket(path)
    stamps = [frame.stamp_ns for batch in market.frames() for frame in batch]

    async with serving(TapeMarket(path), after_ns=stamps[5]) as served:
        session = await take_part(served)

    document, stamp, _ = session.snapshots["BTCUSDT"]
    assert (40, BASE_NS + 8_000_000) == (document["lastUpdateId"], stamp)
    book = ClientBook(document)
    assert all(book.apply(message["data"]) for message in session.messages())
    assert (99.75, 3.0, 100.25, 7.0) == book.best()


def test_a_file_that_is_no_tape_is_refused(tmp_path):
    (tmp_path / "x.tape").write_bytes(b"hello")

    with pytest.raises(MarketFileError, match="cannot be played"):
        TapeMarket(str(tmp_path / "x.tape"))
    with pytest.raises(MarketFileError, match="does not exist"):
        TapeMarket(str(tmp_path / "y.tape"))


def test_a_trade_of_a_stock_that_counts_as_volume_only_is_told_as_an_odd_lot(tmp_path):
    stock = replace(instrument(), symbol="SPY", base="SPY", quote="USD", size_lot=Decimal(1))
    trades = [row(Kind.TRADE, at, id=at, words=(433.25, 7.0, float(at == 2))) for at in (1, 2)]
    with TapeWriter.create(tmp_path / "spy.tape", [stock], {}) as writer:
        writer.append(np.concatenate(trades))
    market = TapeMarket(str(tmp_path / "spy.tape"))
    translator = opened_dialect("alpaca", market, {"SPY": "SPY"})

    told = [each for batch in market.frames() for frame in batch for each in translator.told(frame)]

    conditions = [message["c"] for each in told for message in orjson.loads(each.head + each.tail) if message["T"] == "t"]
    assert conditions == [["@"], ["I"]]
