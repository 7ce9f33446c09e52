"""Captures of several programs, read into one shape by what is in them."""

from __future__ import annotations

import gzip
import json

import pytest
import zstandard

from streamtrader.errors import MarketFileError
from streamtrader.storage.captures import CaptureReader, Role
from streamtrader.storage.captures.line import ns_in, ns_of_seconds

NOW_NS = 1_700_000_000_000_000_000


def read(tmp_path, content: bytes):
    path = tmp_path / "capture"
    path.write_bytes(content)
    reader = CaptureReader(path)
    return list(reader), reader


def cbcap(*frames: bytes, header: bytes = b"CBCAP1 kraken BTC/USD 1\n") -> bytes:
    return header + b"".join(b"%d %d\n%b\n" % (NOW_NS + at, len(frame), frame) for at, frame in enumerate(frames))


def cryptofeed(*entries: dict, exchange: str = "KRAKEN") -> bytes:
    header = {"t": "header", "format": 2, "exchange": exchange}
    lines = [json.dumps(entry, separators=(",", ":")) for entry in (header, *entries)]
    return "\n".join(lines).encode() + b"\n"


@pytest.mark.parametrize("packed", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
@pytest.mark.parametrize(
    ("content", "format_", "clocks"),
    [
        (b'%d {"a":1}\n%d [2]\n' % (NOW_NS, NOW_NS + 1), "binance-raw", [NOW_NS, NOW_NS + 1]),
        (cbcap(b'{"a":1}', b"[2]"), "cbcap", [NOW_NS, NOW_NS + 1]),
        (b'1618677817.061845: {"a":1}\n1618677818: [2]\n', "cryptofeed-text",
         [1_618_677_817_061_845_000, 1_618_677_818_000_000_000]),
        (b'{"a":1,"t":"2023-11-14T22:13:20.5Z"}\n[2]\n', "json-lines", [NOW_NS + 500_000_000] * 2),
    ],
)  # fmt: skip
def test_the_format_is_told_by_the_content(tmp_path, content, format_, clocks, packed):
    entries, reader = read(tmp_path, packed(content))

    assert reader.format == format_
    assert [entry.received_ns for entry in entries] == clocks
    assert [entry.role for entry in entries] == [Role.FRAME] * 2
    assert [bytes(entry.text)[:1] for entry in entries] == [b"{", b"["]


def test_bytes_of_a_cbcap_are_those_of_the_wire(tmp_path):
    frames = [b'{"a":\n1}', b"", b"\x80\xff\n\n12 3\n", b"x" * 100_000]

    entries, reader = read(tmp_path, cbcap(*frames))

    assert [entry.text for entry in entries] == frames
    assert reader.venue == "kraken"


@pytest.mark.parametrize("cut", [1, 5, 12, 30])
def test_a_cbcap_that_breaks_off_gives_every_whole_frame(tmp_path, cut):
    entries, reader = read(tmp_path, cbcap(b'{"a":1}', b'{"b":2}')[:-cut])

    assert reader.is_torn == (cut < len(cbcap(b'{"b":2}', header=b"")))
    assert entries[0].text == b'{"a":1}'
    assert all(entry.problem for entry in entries[1:])


def test_connections_of_a_cryptofeed_capture_are_merged_by_their_clocks(tmp_path):
    entries, reader = read(
        tmp_path,
        cryptofeed(
            {"t": "http", "conn": "K.http", "ts": 12.5, "url": "https://api/x?symbol=A", "data": "{}"},
            {"t": "connect", "conn": "K.ws.1", "ts": 10.0, "addr": "wss://one"},
            {"t": "send", "conn": "K.ws.1", "ts": 10.5, "data": "{}"},
            {"t": "recv", "conn": "K.ws.1", "ts": 14.000000001, "data": '{"a":"é"}'},
            {"t": "connect", "conn": "K.ws.2", "ts": 11.0, "addr": "wss://two"},
            {"t": "recv", "conn": "K.ws.2", "ts": 13.25, "data": "[]"},
        ),
    )

    assert reader.venue == "kraken"
    told = [(entry.role, entry.connection, entry.url) for entry in entries if entry.role is not Role.ASIDE]
    assert told == [
        (Role.CONNECT, "K.ws.1", "wss://one"),
        (Role.CONNECT, "K.ws.2", "wss://two"),
        (Role.HTTP, "K.http", "https://api/x?symbol=A"),
        (Role.FRAME, "K.ws.2", "wss://two"),
        (Role.FRAME, "K.ws.1", "wss://one"),
    ]
    assert entries[-1].received_ns == 14_000_000_001
    assert entries[-1].text == '{"a":"é"}'.encode()


def test_the_older_text_tells_what_was_opened_and_sent(tmp_path):
    content = b"wss://feed.x <-> 1618677816.8\nwss://feed.x <- 1618677817.0: {}\n1618677817.1: {}\n"

    entries, _ = read(tmp_path, content)

    assert [(entry.role, entry.url) for entry in entries] == [
        (Role.CONNECT, "wss://feed.x"), (Role.ASIDE, "wss://feed.x"), (Role.FRAME, ""),
    ]  # fmt: skip


def test_one_document_gives_its_messages_in_order(tmp_path):
    document = {"init": {"type": "snapshot", "n": 1}, "updates": [{"type": "u", "n": 2}, {"type": "u", "n": 3}]}

    entries, reader = read(tmp_path, json.dumps(document, indent=2).encode())

    assert reader.format == "json-document"
    assert [json.loads(entry.text)["n"] for entry in entries] == [1, 2, 3]


def test_frames_before_the_first_clock_get_its_time_and_time_never_runs_back(tmp_path):
    content = b'{"a":1}\n{"t":1700000000000}\n{"t":"2001-01-01T00:00:00Z"}\n'

    entries, _ = read(tmp_path, content)

    assert [entry.received_ns for entry in entries] == [NOW_NS] * 3


def test_a_bad_line_has_its_number(tmp_path):
    entries, _ = read(tmp_path, b'%d {"a":1}\nnonsense\n\n%d {"b":1}\n' % (NOW_NS, NOW_NS))

    assert [(entry.number, bool(entry.problem)) for entry in entries] == [(1, False), (2, True), (4, False)]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"hello\n" * 100, b"{", b"[1,2", bytes(range(256)), b"CBCAP1 kraken X 1\nnonsense\n" * 3,
     b"CBCAP1 kraken X 1\n", zstandard.compress(b"{}\n" * 10)[:9], b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_capture_is_refused_by_name(tmp_path, content):
    with pytest.raises(MarketFileError, match="capture is no raw capture"):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "nothing in it"), (b"\x89STAPE\n\x1a" + bytes(100), "a tape already"), (b"PAR1" + bytes(100), "--format lake"),
     (b"PK\x03\x04" + bytes(100), "cut off or damaged"), (b"1700000000,1,2\n" * 3, "does not name the columns")],
    ids=["empty", "tape", "parquet", "zip", "table"],
)  # fmt: skip
def test_what_another_file_is_and_what_to_do_with_it_is_told(tmp_path, content, told):
    with pytest.raises(MarketFileError, match=told):
        read(tmp_path, content)


@pytest.mark.parametrize("clock", [b"4102444800000000000", b"9223372036854775807"])
def test_a_clock_of_another_century_is_no_clock(tmp_path, clock):
    entries, _ = read(tmp_path, b'%d {"a":1}\n%s {"b":1}\n' % (NOW_NS, clock))

    assert [entry.problem for entry in entries] == ["", "no receive time in nanoseconds at its start"]


def test_an_address_that_can_be_none_is_left_out(tmp_path):
    connect = {"t": "connect", "conn": "a", "ts": 1.0, "addr": "wss://[stream.example.com"}
    content = cryptofeed(connect, {"t": "recv", "conn": "a", "ts": 2.0, "data": "{}"})

    entries, _ = read(tmp_path, content)

    assert [entry.url for entry in entries if entry.role is Role.FRAME] == [""]


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b"1618677817.0616", 1_618_677_817_061_600_000), (b"0.1", 100_000_000), (b"x", 0), (b"1.x", 0), (b"-1.0", 0),
     (b"99999999999.0", 0), (b"9999999999.0", 0), (b"4102444799.9", 4_102_444_799_900_000_000), (b"1e9", 0), (b"", 0)],
)  # fmt: skip
def test_seconds_are_read_exactly(text, expected):
    assert ns_of_seconds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b'"ts":"1700000000000"', NOW_NS), (b'"p":1700000000000.5', 0), (b'"T":17000000000001', 0),
     (b'"t":"9999-99-99T00:00:00Z"', 0), (b'"t":"5970-01-01T00:00:10Z"', 0), (b'"t":"2023-11-14T22:13:20.123456789123Z"', NOW_NS + 123_456_789)],
)  # fmt: skip
def test_the_time_in_a_frame_is_found(text, expected):
    assert ns_in(text) == expected
