"""A tape keeps every event, in whole messages, in order."""

import errno
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.errors import LayoutChanged, StorageError
from streamtrader.events import EVENT, MORE
from streamtrader.storage import tape as tape_module
from streamtrader.storage.tape import Tape, TapeWriter

from .taping import BTCUSDT, batches, events_of, fresh, in_files, read, written


@in_files
@given(rows_of_batches=batches)
def test_a_tape_gives_back_every_event_in_order(tmp_path: Path, rows_of_batches: list[list[int]]) -> None:
    path = fresh(tmp_path)

    events = written(path, rows_of_batches)
    tape = Tape.open(path)
    tape.verify()

    assert tape.event_count == len(events)
    assert read(tape) == events.tobytes()
    assert tape.instruments == (BTCUSDT,)
    assert tape.metadata == {"seed": 7}
    assert tape.torn_bytes == 0
    assert np.array_equal(tape.slots[tape.slots["kind"] != 0], events)
    assert all(tape.slots[tape.slot_of(index)]["id"] == index for index in range(len(events)))
    assert tape.slot_of(len(events)) == len(tape.slots)


@in_files
@given(messages=st.lists(st.integers(1, 5), min_size=1, max_size=12), data=st.data())
def test_messages_cut_by_batches_are_whole_on_the_tape(
    tmp_path: Path, messages: list[int], data: st.DataObject
) -> None:
    """Whatever the batches, a block ends where a message ends, and unfinished rows wait."""
    events = events_of(messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=6)))
    path = fresh(tmp_path)

    with TapeWriter.create(path, [BTCUSDT], {}) as writer:
        for start, stop in zip([0, *cuts], [*cuts, len(events)], strict=True):
            writer.append(events[start:stop])
            assert writer.event_count + writer.held_count == stop
            assert Tape.open(path).event_count == writer.event_count

    tape = Tape.open(path)
    assert read(tape) == events.tobytes()
    assert all(not block[-1]["flags"] & MORE for block in tape.events())


def test_a_batch_longer_than_a_block_becomes_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape_module, "BLOCK_EVENTS", 10)
    monkeypatch.setattr(tape_module, "SMALL_BLOCK", 4)

    events = written(tmp_path / "x.tape", [[4, 4, 4, 25, 1, 9, 10]])
    tape = Tape.open(tmp_path / "x.tape")

    assert tape.blocks["count"].tolist() == [8, 4, 25, 10, 10]
    assert read(tape) == events.tobytes()


def test_rows_of_a_message_that_never_ends_are_not_on_the_tape(tmp_path: Path) -> None:
    events = events_of([2, 3])

    with TapeWriter.create(tmp_path / "x.tape", [BTCUSDT], {}) as writer:
        assert writer.append(events[:4]) == 2
        assert writer.held_count == 2

    assert Tape.open(tmp_path / "x.tape").event_count == 2


def test_an_event_of_kind_0_is_refused(tmp_path: Path) -> None:
    with (
        TapeWriter.create(tmp_path / "x.tape", [BTCUSDT], {}) as writer,
        pytest.raises(ValueError, match="kind 0"),
    ):
        writer.append(np.zeros(1, EVENT))


def test_rows_of_another_layout_are_refused(tmp_path: Path) -> None:
    with (
        TapeWriter.create(tmp_path / "x.tape", [BTCUSDT], {}) as writer,
        pytest.raises(LayoutChanged, match="64 bytes"),
    ):
        writer.append(np.zeros(1, np.int64))


def test_a_message_without_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tape_module, "MESSAGE_ROWS", 5)

    with TapeWriter.create(tmp_path / "x.tape", [BTCUSDT], {}) as writer:
        writer.append(events_of([9])[:4])
        with pytest.raises(StorageError, match="no end"):
            writer.append(events_of([9])[4:8])


def test_a_tape_never_replaces_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.tape"
    path.write_text("precious")

    with pytest.raises(StorageError, match="exists already"):
        TapeWriter.create(path, [], {})

    assert path.read_text() == "precious"
    assert [path] == list(tmp_path.iterdir())


def test_a_missing_tape_and_a_missing_folder_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        Tape.open(tmp_path / "none.tape")
    with pytest.raises(StorageError, match="cannot be created"):
        TapeWriter.create(tmp_path / "none" / "x.tape", [], {})


def test_a_growing_tape_can_be_read_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "x.tape"
    with TapeWriter.create(path, [BTCUSDT], {}) as writer:
        writer.append(events_of([3]))
        early = Tape.open(path)
        writer.append(events_of([2], first=3))

        assert early.event_count == 3
        assert Tape.open(path).event_count == 5
        assert (Tape.open(path).first_received_ns, Tape.open(path).last_received_ns) == (
            1_700_000_000_000_000_000,
            1_700_000_000_000_000_004,
        )


def test_slots_cannot_be_written(tmp_path: Path) -> None:
    written(tmp_path / "x.tape", [[1]])

    with pytest.raises(ValueError, match="read-only"):
        Tape.open(tmp_path / "x.tape").slots["a"] = 1.0


def test_blocks_can_be_checked_by_several_threads(tmp_path: Path) -> None:
    written(tmp_path / "x.tape", [[5]] * 40)
    tape = Tape.open(tmp_path / "x.tape")
    threads = [threading.Thread(target=tape.verify, args=(start, start + 10)) for start in range(0, 40, 10)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert not any(thread.is_alive() for thread in threads)


def test_the_identity_of_events_does_not_depend_on_blocks(tmp_path: Path) -> None:
    written(tmp_path / "a.tape", [[1, 2], [3]])
    written(tmp_path / "b.tape", [[1], [2, 3]])
    a, b = Tape.open(tmp_path / "a.tape"), Tape.open(tmp_path / "b.tape")

    assert a.events_sha256() == b.events_sha256()
    assert a.data_sha256 != b.data_sha256
    assert a.data_sha256 == Tape.open(tmp_path / "a.tape").data_sha256


def test_an_event_that_is_not_there_has_no_slot(tmp_path: Path) -> None:
    written(tmp_path / "x.tape", [[1, 2]])

    with pytest.raises(StorageError, match="events 0 to 2, not 4"):
        Tape.open(tmp_path / "x.tape").slot_of(4)


def test_a_file_system_without_hard_links_serves_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)

    written(tmp_path / "x.tape", [[3]])
    with pytest.raises(StorageError, match="exists already"):
        TapeWriter.create(tmp_path / "x.tape", [], {})

    assert Tape.open(tmp_path / "x.tape").event_count == 3
    assert [path.name for path in tmp_path.iterdir()] == ["x.tape"]


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    writer = TapeWriter.create(tmp_path / "x.tape", [], {})

    writer.close()
    writer.close()

    assert writer.size_bytes == (tmp_path / "x.tape").stat().st_size
