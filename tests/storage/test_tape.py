"""A tape keeps every event, cuts what a crash tore off, and refuses what is damaged."""

import errno
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamtrader.errors import LayoutChanged, StorageError, TapeCorrupt
from streamtrader.events import EVENT, EVENT_BYTES, MORE, Kind
from streamtrader.instruments import Instrument
from streamtrader.storage import tape as tape_module
from streamtrader.storage import tape_layout
from streamtrader.storage.tape import Tape, TapeWriter

BTCUSDT = Instrument("binance", "BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"), Decimal(5))
in_files = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
batches = st.lists(st.lists(st.integers(1, 4), max_size=8), max_size=8)  # batches of messages of so many rows


def events_of(rows_of_messages: list[int], first: int = 0) -> np.ndarray:
    """Messages of so many rows each, all rows different."""
    count = sum(rows_of_messages)
    events = np.zeros(count, EVENT)
    events["kind"] = Kind.BOOK
    events["id"] = np.arange(first, first + count)
    events["received_ns"] = 1_700_000_000_000_000_000 + np.arange(first, first + count)
    events["a"] = np.arange(first, first + count) * 0.5
    events["flags"] = MORE
    events["flags"][np.cumsum(rows_of_messages, dtype=np.int64) - 1] = 0
    return events


def written(path: Path, rows_of_batches: list[list[int]]) -> np.ndarray:
    """A tape of these batches; the events that went in."""
    everything = [np.zeros(0, EVENT)]
    with TapeWriter.create(path, [BTCUSDT], {"seed": 7}) as writer:
        for messages in rows_of_batches:
            everything.append(events_of(messages, sum(map(len, everything))))
            writer.append(everything[-1])
    return np.concatenate(everything)


def read(tape: Tape) -> bytes:
    return b"".join(events.tobytes() for events in tape.events())


def fresh(folder: Path) -> Path:
    """A path that is free, also when hypothesis comes back to the same folder."""
    return folder / f"{len(list(folder.iterdir()))}.tape"


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


@in_files
@given(rows_of_batches=batches, cut=st.floats(0, 1))
def test_a_torn_tail_is_cut_back_to_the_last_whole_block(
    tmp_path: Path, rows_of_batches: list[list[int]], cut: float
) -> None:
    """However many bytes are missing at the end, what is read is a prefix made of whole blocks, and writing goes on."""
    path = fresh(tmp_path)
    events = written(path, rows_of_batches)
    whole = Tape.open(path)
    size = path.stat().st_size
    kept = whole.header.first_slot_at + round((size - whole.header.first_slot_at) * cut)
    ends = [0, *np.cumsum(whole.blocks["count"]).tolist()]
    offsets = [whole.header.first_slot_at + (end + block) * EVENT_BYTES for block, end in enumerate(ends)]
    del whole
    os.truncate(path, kept)

    torn = Tape.open(path)
    expected = ends[sum(offset <= kept for offset in offsets) - 1]
    assert torn.event_count == expected
    assert read(torn) == events[:expected].tobytes()
    assert torn.torn_bytes == kept - max(offset for offset in offsets if offset <= kept)
    del torn
    with TapeWriter.reopen(path) as writer:
        assert writer.cut_bytes == kept - path.stat().st_size
        assert writer.event_count == expected
        writer.append(events[expected:])
    mended = Tape.open(path)
    mended.verify()
    assert read(mended) == events.tobytes()


@in_files
@given(rows_of_batches=batches, at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_and_never_read(
    tmp_path: Path, rows_of_batches: list[list[int]], at: float, bit: int
) -> None:
    """Damage is an error or, in the last block, a torn tail: what is read is always a prefix of what was written."""
    path = fresh(tmp_path)
    events = written(path, rows_of_batches)
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1 << bit
    path.write_bytes(data)

    try:
        tape = Tape.open(path)
        tape.verify()
    except (TapeCorrupt, LayoutChanged) as error:
        assert str(path) in str(error)
    else:
        assert tape.torn_bytes > 0
        assert read(tape) == events[: tape.event_count].tobytes()


def test_zeros_that_a_power_cut_left_are_a_torn_tail(tmp_path: Path) -> None:
    path = tmp_path / "x.tape"
    written(path, [[3], [2], [4]])
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size - 9 * EVENT_BYTES + 100)
        file.write(bytes(9 * EVENT_BYTES - 100))

    tape = Tape.open(path)

    assert tape.event_count == 3
    assert tape.torn_bytes == 8 * EVENT_BYTES
    assert tape.torn_events == 7


@pytest.mark.parametrize("lost", [1, 64, 4_321])
def test_bytes_lost_in_the_middle_are_damage_and_not_a_tail(tmp_path: Path, lost: int) -> None:
    """Nothing after them is aligned; cutting there would throw away blocks that are still good."""
    path = tmp_path / "x.tape"
    written(path, [[100], [100], [100]])
    data = path.read_bytes()
    path.write_bytes(data[:6_700] + data[6_700 + lost :])

    with pytest.raises(TapeCorrupt, match=r"block [01] at byte \d+ is damaged .*whole blocks follow"):
        Tape.open(path)
    with pytest.raises(TapeCorrupt):
        TapeWriter.reopen(path)
    assert path.stat().st_size == len(data) - lost


def test_a_damaged_event_in_the_middle_names_file_block_and_offset(tmp_path: Path) -> None:
    path = tmp_path / "x.tape"
    written(path, [[3], [2], [4]])
    tape = Tape.open(path)
    offset = tape.header.first_slot_at + int(tape.starts[1]) * EVENT_BYTES
    with path.open("r+b") as file:
        file.seek(offset + EVENT_BYTES + 20)
        file.write(b"\xff")

    tape.verify(0, 1)
    tape.verify(2)
    with pytest.raises(TapeCorrupt, match=re.escape(f"{path}: block 1 at byte {offset} is damaged")) as caught:
        Tape.open(path).verify()
    assert caught.value.details["block"] == 1


def test_a_block_of_another_tape_is_foreign(tmp_path: Path) -> None:
    written(tmp_path / "a.tape", [[3]])
    with TapeWriter.create(tmp_path / "b.tape", [], {"other": True}) as writer:
        writer.append(events_of([3]))
    a, b = (tmp_path / "a.tape").read_bytes(), (tmp_path / "b.tape").read_bytes()
    (tmp_path / "b.tape").write_bytes(b[: -4 * EVENT_BYTES] + a[-4 * EVENT_BYTES :])

    assert Tape.open(tmp_path / "b.tape").event_count == 0


def test_a_block_that_was_doubled_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.tape"
    written(path, [[1], [1]])
    data = path.read_bytes()
    path.write_bytes(data[:-128] + data[-256:-128] + data[-128:])

    with pytest.raises(TapeCorrupt, match="block 1"):
        Tape.open(path)


@pytest.mark.parametrize(
    ("content", "kind", "says"),
    [
        (b"", TapeCorrupt, "is empty"),
        (b"1723161254087896568 {}\n", LayoutChanged, "not a tape"),
        (b"\x1f\x8b\x08", LayoutChanged, "not a tape"),
        (tape_layout.MAGIC[:5], TapeCorrupt, "cut off"),
        (tape_layout.MAGIC + b"\x02\0\0\0" + bytes(40), LayoutChanged, "newer streamtrader"),
        (tape_layout.MAGIC + b"\x01\0\0\0" + bytes(40), TapeCorrupt, "damaged or cut off"),
    ],
)
def test_a_file_that_is_no_tape_of_ours_is_refused_in_words(
    tmp_path: Path, content: bytes, kind: type[StorageError], says: str
) -> None:
    path = tmp_path / "x.tape"
    path.write_bytes(content)

    for opening in (Tape.open, TapeWriter.reopen):
        with pytest.raises(kind, match=says):
            opening(path)
    assert path.read_bytes() == content


def test_a_tape_with_other_event_fields_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(tape_layout, "event_layout", lambda: [["venue_ns", "<i4", 0]])
        TapeWriter.create(tmp_path / "x.tape", [], {}).close()

    with pytest.raises(LayoutChanged, match="other fields"):
        Tape.open(tmp_path / "x.tape")


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


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """A disk that is full at `size` bytes of one file."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("batch_rows", [10, 5_000])
def test_a_full_disk_leaves_whole_blocks_and_the_same_batch_may_be_given_again(
    tmp_path: Path, batch_rows: int
) -> None:
    path = tmp_path / "x.tape"
    writer = TapeWriter.create(path, [BTCUSDT], {})
    writer.append(events_of([2]))
    writer.append(events_of([3], first=2)[:1])
    size, batch = path.stat().st_size, np.concatenate((events_of([3], first=2)[1:], events_of([1] * batch_rows, 5)))

    with files_up_to(size + 700), pytest.raises(StorageError, match=re.escape(str(path))):
        writer.append(batch)

    assert (path.stat().st_size, writer.event_count, writer.held_count) == (size, 2, 1)
    writer.append(batch)
    writer.close()
    tape = Tape.open(path)
    tape.verify()
    assert read(tape) == np.concatenate((events_of([2, 3]), events_of([1] * batch_rows, 5))).tobytes()


class BrokenFile:
    """A file on a disk that fails: the operating system's errors cannot be had on demand otherwise."""

    def __init__(self, file: object, failing: set[str]) -> None:
        self.file, self.failing = file, failing

    def __getattr__(self, name: str) -> object:
        def fail(*_: object) -> None:
            raise OSError(errno.EIO, "Input/output error")

        return fail if name in self.failing else getattr(self.file, name)


def test_after_a_failed_roll_back_nothing_more_is_written(tmp_path: Path) -> None:
    writer = TapeWriter.create(tmp_path / "x.tape", [], {})
    sound = writer._file
    writer._file = BrokenFile(sound, {"write", "truncate"})

    with pytest.raises(StorageError, match="input/output error"):
        writer.append(events_of([1]))
    writer._file = sound

    with pytest.raises(StorageError, match="Reopen it"):
        writer.append(events_of([1]))
    writer.close()


def test_after_a_failed_sync_nothing_more_is_written(tmp_path: Path) -> None:
    """What a failed sync left on the disk is unknown; going on would trust it."""
    writer = TapeWriter.create(tmp_path / "x.tape", [], {})
    sound = writer._file
    writer._file = BrokenFile(sound, {"fileno"})

    with pytest.raises(StorageError, match="durable"):
        writer.sync()

    with pytest.raises(StorageError, match="Reopen it"):
        writer.append(events_of([1]))
    writer._file = sound
    writer.close()


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


CHILD = """
import sys
import numpy as np
from streamtrader.events import EVENT
from streamtrader.storage.tape import TapeWriter

writer = TapeWriter.create(sys.argv[1], [], {}) if sys.argv[2] == "new" else TapeWriter.reopen(sys.argv[1])
while True:
    first = writer.event_count
    events = np.zeros(1 + first % 5_000, EVENT)
    events["kind"], events["id"] = 1, np.arange(first, first + len(events))
    writer.append(events)
    writer.sync()
    print(writer.event_count, flush=True)
"""


def test_a_writer_killed_again_and_again_loses_nothing_that_was_confirmed(tmp_path: Path) -> None:
    path, random, confirmed = tmp_path / "x.tape", np.random.default_rng(5), 0
    for round_number in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path), "new" if round_number == 0 else "again"],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        assert child.stdout is not None
        confirmed = [int(child.stdout.readline()) for _ in range(random.integers(1, 30))][-1]
        child.kill()
        confirmed = [confirmed, *map(int, child.stdout.read().splitlines())][-1]
        child.stdout.close()
        child.wait(10)

        tape = Tape.open(path)
        tape.verify()
        assert tape.event_count >= confirmed
        assert np.array_equal(np.concatenate(list(tape.events()))["id"], np.arange(tape.event_count))


def test_the_mark_of_a_block_inside_damage_is_not_taken_for_a_block(tmp_path: Path) -> None:
    """Only a header with its own checksum counts, so chance cannot turn a torn tail into damage."""
    path = tmp_path / "x.tape"
    written(path, [[3]])
    mark = tape_layout.BLOCK_MAGIC.to_bytes(8, "little")
    with path.open("ab") as file:
        file.write(b"\x01" * 100 + mark + b"\x02" * 100 + mark)

    tape = Tape.open(path)

    assert (tape.event_count, tape.torn_bytes) == (3, 216)


def test_a_file_system_without_hard_links_serves_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)

    written(tmp_path / "x.tape", [[3]])
    with pytest.raises(StorageError, match="exists already"):
        TapeWriter.create(tmp_path / "x.tape", [], {})

    assert Tape.open(tmp_path / "x.tape").event_count == 3
    assert [path.name for path in tmp_path.iterdir()] == ["x.tape"]


def test_a_tape_that_may_not_be_written_is_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "x.tape", [[3]])

    def refuse(_: int) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tape_module, "sync_file", refuse)

    with pytest.raises(StorageError, match="file system is read-only"):
        TapeWriter.reopen(tmp_path / "x.tape")


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    writer = TapeWriter.create(tmp_path / "x.tape", [], {})

    writer.close()
    writer.close()

    assert writer.size_bytes == (tmp_path / "x.tape").stat().st_size
