"""A download is there whole or not at all, and goes on exactly where its bookmark lies."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrader.errors import RunLocked, StorageError, VenueError
from streamtrader.storage.daily_budget import DailyBudget
from streamtrader.storage.downloads import Download, finished
from streamtrader.storage.tape import Tape
from streamtrader.units import NS_PER_DAY
from tests.storage.taping import BTCUSDT, events_of, read

QUERY = {"venue": "x", "what": "trades", "start_ns": 5}


def rows_of(start, stop):
    return events_of([1] * (stop - start), start)


@settings(max_examples=25)
@given(cuts=st.lists(st.integers(0, 100), max_size=6), stops=st.sets(st.integers(0, 6)), torn=st.integers(0, 200))
def test_however_it_is_paged_and_interrupted_the_bytes_are_the_same(tmp_path_factory, cuts, stops, torn):
    folder = tmp_path_factory.mktemp("download")
    bounds, out = sorted({0, *cuts, 100}), folder / "x.tape"
    with Download.open(folder / "plain.tape", QUERY, BTCUSDT) as download:
        download.keep(rows_of(0, 100), {"at": 100})
        download.finish({"missing": 0})

    download = Download.open(out, QUERY, BTCUSDT)
    for number, (start, stop) in enumerate(pairwise(bounds)):
        download.keep(rows_of(start, stop), {"at": stop})
        if number in stops:  # killed after rows were written, before their bookmark
            download._writer.append(rows_of(stop, stop + 3))
            download.close()
            with (folder / "x.tape.partial").open("ab") as file:
                file.write(bytes(torn))
            download = Download.open(out, QUERY, BTCUSDT)
            assert download.is_resumed
            assert (download.progress, download.event_count) == ({"at": stop}, stop)
    download.finish({"missing": 0})

    assert out.read_bytes() == (folder / "plain.tape").read_bytes()
    assert read(Tape.open(out)) == rows_of(0, 100).tobytes()
    assert sorted(path.name for path in folder.iterdir()) == ["plain.tape", "x.tape"]


def test_a_download_that_was_stopped_before_its_first_page_begins_anew(tmp_path):
    Download.open(tmp_path / "x.tape", QUERY, BTCUSDT).close()
    (tmp_path / "x.tape.bookmark").unlink()

    with Download.open(tmp_path / "x.tape", QUERY, BTCUSDT) as download:
        assert not download.is_resumed
        download.keep(rows_of(0, 1), {})


def test_stopped_in_the_very_last_step_it_is_finished(tmp_path):
    with Download.open(tmp_path / "x.tape", QUERY, BTCUSDT) as download:
        download.keep(rows_of(0, 9), {})
        download.finish({})
    (tmp_path / "x.tape.bookmark").write_text("{}")
    (tmp_path / "x.tape.partial").write_bytes(b"")

    tape = finished(tmp_path / "x.tape", QUERY)

    assert tape is not None
    assert tape.event_count == 9
    assert [path.name for path in tmp_path.iterdir()] == ["x.tape"]


def test_one_process_at_a_time(tmp_path):
    with Download.open(tmp_path / "x.tape", QUERY, BTCUSDT), pytest.raises(RunLocked):
        Download.open(tmp_path / "x.tape", QUERY, BTCUSDT)


def test_what_is_there_already_is_left_alone(tmp_path):
    (tmp_path / "x.tape").write_bytes(b"precious")

    with pytest.raises(StorageError):
        finished(tmp_path / "x.tape", QUERY)

    assert (tmp_path / "x.tape").read_bytes() == b"precious"
    assert finished(tmp_path / "y.tape", QUERY) is None


@pytest.mark.parametrize("text", [b"", b"[]", b'{"schema":1}', b'{"schema":9}'])
def test_a_damaged_bookmark_is_told(tmp_path, text):
    Download.open(tmp_path / "x.tape", QUERY, BTCUSDT).close()
    (tmp_path / "x.tape.bookmark").write_bytes(text)

    with pytest.raises(StorageError, match=r"damaged|newer"):
        Download.open(tmp_path / "x.tape", QUERY, BTCUSDT)


def test_a_budget_is_shared_kept_and_new_each_day(tmp_path):
    one, other = DailyBudget(tmp_path, "x", 10.0), DailyBudget(tmp_path, "x", 10.0)
    one.spend_unasked(2.0)
    one.learn_clock(5 * NS_PER_DAY)
    other.learn_clock(5 * NS_PER_DAY + 1)
    one.spend(4.0)
    other.spend(4.0)
    with pytest.raises(VenueError, match="10 of 10"):
        one.spend(0.5)
    assert json.loads((tmp_path / "x.json").read_bytes()) == {"day": 5, "spent": 10.0}

    DailyBudget(tmp_path, "y", 1.0).spend(1.0)
    other.learn_clock(6 * NS_PER_DAY)
    other.spend(9.0)
    one.spend(1.0)  # it has not heard of midnight yet, and counts for the new day all the same
    with pytest.raises(VenueError, match="used up"):
        one.spend(1.0)


def test_a_damaged_budget_is_told(tmp_path):
    (tmp_path / "x.json").write_text("{")

    with pytest.raises(StorageError, match="delete it"):
        DailyBudget(tmp_path, "x", 1.0).spend(1.0)
