"""Raw captures as markets: verbatim frames, snapshots at their place, damage told or refused."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from streamtrader.errors import MarketFileError
from streamtrader.exchange.captures import CaptureMarket
from streamtrader.exchange.market import SNAPSHOT
from tests.exchange.support import (
    BASE_NS,
    ClientBook,
    capture_lines,
    frames_of,
    serving,
    take_part,
    unstamped,
    write_capture,
)


def sent(market):
    return [frame for batch in market.frames() for frame in batch]


@pytest.mark.parametrize("name", ["capture.txt", "capture.gz", "capture.zst"])
async def test_every_frame_goes_out_verbatim_and_the_end_is_said(tmp_path, name):
    lines = capture_lines(300)
    market = CaptureMarket([write_capture(tmp_path / name, lines)])

    async with serving(market) as served:
        session = await take_part(served)

    assert frames_of(lines) == [unstamped(frame) for frame in session.frames]
    assert (1000, "market ended") == (session.close_code, session.close_reason)
    assert 300 == market.frames_total


async def test_stamps_are_the_receive_times_made_strictly_increasing(tmp_path):
    lines = capture_lines(6)
    lines[4] = lines[4].replace(lines[4].split(" ")[0], str(BASE_NS), 1)  # the clock of the recorder jumped back
    market = CaptureMarket([write_capture(tmp_path / "c", lines)])

    async with serving(market) as served:
        session = await take_part(served)

    stamps = session.stamps()
    assert sorted(set(stamps)) == stamps
    assert BASE_NS == stamps[0]


async def test_several_files_continue_each_other(tmp_path):
    lines = capture_lines(40)
    first = write_capture(tmp_path / "one.gz", lines[:20])
    second = write_capture(tmp_path / "two", lines[20:])

    async with serving(CaptureMarket([f"{first},{second}"])) as served:
        session = await take_part(served)

    assert frames_of(lines) == [unstamped(frame) for frame in session.frames]


@pytest.mark.parametrize("kind", ["spot", "usdm"])
async def test_a_snapshot_in_the_file_answers_the_request_that_waits_for_it(tmp_path, kind):
    lines = capture_lines(60, kind=kind)
    snapshot_line = next(line for line in lines if "lastUpdateId" in line)

    async with serving(CaptureMarket([write_capture(tmp_path / "c", lines)])) as served:
        session = await take_part(served)

    document, stamp, frames_before = session.snapshots["BTCUSDT"]
    assert int(snapshot_line.split(" ")[0]) == stamp
    assert f'"lastUpdateId":{document["lastUpdateId"]}' in snapshot_line
    assert 2 == frames_before, "frames before the line are seen before the answer, none after it"
    book = ClientBook(document)
    for message in session.messages():
        if "@depth" in message["stream"]:
            book.apply(message["data"])
    assert kind == served.pump.market.kind


@pytest.mark.parametrize("kind", ["spot", "usdm"])
async def test_a_capture_without_a_snapshot_begins_with_an_empty_book_that_can_be_bridged(tmp_path, kind):
    lines = capture_lines(30, kind=kind, with_snapshot=False)

    async with serving(CaptureMarket([write_capture(tmp_path / "c", lines)])) as served:
        session = await take_part(served)

    book = ClientBook(session.snapshots["BTCUSDT"][0])
    assert not book.bids
    assert all(book.apply(m["data"]) for m in session.messages() if "@depth" in m["stream"])


@pytest.mark.parametrize("kind", ["spot", "usdm"])
async def test_after_ns_resumes_exactly_with_a_book_that_can_be_bridged(tmp_path, kind):
    lines = capture_lines(200, kind=kind)
    path = write_capture(tmp_path / "c", lines)
    async with serving(CaptureMarket([path])) as served:
        whole = await take_part(served)
    cut = whole.stamps()[123]

    async with serving(CaptureMarket([path]), after_ns=cut) as served:
        rest = await take_part(served)

    assert whole.frames[124:] == rest.frames
    document, stamp, _ = rest.snapshots["BTCUSDT"]
    assert cut == stamp
    resumed, continued = ClientBook(document), ClientBook(whole.snapshots["BTCUSDT"][0])
    for message in whole.messages():
        if "@depth" in message["stream"]:
            continued.apply(message["data"])
    for message in rest.messages():
        if "@depth" in message["stream"]:
            assert resumed.apply(message["data"])
    assert (continued.bids, continued.asks) == (resumed.bids, resumed.asks)


async def test_a_missing_depth_line_holds_the_market_until_the_snapshot_it_calls_for_was_fetched(tmp_path):
    lines = capture_lines(100)
    del lines[51]
    gap_frame = next(i for i, t in enumerate(frames_of(lines)) if '"E":52,' in t)

    async with serving(CaptureMarket([write_capture(tmp_path / "c", lines)])) as served:
        first = asyncio.create_task(take_part(served))
        while served.pump.books["BTCUSDT"].gaps == 0 or len(served.pump._asked):
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        sent_before = served.pump.frames_sent
        _, document = await served.venue("depth", symbol="BTCUSDT")
        session = await first

    assert gap_frame + 1 == sent_before
    assert 99 == len(session.frames)
    book = ClientBook(document)
    rest = [m["data"] for m in session.messages()[sent_before:] if "@depth" in m["stream"]]
    assert all(book.apply(data) for data in rest)


def test_lines_of_no_use_are_skipped_and_counted(tmp_path):
    lines = capture_lines(50)
    broken = [*lines[:10], "what is this", "", lines[10], lines[11][:60], f"{BASE_NS} [1, 2]", *lines[12:]]
    market = CaptureMarket([write_capture(tmp_path / "c", broken)])

    assert frames_of([*lines[:11], *lines[12:]]) == [
        frame.text.decode() for frame in sent(market) if frame.channel.feed != SNAPSHOT
    ]
    assert 3 == market.skipped_lines
    assert "line 11: does not start with a receive time" in market.first_problem


def test_a_gzip_that_breaks_off_is_played_to_where_it_breaks(tmp_path):
    whole = gzip.compress("\n".join(capture_lines(2_000)).encode(), compresslevel=1)
    (tmp_path / "torn.gz").write_bytes(whole[: len(whole) // 2])

    market = CaptureMarket([str(tmp_path / "torn.gz")])

    assert 0 < len(sent(market)) < 2_000
    assert market.skipped_lines >= 1
    assert "ends or breaks here" in market.first_problem


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds no line"),
        (b"date,open,high\n1,2,3\n", "line 1: does not start with a receive time"),
        (b"1700000000000000000 {\n", "line 1: is not JSON"),
        (b"1700000000000000000 {}\n", "line 1: is neither a stream frame nor a depth snapshot"),
        (b"\x1f\x8b\x08\x00rubbish", "line 1: the compressed data ends or breaks here"),
    ],
)
def test_a_file_without_one_usable_line_is_refused_with_file_and_line(tmp_path, content, reason):
    path = tmp_path / "market"
    path.write_bytes(content)

    with pytest.raises(MarketFileError, match=reason) as caught:
        CaptureMarket([str(path)])

    assert str(path) in str(caught.value)


def test_a_file_that_does_not_exist_is_named():
    with pytest.raises(MarketFileError, match=r"nowhere\.gz does not exist"):
        CaptureMarket(["nowhere.gz"])


def test_frames_beyond_the_inspected_lines_are_sent_too(tmp_path):
    lines = capture_lines(100)
    market = CaptureMarket([write_capture(tmp_path / "c", [*lines, "rubbish"])], inspected_lines=20)

    texts = [frame.text.decode() for frame in sent(market) if frame.channel.feed != SNAPSHOT]

    assert frames_of(lines) == texts
    assert market.frames_total is None
    assert 1 == market.skipped_lines


def test_a_snapshot_belongs_to_the_symbol_whose_update_ids_it_is_near(tmp_path):
    ether = [line.replace('"U":1', '"U":9').replace('"u":1', '"u":9') for line in capture_lines(20, symbol="ETHUSDT")]
    lines = sorted([*capture_lines(20), *[line for line in ether if "lastUpdateId" not in line]])
    market = CaptureMarket([write_capture(tmp_path / "c", lines)])

    owners = [frame.channel.symbol for frame in sent(market) if frame.channel.feed == SNAPSHOT]

    assert ["BTCUSDT"] == owners
    assert {"BTCUSDT", "ETHUSDT"} == set(market.instruments)


@pytest.mark.parametrize(
    ("name", "kind", "tick"),
    [("spot_btcusdt_20240808.gz", "spot", "0.01"), ("usdm_btcusdt_20240808.gz", "usdm", "0.1")],
)
def test_real_captures_are_understood(shared_data, name, kind, tick):
    market = CaptureMarket([str(shared_data / "wire" / "binance" / name)], inspected_lines=10_000)

    assert (kind, 0) == (market.kind, market.skipped_lines)
    assert tick == str(market.instruments["BTCUSDT"].price_tick)
    assert market.has_snapshot_after("BTCUSDT", 0)


async def test_a_request_that_gives_up_waiting_does_not_hold_the_market(tmp_path):
    lines = capture_lines(60)

    async with serving(CaptureMarket([write_capture(tmp_path / "c", lines)])) as served:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await served.venue("depth", symbol="BTCUSDT")
        session = await take_part(served)

    assert frames_of(lines) == [unstamped(frame) for frame in session.frames]
    assert 2 == session.snapshots["BTCUSDT"][2]


async def test_a_snapshot_further_on_is_given_up_when_nobody_asks_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr("streamtrader.exchange.pump.WAIT_S", 0.02)
    lines = capture_lines(60)

    async with serving(CaptureMarket([write_capture(tmp_path / "c", lines)])) as served:
        session = await take_part(served, with_snapshots=False)

    assert frames_of(lines) == [unstamped(frame) for frame in session.frames]
