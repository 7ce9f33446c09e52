"""Raw frames beside a session: what becomes of the disk is no concern of the session's."""

from __future__ import annotations

import asyncio
import json

import pytest

from streamtrader.kernel.ring import Ring
from streamtrader.runtime.raw_recorder import RawRecorder
from streamtrader.runtime.setup import Feed
from streamtrader.storage.recording import RAW, read_manifest, recorded_files, recording_faults
from tests.storage.test_raw_frames import frames_in
from tests.venues import frames


def feed():
    venue, _ = frames.adapter()
    return Feed("BINANCE", "spot", venue.instruments, venue, None, 0.0)


async def recorded(folder, **options):
    """A recorder that hears a frame now and then, for as long as it takes."""
    recorder = RawRecorder(folder, feed(), Ring(16), **options)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(recorder.run())
        recorder.log.connected(frames.NOW_NS)
        for index in range(3):
            recorder.log.frames([frames.spot_trade(index)], frames.NOW_NS + index)
        await asyncio.sleep(0)
        recorder.finish()
        await running
    return recorder


async def test_all_that_was_heard_is_written_at_the_end(tmp_path):
    recorder = await recorded(tmp_path / "raw")

    (path,) = recorded_files(tmp_path / "raw", RAW)
    assert frames_in(path) == [(frames.NOW_NS + index, frames.spot_trade(index)) for index in range(3)]
    assert recorder.as_dict() == {
        "folder": str(tmp_path / "raw"), "lines": 5, "frames_lost": 0, "failure": "",
    }  # fmt: skip
    assert read_manifest(tmp_path / "raw")["ended"] == "session ended"
    header = json.loads((tmp_path / "raw" / "manifest.json").read_text())
    assert header["venue"] == "BINANCE"


@pytest.mark.filterwarnings("error")
async def test_before_the_disk_is_full_the_frames_give_way_and_the_session_is_not_told(tmp_path):
    recorder = await recorded(tmp_path / "raw", kept_free_bytes=1 << 60)

    assert "left on the disk" in recorder.failure
    assert recorder.log.is_closed
    recorder.log.frames([b"{}"], frames.NOW_NS)
    assert recorder.log.take() == []
    assert "left on the disk" in read_manifest(tmp_path / "raw")["ended"]
    assert not recording_faults(tmp_path / "raw")


async def test_a_second_session_goes_on_in_the_same_folder(tmp_path):
    await recorded(tmp_path / "raw")
    await recorded(tmp_path / "raw")

    assert [path.name for path in recorded_files(tmp_path / "raw", RAW)] == ["000000.raw.zst", "000001.raw.zst"]
