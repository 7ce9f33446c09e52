"""What a crash tore off is cut, what is damaged is refused, and a disk that fails loses nothing that was kept."""

import errno
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtrader.errors import LayoutChanged, StorageError, TapeCorrupt
from streamtrader.events import EVENT_BYTES
from streamtrader.storage import tape as tape_module
from streamtrader.storage import tape_layout
from streamtrader.storage.tape import Tape, TapeWriter

from .taping import BTCUSDT, batches, events_of, fresh, in_files, read, written


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


def test_a_tape_that_may_not_be_written_is_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "x.tape", [[3]])

    def refuse(_: int) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tape_module, "sync_file", refuse)

    with pytest.raises(StorageError, match="file system is read-only"):
        TapeWriter.reopen(tmp_path / "x.tape")
