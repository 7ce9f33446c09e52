"""A checkpoint gives back the same bytes or says why it cannot."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from streamtrader.errors import LayoutChanged, StorageError
from streamtrader.kernel.orders import Blotter
from streamtrader.kernel.record import Record, boxed, bytes_of
from streamtrader.storage import checkpoint


class Account(Record):
    """A record with padding, an array and a record inside."""

    def __init__(self, cash: float = 0.0) -> None:
        self.is_open = True
        self.cash = cash
        self.window = np.zeros(3)
        self.count = np.uint16(1)
        self.blotter = Blotter(slots=2)


def state(seed: int) -> checkpoint.Arrays:
    random = np.random.default_rng(seed)
    arrays = {
        "seats": boxed(*(Account(random.normal()) for _ in range(3))),
        "blotters": boxed(Blotter()),
        "first_seat": random.integers(0, 9, 5),
        "grid": random.normal(size=(3, 4)),
        "empty": np.zeros((0, 2)),
        "flags": np.array([True, False]),
    }
    arrays["blotters"].view(np.uint8)[:] = random.integers(0, 255, arrays["blotters"].nbytes, np.uint8)
    return arrays


KEY = checkpoint.layout_key(state(0))


def test_the_same_bytes_come_back(tmp_path: Path) -> None:
    arrays = state(1)
    checkpoint.save(tmp_path / "x", arrays, 12_345, KEY, notes={"outbox": 7})

    found = checkpoint.load(tmp_path / "x", state(2), KEY)

    assert found is not None
    assert (found.event_count, found.notes, found.warnings) == (12_345, {"outbox": 7}, ())
    assert list(found.arrays) == list(arrays)
    assert bytes_of(found.arrays.values()) == bytes_of(arrays.values())
    for name, array in found.arrays.items():
        assert (array.dtype, array.shape) == (arrays[name].dtype, arrays[name].shape)
        assert array.flags.writeable


def test_no_checkpoint_is_no_error(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path / "x", state(0), KEY) is None


def test_arrays_that_are_not_contiguous_are_kept_by_value(tmp_path: Path) -> None:
    arrays = {"grid": np.arange(12.0).reshape(3, 4).T}
    key = checkpoint.layout_key(arrays)
    checkpoint.save(tmp_path / "x", arrays, 1, key)

    found = checkpoint.load(tmp_path / "x", arrays, key)

    assert found is not None
    assert np.array_equal(found.arrays["grid"], arrays["grid"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
@example(at=0.001953125, bit=1, cut=False)  # in the length of the text
def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(
    tmp_path: Path, at: float, bit: int, cut: bool
) -> None:
    path = tmp_path / "x"
    older, newer = state(3), state(4)
    checkpoint.save(path, older, 100, KEY)
    checkpoint.save(path, newer, 200, KEY)
    data = bytearray(path.read_bytes())
    place = int(len(data) * at)
    data[place] ^= 1 << bit
    path.write_bytes(data[:place] if cut else data)

    try:
        found = checkpoint.load(path, state(0), KEY)
    except LayoutChanged:  # the schema's own bytes
        assert 8 <= place < 12
        return

    assert found is not None
    assert found.event_count == 100
    assert bytes_of(found.arrays.values()) == bytes_of(older.values())
    assert "x is" in found.warnings[0]


def test_when_no_generation_is_whole_it_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\x80\x04pickle")
    (tmp_path / "x.previous").write_bytes(b"")

    with pytest.raises(StorageError, match="replayed from its start"):
        checkpoint.load(tmp_path / "x", state(0), KEY)


def test_a_checkpoint_of_another_layout_is_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "x", state(0), 1, KEY)

    with pytest.raises(LayoutChanged, match="another layout"):
        checkpoint.load(tmp_path / "x", state(0), checkpoint.layout_key(state(0), "other code"))


def test_the_layout_key_sees_names_types_lengths_and_code() -> None:
    keys = {
        checkpoint.layout_key(arrays, *sources)
        for arrays, sources in (
            ({"a": np.zeros(3)}, ()), ({"b": np.zeros(3)}, ()), ({"a": np.zeros(4)}, ()),
            ({"a": np.zeros(3, np.int64)}, ()), ({"a": np.zeros(3)}, ("code",)), ({"a": boxed(Account())}, ()),
            ({"a": boxed(Blotter())}, ()), ({"a": boxed(Blotter(slots=8))}, ()),
        )
    }  # fmt: skip

    assert len(keys) == 8
    assert checkpoint.layout_key(state(0)) == checkpoint.layout_key(state(5))


def test_a_crash_between_the_two_renames_leaves_the_older_one(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "x", state(0), 1, KEY)
    (tmp_path / "x").rename(tmp_path / "x.previous")

    found = checkpoint.load(tmp_path / "x", state(0), KEY)

    assert found is not None
    assert found.event_count == 1


def test_a_refused_write_keeps_what_there_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save(tmp_path / "x", state(0), 1, KEY)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="disk is full"):
            checkpoint.save(tmp_path / "x", state(1), 2, KEY)

    found = checkpoint.load(tmp_path / "x", state(0), KEY)
    assert found is not None
    assert found.event_count == 1
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("step", "told"), [(1, "newer streamtrader"), (-1, "older streamtrader")])
def test_a_checkpoint_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, told: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "SCHEMA", checkpoint.SCHEMA + step)
        checkpoint.save(tmp_path / "x", state(0), 1, KEY)

    with pytest.raises(LayoutChanged, match=told):
        checkpoint.load(tmp_path / "x", state(0), KEY)


def test_pages_of_zeros_are_neither_written_nor_taken_up(tmp_path: Path) -> None:
    arrays = {"markets": np.zeros((10, 1_000_000)), "seats": np.arange(2_000)}
    arrays["markets"][3, 77] = 5.5
    arrays["markets"][9, 999_999] = 7.5

    checkpoint.save(tmp_path / "x", arrays, 1, KEY)
    found = checkpoint.load(tmp_path / "x", arrays, KEY)

    assert (tmp_path / "x").stat().st_size < 50_000
    assert found is not None
    assert bytes_of(found.arrays.values()) == bytes_of(arrays.values())
