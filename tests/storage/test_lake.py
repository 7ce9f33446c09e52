"""A lake gives back every event of a tape in its order, and the same tape twice is one tape."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamtrader.errors import MarketFileError, StorageError
from streamtrader.events import MORE
from streamtrader.instruments import Instrument
from streamtrader.storage import lake_reader, lake_writer
from streamtrader.storage.tape import Tape
from streamtrader.units import NS_PER_DAY

from .lakes import INGESTED_NS, MARKETS, START_NS, anything, exported, files_of, imported, lively, tape_of
from .taping import in_files


def fresh(folder: Path) -> Path:
    found = folder / str(len(list(folder.iterdir())))
    found.mkdir()
    return found


@settings(in_files, max_examples=30)
@given(events=anything())
@pytest.mark.slow
def test_any_event_that_a_tape_takes_comes_back_byte_for_byte(tmp_path, events):
    folder = fresh(tmp_path)
    tape = tape_of(folder / "x.tape", events)

    exported(tape, folder / "lake")

    assert imported(folder / "lake", folder / "y.tape").tobytes() == events.tobytes()
    assert Tape.open(folder / "y.tape").instruments == MARKETS


@pytest.mark.parametrize("seed", range(2))
def test_small_groups_and_batches_give_the_same_events(tmp_path, monkeypatch, seed):
    """Where files are written and read in many pieces, none is lost and none changes its place."""
    events = lively(1_500, seed=seed, step_ns=NS_PER_DAY // 256)
    tape = tape_of(tmp_path / "x.tape", events)
    monkeypatch.setattr(lake_writer, "ROWS_OF_GROUP", 50)
    monkeypatch.setattr(lake_writer, "ROWS_HELD", 200)
    monkeypatch.setattr(lake_reader, "ROWS_OF_BATCH", (7, 7))

    exported(tape, tmp_path / "lake")

    assert imported(tmp_path / "lake", tmp_path / "y.tape").tobytes() == events.tobytes()


def test_a_file_is_found_by_venue_channel_symbol_and_date(tmp_path):
    tape = tape_of(tmp_path / "x.tape", lively(400))

    exported(tape, tmp_path / "lake")

    folders = {name.rpartition("/")[0] for name in files_of(tmp_path / "lake")}
    assert "venue=binance/channel=trade/symbol=BTCUSDT/date=2024-08-08" in folders
    assert "venue=binance-perpetual/channel=mark/symbol=BTCUSDT/date=2024-08-09" in folders
    assert "venue=kraken/channel=book/symbol=BTC%2FUSD/date=2024-08-09" in folders


def test_the_same_tape_again_changes_no_file(tmp_path):
    tape = tape_of(tmp_path / "x.tape", lively(400))
    first = exported(tape, tmp_path / "lake")
    before = files_of(tmp_path / "lake")

    again = exported(tape, tmp_path / "lake", source_uri="elsewhere")

    assert files_of(tmp_path / "lake") == before
    assert (again.files_written, again.files_kept, again.events) == (0, first.files_written, 400)
    assert first.files_written == len(before) - 1  # and the manifest


@pytest.mark.slow
def test_what_came_out_of_a_lake_goes_into_it_without_a_new_row(tmp_path):
    tape_of(tmp_path / "x.tape", lively(400))
    exported(tmp_path / "x.tape", tmp_path / "lake")
    before = files_of(tmp_path / "lake")
    imported(tmp_path / "lake", tmp_path / "y.tape")

    exported(tmp_path / "y.tape", tmp_path / "lake")

    assert set(files_of(tmp_path / "lake")) == set(before)


@pytest.mark.slow
def test_a_tape_that_has_grown_takes_the_place_of_what_it_was(tmp_path):
    """Noon's part of a day must not stay beside the whole of it."""
    events = lively(400)
    half = 4 * 50
    tape_of(tmp_path / "noon.tape", events[:half])
    tape_of(tmp_path / "evening.tape", events)
    tape_of(tmp_path / "alone.tape", events)
    exported(tmp_path / "noon.tape", tmp_path / "lake")

    report = exported(tmp_path / "evening.tape", tmp_path / "lake")
    exported(tmp_path / "alone.tape", tmp_path / "other")

    assert report.files_removed > 0
    assert set(files_of(tmp_path / "lake")) == set(files_of(tmp_path / "other"))
    assert imported(tmp_path / "lake", tmp_path / "y.tape").tobytes() == events.tobytes()


def test_an_older_copy_of_a_tape_does_not_shrink_the_lake(tmp_path):
    events = lively(400)
    exported(tape_of(tmp_path / "evening.tape", events), tmp_path / "lake")
    before = files_of(tmp_path / "lake")

    with pytest.raises(StorageError, match="older copy"):
        exported(tape_of(tmp_path / "noon.tape", events[:200]), tmp_path / "lake")

    assert files_of(tmp_path / "lake") == before


def test_another_tape_that_begins_alike_is_refused(tmp_path):
    events = lively(400)
    exported(tape_of(tmp_path / "one.tape", events[:200]), tmp_path / "lake")
    events["a"][100] += 1.0

    with pytest.raises(StorageError, match="goes on otherwise"):
        exported(tape_of(tmp_path / "other.tape", events), tmp_path / "lake")

    assert len(imported(tmp_path / "lake", tmp_path / "y.tape")) == 200


@pytest.mark.slow
def test_one_symbol_comes_alone_in_whole_messages(tmp_path):
    events = lively(900)
    exported(tape_of(tmp_path / "x.tape", events), tmp_path / "lake")

    found = imported(tmp_path / "lake", tmp_path / "y.tape", venues=["kraken"], symbols=["BTC/USD"])

    own = events[events["instrument"] == 2]
    message = np.cumsum(np.append(True, (events["flags"][:-1] & MORE) == 0))[events["instrument"] == 2]
    ends = np.append(message[1:] != message[:-1], True)
    assert Tape.open(tmp_path / "y.tape").instruments == MARKETS[2:]
    assert found["id"].tolist() == own["id"].tolist()
    assert not found["instrument"].any()
    assert ((found["flags"] & MORE) == 0).tolist() == ends.tolist()


def test_spot_and_perpetual_of_one_name_do_not_mix(tmp_path):
    events = lively(300)
    exported(tape_of(tmp_path / "x.tape", events), tmp_path / "lake")

    for index, venue in enumerate(("binance", "binance-perpetual")):
        found = imported(tmp_path / "lake", tmp_path / f"{venue}.tape", venues=[venue], symbols=["BTCUSDT"])
        assert found["id"].tolist() == events["id"][events["instrument"] == index].tolist()


@pytest.mark.parametrize("first, last", [(0, 400), (57, 200), (100, 100), (399, 400)])
@pytest.mark.slow
def test_a_time_is_cut_between_messages(tmp_path, first, last):
    events = lively(400)
    is_start = np.append(True, (events["flags"][:-1] & MORE) == 0)
    starts = np.flatnonzero(is_start)
    first, last = starts[starts <= first][-1], np.append(starts, 400)[np.append(starts, 400) >= last][0]
    exported(tape_of(tmp_path / "x.tape", events), tmp_path / "lake")
    from_ns = int(events["received_ns"][first])
    to_ns = int(events["received_ns"][last]) if last < 400 else 2**63 - 1

    if first == last:
        with pytest.raises(MarketFileError, match="not one event"):
            imported(tmp_path / "lake", tmp_path / "y.tape", from_ns=from_ns, to_ns=to_ns)
        assert not (tmp_path / "y.tape").exists()
        return
    found = imported(tmp_path / "lake", tmp_path / "y.tape", from_ns=from_ns, to_ns=to_ns)

    assert found.tobytes() == events[first:last].tobytes()


@settings(in_files, max_examples=12)
@given(data=st.data())
@pytest.mark.slow
def test_tapes_are_merged_by_clock_in_whole_messages(tmp_path, data):
    """Against the obvious way: every message dated by its tape's clock, then sorted, the older tape first."""
    folder = fresh(tmp_path)
    messages = []
    for number in range(data.draw(st.integers(2, 3))):
        start_ns = START_NS + data.draw(st.integers(0, 5)) * 1000 + number
        events = lively(data.draw(st.integers(1, 30)), seed=number, start_ns=start_ns, step_ns=1000)
        jumps = data.draw(st.lists(st.integers(-2000, 2000), min_size=len(events), max_size=len(events)))
        events["received_ns"][1:] += np.array(jumps[1:], np.int64)
        exported(tape_of(folder / f"{number}.tape", events), folder / "lake")
        clocks = np.maximum.accumulate(events["received_ns"])
        cuts = np.flatnonzero((events["flags"] & MORE) == 0) + 1
        order = (events["received_ns"][0], number)
        messages += [
            (clocks[start], order, index, events[start:stop].tobytes())
            for index, (start, stop) in enumerate(zip([0, *cuts], cuts, strict=False))
        ]

    found = imported(folder / "lake", folder / "y.tape")

    assert found.tobytes() == b"".join(bytes_ for *_, bytes_ in sorted(messages))


def test_a_market_with_two_ticks_gets_the_finer_one(tmp_path):
    coarse, fine = (Instrument("x", "AB", "A", "B", Decimal(tick), Decimal(1)) for tick in ("0.1", "0.01"))
    events = lively(20)
    events["instrument"] = 0
    for day, instrument in enumerate((fine, coarse)):
        events["received_ns"] += NS_PER_DAY
        exported(tape_of(tmp_path / f"{day}.tape", events, [instrument]), tmp_path / "lake")

    imported(tmp_path / "lake", tmp_path / "y.tape")

    assert Tape.open(tmp_path / "y.tape").instruments == (fine,)


def test_ticks_that_fit_no_common_step_are_told(tmp_path):
    events = lively(20)
    events["instrument"] = 0
    for day, tick in enumerate(("0.25", "0.1")):
        events["received_ns"] += NS_PER_DAY
        instrument = Instrument("x", "AB", "A", "B", Decimal(tick), Decimal(1))
        exported(tape_of(tmp_path / f"{day}.tape", events, [instrument]), tmp_path / "lake")

    with pytest.raises(StorageError, match=r"AB: the tapes of the lake disagree about price_tick \(0\.25 and 0\.1\)"):
        imported(tmp_path / "lake", tmp_path / "y.tape")


def test_a_file_that_is_gone_cut_off_or_shorter_is_told_and_no_tape_is_made(tmp_path):
    exported(tape_of(tmp_path / "x.tape", lively(400)), tmp_path / "lake")
    files = sorted((tmp_path / "lake").rglob("*.parquet"))
    whole = files[0].read_bytes()

    for content in (None, whole[:-100], files[1].read_bytes()):
        files[0].unlink(missing_ok=True)
        if content is not None:
            files[0].write_bytes(content)
        with pytest.raises(StorageError, match=f"{files[0].name}.*export its tape again"):
            imported(tmp_path / "lake", tmp_path / "y.tape")
        assert not list(tmp_path.glob("y.tape*"))


def test_an_empty_tape_is_an_empty_lake(tmp_path):
    exported(tape_of(tmp_path / "x.tape", lively(4)[:0]), tmp_path / "lake")

    with pytest.raises(MarketFileError, match="not one event"):
        imported(tmp_path / "lake", tmp_path / "y.tape")


def test_what_is_not_there_is_told_with_what_is(tmp_path):
    with pytest.raises(MarketFileError, match="there is no lake"):
        imported(tmp_path / "lake", tmp_path / "y.tape")
    exported(tape_of(tmp_path / "x.tape", lively(40)), tmp_path / "lake")

    with pytest.raises(
        MarketFileError, match="holds nothing of ETHUSDT; there is: binance BTCUSDT, binance-perpetual"
    ):
        imported(tmp_path / "lake", tmp_path / "y.tape", symbols=["ETHUSDT"])


def test_an_event_of_no_instrument_is_told(tmp_path):
    events = lively(10)
    events["instrument"][4] = 3

    with pytest.raises(StorageError, match="instrument 3, and the tape has 3"):
        exported(tape_of(tmp_path / "x.tape", events), tmp_path / "lake")

    assert files_of(tmp_path / "lake") == {}


def test_rows_say_where_they_come_from(tmp_path):
    import pyarrow.parquet as parquet

    exported(tape_of(tmp_path / "x.tape", lively(40)), tmp_path / "lake")

    row = parquet.read_table(next((tmp_path / "lake").rglob("*channel=trade*/**/*.parquet"))).to_pylist()[0]
    assert row["source_uri"] == (tmp_path / "x.tape").as_uri()
    assert row["transform_id"] == "tape-to-lake/1"
    assert row["ingested_at"].value == INGESTED_NS
