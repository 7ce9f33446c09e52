"""A run directory is whole, belongs to one engine, and can always be found and started again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamtrader.errors import LayoutChanged, RunDirectoryError, RunLocked
from streamtrader.storage.run_directory import RunDirectory, code_sha256, folder_sha256, json_sha256

NOW_NS = 1_795_000_000 * 1_000_000_000
LOCKER = """
import sys, pathlib
from streamtrader.storage.run_directory import RunDirectory
with RunDirectory(pathlib.Path(sys.argv[1])).lock():
    print("locked", flush=True)
    sys.stdin.read()
"""


def locker(run: RunDirectory) -> subprocess.Popen[str]:
    """Another process that holds the lock until its input closes."""
    child = subprocess.Popen(
        [sys.executable, "-c", LOCKER, str(run.path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "locked\n"
    return child


def ended(child: subprocess.Popen[str]) -> None:
    child.communicate(timeout=10)


def test_a_run_is_named_by_the_time_and_has_its_manifest(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "runs", now_ns=NOW_NS, manifest={"config_sha256": "c"})

    assert run.path.name == "2026-11-18T11-06-40"
    assert run.read_manifest() == {"schema": 1, "run": run.path.name, "config_sha256": "c"}
    assert {path.name for path in run.path.iterdir()} == {"manifest.json"}
    paths = {run.tape, run.database, run.log, run.checkpoint, run.manifest, run.lock_file}
    assert len(paths) == 6
    assert {path.parent for path in paths} == {run.path}


def test_two_runs_of_one_second_have_two_names(tmp_path: Path) -> None:
    names = [RunDirectory.create(tmp_path, now_ns=NOW_NS).path.name for _ in range(3)]

    assert names == ["2026-11-18T11-06-40", "2026-11-18T11-06-40-2", "2026-11-18T11-06-40-3"]


def test_the_latest_run_is_the_one_started_last(tmp_path: Path) -> None:
    assert RunDirectory.latest(tmp_path) is None
    RunDirectory.create(tmp_path, now_ns=NOW_NS)
    RunDirectory.create(tmp_path, "a-name", now_ns=NOW_NS)

    latest = RunDirectory.latest(tmp_path)
    assert latest is not None
    assert latest.path == tmp_path / "a-name"
    (tmp_path / "latest").write_text("../elsewhere")
    latest = RunDirectory.latest(tmp_path)
    assert latest is not None
    assert latest.path.name == "a-name"  # by name, when the note is of no use


@pytest.mark.parametrize("name", ["", "a/b", "..", "latest"])
def test_a_name_that_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunDirectoryError):
        RunDirectory.create(tmp_path, name, now_ns=NOW_NS)

    assert not list(tmp_path.iterdir())


def test_an_existing_run_is_never_created_over(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path, "x", now_ns=NOW_NS, manifest={"precious": 1})

    with pytest.raises(RunDirectoryError, match="exists already"):
        RunDirectory.create(tmp_path, "x", now_ns=NOW_NS)

    assert RunDirectory.open(tmp_path / "x").read_manifest()["precious"] == 1


def test_a_root_that_cannot_be_used_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    for root in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(RunDirectoryError, match=r"set run\.root"):
            RunDirectory.create(root, now_ns=NOW_NS)

    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_without_write_permission_is_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write everywhere, so the system's answer is played."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(os, "mkdir", refuse)
        with pytest.raises(RunDirectoryError, match=r"permission denied.*set run\.root"):
            RunDirectory.create(tmp_path / "runs", now_ns=NOW_NS)

    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_leaves_no_half_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(RunDirectoryError, match="disk is full"):
            RunDirectory.create(tmp_path, now_ns=NOW_NS)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "kind", "says"),
    [
        (None, RunDirectoryError, "no manifest"),
        ("{", RunDirectoryError, "damaged"),
        ("[]", RunDirectoryError, "not the manifest"),
        ('{"schema": 99}', LayoutChanged, "newer streamtrader"),
    ],
)
def test_what_is_no_run_is_refused(tmp_path: Path, content: str | None, kind: type[Exception], says: str) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)

    with pytest.raises(kind, match=says):
        RunDirectory.open(tmp_path)


def test_a_manifest_grows_without_losing_anything(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, now_ns=NOW_NS, manifest={"code_sha256": "a"})

    run.update_manifest(data_sha256="b")

    assert RunDirectory.open(run.path).read_manifest() == {
        "schema": 1, "run": run.path.name, "code_sha256": "a", "data_sha256": "b",
    }  # fmt: skip


def test_a_second_engine_is_told_who_has_the_run(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, now_ns=NOW_NS)
    child = locker(run)

    with pytest.raises(RunLocked, match=rf"process {child.pid}\)"):
        RunDirectory.open(run.path).lock()
    assert run.holder() == child.pid

    ended(child)
    assert run.holder() is None
    with run.lock():
        assert run.holder() == os.getpid()
    assert run.holder() is None


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, now_ns=NOW_NS)
    child = locker(run)

    child.kill()
    ended(child)

    run.lock().unlock()


def test_hashes_follow_the_content(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    first = folder_sha256(tmp_path)
    (tmp_path / "a.txt").write_text("not code")
    assert folder_sha256(tmp_path) == first
    (tmp_path / "a.py").write_text("2")
    assert folder_sha256(tmp_path) != first
    assert len(code_sha256()) == 64
    assert json_sha256({"a": 1, "b": [2]}) == json_sha256({"b": [2], "a": 1})
    assert json_sha256({"a": 1}) != json_sha256({"a": 2})
