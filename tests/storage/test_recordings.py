"""A folder of segments is one recording: nothing lost at a cut, nothing lost to a crash, every file vouched for."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrader.errors import LayoutChanged, RunLocked, StorageError
from streamtrader.events import MORE
from streamtrader.storage import recording as recordings
from streamtrader.storage.raw_frames import Item
from streamtrader.storage.raw_lines import header_text
from streamtrader.storage.recording import (
    Recording,
    recorded_files,
    recorded_until_ns,
    recording_faults,
)
from streamtrader.storage.segments import RawSegments, SegmentLimits, TapeSegments, limits_of
from streamtrader.storage.tape import Tape
from tests.storage.taping import BTCUSDT, events_of
from tests.storage.test_raw_frames import ROOT, frames_in

NOW_NS = 1_700_000_000_000_000_000
HEADER = header_text([BTCUSDT], ["trade"])


def opened(folder):
    return Recording.open(folder, [BTCUSDT], {"venue": "X", "market": "y"})


def recorded(folder, batches, limits, ended="done"):
    """A recording of these batches of events."""
    recording = opened(folder)
    tape = TapeSegments(recording, {}, limits)
    for events in batches:
        tape.append(events)
    tape.sync()
    tape.close(ended)
    recording.close(ended)
    return recording.manifest["segments"]


def on_disk(folder):
    return b"".join(events.tobytes() for path in recorded_files(folder) for events in Tape.open(path).events())


@settings(max_examples=40)
@given(
    batches=st.lists(st.lists(st.integers(1, 5), max_size=8), max_size=8),
    size_bytes=st.sampled_from([0, 1_000, 2_000]),
    span_ns=st.sampled_from([0, 3, 10]),
    cuts=st.integers(1, 7),
)
@pytest.mark.slow
def test_segments_one_after_the_other_are_the_tape(tmp_path_factory, batches, size_bytes, span_ns, cuts):
    """However it is cut, and however the rows came: also when a batch ends in the middle of a message."""
    folder = tmp_path_factory.mktemp("segments") / "x"
    events = events_of([rows for batch in batches for rows in batch])
    parts = np.array_split(events, cuts)

    segments = recorded(folder, parts, SegmentLimits(size_bytes, span_ns))

    if not len(events):
        assert segments == []
        return
    assert on_disk(folder) == events.tobytes()
    assert sum(segment["events"] for segment in segments) == len(events)
    assert not recording_faults(folder)
    for path, segment in zip(recorded_files(folder), segments, strict=True):
        own = np.concatenate(list(Tape.open(path).events()))
        assert not own["flags"][-1] & MORE
        assert (own["received_ns"][0], own["received_ns"][-1]) == (
            segment["first_received_ns"],
            segment["last_received_ns"],
        )
        if span_ns:
            messages = own["received_ns"][np.flatnonzero(np.r_[True, own["flags"][:-1] & MORE == 0])]
            assert len(set(messages // span_ns)) == 1
        if size_bytes:
            assert segment["bytes"] <= size_bytes + 64 * 6 or len(messages_of(own)) == 1


def messages_of(events):
    return np.flatnonzero((events["flags"] & MORE) == 0)


def test_a_manifest_tells_sums_counts_clocks_and_why_a_segment_ended(tmp_path):
    recorded(tmp_path / "x", [events_of([1] * 100)], SegmentLimits(span_ns=60), "stopped")

    manifest = json.loads((tmp_path / "x" / "manifest.json").read_text())

    assert manifest["ended"] == "stopped"
    assert manifest["venue"] == "X"
    assert [each["ended"] for each in manifest["segments"]] == ["time", "stopped"]
    first = manifest["segments"][0]
    assert first["file"] == "000000.tape"
    assert first["events"] == first["last_received_ns"] - first["first_received_ns"] + 1
    assert len(first["sha256"]) == 64
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == [
        ".lock",
        "000000.tape",
        "000001.tape",
        "manifest.json",
    ]


KILLED = """
import os, sys
from pathlib import Path
from tests.storage.test_recordings import *
killed = opened(Path(sys.argv[1]))
tape, raw = TapeSegments(killed, {}, SegmentLimits()), RawSegments(killed, HEADER, SegmentLimits())
tape.append(events_of([1] * 100))
raw.append([Item(NOW_NS, b'{"n":1}', 0)])
raw.flush()
os.kill(os.getpid(), 9)
"""


def test_a_recording_that_was_killed_is_gone_on_with(tmp_path):
    folder, events = tmp_path / "x", events_of([1] * 300)
    subprocess.run([sys.executable, "-c", KILLED, folder], cwd=ROOT, check=False)
    with (folder / "000000.tape").open("ab") as file:
        file.write(b"torn")
    with (folder / "000000.raw.zst").open("ab") as file:
        file.write(b"\x28\xb5\x2f\xfdtorn")
    (folder / "000001.tape").write_bytes((folder / "000000.tape").read_bytes())  # begun, and not listed yet
    assert recorded_until_ns(folder) == events["received_ns"][99]

    recording = opened(folder)

    assert recording.recovered == ["000000.tape", "000000.raw.zst", "000001.tape"]
    recovered = recording.segments
    assert [each["ended"] for each in recovered] == ["recovered after a crash"] * 3
    assert [each["cut_bytes"] for each in recovered] == [4, 8, 4]
    assert frames_in(folder / "000000.raw.zst") == [(NOW_NS, b'{"n":1}')]
    tape = TapeSegments(recording, {}, SegmentLimits())
    tape.append(events[100:])
    tape.close("done")
    recording.close("done")
    assert recorded_files(folder)[-1].name == "000002.tape"
    assert Tape.open(recorded_files(folder)[-1]).metadata["first_event"] == 200
    assert not recording_faults(folder)


def test_one_recorder_at_a_time(tmp_path):
    first = opened(tmp_path / "x")

    with pytest.raises(RunLocked):
        opened(tmp_path / "x")

    first.close("done")
    opened(tmp_path / "x").close("done")


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"precious")

    with pytest.raises(StorageError, match="other files"):
        opened(tmp_path)

    with pytest.raises(StorageError, match="other instruments"):
        opened(tmp_path / "x").close("done")
        Recording.open(tmp_path / "x", [], {})


def test_a_changed_and_a_missing_file_are_told(tmp_path):
    recorded(tmp_path / "x", [events_of([1] * 100)], SegmentLimits(span_ns=30))
    first, second, *_ = recorded_files(tmp_path / "x")
    first.write_bytes(first.read_bytes()[:-1] + b"x")
    second.unlink()

    faults = recording_faults(tmp_path / "x")

    assert [fault.partition(":")[0] for fault in faults] == ["000000.tape", "000001.tape"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"segments":5}', '{"segments":[],"schema":2}'])
def test_a_manifest_that_is_none_is_told(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)

    with pytest.raises((StorageError, LayoutChanged), match=r"manifest\.json|newer"):
        recorded_files(tmp_path)


def test_a_folder_without_manifest_is_no_recording(tmp_path):
    with pytest.raises(StorageError, match="no recording"):
        recorded_files(tmp_path)

    assert recorded_until_ns(tmp_path) is None
    assert recorded_files(tmp_path / "x.tape") == [tmp_path / "x.tape"]


@settings(max_examples=30)
@given(
    steps=st.lists(st.integers(0, 5), min_size=1, max_size=30),
    span_ns=st.sampled_from([0, 7]),
    size_bytes=st.sampled_from([0, 400]),
    cuts=st.integers(1, 6),
)
def test_raw_segments_one_after_the_other_are_all_frames(tmp_path_factory, steps, span_ns, size_bytes, cuts):
    folder = tmp_path_factory.mktemp("segments") / "x"
    clocks = (NOW_NS + np.cumsum(steps)).tolist()
    items = [Item(clock, b'{"n":%d}' % index, 0) for index, clock in enumerate(clocks)]
    recording = opened(folder)
    raw = RawSegments(recording, HEADER, SegmentLimits(size_bytes, span_ns))
    for part in np.array_split(np.arange(len(items)), cuts):
        raw.append([items[index] for index in part])
        raw.flush()
    raw.close("done")
    recording.close("done")

    files = recorded_files(folder, recordings.RAW)

    assert [frame for path in files for frame in frames_in(path)] == [(item.received_ns, item.text) for item in items]
    assert raw.line_count == len(items) + len(files)
    assert not recording_faults(folder)
    for path, segment in zip(files, recording.segments, strict=True):
        own = [clock for clock, _ in frames_in(path)]
        assert (own[0], own[-1]) == (segment["first_received_ns"], segment["last_received_ns"])
        if span_ns:
            assert len({clock // span_ns for clock in own}) == 1


def test_limits_are_read_in_mebibytes_and_minutes():
    assert limits_of(None, None) is None
    assert limits_of(1.5, None) == SegmentLimits(3 << 19, 0)
    assert limits_of(None, 60) == SegmentLimits(0, 3_600_000_000_000)
