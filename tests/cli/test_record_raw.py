"""`record --raw` and segments, over real sockets: the frames are those of the market, and they give the same tape."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from streamtrader.exchange.captures import CaptureMarket
from streamtrader.storage.recording import RAW, read_manifest, recorded_files, recording_faults
from streamtrader.storage.tape import Tape
from tests.cli.commands import (
    LIMIT_S,
    called,
    environment,
    events_of,
    lines_of,
    packed,
    paper_arguments,
    parity,
    started,
    wait_for,
)

NOTE = b'{"streamtrader":'


def frames_of(path: Path) -> list[bytes]:
    """The lines of a raw recording without its notes."""
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as reader:
        lines = reader.read().splitlines(keepends=True)
    return [line for line in lines if not line[20:].startswith(NOTE)]


def imported(raw: list[Path], out: Path) -> dict[str, object]:
    return called("data", "import", *raw, "--out", out, "--json").document


def assert_same_tape(recorded: Path, again: Path) -> None:
    assert events_of(recorded).tobytes() == events_of(again).tobytes()
    assert Tape.open(recorded).instruments == Tape.open(again).instruments


def test_raw_frames_are_the_lines_of_the_market_and_give_the_same_tape(short, tmp_path):
    """Through the exchange, two sockets, the connection and the disk, and not one byte is another."""
    out = tmp_path / "x.tape"

    told = called("record", "--market", short, "--speed", "max", "--raw", "--out", out, "--json").document

    raw = Path(told["raw"])
    assert frames_of(raw) == lines_of(short)
    found = imported([raw], tmp_path / "y.tape")
    assert_same_tape(out, tmp_path / "y.tape")
    assert told["raw_lines"] == found["lines"] == len(lines_of(short)) + 4
    assert (found["rejected"], found["books_not_live"], found["frames_lost"]) == (0, [], 0)


@pytest.mark.parametrize("limit", [[], ["--max-events", 20_000]], ids=["to the end", "to a limit"])
def test_two_markets_with_a_snapshot_each_give_the_same_tape(tmp_path, limit):
    """Snapshots do not name their symbol; the recording does. A limit of events cuts both at one place."""
    out = tmp_path / "x.tape"
    more = limit or ["--for", "1s"]

    told = called("record", "--seed", 3, "--speed", "max", *more, "--raw", "--out", out, "--json").document

    imported([Path(told["raw"])], tmp_path / "y.tape")
    assert {each.symbol for each in Tape.open(out).instruments} == {"BTCUSDT", "ETHUSDT"}
    assert_same_tape(out, tmp_path / "y.tape")


@pytest.mark.slow
def test_segments_are_one_tape_to_replay_and_one_capture_to_import(short, short_tape, tmp_path):
    folder, whole = tmp_path / "x", tmp_path / "whole.tape"
    called("record", "--market", short, "--speed", "max", "--out", whole, "--json")

    told = called(
        *("record", "--market", short, "--speed", "max", "--raw", "--json"),
        *("--segment-mib", 0.25, "--segment-minutes", 0.25, "--out", folder),
    ).document

    assert (told["segments"], told["raw_segments"]) == (len(recorded_files(folder)), len(recorded_files(folder, RAW)))
    assert {each["ended"] for each in read_manifest(folder)["segments"]} == {"size", "time", "market ended"}
    assert not recording_faults(folder)
    assert b"".join(events_of(path).tobytes() for path in recorded_files(folder)) == events_of(whole).tobytes()
    imported(recorded_files(folder, RAW), tmp_path / "y.tape")
    assert_same_tape(whole, tmp_path / "y.tape")
    checks = [called("data", "check", place, "--json").document for place in (folder, whole)]
    assert checks[0] | {"tape": ""} == checks[1] | {"tape": ""}
    replays = [called("replay", place, "--strategy", "EmaCross", "--json").document for place in (folder, whole)]
    assert replays[0]["state_sha256"] == replays[1]["state_sha256"]


def test_a_changed_segment_is_told_by_the_check(short, tmp_path):
    folder = tmp_path / "x"
    called("record", "--market", short, "--speed", "max", "--json", "--segment-mib", 0.25, "--out", folder)
    first = recorded_files(folder)[0]
    first.write_bytes(first.read_bytes()[:-64])  # a whole tape still: only the manifest knows

    refused = called("data", "check", folder, code=1)

    assert "000000.tape: its bytes do not carry their SHA-256" in refused.err


@pytest.mark.slow
def test_a_recording_into_a_folder_is_gone_on_with_where_it_ended(short, tmp_path):
    folder, whole = tmp_path / "x", tmp_path / "whole.tape"
    begun = ("record", "--market", short, "--speed", "max", "--raw", "--json", "--segment-mib", 64, "--out", folder)
    called(*begun, "--max-events", 9_000)

    told = called(*begun).document

    called("record", "--market", short, "--speed", "max", "--out", whole, "--json")
    parts = [events_of(path) for path in recorded_files(folder)]
    assert told["segments"] == 2
    assert parts[1]["received_ns"][0] >= parts[0]["received_ns"][-1]
    trades = [part[part["kind"] == 1]["id"].tolist() for part in (*parts, events_of(whole))]
    assert trades[0] + trades[1] == trades[2]


def test_a_session_keeps_its_frames_where_it_is_asked_to(short, tmp_path):
    outcome = called(*paper_arguments(short), "--record-raw", "--set", f"run.root={tmp_path}/runs")

    raw = recorded_files(outcome.run / "raw", RAW)
    assert [frame for path in raw for frame in frames_of(path)] == lines_of(short)
    assert outcome.document["raw"]["failure"] == ""
    imported(raw, tmp_path / "y.tape")
    assert events_of(tmp_path / "y.tape").tobytes() == events_of(outcome.run / "session.tape").tobytes()
    assert parity(outcome.run)["difference_count"] == 0


@pytest.mark.slow
def test_a_raw_recording_is_a_market_again(short, tmp_path):
    """Recorded, played, recorded: the same frames, and nothing in it counts as damage."""
    first, second = tmp_path / "x.tape", tmp_path / "y.tape"
    called("record", "--market", short, "--speed", "max", "--raw", "--out", first, "--json")

    called("record", "--market", tmp_path / "x.raw.zst", "--speed", "max", "--raw", "--out", second, "--json")

    assert frames_of(tmp_path / "y.raw.zst") == lines_of(short)
    assert CaptureMarket([str(tmp_path / "x.raw.zst")]).skipped_lines == 0


def test_segments_go_into_a_folder_and_a_tape_into_a_file(short, tmp_path):
    refused = called("record", "--market", short, "--out", tmp_path, code=4)

    assert "--segment-mib" in refused.err


def test_frames_of_another_recording_are_not_touched_and_no_tape_is_begun(short, tmp_path):
    (tmp_path / "x.raw.zst").write_bytes(b"of another recording")

    refused = called("record", "--market", short, "--raw", "--out", tmp_path / "x.tape", code=1)

    assert "x.raw.zst exists already" in refused.err
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x.raw.zst", b"of another recording")]


def recorded_until_full(out: Path, *more: object, limit_bytes: int = 0) -> subprocess.CompletedProcess[str]:
    """`record` in a process of its own, which may have to stop."""
    arguments = ["record", "--speed", "max", "--max-events", 2_000_000, "--raw", "--json", "--out", out, *more]

    def limited() -> None:
        if limit_bytes:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    return subprocess.run(
        [sys.executable, "-m", "streamtrader.cli.main", *map(str, arguments)],
        env=environment(), text=True, capture_output=True, timeout=LIMIT_S, check=False, preexec_fn=limited,
    )  # fmt: skip


@pytest.mark.slow
def test_a_limit_on_the_size_of_files_ends_a_recording_in_order(tmp_path):
    """A tape alone: it is whole, and so are the frames beside it."""
    outcome = recorded_until_full(tmp_path / "x.tape", limit_bytes=3 << 20)

    assert outcome.returncode == 6, outcome.stderr
    assert "DiskFull" in outcome.stderr and "ulimit" in outcome.stderr and "x.tape" in outcome.stderr
    tape = Tape.open(tmp_path / "x.tape")
    tape.verify()
    assert (tape.torn_bytes, tape.event_count > 1_000) == (0, True)
    imported([tmp_path / "x.raw.zst"], tmp_path / "y.tape")
    again, whole = events_of(tmp_path / "y.tape").tobytes(), events_of(tmp_path / "x.tape").tobytes()
    shorter = min(len(again), len(whole))
    assert again[:shorter] == whole[:shorter]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root mounts file systems")
@pytest.mark.slow
def test_a_full_disk_ends_a_recording_in_order_and_the_manifest_says_so(small_disk, tmp_path):
    outcome = recorded_until_full(small_disk / "x", "--segment-mib", 0.5)

    assert outcome.returncode == 6, outcome.stderr
    assert "the disk is full" in outcome.stderr
    manifest = read_manifest(small_disk / "x")
    assert manifest["ended"] == "write failed"
    assert all(segment["ended"] and segment["sha256"] for segment in manifest["segments"])
    assert not recording_faults(small_disk / "x")
    for path in recorded_files(small_disk / "x"):
        Tape.open(path).verify()
    imported(recorded_files(small_disk / "x", RAW), tmp_path / "y.tape")
    events = b"".join(events_of(path).tobytes() for path in recorded_files(small_disk / "x"))
    again = events_of(tmp_path / "y.tape").tobytes()
    shorter = min(len(events), len(again))
    assert shorter > 100_000
    assert events[:shorter] == again[:shorter]


def test_a_damaged_note_is_told_with_its_line_and_the_rest_is_imported(short, tmp_path):
    note = b'1723161253937085769 {"streamtrader":"connected","received_ns":"x"}\n'
    path = packed(tmp_path / "x.gz", [*lines_of(short)[:2_000], note, *lines_of(short)[2_000:]])

    found = imported([path], tmp_path / "y.tape")

    assert found["rejected"] == 1
    assert found["errors"][0].startswith("x.gz:2001: a note of a raw recording is damaged")
    assert found["lines"] == len(lines_of(short)) + 1


@pytest.mark.slow
def test_killed_in_the_middle_everything_before_is_whole_and_the_recording_goes_on(tmp_path):
    folder = tmp_path / "x"
    begun = ("record", "--speed", "max", "--raw", "--json", "--segment-mib", 0.5, "--out", folder)
    process = started(*begun, cwd=tmp_path)
    wait_for(lambda: len(list(folder.glob("*.tape"))) > 3, process)
    process.kill()
    process.communicate()

    told = called(*begun, "--max-events", 20_000).document

    assert told["recovered"]
    assert not recording_faults(folder)
    tapes = [Tape.open(path) for path in recorded_files(folder)]
    assert [tape.metadata["first_event"] for tape in tapes[1:]] == [
        sum(tape.event_count for tape in tapes[: at + 1]) for at in range(len(tapes) - 1)
    ]
    clocks = [clock for tape in tapes for clock in (tape.first_received_ns, tape.last_received_ns)]
    assert clocks == sorted(clocks)
    imported(recorded_files(folder, RAW), tmp_path / "y.tape")
