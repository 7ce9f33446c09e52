"""Hedged sessions as a user starts them: the same market, the same tape, whether one link brings it or two."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import called, events_of, paper, parity

EVENTS = 20_000
HEDGED = ("--set", "venue.connections=2")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """The same market recorded over one link and over two, raw frames too."""
    folder, told = tmp_path_factory.mktemp("hedged"), {}
    for links in (1, 2):
        told[links] = called(
            "record", "--out", folder / f"{links}.tape", "--seed", 5, "--speed", "max", "--max-events", EVENTS, "--raw",
            "--set", f"venue.connections={links}", "--json",
        ).document  # fmt: skip
    return folder, told


def test_two_links_record_the_tape_of_one(recordings):
    folder, told = recordings

    assert events_of(folder / "1.tape").tobytes() == events_of(folder / "2.tape").tobytes()
    assert (told[1]["connection"]["duplicates"], told[1]["connection"]["connects"]) == (0, 1)
    assert told[2]["connection"]["duplicates"] > 0
    assert told[2]["connection"]["connects"] == 2
    assert (told[2]["gaps"], told[2]["silences"], told[2]["checksums"]) == (0, 0, {"verified": 0, "failed": 0})


def test_the_raw_frames_of_two_links_are_those_that_the_tape_was_made_of(recordings):
    folder, _ = recordings

    called("data", "import", folder / "2.raw.zst", "--out", folder / "again.tape", "--json")

    assert events_of(folder / "2.tape").tobytes() == events_of(folder / "again.tape").tobytes()


@pytest.mark.slow
def test_a_hedged_session_replays_to_the_same_state(tmp_path):
    told = paper("synthetic", tmp_path, *HEDGED, "--max-events", str(EVENTS)).document

    assert told["connection"]["duplicates"] > 0
    assert told["reconnects"] == 0
    assert parity(Path(told["run"]))["difference_count"] == 0


def test_a_market_that_cannot_be_hedged_is_refused(tmp_path):
    refused = called(
        "record", "--out", tmp_path / "x.tape", "--set", "exchange.dialect=kraken", *HEDGED, "--json", code=4
    )

    assert "set it to 1" in refused.out + refused.err
