"""Where a lake lies: a folder, or whatever fsspec reaches (`s3://bucket/lake`). Files appear whole or not at all.

A file is written aside first. Locally it is synced and renamed. Elsewhere it is put under a name that no query reads
and moved to its own; neither fsspec nor S3 shows a file that is still being put.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from streamtrader.errors import ConfigError, StorageError
from streamtrader.storage.extras import library
from streamtrader.storage.files import open_locked, refused, sync_file, sync_folder

ASIDE = "_aside"  # engines leave out what begins with an underscore or a dot


class LakePlace(Protocol):
    """Names are relative to the lake's root, with `/` between their parts."""

    url: str

    def names(self, under: str) -> list[str]:
        """Every file below a folder; none when it does not exist."""

    def read(self, name: str) -> bytes:
        """A small file."""

    def readable(self, name: str) -> Any:
        """What `pyarrow.parquet.ParquetFile` opens."""

    def publish(self, file: Path, name: str) -> None:
        """Make a finished local file appear under its name, in place of any other."""

    def remove(self, name: str) -> None:
        """Forget a file that is there."""

    def spool(self, writer: str) -> contextlib.AbstractContextManager[Path]:
        """A local folder for files in the making; one at a time for each `writer`, and empty at the start."""


def open_place(url: str | Path) -> LakePlace:
    """A path is a local folder, and so is `file://`; other schemes are fsspec's."""
    text = str(url)
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    return RemotePlace(text) if "://" in text or "::" in text else LocalPlace(Path(text))


class LocalPlace:
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = str(root)

    def names(self, under: str) -> list[str]:
        return sorted(
            path.relative_to(self.root).as_posix() for path in (self.root / under).rglob("*") if path.is_file()
        )

    def read(self, name: str) -> bytes:
        with self._explained(name):
            return (self.root / name).read_bytes()

    def readable(self, name: str) -> str:
        return str(self.root / name)

    def publish(self, file: Path, name: str) -> None:
        target = self.root / name
        with self._explained(name):
            target.parent.mkdir(parents=True, exist_ok=True)
            with file.open("rb") as written:
                sync_file(written.fileno())
            file.replace(target)
            sync_folder(target.parent)

    def remove(self, name: str) -> None:
        with self._explained(name):
            (self.root / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def spool(self, writer: str) -> Iterator[Path]:
        """Inside the lake, so that a rename is enough. What a killed writer left is thrown away by the next."""
        folder = self.root / ASIDE / writer
        with self._explained(ASIDE):
            folder.mkdir(parents=True, exist_ok=True)
            refusal = f"{folder} is in use: the same tape is being exported to this lake right now. Wait for it."
            descriptor = open_locked(folder, os.O_RDONLY, refusal)
        try:
            with self._explained(ASIDE):
                for left in folder.iterdir():
                    left.unlink()
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                with contextlib.suppress(OSError):  # not empty: another writer is at work
                    folder.parent.rmdir()
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise refused(str(self.root / name), error, self.root / name) from error


class RemotePlace:
    """A place behind fsspec. The driver of a scheme is a package of its own, for S3 `s3fs`."""

    def __init__(self, url: str) -> None:
        core = library("fsspec.core", extra="lake", what=f"a lake at {url}")
        try:
            self.filesystem, root = core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise ConfigError(f"{url} cannot be opened: {error}") from None
        self.url = url.rstrip("/")
        self.root = str(root).rstrip("/")

    def names(self, under: str) -> list[str]:
        with self._explained(under):
            self.filesystem.invalidate_cache()
            try:
                found = self.filesystem.find(self._path(under))
            except FileNotFoundError:
                return []
        return sorted(path.removeprefix(self.root).lstrip("/") for path in found)

    def read(self, name: str) -> bytes:
        with self._explained(name):
            return bytes(self.filesystem.cat_file(self._path(name)))

    def readable(self, name: str) -> Any:
        with self._explained(name):
            return self.filesystem.open(self._path(name), "rb")

    def publish(self, file: Path, name: str) -> None:
        aside, target = self._path(f"{ASIDE}/{file.name}"), self._path(name)
        with self._explained(name):
            self.filesystem.makedirs(aside.rpartition("/")[0], exist_ok=True)
            self.filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
            self.filesystem.put_file(str(file), aside)
            self.filesystem.mv(aside, target)
        file.unlink()

    def remove(self, name: str) -> None:
        with self._explained(name), contextlib.suppress(FileNotFoundError):
            self.filesystem.rm_file(self._path(name))

    @contextlib.contextmanager
    def spool(self, writer: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix=f"lake-{writer}-") as folder:
            yield Path(folder)

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}" if self.root else name

    @contextlib.contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        """Each driver has errors of its own; what they have in common is that this file could not be had."""
        try:
            yield
        except StorageError:
            raise
        except Exception as error:
            raise StorageError(f"{self.url}/{name}: {type(error).__name__}: {error}") from error
