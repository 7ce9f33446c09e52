"""Raw frames on disk: each byte as it came in, in a file that is whole wherever it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.errors import MarketFileError, StorageError
from streamtrader.kernel.ring import Ring
from streamtrader.storage import raw_frames, raw_lines
from streamtrader.storage.captures import CaptureReader
from streamtrader.storage.raw_frames import FrameLog, RawWriter, cut_torn_tail
from streamtrader.storage.raw_lines import header_text, line_of, note_of, unstamped
from tests.storage.taping import BTCUSDT

NOW_NS = 1_700_000_000_000_000_000
HEADER = header_text([BTCUSDT], ["trade"])
ROOT = Path(__file__).resolve().parents[2]


def unpacked(path):
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as reader:
        return reader.read()


def frames_in(path):
    """What the venue sent, as (clock, bytes)."""
    found = []
    for line in CaptureReader(path):
        note = note_of(line.text)
        if note is None or note.kind == raw_lines.BASE64:
            found.append((line.received_ns, line.text if note is None else note.content()))
    return found


def written(path, frames, *, flush_after=()):
    log, writer = FrameLog(Ring(16)), RawWriter.create(path, HEADER)
    for index, (clock, frame) in enumerate(frames):
        log.frames([frame], clock)
        writer.append(log.items(log.take()))
        if index in flush_after:
            writer.flush()
    writer.close()
    return writer


frames_of_any_kind = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [b'{"e":"trade"}', b'[{"T":"t"}]', b"{\n}", b' {"a":1}', b'{"streamtrader":"frames"}', b"{", b""]
    ),
)


@given(frames=st.lists(frames_of_any_kind, min_size=1, max_size=20), flushes=st.sets(st.integers(0, 20)))
def test_whatever_came_in_comes_back_byte_for_byte(tmp_path_factory, frames, flushes):
    path = tmp_path_factory.mktemp("raw") / "x.raw.zst"
    came = [(NOW_NS + index, frame) for index, frame in enumerate(frames)]

    writer = written(path, came, flush_after=flushes)

    assert frames_in(path) == came
    assert writer.line_count == len(frames) + 1


def test_a_frame_of_json_is_a_plain_line_that_other_readers_know(tmp_path):
    written(tmp_path / "x.raw.zst", [(NOW_NS, b'{"stream":"btcusdt@trade","data":{}}')])

    header, line = unpacked(tmp_path / "x.raw.zst").splitlines()

    assert line == b'1700000000000000000 {"stream":"btcusdt@trade","data":{}}'
    assert note_of(header[20:]).instruments() == (BTCUSDT,)


def test_what_came_before_the_first_clock_is_dated_by_it(tmp_path):
    log, path = FrameLog(Ring(16)), tmp_path / "x.raw.zst"
    log.connected(0)
    log.frames([b'{"result":null}'], 0)
    log.frames([b'{"stream":"x"}'], NOW_NS)
    writer = RawWriter.create(path, HEADER)
    writer.append(log.items(log.take()))
    writer.close()

    lines = list(CaptureReader(path))

    assert [line.received_ns for line in lines] == [NOW_NS] * 4
    assert [note_of(line.text).kind for line in lines[:2]] == [raw_lines.FRAMES, raw_lines.CONNECTED]
    assert note_of(lines[1].text).received_ns == 0
    assert (writer.first_ns, writer.last_ns, writer.line_count) == (NOW_NS, NOW_NS, 4)


def test_an_answer_is_a_note_and_its_body():
    log = FrameLog(Ring(16))

    log.answer("BTCUSDT", "/api/v3/depth?symbol=BTCUSDT", 200, b'{"lastUpdateId":1}', NOW_NS)
    log.answer("BTCUSDT", "/api/v3/depth?symbol=BTCUSDT", 0, b"", NOW_NS)

    answered, body, refused = log.items(log.take())
    note = note_of(answered.text)
    assert (note.kind, note.symbol, note.status, note.has_body) == (raw_lines.ANSWER, "BTCUSDT", 200, True)
    assert body.text == b'{"lastUpdateId":1}'
    assert (note_of(refused.text).status, note_of(refused.text).has_body) == (0, False)


def test_a_disk_that_stands_still_costs_frames_and_says_how_many(monkeypatch):
    monkeypatch.setattr(raw_frames, "PENDING_BYTES_MOST", 100)
    log = FrameLog(Ring(16))
    for index in range(10):
        log.frames([b'{"padding":"of forty bytes, all in all"}'], NOW_NS + index)

    *kept, lost = log.items(log.take())

    assert (len(kept), log.lost) == (3, 7)
    assert (note_of(lost.text).kind, note_of(lost.text).frames) == (raw_lines.LOST, 7)
    log.frames([b"{}"], NOW_NS)
    assert [item.text for item in log.items(log.take())] == [b"{}"]


def test_a_stamp_is_moved_from_the_frame_to_its_clock():
    log = FrameLog(Ring(16), is_stamped=True)
    log.connected(0)
    log.frames([b'{"stream":"x","data":{},"ns":1700000000000000000}', b'{"result":null,"id":1}'], 0)
    log.answer("X", "/x", 200, b'{"lastUpdateId":1,"ns":1700000000000000000}', NOW_NS + 1)

    _, frame, answer, _, body = log.items(log.take())

    assert frame[:2] == (NOW_NS, b'{"stream":"x","data":{}}')
    assert answer[:2] == (0, b'{"result":null,"id":1}')
    assert body[:2] == (NOW_NS + 1, b'{"lastUpdateId":1,"ns":1700000000000000000}')


@given(data=st.binary(max_size=60))
def test_no_bytes_upset_the_search_for_a_stamp(data):
    text, stamp_ns = unstamped(data)

    assert (text == data) == (stamp_ns == 0)


@pytest.mark.parametrize("lost_bytes", [1, 5, 40])
def test_a_torn_tail_is_cut_back_to_the_last_whole_zstd_frame(tmp_path, lost_bytes):
    path = tmp_path / "x.raw.zst"
    written(path, [(NOW_NS + index, b'{"n":%d}' % index) for index in range(30)], flush_after=(9, 19))
    whole = path.read_bytes()
    path.write_bytes(whole[:-lost_bytes])

    cut = cut_torn_tail(path)

    assert len(frames_in(path)) == 20
    assert path.stat().st_size == len(whole) - lost_bytes - cut
    assert cut_torn_tail(path) == 0


def test_a_recording_never_overwrites(tmp_path):
    (tmp_path / "x.raw.zst").write_bytes(b"precious")

    with pytest.raises(StorageError, match="exists already"):
        RawWriter.create(tmp_path / "x.raw.zst", HEADER)

    assert (tmp_path / "x.raw.zst").read_bytes() == b"precious"


@pytest.mark.parametrize(
    "text",
    [
        b'{"streamtrader":',
        b'{"streamtrader":5}',
        b'{"streamtrader":"connected","received_ns":-1}',
        b'{"streamtrader":"connected","received_ns":99999999999999999999}',
        b'{"streamtrader":"frames","schema":2}',
        b'{"streamtrader":"answer","status":"200"}',
    ],
)
def test_a_note_that_cannot_be_is_refused(text):
    with pytest.raises(MarketFileError):
        note_of(text)


@pytest.mark.parametrize("listed", [b"[{}]", b'[{"venue":"x"}]', b'[{"price_tick":"abc"}]'])
def test_instruments_that_cannot_be_are_refused(listed):
    note = note_of(b'{"streamtrader":"frames","instruments":%b}' % listed)

    with pytest.raises(MarketFileError, match="damaged"):
        note.instruments()


def test_a_line_is_never_more_than_one_line():
    assert line_of(1, b'{"a":\n1}').count(b"\n") == 1


LIMITED = """
import resource, sys
from pathlib import Path
from tests.storage.test_raw_frames import BTCUSDT, HEADER, NOW_NS, FrameLog, Ring, RawWriter
from streamtrader.errors import StorageError
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
log, writer = FrameLog(Ring(16)), RawWriter.create(Path(sys.argv[1]), HEADER)
try:
    for index in range(10_000):
        log.frames([b'{"n":"%032x"}' % (index * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)], NOW_NS + index)
        writer.append(log.items(log.take()))
        writer.flush()
except StorageError as error:
    writer.close()
    print(index, error)
"""


def test_a_file_that_may_not_grow_keeps_every_whole_frame(tmp_path):
    path = tmp_path / "x.raw.zst"

    told = subprocess.run(
        [sys.executable, "-c", LIMITED, path], cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE
    ).stdout  # fmt: skip

    count, _, why = told.partition(" ")
    assert "raise the limit" in why
    assert len(frames_in(path)) == int(count) > 10
    assert cut_torn_tail(path) == 0
