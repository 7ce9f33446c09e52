"""A session's directory: tape, database, log, checkpoints and a manifest that says what produced them.

It appears whole or not at all, and one engine at a time holds its lock; the lock dies with the process, so a crash
never leaves a run that cannot be started again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from streamtrader.errors import LayoutChanged, RunDirectoryError, RunLocked, StorageError
from streamtrader.storage.files import explained, replace_whole, take_lock
from streamtrader.units import NS_PER_S

SCHEMA = 1
LATEST = "latest"  # a file in the root with the name of the run that was started last
_NAMES_TRIED = 100
_LOCK_TRIES = 10


@dataclass(slots=True)
class RunDirectory:
    """The paths of one run; the lock once it is taken."""

    path: Path
    _lock_descriptor: int = -1

    @property
    def tape(self) -> Path:
        return self.path / "session.tape"

    @property
    def database(self) -> Path:
        return self.path / "session.sqlite"

    @property
    def log(self) -> Path:
        return self.path / "log.jsonl"

    @property
    def manifest(self) -> Path:
        return self.path / "manifest.json"

    @property
    def checkpoint(self) -> Path:
        return self.path / "state.checkpoint"

    @property
    def latencies(self) -> Path:
        """The latencies that were measured elsewhere and that this run's orders take; only where it has such."""
        return self.path / "latencies.csv"

    @property
    def lock_file(self) -> Path:
        return self.path / "lock"

    @classmethod
    def create(
        cls, root: Path | str, name: str | None = None, *, now_ns: int, manifest: dict[str, Any] | None = None
    ) -> Self:
        """A new directory below `root`, named by the time (UTC) unless told, with its manifest already in it."""
        root = Path(root)
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunDirectoryError(_unusable(root, error), path=str(root)) from error
        try:
            path = _made(root, name, now_ns)
        except FileExistsError as error:
            raise RunDirectoryError(
                f"{root / (name or '')} exists already; give another name, or start it again as a run directory."
            ) from error
        except OSError as error:
            raise RunDirectoryError(_unusable(root, error), path=str(root)) from error
        run = cls(path)
        try:
            run.write_manifest({"schema": SCHEMA, "run": path.name} | (manifest or {}))
            replace_whole(root / LATEST, path.name.encode())
        except (OSError, StorageError) as error:
            run.manifest.unlink(missing_ok=True)
            path.rmdir()
            raise RunDirectoryError(str(error), path=str(root)) from error
        return run

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """An existing run, to go on with, to replay or to look at."""
        run = cls(Path(path))
        run.read_manifest()
        return run

    @classmethod
    def latest(cls, root: Path | str) -> Self | None:
        """The run below `root` that was started last, or None."""
        root = Path(root)
        with contextlib.suppress(OSError, UnicodeDecodeError):
            named = root / (root / LATEST).read_text(encoding="utf-8").strip()
            if named.parent == root and (named / "manifest.json").is_file():
                return cls(named)
        with contextlib.suppress(OSError):
            found = sorted(manifest.parent for manifest in root.glob("*/manifest.json"))
            return cls(found[-1]) if found else None
        return None

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        text = json.dumps(manifest, indent=2, sort_keys=True, allow_nan=False) + "\n"
        try:
            replace_whole(self.manifest, text.encode())
        except OSError as error:
            raise RunDirectoryError(_unusable(self.path, error), path=str(self.path)) from error

    def update_manifest(self, **values: Any) -> dict[str, Any]:
        """Add what is known only later (hash of the data, time of the end); returns the whole."""
        manifest = self.read_manifest() | values
        self.write_manifest(manifest)
        return manifest

    def read_manifest(self) -> dict[str, Any]:
        try:
            manifest = json.loads(self.manifest.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise RunDirectoryError(f"{self.path} is not a run directory: it has no manifest.json.") from error
        except OSError as error:
            raise RunDirectoryError(f"{self.manifest} cannot be read: {explained(error)}.") from error
        except ValueError as error:
            raise RunDirectoryError(f"{self.manifest} is damaged: {error}. Restore it from a copy.") from error
        if not isinstance(manifest, dict) or not isinstance(manifest.get("schema"), int):
            raise RunDirectoryError(f"{self.manifest} is not the manifest of a run.")
        if manifest["schema"] > SCHEMA:
            raise LayoutChanged(f"{self.path} was written by a newer streamtrader; update streamtrader to use it.")
        return manifest

    def lock(self) -> Self:
        """Take the run for this process: `with run.lock(): ...`. Held until `unlock` or the end of the process."""
        try:
            descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RunDirectoryError(_unusable(self.path, error), path=str(self.path)) from error
        try:
            _take_patiently(descriptor)
        except OSError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise RunLocked(
                f"{self.path} is in use by another engine (process {holder}). Stop that one, or choose another run "
                "directory.",
                pid=holder,
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._lock_descriptor = descriptor
        return self

    def unlock(self) -> None:
        if self._lock_descriptor >= 0:
            os.ftruncate(self._lock_descriptor, 0)
            os.close(self._lock_descriptor)
            self._lock_descriptor = -1

    def holder(self) -> int | None:
        """The process that has this run now, or None. Takes nothing."""
        try:
            descriptor = os.open(self.lock_file, os.O_RDONLY)
        except OSError:
            return None
        try:
            take_lock(descriptor, is_shared=True)
        except OSError:
            text = os.read(descriptor, 32).decode(errors="replace").strip()
            return int(text) if text.isdigit() else 0
        finally:
            os.close(descriptor)
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.unlock()


def _take_patiently(descriptor: int) -> None:
    for _ in range(_LOCK_TRIES):  # `holder` of another process has the lock for some microseconds
        with contextlib.suppress(OSError):
            return take_lock(descriptor)
        time.sleep(0.01)
    return take_lock(descriptor)


def _made(root: Path, name: str | None, now_ns: int) -> Path:
    if name is not None:
        if not name or Path(name).name != name or name == LATEST:
            raise RunDirectoryError(f"a run cannot be called {name!r}: give a plain name without slashes.")
        path = root / name
        path.mkdir()
        return path
    stamp = datetime.fromtimestamp(now_ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H-%M-%S")
    for number in range(1, _NAMES_TRIED):
        path = root / (stamp if number == 1 else f"{stamp}-{number}")
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            return path
    raise RunDirectoryError(f"{root}: {_NAMES_TRIED} runs were started within this second; try again.")


def _unusable(path: Path, error: OSError) -> str:
    return f"{path} cannot be used for runs: {explained(error)} (set run.root to a folder that can be written)."


def _sources(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


@functools.cache  # what runs is what was there when it was loaded
def code_sha256() -> str:
    """Identity of the package's sources, of which a run's manifest speaks."""
    return folder_sha256(Path(__file__).parents[1])


def folder_sha256(folder: Path) -> str:
    """Identity of the sources in a folder."""
    return files_sha256(_sources(folder), relative_to=folder)


def files_sha256(paths: Iterable[Path], *, relative_to: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.relative_to(relative_to).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def json_sha256(values: Any) -> str:
    """Identity of settings: of their values, not of how a file spells them."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
