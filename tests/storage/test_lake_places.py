"""A lake on a disk or behind fsspec: files appear whole or not at all, whatever breaks off."""

from __future__ import annotations

import builtins
import errno
import itertools
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import fsspec
import pyarrow.parquet as parquet
import pytest

from streamtrader.errors import ConfigError, StorageError
from streamtrader.storage.lake_place import LocalPlace, RemotePlace, open_place

from .lakes import events_of, exported, files_of, imported, lively, tape_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def remote():
    """A place of its own in fsspec's memory, emptied afterwards."""
    number = next(_numbers)
    yield f"memory://lakes/{number}"
    filesystem = fsspec.filesystem("memory")
    if filesystem.exists(f"/lakes/{number}"):
        filesystem.rm(f"/lakes/{number}", recursive=True)


_numbers = itertools.count()


def names_in(url: str) -> set[str]:
    return set(RemotePlace(url).names(""))


def test_a_lake_behind_fsspec_is_the_lake_on_a_disk(tmp_path, remote):
    events = lively(400)
    tape = tape_of(tmp_path / "x.tape", events)

    report = exported(tape, remote)
    again = exported(tape, remote)
    exported(tape, tmp_path / "lake")

    assert names_in(remote) == set(files_of(tmp_path / "lake"))
    assert (again.files_written, again.files_kept) == (0, report.files_written)
    assert imported(remote, tmp_path / "y.tape").tobytes() == events.tobytes()


def test_a_tape_that_has_grown_replaces_its_files_behind_fsspec_too(tmp_path, remote):
    events = lively(400)
    exported(tape_of(tmp_path / "noon.tape", events[:200]), remote)

    report = exported(tape_of(tmp_path / "evening.tape", events), remote)

    assert report.files_removed > 0
    assert imported(remote, tmp_path / "y.tape").tobytes() == events.tobytes()


def test_a_file_url_is_a_folder(tmp_path):
    place = open_place((tmp_path / "lake").as_uri())

    assert isinstance(place, LocalPlace)
    assert place.root == tmp_path / "lake"


def test_an_unknown_scheme_and_a_missing_driver_are_told(monkeypatch):
    with pytest.raises(ConfigError, match="nowhere://x cannot be opened"):
        open_place("nowhere://x")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ConfigError, match="s3fs"):
        open_place("s3://bucket/lake")


@pytest.mark.parametrize("missing", ["pyarrow", "fsspec"])
def test_without_the_extra_the_command_that_installs_it_is_named(tmp_path, monkeypatch, missing):
    tape = tape_of(tmp_path / "x.tape", lively(4))
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__

    def refuse(name, *arguments, **more):
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {missing!r}")
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setattr("importlib.import_module", refuse)

    with pytest.raises(ConfigError, match=rf"{missing}.*pip install 'streamtrader\[lake\]'"):
        exported(tape, tmp_path / "lake" if missing == "pyarrow" else "memory://lakes/none")
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize("at", [0, 1, 5, -1])
@pytest.mark.slow
def test_an_export_that_fails_anywhere_leaves_whole_files_and_is_made_up_for_by_the_next(tmp_path, monkeypatch, at):
    tape = tape_of(tmp_path / "x.tape", lively(400))
    exported(tape, tmp_path / "whole")
    whole = set(files_of(tmp_path / "whole"))
    publish, count = LocalPlace.publish, itertools.count()
    fatal = at if at >= 0 else len(whole) - 1  # the manifest comes last

    def failing(self, file, name):
        if next(count) == fatal:
            raise StorageError("the disk is full")
        publish(self, file, name)

    with monkeypatch.context() as patched:
        patched.setattr(LocalPlace, "publish", failing)
        with pytest.raises(StorageError, match="full"):
            exported(tape, tmp_path / "lake")
    left = set(files_of(tmp_path / "lake"))
    with pytest.raises(Exception, match="there is no lake"):
        imported(tmp_path / "lake", tmp_path / "y.tape")
    exported(tape, tmp_path / "lake")

    assert len(left) == fatal and left < whole
    assert set(files_of(tmp_path / "lake")) == whole


CRASHING = """
    import os, signal, sys
    from streamtrader.runtime.lake import export_to_lake
    from streamtrader.storage.lake_place import LocalPlace

    publish, left = LocalPlace.publish, [int(sys.argv[3])]

    def killed(self, file, name):
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        publish(self, file, name)

    LocalPlace.publish = killed
    export_to_lake(sys.argv[1], sys.argv[2], ingested_ns=1)
"""


@pytest.mark.slow
def test_a_killed_export_leaves_no_half_file_under_a_name_that_is_read(tmp_path):
    events = lively(400)
    tape = tape_of(tmp_path / "x.tape", events)
    arguments = [sys.executable, "-c", textwrap.dedent(CRASHING), str(tape), str(tmp_path / "lake"), "9"]

    ended = subprocess.run(arguments, cwd=ROOT, check=False, timeout=120)

    assert ended.returncode == -signal.SIGKILL
    left = files_of(tmp_path / "lake")
    files = [name for name in left if name.endswith(".parquet")]
    assert len(files) == 9 and any(name.endswith(".part") for name in left)
    assert all(parquet.read_metadata(tmp_path / "lake" / name).num_rows for name in files)

    report = exported(tape, tmp_path / "lake")

    assert report.files_kept == 9
    assert not any("_aside" in name for name in files_of(tmp_path / "lake"))
    assert imported(tmp_path / "lake", tmp_path / "y.tape").tobytes() == events.tobytes()


def test_files_of_an_export_that_broke_off_before_the_tape_grew_do_not_stay(tmp_path, monkeypatch):
    """No manifest ever named them, yet a query would read them."""
    events = lively(400)
    noon = tape_of(tmp_path / "noon.tape", events[:200])
    with monkeypatch.context() as patched:
        patched.setattr("streamtrader.storage.lake.manifests.Manifest.packed", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            exported(noon, tmp_path / "lake")
    exported(tape_of(tmp_path / "evening.tape", events), tmp_path / "lake")
    exported(tmp_path / "evening.tape", tmp_path / "other")

    assert set(files_of(tmp_path / "lake")) == set(files_of(tmp_path / "other"))


def test_two_exports_of_one_tape_at_once_do_not_meet(tmp_path):
    tape = tape_of(tmp_path / "x.tape", lively(40))
    identity = exported(tape, tmp_path / "other").tape

    with LocalPlace(tmp_path / "lake").spool(identity), pytest.raises(StorageError, match="right now"):
        exported(tape, tmp_path / "lake")


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    tape = tape_of(tmp_path / "x.tape", lively(40))
    (tmp_path / "lake").write_text("a file")

    with pytest.raises(StorageError, match="lake"):
        exported(tape, tmp_path / "lake")


def test_an_error_of_the_driver_names_the_file(tmp_path, monkeypatch, remote):
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.ECONNRESET, "connection reset")

    monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "put_file", refused)

    with pytest.raises(StorageError, match=r"memory://lakes/\d+/venue=.*connection reset"):
        exported(tape_of(tmp_path / "x.tape", lively(40)), remote)
    assert names_in(remote) == set()
    assert (tmp_path / "x.tape").exists()


def test_a_manifest_of_a_newer_version_or_of_nobody_is_told(tmp_path):
    exported(tape_of(tmp_path / "x.tape", lively(40)), tmp_path / "lake")
    manifest = next((tmp_path / "lake" / "_tapes").iterdir())
    text = manifest.read_text()

    for wrong, what in (
        (text.replace('"schema": 1', '"schema": 2'), "newer"),
        ("{}", "no manifest"),
        ("x", "no manifest"),
    ):
        manifest.write_text(wrong)
        with pytest.raises(StorageError, match=what):
            imported(tmp_path / "lake", tmp_path / "y.tape")
    assert len(events_of(tmp_path / "x.tape")) == 40
