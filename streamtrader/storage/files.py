"""Files that are there whole or not at all, locks that die with their process, and errors of the disk in plain words."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Any, Self

from streamtrader.errors import DiskFull, MarketFileError, RunLocked, StorageError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space and start again",
    errno.EDQUOT: "the disk quota is used up; free some space and start again",
    errno.EFBIG: "the file may not grow further (file size limit); raise the limit (`ulimit -f`)",
    errno.EIO: "the disk reports an input/output error; check it before the next session",
    errno.EACCES: "permission denied; choose a path that this user may use",
    errno.EPERM: "permission denied; choose a path that this user may use",
    errno.EROFS: "the file system is read-only; choose another path",
    errno.ENOENT: "there is no such file or directory",
    errno.EEXIST: "there is a file of that name",
    errno.EISDIR: "it is a directory",
    errno.ENOTDIR: "a part of the path is not a directory",
    errno.EMFILE: "too many open files; raise the limit (`ulimit -n`)",
}


def explained(error: OSError) -> str:
    """An operating system's error as a clause with a remedy."""
    return _REMEDIES.get(error.errno or 0, error.strerror or str(error))


def refused(what: str, error: OSError, path: Path) -> StorageError:
    """What a disk refused and why, as the error to raise: `DiskFull` where there is no room for more."""
    kind = DiskFull if error.errno in FULL else StorageError
    why = explained(error)
    if error.errno == errno.ENOENT and not path.parent.is_dir():
        why = f"there is no folder {path.parent}; make it first"
    return kind(f"{what}: {why}", path=str(path))


def begin_aside(path: Path, *words: str) -> tuple[Path, ...]:
    """Where a new file is written before it gets its name: `<name>.<word>` beside it, without what a killed process left.

    Raises MarketFileError where the name is taken, StorageError where nothing can be written there.
    """
    try:
        if path.exists():
            raise MarketFileError(f"{path} exists already; an import never overwrites. Choose another name.")
        asides = tuple(path.with_name(f"{path.name}.{word}") for word in words)
        for aside in asides:
            aside.unlink(missing_ok=True)
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "no folder", str(path.parent))
    except OSError as error:
        raise refused(f"{path} cannot be written", error, path) from error
    return asides


def sync_file(descriptor: int) -> None:
    """Wait until the file's data is on the disk; the size too, times not."""
    getattr(os, "fdatasync", os.fsync)(descriptor)


def sync_folder(folder: Path) -> None:
    """Make a new or renamed entry of a folder durable; systems that cannot open folders do not need it."""
    with contextlib.suppress(PermissionError, IsADirectoryError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Appender:
    """A file that only grows, opened without a buffer. `_failure` says why nothing more may be written to it."""

    def __init__(self, path: Path, file: Any) -> None:
        self.path = path
        self._file = file
        self._failure = ""

    def _write(self, data: memoryview) -> None:
        while len(data):
            written = self._file.write(data)
            if not written:
                raise OSError(errno.EIO, "the file took no bytes")
            data = data[written:]

    def sync(self) -> None:
        """Make all that was appended durable. Slow (milliseconds): call it from another thread than the loop's."""
        try:
            sync_file(self._file.fileno())
        except OSError as error:
            # What a failed sync left on disk is unknown, and the next one would lie: nothing more is written.
            self._failure = explained(error)
            raise refused(f"{self.path} could not be made durable", error, self.path) from error

    def close(self) -> None:
        """Sync, unless that would lie, and close."""
        if self._file.closed:
            return
        try:
            if not self._failure:
                self.sync()
        finally:
            with contextlib.suppress(OSError):
                self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def take_lock(descriptor: int, *, is_shared: bool = False, waits: bool = False) -> None:
    """Lock a file until its descriptor is closed, if only by the end of the process; OSError where another has it."""
    import fcntl  # not everywhere

    fcntl.flock(descriptor, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | (0 if waits else fcntl.LOCK_NB))


def open_locked(path: Path, flags: int, refusal: str) -> int:
    """A descriptor that holds the lock of a file or folder; RunLocked with `refusal` where another process has it."""
    descriptor = os.open(path, flags)
    try:
        take_lock(descriptor)
    except OSError as error:
        os.close(descriptor)
        raise RunLocked(refusal) from error
    return descriptor


def _written_aside(path: Path, *parts: bytes | memoryview) -> Path:
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise
    return aside


def replace_whole(path: Path, *parts: bytes | memoryview) -> None:
    """Write a file so that a crash at any instant leaves the old one or the new one, never a part."""
    aside = _written_aside(path, *parts)
    try:
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def create_whole(path: Path, data: bytes) -> None:
    """Like `replace_whole`, but an existing file is never touched: `FileExistsError`."""
    place_whole(_written_aside(path, data), path)


def place_whole(aside: Path, path: Path) -> None:
    """Give a finished file its name, but never that of another: `FileExistsError`, and the finished file is gone."""
    try:
        os.link(aside, path)  # unlike a rename it fails where the name is taken
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(errno.EEXIST, "exists already", str(path)) from None
        aside.rename(path)
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(path.parent)
